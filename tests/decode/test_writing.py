"""Greedy decoding and sampling: against plain loops, the model's own probabilities, and counting."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru import decode
from tests.cases import assert_close, assert_same, double
from tests.decode.models import MODELS, STACK, V, chain

KEY = jax.random.key(7)
PARAMS = STACK.init(jax.random.key(0))
STATE = STACK.initial_state((3,))
PROMPT = np.array([[1, 2, 5], [3, 4, 0], [2, 0, 1]], np.int32)
ODDS = np.array([0.05, 0.3, 0.1, 0.35, 0.2], np.float32)
# What a χ² variable of so many degrees of freedom exceeds once in a thousand times.
RARE = {1: 10.828, 2: 13.816, 3: 16.266, 4: 18.467}


def fixed(odds: jax.Array, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
    """The same odds (V,) whatever was read."""
    return state, jnp.broadcast_to(jnp.log(odds), (*tokens.shape, *odds.shape))


def cycle(odds: jax.Array, state: jax.Array, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The next token is the last one + 1; the state counts what was read."""
    return state + 1, 9 * jax.nn.one_hot((tokens + 1) % V, V) + odds


def by_hand(model: Any, params: Any, prompt: np.ndarray, steps: int, end: int) -> decode.Decoded:
    """Greedy decoding of one row, a token at a time."""
    step = jax.jit(model.step)
    state, tokens, log_probs = model.initial_state(()), [], []
    for token in prompt[:-1]:
        state, _ = step(params, state, token)
    token = prompt[-1]
    while len(tokens) < steps and end not in tokens:
        state, logits = step(params, state, token)
        token = np.int32(logits.argmax())
        tokens.append(int(token))
        log_probs.append(float(jax.nn.log_softmax(logits)[token]))
    return decode.Decoded(np.array(tokens), np.array(len(tokens)), np.array(log_probs), state)


@pytest.mark.parametrize("name", MODELS)
def test_greedy_is_a_plain_loop(name: str) -> None:
    """Over rows with prompts of different lengths, whatever stands in the padding; its log_probs are the scan's."""
    model, steps, end = MODELS[name], 6, 1
    params, batch = jax.jit(model.init)(jax.random.key(2)), {"stack": (2, 3), "lstm": (), "flax": (2,)}[name]
    prompt = np.random.default_rng(1).integers(0, V, (3, *batch))
    lengths = np.resize([3, 1, 2, 2, 3, 1], batch)
    padding = np.arange(3).reshape(-1, *(1,) * len(batch)) >= lengths
    given = np.where(padding, -99, prompt)
    options = {"steps": steps, "end": end, "lengths": lengths}
    decoded = decode.greedy(model, params, model.initial_state(batch), given, **options)
    assert decoded.tokens.dtype == decoded.lengths.dtype == jnp.int32
    for row in list(np.ndindex(batch))[:3]:
        at = (slice(None), *row)
        alone = by_hand(model, params, prompt[at][: lengths[row]], steps, end)
        length = int(alone.lengths)
        assert decoded.lengths[row] == length
        assert_same(decoded.tokens[at][:length], alone.tokens)
        assert (decoded.tokens[at][length:] == end).all()
        assert_close(decoded.log_probs[at][:length], alone.log_probs, 1e-5)
        assert (decoded.log_probs[at][length:] == 0).all()
        jax.tree.map(lambda a, b, row=row: assert_close(a[row], b, 1e-5), decoded.state, alone.state)
        again = model.log_probs(params, prompt[at][: lengths[row]], alone.tokens)
        assert_close(decoded.log_probs[at][:length], again, 1e-5)


def test_ragged_prompts_are_rows_decoded_alone() -> None:
    lengths, options = np.array([1, 3, 2]), {"steps": 4}
    together = decode.greedy(STACK, PARAMS, STATE, PROMPT, lengths=lengths, **options)
    for row, length in list(enumerate(lengths))[:2]:
        state = jax.tree.map(lambda leaf, row=row: leaf[row], STATE)
        alone = decode.greedy(STACK, PARAMS, state, PROMPT[:length, row], **options)
        assert_same(together.tokens[:, row], alone.tokens)
        assert_close(together.log_probs[:, row], alone.log_probs, 1e-6)


def test_the_model_sees_no_padding() -> None:
    seen: list[np.ndarray] = []

    def watched(odds: jax.Array, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        jax.debug.callback(lambda tokens: seen.append(np.asarray(tokens)), tokens)
        return fixed(odds, state, tokens)

    prompt = np.array([[1, 2], [3, -99], [2, 99]])
    decode.greedy(watched, jnp.asarray(ODDS), (), prompt, steps=2, lengths=np.array([3, 1]))
    jax.effects_barrier()
    assert len(seen) == 2 + 2
    assert all(((tokens >= 0) & (tokens < 5)).all() for tokens in seen)


def test_going_on_is_decoding_at_once() -> None:
    """The last token is the prompt for the state that stands beside it."""
    model = MODELS["lstm"]
    params = model.init(jax.random.key(4))
    whole = decode.greedy(model, params, model.initial_state((3,)), PROMPT, steps=7)
    part = decode.greedy(model, params, model.initial_state((3,)), PROMPT, steps=4)
    rest = decode.greedy(model, params, part.state, part.last, steps=3)
    assert_same(jnp.concatenate([part.tokens, rest.tokens]), whole.tokens)
    assert_close(jnp.concatenate([part.log_probs, rest.log_probs]), whole.log_probs, 1e-6)
    jax.tree.map(lambda a, b: assert_close(a, b, 1e-6), rest.state, whole.state)


def test_a_row_that_stopped_goes_on_from_its_own_last_token() -> None:
    """Past a row's end there is filler, which is no token of it."""
    model = MODELS["lstm"]
    params, state = model.init(jax.random.key(4)), model.initial_state((3,))
    whole = decode.greedy(model, params, state, PROMPT, steps=6)
    lengths = jnp.array([1, 3, 2])
    part = decode.greedy(model, params, state, PROMPT, steps=3, stop=at_lengths)
    assert_same(part.lengths, lengths)
    assert_same(part.last[0], whole.tokens[lengths - 1, jnp.arange(3)])
    rest = decode.greedy(model, params, part.state, part.last, steps=3)
    for row, length in enumerate(lengths):
        assert_same(rest.tokens[:, row], whole.tokens[length : length + 3, row])


def at_lengths(tokens: jax.Array, count: jax.Array) -> jax.Array:
    del tokens
    return count == jnp.array([1, 3, 2])


def three_or_two_high(tokens: jax.Array, count: jax.Array) -> jax.Array:
    high = (tokens >= 4) & (jnp.arange(len(tokens)) < count)[:, None]
    return (tokens[count - 1] == 3) | (high.sum(0) == 2)


def test_a_row_ends_at_its_end_token_or_where_stop_says_and_the_loop_with_the_last() -> None:
    calls: list[int] = []

    def counted(params: Any, state: Any, tokens: jax.Array) -> Any:
        jax.debug.callback(lambda _: calls.append(1), tokens)
        return cycle(params, state, tokens)

    prompt, state = np.array([[1, 3, 5]]), jnp.zeros(3, int)
    decoded = decode.greedy(counted, jnp.zeros(V), state, prompt, steps=50, end=1, stop=three_or_two_high)
    jax.effects_barrier()
    assert_same(decoded.lengths, jnp.array([2, 2, 2]))
    assert_same(decoded.tokens[:3], jnp.array([[2, 4, 0], [3, 5, 1], [1, 1, 1]]))
    assert_same(decoded.state, jnp.array([2, 2, 2]))
    assert len(calls) == 2


def test_rows_that_have_ended_are_left_alone() -> None:
    prompt, state = np.array([[0, 3, 2]]), jnp.zeros(3, int)
    decoded = decode.greedy(cycle, jnp.zeros(V), state, prompt, steps=6, end=4)
    assert_same(decoded.lengths, jnp.array([4, 1, 2]))
    assert_same(decoded.state, decoded.lengths)
    assert_same(decoded.tokens[:4], jnp.array([[1, 4, 3], [2, 4, 4], [3, 4, 4], [4, 4, 4]]))
    assert_same(decoded.log_probs != 0, np.arange(6)[:, None] < np.asarray(decoded.lengths))


def test_without_an_end_the_rest_is_zero() -> None:
    decoded = decode.greedy(
        cycle, jnp.zeros(V), jnp.zeros(3, int), [[0, 3, 2]], steps=4, stop=lambda t, n: t[n - 1] == 4
    )
    assert_same(decoded.tokens, jnp.array([[1, 4, 3], [2, 0, 4], [3, 0, 0], [4, 0, 0]]))


def test_more_steps_begin_alike_and_other_keys_do_not() -> None:
    write = [
        decode.sample(fixed, ODDS, (), PROMPT % 5, key, steps=steps).tokens
        for key, steps in [(KEY, 8), (KEY, 20), (jax.random.key(8), 20), (KEY, 20)]
    ]
    assert_same(write[0], write[1][:8])
    assert_same(write[1], write[3])
    assert (write[1] != write[2]).any()


@pytest.mark.parametrize("temperature", [0, 1e-30, 1e-50])
def test_without_temperature_it_is_greedy(temperature: float) -> None:
    greedy = decode.greedy(STACK, PARAMS, STATE, PROMPT, steps=8)
    drawn = decode.sample(STACK, PARAMS, STATE, PROMPT, KEY, steps=8, temperature=temperature)
    jax.tree.map(lambda a, b: assert_close(a, b, 1e-6), drawn, greedy)


def test_the_first_of_equals_is_the_likeliest() -> None:
    odds = jnp.array([0.1, 0.3, 0.3, 0.3])
    drawn = decode.sample(fixed, odds, (), np.zeros((1, 50), int), KEY, steps=1, temperature=0)
    assert (drawn.tokens == 1).all()


def test_log_probs_are_the_models_whatever_draws() -> None:
    drawn = decode.sample(STACK, PARAMS, STATE, PROMPT, KEY, steps=8, temperature=0.6, top_k=4, top_p=0.9)
    assert_close(drawn.log_probs, STACK.log_probs(PARAMS, PROMPT, drawn.tokens), 1e-5)


CASES = {
    "plain": {},
    "cold": {"temperature": 0.5},
    "hot": {"temperature": 3.0},
    "k": {"temperature": 2.0, "top_k": 3},
    "p": {"temperature": 0.7, "top_p": 0.8},
    "both": {"temperature": 0.9, "top_k": 3, "top_p": 0.7},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_tokens_come_as_often_as_they_should(options: dict[str, Any]) -> None:
    """First the temperature, then top_k, then top_p; what is excluded is never drawn."""
    odds = ODDS ** (1 / options.get("temperature", 1))
    order = np.argsort(-odds)[: options.get("top_k")]
    shares = odds[order] / odds[order].sum()
    order = order[np.cumsum(shares) - shares < options.get("top_p", 1)]
    expected = np.zeros(5)
    expected[order] = odds[order] / odds[order].sum()

    limits = {"top_k": 5, "top_p": 1.0}  # numbers all through: the cases share one compilation
    drawn = decode.sample(
        fixed, ODDS, (), np.zeros((1, 500), int), KEY, steps=40, **{**limits, **options}
    ).tokens
    counts = np.bincount(np.asarray(drawn).ravel(), minlength=5)
    assert not counts[expected == 0].any()
    expected = counts.sum() * expected[expected > 0]
    assert ((counts[counts > 0] - expected) ** 2 / expected).sum() < RARE[len(expected) - 1]


def test_at_the_highest_temperature_what_is_excluded_stays_excluded() -> None:
    """And all else is as likely as its neighbours."""
    odds = jnp.array([0.9, 0.0, 0.1, 1e-30])
    for temperature in (3e37, 1e38, 1e300):
        options = {"steps": 40, "temperature": temperature, "top_p": 1.0}
        drawn = decode.sample(fixed, odds, (), np.zeros((1, 100), int), KEY, **options).tokens
        counts = np.bincount(np.asarray(drawn).ravel(), minlength=4)
        assert counts[1] == 0
        assert (abs(counts[[0, 2, 3]] - 4000 / 3) < 150).all()


def test_rows_and_steps_are_drawn_apart() -> None:
    """Pairs of neighbours, along both axes, are as frequent as independence has them."""
    odds = jnp.array([0.5, 0.5])
    drawn = np.asarray(decode.sample(fixed, odds, (), np.zeros((1, 500), int), KEY, steps=40).tokens)
    for first, second in [(drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1])]:
        pairs = np.bincount((2 * first + second).ravel(), minlength=4)
        expected = pairs.sum() / 4
        assert ((pairs - expected) ** 2 / expected).sum() < RARE[3]


def test_one_compilation_serves_other_numbers() -> None:
    traces: list[int] = []

    def counted(params: Any, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        traces.append(1)
        return chain(params, state, tokens)

    limits = [
        (1, 1, 1),
        (0.5, 2, 0.3),
        (0, np.int64(3), np.float32(0.5)),
        (jnp.array(2.0), jnp.array(9), 1.0),
    ]
    before = decode.writing._write._cache_size()
    for seed, (temperature, top_k, top_p) in enumerate(limits):
        odds, prompt = jax.random.uniform(jax.random.key(seed), (5, 5)), (PROMPT + seed) % 5
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        decode.sample(counted, odds, (), prompt, jax.random.key(seed), steps=3, **options)
    assert len(traces) == 1
    assert decode.writing._write._cache_size() == before + 1


def test_under_jit_and_vmap_it_writes_the_same() -> None:
    odds = np.random.default_rng(0).dirichlet(np.ones(5), 5).astype(np.float32)

    def one(prompt: jax.Array, key: jax.Array, temperature: Any, top_k: Any) -> decode.Decoded:
        options = {"steps": 5, "end": 2, "temperature": temperature, "top_k": top_k}
        return decode.sample(chain, odds, (), prompt, key, **options)

    keys, numbers = jax.random.split(KEY, 3), (jnp.array([0.5, 1.0, 2.0]), jnp.array([2, 3, 4]))
    mapped = jax.jit(jax.vmap(one, (1, 0, 0, 0)))(PROMPT % 5, keys, *numbers)
    for row in range(3):
        alone = one(PROMPT[:, row] % 5, keys[row], float(numbers[0][row]), int(numbers[1][row]))
        assert_same(mapped.tokens[row], alone.tokens)
        assert_close(mapped.log_probs[row], alone.log_probs, 1e-6)


def test_traced_lengths_act_as_if_clipped() -> None:
    def write(lengths: Any) -> jax.Array:
        return decode.greedy(cycle, jnp.zeros(V), jnp.zeros(3, int), PROMPT, steps=2, lengths=lengths).tokens

    assert_same(jax.jit(write)(jnp.array([-5, 2, 99])), write(np.array([1, 2, 3])))


def test_precisions() -> None:
    """Half-precision logits are chosen from as they are, and their log_probs are float32; double stays double."""

    def half(odds: jax.Array, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        state, logits = fixed(odds, state, tokens)
        return state, logits.astype(jnp.bfloat16)

    written = decode.greedy(half, ODDS, (), jnp.array([0]), steps=1)
    assert written.log_probs.dtype == jnp.float32
    assert_close(
        written.log_probs, jax.nn.log_softmax(jnp.log(ODDS).astype(jnp.bfloat16).astype(float))[3:4], 1e-6
    )
    with double():
        drawn = decode.sample(fixed, np.float64(ODDS), (), np.array([0]), KEY, steps=1, temperature=0.1)
        assert drawn.log_probs.dtype == jnp.float64
        assert drawn.tokens.dtype == drawn.lengths.dtype == jnp.int32
