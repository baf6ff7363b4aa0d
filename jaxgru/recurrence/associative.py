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
    from jaxgru.recurrence.backend import Recurrence

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

    def run(self, recurrence: Recurrence) -> tuple[PyTree, PyTree]:
        """The state after the last step, and the states after each, for inputs without NaN in the padding."""
        cell, params, inputs, h0, restart, marks, reverse = recurrence
        a = cell.project(params, inputs)
        keep, write = cell.affine(params, a)
        first = cell.carried(h0)
        if not len(keep):
            return h0, cell.complete(a, write)
        if marks.valid is not None:
            valid = along(marks.valid, keep)
            keep, write = jnp.where(valid, keep, 1), jnp.where(valid, write, 0)
        apart = None  # steps that what stands before them does not reach
        if marks.reset is not None:
            apart = jnp.broadcast_to(along(marks.reset, keep), keep.shape)
            write = jnp.where(apart, write + keep * cell.carried(restart), write)
        if marks.cut is not None:
            before = _shifted(_solve(keep, write, first, apart, reverse), first, reverse)
            cut = along(marks.cut, keep) & (True if apart is None else ~apart)
            write = jnp.where(cut, write + keep * lax.stop_gradient(before), write)
            apart = cut if apart is None else cut | apart
        carried = _solve(keep, write, first, apart, reverse)
        states = cell.complete(a, checkpoint_name(carried, STATES))
        if marks.valid is not None:
            states = _repeated(states, h0, marks.valid, reverse)
        return jax.tree.map(lambda s: s[0 if reverse else -1], states), states


def _solve(keep: Array, write: Array, first: Array, apart: Array | None, reverse: bool) -> Array:
    """h of h_t = keep_t ⊙ h_{t−1} + write_t, or write_t alone where `apart`: a bidiagonal system's solution.

    Stated so, its derivative is the same system with another right side, and its transpose the one that runs
    the other way: neither differentiates the steps of the prefix sum.
    """
    zero = jnp.zeros_like(first)

    def before(h: Array, first: Array) -> Array:
        shifted = _shifted(h, first, reverse)
        # Selected, not multiplied with 0: what was NaN before must not come through.
        return shifted if apart is None else jnp.where(apart, 0, shifted)

    def matvec(h: Array) -> Array:
        return h - keep * before(h, zero)

    def solve(_: Any, b: Array) -> Array:
        return _prefix(keep, b, apart, reverse)

    def transposed(_: Any, b: Array) -> Array:
        here = None if apart is None else _shifted(apart, jnp.zeros_like(apart[0]), not reverse)
        return _prefix(_shifted(keep, zero, not reverse), b, here, not reverse)

    right = write + keep * before(jnp.zeros_like(write), first)
    solution: Array = lax.custom_linear_solve(matvec, right, solve, transposed)
    return solution


def _prefix(keep: Array, write: Array, apart: Array | None, reverse: bool) -> Array:
    """The states, from zero, by composing affine maps."""

    def compose(left: tuple[Array, ...], right: tuple[Array, ...]) -> tuple[Array, ...]:
        keep, write = left[0] * right[0], right[0] * left[1] + right[1]
        if apart is None:
            return keep, write
        return keep, jnp.where(right[2], right[1], write), left[2] | right[2]

    maps = (keep, write) if apart is None else (keep, write, apart)
    states: Array = lax.associative_scan(compose, maps, reverse=reverse)[1]
    return states


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
