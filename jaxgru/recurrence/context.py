"""What a scan knows besides the model: handed from a composition to its parts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxgru import checks
from jaxgru.cells.dense import varying
from jaxgru.recurrence.backend import Recurrence
from jaxgru.recurrence.marks import Marks, along

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.recurrence.backend import Backend

PyTree = Any


@dataclass(frozen=True)
class Context:
    """The arguments of `scan` that every part of a model shares.

    Attributes:
      lengths: (*B,), or None.
      valid: (T, *B), which steps are real; None if all are.
      resets: (T, *B), False in the padding; None if there are none.
      reverse: whether time runs from the last step to the first.
      key: the PRNG key of the part that this context is handed to, or None.
      backend: how recurrences are computed.
      truncate: after how many steps gradients stop, or None.
    """

    lengths: Array | None
    valid: Array | None
    resets: Array | None
    reverse: bool
    key: Array | None
    backend: Backend
    truncate: int | None

    def scan(self, model: Any, params: PyTree, xs: Array, state: PyTree) -> tuple[PyTree, Array, PyTree]:
        """Runs a cell or a composition.

        Args:
          model: one with `scan_over(params, xs, state, context)` runs itself, by scanning its parts.
          params: the model's.
          xs: (T, *B, I), finite in the padding.
          state: the state before the first step.

        Returns:
          The final state, ys (T, *B, O) with zeros in the padding, and the states after each step.
        """
        if hasattr(model, "scan_over"):
            final, ys, states = model.scan_over(params, xs, state, self)
            return final, ys, states
        dtype = model.compute_dtype(params, xs)
        params = model.cast(params, dtype)
        batch_shape = checks.batch_shape(model, xs)
        restart = None
        if self.resets is not None:
            restart = model.cast_state(model.initial_state(batch_shape, params), dtype, "initial_state")
        params, inputs = model.prepare(params, xs.astype(dtype), self.key)
        marks = Marks(self.valid, self.resets, self._cut(len(xs), len(batch_shape)))
        state = varying(model.cast_state(state, dtype, "h0"), (params, inputs, marks))
        final, states = self.backend.run(
            Recurrence(model, params, inputs, state, restart, marks, self.reverse)
        )
        ys = model.output(params, states, inputs, self.key).astype(dtype)
        if self.valid is not None:
            ys = jnp.where(along(self.valid, ys), ys, 0)
        return final, ys, states

    def for_part(self, index: int) -> Context:
        """The same, with the key of a composition's part."""
        return dataclasses.replace(
            self, key=None if self.key is None else jax.random.fold_in(self.key, index)
        )

    def backward(self) -> Context:
        """The same in the other direction, so that segments cut by resets are the same segments.

        A segment that begins at t going forward ends at t going backward: the state has to return before the
        step that comes next, at t − 1.
        """
        resets = self.resets
        if resets is not None:
            none = jnp.zeros_like(resets[:1])
            resets = jnp.concatenate((none, resets[:-1]) if self.reverse else (resets[1:], none))[
                : len(resets)
            ]
            resets = resets if self.valid is None else resets & self.valid
        return dataclasses.replace(self, reverse=not self.reverse, resets=resets)

    def _cut(self, steps: int, batch_axes: int) -> Array | None:
        """The steps that begin a window of `truncate` steps, but for the first, as they are processed."""
        if self.truncate is None:
            return None
        t = jnp.arange(steps).reshape(-1, *(1,) * batch_axes)
        if self.reverse:
            t = (steps if self.lengths is None else self.lengths) - 1 - t
        cut = (t > 0) & (t % self.truncate == 0)
        return cut if self.valid is None else cut & self.valid
