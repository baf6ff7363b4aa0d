"""Attention: what it computes, that padding is no part of it, and the decoder that feeds on what it read."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxgru
from jaxgru import (
    GRU,
    LSTM,
    RNN,
    SRU,
    DropConnect,
    LayerNorm,
    LearnedState,
    Stack,
    VariationalDropout,
    Zoneout,
)
from jaxgru.layers.attention import Additive, AttentionDecoder, AttentionPooling, Multiplicative
from tests.attending import additive, multiplicative, softmax
from tests.cases import assert_close, assert_same, quick_jit, weighted

T, B, S, Q, M, I = 4, 3, 6, 4, 5, 3  # noqa: E741
LENGTHS = np.array([6, 3, 0])
KEY = jax.random.key(0)
ATTENTIONS = {
    "additive": (Additive(Q, M, 2), additive),
    "general": (Multiplicative(Q, M), partial(multiplicative, form="general")),
    "dot": (Multiplicative(Q, Q, "dot"), partial(multiplicative, form="dot")),
    "scaled": (Multiplicative(Q, Q, "scaled"), partial(multiplicative, form="scaled")),
}
DECODERS = {
    "gru": AttentionDecoder(GRU(I, Q), Additive(Q, M, 2), output_size=2),
    "lstm": AttentionDecoder(LSTM(I, Q), Multiplicative(Q, M)),
    "before": AttentionDecoder(GRU(I, Q, reset="before", update="writes"), Multiplicative(Q, M)),
    "rnn": AttentionDecoder(RNN(I, Q), Additive(Q, M)),
    "sru": AttentionDecoder(SRU(I, Q), Multiplicative(Q, M)),
    "layer-norm": AttentionDecoder(LayerNorm(GRU(I, Q)), Multiplicative(Q, M)),
}


def drawn(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def wide(params):
    return jax.tree.map(lambda w: jnp.asarray(w, jnp.float64), params)


def poisoned(values, lengths, poison):
    return jnp.where(np.arange(len(values))[:, None, None] < lengths[:, None], values, poison)


def bound(name, memory=None, lengths=LENGTHS):
    """A decoder, and parameters with a memory."""
    decoder = DECODERS[name]
    params = wide(decoder.init(KEY))
    return decoder, decoder.bind(params, drawn(S, B, M, seed=1) if memory is None else memory, lengths)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_equals_the_oracle(name):
    """Context and weights of each row over its own entries, for queries of one step and of many."""
    attention, oracle = ATTENTIONS[name]
    params = wide(attention.init(KEY))
    values, query = drawn(S, B, attention.memory_size), drawn(T, B, Q, seed=1)
    context, weights = attention.attend(params, query, values, LENGTHS)
    assert context.shape == (T, B, attention.memory_size)
    assert weights.shape == (T, B, S)
    for row, length in enumerate(LENGTHS):
        for t in range(T if length else 0):
            want, where = oracle(params, np.asarray(query[t, row]), np.asarray(values[:length, row]))
            assert_close(context[t, row], want)
            assert_close(weights[t, row, :length], where)
    one, where = attention.read(params, query[0], attention.remember(params, values, LENGTHS))
    assert_close((one, where), (context[0], weights[0]))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ATTENTIONS)
def test_padding_has_no_part_in_attention(name):
    """Weights and gradients in the padding are exactly 0, and what stands there changes nothing, bit for bit."""
    attention, _ = ATTENTIONS[name]
    params, values, query = wide(attention.init(KEY)), drawn(S, B, attention.memory_size), drawn(B, Q, seed=1)

    def scalar(params, query, values):
        context, weights = attention.attend(params, query, values, LENGTHS)
        return weighted((context, weights)), weights

    gradient = quick_jit(jax.value_and_grad(scalar, (0, 1, 2), has_aux=True))
    clean = gradient(params, query, values)
    for poison in (np.nan, np.inf, -1e300):
        assert_same(gradient(params, query, poisoned(values, LENGTHS, poison)), clean)
    (_, weights), (_, _, by_values) = clean
    padded = np.arange(S)[:, None] >= LENGTHS
    assert not weights.T[padded].any()
    assert not by_values[padded].any()
    assert_close(weights.sum(-1), jnp.array([1.0, 1.0, 0.0]))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(clean))


def test_a_mask_may_have_gaps():
    """What a mask leaves out is as if it were not there; with lengths, both hold."""
    attention, _ = ATTENTIONS["general"]
    params, values, query = attention.init(KEY), drawn(S, B, M), drawn(B, Q, seed=1)
    mask = np.ones((S, B), bool)
    mask[1] = mask[4] = False
    kept = [0, 2, 3, 5]
    context, weights = attention.attend(params, query, values, mask=mask)
    assert_close((context, weights[:, kept]), attention.attend(params, query, values[jnp.array(kept)]))
    assert not weights[:, [1, 4]].any()
    both = attention.attend(params, query, values, np.array([3, 3, 3]), mask)
    assert_close(both[0], attention.attend(params, query, values[jnp.array([0, 2])])[0])


def test_attention_bears_any_scores():
    """Scores of 1e30, an empty memory and a single entry give finite weights and gradients."""
    attention = Multiplicative(Q, Q, "dot")
    params = attention.init(KEY)

    def context(query, values, lengths=None):
        return attention.attend(params, query, values, lengths)[0].sum()

    for scale in (1e15, 1e-30):
        values = scale * drawn(S, B, Q).astype(jnp.float32)
        gradients = jax.grad(context, (0, 1))(values[0], values, LENGTHS)
        assert all(np.isfinite(leaf).all() for leaf in gradients)
    empty, weights = attention.attend(params, jnp.ones((B, Q)), jnp.ones((0, B, Q)))
    assert not empty.any()
    assert weights.shape == (B, 0)
    one = jnp.ones((1, B, Q))
    assert_same(jax.grad(context)(jnp.ones((B, Q)), one, jnp.ones(B, int)), jnp.zeros((B, Q)))


def test_one_memory_serves_all_rows():
    """A memory without batch axes is what each row would have; vmap over rows gives the batch."""
    attention, _ = ATTENTIONS["additive"]
    params, values, query = attention.init(KEY), drawn(S, M), drawn(B, Q, seed=1)
    each = attention.attend(params, query, jnp.broadcast_to(values[:, None], (S, B, M)))
    assert_close(attention.attend(params, query, values), each)
    assert_close(jax.vmap(lambda q: attention.attend(params, q, values))(query), each)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_attention_in_half_precision(dtype):
    """Products in half precision, scores and weights in float32, the context in half again."""
    attention, _ = ATTENTIONS["additive"]
    params = attention.init(KEY)
    values, query = drawn(S, B, M), drawn(B, Q, seed=1)
    half = jax.tree.map(lambda x: x.astype(dtype), (params, query, values))
    context, weights = attention.attend(half[0], half[1], half[2], LENGTHS)
    assert (context.dtype, weights.dtype) == (dtype, jnp.float32)
    want, _ = attention.attend(params, query, values, LENGTHS)
    assert_close(context.astype(jnp.float32), want, 0.05)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", DECODERS)
def test_teacher_forcing_equals_the_loop_of_steps(name):
    """One scan over the targets equals `step` after `step`, values and every gradient, the memory's among them."""
    decoder = DECODERS[name]
    point = wide(decoder.init(KEY)), drawn(S, B, M, seed=1), drawn(T, B, I, seed=2)

    def scanned(params, memory, xs):
        return jaxgru.scan(decoder, decoder.bind(params, memory, LENGTHS), xs)

    def looped(params, memory, xs):
        params = decoder.bind(params, memory, LENGTHS)
        return lax.scan(partial(decoder.step, params), decoder.initial_state((B,), params), xs)

    def scalar(run, *point):
        out = run(*point)
        return weighted(out), out

    ours, theirs = (
        quick_jit(jax.value_and_grad(partial(scalar, run), (0, 1, 2), has_aux=True))(*point)
        for run in (scanned, looped)
    )
    assert_close(ours, theirs, 1e-12)


@pytest.mark.usefixtures("x64")
def test_a_padded_memory_equals_its_rows_alone():
    """Whatever stands in the padding of memory and targets, a row decodes as it does alone."""
    targets = np.array([4, 2, 3])
    memory = poisoned(drawn(S, B, M, seed=1), np.array([6, 3, 1]), np.nan)
    decoder, params = bound("lstm", memory, np.array([6, 3, 1]))
    xs = drawn(T, B, I, seed=2)
    final, ys = jaxgru.scan(decoder, params, poisoned(xs, targets, np.nan), lengths=targets)
    for row, (length, entries) in enumerate(zip(targets, [6, 3, 1], strict=True)):
        own = decoder.bind(params._replace(memory=None), memory[:entries, row])
        last, alone = jaxgru.scan(decoder, own, xs[:length, row])
        assert_close(ys[:length, row], alone)
        assert_close(jax.tree.map(lambda leaf, row=row: leaf[row], final), last)


@pytest.mark.usefixtures("x64")
def test_weights_say_where_each_step_looked():
    """They come from the states alone, for all of time at once and for one step, and are 0 in the padding."""
    decoder, params = bound("gru")
    xs = drawn(T, B, I, seed=2)
    _, _, states = jaxgru.scan(decoder, params, xs, states=True)
    weights = decoder.weights(params, states)
    values = np.asarray(params.memory.values)
    for t in range(T):
        for row, length in enumerate(LENGTHS[:2]):
            h = np.asarray(states.cell[t, row])
            _, where = additive(params.attention, h, values[row, :length])
            assert_close(weights[t, row, :length], where)
            assert not weights[t, row, length:].any()
    state, _ = decoder.step(params, decoder.initial_state((B,), params), xs[0])
    assert_close(decoder.weights(params, state), weights[0])


def test_gradients_of_the_memory_stay_outside_the_loop():
    """No loop of the gradient has a result as large as the memory or a weight."""
    decoder = DECODERS["gru"]
    params, memory, xs = decoder.init(KEY), jnp.ones((S, 7, M)), jnp.ones((T, 7, I))

    def scalar(params, memory, xs):
        return weighted(jaxgru.scan(decoder, decoder.bind(params, memory), xs))

    jaxpr = jax.make_jaxpr(jax.grad(scalar, (0, 1)))(params, memory, xs)
    loops = list(_carried(jaxpr.jaxpr))
    assert len(loops) == 2
    for carry in loops:
        assert sorted(carry) == [(7, 2), (7, Q)]  # feed and h, or their adjoints


def _carried(jaxpr):
    """The shapes that each loop carries."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            first = equation.params["num_consts"]
            carry = equation.params["jaxpr"].jaxpr.invars[first : first + equation.params["num_carry"]]
            yield [v.aval.shape for v in carry]
        else:
            for value in equation.params.values():
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns"):
                    yield from _carried(inner)


WRAPPED = {
    "zoneout": lambda d: Zoneout(d, 0.1),
    "variational": lambda d: VariationalDropout(d, input=0.1, state=0.2, output=0.1),
    "drop-connect": lambda d: DropConnect(d, 0.3),
    "learned": LearnedState,
    "below": lambda d: Stack([d, GRU(d.output_size, 3)], dropout=0.1),
    "above": lambda d: Stack([GRU(2, I), d], dropout=0.1),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_a_decoder_composes_as_any_cell(kind):
    """In each wrapper, and as a layer of a stack: with a key, and step by step without one."""
    decoder = DECODERS["lstm"]
    model = WRAPPED[kind](decoder)
    params = model.init(KEY)
    memory = partial(decoder.bind, values=drawn(S, B, M, seed=1), lengths=LENGTHS)
    if isinstance(model, Stack):
        params = [memory(p) if layer == decoder else p for layer, p in zip(model.layers, params, strict=True)]
    else:
        params = params._replace(cell=memory(params.cell)) if kind == "learned" else memory(params)
    xs = drawn(T, B, model.input_size, seed=2).astype(jnp.float32)
    _, ys = jaxgru.scan(model, params, xs)
    _, stepped = lax.scan(partial(model.step, params), model.initial_state((B,), params), xs)
    assert_close(ys, stepped)
    _, noisy = jaxgru.scan(model, params, xs, key=jax.random.key(1))
    assert np.isfinite(noisy).all()
    assert (kind == "learned") == bool((noisy == ys).all())


@pytest.mark.usefixtures("x64")
def test_pooling_equals_the_oracle():
    """Σ α_t y_t with α = softmax(v · tanh(y W + b)) over each row's steps; padding has no part in it."""
    head = AttentionPooling(M, 2)
    params = wide(head.init(KEY))._replace(b=drawn(2, seed=3))
    ys = drawn(S, B, M)
    pooled, weights = head.pool(params, poisoned(ys, LENGTHS, np.nan), LENGTHS)
    for row, length in enumerate(LENGTHS[:2]):
        y = np.asarray(ys[:length, row])
        where = softmax(np.tanh(y @ params.w + params.b) @ params.v)
        assert_close(pooled[row], where @ y)
        assert_close(weights[row, :length], where)
        assert not weights[row, length:].any()
    assert not pooled[2].any()

    def scalar(params, ys):
        return weighted(head.pool(params, ys, LENGTHS))

    clean, dirty = (jax.grad(scalar, (0, 1))(params, poisoned(ys, LENGTHS, p)) for p in (0.0, np.inf))
    assert_same(dirty, clean)
    assert not clean[1][np.arange(S)[:, None] >= LENGTHS].any()


def test_values_compare_and_hash():
    """Attentions, decoders and heads are values: equal by their sizes, and repr makes them again."""
    for value in (*(a for a, _ in ATTENTIONS.values()), *DECODERS.values(), AttentionPooling(3)):
        again = eval(repr(value), vars(jaxgru) | vars(jaxgru.layers.attention))  # noqa: S307
        assert again == value
        assert hash(again) == hash(value)
    assert Additive(4, 5, 2) != Additive(4, 5, 3)
