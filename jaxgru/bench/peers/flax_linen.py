"""`flax.linen.RNN`, batch-major, of `GRUCell`, with a matrix and a bias for each gate, or of either LSTM cell."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from jaxgru.bench.peer import JaxPeer
from jaxgru.cells.dense import blocks
from jaxgru.cells.lstm import LSTMState

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


def convert_lstm(params: Any) -> Any:
    """Linen's tree of either LSTM, which has its biases beside the state."""
    gates = zip(
        "ifgo", *(blocks(4, w) for w in (params.w_x, params.w_h, params.b_x + params.b_h)), strict=True
    )
    theirs: dict[str, Any] = {}
    for gate, x, h, b in gates:
        theirs |= {f"i{gate}": {"kernel": x}, f"h{gate}": {"kernel": h, "bias": b}}
    return theirs


def carry(h0: Any) -> Any:
    """A state as Flax carries it: an LSTM's is (c, h)."""
    return (h0.c, h0.h) if isinstance(h0, LSTMState) else h0


def build(cell: str, T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """The layer around the cell of that name, as its documentation writes it."""
    from flax import linen  # noqa: PLC0415 only where it is measured

    layer = linen.RNN(getattr(linen, cell)(H))

    def apply(theirs: Any, xs: Any, h0: Any) -> Any:
        return layer.apply({"params": {"cell": theirs}}, xs, initial_carry=carry(h0))

    return convert if cell == "GRUCell" else convert_lstm, apply


PEER = JaxPeer("flax-linen", "flax", partial(build, "GRUCell"), batch_major=True)
LSTM = (
    JaxPeer("flax-linen", "flax", partial(build, "LSTMCell"), batch_major=True),
    JaxPeer("flax-linen (optimized)", "flax", partial(build, "OptimizedLSTMCell"), batch_major=True),
)
