"""Networks that read the same sequences and share nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flax.linen as nn

from jaxgru.recurrence.scan import scan

if TYPE_CHECKING:
    import jax

    from jaxgru.cells.base import Cell
    from jaxgru.layers.stack import Stack


class Reader(nn.Module):
    """A recurrence and a dense layer on its outputs, or on the last one.

    Args:
      cell: the recurrence, of one layer or several.
      outputs: O, how many numbers are read from an output.
      last: whether only the last output is read.
    """

    cell: Cell | Stack
    outputs: int
    last: bool

    @nn.compact
    def __call__(self, xs: jax.Array) -> jax.Array:
        """Take inputs (T, B, I) to numbers (T, B, O), or (B, O) of the last step."""
        _, ys = scan(self.cell, self.param("cell", self.cell.init), xs)
        return nn.Dense(self.outputs)(ys[-1] if self.last else ys)


class Networks(nn.Module):
    """Networks side by side.

    Args:
      cells: the name and the recurrence of each.
      outputs: how many numbers each says.
      last: whether they speak only at the end.
    """

    cells: tuple[tuple[str, Cell | Stack], ...]
    outputs: int
    last: bool

    @nn.compact
    def __call__(self, xs: jax.Array) -> dict[str, jax.Array]:
        """Take inputs (T, B, I) to what each network says of them."""
        return {name: Reader(cell, self.outputs, self.last, name=name)(xs) for name, cell in self.cells}
