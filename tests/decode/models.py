"""Small models over tokens, and what exhaustive search, plain beam search and plain loops find in them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import jaxgru
from jaxgru import GRU, LSTM, Stack
from jaxgru.nn import linen

if TYPE_CHECKING:
    from collections.abc import Iterator

V, WIDTH = 6, 4


@dataclass(frozen=True)
class Language:
    """A language model around a recurrent one, with one table for tokens at both ends."""

    net: Any

    def init(self, key: jax.Array) -> dict[str, Any]:
        table = jax.random.normal(key, (V, WIDTH))
        return {"net": self.net.init(jax.random.fold_in(key, 1)), "embedding": table}

    def initial_state(self, batch: tuple[int, ...]) -> Any:
        return self.net.initial_state(batch)

    def step(self, params: Any, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        state, y = self.net.step(params["net"], state, params["embedding"][tokens])
        return state, 3 * y @ params["embedding"].T

    @partial(jax.jit, static_argnums=0)
    def log_probs(self, params: Any, prompt: jax.Array, tokens: jax.Array) -> jax.Array:
        """Of each token (N, *B) after a prompt (P, *B), by one scan over both."""
        read = jnp.concatenate([prompt, tokens])
        _, ys = jaxgru.scan(self.net, params["net"], params["embedding"][read[:-1]])
        expected = jax.nn.log_softmax(3 * ys @ params["embedding"].T)[len(prompt) - 1 :]
        return jnp.take_along_axis(expected, tokens[..., None], -1)[..., 0]


class Written(nn.Module):
    """A language model of Flax: an embedding, a jaxgru GRU, a projection."""

    @nn.compact
    def __call__(self, tokens: jax.Array, carry: Any = None) -> tuple[Any, jax.Array]:
        xs = nn.Embed(V, WIDTH)(tokens)
        carry, ys = linen.GRU(WIDTH, time_major=True, return_carry=True)(xs, carry)
        return carry, 3 * nn.Dense(V)(ys)


@dataclass(frozen=True)
class Flax:
    """The step of a Flax module, which reads sequences."""

    module: nn.Module

    def init(self, key: jax.Array) -> Any:
        return self.module.init(key, jnp.zeros((1, 1), jnp.int32))

    def initial_state(self, batch: tuple[int, ...]) -> Any:
        tokens = jnp.zeros((1, *batch), jnp.int32)
        (carry, _), _ = jax.eval_shape(self.module.init_with_output, jax.random.key(0), tokens)
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), carry)

    def step(self, params: Any, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        state, logits = self.module.apply(params, tokens[None], state)
        return state, logits[0]

    @partial(jax.jit, static_argnums=0)
    def log_probs(self, params: Any, prompt: jax.Array, tokens: jax.Array) -> jax.Array:
        _, logits = self.module.apply(params, jnp.concatenate([prompt, tokens])[:-1])
        expected = jax.nn.log_softmax(logits)[len(prompt) - 1 :]
        return jnp.take_along_axis(expected, tokens[..., None], -1)[..., 0]


STACK = Language(Stack([GRU(WIDTH, 5), GRU(5, WIDTH)]))
MODELS = {"stack": STACK, "lstm": Language(LSTM(WIDTH, WIDTH)), "flax": Flax(Written())}


def chain(odds: jax.Array, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
    """What follows depends on the last token alone, by odds (V, V)."""
    return state, jnp.log(odds)[tokens]


def tree(logits: jax.Array, state: tuple[Any, Any], tokens: jax.Array) -> tuple[tuple[Any, Any], jax.Array]:
    """What follows is drawn anew for all that was read: logits (rows, nodes, V), state the row and the node."""
    row, node = state
    node = node * logits.shape[-1] + tokens + 1
    return (row, node), logits[row, node]


def forest(rows: int, size: int, steps: int, seed: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The logits of `tree` and its state before a prompt of one token, which is 0."""
    nodes = sum(size**depth for depth in range(steps + 2))
    logits = np.random.default_rng(seed).normal(0, 1.5, (rows, nodes, size)).astype(np.float32)
    return logits, (np.arange(rows, dtype=np.int32), np.zeros(rows, np.int32))


class Sequence(NamedTuple):
    """One sequence that was found, best first when sorted."""

    score: float
    log_prob: float
    tokens: tuple[int, ...]


def branches(logits: np.ndarray, tokens: tuple[int, ...]) -> np.ndarray:
    """The log-probabilities of what follows the prompt 0 and some tokens, in float64, of one row of a forest."""
    node, size = 0, logits.shape[-1]
    for token in (0, *tokens):
        node = node * size + token + 1
    wide = logits[node].astype(np.float64)
    return wide - np.logaddexp.reduce(wide)


def exhaustive(logits: np.ndarray, steps: int, end: int | None, penalty: float) -> list[Sequence]:
    """Every sequence there is, best first."""

    def grow(tokens: tuple[int, ...], log_prob: float) -> Iterator[Sequence]:
        if len(tokens) == steps or (tokens and tokens[-1] == end):
            yield Sequence(log_prob / ((5 + len(tokens)) / 6) ** penalty, log_prob, tokens)
            return
        for token, more in enumerate(branches(logits, tokens)):
            yield from grow((*tokens, token), log_prob + more)

    return sorted(grow((), 0.0), reverse=True)


def plain_beam_search(
    logits: np.ndarray, steps: int, beams: int, end: int | None, penalty: float
) -> list[Sequence]:
    """Beam search that goes on to the last step, whatever it has found."""
    live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    found: list[Sequence] = []
    for length in range(1, steps + 1):
        grown = [
            (log_prob + more, (*tokens, token))
            for log_prob, tokens in live
            for token, more in enumerate(branches(logits, tokens))
        ]
        grown = sorted(grown, reverse=True)[: 2 * beams]
        divisor = ((5 + length) / 6) ** penalty
        found += [Sequence(p / divisor, p, tokens) for p, tokens in grown[:beams] if tokens[-1] == end]
        live = [candidate for candidate in grown if candidate[1][-1] != end][:beams]
    found += [Sequence(p / ((5 + steps) / 6) ** penalty, p, tokens) for p, tokens in live]
    return sorted(found, reverse=True)[:beams]


def listed(found: Any, row: int) -> list[Sequence]:
    """The sequences of one row of `Beams` with a single batch axis."""
    tokens, lengths, scores, log_probs = (np.asarray(leaf)[..., row] for leaf in found)
    return [
        Sequence(float(scores[k]), float(log_probs[k]), tuple(map(int, tokens[k, : lengths[k]])))
        for k in itertools.takewhile(lambda k: lengths[k] > 0, range(len(lengths)))
    ]
