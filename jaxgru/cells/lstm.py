"""The long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.cells.dense import blocks, changed, dense, dot
from jaxgru.cells.initializers import Chrono

if TYPE_CHECKING:
    from jaxgru.cells.initializers import Initializer

Four = tuple[Array, Array, Array, Array]


class LSTMParams(NamedTuple):
    """The parameters of an `LSTM`; the last axis holds the blocks i | f | g | o, and O is the output's width.

    Attributes:
      w_x: (I, 4H), from the input.
      w_h: (O, 4H), from the output before.
      b_x: (4H,), beside w_x; None in a cell without bias.
      b_h: (4H,), beside w_h; None in a cell without bias.
      w_p: (H, O), the projection; None in a cell without one.

    Example:
      >>> import jaxgru
      >>> params = jaxgru.LSTM(3, 5, projection=2).init(jax.random.key(0))
      >>> params.w_x.shape, params.w_h.shape, params.w_p.shape
      ((3, 20), (2, 20), (5, 2))
    """

    w_x: Array
    w_h: Array
    b_x: Array | None = None
    b_h: Array | None = None
    w_p: Array | None = None


class LSTMState(NamedTuple):
    """The state of an `LSTM`.

    Attributes:
      h: (*B, O), the output.
      c: (*B, H), the memory.

    Example:
      >>> import jaxgru
      >>> state = jaxgru.LSTM(3, 5, projection=2).initial_state((7,))
      >>> state.h.shape, state.c.shape
      ((7, 2), (7, 5))
    """

    h: Array
    c: Array


class LSTMGates(NamedTuple):
    """What one step computes on its way, each (…, H): i, f, g and o."""

    input: Array
    forget: Array
    candidate: Array
    output: Array


class LSTMCoefficients(NamedTuple):
    """The derivative of one step; the names are those in `LSTM.linearize`."""

    keep: Array
    k: Four
    k_c: Array
    m: Array | None


@dataclass(frozen=True, init=False, repr=False)
class LSTM(Cell):
    """A long short-term memory, with a forget gate.

        i = σ(u_i)    f = σ(u_f)    g = tanh(u_g)    o = σ(u_o)        u = x W_x + b_x + h W_h + b_h
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')                                              without projection
        h' = (o ⊙ tanh(c')) W_p                                        with projection=O

    Args:
      input_size: I, the width of one input.
      hidden_size: H, the width of the memory c.
      projection: O, the width of h and of one output, through a matrix W_p; None means h is as wide as c.
      forget_bias: what the two biases of f add up to at the start; None leaves them as drawn, which is
        PyTorch's way. `Chrono` sets them itself.
      bias: whether there are b_x and b_h.
      dtype: of the matmuls and outputs; None means what inputs and parameters promote to. In half precision
        gates and state are float32.
      param_dtype: of the parameters that `init` draws.
      init: "uniform" (PyTorch's), "glorot_orthogonal", or a frozen initializer value such as `Chrono(100)`.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.LSTM(3, 5)
      >>> final, ys = jaxgru.scan(cell, cell.init(jax.random.key(0)), jnp.ones((7, 2, 3)))
      >>> ys.shape, final.c.shape
      ((7, 2, 5), (2, 5))

    Cost: 8 H (I + O) FLOPs for a step of one row, and 2 H O for a projection; three times that with the
      backward pass, for which a scan keeps six numbers for each unit.

    References: Hochreiter & Schmidhuber 1997; Gers et al. 2000 for f; Sak et al. 2014 (arXiv:1402.1128) for the
      projection; Jozefowicz et al. 2015 for its first bias.

    Differs from: PyTorch, not at all with forget_bias=None; Flax and Equinox have one bias for each gate, and
      carry (c, h) and (h, c); Haiku adds 1 to u_f in each step. There are no peepholes.
    """

    projection: int | None
    forget_bias: float | None
    bias: bool

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        projection: int | None = None,
        forget_bias: float | None = 1.0,
        bias: bool = True,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        init: str | Initializer = "uniform",
    ) -> None:
        if projection is not None:
            projection = checks.size("projection", projection)
        if forget_bias is not None:
            forget_bias = checks.number("forget_bias", forget_bias)
        checks.flag("bias", bias)
        self._set(projection=projection, forget_bias=forget_bias, bias=bool(bias))
        super().__init__(input_size, hidden_size, dtype=dtype, param_dtype=param_dtype, init=init)
        if forget_bias not in {None, 1.0} and (not bias or isinstance(self.initializer, Chrono)):
            why = "Chrono sets that bias" if bias else "there is no bias"
            raise ValueError(f"forget_bias must be left out here, for {why}, got {forget_bias}")

    @property
    def output_size(self) -> int:
        """The width of h: the projection's, if there is one."""
        return self.projection or self.hidden_size

    @property
    def memory(self) -> tuple[int | None, ...]:
        """f keeps the memory, i writes to it."""
        return (-1, 1, None, None) if self.bias else ()

    def init(self, key: Array) -> LSTMParams:
        """Draws the parameters.

        Args:
          key: a PRNG key.
        """
        inputs, hidden, out = self.input_size, self.hidden_size, self.output_size
        b_x = ("bias", (4 * hidden,), 4, self.memory) if self.bias else None
        b_h = ("bias", (4 * hidden,), 4, (0, 0, None, None)) if self.bias else None
        w_p = ("recurrent", (hidden, out)) if self.projection else None
        w_x, w_h = ("input", (inputs, 4 * hidden), 4), ("recurrent", (out, 4 * hidden), 4)
        params = LSTMParams(*self.draw(key, w_x, w_h, b_x, b_h, w_p))
        if self.forget_bias is None or not self.bias or isinstance(self.initializer, Chrono):
            return params
        f = slice(hidden, 2 * hidden)
        return params._replace(
            b_x=params.b_x.at[f].set(self.forget_bias),  # type: ignore[union-attr]
            b_h=params.b_h.at[f].set(0),  # type: ignore[union-attr]
        )

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: Any = None) -> LSTMState:
        """Zeros; see `Cell.initial_state`."""
        c = super().initial_state(batch_shape, params)
        return LSTMState(jnp.zeros((*batch_shape, self.output_size), c.dtype), c)

    def project(self, params: LSTMParams, xs: Array) -> Four:
        """(a_i, a_f, a_g, a_o), each (…, H): x W_x and both biases."""
        i, f, g, o = [dense(xs, w) for w in blocks(4, params.w_x)]
        if params.b_x is not None and params.b_h is not None:
            i, f, g, o = (
                a + b for a, b in zip((i, f, g, o), blocks(4, params.b_x + params.b_h), strict=True)
            )
        return i, f, g, o

    def transition(self, params: LSTMParams, state: LSTMState, a: Four) -> tuple[LSTMState, LSTMGates]:
        """h', c' and the gates i, f, g, o."""
        u_i, u_f, u_g, u_o = (p + q for p, q in zip(a, blocks(4, dot(state.h, params.w_h)), strict=True))
        i, f, o = jax.nn.sigmoid(u_i), jax.nn.sigmoid(u_f), jax.nn.sigmoid(u_o)
        g = jnp.tanh(u_g)
        c = f * state.c + i * g
        m = o * jnp.tanh(c)
        return LSTMState(m if params.w_p is None else dot(m, params.w_p), c), LSTMGates(i, f, g, o)

    def output(self, params: Any, states: LSTMState, inputs: Any, key: Array | None) -> Array:
        """h."""
        del params, inputs, key
        return states.h

    def linearize(
        self, params: LSTMParams, prev: LSTMState, a: Four, passed: tuple[LSTMState, LSTMGates] | None = None
    ) -> LSTMCoefficients:
        """The coefficients of the derivative of a step.

        K_i = g i (1 − i)    K_f = c f (1 − f)    K_g = i (1 − g²)    K_o = tanh(c') o (1 − o)
        keep = f             K_c = o (1 − tanh(c')²)                  m = o ⊙ tanh(c'), with a projection
        """
        new, (i, f, g, o) = self.transition(params, prev, a) if passed is None else passed
        t = jnp.tanh(new.c)
        k = g * i * (1 - i), prev.c * f * (1 - f), i * (1 - g * g), t * o * (1 - o)
        return LSTMCoefficients(f, k, o * (1 - t * t), None if params.w_p is None else o * t)

    def tangent(self, params: LSTMParams, coef: LSTMCoefficients, dprev: LSTMState) -> LSTMState:
        """A·(δh, δc), with D_• = δh W_•.

        δc' = keep δc + K_i D_i + K_f D_f + K_g D_g        δh' = (K_o D_o + K_c δc') W_p
        """
        return self._through(params, coef, coef.keep * dprev.c, blocks(4, dot(dprev.h, params.w_h)))

    def source(
        self, params: LSTMParams, coef: LSTMCoefficients, prev: LSTMState, dparams: Any, da: Four
    ) -> LSTMState:
        """s, for all of time at once: as `tangent`, with D_• = δa_• + h δW_•, plus m δW_p."""
        recurrent = blocks(4, dense(*changed(prev.h, params.w_h, dparams.w_h)))
        i, f, g, o = (p + q for p, q in zip(da, recurrent, strict=True))
        s = self.drive(params, coef, prev, (i, f, g, o))
        return s if coef.m is None else s._replace(h=s.h + dense(coef.m, dparams.w_p))

    def drive(self, params: LSTMParams, coef: LSTMCoefficients, prev: LSTMState, da: Four) -> LSTMState:
        """As `tangent`, with D_• = δa_• alone."""
        del prev
        return self._through(params, coef, 0, da)

    def _through(self, params: LSTMParams, coef: LSTMCoefficients, kept: Any, d: Any) -> LSTMState:
        """(δh', δc') from what c keeps, and the changes of the gates' sums."""
        (k_i, k_f, k_g, k_o), (d_i, d_f, d_g, d_o) = coef.k, d
        c = kept + k_i * d_i + k_f * d_f + k_g * d_g
        m = k_o * d_o + coef.k_c * c
        return LSTMState(m if params.w_p is None else dot(m, params.w_p), c)
