"""An initial state that is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from jaxgru.layers.wrapper import Wrapper

if TYPE_CHECKING:
    from jax import Array

PyTree = Any


class LearnedStateParams(NamedTuple):
    """The parameters of a `LearnedState`.

    Attributes:
      cell: those of the cell inside.
      state: the initial state of one row.

    Example:
      >>> import jax, jaxgru
      >>> jaxgru.LearnedState(jaxgru.GRU(3, 2)).init(jax.random.key(0)).state
      Array([0., 0.], dtype=float32)
    """

    cell: PyTree
    state: PyTree


@dataclass(frozen=True, init=False, repr=False)
class LearnedState(Wrapper):
    """A cell whose initial state is a parameter, zero at first; resets return to it as well.

    Args:
      cell: a cell, or one in other wrappers.

    Raises:
      TypeError, ValueError: something that is no cell.

    Example:
      >>> import jax, jaxgru
      >>> cell = LearnedState(jaxgru.GRU(3, 5))
      >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 2, 3))
      >>> gradient = jax.grad(lambda p: jaxgru.scan(cell, p, xs)[1].sum())(params)
      >>> bool(gradient.state.any())
      True

    Cost: nothing.

    References: Hinton's Coursera lecture 7 (2012) recommends it.

    Differs from: h0, which is an argument of each call.
    """

    owns: ClassVar[bool] = True

    def init(self, key: Array) -> LearnedStateParams:
        """Draws the parameters of the cell inside; the state is zero.

        Args:
          key: a PRNG key.
        """
        params = self.cell.init(key)
        state = self.cell.initial_state((), params)
        return LearnedStateParams(params, jax.tree.map(lambda s: s.astype(self.param_dtype), state))

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: PyTree = None) -> PyTree:
        """The learned state, for each row.

        Raises:
          ValueError: there are no parameters.
        """
        if params is None:
            raise ValueError(f"params must be given for the initial state of {self}, which is learned")
        like = self.cell.initial_state(batch_shape, params.cell)
        return jax.tree.map(lambda s, z: jnp.broadcast_to(s.astype(z.dtype), z.shape), params.state, like)
