"""Attention: over an encoder's outputs, in a decoder that feeds on what it read, and as a pooling head."""

from jaxgru.layers.attention.additive import Additive, AdditiveParams
from jaxgru.layers.attention.base import Attention
from jaxgru.layers.attention.decoder import AttentionDecoder
from jaxgru.layers.attention.memory import Memory
from jaxgru.layers.attention.multiplicative import Multiplicative, MultiplicativeParams
from jaxgru.layers.attention.parts import AttentionDecoderParams, AttentionDecoderState
from jaxgru.layers.attention.pooling import AttentionPooling, AttentionPoolingParams

__all__ = [
    "Additive",
    "AdditiveParams",
    "Attention",
    "AttentionDecoder",
    "AttentionDecoderParams",
    "AttentionDecoderState",
    "AttentionPooling",
    "AttentionPoolingParams",
    "Memory",
    "Multiplicative",
    "MultiplicativeParams",
]
