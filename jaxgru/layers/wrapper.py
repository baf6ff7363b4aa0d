"""What the devices around a cell have in common: a cell that leaves to the one inside what it does not change."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import jax
from jax import Array

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.cells.dense import accumulator

if TYPE_CHECKING:
    from collections.abc import Iterator

PyTree = Any


@dataclass(frozen=True, init=False, repr=False)
class Wrapper(Cell):
    """A cell around another one.

    With `owns`, its parameters are a NamedTuple with those of the cell inside as the field `cell`; else they
    are just those. Noise has its own part of a key, and the cell inside another.
    """

    cell: Cell

    owns: ClassVar[bool] = False

    def __init__(self, cell: Cell) -> None:
        checks.cell("cell", cell)
        for inside in _chain(cell):
            if type(inside) is type(self):
                raise ValueError(f"cell must not have {type(self).__name__} around it already, got {cell}")
        self._set(cell=cell)
        super().__init__(
            cell.input_size,
            cell.hidden_size,
            dtype=cell.dtype,
            param_dtype=cell.param_dtype,
            init=cell.initializer,
            spatial_shape=cell.spatial_shape,
        )

    def __repr__(self) -> str:
        """The call that makes this cell, without what is as by default."""
        words = [repr(self.cell)]
        for name, parameter in list(inspect.signature(type(self)).parameters.items())[1:]:
            if getattr(self, name) != parameter.default:
                words.append(f"{name}={getattr(self, name)!r}")
        return f"{type(self).__name__}({', '.join(words)})"

    def needs_recurrent_matrix(self, name: str) -> None:
        """Refuses, for the argument `name`, a cell whose state is multiplied with no matrix."""
        if self.cell.recurrent(jax.eval_shape(self.cell.init, jax.random.key(0))) is None:
            raise ValueError(f"{name} needs a cell with a recurrent matrix, and {self.cell} has none")

    def inner(self, params: PyTree) -> PyTree:
        """The parameters of the cell inside."""
        return params.cell if self.owns else params

    def outer(self, params: PyTree, inner: PyTree) -> PyTree:
        """The parameters, with others for the cell inside."""
        return params._replace(cell=inner) if self.owns else inner

    @property
    def output_size(self) -> int:
        """The width of one output."""
        return self.cell.output_size

    @property
    def holds(self) -> bool:
        """Whether the cell inside can keep its state."""
        return self.cell.holds

    @property
    def memory(self) -> tuple[int | None, ...]:
        """As of the cell inside."""
        return self.cell.memory

    def init(self, key: Array) -> PyTree:
        """Draws the parameters, which are those of the cell inside."""
        return self.cell.init(key)

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: PyTree = None) -> PyTree:
        """The state before the first step, formed like that of the cell inside."""
        return self.cell.initial_state(batch_shape, None if params is None else self.inner(params))

    def cast(self, params: PyTree, dtype: Any) -> PyTree:
        """Parameters as the loop wants them; its own are as wide as gates and states."""
        wide = jax.tree.map(lambda w: w.astype(accumulator(dtype)), params)
        return self.outer(wide, self.cell.cast(self.inner(params), dtype))

    def recurrent(self, params: PyTree) -> Array | None:
        """As of the cell inside."""
        return self.cell.recurrent(self.inner(params))

    def with_recurrent(self, params: PyTree, w_h: Any) -> PyTree:
        """As of the cell inside."""
        return self.outer(params, self.cell.with_recurrent(self.inner(params), w_h))

    def prepare(self, params: PyTree, xs: Array, key: Array | None) -> tuple[PyTree, PyTree]:
        """As of the cell inside, with its part of the key."""
        inner, inputs = self.cell.prepare(self.inner(params), xs, keys(key)[1])
        return self.outer(params, inner), inputs

    def project(self, params: PyTree, xs: PyTree) -> PyTree:
        """As of the cell inside; so are the methods below."""
        return self.cell.project(self.inner(params), xs)

    def transition(self, params: PyTree, state: PyTree, a: PyTree) -> tuple[PyTree, PyTree]:
        """The next state, and the gates."""
        return self.cell.transition(self.inner(params), state, a)

    def linearize(self, params: PyTree, prev: PyTree, a: PyTree, passed: Any = None) -> PyTree:
        """The coefficients of the derivative."""
        return self.cell.linearize(self.inner(params), prev, a, passed)

    def tangent(self, params: PyTree, coef: PyTree, dprev: PyTree) -> PyTree:
        """A·δh."""
        return self.cell.tangent(self.inner(params), coef, dprev)

    def source(self, params: PyTree, coef: PyTree, prev: PyTree, dparams: PyTree, da: PyTree) -> PyTree:
        """s, for all of time at once."""
        return self.cell.source(self.inner(params), coef, prev, self.inner(dparams), da)

    def hold(self, a: PyTree, valid: Array) -> PyTree:
        """`a` with gates that keep the state where `valid` is False."""
        return self.cell.hold(a, valid)

    def output(self, params: PyTree, states: PyTree, inputs: PyTree, key: Array | None) -> Array:
        """What steps give to the layer above."""
        return self.cell.output(self.inner(params), states, inputs, keys(key)[1])

    def affine(self, params: PyTree, a: PyTree) -> tuple[Array, Array]:
        """(keep, write) of a linear state."""
        return self.cell.affine(self.inner(params), a)

    def carried(self, state: PyTree) -> Array:
        """The linear part of a state."""
        return self.cell.carried(state)

    def complete(self, a: PyTree, carried: Array) -> PyTree:
        """The states after steps, from the linear part of them."""
        return self.cell.complete(a, carried)


def keys(key: Array | None) -> tuple[Array | None, Array | None]:
    """The key of a wrapper's own noise, and that of the cell inside."""
    return (None, None) if key is None else (jax.random.fold_in(key, 0), jax.random.fold_in(key, 1))


def _chain(cell: Any) -> Iterator[Any]:
    while True:
        yield cell
        if not isinstance(cell, Wrapper):
            return
        cell = cell.cell
