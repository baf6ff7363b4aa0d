"""`equinox.nn.GRUCell` or `LSTMCell` in a `lax.scan` over one sequence, as its documentation has it, under `vmap`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxgru.bench.peer import JaxPeer
from jaxgru.cells.dense import blocks

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.bench.peer import Function


def sequence(cell: Any, xs: Array, h0: Any) -> Array:
    """xs (T, I) -> ys (T, H)."""

    def step(state: Any, x: Array) -> tuple[Any, Array]:
        state = cell(x, state)
        return state, state[0] if isinstance(state, tuple) else state

    return jax.lax.scan(step, h0, xs)[1]


BATCHED = jax.vmap(sequence, in_axes=(None, 1, 0), out_axes=1)


def build(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """A cell whose arrays are ours; its batch axis is the second, so that nothing is transposed."""
    import equinox  # noqa: PLC0415 only where it is measured

    # By shape alone: no weights are drawn.
    cell = equinox.filter_eval_shape(equinox.nn.GRUCell, I, H, key=jax.random.key(0))

    def convert(params: Any) -> Any:
        (b_r, b_z, b_n), (c_r, c_z, bias_n) = blocks(3, params.b_x), blocks(3, params.b_h)
        arrays = params.w_x.T, params.w_h.T, jnp.concatenate([b_r + c_r, b_z + c_z, b_n]), bias_n
        return equinox.tree_at(lambda c: (c.weight_ih, c.weight_hh, c.bias, c.bias_n), cell, arrays)

    return convert, BATCHED


def build_lstm(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """The same with an LSTM, which has one bias."""
    import equinox  # noqa: PLC0415

    cell = equinox.filter_eval_shape(equinox.nn.LSTMCell, I, H, key=jax.random.key(0))

    def convert(params: Any) -> Any:
        arrays = params.w_x.T, params.w_h.T, params.b_x + params.b_h
        return equinox.tree_at(lambda c: (c.weight_ih, c.weight_hh, c.bias), cell, arrays)

    return convert, lambda theirs, xs, h0: BATCHED(theirs, xs, tuple(h0))


PEER = JaxPeer("equinox", "equinox", build)
LSTM = (JaxPeer("equinox", "equinox", build_lstm),)
