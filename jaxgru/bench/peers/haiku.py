"""`haiku.dynamic_unroll` of `haiku.GRU`: the reset gate before the product, an update gate that writes."""

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


PEER = JaxPeer("haiku", "haiku", build, variant={"reset": "before", "update": "writes"})
