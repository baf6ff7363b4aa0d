"""Layer normalisation inside the gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgru.cells.base import Cell
from jaxgru.cells.dense import blocks, columns, dense, dot
from jaxgru.cells.gru import GRU
from jaxgru.cells.lstm import LSTM, LSTMState
from jaxgru.layers.wrapper import Wrapper

if TYPE_CHECKING:
    from collections.abc import Sequence

PyTree = Any
EPSILON = 1e-5  # beside a variance


class LayerNormParams(NamedTuple):
    """The parameters of a `LayerNorm`.

    Attributes:
      cell: those of the cell inside; its biases are the shifts.
      scale_x: of x W_x, (3H,) for a GRU and (4H,) for an LSTM.
      scale_h: of h W_h, likewise.
      scale_c: of an LSTM's memory, (H,); None for a GRU.
      shift_c: likewise.

    Example:
      >>> import jaxgru
      >>> jaxgru.LayerNorm(jaxgru.GRU(3, 1)).init(jax.random.key(0)).scale_x
      Array([1., 1., 1.], dtype=float32)
    """

    cell: PyTree
    scale_x: Array
    scale_h: Array
    scale_c: Array | None = None
    shift_c: Array | None = None


@dataclass(frozen=True, init=False, repr=False)
class LayerNorm(Wrapper):
    """A GRU or an LSTM with layer normalisation of each matmul, and of the LSTM's memory on its way out.

        LN(v; α) = α ⊙ (v − mean(v)) / √(var(v) + 1e-5)
        h W_h + b_h ↦ LN(h W_h; α_h) + b_h        x W_x + b_x ↦ LN(x W_x; α_x) + b_x
        tanh(c') ↦ tanh(LN(c'; α_c) + β_c)                                                LSTM

    Mean and variance are over the gates together: r and z of a GRU, with n apart, and all four of an LSTM.

    Args:
      cell: a `GRU` or an `LSTM`; other wrappers go around this one.

    Raises:
      TypeError, ValueError: something else.

    Example:
      >>> import jaxgru
      >>> cell = LayerNorm(jaxgru.LSTM(3, 5))
      >>> final, ys = jaxgru.scan(cell, cell.init(jax.random.key(0)), jnp.ones((7, 2, 3)))
      >>> ys.shape
      (7, 2, 5)

    Cost: the cell's, and some 20 H FLOPs for a step of one row; its derivative is JAX's own, in the loop, but for
      the weights' gradients, which stay outside.

    References: Ba et al. 2016 (arXiv:1607.06450), equations 20–22 for the LSTM and 23–25 for the GRU.

    Differs from: the paper, in that its shifts are the cell's biases.
    """

    owns: ClassVar[bool] = True

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        if type(cell) not in {GRU, LSTM}:
            raise ValueError(
                f"cell must be a GRU or an LSTM for LayerNorm, got {cell}; other wrappers go around LayerNorm"
            )

    def init(self, key: Array) -> LayerNormParams:
        """Draws the parameters of the cell inside; scales are 1 and shifts 0.

        Args:
          key: a PRNG key.
        """
        params = self.cell.init(key)
        ones = jnp.ones(params.w_h.shape[-1], self.param_dtype)
        if isinstance(self.cell, GRU):
            return LayerNormParams(params, ones, ones)
        c = ones[: self.hidden_size]
        return LayerNormParams(params, ones, ones, c, jnp.zeros_like(c))

    def project(self, params: LayerNormParams, xs: Array) -> tuple[Array, ...]:
        """Each gate's part of LN(x W_x) with its biases, but for b_h where ⊙ r acts on it."""
        normed = self._normed(dense(xs, params.cell.w_x), params.scale_x)
        if isinstance(self.cell, GRU):
            return self.cell.add_biases(params.cell, normed)
        if params.cell.b_x is None:
            return tuple(normed)
        biases = blocks(4, params.cell.b_x + params.cell.b_h)
        return tuple(v + b for v, b in zip(normed, biases, strict=True))

    def transition(self, params: LayerNormParams, state: PyTree, a: Any) -> tuple[PyTree, tuple[()]]:
        """The next state."""
        step = self._gru if isinstance(self.cell, GRU) else self._lstm
        return step(params, state, a), ()

    # The derivative is the one that any cell has.
    linearize = Cell.linearize
    tangent = Cell.tangent
    source = Cell.source

    def _gru(self, params: Any, h: Array, a: Any) -> Array:
        cell: Any = self.cell
        (w_h, b_h), hidden, (a_r, a_z, a_n) = (params.cell.w_h, params.cell.b_h), self.hidden_size, a
        w_rz, w_n = columns(w_h, (2 * hidden, hidden))
        s_rz, s_n = lax.split(params.scale_h, (2 * hidden, hidden))
        u_r, u_z = blocks(2, layer_norm(dot(h, w_rz), s_rz))
        r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
        if cell.reset == "before":
            n = jnp.tanh(a_n + layer_norm(dot(r * h, w_n), s_n))
        else:
            u_n = layer_norm(dot(h, w_n), s_n)
            n = jnp.tanh(a_n + r * (u_n if b_h is None else u_n + blocks(3, b_h)[2]))
        return cell.mix(z, n, h)

    def _lstm(self, params: Any, state: LSTMState, a: Any) -> LSTMState:
        u = self._normed(dot(state.h, params.cell.w_h), params.scale_h)
        i, f, g, o = (p + q for p, q in zip(a, u, strict=True))
        c = jax.nn.sigmoid(f) * state.c + jax.nn.sigmoid(i) * jnp.tanh(g)
        m = jax.nn.sigmoid(o) * jnp.tanh(layer_norm(c, params.scale_c) + params.shift_c)
        return LSTMState(m if params.cell.w_p is None else dot(m, params.cell.w_p), c)

    def _normed(self, v: Array, scale: Array) -> Sequence[Array]:
        """Each gate's part of a product, normalised with those it belongs to."""
        if isinstance(self.cell, LSTM):
            return blocks(4, layer_norm(v, scale))
        sizes = (2 * self.hidden_size, self.hidden_size)
        (v_rz, v_n), (s_rz, s_n) = lax.split(v, sizes, axis=v.ndim - 1), lax.split(scale, sizes)
        return [*blocks(2, layer_norm(v_rz, s_rz)), layer_norm(v_n, s_n)]


def layer_norm(v: Array, scale: Any) -> Array:
    """α ⊙ (v − mean) / √(variance + 1e-5), over the last axis."""
    centred = v - v.mean(-1, keepdims=True)
    return scale * centred * lax.rsqrt((centred * centred).mean(-1, keepdims=True) + EPSILON)
