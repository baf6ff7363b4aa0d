"""What every probe looks at: the states, gates and coefficients of each cell over a sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks
from jaxgru.recurrence.linearized import before, held, where, zeros
from jaxgru.recurrence.scan import checked, over_sequence
from jaxgru.recurrence.sequential import Sequential

if TYPE_CHECKING:
    from jaxgru.cells.base import Cell
    from jaxgru.recurrence.backend import Recurrence
    from jaxgru.recurrence.marks import Marks
    from jaxgru.recurrence.scan import Model

PyTree = Any
STATIC = {"static": True}  # of a field that is no array
SIGMOIDS = ("reset", "update", "input", "forget", "output")  # what cells call their gates


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """One cell's run over a sequence; a pytree, so that it passes through `jax.jit`.

    Attributes:
      label: the cell's place in the order in which cells run, and the cell: "1: backward GRU(3, 5)".
      cell: the cell.
      reverse: whether it ran from the last step to the first.
      params: its parameters, in the dtypes of the computation.
      states: after each step, leaves (T, *B, …).
      prev: before each step, likewise: the initial state where a reset returns to it.
      gates: the sigmoid gates that the cell names, by these names, each (T, *B, H).
      coef: what `cell.linearize` gives, leaves (T, *B, …).
      marks: which steps are real, reset and stop gradients, (T, *B) or None.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.LSTM(3, 5)
      >>> (of_cell,) = record(cell, cell.init(jax.random.key(0)), jnp.ones((7, 2, 3)))
      >>> of_cell
      Record('0: LSTM(3, 5)', T=7, B=(2,))
      >>> sorted(of_cell.gates)
      ['forget', 'input', 'output']
    """

    label: str = field(metadata=STATIC)
    cell: Cell = field(metadata=STATIC)
    reverse: bool = field(metadata=STATIC)
    params: PyTree
    states: PyTree
    prev: PyTree
    gates: dict[str, Array]
    coef: PyTree
    marks: Marks

    def __repr__(self) -> str:
        """The label and the axes."""
        return f"Record({self.label!r}, T={self.steps}, B={self.batch_shape})"

    @property
    def steps(self) -> int:
        """T."""
        return len(jax.tree.leaves(self.states)[0])

    @property
    def row(self) -> PyTree:
        """The shapes of one row's state."""
        return jax.eval_shape(lambda params: self.cell.initial_state((), params), self.params)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """*B."""
        states, row = jax.tree.leaves(self.states)[0], jax.tree.leaves(self.row)[0]
        return states.shape[1 : states.ndim - row.ndim]

    @property
    def valid(self) -> Array:
        """(T, *B) bool, which steps are real."""
        shape = (self.steps, *self.batch_shape)
        return jnp.ones(shape, bool) if self.marks.valid is None else self.marks.valid

    def act(self, coef: PyTree, marks: Marks, dprev: PyTree) -> PyTree:
        """A δh, by the cell's `tangent`, for one step or several of the record's.

        Padding passes δh on as it is; resets and truncation stop it.
        """
        for stop in (marks.cut, marks.reset):
            dprev = where(stop, zeros(dprev), dprev)
        new = self.cell.tangent(self.params, coef, dprev)
        return new if self.cell.holds or marks.valid is None else where(~marks.valid, dprev, new)


def record(
    model: Model,
    params: PyTree,
    xs: Array,
    h0: PyTree = None,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    key: Array | None = None,
    truncate: int | None = None,
) -> tuple[Record, ...]:
    """Runs a model over a sequence as `scan` does, and keeps what its cells did.

    Args:
      model: a cell or a composition.
      params: its parameters.
      xs: (T, *B, I), of at least one step.
      h0: as in `scan`; so are lengths, resets, reverse, key and truncate.
      lengths: (*B,) int in [0, T], or None.
      resets: (T, *B) bool, or None.
      reverse: whether to run from the last step to the first.
      key: a PRNG key for the model's noise; None means evaluation.
      truncate: after how many steps gradients stop, or None.

    Returns:
      A `Record` for each cell, in the order in which they run: of a stack from below, of a `Bidirectional` the
      forward one first.

    Raises:
      TypeError, ValueError: as `scan`; and a sequence without steps.

    Example:
      >>> import jaxgru
      >>> net = jaxgru.Stack([jaxgru.Bidirectional(jaxgru.GRU(3, 5)), jaxgru.RNN(10, 4)])
      >>> for each in record(net, net.init(jax.random.key(0)), jnp.ones((7, 2, 3))):
      ...     print(each.label)
      0: GRU(3, 5)
      1: backward GRU(3, 5)
      2: RNN(10, 4)

    Cost: a scan, one more pass of each cell over all of time at once, and memory for about ten numbers for each
      unit and step.
    """
    xs, lengths, resets, truncate = checked(model, params, xs, h0, lengths, resets, reverse, key, truncate)
    if not len(xs):
        raise ValueError(f"xs must have at least one step for a probe, got shape {checks.axes(xs.shape)}")
    return _record(model, bool(reverse), truncate, params, xs, h0, lengths, resets, key)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _record(model: Model, reverse: bool, truncate: int | None, *arguments: Any) -> tuple[Record, ...]:
    recorder = _Recorder()
    over_sequence(model, reverse, recorder, truncate, False, *arguments)
    return tuple(recorder.records)


def one(record: Any) -> None:
    """Refuses what is not one record."""
    if isinstance(record, tuple) and record and isinstance(record[0], Record):
        raise TypeError(f"record must be one Record, got a tuple of {len(record)}: probe each of them")
    if not isinstance(record, Record):
        raise TypeError(f"record must be a Record such as record(model, params, xs)[0], got {record!r}")


class _Recorder:
    """A strategy that keeps what it sees: for one trace."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def run(self, recurrence: Recurrence) -> tuple[PyTree, PyTree]:
        """As `Sequential()`."""
        cell, params, inputs, h0, restart, marks, reverse = recurrence
        final, states = Sequential().run(recurrence)
        prev = before(reverse, h0, restart, states, marks)
        a = held(cell, cell.project(params, inputs), marks.valid)
        passed = cell.transition(params, prev, a)
        coef = cell.linearize(params, prev, a, passed)
        label = f"{len(self.records)}: {'backward ' * reverse}{cell}"
        self.records.append(
            Record(label, cell, reverse, params, states, prev, _named(passed[1]), coef, marks)
        )
        return final, states


def _named(gates: PyTree) -> dict[str, Array]:
    """The sigmoid gates among what a step computes, whatever wrappers put around them."""
    if not isinstance(gates, tuple):
        return {}
    found: dict[str, Array] = {}
    for name, part in zip(getattr(gates, "_fields", ("",) * len(gates)), gates, strict=True):
        found.update({name: part} if name in SIGMOIDS else _named(part))
    return found
