"""Dropout in recurrent cells: one mask for all of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxgru import checks
from jaxgru.cells.dense import Masked, accumulator
from jaxgru.layers.wrapper import Wrapper, keys

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.cells.base import Cell

PyTree = Any


@dataclass(frozen=True, init=False, repr=False)
class VariationalDropout(Wrapper):
    """Dropout with one mask for all of time on what a cell reads: its input, its state, its output.

        m ~ Bernoulli(1 − rate) / (1 − rate), drawn once for each row
        x ↦ m_x ⊙ x        h W ↦ (m_h ⊙ h) W        y ↦ m_y ⊙ y

    The state itself is not dropped, only what its recurrent matrix sees of it. Without a key, and at a rate of
    0, nothing happens.

    Args:
      cell: a cell, or one in other wrappers.
      input: the rate for x.
      state: the rate for h before its matrix.
      output: the rate for y.

    Raises:
      TypeError, ValueError: something that is no cell or no rate, or state > 0 for a cell without such a matrix.

    Example:
      >>> import jax, jaxgru
      >>> cell = VariationalDropout(jaxgru.GRU(3, 5), input=0.1, state=0.25)
      >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 2, 3))
      >>> final, ys = jaxgru.scan(cell, params, xs, key=jax.random.key(1))
      >>> ys.shape
      (7, 2, 5)

    Cost: three masks, and in each step the product of one with the state.

    References: Gal & Ghahramani 2016 (arXiv:1512.05287).

    Differs from: Keras' recurrent_dropout, which is `state`, in that one mask serves all gates.
    """

    input: float
    state: float
    output_rate: float

    def __init__(self, cell: Cell, input: float = 0.0, state: float = 0.0, output: float = 0.0) -> None:  # noqa: A002
        super().__init__(cell)
        self._set(
            input=checks.rate("input", input),
            state=checks.rate("state", state),
            output_rate=checks.rate("output", output),  # the name `output` is the method's
        )
        if state:
            self.needs_recurrent_matrix("state")

    def __repr__(self) -> str:
        """The call that makes this cell."""
        rates = {"input": self.input, "state": self.state, "output": self.output_rate}
        words = [repr(self.cell), *(f"{name}={rate}" for name, rate in rates.items() if rate)]
        return f"VariationalDropout({', '.join(words)})"

    def prepare(self, params: PyTree, xs: Array, key: Array | None) -> tuple[PyTree, PyTree]:
        """The input masked, and the recurrent matrix told its mask."""
        own = keys(key)[0]
        if own is None:
            return super().prepare(params, xs, key)
        if self.input:
            xs = xs * _mask(jax.random.fold_in(own, 0), self.input, xs.shape[1:], xs.dtype)
        params, inputs = super().prepare(params, xs, key)
        if self.state:
            w: Any = self.recurrent(params)
            wide = accumulator(xs.dtype)
            mask = _mask(jax.random.fold_in(own, 1), self.state, (*xs.shape[1:-1], w.shape[-2]), wide)
            params = self.with_recurrent(params, Masked(w, mask))
        return params, inputs

    def output(self, params: PyTree, states: PyTree, inputs: PyTree, key: Array | None) -> Array:
        """The cell's output, masked."""
        ys, own = super().output(params, states, inputs, key), keys(key)[0]
        if own is None or not self.output_rate:
            return ys
        return ys * _mask(jax.random.fold_in(own, 2), self.output_rate, ys.shape[1:], ys.dtype)


@dataclass(frozen=True, init=False, repr=False)
class DropConnect(Wrapper):
    """Dropout of single weights of the recurrent matrix, the same ones for all of time and all rows.

        W_h ↦ m ⊙ W_h,  m ~ Bernoulli(1 − rate) / (1 − rate)

    It costs the loop nothing. Without a key, and at a rate of 0, nothing happens.

    Args:
      cell: a cell with a recurrent matrix, or one in other wrappers.
      rate: how many weights are dropped.

    Raises:
      TypeError, ValueError: something that is no such cell, or no rate.

    Example:
      >>> import jax, jaxgru
      >>> cell = DropConnect(jaxgru.LSTM(3, 5), rate=0.5)
      >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 2, 3))
      >>> final, ys = jaxgru.scan(cell, params, xs, key=jax.random.key(1))

    Cost: one mask of the matrix's shape.

    References: Wan et al. 2013; Merity et al. 2018 (arXiv:1708.02182), as "weight-dropped".

    Differs from: nothing.
    """

    rate: float

    def __init__(self, cell: Cell, rate: float) -> None:
        super().__init__(cell)
        self._set(rate=checks.rate("rate", rate))
        if rate:
            self.needs_recurrent_matrix("DropConnect")

    def prepare(self, params: PyTree, xs: Array, key: Array | None) -> tuple[PyTree, PyTree]:
        """The recurrent matrix with weights dropped."""
        own = keys(key)[0]
        if own is not None and self.rate:
            w: Any = self.recurrent(params)
            params = self.with_recurrent(params, w * _mask(own, self.rate, w.shape, w.dtype))
        return super().prepare(params, xs, key)


def _mask(key: Array, rate: float, shape: tuple[int, ...], dtype: Any) -> Array:
    return jax.random.bernoulli(key, 1 - rate, shape) / jnp.asarray(1 - rate, dtype)
