"""The gated recurrent unit, in its four variants; `gated.py` has its steps and their derivative."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax.numpy as jnp

from jaxgru.cells.dense import Masked, blocks, dense, dot
from jaxgru.cells.gated import GatedUnit

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.cells.gated import Projected
    from jaxgru.cells.initializers import Initializer


class GRUParams(NamedTuple):
    """The parameters of a `GRU`; the last axis holds the blocks r | z | n.

    Attributes:
      w_x: (I, 3H), from the input.
      w_h: (H, 3H), from the state.
      b_x: (3H,), beside w_x; None in a cell without bias.
      b_h: (3H,), beside w_h; None in a cell without bias.

    Example:
      >>> import jax, jaxgru
      >>> params = jaxgru.GRU(3, 5).init(jax.random.key(0))
      >>> params.w_x.shape, params.w_h.shape, params.b_x.shape
      ((3, 15), (5, 15), (15,))
    """

    w_x: Array
    w_h: Array
    b_x: Array | None = None
    b_h: Array | None = None


@dataclass(frozen=True, init=False, repr=False)
class GRU(GatedUnit):
    """A gated recurrent unit.

        r = σ(x W_xr + b_xr + h W_r + b_r)        z = σ(x W_xz + b_xz + h W_z + b_z)
        n = tanh(x W_xn + b_xn + r ⊙ (h W_n + b_n))                        reset="after"
        n = tanh(x W_xn + b_xn + (r ⊙ h) W_n + b_n)                        reset="before"
        h' = (1 − z) ⊙ n + z ⊙ h                                           update="keeps"
        h' = (1 − z) ⊙ h + z ⊙ n                                           update="writes"

    Args:
      input_size: I, the width of one input.
      hidden_size: H, the width of the state and of one output.
      reset: whether the reset gate acts "after" the recurrent product or "before" it.
      update: whether an open update gate "keeps" the old state or "writes" the new one.
      bias: whether there are b_x and b_h.
      dtype: of the matmuls and outputs; None means what inputs and parameters promote to. In half precision
        gates and state are float32.
      param_dtype: of the parameters that `init` draws.
      init: "uniform" (PyTorch's), "glorot_orthogonal", or a frozen initializer value such as `Chrono(100)`.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> import jax, jaxgru
      >>> cell = jaxgru.GRU(3, 5)
      >>> params = cell.init(jax.random.key(0))
      >>> final, ys = jaxgru.scan(cell, params, jnp.ones((7, 2, 3)))
      >>> final.shape, ys.shape
      ((2, 5), (7, 2, 5))

    Cost: 6 H (I + H) FLOPs for a step of one row; three times that with the backward pass, for which a scan
      keeps five numbers for each state (two with save="states").

    References: Cho et al. 2014 (arXiv:1406.1078); Chung et al. 2014 (arXiv:1412.3555).

    Differs from: PyTorch, Flax and Equinox, not at all by default; Haiku is reset="before", update="writes";
      Keras and ONNX order their gates z, r, n.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        reset: Literal["after", "before"] = "after",
        update: Literal["keeps", "writes"] = "keeps",
        bias: bool = True,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        init: str | Initializer = "uniform",
    ) -> None:
        self._choose(reset, update, bias)
        super().__init__(input_size, hidden_size, dtype=dtype, param_dtype=param_dtype, init=init)

    def init(self, key: Array) -> GRUParams:
        """Draws the parameters.

        Args:
          key: a PRNG key.
        """
        inputs, hidden = self.input_size, self.hidden_size
        w_x, w_h = ("input", (inputs, 3 * hidden), 3), ("recurrent", (hidden, 3 * hidden), 3)
        return GRUParams(*self.draw(key, w_x, w_h, *self._biases()))

    def project(self, params: GRUParams, xs: Array) -> Projected:
        """(a_r, a_z, a_n), each (…, H): x W_x + b_x, and with it every bias that stands outside ⊙ r.

        Three arrays rather than one: XLA's CPU backend does not vectorise a slice of what a loop slices.
        """
        if math.prod(xs.shape[:-1]) <= 2 * self.input_size:  # to cut the product is cheaper than to cut w_x
            return self.add_biases(params, blocks(3, dense(xs, params.w_x)))
        return self.add_biases(params, [dense(xs, w) for w in blocks(3, params.w_x)])

    def product(self, x: Array, w: Array | Masked) -> Array:
        """x W of one step, or of several."""
        return dot(x, w)

    def product_over_time(self, x: Array, w: Array) -> Array:
        """x W over all of time, for a W that is differentiated."""
        return dense(x, w)
