"""Beam search: the best of many sequences, several of which are followed at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgru import checks
from jaxgru.decode import arguments
from jaxgru.decode.steps import advance, keep, read
from jaxgru.recurrence.marks import along

if TYPE_CHECKING:
    from jaxgru.decode.arguments import Start
    from jaxgru.decode.steps import Step, Steps

PyTree = Any


class Beams(NamedTuple):
    """The best sequences found, best first.

    Attributes:
      tokens: (K, steps, *B) int32; past a sequence's length they are `end`, or 0 without one.
      lengths: (K, *B) int32, the end token among them; 0 where there are fewer than K sequences.
      scores: (K, *B), the log-probability over the penalty of the length; −inf where there is no sequence.
      log_probs: (K, *B), the sum over a sequence of the model's log-softmax; −inf where there is no sequence.
    """

    tokens: Array
    lengths: Array
    scores: Array
    log_probs: Array


def beam_search(
    model: Steps | Step,
    params: PyTree,
    state: PyTree,
    prompt: Array,
    *,
    steps: int,
    beams: int,
    length_penalty: float | Array = 0.0,
    end: int | None = None,
    lengths: Array | None = None,
) -> Beams:
    """Follows the K likeliest beginnings, and returns the K best sequences that it meets.

        score = log p(tokens) / ((5 + length) / 6) ^ length_penalty

    At each step the 2K likeliest continuations of the live beams are looked at. Those that end, if they are among
    the first K, are sequences found, of which the K best are kept; the K likeliest of the others live on. A row is
    done when no live beam can still come before the last of its K sequences, whatever follows; and the loop ends when
    all rows are. What lives after the last step counts as found.

    Args:
      model: as in `greedy`. Beams are one more axis of its tokens and state, by `jax.vmap`, and none of params.
      params: what does not change from step to step; it is not copied for each beam.
      state: before the prompt, leaves (*B, …).
      prompt: (P, *B) int, P ≥ 1.
      steps: how many tokens a sequence has at most.
      beams: K, how many sequences are followed, kept and returned.
      length_penalty: a number in [-10, 10]: above 0 favours long sequences, below 0 short ones. It may be traced, and
        other values compile nothing. It matters only with an `end`, as all are equally long without.
      end: the token that ends a sequence, in [0, V); None if there is none.
      lengths: (*B,) int in [1, P], of each row's prompt, as in `greedy`; None means P.

    Returns:
      A `Beams`.

    Raises:
      TypeError, ValueError: as in `greedy`; a vocabulary of fewer than 2 tokens.

    Example:
      >>> odds = jnp.array([[0.0, 0.6, 0.4], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
      >>> def step(odds, state, tokens):  # a chain: what follows depends on the last token alone
      ...     return state, jnp.log(odds)[tokens]
      >>> found = beam_search(step, odds, (), jnp.array([0]), steps=2, beams=2, end=0)
      >>> found.tokens  # greedy would have begun with 1
      Array([[2, 0],
             [1, 0]], dtype=int32)
      >>> [round(float(p), 2) for p in jnp.exp(found.log_probs)]
      [0.4, 0.3]

    Cost: P − 1 steps of the model, then at most `steps` for K rows in place of one; each sorts out 2K of K·V
      candidates, and copies K states and twice K sequences.

    References: Wu et al. 2016 (arXiv:1609.08144), the penalty; Ott et al. 2019 (fairseq, arXiv:1904.01038), the
      rule for continuations that end.

    Differs from: fairseq, which stops at K sequences found, and Transformers with early_stopping=True: here one
      more is found if it is better. With one beam the result is greedy's, unless length_penalty is above 0.
    """
    begin, end, size = arguments.start(model, params, state, prompt, lengths, end)
    steps, beams = checks.size("steps", steps), checks.size("beams", beams)
    penalty = arguments.length_penalty(length_penalty)
    if size < 2:
        raise ValueError(f"the logits of step must be of 2 tokens at least for beam_search, got {size}")
    return _search(model, steps, beams, end, begin, penalty)


class _Rows(NamedTuple):
    """What is known of each row while its beams grow.

    Attributes:
      state: leaves (K, *B, …), before the last token of each live beam.
      token: (K, *B), that token.
      live: (K, *B), log-probabilities; −inf is no beam.
      tokens: (K, *B, steps), what the live beams wrote.
      found: the K best sequences that ended, with tokens (K, *B, steps).
    """

    state: PyTree
    token: Array
    live: Array
    tokens: Array
    found: Beams


class _Search(NamedTuple):
    """What the loop carries: how many tokens are written, the rows, and which of them are done, (*B,)."""

    written: Array
    rows: _Rows
    done: Array


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _search(
    model: Steps | Step, steps: int, beams: int, end: int | None, start: Start, penalty: Array
) -> Beams:
    step = jax.vmap(partial(advance, model, start.params), out_axes=(0, -2))

    def go_on(now: _Search) -> Array:
        return (now.written < steps) & ~now.done.all()

    def extend(now: _Search) -> _Search:
        state, logits = step(now.rows.state, now.rows.token)
        rows = _grown(now.rows._replace(state=state), logits, now.written, end, penalty)
        # A log-probability can only fall, so that the best score within reach is at the next length or at the last.
        lengths = (now.written + 2, jnp.int32(steps))
        hope = jnp.maximum(*(_score(rows.live.max(0), length, penalty) for length in lengths))
        done = now.done | (hope <= rows.found.scores[-1])
        # Nothing better than by rounding can come in a row that is done: kept, so that other rows do not matter to it.
        rows = rows._replace(found=keep(~now.done[None], rows.found, now.rows.found))
        return _Search(now.written + 1, rows, done)

    first = _first(model, steps, beams, end, start)
    _, rows, done = lax.while_loop(go_on, extend, first)
    live = jnp.where(done, -jnp.inf, rows.live)
    found = _best(rows.found, _sequences(rows.tokens, live, jnp.int32(steps), penalty, end))
    return found._replace(tokens=jnp.moveaxis(found.tokens, -1, 1))


def _first(model: Steps | Step, steps: int, beams: int, end: int | None, start: Start) -> _Search:
    """K beams that are alike, one of them alive, and nothing found."""
    state, token = read(model, start.params, start.state, start.prompt, start.lengths)
    _, logits = jax.eval_shape(partial(advance, model), start.params, state, token)
    state, token = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (beams, *leaf.shape)), (state, token))
    none = jnp.full(token.shape, -jnp.inf, logits.dtype)
    tokens = jnp.full((*token.shape, steps), end or 0, jnp.int32)
    found = Beams(tokens, jnp.zeros(token.shape, jnp.int32), none, none)
    rows = _Rows(state, token, none.at[0].set(0), tokens, found)
    return _Search(jnp.int32(0), rows, jnp.zeros(token.shape[1:], bool))


def _grown(rows: _Rows, logits: Array, at: Array, end: int | None, penalty: Array) -> _Rows:
    """Beams with one more token, whose state is already that after the last one, and what is found thereby."""
    beams, found = len(rows.live), rows.found
    parent, token, live = _continuations(rows.live, logits, beams if end is None else 2 * beams)
    if end is not None:
        ends = token == end
        ended = _take(rows.tokens, parent[:beams]).at[..., at].set(end)
        ended_live = jnp.where(ends[:beams], live[:beams], -jnp.inf)
        found = _best(found, _sequences(ended, ended_live, at + 1, penalty, end))
        # Each beam has one continuation that ends, so that K others are left.
        order = jnp.argsort(ends, axis=0, stable=True)[:beams]
        parent, token, live = (_take(leaf, order) for leaf in (parent, token, live))
    tokens = _take(rows.tokens, parent).at[..., at].set(token)
    state = jax.tree.map(lambda leaf: _take(leaf, parent), rows.state)
    return _Rows(state, token, live, tokens, found)


def _continuations(live: Array, logits: Array, count: int) -> tuple[Array, Array, Array]:
    """The likeliest continuations of live beams (K, *B) by logits (*B, K, V), best first.

    Returns:
      parent, token, log-probability: (count, *B).
    """
    log_probs = jax.nn.log_softmax(logits) + jnp.moveaxis(live, 0, -1)[..., None]
    *batch, beams, size = log_probs.shape
    best, index = lax.top_k(log_probs.reshape(*batch, beams * size), count)
    best, index = (jnp.moveaxis(leaf, -1, 0) for leaf in (best, index))
    return index // size, index % size, best


def _score(log_probs: Array, length: Array, penalty: Array) -> Array:
    base = (5 + length.astype(log_probs.dtype)) / 6
    return log_probs / base ** penalty.astype(log_probs.dtype)


def _sequences(tokens: Array, log_probs: Array, length: Array, penalty: Array, end: int | None) -> Beams:
    """Sequences (K, *B, steps) of one length; those of log-probability −inf are none."""
    there = log_probs > -jnp.inf
    tokens = jnp.where(along(there, tokens), tokens, end or 0)
    return Beams(tokens, jnp.where(there, length, 0), _score(log_probs, length, penalty), log_probs)


def _best(found: Beams, more: Beams) -> Beams:
    """The K best of twice as many, best first; what was found earlier stands before its equals."""
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), found, more)
    _, order = lax.top_k(jnp.moveaxis(both.scores, 0, -1), len(found.scores))
    return jax.tree.map(lambda leaf: _take(leaf, jnp.moveaxis(order, -1, 0)), both)


def _take(leaf: Array, order: Array) -> Array:
    """Parts (N, *B, …) of a leaf along its first axis, as an order (K, *B) names them for each row."""
    return jnp.take_along_axis(leaf, along(order, leaf), axis=0)
