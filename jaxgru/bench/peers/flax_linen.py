"""`flax.linen.RNN(GRUCell)`: a matrix and, beside the input, a bias for each gate; batch-major."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxgru.bench.peer import JaxPeer
from jaxgru.cells.dense import blocks

if TYPE_CHECKING:
    from jaxgru.bench.peer import Function


def convert(params: Any) -> Any:
    """Linen's own tree; b_r and b_z of the two sides fold into one."""
    (x_r, x_z, x_n), (h_r, h_z, h_n) = blocks(3, params.w_x), blocks(3, params.w_h)
    (b_r, b_z, b_n), (c_r, c_z, c_n) = blocks(3, params.b_x), blocks(3, params.b_h)
    return {
        "ir": {"kernel": x_r, "bias": b_r + c_r},
        "iz": {"kernel": x_z, "bias": b_z + c_z},
        "in": {"kernel": x_n, "bias": b_n},
        "hr": {"kernel": h_r},
        "hz": {"kernel": h_z},
        "hn": {"kernel": h_n, "bias": c_n},
    }


def build(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """The layer as its documentation writes it."""
    from flax import linen  # noqa: PLC0415 only where it is measured

    layer = linen.RNN(linen.GRUCell(H))
    return convert, lambda theirs, xs, h0: layer.apply({"params": {"cell": theirs}}, xs, initial_carry=h0)


PEER = JaxPeer("flax-linen", "flax", build, batch_major=True)
