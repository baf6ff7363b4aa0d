"""`equinox.nn.GRUCell` in a `lax.scan` over one sequence, as its documentation writes it, under `vmap`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxgru.bench.peer import JaxPeer
from jaxgru.cells.dense import blocks

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.bench.peer import Function


def sequence(cell: Any, xs: Array, h0: Array) -> Array:
    """xs (T, I) -> ys (T, H)."""

    def step(h: Array, x: Array) -> tuple[Array, Array]:
        h = cell(x, h)
        return h, h

    return jax.lax.scan(step, h0, xs)[1]


def build(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """A cell whose arrays are ours; its batch axis is the second, so that nothing is transposed."""
    import equinox  # noqa: PLC0415 only where it is measured

    cell = equinox.nn.GRUCell(I, H, key=jax.random.key(0))

    def convert(params: Any) -> Any:
        (b_r, b_z, b_n), (c_r, c_z, bias_n) = blocks(3, params.b_x), blocks(3, params.b_h)
        arrays = params.w_x.T, params.w_h.T, jnp.concatenate([b_r + c_r, b_z + c_z, b_n]), bias_n
        return equinox.tree_at(lambda c: (c.weight_ih, c.weight_hh, c.bias, c.bias_n), cell, arrays)

    return convert, jax.vmap(sequence, in_axes=(None, 1, 0), out_axes=1)


PEER = JaxPeer("equinox", "equinox", build)
