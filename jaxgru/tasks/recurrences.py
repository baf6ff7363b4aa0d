"""Recurrences by name, and how many units each may have where all are to have as many parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax

from jaxgru.cells.gru import GRU
from jaxgru.cells.lstm import LSTM
from jaxgru.cells.min_gru import MinGRU
from jaxgru.cells.rnn import RNN
from jaxgru.cells.sru import SRU
from jaxgru.layers.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxgru.cells.base import Cell

TITLES = {
    "gru": "GRU",
    "gru-before": "GRU (reset before)",
    "lstm": "LSTM",
    "rnn": "tanh RNN",
    "sru": "SRU",
    "mingru": "minGRU",
}
WITHOUT_MATRIX = "sru", "mingru"  # whose units do not see each other's states
MOST_UNITS = 1 << 16


def recurrence(name: str, inputs: int, units: int, init: Any = "uniform") -> Cell:
    """The cell of a name.

    Args:
      name: a key of `TITLES`.
      inputs: I, the width of one input.
      units: H, the width of one output.
      init: as the cells take it.

    Example:
      >>> recurrence("gru-before", 3, 5)
      GRU(3, 5, reset='before')
    """
    if name.startswith("gru"):
        return GRU(inputs, units, reset="before" if name == "gru-before" else "after", init=init)
    kinds: dict[str, Any] = {"lstm": LSTM, "rnn": RNN, "sru": SRU, "mingru": MinGRU}
    cell: Cell = kinds[name](inputs, units, init=init)
    return cell


def layered(name: str, inputs: int, units: int, layers: int, init: Any = "uniform") -> Cell | Stack:
    """So many layers of a cell, one above the other; the cell itself where it is one.

    Example:
      >>> layered("rnn", 3, 5, 2)
      Stack([RNN(3, 5), RNN(5, 5)])
    """
    cells = [recurrence(name, units if i else inputs, units, init) for i in range(layers)]
    return Stack(cells) if layers > 1 else cells[0]


def parameters(init: Callable[[jax.Array], Any]) -> int:
    """How many numbers an `init(key)` draws; none is drawn.

    Example:
      >>> parameters(recurrence("gru", 2, 64).init)
      13056
    """
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(init, jax.random.key(0))))


def fitting_units(count: Callable[[int], int], budget: int) -> int:
    """The units of a network whose parameters are nearest to a budget, 1 at least and `MOST_UNITS` at most.

    Args:
      count: how many parameters so many units make; it rises.
      budget: how many there should be.

    Example:
      >>> fitting_units(lambda units: parameters(recurrence("rnn", 2, units).init), 13056)
      112
    """
    least, most = 1, MOST_UNITS
    while least < most:  # the most units that stay within
        middle = (least + most + 1) // 2
        least, most = (middle, most) if count(middle) <= budget else (least, middle - 1)
    return min((least, min(least + 1, MOST_UNITS)), key=lambda units: abs(count(units) - budget))
