"""The gated recurrent unit, in its four variants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.cells.dense import blocks, dense, dot

if TYPE_CHECKING:
    from jaxgru.cells.initializers import Initializer, Parameter


class GRUParams(NamedTuple):
    """The parameters of a `GRU`; the last axis holds the blocks r | z | n.

    Attributes:
      w_x: (I, 3H), from the input.
      w_h: (H, 3H), from the state.
      b_x: (3H,), beside w_x; None in a cell without bias.
      b_h: (3H,), beside w_h; None in a cell without bias.

    Example:
      >>> import jaxgru
      >>> params = jaxgru.GRU(3, 5).init(jax.random.key(0))
      >>> params.w_x.shape, params.w_h.shape, params.b_x.shape
      ((3, 15), (5, 15), (15,))
    """

    w_x: Array
    w_h: Array
    b_x: Array | None = None
    b_h: Array | None = None


class Gates(NamedTuple):
    """What one step computes on its way, each (…, H).

    Attributes:
      reset: r.
      update: z.
      candidate: n.
      recurrent: h W_n + b_n where the reset gate comes after the product; None where it comes before.
    """

    reset: Array
    update: Array
    candidate: Array
    recurrent: Array | None


class Coefficients(NamedTuple):
    """The derivative of one step, each (…, H); the names are those in `GRU.linearize`."""

    keep: Array
    k_r: Array
    k_z: Array
    k_n: Array
    inner: Array


@dataclass(frozen=True, init=False, repr=False)
class GRU(Cell):
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
      init: "uniform" (PyTorch's), "glorot_orthogonal", or a frozen initializer value.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> import jaxgru
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

    reset: Literal["after", "before"]
    update: Literal["keeps", "writes"]
    bias: bool

    holds: ClassVar[bool] = True

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
        super().__init__(input_size, hidden_size, dtype=dtype, param_dtype=param_dtype, init=init)
        checks.choice("reset", reset, ("after", "before"))
        checks.choice("update", update, ("keeps", "writes"))
        checks.flag("bias", bias)
        self._set(reset=reset, update=update, bias=bool(bias))

    def init(self, key: Array) -> GRUParams:
        """Draws the parameters.

        Args:
          key: a PRNG key.
        """
        inputs, hidden = self.input_size, self.hidden_size
        bias: Parameter | None = ("bias", (3 * hidden,)) if self.bias else None
        w_x: Parameter = ("input", (inputs, 3 * hidden))
        w_h: Parameter = ("recurrent", (hidden, 3 * hidden))
        return GRUParams(*self.draw(key, w_x, w_h, bias, bias))

    def project(self, params: GRUParams, xs: Array) -> tuple[Array, Array, Array]:
        """(a_r, a_z, a_n), each (…, H): x W_x + b_x, and with it every bias that stands outside ⊙ r.

        Three arrays rather than one: XLA's CPU backend does not vectorise a slice of what a loop slices.
        """
        if math.prod(xs.shape[:-1]) <= 2 * self.input_size:  # to cut the product is cheaper than to cut w_x
            products = blocks(3, dense(xs, params.w_x))
        else:
            products = [dense(xs, w) for w in blocks(3, params.w_x)]
        if params.b_x is not None and params.b_h is not None:
            (r, z, n), (h_r, h_z, h_n) = blocks(3, params.b_x), blocks(3, params.b_h)
            biases = (r + h_r, z + h_z, n if self.reset == "after" else n + h_n)
            products = [product + b for product, b in zip(products, biases, strict=True)]
        a_r, a_z, a_n = products
        return a_r, a_z, a_n

    def transition(
        self, params: GRUParams, state: Array, a: tuple[Array, Array, Array]
    ) -> tuple[Array, Gates]:
        """h' and the gates."""
        a_r, a_z, a_n = a
        recurrent = None
        if self.reset == "after":
            u_r, u_z, u_n = blocks(3, dot(state, params.w_h))
            recurrent = u_n if params.b_h is None else u_n + blocks(3, params.b_h)[2]
            r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
            n = jnp.tanh(a_n + r * recurrent)
        else:
            w_rz, w_n = self._gates_and_candidate(params.w_h)
            u_r, u_z = blocks(2, dot(state, w_rz))
            r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
            n = jnp.tanh(a_n + dot(r * state, w_n))
        old, new = (state, n) if self.update == "keeps" else (n, state)
        # In this form, and not as n + z (h − n), a gate of exactly 1 or 0 gives one side bit for bit.
        return (1 - z) * new + z * old, Gates(r, z, n, recurrent)

    def linearize(
        self,
        params: GRUParams,
        prev: Array,
        a: tuple[Array, Array, Array],
        passed: tuple[Array, Gates] | None = None,
    ) -> Coefficients:
        """The coefficients of the derivative of a step.

        keep = z        K_n = (1 − z)(1 − n²)        K_z = (h − n) z (1 − z)          update="keeps"
        keep = 1 − z    K_n = z (1 − n²)             K_z = (n − h) z (1 − z)          update="writes"
        K_r = K_n (h W_n + b_n) r (1 − r)                                             reset="after"
        K_r = h r (1 − r)                                                             reset="before"
        inner = K_n r (after), r (before)
        """
        _, (r, z, n, recurrent) = self.transition(params, prev, a) if passed is None else passed
        keeps = self.update == "keeps"
        keep, write = (z, 1 - z) if keeps else (1 - z, z)
        k_n = write * (1 - n * n)
        k_z = (prev - n if keeps else n - prev) * z * (1 - z)
        k_r = (prev if recurrent is None else k_n * recurrent) * r * (1 - r)
        return Coefficients(keep, k_r, k_z, k_n, r if recurrent is None else k_n * r)

    def tangent(self, params: GRUParams, coef: Coefficients, dprev: Array) -> Array:
        """A·δh.

        keep δh + K_r (δh W_r) + K_z (δh W_z) + inner (δh W_n)                            reset="after"
        keep δh + K_z (δh W_z) + K_n ((K_r (δh W_r) + r δh) W_n)                          reset="before"
        """
        keep, k_r, k_z, k_n, inner = coef
        if self.reset == "after":
            d_r, d_z, d_n = blocks(3, dot(dprev, params.w_h))
            return keep * dprev + k_r * d_r + k_z * d_z + inner * d_n
        w_rz, w_n = self._gates_and_candidate(params.w_h)
        d_r, d_z = blocks(2, dot(dprev, w_rz))
        return keep * dprev + k_z * d_z + k_n * dot(k_r * d_r + inner * dprev, w_n)

    def source(
        self,
        params: GRUParams,
        coef: Coefficients,
        prev: Array,
        dparams: GRUParams,
        da: tuple[Array, Array, Array],
    ) -> Array:
        """s, for all of time at once.

        K_r (δa_r + h δW_r) + K_z (δa_z + h δW_z) + K_n (δa_n + r (h δW_n + δb_n))        reset="after"
        K_z (δa_z + h δW_z) + K_n (δa_n + (r h) δW_n + (K_r (δa_r + h δW_r)) W_n)         reset="before"
        """
        _, k_r, k_z, k_n, inner = coef
        da_r, da_z, da_n = da
        if self.reset == "after":
            d_r, d_z, d_n = blocks(3, dense(prev, dparams.w_h))
            if dparams.b_h is not None:
                d_n = d_n + blocks(3, dparams.b_h)[2]
            return k_r * (da_r + d_r) + k_z * (da_z + d_z) + k_n * da_n + inner * d_n
        (dw_rz, dw_n), (_, w_n) = map(self._gates_and_candidate, (dparams.w_h, params.w_h))
        d_r, d_z = blocks(2, dense(prev, dw_rz))
        d_n = da_n + dense(inner * prev, dw_n) + dot(k_r * (da_r + d_r), w_n)
        return k_z * (da_z + d_z) + k_n * d_n

    def hold(self, a: tuple[Array, Array, Array], valid: Array) -> tuple[Array, Array, Array]:
        """Where `valid` is False: z of exactly 1 (keeps) or 0 (writes), and r and n of no matter."""
        a_r, a_z, a_n = a
        # Half of the largest number, for an infinity would trip jax_debug_infs and overflow beside h W_z.
        huge = jnp.finfo(a_z.dtype).max / 2 * (1 if self.update == "keeps" else -1)
        return jnp.where(valid, a_r, 0), jnp.where(valid, a_z, huge), jnp.where(valid, a_n, 0)

    def _gates_and_candidate(self, w_h: Array) -> tuple[Array, Array]:
        w_rz, w_n = lax.split(w_h, (2 * self.hidden_size, self.hidden_size), axis=1)
        return w_rz, w_n
