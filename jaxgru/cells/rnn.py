"""The plain recurrent network of Elman."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.cells.dense import changed, dense, dot

if TYPE_CHECKING:
    from jaxgru.cells.initializers import Initializer


class RNNParams(NamedTuple):
    """The parameters of an `RNN`.

    Attributes:
      w_x: (I, H), from the input.
      w_h: (H, H), from the state.
      b_x: (H,), beside w_x; None in a cell without bias.
      b_h: (H,), beside w_h; None in a cell without bias.

    Example:
      >>> import jaxgru
      >>> params = jaxgru.RNN(3, 5, bias=False).init(jax.random.key(0))
      >>> params.w_x.shape, params.w_h.shape, params.b_x
      ((3, 5), (5, 5), None)
    """

    w_x: Array
    w_h: Array
    b_x: Array | None = None
    b_h: Array | None = None


@dataclass(frozen=True, init=False, repr=False)
class RNN(Cell):
    """A plain recurrent unit, without gates.

        h' = φ(x W_x + b_x + h W_h + b_h),  φ = tanh or ReLU

    Args:
      input_size: I, the width of one input.
      hidden_size: H, the width of the state and of one output.
      activation: φ, "tanh" or "relu".
      bias: whether there are b_x and b_h.
      dtype: of the matmuls and outputs; None means what inputs and parameters promote to.
      param_dtype: of the parameters that `init` draws.
      init: "uniform" (PyTorch's), "glorot_orthogonal", or a frozen initializer value.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.RNN(3, 5, activation="relu")
      >>> final, ys = jaxgru.scan(cell, cell.init(jax.random.key(0)), jnp.ones((7, 2, 3)))
      >>> ys.shape
      (7, 2, 5)

    Cost: 2 H (I + H) FLOPs for a step of one row; three times that with the backward pass.

    References: Elman 1990, "Finding structure in time"; Le et al. 2015 (arXiv:1504.00941) for the ReLU.

    Differs from: PyTorch's `nn.RNN`, not at all; Flax's SimpleCell has one bias.
    """

    activation: Literal["tanh", "relu"]
    bias: bool

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        activation: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        init: str | Initializer = "uniform",
    ) -> None:
        checks.choice("activation", activation, ("tanh", "relu"))
        checks.flag("bias", bias)
        self._set(activation=activation, bias=bool(bias))
        super().__init__(input_size, hidden_size, dtype=dtype, param_dtype=param_dtype, init=init)

    def init(self, key: Array) -> RNNParams:
        """Draws the parameters.

        Args:
          key: a PRNG key.
        """
        inputs, hidden = self.input_size, self.hidden_size
        bias = ("bias", (hidden,)) if self.bias else None
        return RNNParams(
            *self.draw(key, ("input", (inputs, hidden)), ("recurrent", (hidden, hidden)), bias, bias)
        )

    def project(self, params: RNNParams, xs: Array) -> Array:
        """x W_x and both biases, (…, H)."""
        a = dense(xs, params.w_x)
        return a if params.b_x is None or params.b_h is None else a + (params.b_x + params.b_h)

    def transition(self, params: RNNParams, state: Array, a: Array) -> tuple[Array, tuple[()]]:
        """h'; the new state says all that the derivative needs."""
        u = a + dot(state, params.w_h)
        return jnp.tanh(u) if self.activation == "tanh" else jax.nn.relu(u), ()

    def linearize(
        self, params: RNNParams, prev: Array, a: Array, passed: tuple[Array, tuple[()]] | None = None
    ) -> Array:
        """φ', (…, H): 1 − h'² for tanh; 1 where h' > 0, else 0, for ReLU."""
        new, _ = self.transition(params, prev, a) if passed is None else passed
        return 1 - new * new if self.activation == "tanh" else (new > 0).astype(new.dtype)

    def tangent(self, params: RNNParams, coef: Array, dprev: Array) -> Array:
        """φ' (δh W_h)."""
        return coef * dot(dprev, params.w_h)

    def source(self, params: RNNParams, coef: Array, prev: Array, dparams: RNNParams, da: Array) -> Array:
        """φ' (δa + h δW_h)."""
        return coef * (da + dense(*changed(prev, params.w_h, dparams.w_h)))

    def drive(self, params: RNNParams, coef: Array, prev: Array, da: Array) -> Array:
        """φ' δa."""
        del params, prev
        return coef * da
