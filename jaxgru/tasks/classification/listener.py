"""The model of the task `speech`: GRU layers over frames, pooled over time, and the logits of the classes."""

from __future__ import annotations

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgru.layers import pooling
from jaxgru.layers.attention.pooling import AttentionPooling, AttentionPoolingParams
from jaxgru.nn.linen import GRU
from jaxgru.training.config import option


@dataclass(frozen=True)
class Model:
    """The table [model]: noise and gaps in training, GRU layers, pooling, a projection."""

    centre: bool = option(False, "whether each channel is told from its mean over the utterance")
    hidden_size: int = option(64, "units of each GRU layer, in each direction", at_least=1, at_most=65536)
    layers: int = option(1, "GRU layers, one above the other", at_least=1, at_most=64)
    bidirectional: bool = option(True, "whether each layer reads from the end as well")
    pooling: str = option(
        "attention", "what becomes of the outputs of all frames", choices=("attention", "mean", "last")
    )
    attention_size: int = option(32, "units that weigh the frames", at_least=1, at_most=65536)
    dropout: float = option(
        0.3, "the share of a layer's outputs that training leaves out", at_least=0, below=1
    )
    noise: float = option(
        0.4, "the deviation of the noise on the scaled frames, in training", at_least=0, at_most=100
    )
    mask: float = option(
        0.3, "the longest gap that training cuts, as a share of an utterance", at_least=0, at_most=1
    )
    shift: int = option(
        0, "by how many channels training moves an utterance up or down, at most", at_least=0, at_most=512
    )
    stretch: float = option(
        0.0, "by what share training slows or hurries an utterance, at most", at_least=0, at_most=1
    )
    label_smoothing: float = option(
        0.1, "how much of a label is shared among all classes", at_least=0, below=1
    )


class Listener(nn.Module):
    """Frames in, the logits of the classes out: GRU, pooling over time, projection.

    Args:
      classes: how many there are.
      options: the sizes and the dropout.
    """

    classes: int
    options: Model

    @nn.compact
    def __call__(
        self, frames: jax.Array, lengths: jax.Array, *, deterministic: bool = True
    ) -> tuple[jax.Array, jax.Array]:
        """Take frames (T, B, C) and lengths (B,) to logits (B, classes) and each frame's share in them (B, T)."""
        options = self.options
        if options.centre:
            frames -= pooling.mean(frames, lengths)
        if not deterministic:
            key = self.make_rng("dropout")
            if options.stretch:
                frames, lengths = stretched(jax.random.fold_in(key, 2), frames, lengths, options.stretch)
            frames = disturb(key, frames, lengths, options.noise, options.mask)
            frames = moved(jax.random.fold_in(key, 1), frames, options.shift) if options.shift else frames
        gru = GRU(
            options.hidden_size,
            num_layers=options.layers,
            bidirectional=options.bidirectional,
            dropout=options.dropout,
            time_major=True,
        )
        ys = gru(frames, lengths=lengths, deterministic=deterministic)
        if options.pooling == "attention":
            head = AttentionPooling(ys.shape[-1], options.attention_size)
            params = self.param("attention", lambda key: head.init(key)._asdict())
            pooled, weights = head.pool(AttentionPoolingParams(**params), ys, lengths)
        else:
            weights = shares(lengths, len(ys), options)
            ends = pooling.last(ys, lengths)
            if options.bidirectional:  # what reads from the end has read all at the first frame
                ends = jnp.concatenate([ends[:, : options.hidden_size], ys[0, :, options.hidden_size :]], 1)
            pooled = pooling.mean(ys, lengths) if options.pooling == "mean" else ends
        pooled = nn.Dropout(options.dropout)(pooled, deterministic=deterministic)
        return nn.Dense(self.classes)(pooled), weights


def shares(lengths: jax.Array, steps: int, options: Model) -> jax.Array:
    """The share (B, T) of each frame's output in what is pooled without attention."""
    frames, ends = jnp.arange(steps), lengths[:, None]
    if options.pooling == "mean":
        return jnp.where(frames < ends, 1 / jnp.maximum(ends, 1), 0)
    last = (frames == ends - 1).astype(jnp.float32)
    first = ((frames == 0) & (ends > 0)).astype(jnp.float32)
    return (last + first) / 2 if options.bidirectional else last


def disturb(key: jax.Array, frames: jax.Array, lengths: jax.Array, noise: float, mask: float) -> jax.Array:
    """Frames (T, B, C) with noise, and of each row one stretch without anything: zero, the mean of each channel.

    The stretch lasts up to a share `mask` of the row, and begins anywhere in it.
    """
    grain, begins, lasts = jax.random.split(key, 3)
    if noise:
        frames += noise * jax.random.normal(grain, frames.shape)
    if mask:
        start = jnp.floor(jax.random.uniform(begins, lengths.shape) * lengths)
        end = start + jax.random.uniform(lasts, lengths.shape) * mask * lengths
        places = jnp.arange(len(frames))[:, None]
        frames = jnp.where(((start <= places) & (places < end))[..., None], 0, frames)
    return frames


def moved(key: jax.Array, frames: jax.Array, most: int) -> jax.Array:
    """Frames (T, B, C), of each row the channels moved up or down by up to `most`; those at the ends stand in for none.

    For bands of sound: another voice has the same word a little higher or lower.
    """
    _, rows, channels = frames.shape
    by = jax.random.randint(key, (rows, 1), -most, most + 1)
    places = jnp.clip(jnp.arange(channels) + by, 0, channels - 1)
    return jnp.take_along_axis(frames, places[None], axis=2)


def stretched(
    key: jax.Array, frames: jax.Array, lengths: jax.Array, most: float
) -> tuple[jax.Array, jax.Array]:
    """Frames (T, B, C) said faster or slower, each row by a factor of up to 1 + `most`, and their lengths (B,).

    What is then longer than T is cut.
    """
    pace = (1 + most) ** jax.random.uniform(key, lengths.shape, minval=-1, maxval=1)
    steps = jnp.round(jnp.arange(len(frames))[:, None] * pace).astype(jnp.int32)
    places = jnp.clip(steps, 0, jnp.maximum(lengths - 1, 0))
    lasts = jnp.clip(jnp.round(lengths / pace).astype(jnp.int32), jnp.minimum(lengths, 1), len(frames))
    return jnp.take_along_axis(frames, places[..., None], axis=0), lasts
