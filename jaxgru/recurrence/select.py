"""Which strategy runs a recurrence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgru import checks
from jaxgru.recurrence.blocks import steps as steps_of
from jaxgru.recurrence.sequential import Sequential

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.cells.base import Cell
    from jaxgru.recurrence.backend import Recurrence

PyTree = Any


# Measured crossovers: docs/explanation/speed.md has the figures.
NARROW = 32  # units that one unit reads: with so few, gates are computed again faster than stored
WHOLE = 8 * 2**20  # bytes of projected inputs that are written and read in one go
BLOCK = 4 * 2**20  # bytes of them in a block, where all are more
FEWEST = 8  # steps in a block, however many bytes they have


class Choice(NamedTuple):
    """What `select` picks: the strategy, and why."""

    backend: Sequential
    reason: str


def select(cell: Cell, steps: int, batch_shape: tuple[int, ...] = ()) -> Choice:
    """What `AUTO` picks for a cell, and why.

    Args:
      cell: a cell; a composition picks for each of its cells.
      steps: T.
      batch_shape: *B, without axes that `jax.vmap` adds: what runs inside it cannot see them.

    Raises:
      TypeError, ValueError: something that is no cell, or no sizes.

    Example:
      >>> import jaxgru
      >>> select(jaxgru.GRU(128, 256), 1000, (32,)).backend
      Sequential(hoist=True, unroll=1, save='gates', block=40)
      >>> print(select(jaxgru.GRU(128, 256), 1000, (32,)).reason)
      the inputs are projected in blocks: all at once they would take 94 MiB
    """
    if not hasattr(cell, "project") or isinstance(cell, type):
        raise TypeError(f"cell must be a cell such as GRU(64, 128), got {cell!r}: ask for each cell in it")
    steps, rows = checks.size("steps", steps), checks.sizes("batch_shape", batch_shape)
    shape = (steps, *rows, *checks.event_shape(cell))
    dtype = cell.dtype or cell.param_dtype

    def prepared(key: Array) -> tuple[PyTree, PyTree]:
        return cell.prepare(cell.cast(cell.init(key), dtype), jnp.zeros(shape, dtype), None)

    return _choose(cell, *jax.eval_shape(prepared, jax.random.key(0)))


def _choose(cell: Cell, params: PyTree, inputs: PyTree) -> Choice:
    a = jax.eval_shape(cell.project, params, inputs)
    length = steps_of(inputs)
    total = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(a))
    if total > WHOLE:
        block = _divisor(length, max(BLOCK * length // total, FEWEST))
        reason = f"the inputs are projected in blocks: all at once they would take {total / 2**20:.0f} MiB"
        return Choice(Sequential(block=block), reason)
    w: Any = cell.recurrent(params)
    units = 0 if w is None else math.prod(getattr(w, "weight", w).shape[:-1])  # of a mask, the matrix
    if units <= NARROW:
        reason = f"a unit reads {units} others: the derivative computes gates again faster than it loads them"
        return Choice(Sequential(save="states"), reason)
    return Choice(Sequential(), "the inputs are projected at once, and the derivative keeps the gates")


def _divisor(steps: int, wanted: int) -> int:
    """The divisor of `steps` nearest to `wanted` within a factor of two, so that no shorter block is left over."""
    near = [n for n in range((wanted + 1) // 2, min(2 * wanted, steps) + 1) if steps % n == 0]
    return min(near, key=lambda n: abs(math.log(n / wanted)), default=min(wanted, steps))


@dataclass(frozen=True)
class Auto:
    """Leaves the choice to `recurrence.select`, among strategies that are exact.

    Example:
      >>> import jaxgru
      >>> jaxgru.AUTO
      Auto()
    """

    def run(self, recurrence: Recurrence) -> tuple[PyTree, PyTree]:
        """As the chosen strategy runs it."""
        return _choose(recurrence.cell, recurrence.params, recurrence.inputs).backend.run(recurrence)


AUTO = Auto()
