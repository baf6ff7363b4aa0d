"""The model of the task `digits`: an image as a sequence, GRU layers, the logits of the classes after each step."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.cells.gru import GRU
from jaxgru.cells.initializers import Chrono
from jaxgru.layers.stack import Stack
from jaxgru.recurrence.scan import scan
from jaxgru.training.config import option

ORDERS = ("rows", "pixels", "permuted")
PERMUTATION = 20_260_302  # what the order of permuted pixels is drawn from, whatever the seed of a run


@dataclass(frozen=True)
class Model:
    """The table [model]: GRU layers, what becomes of their outputs, and what training does to an image."""

    hidden_size: int = option(64, "units of each GRU layer", at_least=1, at_most=65536)
    layers: int = option(2, "GRU layers, one above the other", at_least=1, at_most=64)
    pooling: str = option(
        "last", "what tells the class: the last output, or the mean of all", choices=("last", "mean")
    )
    chrono: int = option(
        0, "gates start for dependencies of up to so many steps; 0: they do not", at_least=0, at_most=1 << 20
    )
    dropout: float = option(
        0.2, "the share of a layer's outputs that training leaves out", at_least=0, below=1
    )
    shift: float = option(0.0, "by how many pixels training moves an image, at most", at_least=0, at_most=64)
    turn: float = option(0.0, "by how many degrees training turns an image, at most", at_least=0, at_most=180)
    stretch: float = option(
        0.0,
        "by what share training stretches or presses an image each way, at most",
        at_least=0,
        at_most=1,
    )
    label_smoothing: float = option(
        0.0, "how much of a label is shared among all classes", at_least=0, below=1
    )

    def __post_init__(self) -> None:
        """Refuse what `Chrono` would."""
        if self.chrono in {1, 2}:
            raise ValueError(f"chrono should be 0, or 3 or more, got {self.chrono}")


class ImageReader(nn.Module):
    """Images in, the logits of the classes out: GRU layers over rows or pixels, projection.

    Args:
      classes: how many there are.
      order: in which an image is read, one of `ORDERS`.
      options: the sizes, the dropout, and what training does to an image.
    """

    classes: int
    order: str
    options: Model

    @nn.compact
    def __call__(self, images: jax.Array, *, deterministic: bool = True, every: bool = False) -> jax.Array:
        """Take images (B, H, W) to logits (B, classes); if `every`, to those after each step, (T, B, classes)."""
        options, noise = self.options, None
        if not deterministic:
            noise, how = jax.random.split(self.make_rng("dropout"))
            images = distorted(how, images, options.shift, options.turn, options.stretch)
        xs = sequences(images, self.order)
        init: Any = Chrono(options.chrono) if options.chrono else "uniform"
        sizes = [xs.shape[-1], *[options.hidden_size] * options.layers]
        cells = [GRU(below, H, init=init) for below, H in itertools.pairwise(sizes)]
        net = Stack(cells, dropout=options.dropout)
        _, ys = scan(net, self.param("gru", net.init), xs, key=noise)
        if options.pooling == "mean":
            ys = jnp.cumsum(ys, axis=0) / jnp.arange(1, len(ys) + 1)[:, None, None]
        read = nn.Dropout(options.dropout)(ys if every else ys[-1], deterministic=deterministic)
        return nn.Dense(self.classes)(read)


def permutation(count: int) -> npt.NDArray[np.int64]:
    """In which order the pixels (H · W,) of an image are read where they are permuted, always the same.

    Example:
      >>> permutation(4)
      array([2, 3, 0, 1])
    """
    return np.random.default_rng(PERMUTATION).permutation(count)


def steps(height: int, width: int, order: str) -> int:
    """How many steps it takes to read an image."""
    return height if order == "rows" else height * width


def sequences(images: jax.Array, order: str) -> jax.Array:
    """Images (B, H, W) as what is read of them step by step: rows (H, B, W), or pixels (H · W, B, 1).

    Example:
      >>> sequences(jnp.arange(12).reshape(2, 2, 3), "rows")[:, 0]
      Array([[0, 1, 2],
             [3, 4, 5]], dtype=int32)
      >>> sequences(jnp.arange(12).reshape(2, 2, 3), "pixels")[:, 1, 0]
      Array([ 6,  7,  8,  9, 10, 11], dtype=int32)
    """
    if order == "rows":
        return images.swapaxes(0, 1)
    pixels = images.reshape(len(images), -1).T[..., None]
    return pixels[permutation(len(pixels))] if order == "permuted" else pixels


def distorted(key: jax.Array, images: jax.Array, shift: float, turn: float, stretch: float) -> jax.Array:
    """Images (B, H, W), each moved, turned and stretched by as much as the key says; the rim goes on beyond the image.

    Args:
      key: a PRNG key.
      images: (B, H, W).
      shift: pixels, at most, along each axis.
      turn: degrees, at most.
      stretch: each axis is stretched or pressed by a factor of up to 1 + stretch.
    """
    if not (shift or turn or stretch):
        return images
    count, *size = images.shape
    moving, turning, stretching = jax.random.split(key, 3)
    middle = (jnp.array(size) - 1) / 2
    moves = shift * jax.random.uniform(moving, (count, 2), minval=-1, maxval=1)
    angles = jnp.deg2rad(turn) * jax.random.uniform(turning, (count,), minval=-1, maxval=1)
    factors = (1 + stretch) ** jax.random.uniform(stretching, (count, 2), minval=-1, maxval=1)
    grid = jnp.stack(jnp.meshgrid(*map(jnp.arange, size), indexing="ij")).reshape(2, -1)

    def one(image: jax.Array, move: jax.Array, angle: jax.Array, factor: jax.Array) -> jax.Array:
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        turned = jnp.array([[cos, -sin], [sin, cos]]) @ (grid - (middle + move)[:, None])
        places = turned / factor[:, None] + middle[:, None]
        return jax.scipy.ndimage.map_coordinates(image, [*places], order=1, mode="nearest").reshape(
            image.shape
        )

    return jax.vmap(one)(images, moves, angles, factors)
