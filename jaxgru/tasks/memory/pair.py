"""Two networks of about as many parameters, a GRU and a tanh RNN, that read the same and share nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import flax.linen as nn

from jaxgru.recurrence.scan import scan

if TYPE_CHECKING:
    import jax

    from jaxgru.cells.base import Cell

NETWORKS = {"gru": "GRU", "rnn": "tanh RNN"}  # by their names among the parameters


class Reader(nn.Module):
    """A cell and a dense layer on its outputs, or on the last one.

    Args:
      cell: the recurrence.
      outputs: O, how many numbers are read from an output.
      last: whether only the last output is read.
    """

    cell: Cell
    outputs: int
    last: bool

    @nn.compact
    def __call__(self, xs: jax.Array) -> jax.Array:
        """Take inputs (T, B, I) to numbers (T, B, O), or (B, O) of the last step."""
        _, ys = scan(self.cell, self.param("cell", self.cell.init), xs)
        return nn.Dense(self.outputs)(ys[-1] if self.last else ys)


class Pair(nn.Module):
    """Two networks that read the same, and share nothing.

    Args:
      cells: the recurrence of each of `NETWORKS`.
      outputs: how many numbers each says.
      last: whether they speak only at the end.
    """

    cells: tuple[Cell, ...]
    outputs: int
    last: bool

    @nn.compact
    def __call__(self, xs: jax.Array) -> dict[str, jax.Array]:
        """Take inputs (T, B, I) to what each network says of them."""
        return {
            name: Reader(cell, self.outputs, self.last, name=name)(xs)
            for name, cell in zip(NETWORKS, self.cells, strict=True)
        }


def equal_size(inputs: int, outputs: int, hidden_size: int) -> int:
    """The units of a tanh RNN that has, with its dense layer, about as many parameters as a GRU with its own.

    Example:
      >>> equal_size(2, 1, 64)
      112
    """
    parameters = 3 * hidden_size * (inputs + hidden_size + 2) + (hidden_size + 1) * outputs
    rest = inputs + 2 + outputs  # R units have R (R + rest) + outputs parameters
    return max(round((math.sqrt(rest**2 + 4 * (parameters - outputs)) - rest) / 2), 1)
