"""No speed for what computes other numbers: outputs and gradients against the NumPy oracle in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxgru import reference
from jaxgru.bench.peer import Gradients
from jaxgru.cells.lstm import LSTMParams, LSTMState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxgru.bench.peer import Problem

# The largest difference allowed, as a share of the largest entry: (forward, backward). Matmuls in bfloat16 that
# nobody asked for are off by 5e-3; a gradient summed in bfloat16 over 2048 steps by 1e-1.
TOLERANCE = {"f32": (2e-5, 1e-4), "bf16": (3e-2, 2.5e-1)}


def oracle(problem: Problem, variant: Mapping[str, Any]) -> tuple[np.ndarray, Gradients]:
    """ys and the gradients that everybody has to match: of the rows that have a cotangent.

    The oracle is slow, and of a large batch `cases.problem` gives only some rows, spread over all of it, a
    cotangent: the gradients of the others are zero, which is checked as well, and their ys are nan here.
    """
    rows = problem.ct.any((0, 2))
    kind = type(problem.params)
    gradient = lstm_gradient if kind is LSTMParams else reference.gru_gradient
    h0 = jax.tree.map(lambda state: state[rows], problem.h0)
    some = gradient(problem.params, problem.xs[:, rows], h0, problem.ct[:, rows], **variant)
    ys, d_xs = np.full(problem.ct.shape, np.nan), np.zeros(problem.xs.shape)
    ys[:, rows], d_xs[:, rows] = some[0], some[2]

    def whole(part: np.ndarray, state: np.ndarray) -> np.ndarray:
        found = np.zeros(state.shape)
        found[rows] = part
        return found

    return ys, Gradients(kind(*some[1]), d_xs, jax.tree.map(whole, some[3], problem.h0))


def lstm_gradient(
    params: LSTMParams, xs: np.ndarray, h0: LSTMState, ct: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray, LSTMState]:
    """The outputs of an `LSTM` without projection, and the gradients of Σ ct ⊙ ys, like those of a GRU."""
    w_x, w_h, b_x, b_h = (np.asarray(p, np.float64) for p in params[:4])
    states = [(np.asarray(h0.h, np.float64), np.asarray(h0.c, np.float64))]
    for x in xs:
        states.append(reference.lstm_step(params, states[-1], x))
    h, c = map(np.stack, zip(*states, strict=True))
    i, f, g, o = np.split(xs.astype(np.float64) @ w_x + h[:-1] @ w_h + b_x + b_h, 4, -1)
    i, f, o = map(reference.sigmoid, (i, f, o))
    g, t = np.tanh(g), np.tanh(c[1:])
    to_c = [g * i * (1 - i), c[:-1] * f * (1 - f), i * (1 - g * g)]
    du, dh, dc = np.empty((*ct.shape[:2], w_h.shape[1])), np.zeros_like(h[0]), np.zeros_like(c[0])
    for s in reversed(range(len(xs))):
        dh = dh + ct[s]
        dc = dc + dh * o[s] * (1 - t[s] ** 2)
        du[s] = np.concatenate([*(dc * k[s] for k in to_c), dh * t[s] * o[s] * (1 - o[s])], -1)
        dh, dc = du[s] @ w_h.T, dc * f[s]
    d_w_x, d_w_h = (np.tensordot(v, du, ((0, 1), (0, 1))) for v in (xs, h[:-1]))
    db = du.sum((0, 1))
    return h[1:], (d_w_x, d_w_h, db, db), du @ w_x.T, LSTMState(dh, dc)


def disagreement(found: Any, expected: Any, dtype: str, *, candidate_bias: bool = True) -> str | None:
    """What is wrong with an answer, in words; None if it agrees.

    Args:
      found: ys, or `Gradients`.
      expected: the oracle's.
      dtype: "f32" or "bf16", which sets how close is close enough.
      candidate_bias: whether the gradient of b_h's last block counts.

    Example:
      >>> disagreement(np.array([1.0, 2.1]), np.array([1.0, 2.0]), "f32")
      'wrong: ys is off by 5.0e-02, more than 2e-05'
    """
    tolerance = TOLERANCE[dtype][isinstance(found, Gradients)]
    for name, (a, b) in pairs(found, expected, candidate_bias=candidate_bias).items():
        if np.shape(a) != np.shape(b):
            return f"wrong: {name} has shape {np.shape(a)}, not {np.shape(b)}"
        known = ~np.isnan(b)
        error = np.abs(a - b)[known].max() / np.abs(b[known]).max()
        if not error <= tolerance:  # a NaN is not
            return f"wrong: {name} is off by {error:.1e}, more than {tolerance:.0e}"
    return None


def pairs(found: Any, expected: Any, *, candidate_bias: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The arrays to hold against each other, by name."""
    if not isinstance(found, Gradients):
        return {"ys": (found, expected)}
    names = (*expected.params._fields, "xs", *("h0", "c0")[: len(jax.tree.leaves(expected.h0))])
    both = zip(
        *([*side.params, side.xs, *jax.tree.leaves(side.h0)] for side in (found, expected)), strict=True
    )
    arrays: dict[str, Any] = {
        f"the gradient of {name}": pair for name, pair in zip(names, both, strict=True) if pair[1] is not None
    }
    if not candidate_bias:
        b_h = "the gradient of b_h"
        counts = slice(0, 2 * len(expected.params.b_h) // 3)
        arrays[b_h] = arrays[b_h][0][counts], arrays[b_h][1][counts]
    return arrays
