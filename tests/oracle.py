"""What a model should compute, from `jaxgru.reference` alone: compositions as their definitions read."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxgru import Bidirectional, LearnedState, Stack, reference


def oracle(
    model: Any,
    step: Any,
    params: Any,
    xs: np.ndarray,
    h0: Any,
    *,
    lengths: Any = None,
    resets: Any = None,
    reverse: bool = False,
) -> tuple[Any, np.ndarray]:
    """final and ys of a batch (T, B, I) in float64; `step` is that of every cell in the model."""
    xs = np.asarray(xs, np.float64)
    marks = {"lengths": lengths, "resets": resets, "reverse": reverse}
    if isinstance(model, Stack):
        finals = []
        for layer, p, h in zip(model.layers, params, h0, strict=True):
            final, xs = oracle(layer, step, p, xs, h, **marks)
            finals.append(final)
        return tuple(finals), xs
    if isinstance(model, Bidirectional):
        turned = {**marks, "reverse": not reverse, "resets": turned_resets(resets, lengths, reverse)}
        final, ys = oracle(model.directions[0], step, params[0], xs, h0[0], **marks)
        final_b, ys_b = oracle(model.directions[1], step, params[1], xs, h0[1], **turned)
        merged = np.concatenate([ys, ys_b], -1) if model.merge == "concat" else ys + ys_b
        return type(h0)(final, final_b), merged / 2 if model.merge == "mean" else merged
    return reference.scan(step, params, xs, h0, initial=initial(model, params), **marks)


def initial(model: Any, params: Any) -> Any:
    """The initial state of one row, where it is not zero."""
    return np.asarray(params.state) if isinstance(model, LearnedState) else None


def zoneout_step(step: Any, rate: float, params: Any, state: Any, x: np.ndarray) -> Any:
    """Zoneout's mean: of each part of the state, `rate` of the old one stays."""
    new = step(params, state, x)
    if not isinstance(state, tuple):
        return rate * state + (1 - rate) * new
    return tuple(rate * a + (1 - rate) * b for a, b in zip(state, new, strict=True))


def layer_norm(v: np.ndarray, scale: Any) -> np.ndarray:
    """scale ⊙ (v − mean) / √(variance + 1e-5), over the last axis."""
    centred = v - v.mean(-1, keepdims=True)
    return np.asarray(scale, np.float64) * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def layer_norm_gru_step(params: Any, h: np.ndarray, x: np.ndarray, *, reset: str) -> np.ndarray:
    """Ba et al. 2016, equations 23–25, with an update gate that keeps."""
    w_x, w_h, b_x, b_h = (np.asarray(p, np.float64) for p in params.cell)
    s_x, s_h, size = np.asarray(params.scale_x), np.asarray(params.scale_h), 2 * h.shape[-1]

    def normed(v: np.ndarray, w: np.ndarray, scale: np.ndarray, part: slice) -> np.ndarray:
        return layer_norm(v @ w[:, part], scale[part])

    rz, n = slice(0, size), slice(size, None)
    gates = normed(x, w_x, s_x, rz) + b_x[rz] + normed(h, w_h, s_h, rz) + b_h[rz]
    r, z = np.split(reference.sigmoid(gates), 2, -1)
    inner = normed(r * h if reset == "before" else h, w_h, s_h, n) + b_h[n]
    new = np.tanh(normed(x, w_x, s_x, n) + b_x[n] + (inner if reset == "before" else r * inner))
    return (1 - z) * new + z * h


def layer_norm_lstm_step(params: Any, state: Any, x: np.ndarray) -> Any:
    """Ba et al. 2016, equations 20–22."""
    w_x, w_h, b_x, b_h = (np.asarray(p, np.float64) for p in params.cell[:4])
    h, c = state
    u = layer_norm(x @ w_x, params.scale_x) + layer_norm(h @ w_h, params.scale_h) + b_x + b_h
    i, f, g, o = np.split(u, 4, -1)
    c = reference.sigmoid(f) * c + reference.sigmoid(i) * np.tanh(g)
    return reference.sigmoid(o) * np.tanh(layer_norm(c, params.scale_c) + np.asarray(params.shift_c)), c


def turned_resets(resets: Any, lengths: Any, reverse: bool) -> Any:
    """Resets of the other direction: before the step that, in that direction, begins the next segment."""
    if resets is None:
        return None
    resets = np.array(resets)
    turned = np.zeros_like(resets)
    for b in range(resets.shape[1]):
        steps = len(resets) if lengths is None else int(lengths[b])
        for t in range(steps):
            before = t - 1 if reverse else t + 1
            turned[t, b] = 0 <= before < steps and resets[before, b]
    return turned
