"""Zoneout: units that now and then keep their old state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgru import checks
from jaxgru.layers.wrapper import Wrapper, keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array

    from jaxgru.cells.base import Cell

PyTree = Any


@dataclass(frozen=True, init=False, repr=False)
class Zoneout(Wrapper):
    """At each step, each unit keeps its old state with a probability.

        h_t = d_t ⊙ h_{t−1} + (1 − d_t) ⊙ f(h_{t−1}, x_t),  d_t ~ Bernoulli(rate)        with a key
        h_t = rate · h_{t−1} + (1 − rate) · f(h_{t−1}, x_t)                              without one

    Args:
      cell: a cell, or one in other wrappers.
      rate: the probability; for a state of several parts one for all, or one for each, formed like the state:
        `LSTMState(h=0.05, c=0.5)`.

    Raises:
      TypeError, ValueError: something that is no cell, or no such rates.

    Example:
      >>> import jax, jaxgru
      >>> cell = Zoneout(jaxgru.LSTM(3, 5), jaxgru.LSTMState(h=0.05, c=0.5))
      >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 2, 3))
      >>> final, ys = jaxgru.scan(cell, params, xs, key=jax.random.key(1))

    Cost: a mask (T, *B, H) for each part of the state, drawn before the loop.

    References: Krueger et al. 2017 (arXiv:1606.01305).

    Differs from: dropout, in that evaluation is not the cell alone, but its mean.
    """

    rate: Any

    def __init__(self, cell: Cell, rate: Any) -> None:
        super().__init__(cell)
        state = jax.eval_shape(lambda k: cell.initial_state((), cell.init(k)), jax.random.key(0))
        structure: Any = jax.tree.structure(state)
        if isinstance(rate, int | float | np.number):
            rate = checks.rate("rate", rate)
        elif structure != jax.tree.structure(rate):
            raise ValueError(f"rate must be a number, or formed like the state of {cell}, got {rate!r}")
        else:
            rate = jax.tree.map(lambda each: checks.rate("rate", each), rate)
        self._set(rate=rate)

    @property
    def holds(self) -> bool:
        """Where d is 1 every state stays."""
        return self._acts or self.cell.holds

    @property
    def _acts(self) -> bool:
        return any(jax.tree.leaves(self.rate))

    def prepare(self, params: PyTree, xs: Array, key: Array | None) -> tuple[PyTree, PyTree]:
        """The inputs of the cell inside, and d: how much of each state every step keeps; None at rates of 0."""
        inner, inputs = super().prepare(params, xs, key)
        if not self._acts:
            return inner, (inputs, None)
        own = keys(key)[0]
        batch = checks.batch_shape(self, xs)
        state = jax.eval_shape(lambda p: self.initial_state(batch, p), params)
        parts, structure = jax.tree.flatten(state)
        rates = self.rate if isinstance(self.rate, tuple) else (self.rate,) * len(parts)
        keep = []
        for i, (part, rate) in enumerate(zip(parts, rates, strict=True)):
            if own is None:
                one = (1,) * (part.ndim - len(batch))
                keep.append(jnp.full((len(xs), *batch, *one), rate, part.dtype))
            else:
                drawn = jax.random.bernoulli(jax.random.fold_in(own, i), rate, (len(xs), *part.shape))
                keep.append(drawn.astype(part.dtype))
        return inner, (inputs, jax.tree.unflatten(structure, keep))

    def project(self, params: PyTree, xs: PyTree) -> PyTree:
        """a of the cell inside, and how much of the state the step keeps."""
        inputs, keep = xs
        return super().project(params, inputs), keep

    def transition(self, params: PyTree, state: PyTree, a: PyTree) -> tuple[PyTree, PyTree]:
        """The next state; as gates, what the cell inside returned."""
        inner, keep = a
        passed = super().transition(params, state, inner)
        return _each(lambda k, old, new: k * old + (1 - k) * new, keep, state, passed[0]), passed

    def linearize(self, params: PyTree, prev: PyTree, a: PyTree, passed: Any = None) -> PyTree:
        """The coefficients of the cell inside, d and 1 − d."""
        inner, keep = a
        coef = super().linearize(params, prev, inner, None if passed is None else passed[1])
        return coef, keep, _each(lambda k: 1 - k, keep)

    def tangent(self, params: PyTree, coef: PyTree, dprev: PyTree) -> PyTree:
        """d δh + (1 − d) A·δh."""
        inner, keep, write = coef
        new = super().tangent(params, inner, dprev)
        return _each(lambda k, w, old, new: k * old + w * new, keep, write, dprev, new)

    def source(self, params: PyTree, coef: PyTree, prev: PyTree, dparams: PyTree, da: PyTree) -> PyTree:
        """(1 − d) s."""
        inner, _, write = coef
        return _each(jnp.multiply, write, super().source(params, inner, prev, dparams, da[0]))

    def hold(self, a: PyTree, valid: Array) -> PyTree:
        """Where `valid` is False: everything kept."""
        inner, keep = a
        if keep is None:
            return super().hold(inner, valid), None
        return inner, jax.tree.map(lambda k: jnp.where(valid, k, 1), keep)

    def output(self, params: PyTree, states: PyTree, inputs: PyTree, key: Array | None) -> Array:
        """What the cell inside makes of these states."""
        return super().output(params, states, inputs[0], key)

    def affine(self, params: PyTree, a: PyTree) -> tuple[Array, Array]:
        """Refused, but for rates of 0: the parts of a state are kept apart from each other."""
        if not self._acts:
            return super().affine(params, a[0])
        raise NotImplementedError(
            f"{self} does not run under Associative(), which has no zoneout: use Sequential()"
        )

    def complete(self, a: PyTree, carried: Array) -> PyTree:
        """The states after steps, at rates of 0."""
        return super().complete(a[0], carried)


def _each(function: Callable[..., Array], keep: PyTree, *parts: PyTree) -> PyTree:
    """A function of each part of a state; without zoneout, the last of them as it is."""
    return (keep, *parts)[-1] if keep is None else jax.tree.map(function, keep, *parts)
