"""`keras.layers.GRU` and `LSTM` on the JAX backend, called without side effects; batch-major."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jaxgru.bench.peer import JaxPeer
from jaxgru.bench.peers.haiku import zrn

if TYPE_CHECKING:
    from jaxgru.bench.peer import Function


def convert(params: Any) -> Any:
    """Keras' list of variables: kernel, recurrent kernel, and both biases as one array (2, 3H)."""
    return [zrn(params.w_x), zrn(params.w_h), zrn(jnp.stack([params.b_x, params.b_h]))]


def convert_lstm(params: Any) -> Any:
    """The same of the LSTM, with one bias."""
    return [params.w_x, params.w_h, params.b_x + params.b_h]


def build(kind: str, T: int, B: int, I: int, H: int) -> tuple[Function, Function]:  # noqa: E741
    """The layer as it comes: inputs projected before the loop; with use_cudnn=False, inside it."""
    # Keras reads its backend from the environment, once, when it is imported.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras  # noqa: PLC0415 only where it is measured

    if (backend := keras.backend.backend()) != "jax":
        raise NotImplementedError(f"Keras runs on its {backend} backend here: set KERAS_BACKEND=jax")
    # Without autocast the arrays say which dtype is computed in, as with the other peers.
    layer = getattr(keras.layers, kind)(H, return_sequences=True, autocast=False)
    layer.build((B, T, I))
    fixed = [variable.value for variable in layer.non_trainable_variables]

    def apply(theirs: Any, xs: Any, h0: Any) -> Any:
        state = h0 if kind == "GRU" else list(h0)
        return layer.stateless_call(theirs, fixed, xs, initial_state=state)[0]

    return convert if kind == "GRU" else convert_lstm, apply


PEER = JaxPeer("keras", "keras", partial(build, "GRU"), batch_major=True)
LSTM = (JaxPeer("keras", "keras", partial(build, "LSTM"), batch_major=True),)
