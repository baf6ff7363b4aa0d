"""The model of the task `forecast`: a GRU reads the past, another writes the steps to come, each with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgru.nn.linen import GRU
from jaxgru.training.config import option

if TYPE_CHECKING:
    from jaxgru.training.task import PyTree

LEAST = 1e-3  # the smallest deviation of a Gaussian, of scaled values: its density stays within bounds


@dataclass(frozen=True)
class Model:
    """The table [model]: GRU layers that read, GRU layers that write, a distribution of each step."""

    hidden_size: int = option(32, "units of each GRU layer", at_least=1, at_most=65536)
    layers: int = option(1, "GRU layers that read, and as many that write", at_least=1, at_most=64)
    linear: int = option(
        0, "values up to the origin, of the window, that a linear layer reads beside the GRU", at_least=0
    )
    dropout: float = option(
        0.1, "the share of a layer's outputs that training leaves out", at_least=0, below=1
    )
    head: str = option(
        "quantile",
        "what is said of each step: a median with quantiles, or a mean with a deviation",
        choices=("quantile", "gaussian"),
    )
    interval: float = option(0.8, "the share of the values that an interval should hold", above=0, below=1)
    calibrate: bool = option(True, "whether the validation part stretches the intervals of the test part")


class Forecaster(nn.Module):
    """A past window in, three quantiles of each step of the horizon out.

    Args:
      horizon: steps to forecast.
      options: the sizes, the dropout and the head.
    """

    horizon: int
    options: Model

    @nn.compact
    def __call__(self, past: jax.Array, future: jax.Array, *, deterministic: bool = True) -> jax.Array:
        """Take past (T, B, I), the target first, and future (horizon, B, F) to outputs (horizon, B, 3).

        These are the middle, and two numbers that `spread` makes an interval of.
        """
        options = self.options
        reader, writer = (
            GRU(options.hidden_size, num_layers=options.layers, dropout=options.dropout, time_major=True)
            for _ in range(2)
        )
        carry, _ = reader(past, deterministic=deterministic, return_carry=True)
        ys = writer(future, carry, deterministic=deterministic)
        ys = nn.Dropout(options.dropout)(ys, deterministic=deterministic)
        out = nn.Dense(3)(ys)
        if options.linear:
            middle = nn.Dense(self.horizon, kernel_init=nn.initializers.zeros)(
                past[-options.linear :, :, 0].T
            )
            out = out.at[..., 0].add(middle.T)
        return out


def quantiles(out: jax.Array, options: Model) -> jax.Array:
    """The lower end, the middle and the upper end of each interval (…, 3), which never cross.

        quantile  m − softplus(a), m, m + softplus(b)     gaussian  m − z σ, m, m + z σ

    Example:
      >>> low, middle, high = quantiles(jnp.array([1.0, 0.0, 0.0]), Model())
      >>> low < middle < high
      Array(True, dtype=bool)
    """
    middle = out[..., 0]
    if options.head == "gaussian":
        down = up = deviation(out) * NormalDist().inv_cdf((1 + options.interval) / 2)
    else:
        down, up = jax.nn.softplus(out[..., 1]), jax.nn.softplus(out[..., 2])
    return jnp.stack([middle - down, middle, middle + up], -1)


def deviation(out: jax.Array) -> jax.Array:
    """The deviation of a Gaussian head."""
    return LEAST + jax.nn.softplus(out[..., 1])


def losses(out: jax.Array, targets: jax.Array, options: Model) -> jax.Array:
    """What each step costs (…): the pinball loss of the three quantiles together, or the nats of a Gaussian.

        Σ_q max(q (y − ŷ_q), (q − 1) (y − ŷ_q))        log σ + (y − m)² / 2σ² + log √2π

    Args:
      out: (…, 3) of a `Forecaster`.
      targets: (…), scaled like them.
      options: the head and the interval.

    Example:
      >>> float(losses(jnp.array([0.0, -50.0, -50.0]), jnp.array(2.0), Model(interval=0.8)))
      3.0
    """
    if options.head == "gaussian":
        return -jax.scipy.stats.norm.logpdf(targets, out[..., 0], deviation(out))
    tail = (1 - options.interval) / 2
    levels = jnp.array([tail, 0.5, 1 - tail])
    errors = targets[..., None] - quantiles(out, options)
    return jnp.maximum(levels * errors, (levels - 1) * errors).sum(-1)


def apply(
    model: Forecaster, params: PyTree, past: jax.Array, future: jax.Array, **options: object
) -> jax.Array:
    """The outputs (horizon, B, 3) of a model."""
    return model.apply(params, past, future, **options)  # type: ignore[arg-type,return-value]
