"""`flax.nnx.RNN`, batch-major, of `GRUCell`, with one bias, beside the input, or of `OptimizedLSTMCell`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jaxgru.bench.peer import JaxPeer
from jaxgru.cells.dense import blocks

if TYPE_CHECKING:
    from jaxgru.bench.peer import Function


def convert(params: Any) -> Any:
    """Nnx's own state; b_r and b_z of the two sides fold into one, and there is no b_n."""
    (b_r, b_z, b_n), (c_r, c_z, _) = blocks(3, params.b_x), blocks(3, params.b_h)
    bias = jnp.concatenate([b_r + c_r, b_z + c_z, b_n])
    return {"dense_i": {"kernel": params.w_x, "bias": bias}, "dense_h": {"kernel": params.w_h}}


def build(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """The layer, split into its graph and its state as the functional API has it."""
    from flax import nnx  # noqa: PLC0415 only where it is measured

    graph, _ = nnx.split(nnx.RNN(nnx.GRUCell(I, H, rngs=nnx.Rngs(0)), rngs=False))
    return convert, lambda theirs, xs, h0: nnx.merge(graph, {"cell": theirs})(xs, initial_carry=h0)


def convert_lstm(params: Any) -> Any:
    """Nnx's state of the LSTM, which has its bias beside the state."""
    return {
        "dense_i": {"kernel": params.w_x},
        "dense_h": {"kernel": params.w_h, "bias": params.b_x + params.b_h},
    }


def build_lstm(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """The layer around nnx's optimized cell, which has a GRUCell's layout."""
    from flax import nnx  # noqa: PLC0415

    graph, _ = nnx.split(nnx.RNN(nnx.OptimizedLSTMCell(I, H, rngs=nnx.Rngs(0)), rngs=False))
    return convert_lstm, lambda theirs, xs, h0: nnx.merge(graph, {"cell": theirs})(
        xs, initial_carry=(h0.c, h0.h)
    )


PEER = JaxPeer("flax-nnx", "flax", build, candidate_bias=False, batch_major=True)
LSTM = (JaxPeer("flax-nnx", "flax", build_lstm, batch_major=True),)
