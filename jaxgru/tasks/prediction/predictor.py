"""The model of the task `video`: a convolutional GRU reads frames, and says what the next one changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgru.nn.linen import ConvGRU
from jaxgru.training.config import option

if TYPE_CHECKING:
    from jaxgru.training.task import PyTree


@dataclass(frozen=True)
class Model:
    """The table [model]: layers of a convolutional GRU over patches of the frames."""

    hidden_size: int = option(24, "channels of each layer", at_least=1, at_most=4096)
    layers: int = option(2, "convolutional GRU layers", at_least=1, at_most=16)
    kernel_size: int = option(3, "places that each side of a kernel sees", at_least=1, at_most=31)
    patch: int = option(
        2, "pixels of each side of a patch, which is one place of the grid", at_least=1, at_most=16
    )
    closed: int = option(
        1,
        "frames that training predicts in a closed loop; 1: each from those that came",
        at_least=1,
        at_most=1000,
    )


class Scale(NamedTuple):
    """How the network sees frames: the mean and the deviation of pixels, and how much one changes in a step."""

    mean: float
    deviation: float
    change: float


class Predictor(nn.Module):
    """Frames in, and for each the frame that is next.

        predicted_t = x_t + change · conv(GRU(patches of x_t, x_t − x_{t−1}, and the state before))

    The last convolution starts at zero, and the model therefore with a copy of the frame it reads.

    Args:
      options: the sizes.
      scale: of the training frames.
    """

    options: Model
    scale: Scale

    @nn.compact
    def __call__(
        self, frames: jax.Array, carry: PyTree = None, before: jax.Array | None = None
    ) -> tuple[jax.Array, PyTree]:
        """Read (B, T, H, W), T ≥ 1, and predict (B, T, H, W), each after the frames up to its own.

        Args:
          frames: H and W are multiples of a patch.
          carry: the state that an earlier call returned; None before the first.
          before: (B, H, W), the last frame that it read; without one the first stands still.

        Returns:
          The predictions, and the state.
        """
        options, (mean, deviation, change) = self.options, self.scale
        first = frames[:, 0] if before is None else before
        changes = jnp.diff(frames, axis=1, prepend=first[:, None])
        seen = jnp.stack([(frames - mean) / deviation, changes / change], -1)
        carry, ys = ConvGRU(
            options.hidden_size, num_layers=options.layers, kernel_size=(options.kernel_size,) * 2
        )(to_patches(seen, options.patch), carry, return_carry=True)
        out = nn.Conv(options.patch**2, (3, 3), kernel_init=nn.initializers.zeros)(ys)
        return frames + change * to_pixels(out, options.patch)[..., 0], carry


def to_patches(pixels: jax.Array, side: int) -> jax.Array:
    """Pixels (…, H, W, C) as a grid of patches, (…, H / side, W / side, side² C)."""
    *lead, height, width, channels = pixels.shape
    grid = pixels.reshape(*lead, height // side, side, width // side, side, channels)
    return grid.swapaxes(-4, -3).reshape(*lead, height // side, width // side, side**2 * channels)


def to_pixels(patches: jax.Array, side: int) -> jax.Array:
    """The way back.

    Example:
      >>> pixels = jax.random.normal(jax.random.key(0), (3, 4, 6, 2))
      >>> patches = to_patches(pixels, 2)
      >>> patches.shape, bool((to_pixels(patches, 2) == pixels).all())
      ((3, 2, 3, 8), True)
    """
    *lead, height, width, channels = patches.shape
    pixels = patches.reshape(*lead, height, width, side, side, channels // side**2)
    return pixels.swapaxes(-4, -3).reshape(*lead, height * side, width * side, channels // side**2)


def apply(
    model: Predictor, params: PyTree, frames: jax.Array, carry: PyTree = None, before: jax.Array | None = None
) -> tuple[jax.Array, PyTree]:
    """The predictions (B, T, H, W) of a model, and its state."""
    return model.apply(params, frames, carry, before)


def foretell(model: Predictor, params: PyTree, frames: jax.Array, steps: int) -> jax.Array:
    """What follows each of the frames, and, after the last, what follows what the model said itself.

    Args:
      model: with its parameters.
      params: its parameters.
      frames: (B, T, H, W), which it reads.
      steps: how many frames are said after the last one that is read; of these it reads all but the last.

    Returns:
      (B, T − 1 + steps, H, W), the predictions of frames 1, 2, …, counted from that of `frames` which is 0.
    """

    def go_on(known: tuple[jax.Array, jax.Array, PyTree], _: None) -> tuple[PyTree, jax.Array]:
        before, last, carry = known
        said, carry = apply(model, params, last[:, None], carry, before)
        return (last, said[:, 0], carry), said[:, 0]

    said, carry = apply(model, params, frames)
    _, more = jax.lax.scan(go_on, (frames[:, -1], said[:, -1], carry), length=steps - 1)
    return jnp.concatenate([said, more.swapaxes(0, 1)], 1)
