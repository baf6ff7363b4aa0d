"""One token after another: the likeliest, or one that is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgru import checks
from jaxgru.decode import arguments
from jaxgru.decode.restriction import restricted
from jaxgru.decode.steps import advance, keep, read

if TYPE_CHECKING:
    from jaxgru.decode.arguments import Start
    from jaxgru.decode.steps import Step, Steps

PyTree = Any
Stop = Callable[[Array, Array], Array]


class Decoded(NamedTuple):
    """What was written.

    Attributes:
      tokens: (steps, *B) int32; past a row's length they are `end`, or 0 without one.
      lengths: (*B,) int32, how many tokens of each row were written, the end token among them.
      log_probs: (steps, *B), of each token under the model: the log-softmax of its logits, of all of them and at
        temperature 1, however the token was chosen. 0 past a row's length.
      state: what each row's state was before its last token was read.
      last: (1, *B), each row's own last token: the prompt to go on with from `state`.
    """

    tokens: Array
    lengths: Array
    log_probs: Array
    state: PyTree

    @property
    def last(self) -> Array:
        """The last token that each row wrote."""
        return jnp.take_along_axis(self.tokens, self.lengths[None] - 1, 0)


class Draw(NamedTuple):
    """How tokens are drawn; each attribute may be traced, and the last two may be None."""

    key: Array
    temperature: Array
    top_k: Array | None
    top_p: Array | None

    def choose(self, logits: Array, step: Array) -> Array:
        """Tokens (*B,) from logits (*B, V)."""
        likeliest = logits.argmax(-1)
        tiny = jnp.finfo(logits.dtype).tiny
        temperature = self.temperature.astype(logits.dtype)
        # Against the largest logit, so that a quotient overflows to −inf only; and XLA multiplies by the inverse.
        heights = logits - jnp.take_along_axis(logits, likeliest[..., None], -1)
        heights /= jnp.clip(temperature, tiny, 1 / tiny)
        kept = restricted(heights, self.top_k, self.top_p)
        drawn = jax.random.categorical(jax.random.fold_in(self.key, step), kept)
        return jnp.where(temperature > 0, drawn, likeliest)


def greedy(
    model: Steps | Step,
    params: PyTree,
    state: PyTree,
    prompt: Array,
    *,
    steps: int,
    end: int | None = None,
    stop: Stop | None = None,
    lengths: Array | None = None,
) -> Decoded:
    """Writes the likeliest token, reads it, and so on.

        state, logits = step(params, state, token)        token = argmax logits

    Of equal logits the lower token is taken. A row that has ended is left alone, and the loop ends when all have.
    That loop has no derivative in reverse.

    Args:
      model: the function step(params, state, tokens) -> (state, logits), or a value that has it as a method:
        tokens (*B,) int32 in, logits (*B, V) out. Hashable; it is compiled once for each value, so define a
        function once.
      params: what does not change from step to step (weights, a memory to attend to), any pytree of arrays.
      state: before the prompt, a pytree of arrays (*B, …); a model without state has ().
      prompt: (P, *B) int, P ≥ 1: what each row starts with.
      steps: how many tokens are written at most.
      end: the token that ends a row, in [0, V); None if there is none.
      stop: stop(tokens (steps, *B), count) -> (*B,) bool, asked after each token: where it is True, the row
        ends. `count`, which is traced, tells how many tokens there are so far; those after it are `end` or 0.
        Hashable, as the model.
      lengths: (*B,) int in [1, P], of each row's prompt, after whose last token the row goes on; None means P.
        Whatever stands in the padding. Traced lengths cannot be checked; they act as if clipped.

    Returns:
      A `Decoded`.

    Raises:
      TypeError, ValueError: an argument of another type, dtype or shape than said here, or a step that returns
        another state than it takes.

    Example:
      >>> import jaxgru
      >>> net = jaxgru.Stack([jaxgru.GRU(8, 16), jaxgru.GRU(16, 8)])
      >>> embedding = jax.random.normal(jax.random.key(0), (20, 8))
      >>> params = {"net": net.init(jax.random.key(1)), "embedding": embedding}
      >>> def step(params, state, tokens):
      ...     state, y = net.step(params["net"], state, params["embedding"][tokens])
      ...     return state, y @ params["embedding"].T
      >>> prompt = jnp.array([[3, 1], [4, 1]])
      >>> decoded = greedy(step, params, net.initial_state((2,)), prompt, steps=5, end=0)
      >>> decoded.tokens.shape, decoded.lengths.shape
      ((5, 2), (2,))

    Cost: P − 1 + max(lengths) steps of the model.

    Differs from: `generate` of Transformers, whose result begins with the prompt and has time last.
    """
    begin, end, _ = arguments.start(model, params, state, prompt, lengths, end)
    return _write(model, checks.size("steps", steps), end, _stop(stop), begin, None)


def sample(
    model: Steps | Step,
    params: PyTree,
    state: PyTree,
    prompt: Array,
    key: Array,
    *,
    steps: int,
    temperature: float | Array = 1.0,
    top_k: int | Array | None = None,
    top_p: float | Array | None = None,
    end: int | None = None,
    stop: Stop | None = None,
    lengths: Array | None = None,
) -> Decoded:
    """Draws a token from what the model expects, reads it, and so on.

        state, logits = step(params, state, token)        token ~ softmax(restrict(logits / temperature))

    First the temperature acts, then top_k, then top_p. Token t of all rows is drawn with fold_in(key, t): asked for
    more steps, the first tokens are the same. To go on from a `Decoded`, use another key.

    Args:
      model: as in `greedy`.
      params: what does not change from step to step.
      state: before the prompt, leaves (*B, …).
      prompt: (P, *B) int, P ≥ 1.
      key: a PRNG key.
      steps: how many tokens are written at most.
      temperature: a finite number of at least 0, and 0 takes the likeliest.
      top_k: draw from so many of the likeliest, as `restrict` says; None for no such limit.
      top_p: draw from the fewest of the likeliest that have this share together; None for no such limit.
        These three may be traced, and other values compile nothing (a number in place of None does). Traced ones
        cannot be checked; they act as if clipped.
      end: the token that ends a row, in [0, V); None if there is none.
      stop: stop(tokens (steps, *B), count) -> (*B,) bool, asked after each token as in `greedy`.
      lengths: (*B,) int in [1, P], of each row's prompt, as in `greedy`; None means P.

    Returns:
      A `Decoded`; its log_probs are those of the model, which knows no temperature.

    Raises:
      TypeError, ValueError: as in `greedy`, or a number outside its range.

    Example:
      >>> def step(odds, state, tokens):  # a chain: what follows depends on the last token alone
      ...     return state, jnp.log(odds)[tokens]
      >>> odds = jnp.array([[0.0, 1.0, 0.0], [0.3, 0.0, 0.7], [1.0, 0.0, 0.0]])
      >>> drawn = sample(step, odds, (), jnp.array([1]), jax.random.key(0), steps=6, top_k=1)
      >>> drawn.tokens
      Array([2, 0, 1, 2, 0, 1], dtype=int32)

    Cost: as `greedy`; top_k and top_p add one sort of V per row and step.

    References: see `restrict`.

    Differs from: `generate` of Transformers, where a limit of top_k = 50 may be set unless one says otherwise.
    """
    checks.key("key", key)
    draw = Draw(key, arguments.temperature(temperature), arguments.top_k(top_k), arguments.top_p(top_p))
    begin, end, _ = arguments.start(model, params, state, prompt, lengths, end)
    return _write(model, checks.size("steps", steps), end, _stop(stop), begin, draw)


def _stop(stop: Any) -> Stop | None:
    if stop is None:
        return None
    if not callable(stop):
        raise TypeError(f"stop must be None or a function of (tokens, count), got {stop!r}")
    checks.hashable("stop", stop)
    return stop


class _Writing(NamedTuple):
    """What the loop carries: how many tokens there are, the last one of each row, and which rows go on."""

    written: Array
    token: Array
    active: Array
    decoded: Decoded


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _write(
    model: Steps | Step, steps: int, end: int | None, stop: Stop | None, start: Start, draw: Draw | None
) -> Decoded:
    state, token = read(model, start.params, start.state, start.prompt, start.lengths)
    fill = 0 if end is None else end

    def go_on(now: _Writing) -> Array:
        return (now.written < steps) & now.active.any()

    def write(now: _Writing) -> _Writing:
        old, active, at = now.decoded, now.active, now.written
        state, logits = advance(model, start.params, old.state, now.token)
        token = (logits.argmax(-1) if draw is None else draw.choose(logits, at)).astype(jnp.int32)
        log_prob = jnp.take_along_axis(jax.nn.log_softmax(logits), token[..., None], -1)[..., 0]
        decoded = Decoded(
            tokens=old.tokens.at[at].set(jnp.where(active, token, fill)),
            lengths=old.lengths + active,
            log_probs=old.log_probs.at[at].set(jnp.where(active, log_prob, 0)),
            state=keep(active, state, old.state),
        )
        if end is not None:
            active &= token != end
        if stop is not None:
            active &= ~_stopped(stop, decoded.tokens, at + 1)
        return _Writing(at + 1, token, active, decoded)

    _, logits = jax.eval_shape(partial(advance, model), start.params, state, token)
    decoded = Decoded(
        tokens=jnp.full((steps, *token.shape), fill, jnp.int32),
        lengths=jnp.zeros(token.shape, jnp.int32),
        log_probs=jnp.zeros((steps, *token.shape), logits.dtype),
        state=state,
    )
    first = _Writing(jnp.int32(0), token, jnp.ones(token.shape, bool), decoded)
    return lax.while_loop(go_on, write, first).decoded


def _stopped(stop: Stop, tokens: Array, count: Array) -> Array:
    stopped = checks.array("the result of stop", stop(tokens, count))
    if stopped.dtype != bool:
        raise TypeError(f"the result of stop must be bool, got {stopped.dtype}")
    checks.shape("the result of stop", stopped, tokens.shape[1:], " like the batch axes of prompt")
    return stopped
