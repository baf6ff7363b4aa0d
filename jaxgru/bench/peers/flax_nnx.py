"""`flax.nnx.RNN(GRUCell)`: one matrix and bias beside the input, one matrix beside the state; batch-major."""

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


PEER = JaxPeer("flax-nnx", "flax", build, candidate_bias=False, batch_major=True)
