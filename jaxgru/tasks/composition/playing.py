"""How the model of the task `music` plays: what it draws step by step, and the files that come of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgru.tasks.composition.rollmodel import apply
from jaxgru.tasks.composition.voices import draw_free, draw_voices

if TYPE_CHECKING:
    from jaxgru.data.rolls import Roll
    from jaxgru.tasks.composition.rollmodel import RollModel
    from jaxgru.tasks.composition.voices import Ranges
    from jaxgru.training.task import PyTree

CHOIR = ["soprano", "alto", "tenor", "bass"]


class Played(NamedTuple):
    """What a model plays.

    Args:
      prompt: (P, K), what it goes on with; P is 0 for a new piece.
      parts: its own, (T, K) each, by name: the voices, or all of it.
    """

    prompt: Roll
    parts: dict[str, Roll]

    @property
    def roll(self) -> Roll:
        """All that sounds, (P + T, K)."""
        return np.concatenate([self.prompt, np.maximum.reduce([*self.parts.values()])])

    @property
    def tracks(self) -> dict[str, Roll]:
        """(P + T, K) each: the prompt, if there is one, and what follows."""
        before, after = (np.zeros_like(roll) for roll in (self.prompt, next(iter(self.parts.values()))))
        tracks = {"prompt": np.concatenate([self.prompt, after])} if len(before) else {}
        return tracks | {name: np.concatenate([before, part]) for name, part in self.parts.items()}


def play(
    model: RollModel,
    params: PyTree,
    prompt: Roll,
    ranges: Ranges,
    key: jax.Array,
    *,
    length: int,
    temperature: float,
) -> Played:
    """Lets a model play after a prompt.

    Args:
      model: with its `params`.
      params: its parameters.
      prompt: (P, K), what it has heard; P may be 0.
      ranges: of the voices, as `ranges_of` gives them; nothing lets each key come as it likes.
      key: decides what is drawn.
      length: how many steps to play.
      temperature: above 0.

    Returns:
      The prompt and what follows. The same key gives the same piece.
    """
    heard = np.concatenate([np.zeros((1, model.keys), np.uint8), prompt])
    limits = jnp.array(ranges, jnp.int32) if ranges else None
    drawn = np.asarray(
        _play(model, params, heard, limits, temperature, jax.random.split(key, length)), np.uint8
    )
    return Played(prompt, {name: drawn[:, i] for i, name in enumerate(names(len(ranges)))})


@partial(jax.jit, static_argnums=0)
def _play(
    model: RollModel,
    params: PyTree,
    heard: jax.Array,
    ranges: jax.Array | None,
    temperature: float,
    keys: jax.Array,
) -> jax.Array:
    """What a model plays after (P, K): the rolls (T, V, K) of its voices, or (T, 1, K) where they have no ranges."""

    def hear(carry: PyTree, xs: jax.Array, first: int | jax.Array) -> tuple[PyTree, jax.Array]:
        carry, logits = apply(model, params, xs.astype(jnp.float32)[:, None], carry, None, first)
        return carry, logits[-1, 0]

    def advance(state: tuple[PyTree, jax.Array], now: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        (carry, logits), (step, key) = state, now
        if ranges is None:
            drawn = draw_free(logits, temperature, key)[None]
        else:
            drawn = jax.nn.one_hot(draw_voices(logits, ranges, temperature, key), model.keys, dtype=bool)
        return hear(carry, drawn.any(0)[None], step), drawn

    steps = len(heard) + jnp.arange(len(keys))
    _, drawn = jax.lax.scan(advance, hear(None, heard, 0), (steps, keys))
    return drawn


def names(voices: int) -> list[str]:
    """What so many voices are called, from the highest to the lowest; 0 is a piece as a whole.

    Example:
      >>> names(4), names(2), names(0)
      (['soprano', 'alto', 'tenor', 'bass'], ['voice 1', 'voice 2'], ['piece'])
    """
    if not voices:
        return ["piece"]
    return CHOIR if voices == len(CHOIR) else [f"voice {i + 1}" for i in range(voices)]
