"""Multiplicative attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax.numpy as jnp

from jaxgru import checks
from jaxgru.cells.dense import accumulator, dense
from jaxgru.layers.attention.base import Attention

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.layers.attention.memory import Memory


class MultiplicativeParams(NamedTuple):
    """The parameters of a `Multiplicative` attention.

    Attributes:
      w: (Q, M), of form="general"; None in the other forms.

    Example:
      >>> import jax
      >>> Multiplicative(3, 5).init(jax.random.key(0)).w.shape
      (3, 5)
    """

    w: Array | None


@dataclass(frozen=True, init=False, repr=False)
class Multiplicative(Attention):
    """Multiplicative attention: a product says how well a query and an entry of the memory fit.

        score(q, m) = q · m                                                form="dot"
        score(q, m) = q · m / √Q                                           form="scaled"
        score(q, m) = q W · m                                              form="general"

    Args:
      query_size: Q, the width of a query.
      memory_size: M, the width of an entry of the memory; Q, unless the form is "general".
      form: "general", "dot" or "scaled".
      param_dtype: of the parameters that `init` draws.

    Raises:
      TypeError, ValueError: an argument of another type, or widths that do not meet.

    Example:
      >>> import jax
      >>> attention = Multiplicative(query_size=3, memory_size=5)
      >>> params, encoded = attention.init(jax.random.key(0)), jnp.ones((7, 2, 5))
      >>> memory = attention.remember(params, encoded)
      >>> context, weights = attention.read(params, jnp.ones((9, 2, 3)), memory)
      >>> context.shape, weights.shape
      ((9, 2, 5), (9, 2, 7))

    Cost: 2 S Q M FLOPs once for a row's memory in the general form, then 2 S (Q + M) for each query.

    References: Luong et al. 2015 (arXiv:1508.04025) for dot and general; Vaswani et al. 2017 (arXiv:1706.03762) for
      scaled.

    Differs from: Keras' Attention, which is "dot", or with use_scale a learned factor.
    """

    form: Literal["general", "dot", "scaled"]

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        form: Literal["general", "dot", "scaled"] = "general",
        param_dtype: Any = jnp.float32,
    ) -> None:
        super().__init__(query_size, memory_size, param_dtype)
        checks.choice("form", form, ("general", "dot", "scaled"))
        if form != "general" and self.query_size != self.memory_size:
            raise ValueError(
                f"memory_size must be {self.query_size}, the query_size, for form={form!r}, got {memory_size}; "
                "form='general' takes any"
            )
        self._set(form=form)

    def init(self, key: Array) -> MultiplicativeParams:
        """Draws the parameters: none, but for the general form.

        Args:
          key: a PRNG key.
        """
        shapes = [(self.query_size, self.memory_size)] if self.form == "general" else []
        drawn = self.draw(key, *shapes)
        return MultiplicativeParams(drawn[0] if drawn else None)

    def _choices(self) -> list[str]:
        return [repr(self.form)] if self.form != "general" else []

    def keys(self, params: MultiplicativeParams, values: Array) -> Array:
        """W m, m or m / √Q."""
        if params.w is not None:
            return dense(values, params.w.T)
        return values / self.query_size**0.5 if self.form == "scaled" else values

    def score(self, params: MultiplicativeParams, query: Array, keys: Array) -> Array:
        """The query's product with each key."""
        del params
        wide = accumulator(keys.dtype)
        scores = jnp.einsum("...q,...sq->...s", query.astype(keys.dtype), keys, preferred_element_type=wide)
        return scores.astype(wide)

    def slope(self, params: MultiplicativeParams, coef: None, memory: Memory, dquery: Array) -> Array:
        """The scores of δq, for they are linear in it."""
        del coef
        return self.score(params, dquery, memory.keys)

    def shift(
        self, params: MultiplicativeParams, query: Array, memory: Memory, dparams: Any, dkeys: Array
    ) -> Array:
        """The scores with δk; parameters act through the keys alone."""
        del memory, dparams
        return self.score(params, query, dkeys)
