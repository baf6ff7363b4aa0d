"""jaxgru itself, in any of its variants, with any backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgru.bench.peer import JaxPeer
from jaxgru.cells.gru import GRU
from jaxgru.cells.lstm import LSTM
from jaxgru.recurrence.scan import scan
from jaxgru.recurrence.select import AUTO
from jaxgru.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxgru.bench.peer import Function
    from jaxgru.recurrence.backend import Backend


def ours(
    variant: Mapping[str, Any] | None = None, backend: Backend = AUTO, *, work: str = "layer"
) -> JaxPeer:
    """jaxgru's GRU, or its LSTM, in the variant of a peer, so that both compute the same numbers.

    Example:
      >>> ours({"reset": "before", "update": "writes"}).name
      'jaxgru (before, writes)'
    """
    variant = dict(variant or {})

    def build(T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: ARG001, E741
        cell = (LSTM if work == "lstm" else GRU)(I, H, **variant)
        return lambda params: params, lambda params, xs, h0: scan(cell, params, xs, h0, backend=backend)[1]

    words = [*variant.values(), *([] if backend == AUTO else [repr(backend)])]
    return JaxPeer(f"jaxgru ({', '.join(words)})" if words else "jaxgru", "jaxgru", build, variant=variant)


def streamer(params: Any, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """`jaxgru.Stream`, from NumPy to NumPy."""
    stream: Any = Stream(GRU(len(params.w_x), len(params.w_h)), params, batch_shape=(batch,))
    return lambda x: np.asarray(stream.step(x))
