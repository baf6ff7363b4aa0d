"""The minimal GRU, whose gates do not see the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.cells.dense import blocks, dense

if TYPE_CHECKING:
    from jaxgru.cells.initializers import Initializer


Two = tuple[Array, Array]


class MinGRUParams(NamedTuple):
    """The parameters of a `MinGRU`; the last axis holds the blocks z | n.

    Attributes:
      w_x: (I, 2H), from the input.
      b_x: (2H,); None in a cell without bias.

    Example:
      >>> import jaxgru
      >>> params = jaxgru.MinGRU(3, 5).init(jax.random.key(0))
      >>> params.w_x.shape, params.b_x.shape
      ((3, 10), (10,))
    """

    w_x: Array
    b_x: Array | None = None


class MinGRUGates(NamedTuple):
    """What one step computes on its way: z (…, H)."""

    update: Array


class MinGRUCoefficients(NamedTuple):
    """The derivative of one step; the names are those in `MinGRU.linearize`."""

    keep: Array
    k_z: Array
    z: Array


@dataclass(frozen=True, init=False, repr=False)
class MinGRU(Cell):
    """A gated recurrent unit cut down to what is linear in its state, and so can run in parallel over time.

        z = σ(x W_z + b_z)        n = x W_n + b_n        h' = (1 − z) ⊙ h + z ⊙ n

    Args:
      input_size: I, the width of one input.
      hidden_size: H, the width of the state and of one output.
      bias: whether there is b_x.
      dtype: of the matmuls and outputs; None means what inputs and parameters promote to. In half precision
        gates and state are float32.
      param_dtype: of the parameters that `init` draws.
      init: "uniform" (PyTorch's), "glorot_orthogonal", or a frozen initializer value such as `Chrono(100)`.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.MinGRU(3, 5)
      >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 2, 3))
      >>> final, ys = jaxgru.scan(cell, params, xs, backend=jaxgru.Associative())
      >>> ys.shape
      (7, 2, 5)

    Cost: 4 H I FLOPs for a step of one row, all of them in one product over time.

    References: Feng et al. 2024, "Were RNNs all we needed?" (arXiv:2410.01201), without their log-space form.

    Differs from: the GRU, in that nothing but (1 − z) ⊙ h carries from step to step: what a gate does cannot
      depend on what was read before, unless a layer below tells it.
    """

    bias: bool

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bias: bool = True,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        init: str | Initializer = "uniform",
    ) -> None:
        checks.flag("bias", bias)
        self._set(bias=bool(bias))
        super().__init__(input_size, hidden_size, dtype=dtype, param_dtype=param_dtype, init=init)

    @property
    def holds(self) -> bool:
        """z can keep the state as it is."""
        return True

    @property
    def memory(self) -> tuple[int | None, ...]:
        """z overwrites the state."""
        return (-1, None) if self.bias else ()

    def init(self, key: Array) -> MinGRUParams:
        """Draws the parameters.

        Args:
          key: a PRNG key.
        """
        inputs, hidden = self.input_size, self.hidden_size
        b_x = ("bias", (2 * hidden,), 2, self.memory) if self.bias else None
        return MinGRUParams(*self.draw(key, ("input", (inputs, 2 * hidden), 2), b_x))

    def project(self, params: MinGRUParams, xs: Array) -> Two:
        """(a_z, n), each (…, H)."""
        z, n = [dense(xs, w) for w in blocks(2, params.w_x)]
        if params.b_x is None:
            return z, n
        b_z, b_n = blocks(2, params.b_x)
        return z + b_z, n + b_n

    def transition(self, params: MinGRUParams, state: Array, a: Two) -> tuple[Array, MinGRUGates]:
        """h' and z."""
        del params
        z = jax.nn.sigmoid(a[0])
        return (1 - z) * state + z * a[1], MinGRUGates(z)

    def linearize(
        self, params: MinGRUParams, prev: Array, a: Two, passed: tuple[Array, MinGRUGates] | None = None
    ) -> MinGRUCoefficients:
        """keep = 1 − z, K_z = (n − h) z (1 − z), z."""
        _, (z,) = self.transition(params, prev, a) if passed is None else passed
        return MinGRUCoefficients(1 - z, (a[1] - prev) * z * (1 - z), z)

    def tangent(self, params: MinGRUParams, coef: MinGRUCoefficients, dprev: Array) -> Array:
        """keep δh."""
        del params
        return coef.keep * dprev

    def source(
        self, params: MinGRUParams, coef: MinGRUCoefficients, prev: Array, dparams: MinGRUParams, da: Two
    ) -> Array:
        """K_z δa_z + z δn."""
        del params, prev, dparams
        return coef.k_z * da[0] + coef.z * da[1]

    def hold(self, a: Two, valid: Array) -> Two:
        """Where `valid` is False: z of exactly 0."""
        return jnp.where(valid, a[0], -jnp.finfo(a[0].dtype).max / 2), jnp.where(valid, a[1], 0)

    def affine(self, params: MinGRUParams, a: Two) -> tuple[Array, Array]:
        """(1 − z, z ⊙ n)."""
        del params
        z = jax.nn.sigmoid(a[0])
        return 1 - z, z * a[1]
