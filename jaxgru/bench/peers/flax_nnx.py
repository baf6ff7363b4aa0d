"""`flax.nnx.RNN`, batch-major, of `GRUCell`, with one bias, beside the input, or of `LSTMCell`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jaxgru.bench.peer import JaxPeer
from jaxgru.bench.peers import flax_linen
from jaxgru.cells.dense import blocks

if TYPE_CHECKING:
    from jaxgru.bench.peer import Function


def convert(params: Any) -> Any:
    """Nnx's own state; b_r and b_z of the two sides fold into one, and there is no b_n."""
    (b_r, b_z, b_n), (c_r, c_z, _) = blocks(3, params.b_x), blocks(3, params.b_h)
    bias = jnp.concatenate([b_r + c_r, b_z + c_z, b_n])
    return {"dense_i": {"kernel": params.w_x, "bias": bias}, "dense_h": {"kernel": params.w_h}}


def convert_lstm(params: Any) -> Any:
    """Nnx's state of the LSTM, named as linen's tree but for what is a word of Python."""
    return {{"if": "if_"}.get(name, name): leaves for name, leaves in flax_linen.convert_lstm(params).items()}


def build(cell: str, T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """The layer around the cell of that name, split into its graph and its state as the functional API has it."""
    from flax import nnx  # noqa: PLC0415 only where it is measured

    # By shape alone: no weights are drawn.
    layer = nnx.eval_shape(lambda: nnx.RNN(getattr(nnx, cell)(I, H, rngs=nnx.Rngs(0)), rngs=False))
    graph, _ = nnx.split(layer)

    def apply(theirs: Any, xs: Any, h0: Any) -> Any:
        return nnx.merge(graph, {"cell": theirs})(xs, initial_carry=flax_linen.carry(h0))

    return convert if cell == "GRUCell" else convert_lstm, apply


PEER = JaxPeer("flax-nnx", "flax", partial(build, "GRUCell"), candidate_bias=False, batch_major=True)
# Not the OptimizedLSTMCell, which is no quicker forward, and slower backward.
LSTM = (JaxPeer("flax-nnx", "flax", partial(build, "LSTMCell"), batch_major=True),)
