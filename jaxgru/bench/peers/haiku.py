"""`haiku.dynamic_unroll` of `haiku.GRU`, reset before the product and an update that writes, and `haiku.LSTM`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jaxgru.bench.peer import JaxPeer
from jaxgru.cells.dense import blocks

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.bench.peer import Function


def zrn(w: Array) -> Array:
    """The blocks r | z | n in the order z | r | n."""
    r, z, n = blocks(3, w)
    return jnp.concatenate([z, r, n], -1)


def convert(params: Any) -> Any:
    """Haiku's own tree, with one bias."""
    return {"gru": {"w_i": zrn(params.w_x), "w_h": zrn(params.w_h), "b": zrn(params.b_x + params.b_h)}}


def build(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """The unroll, transformed into a pure function."""
    import haiku  # noqa: PLC0415 only where it is measured

    unroll: Any = haiku.transform(lambda xs, h0: haiku.dynamic_unroll(haiku.GRU(H), xs, h0)[0])
    return convert, haiku.without_apply_rng(unroll).apply


def convert_lstm(params: Any) -> Any:
    """Haiku's tree of the LSTM: one matrix, gates i, g, f, o, and 1 added to f in each step."""
    matrix = jnp.concatenate([params.w_x, params.w_h])
    i, f, g, o = blocks(4, jnp.concatenate([matrix, (params.b_x + params.b_h)[None]]))
    w = jnp.concatenate([i, g, f, o], -1)
    return {"lstm/linear": {"w": w[:-1], "b": w[-1] - jnp.repeat(jnp.array([0.0, 0, 1, 0]), i.shape[-1])}}


def build_lstm(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
    """The same unroll."""
    import haiku  # noqa: PLC0415

    def unroll(xs: Any, h0: Any) -> Any:
        return haiku.dynamic_unroll(haiku.LSTM(H), xs, haiku.LSTMState(h0.h, h0.c))[0]

    transformed: Any = haiku.transform(unroll)
    return convert_lstm, haiku.without_apply_rng(transformed).apply


PEER = JaxPeer("haiku", "haiku", build, variant={"reset": "before", "update": "writes"})
LSTM = (JaxPeer("haiku", "haiku", build_lstm),)
