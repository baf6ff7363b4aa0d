"""What a model should compute, from `jaxgru.reference` alone: compositions as their definitions read."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxgru import Bidirectional, Stack, reference


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
    return reference.scan(step, params, xs, h0, **marks)


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
