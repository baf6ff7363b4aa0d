"""Chunk by chunk: memory for time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax

from jaxgru import checks
from jaxgru.recurrence.blocks import in_blocks
from jaxgru.recurrence.sequential import Sequential

if TYPE_CHECKING:
    from jaxgru.recurrence.backend import Recurrence
    from jaxgru.recurrence.marks import Marks

PyTree = Any


@dataclass(frozen=True)
class Chunked:
    """Runs `steps` at a time, and for the derivative keeps the inputs and the state before each chunk alone.

    What is inside a chunk, its projected inputs and gates, is computed again on the way back. The weights'
    gradients are one product for each chunk.

    Args:
      steps: how many steps a chunk has; about √T keeps least.

    Raises:
      TypeError, ValueError: `steps` is no positive int.

    Example:
      >>> import jax, jax.numpy as jnp, jaxgru
      >>> cell = jaxgru.GRU(3, 5)
      >>> params = cell.init(jax.random.key(0))
      >>> final, ys = jaxgru.scan(cell, params, jnp.ones((100, 3)), backend=jaxgru.Chunked(10))

    Cost: a third pass over the sequence; memory for a GRU's derivative: about (T / steps + 8 steps)·B·H numbers
      beside xs and ys.

    References: Chen et al. 2016, "Training deep nets with sublinear memory cost" (arXiv:1604.06174).
    """

    steps: int

    def __post_init__(self) -> None:
        checks.size("steps", self.steps)

    def run(self, recurrence: Recurrence) -> tuple[PyTree, PyTree]:
        """The state after the last step, and the states after each, for inputs without NaN in the padding."""

        @jax.checkpoint
        def chunk(h: PyTree, part: tuple[PyTree, Marks]) -> tuple[PyTree, PyTree]:
            inputs, marks = part
            return Sequential().run(recurrence._replace(inputs=inputs, marks=marks, h0=h))

        parts = recurrence.inputs, recurrence.marks
        return in_blocks(chunk, recurrence.h0, parts, self.steps, reverse=recurrence.reverse)
