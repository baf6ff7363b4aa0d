"""What an attention is: how a query is held against a memory, and the derivative of what it reads there."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks
from jaxgru.cells.dense import accumulator
from jaxgru.cells.initializers import Parameter, Uniform
from jaxgru.layers.attention.memory import Memory, softmax, values_of, weighted_sum

if TYPE_CHECKING:
    import numpy as np

PyTree = Any


@dataclass(frozen=True, init=False, repr=False)
class Attention(abc.ABC):
    """A way to look things up in a memory: a frozen value, as a cell is.

        α_s = exp(score(q, m_s)) / Σ exp(score(q, m_s'))        context = Σ α_s m_s

    `attend` does all of it. Where one memory is read many times, `remember` computes once what no query changes,
    and `read` the rest. A subclass gives `init`, `keys` and `score`, and
    with `linearize`, `slope` and `shift` the derivative of its scores.
    """

    query_size: int
    memory_size: int
    param_dtype: np.dtype

    def __init__(self, query_size: int, memory_size: int, param_dtype: Any = jnp.float32) -> None:
        self._set(
            query_size=checks.size("query_size", query_size),
            memory_size=checks.size("memory_size", memory_size),
            param_dtype=checks.float_dtype("param_dtype", param_dtype),
        )

    def __repr__(self) -> str:
        """The call that makes this attention, without what is as by default."""
        words = [str(self.query_size), str(self.memory_size), *self._choices()]
        if self.param_dtype != jnp.float32:
            words.append(f"param_dtype={str(self.param_dtype)!r}")
        return f"{type(self).__name__}({', '.join(words)})"

    def _choices(self) -> list[str]:
        """The arguments that a subclass has for itself, where they are not as by default."""
        return []

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @abc.abstractmethod
    def init(self, key: Array) -> PyTree:
        """Draws the parameters, each uniform in ±1/√n for sums over n numbers."""

    @abc.abstractmethod
    def keys(self, params: PyTree, values: Array) -> Array:
        """What the scores need of the values (…, M): (…, K)."""

    @abc.abstractmethod
    def score(self, params: PyTree, query: Array, keys: Array) -> Array:
        """(…, S): of a query (…, Q) with each entry of keys (*B, S, K), … being any axes before *B."""

    def draw(self, key: Array, *shapes: tuple[int, ...]) -> list[Array]:
        """One array for each shape, whose first axis is summed over."""
        checks.key("key", key)
        return [
            Uniform()(k, Parameter("input", shape), fan_in=shape[0], dtype=self.param_dtype)
            for k, shape in zip(jax.random.split(key, len(shapes)), shapes, strict=True)
        ]

    def cast(self, params: PyTree, dtype: Any) -> PyTree:
        """Parameters as products want them: matrices in `dtype`, vectors in the dtype of scores."""
        return jax.tree.map(lambda w: w.astype(dtype if w.ndim > 1 else accumulator(dtype)), params)

    def cast_memory(self, memory: Memory, dtype: Any) -> Memory:
        """A memory likewise."""
        return memory._replace(keys=memory.keys.astype(dtype), values=memory.values.astype(dtype))

    def remember(self, params: PyTree, values: Array, lengths: Any = None, mask: Any = None) -> Memory:
        """A memory of values, ready to be read.

        Args:
          params: as `init` draws them.
          values: (S, *B, M), floating: an encoder's outputs, as `jaxgru.scan` gives them. (S, M) is one memory
            for all rows that read it.
          lengths: (*B,) int in [0, S]: entries at and past a row's length are no part of the memory. Whatever
            stands there, NaN included, touches neither values nor gradients.
          mask: (S, *B) bool, True for what is part of the memory: for gaps; with `lengths`, both hold.

        Raises:
          TypeError, ValueError: an argument of another dtype or shape.
        """
        checks.same_tree("params", params, jax.eval_shape(self.init, jax.random.key(0)), f" for {self}")
        values, valid = values_of(values, self.memory_size, lengths, mask)
        dtype = jnp.result_type(values, *jax.tree.leaves(params))
        values = values.astype(dtype)
        return Memory(self.keys(self.cast(params, dtype), values), values, valid)

    def read(self, params: PyTree, query: Array, memory: Memory) -> tuple[Array, Array]:
        """The context of a query, and the weights.

        Args:
          params: as `init` draws them.
          query: (…, *B, Q), floating; the axes before *B, if there are any, are queries beside each other, such
            as all steps of a decoder.
          memory: as `remember` gives it.

        Returns:
          context (…, *B, M), and the weights (…, *B, S): they sum to 1 and are exactly 0 in the padding. Where a
          row's memory has nothing in it, both are 0.

        Raises:
          TypeError, ValueError: an argument of another dtype or shape.
        """
        checks.same_tree("params", params, jax.eval_shape(self.init, jax.random.key(0)), f" for {self}")
        self._check_memory(params, memory)
        query = checks.floating("query", query)
        last = (*memory.values.shape[:-2], self.query_size)
        if query.ndim < len(last) or query.shape[query.ndim - len(last) :] != last:
            expected = checks.axes(("…", *last))
            raise ValueError(f"query must have shape {expected} for {self}, got {checks.axes(query.shape)}")
        dtype = jnp.result_type(query, memory.values, *jax.tree.leaves(params))
        context, weights = self.look_up(
            self.cast(params, dtype), query.astype(dtype), self.cast_memory(memory, dtype)
        )
        return context.astype(dtype), weights

    def _check_memory(self, params: PyTree, memory: Memory) -> None:
        if not isinstance(memory, Memory):
            kind = type(memory).__name__
            raise TypeError(f"memory must be a Memory, as remember(params, values) gives it, got {kind}")
        form = (*memory.values.shape[:-1], self.memory_size)
        checks.shape("memory.values", memory.values, form, f" for {self}")
        keys = jax.eval_shape(self.keys, params, jax.ShapeDtypeStruct(form, memory.values.dtype))
        checks.shape("memory.keys", memory.keys, keys.shape, f" for {self}")

    def attend(
        self, params: PyTree, query: Array, values: Array, lengths: Any = None, mask: Any = None
    ) -> tuple[Array, Array]:
        """`read` of what `remember` makes of the values: for a memory that is read once."""
        return self.read(params, query, self.remember(params, values, lengths, mask))

    # What a cell that attends is made of: everything checked and cast, results as wide as sums are.

    def look_up(self, params: PyTree, query: Array, memory: Memory) -> tuple[Array, Array]:
        """The context and the weights."""
        weights = softmax(self.score(params, query, memory.keys), memory.valid)
        return weighted_sum(weights, memory.values), weights

    def linearize(self, params: PyTree, query: Array, memory: Memory) -> PyTree:
        """The coefficients of the scores' derivative in the query, if there are any."""
        del params, query, memory

    @abc.abstractmethod
    def slope(self, params: PyTree, coef: PyTree, memory: Memory, dquery: Array) -> Array:
        """(…, S): what a change of the query does to the scores."""

    @abc.abstractmethod
    def shift(self, params: PyTree, query: Array, memory: Memory, dparams: PyTree, dkeys: Array) -> Array:
        """(…, S): what a change of the parameters and of the keys does to the scores."""

    def tangent(self, params: PyTree, coef: PyTree, weights: Array, memory: Memory, dquery: Array) -> Array:
        """What a change of the query does to the context."""
        return _moved(weights, self.slope(params, coef, memory, dquery), memory)

    def source(
        self, params: PyTree, query: Array, weights: Array, memory: Memory, dparams: PyTree, dmemory: Memory
    ) -> Array:
        """What a change of the parameters and of the memory does to the context, for all of time at once."""
        moved = _moved(weights, self.shift(params, query, memory, dparams, dmemory.keys), memory)
        return moved + weighted_sum(weights, dmemory.values)


def _moved(weights: Array, dscores: Array, memory: Memory) -> Array:
    """Σ α_s (δe_s − Σ α_s' δe_s') m_s."""
    change = weights * dscores
    return weighted_sum(change - weights * change.sum(-1, keepdims=True), memory.values)
