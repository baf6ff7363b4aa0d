"""All steps at once: a linear recurrence by a parallel prefix sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.ad_checkpoint import checkpoint_name

from jaxgru.recurrence.linearized import STATES
from jaxgru.recurrence.marks import along

if TYPE_CHECKING:
    from jaxgru.cells.base import Cell
    from jaxgru.recurrence.marks import Marks

PyTree = Any


@dataclass(frozen=True)
class Associative:
    """Runs a cell that is linear in its state in parallel over time.

        h_t = keep_t ⊙ h_{t−1} + write_t  is the composition of affine maps, which is associative.

    The sums are taken in another order than step by step, so the numbers differ by rounding.

    Raises:
      NotImplementedError: in `scan`, with a cell that is not linear in its state.

    Example:
      >>> import jax, jax.numpy as jnp, jaxgru
      >>> cell = jaxgru.MinGRU(3, 5)
      >>> params = cell.init(jax.random.key(0))
      >>> final, ys = jaxgru.scan(cell, params, jnp.ones((100, 3)), backend=jaxgru.Associative())

    Cost: 2 log₂ T passes over T·B·H numbers, against T steps in sequence; the derivative is another such scan.

    References: Blelloch 1990, "Prefix sums and their applications"; Martin & Cundy 2018 (arXiv:1709.04057).
    """

    def run(
        self,
        cell: Cell,
        params: PyTree,
        inputs: PyTree,
        h0: PyTree,
        restart: PyTree,
        marks: Marks,
        *,
        reverse: bool,
    ) -> tuple[PyTree, PyTree]:
        """The state after the last step, and the states after each, for inputs without NaN in the padding."""
        a = cell.project(params, inputs)
        keep, write = cell.affine(params, a)
        first = cell.carried(h0)
        if not len(keep):
            return h0, cell.complete(a, write)
        if marks.reset is not None:
            reset = along(marks.reset, keep)
            write = jnp.where(reset, write + keep * cell.carried(restart), write)
            keep = jnp.where(reset, 0, keep)
        if marks.valid is not None:
            valid = along(marks.valid, keep)
            keep, write = jnp.where(valid, keep, 1), jnp.where(valid, write, 0)
        if marks.cut is not None:
            cut = along(marks.cut, keep)
            before = _shifted(_solve(keep, write, first, reverse), first, reverse)
            write = jnp.where(cut, write + keep * lax.stop_gradient(before), write)
            keep = jnp.where(cut, 0, keep)
        states = cell.complete(a, checkpoint_name(_solve(keep, write, first, reverse), STATES))
        if marks.valid is not None:
            states = _repeated(states, h0, marks.valid, reverse)
        return jax.tree.map(lambda s: s[0 if reverse else -1], states), states


def _solve(keep: Array, write: Array, first: Array, reverse: bool) -> Array:
    """h of h_t = keep_t ⊙ h_{t−1} + write_t, as the solution of a bidiagonal system.

    Stated so, its derivative is the same system with another right side, and its transpose the one that runs
    the other way: neither differentiates the steps of the prefix sum.
    """
    start = -1 if reverse else 0
    right = write.at[start].add(keep[start] * first)

    def forward(keep: Array, b: Array, reverse: bool) -> Array:
        def compose(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
            return left[0] * right[0], right[0] * left[1] + right[1]

        return lax.associative_scan(compose, (keep, b), reverse=reverse)[1]

    def matvec(h: Array) -> Array:
        return h - keep * _shifted(h, jnp.zeros_like(h[0]), reverse)

    def solve(_: Any, b: Array) -> Array:
        return forward(keep, b, reverse)

    def transposed(_: Any, b: Array) -> Array:
        return forward(_shifted(keep, jnp.zeros_like(keep[0]), not reverse), b, not reverse)

    solution: Array = lax.custom_linear_solve(matvec, right, solve, transposed)
    return solution


def _shifted(h: Array, first: Array, reverse: bool) -> Array:
    """What stands before each step."""
    return jnp.concatenate((h[1:], first[None]) if reverse else (first[None], h[:-1]))


def _repeated(states: PyTree, h0: PyTree, valid: Array, reverse: bool) -> PyTree:
    """States that are, at a step that does not act, those of the last one that did."""
    t = jnp.arange(len(valid)).reshape(-1, *(1,) * (valid.ndim - 1))
    if reverse:
        index = lax.cummin(jnp.where(valid, t, len(valid)), reverse=True)  # the last index stands for h0
    else:
        index = lax.cummax(jnp.where(valid, t + 1, 0))  # the first one does

    def fill(s: Array, first: Array) -> Array:
        parts = (s, first[None]) if reverse else (first[None], s)
        return jnp.take_along_axis(jnp.concatenate(parts), along(index, s), 0)

    return jax.tree.map(fill, states, h0)
