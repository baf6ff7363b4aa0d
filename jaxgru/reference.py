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


def lstm_step(params: PyTree, state: tuple[Array, Array], x: Array) -> tuple[Array, Array]:
    """One step of an `LSTM`.

    Args:
      params: (w_x (I, 4H), w_h (O, 4H), b_x (4H,) or None, b_h (4H,) or None, w_p (H, O) or None).
      state: (h (*B, O), c (*B, H)) before.
      x: (*B, I), the input.

    Returns:
      (h, c) after.

    Example:
      >>> params = np.zeros((3, 8)), np.zeros((2, 8)), None, None, None
      >>> lstm_step(params, (np.zeros(2), np.ones(2)), np.ones(3))[1]
      array([0.5, 0.5])
    """
    w_x, w_h, b_x, b_h, w_p = (0.0 if p is None else np.asarray(p, np.float64) for p in params)
    h, c = state
    u = np.asarray(x, np.float64) @ w_x + h @ w_h + b_x + b_h
    i, f, g, o = np.split(u, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    m = sigmoid(o) * np.tanh(c)
    return m @ w_p if np.ndim(w_p) else m, c


def sru_step(
    params: PyTree, state: tuple[Array, Array], x: Array, *, variant: str = "2017"
) -> tuple[Array, Array]:
    """One step of an `SRU`.

    Args:
      params: (w_x (I, 3H or 4H), b_x (2H,) or None, v (2H,) or None).
      state: (h, c) before, each (*B, H).
      x: (*B, I), the input.
      variant: "2017" or "2018".

    Returns:
      (h, c) after.

    Example:
      >>> params = np.zeros((2, 6)), None, None
      >>> sru_step(params, (np.zeros(2), np.ones(2)), np.ones(2), variant="2018")
      (array([0.75, 0.75]), array([0.5, 0.5]))
    """
    w_x, b_x, v = (np.zeros(1) if p is None else np.asarray(p, np.float64) for p in params)
    c = state[1]
    hidden = c.shape[-1]
    u = np.asarray(x, np.float64) @ w_x
    gates = u[..., hidden : 3 * hidden] + b_x + v * np.concatenate([c, c], -1)
    f, r = np.split(sigmoid(gates), 2, -1)
    skip = u[..., 3 * hidden :] if u.shape[-1] == 4 * hidden else x
    c = f * c + (1 - f) * u[..., :hidden]
    return r * (np.tanh(c) if variant == "2017" else c) + (1 - r) * skip, c


def min_gru_step(params: PyTree, h: Array, x: Array) -> Array:
    """One step of a `MinGRU`.

    Args:
      params: (w_x (I, 2H), b_x (2H,) or None).
      h: (*B, H), the state before.
      x: (*B, I), the input.

    Returns:
      (*B, H), the state after.

    Example:
      >>> min_gru_step((np.zeros((3, 4)), None), np.ones(2), np.ones(3))
      array([0.5, 0.5])
    """
    w_x, b_x = (0.0 if p is None else np.asarray(p, np.float64) for p in params)
    a_z, n = np.split(np.asarray(x, np.float64) @ w_x + b_x, 2, -1)
    z = sigmoid(a_z)
    return (1 - z) * h + z * n


def conv_gru_step(
    params: PyTree,
    h: Array,
    x: Array,
    *,
    reset: str = "after",
    update: str = "keeps",
    dilation: int = 1,
) -> Array:
    """One step of a `ConvGRU`: a `gru_step` whose matmuls read every point of the kernel.

    Args:
      params: (w_x (*K, I, 3H), w_h (*K, H, 3H), b_x (3H,) or None, b_h (3H,) or None).
      h: (*S, H), the state before.
      x: (*S, I), the input.
      reset: "after" or "before" the recurrent product.
      update: an open update gate "keeps" or "writes".
      dilation: how far apart the kernel's points stand.

    Returns:
      (*S, H), the state after.

    Example:
      >>> params = np.zeros((3, 1, 6)), np.zeros((3, 2, 6)), None, None
      >>> conv_gru_step(params, np.ones((4, 2)), np.ones((4, 1)))[0]
      array([0.5, 0.5])
    """
    hidden = h.shape[-1]
    w_x, w_h, b_x, b_h = (np.zeros(3 * hidden) if p is None else np.asarray(p, np.float64) for p in params)

    def convolved(v: Array, w: Array) -> Array:
        out = np.zeros((*v.shape[:-1], w.shape[-1]))
        for at in np.ndindex(v.shape[:-1]):
            for point in np.ndindex(w.shape[:-2]):
                spans = [dilation * (k - 1) for k in w.shape[:-2]]
                there = tuple(a + dilation * p - s // 2 for a, p, s in zip(at, point, spans, strict=True))
                if all(0 <= i < n for i, n in zip(there, v.shape, strict=False)):
                    out[at] += v[there] @ w[point]
        return out

    a_r, a_z, a_n = np.split(convolved(np.asarray(x, np.float64), w_x) + b_x, 3, -1)
    u_r, u_z, u_n = np.split(convolved(h, w_h) + b_h, 3, -1)
    r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
    if reset == "before":
        n = np.tanh(a_n + convolved(r * h, w_h[..., 2 * hidden :]) + b_h[2 * hidden :])
    else:
        n = np.tanh(a_n + r * u_n)
    return (1 - z) * n + z * h if update == "keeps" else (1 - z) * h + z * n


def scan(
    step: Any,
    params: PyTree,
    xs: Array,
    h0: PyTree,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    initial: PyTree = None,
) -> tuple[PyTree, Array]:
    """A step over a sequence, row by row as the semantics of `jaxgru.scan` read.

    Args:
      step: (params, state, x (…, I)) -> state; an array, or a tuple whose first part is the output.
      params: handed to `step`.
      xs: (T, B, …, I).
      h0: the state before the first step, (B, …, H) or a tuple of such.
      lengths: (B,), or None.
      resets: (T, B) bool, or None: the state returns to `initial` before the step.
      reverse: each row's real part from its last step to its first.
      initial: the initial state of one row; None means zeros.

    Returns:
      final, formed like h0, and ys (T, B, …, H), with zeros in the padding.

    Example:
      >>> final, ys = scan(lambda p, h, x: h + x, None, np.ones((3, 1, 1)), np.zeros((1, 1)), lengths=[2])
      >>> final, ys[:, 0, 0]
      (array([[2.]]), array([1., 2., 0.]))
    """
    single = not isinstance(h0, tuple)
    final = [np.array(part, np.float64) for part in ((h0,) if single else h0)]
    fresh = [np.zeros_like(part[0]) for part in final] if len(final[0]) else []
    if initial is not None:
        fresh = [np.asarray(part, np.float64) for part in ((initial,) if single else initial)]
    steps, rows = xs.shape[:2]
    ys = np.zeros((steps, rows, *final[0].shape[1:]))
    for row in range(rows):
        state = [part[row] for part in final]
        real = range(steps if lengths is None else int(lengths[row]))
        for t in reversed(real) if reverse else real:
            if resets is not None and resets[t, row]:
                state = fresh
            after = step(params, state[0] if single else tuple(state), xs[t, row])
            state = [after] if single else list(after)
            ys[t, row] = state[0]
        for part, last in zip(final, state, strict=True):
            part[row] = last
    return (final[0] if single else type(h0)(*final) if hasattr(h0, "_fields") else tuple(final)), ys
