"""Which strategy runs a recurrence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from jaxgru.recurrence.sequential import Sequential

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.cells.base import Cell
    from jaxgru.recurrence.marks import Marks

PyTree = Any


class Backend(Protocol):
    """A strategy: a frozen value that runs a cell's recurrence, or refuses by name."""

    def run(
        self,
        cell: Cell,
        params: PyTree,
        xs: Array,
        h0: PyTree,
        restart: PyTree,
        marks: Marks,
        *,
        reverse: bool,
    ) -> tuple[PyTree, PyTree]:
        """Runs the recurrence.

        Args:
          cell: the recurrence.
          params: its parameters, in the dtypes of the computation.
          xs: (T, *B, I), finite in the padding.
          h0: the state before the first step.
          restart: the state that resets return to; None without resets.
          marks: which steps act, reset, and stop gradients.
          reverse: whether to run from the last step to the first.

        Returns:
          The state after the last step, and the states after each, leaves (T, *B, …).

        Raises:
          NotImplementedError: the strategy cannot run this case.
        """
        ...


@dataclass(frozen=True)
class Auto:
    """Leaves the choice to the library, among strategies that are exact.

    It is `Sequential()` until a measured crossover says otherwise.

    Example:
      >>> import jaxgru
      >>> jaxgru.AUTO
      Auto()
    """

    def run(
        self,
        cell: Cell,
        params: PyTree,
        xs: Array,
        h0: PyTree,
        restart: PyTree,
        marks: Marks,
        *,
        reverse: bool,
    ) -> tuple[PyTree, PyTree]:
        """As the chosen strategy runs it."""
        return Sequential().run(cell, params, xs, h0, restart, marks, reverse=reverse)


AUTO = Auto()
