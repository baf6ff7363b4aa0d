"""Decoding with a memory to attend to, which stands among the parameters."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxgru
from jaxgru import decode
from jaxgru.layers.attention import Additive, AttentionDecoder
from tests.cases import assert_close, assert_same

V, B, S = 7, 3, 5
LENGTHS = np.array([5, 3, 1])
DECODER = AttentionDecoder(jaxgru.GRU(4, 6), Additive(6, 8))
ENCODER = jaxgru.Bidirectional(jaxgru.GRU(4, 4))


def step(params, state, tokens):
    state, y = DECODER.step(params["decoder"], state, params["embedding"][tokens])
    return state, y @ params["out"]


def encoded():
    keys = jax.random.split(jax.random.key(0), 5)
    params = {
        "decoder": DECODER.init(keys[0]),
        "embedding": jax.random.normal(keys[1], (V, 4)),
        "out": 3 * jax.random.normal(keys[2], (6, V)),
    }
    sources = jax.random.randint(keys[3], (S, B), 0, V)
    _, values = jaxgru.scan(ENCODER, ENCODER.init(keys[4]), params["embedding"][sources], lengths=LENGTHS)
    return params, values


def translate(params, values, lengths=None, batch=(), **options):
    bound = DECODER.bind(params["decoder"], values, lengths)
    state = DECODER.initial_state(batch, bound)
    prompt = jnp.zeros((1, *batch), jnp.int32)
    return decode.beam_search(
        step, {**params, "decoder": bound}, state, prompt, steps=6, beams=3, end=1, **options
    )


def test_a_ragged_batch_equals_its_rows_alone():
    """Beams over a padded memory are those over each row's own entries."""
    params, values = encoded()
    poisoned = jnp.where(np.arange(S)[:, None, None] < LENGTHS[:, None], values, jnp.nan)
    together = translate(params, poisoned, LENGTHS, (B,))
    for row, length in enumerate(LENGTHS):
        alone = translate(params, values[:length, row])
        assert_same(together.tokens[:, :, row], alone.tokens)
        assert_close(together.scores[:, row], alone.scores)


def test_scores_are_those_of_teacher_forcing():
    """One scan over what a beam search wrote gives its log-probabilities."""
    params, values = encoded()
    bound = DECODER.bind(params["decoder"], values, LENGTHS)
    found = translate(params, values, LENGTHS, (B,))
    tokens = found.tokens[0]
    inputs = jnp.concatenate([jnp.zeros((1, B), jnp.int32), tokens[:-1]])
    _, ys = jaxgru.scan(DECODER, bound, params["embedding"][inputs], lengths=found.lengths[0])
    each = jnp.take_along_axis(jax.nn.log_softmax(ys @ params["out"]), tokens[..., None], -1)[..., 0]
    written = jnp.arange(6)[:, None] < found.lengths[0]
    assert_close(jnp.where(written, each, 0).sum(0), found.log_probs[0])
