"""What a cell is: one step of a recurrence, and the derivative of that step."""

from __future__ import annotations

import abc
import inspect
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgru import checks
from jaxgru.cells.dense import accumulator
from jaxgru.cells.initializers import Chrono, Initializer, Parameter, initializer

PyTree = Any


@dataclass(frozen=True, init=False, repr=False)
class Cell(abc.ABC):
    """A recurrence h' = f(h, a), where a is everything about the input that does not need the state.

    A cell is a frozen value: it holds sizes and choices, never arrays, and two cells with the same fields are
    equal, so that it can be a static argument of `jax.jit`. Its parameters are a NamedTuple that `init` draws.

    A subclass gives `init`, `project` and `transition`, and that is a working cell. `linearize`, `tangent` and
    `source` state the derivative; the defaults ask `jax.jvp` for it. `hold` is for cells whose gates can keep
    the state as it is, `affine` for those that are linear in it. Every method but `init` takes arrays with any
    leading axes: one step inside the loop, all of time outside it. Parameters come to these methods already in
    the dtypes that `cast` gives them. An array of inputs is (…, *spatial_shape, I), of a state
    (…, *spatial_shape, H).
    """

    input_size: int
    hidden_size: int
    dtype: np.dtype | None
    param_dtype: np.dtype
    initializer: Initializer
    spatial_shape: tuple[int, ...]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        init: str | Initializer = "uniform",
        spatial_shape: tuple[int, ...] = (),
    ) -> None:
        self._set(
            input_size=checks.size("input_size", input_size),
            hidden_size=checks.size("hidden_size", hidden_size),
            dtype=None if dtype is None else checks.float_dtype("dtype", dtype),
            param_dtype=checks.float_dtype("param_dtype", param_dtype),
            initializer=initializer(init),  # the name `init` is the method's
            spatial_shape=checks.sizes("spatial_shape", spatial_shape),
        )
        if isinstance(self.initializer, Chrono) and not self.memory:
            raise ValueError(
                f"init must not be Chrono for {self}, which has no bias at a gate that keeps its state"
            )

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """The call that makes this cell, without what is as by default."""
        words = [str(self.input_size), str(self.hidden_size)]
        for name, parameter in list(inspect.signature(type(self)).parameters.items())[2:]:
            value = self.initializer if name == "init" else getattr(self, name)
            default = initializer(parameter.default) if name == "init" else parameter.default
            if value != default:
                words.append(f"{name}={str(value) if isinstance(value, np.dtype) else value!r}")
        return f"{type(self).__name__}({', '.join(words)})"

    def draw(self, key: Array, *parameters: Any, fan_in: int | None = None) -> list[Any]:
        """One array for each (role, shape, …) of a `Parameter`, by the cell's initializer; None stays None."""
        checks.key("key", key)
        return [
            None
            if parameter is None
            else self.initializer(
                k, Parameter(*parameter), fan_in=fan_in or self.hidden_size, dtype=self.param_dtype
            )
            for k, parameter in zip(jax.random.split(key, len(parameters)), parameters, strict=True)
        ]

    @property
    def holds(self) -> bool:
        """Whether its gates can keep the state as it is, so that it has `hold`."""
        return False

    @property
    def memory(self) -> tuple[int | None, ...]:
        """Which blocks of a bias open a gate that keeps the state, as in `Parameter`."""
        return ()

    @property
    def output_size(self) -> int:
        """The width of one output."""
        return self.hidden_size

    # The four verbs.

    @abc.abstractmethod
    def init(self, key: Array) -> PyTree:
        """Draws the parameters."""

    @abc.abstractmethod
    def project(self, params: PyTree, xs: Array) -> PyTree:
        """a: all that the recurrence needs of the inputs xs (…, I), in one product over all of time."""

    @abc.abstractmethod
    def transition(self, params: PyTree, state: PyTree, a: PyTree) -> tuple[PyTree, PyTree]:
        """The next state, and the gates that led to it: what `linearize` would compute again without them."""

    def advance(self, params: PyTree, state: PyTree, a: PyTree) -> PyTree:
        """The next state."""
        return self.transition(params, state, a)[0]

    def linearize(
        self, params: PyTree, prev: PyTree, a: PyTree, passed: tuple[PyTree, PyTree] | None = None
    ) -> PyTree:
        """The coefficients of the derivative of `advance` at (prev, a).

        Args:
          params: the cell's parameters.
          prev: the states before the steps.
          a: the projected inputs of the steps.
          passed: what `transition` returned for them, where that was kept; else it is computed again.
        """
        del params, passed
        return prev, a

    def tangent(self, params: PyTree, coef: PyTree, dprev: PyTree) -> PyTree:
        """A·δh: what a change of the state before a step does to the state after it."""
        prev, a = coef
        return jax.jvp(lambda h: self.advance(params, h, a), (prev,), (dprev,))[1]

    def source(self, params: PyTree, coef: PyTree, prev: PyTree, dparams: PyTree, da: PyTree) -> PyTree:
        """s: what a change of the parameters and of a does to the state after a step, prev standing still."""
        a = coef[1]
        return jax.jvp(lambda p, a: self.advance(p, prev, a), (params, a), (dparams, da))[1]

    def drive(self, params: PyTree, coef: PyTree, prev: PyTree, da: PyTree) -> PyTree:
        """The part of `source` that a change of a has: what a loop needs where a depends on the state."""
        return self.source(params, coef, prev, jax.tree.map(jnp.zeros_like, params), da)

    # What stands around them.

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: PyTree = None) -> PyTree:
        """The state before the first step: zeros (*batch_shape, H), in the width of `params` if they are given."""
        dtype = self.param_dtype if params is None else jnp.result_type(*jax.tree.leaves(params))
        return jnp.zeros(
            (*batch_shape, *self.spatial_shape, self.hidden_size), accumulator(self.dtype or dtype)
        )

    def recurrent(self, params: PyTree) -> Array | None:
        """The matrix (…, O, N) that the state is multiplied with, if there is one: w_h."""
        return getattr(params, "w_h", None)

    def with_recurrent(self, params: PyTree, w_h: Any) -> PyTree:
        """The parameters with another such matrix."""
        return params._replace(w_h=w_h)

    def prepare(self, params: PyTree, xs: Array, key: Array | None) -> tuple[PyTree, PyTree]:
        """Parameters and inputs (T, *B, …) as the loop takes them, with whatever noise `key` has for them.

        What is random is drawn here: once for all of time into the parameters, or for each step beside xs.
        """
        del key
        return params, xs

    def output(self, params: PyTree, states: PyTree, inputs: PyTree, key: Array | None) -> Array:
        """What steps give to the layer above: the states themselves.

        Args:
          params: as `prepare` gave them.
          states: after the steps, leaves (T, *B, …).
          inputs: of the steps, as `prepare` gave them.
          key: as `prepare` had it.
        """
        del params, inputs, key
        return states

    # For a state, or a part of it, that is linear: h' = keep ⊙ h + write.

    def affine(self, params: PyTree, a: PyTree) -> tuple[Array, Array]:
        """(keep, write), each like the linear part of the state."""
        del params, a
        raise NotImplementedError(
            f"{self} is not linear in its state, as Associative() needs it: use Sequential()"
        )

    def carried(self, state: PyTree) -> Array:
        """The linear part of a state: here all of it."""
        return state

    def complete(self, a: PyTree, carried: Array) -> PyTree:
        """The states after steps, from a and the linear part of them."""
        del a
        return carried

    def hold(self, a: PyTree, valid: Array) -> PyTree:
        """`a` with gates that keep the state, bit for bit, where `valid` (broadcast against a) is False.

        There the coefficients of the derivative in a must be zero.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gate that holds its state")

    def cast(self, params: PyTree, dtype: Any) -> PyTree:
        """Parameters as the loop wants them: matrices in `dtype`, vectors in the dtype of gates and states."""
        return jax.tree.map(lambda w: w.astype(dtype if w.ndim > 1 else accumulator(dtype)), params)

    def cast_state(self, state: PyTree, dtype: Any, name: str) -> PyTree:
        """A state in the dtype of gates and states; a wider one is refused."""
        wide = accumulator(dtype)
        for leaf in jax.tree.leaves(state):
            if jnp.promote_types(leaf.dtype, wide) != wide:
                raise TypeError(
                    f"{name} is {leaf.dtype}, wider than the {wide} that {self} computes states in here: "
                    f"give {name} as {wide}, or the model dtype={str(leaf.dtype)!r}"
                )
        return jax.tree.map(lambda s: jnp.asarray(s, wide), state)

    def compute_dtype(self, params: PyTree, xs: Array) -> np.dtype:
        """The dtype of the matmuls: the model's own, or what inputs and parameters promote to."""
        return self.dtype if self.dtype is not None else jnp.result_type(xs, *jax.tree.leaves(params))

    def step(self, params: PyTree, state: PyTree, x: Array, key: Array | None = None) -> tuple[PyTree, Array]:
        """One raw input in, one output out: for streaming and decoding.

        Args:
          params: the cell's parameters.
          state: (*B, H), as `initial_state` or the last call gave it.
          x: (*B, I).
          key: a PRNG key; a cell without randomness ignores it.

        Returns:
          The next state and y (*B, H).

        Raises:
          TypeError, ValueError: x or state of another dtype or shape than the cell's.
        """
        if key is not None:
            checks.key("key", key)
        x = checks.floating("x", x)
        event = checks.event_shape(self)
        lead = x.ndim - len(event)
        if lead < 0 or x.shape[lead:] != event:
            expected = checks.axes(("*B", *event))
            raise ValueError(f"x must have shape {expected}, got {checks.axes(x.shape)}")
        checks.same_params(params, self)
        checks.same_tree(
            "state", state, jax.eval_shape(lambda p: self.initial_state(x.shape[:lead], p), params)
        )
        dtype = self.compute_dtype(params, x)
        params, state = self.cast(params, dtype), self.cast_state(state, dtype, "state")
        params, inputs = self.prepare(params, x[None].astype(dtype), key)
        states = self.advance(params, jax.tree.map(lambda s: s[None], state), self.project(params, inputs))
        y = self.output(params, states, inputs, key)[0].astype(dtype)
        return jax.tree.map(lambda s: s[0], states), y
