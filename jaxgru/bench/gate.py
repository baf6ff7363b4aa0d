"""No speed for what computes other numbers: outputs and gradients against the NumPy oracle in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgru import reference
from jaxgru.bench.peer import Gradients
from jaxgru.cells.gru import GRUParams

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
    xs, ct = problem.xs[:, rows], problem.ct[:, rows]
    some = reference.gru_gradient(problem.params, xs, problem.h0[rows], ct, **variant)
    ys, d_xs, d_h0 = np.full(problem.ct.shape, np.nan), np.zeros(problem.xs.shape), np.zeros(problem.h0.shape)
    ys[:, rows], d_xs[:, rows], d_h0[rows] = some[0], some[2], some[3]
    return ys, Gradients(GRUParams(*some[1]), d_xs, d_h0)


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
    counts = slice(None) if candidate_bias else slice(0, 2 * found.h0.shape[-1])
    arrays: dict[str, Any]
    both = zip(found.params, expected.params, strict=True)
    arrays = {f"the gradient of {name}": pair for name, pair in zip(GRUParams._fields, both, strict=True)}
    b_h = "the gradient of b_h"
    arrays[b_h] = arrays[b_h][0][counts], arrays[b_h][1][counts]
    arrays["the gradient of xs"] = found.xs, expected.xs
    arrays["the gradient of h0"] = found.h0, expected.h0
    return arrays
