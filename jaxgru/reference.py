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
    _, z, n, _ = _gru_gates(params, h, x, reset)
    return (1 - z) * n + z * h if update == "keeps" else (1 - z) * h + z * n


def gru_gradient(
    params: PyTree, xs: Array, h0: Array, ct: Array, *, reset: str = "after", update: str = "keeps"
) -> tuple[Array, PyTree, Array, Array]:
    """The states of a `GRU` over a batch, and the gradients of Σ ct ⊙ ys, back through time.

    Args:
      params: as in `gru_step`.
      xs: (T, B, I).
      h0: (B, H).
      ct: (T, B, H), the cotangent of ys.
      reset: "after" or "before" the recurrent product.
      update: an open update gate "keeps" or "writes".

    Returns:
      ys (T, B, H), and the gradients in params (None where a bias is), xs and h0.

    Example:
      >>> params = np.zeros((3, 6)), np.zeros((2, 6)), None, None
      >>> ys, _, _, d_h0 = gru_gradient(params, np.ones((2, 1, 3)), np.ones((1, 2)), np.ones((2, 1, 2)))
      >>> ys[:, 0, 0], d_h0
      (array([0.5 , 0.25]), array([[0.75, 0.75]]))
    """
    params = tuple(None if p is None else np.asarray(p, np.float64) for p in params)
    xs, h = np.asarray(xs, np.float64), np.asarray(h0, np.float64)
    states = [h, *(h := gru_step(params, h, x, reset=reset, update=update) for x in xs)]
    ys, prev = np.stack(states[1:]), np.stack(states[:-1])
    r, z, n, g = _gru_gates(params, prev, xs, reset)
    w_x, w_h, b_x, b_h = params
    w_rz, w_n = w_h[:, : -h.shape[-1]], w_h[:, -h.shape[-1] :]
    keep, write, sign = (z, 1 - z, 1) if update == "keeps" else (1 - z, z, -1)
    to_n, to_z = write * (1 - n * n), sign * (prev - n) * z * (1 - z)
    to_r = (g if reset == "after" else prev) * r * (1 - r)
    da, dh = np.empty((*xs.shape[:2], 3 * h.shape[-1])), np.zeros_like(h)
    for t in reversed(range(len(xs))):
        dh = dh + ct[t]
        d_n, d_z = to_n[t] * dh, to_z[t] * dh
        into = r[t] * d_n if reset == "after" else d_n @ w_n.T
        d_rz = np.concatenate([to_r[t] * (d_n if reset == "after" else into), d_z], -1)
        da[t] = np.concatenate([d_rz, d_n], -1)
        dh = keep[t] * dh + d_rz @ w_rz.T + (into @ w_n.T if reset == "after" else r[t] * into)
    d_rz, d_n = np.split(da, [2 * h.shape[-1]], -1)
    q_n, before_n = (r * d_n, prev) if reset == "after" else (d_n, r * prev)
    d_w_h = np.concatenate([_flat(prev).T @ _flat(d_rz), _flat(before_n).T @ _flat(q_n)], -1)
    d_b_x = None if b_x is None else _flat(da).sum(0)
    d_b_h = None if b_h is None else np.concatenate([_flat(d_rz).sum(0), _flat(q_n).sum(0)])
    return ys, (_flat(xs).T @ _flat(da), d_w_h, d_b_x, d_b_h), da @ w_x.T, dh


def _gru_gates(params: PyTree, h: Array, x: Array, reset: str) -> tuple[Array, Array, Array, Array]:
    """r, z, n, and the candidate's recurrent part before r acts on it (after), or as it is (before)."""
    w_x, w_h, b_x, b_h = (
        np.zeros(3 * h.shape[-1]) if p is None else np.asarray(p, np.float64) for p in params
    )
    a_r, a_z, a_n = np.split(np.asarray(x, np.float64) @ w_x + b_x, 3, -1)
    w_r, w_z, w_n = np.split(w_h, 3, -1)
    b_r, b_z, b_n = np.split(b_h, 3)
    r, z = sigmoid(a_r + h @ w_r + b_r), sigmoid(a_z + h @ w_z + b_z)
    inner = h @ w_n + b_n if reset == "after" else (r * h) @ w_n + b_n
    return r, z, np.tanh(a_n + (r * inner if reset == "after" else inner)), inner


def _flat(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


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
