"""Voices: what sounds next, drawn so that there are so many of them, each in its range and none across another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxgru.data.rolls import Roll

MOST = 8

Ranges = list[list[int]]  # of each voice, the highest first, its lowest and its highest key


def ranges_of(rolls: Sequence[Roll]) -> list[Ranges]:
    """The range of each voice in pieces of one voice, of two, and so on up to eight.

    Where n keys sound at once, the highest of them is the first of n voices, the next one the second.

    Args:
      rolls: (T, K) of 0 and 1.

    Returns:
      For each n the n ranges, [lowest, highest]; nothing where n keys never sound at once.

    Example:
      >>> ranges_of([np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0]])])[:3]
      [[], [[2, 2], [0, 1]], []]
    """
    steps = np.unique(np.concatenate(rolls), axis=0)
    found: list[Ranges] = []
    for n in range(1, MOST + 1):
        keys = np.nonzero(steps[steps.sum(1) == n])[1].reshape(-1, n)[:, ::-1]
        found.append([[int(of.min()), int(of.max())] for of in keys.T] if len(keys) else [])
    return found


def draw_voices(
    logits: jax.Array, ranges: jax.Array, temperature: float | jax.Array, key: jax.Array
) -> jax.Array:
    """The key of each voice, drawn exactly from what the model says, given that these voices sound and no more.

        P(k_1 > … > k_V) ∝ exp((ℓ_{k_1} + … + ℓ_{k_V}) / τ),    low_v ≤ k_v ≤ high_v

    A model that gives each key k by itself the odds exp ℓ_k gives a set of keys that sound, and no others,
    a probability in proportion to the product of their odds: the above is this, at the temperature τ, among the
    sets that are voices. Two voices never meet on one key: that would be fewer keys, which cost less. With the sums
    over the lower voices,

        s_V(k) = ℓ_k / τ        s_v(k) = ℓ_k / τ + log Σ_{j < k} exp s_{v+1}(j)

    and s_v = −∞ out of the voice's range, the voices are drawn from the highest to the lowest, P(k_v) ∝ exp s_v(k_v)
    below the one before: V · K terms in place of K^V choices.

    Args:
      logits: (K,), ℓ.
      ranges: (V, 2) ints, the lowest and highest key of each voice, the highest voice first. Both the lows and
        the highs go down from one voice to the next.
      temperature: τ, above 0.
      key: decides what is drawn.

    Returns:
      (V,) ints, from the highest voice down.

    Example:
      >>> ranges = jnp.array([[2, 4], [0, 3]])
      >>> draw_voices(jnp.array([0.0, 9, 0, 0, 9]), ranges, 0.1, jax.random.key(0))
      Array([4, 1], dtype=int32)
    """
    count = jnp.arange(len(logits))
    scaled = logits / temperature
    inside = (ranges[:, :1] <= count) & (count <= ranges[:, 1:])
    sums = [jnp.where(inside[-1], scaled, -jnp.inf)]
    for within in inside[-2::-1]:
        lower = jnp.concatenate([jnp.array([-jnp.inf]), jax.lax.cumlogsumexp(sums[0])[:-1]])
        sums.insert(0, jnp.where(within, scaled + lower, -jnp.inf))
    drawn: list[jax.Array] = []
    for of, own in zip(sums, jax.random.split(key, len(sums)), strict=True):
        below = count < drawn[-1] if drawn else True
        drawn.append(jax.random.categorical(own, jnp.where(below, of, -jnp.inf)).astype(jnp.int32))
    return jnp.stack(drawn)


def draw_free(logits: jax.Array, temperature: float | jax.Array, key: jax.Array) -> jax.Array:
    """Whether each key (K,) sounds, drawn by itself: P(k) = σ(ℓ_k / τ)."""
    return jax.random.bernoulli(key, jax.nn.sigmoid(logits / temperature))
