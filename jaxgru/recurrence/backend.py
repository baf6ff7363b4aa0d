"""What a strategy is, and what it is given to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from jaxgru.cells.base import Cell
    from jaxgru.recurrence.marks import Marks

PyTree = Any


class Recurrence(NamedTuple):
    """A cell over a sequence, with everything in the dtypes of the computation.

    Attributes:
      cell: the recurrence.
      params: its parameters.
      inputs: of the steps, leaves (T, *B, …), finite in the padding.
      h0: the state before the first step.
      restart: the state that resets return to; None without resets.
      marks: which steps act, reset, and stop gradients.
      reverse: whether to run from the last step to the first.
    """

    cell: Cell
    params: PyTree
    inputs: PyTree
    h0: PyTree
    restart: PyTree
    marks: Marks
    reverse: bool


class Backend(Protocol):
    """A strategy: a frozen value that runs a recurrence, or refuses it by name."""

    def run(self, recurrence: Recurrence) -> tuple[PyTree, PyTree]:
        """Runs the recurrence.

        Returns:
          The state after the last step, and the states after each, leaves (T, *B, …).

        Raises:
          NotImplementedError: the strategy cannot run this case.
        """
        ...
