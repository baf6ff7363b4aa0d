"""Beam search finds what it says it finds, of models that are tables and of recurrent ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgru import GRU, decode
from tests.cases import assert_close, assert_same, double
from tests.decode.models import (
    MODELS,
    STACK,
    WIDTH,
    Language,
    Sequence,
    V,
    chain,
    exhaustive,
    forest,
    listed,
    plain_beam_search,
    tree,
)
from tests.laws.test_structure import equations

ROWS = 8
ODDS = np.random.default_rng(5).dirichlet(np.ones(V), V).astype(np.float32)
PARAMS = STACK.init(jax.random.key(0))
STATE = STACK.initial_state((3,))
PROMPT = np.array([[1, 2, 5], [3, 4, 0]], np.int32)


def assert_found(found: list[Sequence], expected: list[Sequence]) -> None:
    """The same sequences in the same order, where scores tell them apart."""
    assert len(found) == len(expected)
    np.testing.assert_allclose([f.score for f in found], [e.score for e in expected], rtol=1e-5, atol=1e-5)
    known = {e.tokens: e for e in expected}
    assert len({f.tokens for f in found}) == len(found)
    for sequence in found:
        assert sequence.tokens in known
        np.testing.assert_allclose(sequence[:2], known[sequence.tokens][:2], rtol=1e-5, atol=1e-5)


def search(logits: np.ndarray, state: Any, **options: Any) -> decode.Beams:
    return decode.beam_search(tree, logits, state, np.zeros((1, len(logits)), np.int32), **options)


@pytest.mark.parametrize(
    ("size", "steps", "ends"), [(2, 4, True), (3, 1, True), (3, 3, False), (4, 2, True), (4, 4, True)]
)
@given(penalty=st.floats(-3, 3), seed=st.integers(0, 2**20))
@settings(max_examples=4)
def test_a_beam_of_full_width_is_exhaustive_search(
    size: int, steps: int, ends: bool, penalty: float, seed: int
) -> None:
    logits, state = forest(ROWS, size, steps, seed)
    end, beams = size - 1 if ends else None, size**steps
    found = search(logits, state, steps=steps, beams=beams, length_penalty=penalty, end=end)
    for row in range(ROWS):
        assert_found(listed(found, row), exhaustive(logits[row], steps, end, penalty))
    missing = np.asarray(found.lengths) == 0
    assert missing.any() == (ends and steps > 1)
    assert (np.asarray(found.scores)[missing] == -np.inf).all()
    assert (np.asarray(found.log_probs)[missing] == -np.inf).all()
    assert (np.asarray(found.tokens).swapaxes(1, 2)[missing] == (end or 0)).all()


@pytest.mark.parametrize("beams", [1, 3])
def test_ending_early_loses_nothing(beams: int) -> None:
    """What is found is what a search finds that always goes on to the last step."""
    steps, size, end = 5, 4, 1
    logits, state = forest(100, size, steps, seed=3)
    logits[..., end] += 1
    for penalty in (-1.0, 0.5, 4.0):
        found = search(logits, state, steps=steps, beams=beams, length_penalty=penalty, end=end)
        for row in range(len(logits)):
            assert_found(listed(found, row), plain_beam_search(logits[row], steps, beams, end, penalty))


def test_a_full_beam_of_a_recurrent_model_is_exhaustive_search() -> None:
    """Its state follows its beams."""
    model, steps, end = Language(GRU(WIDTH, WIDTH)), 3, 2
    params, prompt = model.init(jax.random.key(3)), np.array([[1], [4]], np.int32)
    every = np.stack(np.meshgrid(*[np.arange(V)] * steps, indexing="ij")).reshape(steps, -1)
    each = model.log_probs(params, np.repeat(prompt, every.shape[1], 1), every)
    best: dict[tuple[int, ...], Sequence] = {}
    for tokens, log_probs in zip(every.T.tolist(), np.asarray(each).T, strict=True):
        length = tokens.index(end) + 1 if end in tokens else steps
        log_prob = float(log_probs[:length].sum())
        kept = tuple(tokens[:length])
        best[kept] = Sequence(log_prob / ((5 + length) / 6) ** 0.7, log_prob, kept)
    beams = V**steps
    found = decode.beam_search(
        model,
        params,
        model.initial_state((1,)),
        prompt,
        steps=steps,
        beams=beams,
        length_penalty=0.7,
        end=end,
    )
    assert_found(listed(found, 0), sorted(best.values(), reverse=True))


@pytest.mark.parametrize(("model", "end"), [(chain, None), (STACK, 1)], ids=["chain", "stack"])
def test_one_beam_is_greedy(model: Any, end: int | None) -> None:
    params, state = (ODDS, ()) if model is chain else (PARAMS, STATE)
    options = {"steps": 6, "end": end, "lengths": np.array([1, 2, 2])}
    written = decode.greedy(model, params, state, PROMPT, **options)
    for penalty in (0.0, -1.5):
        found = decode.beam_search(model, params, state, PROMPT, beams=1, length_penalty=penalty, **options)
        assert_same(found.tokens[0], written.tokens)
        assert_same(found.lengths[0], written.lengths)
        assert_close(found.log_probs[0], written.log_probs.sum(0), 1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_the_models_own(name: str) -> None:
    """Each sequence read again by one scan has the log-probability that the search says it has."""
    model, steps, beams, penalty = MODELS[name], 5, 3, 0.8
    params, batch = jax.jit(model.init)(jax.random.key(1)), {"stack": (2, 3), "lstm": (), "flax": (2,)}[name]
    prompt = np.broadcast_to(np.array([1, 3]).reshape(2, *(1,) * len(batch)), (2, *batch))
    found = decode.beam_search(
        model,
        params,
        model.initial_state(batch),
        prompt,
        steps=steps,
        beams=beams,
        length_penalty=penalty,
        end=2,
    )
    assert found.tokens.shape == (beams, steps, *batch)
    assert found.lengths.shape == found.scores.shape == found.log_probs.shape == (beams, *batch)
    for k in range(beams):
        each = model.log_probs(params, prompt, found.tokens[k])
        real = np.arange(steps).reshape(-1, *(1,) * len(batch)) < np.asarray(found.lengths[k])
        assert_close(found.log_probs[k], jnp.where(real, each, 0).sum(0), 1e-5)
        assert (np.asarray(found.tokens[k])[~real] == 2).all()
    assert_close(found.scores, found.log_probs / ((5 + found.lengths) / 6) ** penalty, 1e-5)
    assert (jnp.diff(found.scores, axis=0) <= 0).all()


def test_rows_of_a_batch_are_found_as_if_alone() -> None:
    """Bit for bit, also by those that are done early and those whose prompt is short."""
    prompt, lengths = np.array([[0, 1, 2, 4], [3, -7, 1, 99]]), np.array([2, 1, 1, 1])
    options = {"steps": 7, "beams": 3, "length_penalty": 0.5, "end": 4}
    together = decode.beam_search(chain, ODDS, (), prompt, lengths=lengths, **options)
    assert len(set(np.asarray(together.lengths[-1]).tolist())) > 1
    for row, length in enumerate(lengths):
        alone = decode.beam_search(chain, ODDS, (), prompt[length - 1 : length, row], **options)
        jax.tree.map(lambda a, b, row=row: assert_same(a[..., row], b), together, alone)


def test_a_search_with_nothing_left_to_follow_ends() -> None:
    """One sequence only is possible, so that one slot is taken, and few steps are made."""
    calls: list[int] = []

    def counted(odds: jax.Array, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        jax.debug.callback(lambda _: calls.append(1), tokens)
        return chain(odds, state, tokens)

    odds = jnp.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    found = decode.beam_search(counted, odds, (), jnp.array([0]), steps=50, beams=2, end=2)
    jax.effects_barrier()
    assert_same(found.lengths, jnp.array([2, 0]))
    assert_same(found.tokens[0, :3], jnp.array([1, 2, 2]))
    assert found.scores.tolist() == found.log_probs.tolist() == [0, -np.inf]
    assert len(calls) == 2 * 2


def test_one_compilation_serves_other_numbers() -> None:
    traces: list[int] = []

    def counted(params: Any, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        traces.append(1)
        return STACK.step(params, state, tokens)

    for seed, penalty in enumerate((0, 0.5, np.float32(1), jnp.array(-2.0))):
        params, prompt = STACK.init(jax.random.key(seed)), (PROMPT + seed) % V
        decode.beam_search(counted, params, STATE, prompt, steps=3, beams=2, length_penalty=penalty, end=0)
    assert len(traces) == 1


def test_under_jit_and_vmap_it_finds_the_same() -> None:
    logits, state = forest(3, 3, 4, 5)

    def one(state: Any, prompt: jax.Array, penalty: Any) -> decode.Beams:
        options = {"steps": 4, "beams": 2, "end": 1, "length_penalty": penalty}
        return decode.beam_search(tree, logits, state, prompt, **options)

    together = one(state, jnp.zeros((1, 3), int), 0.3)
    mapped = jax.jit(jax.vmap(one, (0, 1, None), -1))(state, jnp.zeros((1, 3), int), 0.3)
    jax.tree.map(assert_same, together, mapped)


def test_what_params_hold_is_not_copied_for_each_beam() -> None:
    memory = jnp.ones((50, 3, 7))

    def attend(params: Any, state: jax.Array, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        weights = jax.nn.softmax(jnp.einsum("bd,mbd->mb", state, params), 0)
        state = jnp.tanh(jnp.einsum("mb,mbd->bd", weights, params) + tokens[..., None])
        return state, state

    def run(params: jax.Array) -> decode.Beams:
        return decode.beam_search(attend, params, jnp.zeros((3, 7)), jnp.ones((1, 3), int), steps=4, beams=5)

    flat, bodies = equations(jax.make_jaxpr(run)(memory).jaxpr)
    for body in bodies:
        flat += equations(body)[0]
    sizes = [variable.aval.size for equation in flat for variable in equation.outvars]
    assert len(sizes) > 50
    assert max(sizes) < 5 * memory.size


def test_in_double_precision_it_is_exact() -> None:
    with double():
        logits, state = forest(2, 3, 3, 0)
        found = search(np.float64(logits), state, steps=3, beams=27, end=0, length_penalty=0.6)
        assert found.scores.dtype == found.log_probs.dtype == jnp.float64
        for row in range(2):
            for got, want in zip(listed(found, row), exhaustive(logits[row], 3, 0, 0.6), strict=True):
                assert got.tokens == want.tokens
                np.testing.assert_allclose(got[:2], want[:2], rtol=1e-12)
        narrow = jax.eval_shape(partial(search, steps=3, beams=2, end=0, length_penalty=0.6), logits, state)
        assert narrow.scores.dtype == narrow.log_probs.dtype == jnp.float32
