"""Step by step: the recurrence as it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jaxgru import checks
from jaxgru.recurrence.blocks import steps
from jaxgru.recurrence.linearized import loop

if TYPE_CHECKING:
    from jaxgru.recurrence.backend import Recurrence

PyTree = Any


@dataclass(frozen=True)
class Sequential:
    """Runs one step after the other; the weights' gradients stay outside the loop.

    Args:
      hoist: whether the inputs are projected before the loop, in one product, or step by step in it.
      unroll: how many steps XLA sees as one body.
      save: what the forward pass keeps for the derivative: the "gates", or the "states" alone, from which the
        gates are computed again in one product over all of time.
      block: with hoist, how many steps are projected at a time; None means all. Projected inputs of all of time
        that outgrow the caches cost more to write and read than one product for each block.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> import jax, jax.numpy as jnp, jaxgru
      >>> cell = jaxgru.GRU(3, 5)
      >>> params = cell.init(jax.random.key(0))
      >>> final, ys = jaxgru.scan(cell, params, jnp.ones((7, 3)), backend=jaxgru.Sequential(save="states"))

    Cost: T steps in sequence. Memory for a GRU's derivative: some ten numbers for each of T·B·H, however it is
      made; `save` decides what the forward loop writes, which is a matter of time. `Chunked` is what saves memory.
    """

    hoist: bool = True
    unroll: int = 1
    save: Literal["gates", "states"] = "gates"
    block: int | None = None

    def __post_init__(self) -> None:
        checks.flag("hoist", self.hoist)
        checks.size("unroll", self.unroll)
        checks.choice("save", self.save, ("gates", "states"))
        if self.block is not None:
            checks.size("block", self.block)
            if not self.hoist:
                raise ValueError(
                    f"block must be None with hoist=False, which projects each step, got {self.block}"
                )

    def run(self, recurrence: Recurrence) -> tuple[PyTree, PyTree]:
        """The state after the last step, and the states after each, for inputs without NaN in the padding."""
        block = (self.block or steps(recurrence.inputs)) if self.hoist else None
        return loop(recurrence, block=block, save=self.save, unroll=self.unroll)
