"""The simple recurrent unit, without a recurrent matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.cells.dense import blocks, dense

if TYPE_CHECKING:
    from jaxgru.cells.initializers import Initializer

Four = tuple[Array, Array, Array, Array]


class SRUParams(NamedTuple):
    """The parameters of an `SRU`.

    Attributes:
      w_x: (I, 3H), blocks g | f | r; (I, 4H) where I is not H, the fourth bringing x to H units.
      b_x: (2H,), of f | r; None in a cell without bias.
      v: (2H,), what f | r see of the memory; None in the variant of 2017.

    Example:
      >>> import jaxgru
      >>> params = jaxgru.SRU(5, 5).init(jax.random.key(0))
      >>> params.w_x.shape, params.b_x.shape, params.v
      ((5, 15), (10,), None)
    """

    w_x: Array
    b_x: Array | None = None
    v: Array | None = None


class SRUState(NamedTuple):
    """The state of an `SRU`: h (*B, H), the output, which nothing reads; c (*B, H), the memory.

    Example:
      >>> import jaxgru
      >>> jaxgru.SRU(3, 2).initial_state().c
      Array([0., 0.], dtype=float32)
    """

    h: Array
    c: Array


class SRUGates(NamedTuple):
    """What one step computes on its way, each (…, H): f and r."""

    forget: Array
    reset: Array


class SRUCoefficients(NamedTuple):
    """The derivative of one step; the names are those in `SRU.linearize`."""

    keep: Array
    out: Array
    k_f: Array
    k_r: Array
    k_c: Array
    write: Array
    skip: Array


@dataclass(frozen=True, init=False, repr=False)
class SRU(Cell):
    """A simple recurrent unit: gates that see the input, a memory that is linear in itself, and a highway.

        f = σ(x W_f + b_f)    r = σ(x W_r + b_r)        φ = tanh                          variant="2017"
        f = σ(x W_f + v_f ⊙ c + b_f)    r = σ(x W_r + v_r ⊙ c + b_r)    φ(c) = c          variant="2018"
        c' = f ⊙ c + (1 − f) ⊙ (x W_g)
        h' = r ⊙ φ(c') + (1 − r) ⊙ x

    Where I is not H, x W_s stands for the last x.

    Args:
      input_size: I, the width of one input.
      hidden_size: H, the width of the memory and of one output.
      variant: "2017", which can run in parallel over time, or "2018", whose gates see the memory.
      bias: whether there is b_x.
      dtype: of the matmuls and outputs; None means what inputs and parameters promote to. In half precision
        gates and state are float32.
      param_dtype: of the parameters that `init` draws.
      init: "uniform" (PyTorch's), "glorot_orthogonal", or a frozen initializer value such as `Chrono(100)`.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.SRU(3, 5)
      >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 2, 3))
      >>> final, ys = jaxgru.scan(cell, params, xs, backend=jaxgru.Associative())
      >>> ys.shape, final.c.shape
      ((7, 2, 5), (2, 5))

    Cost: 6 H I FLOPs for a step of one row (8 H I where I is not H), all of them in one product over time.

    References: Lei et al. 2017 (arXiv:1709.02755v1); Lei et al. 2018 (arXiv:1709.02755v5).

    Differs from: the authors' package, in that there is no scaling of the highway by a constant.
    """

    variant: Literal["2017", "2018"]
    bias: bool

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        variant: Literal["2017", "2018"] = "2017",
        bias: bool = True,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        init: str | Initializer = "uniform",
    ) -> None:
        checks.choice("variant", variant, ("2017", "2018"))
        checks.flag("bias", bias)
        self._set(variant=variant, bias=bool(bias))
        super().__init__(input_size, hidden_size, dtype=dtype, param_dtype=param_dtype, init=init)

    @property
    def memory(self) -> tuple[int | None, ...]:
        """f keeps the memory."""
        return (1, None) if self.bias else ()

    def init(self, key: Array) -> SRUParams:
        """Draws the parameters.

        Args:
          key: a PRNG key.
        """
        inputs, hidden = self.input_size, self.hidden_size
        count = 3 if inputs == hidden else 4
        b_x = ("bias", (2 * hidden,), 2, self.memory) if self.bias else None
        v = ("bias", (2 * hidden,), 2) if self.variant == "2018" else None
        return SRUParams(*self.draw(key, ("input", (inputs, count * hidden), count), b_x, v))

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: Any = None) -> SRUState:
        """Zeros; see `Cell.initial_state`."""
        zeros = super().initial_state(batch_shape, params)
        return SRUState(zeros, zeros)

    def project(self, params: SRUParams, xs: Array) -> Four:
        """(x W_g, a_f, a_r, x or x W_s), each (…, H)."""
        count = params.w_x.shape[-1] // self.hidden_size
        g, f, r, *skip = [dense(xs, w) for w in blocks(count, params.w_x)]
        if params.b_x is not None:
            b_f, b_r = blocks(2, params.b_x)
            f, r = f + b_f, r + b_r
        return g, f, r, skip[0] if skip else xs.astype(g.dtype)

    def transition(self, params: SRUParams, state: SRUState, a: Four) -> tuple[SRUState, SRUGates]:
        """h', c' and the gates f, r."""
        g, f, r, x = a
        if params.v is not None:
            v_f, v_r = blocks(2, params.v)
            f, r = f + v_f * state.c, r + v_r * state.c
        f, r = jax.nn.sigmoid(f), jax.nn.sigmoid(r)
        c = f * state.c + (1 - f) * g
        return SRUState(r * self._activation(c) + (1 - r) * x, c), SRUGates(f, r)

    def output(self, params: Any, states: SRUState, inputs: Any, key: Array | None) -> Array:
        """h."""
        del params, inputs, key
        return states.h

    def linearize(
        self,
        params: SRUParams,
        prev: SRUState,
        a: Four,
        passed: tuple[SRUState, SRUGates] | None = None,
    ) -> SRUCoefficients:
        """The coefficients of the derivative of a step, with v = 0 in the variant of 2017.

        K_f = (c − x W_g) f (1 − f)        K_r = (φ(c') − x) r (1 − r)        K_c = r φ'(c')
        keep = f + K_f v_f                 out = K_c keep + K_r v_r           write = 1 − f        skip = 1 − r
        """
        new, (f, r) = self.transition(params, prev, a) if passed is None else passed
        g, _, _, x = a
        y = self._activation(new.c)
        k_f, k_r = (prev.c - g) * f * (1 - f), (y - x) * r * (1 - r)
        k_c = r * (1 - y * y) if self.variant == "2017" else r
        keep, out = f, k_c * f
        if params.v is not None:
            v_f, v_r = blocks(2, params.v)
            keep = f + k_f * v_f
            out = k_c * keep + k_r * v_r
        return SRUCoefficients(keep, out, k_f, k_r, k_c, 1 - f, 1 - r)

    def tangent(self, params: SRUParams, coef: SRUCoefficients, dprev: SRUState) -> SRUState:
        """(out δc, keep δc)."""
        del params
        return SRUState(coef.out * dprev.c, coef.keep * dprev.c)

    def source(
        self, params: SRUParams, coef: SRUCoefficients, prev: SRUState, dparams: SRUParams, da: Four
    ) -> SRUState:
        """s, for all of time at once.

        s_c = K_f (δa_f + c δv_f) + (1 − f) δ(x W_g)        s_h = K_c s_c + K_r (δa_r + c δv_r) + (1 − r) δx
        """
        del params
        d_g, d_f, d_r, d_x = da
        if dparams.v is not None:
            v_f, v_r = blocks(2, dparams.v)
            d_f, d_r = d_f + prev.c * v_f, d_r + prev.c * v_r
        c = coef.k_f * d_f + coef.write * d_g
        return SRUState(coef.k_c * c + coef.k_r * d_r + coef.skip * d_x, c)

    def affine(self, params: SRUParams, a: Four) -> tuple[Array, Array]:
        """(f, (1 − f) ⊙ x W_g); not with gates that see the memory."""
        if params.v is not None:
            return super().affine(params, a)
        f = jax.nn.sigmoid(a[1])
        return f, (1 - f) * a[0]

    def carried(self, state: SRUState) -> Array:
        """c."""
        return state.c

    def complete(self, a: Four, carried: Array) -> SRUState:
        """h from c."""
        r = jax.nn.sigmoid(a[2])
        return SRUState(r * self._activation(carried) + (1 - r) * a[3], carried)

    def _activation(self, c: Array) -> Array:
        return jnp.tanh(c) if self.variant == "2017" else c
