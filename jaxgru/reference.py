"""The equations in NumPy float64, one plain loop each: the oracle that everything faster is held against."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
PyTree = Any


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e^−x), written so that no exponential overflows.

    Example:
      >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
      array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def gru_step(params: PyTree, h: Array, x: Array, *, reset: str = "after", update: str = "keeps") -> Array:
    """One step of a `GRU`.

    Args:
      params: (w_x (I, 3H), w_h (H, 3H), b_x (3H,) or None, b_h (3H,) or None).
      h: (*B, H), the state before.
      x: (*B, I), the input.
      reset: "after" or "before" the recurrent product.
      update: an open update gate "keeps" or "writes".

    Returns:
      (*B, H), the state after.

    Example:
      >>> gru_step((np.zeros((3, 6)), np.zeros((2, 6)), None, None), np.ones(2), np.ones(3))
      array([0.5, 0.5])
    """
    w_x, w_h, b_x, b_h = (
        np.zeros(3 * h.shape[-1]) if p is None else np.asarray(p, np.float64) for p in params
    )
    a_r, a_z, a_n = np.split(np.asarray(x, np.float64) @ w_x + b_x, 3, -1)
    w_r, w_z, w_n = np.split(w_h, 3, -1)
    b_r, b_z, b_n = np.split(b_h, 3)
    r, z = sigmoid(a_r + h @ w_r + b_r), sigmoid(a_z + h @ w_z + b_z)
    inner = r * (h @ w_n + b_n) if reset == "after" else (r * h) @ w_n + b_n
    n = np.tanh(a_n + inner)
    return (1 - z) * n + z * h if update == "keeps" else (1 - z) * h + z * n


def rnn_step(params: PyTree, h: Array, x: Array, *, activation: str = "tanh") -> Array:
    """One step of an `RNN`.

    Args:
      params: (w_x (I, H), w_h (H, H), b_x (H,) or None, b_h (H,) or None).
      h: (*B, H), the state before.
      x: (*B, I), the input.
      activation: "tanh" or "relu".

    Returns:
      (*B, H), the state after.

    Example:
      >>> params = np.ones((3, 2)), np.zeros((2, 2)), None, None
      >>> rnn_step(params, np.zeros(2), np.ones(3), activation="relu")
      array([3., 3.])
    """
    w_x, w_h, b_x, b_h = (0.0 if p is None else np.asarray(p, np.float64) for p in params)
    u = np.asarray(x, np.float64) @ w_x + h @ w_h + b_x + b_h
    return np.tanh(u) if activation == "tanh" else np.maximum(u, 0)


def scan(
    step: Any,
    params: PyTree,
    xs: Array,
    h0: Array,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """A step over a sequence, row by row as the semantics of `jaxgru.scan` read.

    Args:
      step: (params, h (H,), x (I,)) -> h.
      params: handed to `step`.
      xs: (T, B, I).
      h0: (B, H).
      lengths: (B,), or None.
      resets: (T, B) bool, or None: the state returns to zero before the step.
      reverse: each row's real part from its last step to its first.

    Returns:
      final (B, H) and ys (T, B, H), with zeros in the padding.

    Example:
      >>> final, ys = scan(lambda p, h, x: h + x, None, np.ones((3, 1, 1)), np.zeros((1, 1)), lengths=[2])
      >>> final, ys[:, 0, 0]
      (array([[2.]]), array([1., 2., 0.]))
    """
    steps, rows = xs.shape[:2]
    final = np.array(h0, np.float64)
    ys = np.zeros((steps, rows, final.shape[-1]))
    for row in range(rows):
        h = final[row]
        real = range(steps if lengths is None else int(lengths[row]))
        for t in reversed(real) if reverse else real:
            if resets is not None and resets[t, row]:
                h = np.zeros_like(h)
            h = step(params, h, xs[t, row])
            ys[t, row] = h
        final[row] = h
    return final, ys
