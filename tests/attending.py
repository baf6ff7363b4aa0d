"""An attention decoder with a memory among its parameters, and its step in NumPy: for the laws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxgru import reference
from jaxgru.layers.attention import AttentionDecoder, AttentionDecoderParams

if TYPE_CHECKING:
    from jax import Array

ENTRIES = 5


@dataclass(frozen=True, init=False, repr=False)
class Attending(AttentionDecoder):
    """A decoder that draws a memory of its own, one for all rows, so that the laws can treat it as any cell."""

    def init(self, key: Array) -> AttentionDecoderParams:
        params = super().init(key)
        entries = jax.random.normal(key, (ENTRIES, self.attention.memory_size), self.param_dtype)
        return params._replace(memory=self.attention.remember(params.attention, entries))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    parts = np.exp(scores - scores.max(-1, keepdims=True))
    return parts / parts.sum(-1, keepdims=True)


def additive(params: Any, query: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bahdanau et al. 2015, A.1.2: context (M,) and weights (S,) of one query (Q,) and values (S, M)."""
    w_q, w_m, v = (np.asarray(p, np.float64) for p in params)
    scores = np.array([v @ np.tanh(query @ w_q + m @ w_m) for m in values])
    weights = softmax(scores)
    return weights @ values, weights


def multiplicative(
    params: Any, query: np.ndarray, values: np.ndarray, form: str
) -> tuple[np.ndarray, np.ndarray]:
    """Luong et al. 2015, equation 8, and "scaled" of Vaswani et al. 2017; as `additive`."""
    w = np.asarray(params.w, np.float64) if form == "general" else np.eye(query.size)
    scores = np.array([query @ w @ m for m in values])
    weights = softmax(scores / np.sqrt(query.size) if form == "scaled" else scores)
    return weights @ values, weights


def attending_step(params: Any, state: Any, x: np.ndarray) -> Any:
    """Luong et al. 2015, section 3.3, with additive scores of the keys that the parameters hold."""
    feed, h = state
    w_feed, w_out, w_q, v, keys, values = (
        np.asarray(p, np.float64)
        for p in (
            params.w_feed,
            params.w_out,
            params.attention.w_q,
            params.attention.v,
            params.memory.keys,
            params.memory.values,
        )
    )
    w_x, w_h, b_x, b_h = (np.asarray(p, np.float64) for p in params.cell)
    h = reference.gru_step((np.concatenate([w_x, w_feed]), w_h, b_x, b_h), h, np.concatenate([x, feed], -1))
    context = softmax(np.tanh(h @ w_q + keys) @ v) @ values
    return np.tanh(np.concatenate([h, context]) @ w_out), h
