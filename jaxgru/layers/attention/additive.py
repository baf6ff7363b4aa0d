"""Additive attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp

from jaxgru import checks
from jaxgru.cells.dense import accumulator, dense
from jaxgru.layers.attention.base import Attention
from jaxgru.layers.attention.memory import Memory

if TYPE_CHECKING:
    from jax import Array


class AdditiveParams(NamedTuple):
    """The parameters of an `Additive` attention.

    Attributes:
      w_q: (Q, A), of the query.
      w_m: (M, A), of the memory.
      v: (A,), what the sum's tanh is weighed with.

    Example:
      >>> import jax
      >>> Additive(3, 5, 4).init(jax.random.key(0)).w_m.shape
      (5, 4)
    """

    w_q: Array
    w_m: Array
    v: Array


@dataclass(frozen=True, init=False, repr=False)
class Additive(Attention):
    """Additive attention: a small network says how well a query and an entry of the memory fit.

        score(q, m) = v · tanh(q W_q + m W_m)

    Args:
      query_size: Q, the width of a query.
      memory_size: M, the width of an entry of the memory.
      attention_size: A, the width of the sum; None means Q.
      param_dtype: of the parameters that `init` draws.

    Raises:
      TypeError, ValueError: an argument of another type, or no size.

    Example:
      >>> import jax
      >>> attention = Additive(query_size=3, memory_size=5)
      >>> params = attention.init(jax.random.key(0))
      >>> encoded, lengths = jnp.ones((7, 2, 5)), jnp.array([7, 4])
      >>> context, weights = attention.attend(params, jnp.ones((2, 3)), encoded, lengths)
      >>> context.shape, weights.shape
      ((2, 5), (2, 7))
      >>> weights[1]
      Array([0.25, 0.25, 0.25, 0.25, 0.  , 0.  , 0.  ], dtype=float32)

    Cost: 2 S A M FLOPs once for a row's memory, then 2 A Q + S (3 A + 2 M) and S A tanh for each query.

    References: Bahdanau et al. 2015 (arXiv:1409.0473), A.1.2.

    Differs from: Keras' AdditiveAttention, which has v alone.
    """

    attention_size: int

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        attention_size: int | None = None,
        param_dtype: Any = jnp.float32,
    ) -> None:
        super().__init__(query_size, memory_size, param_dtype)
        width = self.query_size if attention_size is None else checks.size("attention_size", attention_size)
        self._set(attention_size=width)

    def init(self, key: Array) -> AdditiveParams:
        """Draws the parameters.

        Args:
          key: a PRNG key.
        """
        width = self.attention_size
        return AdditiveParams(*self.draw(key, (self.query_size, width), (self.memory_size, width), (width,)))

    def _choices(self) -> list[str]:
        return [str(self.attention_size)] if self.attention_size != self.query_size else []

    def keys(self, params: AdditiveParams, values: Array) -> Array:
        """m W_m."""
        return dense(values, params.w_m)

    def cast_memory(self, memory: Memory, dtype: Any) -> Memory:
        """Values in `dtype`; the keys, which meet no product, as wide as scores."""
        return Memory(memory.keys.astype(accumulator(dtype)), memory.values.astype(dtype), memory.valid)

    def score(self, params: AdditiveParams, query: Array, keys: Array) -> Array:
        """v · tanh(q W_q + m W_m)."""
        return self._hidden(params, query, keys) @ params.v

    def linearize(self, params: AdditiveParams, query: Array, memory: Memory) -> Array:
        """K = v ⊙ (1 − tanh²), (…, S, A)."""
        hidden = self._hidden(params, query, memory.keys)
        return params.v * (1 - hidden * hidden)

    def slope(self, params: AdditiveParams, coef: Array, memory: Memory, dquery: Array) -> Array:
        """K · (δq W_q)."""
        del memory
        return jnp.einsum("...sa,...a->...s", coef, dense(dquery, params.w_q))

    def shift(
        self, params: AdditiveParams, query: Array, memory: Memory, dparams: AdditiveParams, dkeys: Array
    ) -> Array:
        """K · (q δW_q + δk) + δv · tanh."""
        # By JAX's rule for `score`, another array of (T, *B, S, A) is kept: a gradient took a third longer.
        hidden = self._hidden(params, query, memory.keys)
        k = params.v * (1 - hidden * hidden)
        by_keys = jnp.einsum("...sa,...sa->...s", k, dkeys)
        return self.slope(dparams, k, memory, query) + by_keys + hidden @ dparams.v

    def _hidden(self, params: AdditiveParams, query: Array, keys: Array) -> Array:
        return jnp.tanh(dense(query, params.w_q)[..., None, :] + keys)
