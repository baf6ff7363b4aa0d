"""What attention refuses: each wrong call with its exact message."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru import GRU, ConvGRU, LearnedState, Zoneout
from jaxgru.layers.attention import Additive, AttentionDecoder, AttentionPooling, Multiplicative

KEY = jax.random.key(0)
ADDITIVE = Additive(4, 5, 2)
PARAMS = ADDITIVE.init(KEY)
VALUES, QUERY = jnp.ones((6, 3, 5)), jnp.ones((3, 4))
DECODER = AttentionDecoder(GRU(3, 4), ADDITIVE)
WEIGHTS = DECODER.init(KEY)
BOUND = DECODER.bind(WEIGHTS, VALUES)
XS = jnp.ones((7, 3, 3))
HEAD = AttentionPooling(5)
NAME = "AttentionDecoder(GRU(3, 4), Additive(4, 5, 2))"

CALLS = {
    "a float for a size": (
        lambda: Additive(4.0, 5),
        "query_size must be an int, got 4.0 of type float",
    ),
    "a size of nothing": (lambda: Multiplicative(4, 0), "memory_size must be at least 1, got 0"),
    "a bool for a size": (
        lambda: Additive(4, 5, True),
        "attention_size must be an int, got True of type bool",
    ),
    "an integer dtype": (
        lambda: Additive(4, 5, param_dtype=int),
        "param_dtype must be a floating dtype such as jnp.float32, got <class 'int'>",
    ),
    "an unknown form": (
        lambda: Multiplicative(4, 4, "bilinear"),
        "form must be 'general' or 'dot' or 'scaled', got 'bilinear'",
    ),
    "a dot of other widths": (
        lambda: Multiplicative(4, 5, "dot"),
        "memory_size must be 4, the query_size, for form='dot', got 5; form='general' takes any",
    ),
    "a seed for a key": (
        lambda: ADDITIVE.init(0),
        "key must be a PRNG key such as jax.random.key(0), got 0",
    ),
    "parameters of another attention": (
        lambda: Additive(4, 6, 2).attend(PARAMS, QUERY, jnp.ones((6, 3, 6))),
        "params.w_m must have shape (6, 2) for Additive(4, 6, 2), got (5, 2)",
    ),
    "values of another width": (
        lambda: ADDITIVE.attend(PARAMS, QUERY, jnp.ones((6, 3, 4))),
        "values must have shape (S, *B, 5), got (6, 3, 4)",
    ),
    "values without steps": (
        lambda: ADDITIVE.attend(PARAMS, QUERY, jnp.ones(5)),
        "values must have shape (S, *B, 5), got (5,)",
    ),
    "integer values": (
        lambda: ADDITIVE.attend(PARAMS, QUERY, jnp.ones((6, 3, 5), int)),
        "values must have a floating dtype, got int32; convert it, e.g. values.astype(jnp.float32)",
    ),
    "float lengths": (
        lambda: ADDITIVE.attend(PARAMS, QUERY, VALUES, jnp.ones(3)),
        "lengths must be integers, got float32",
    ),
    "lengths of another batch": (
        lambda: ADDITIVE.attend(PARAMS, QUERY, VALUES, np.ones(2, int)),
        "lengths must have shape (3,) like the batch axes of values, got (2,)",
    ),
    "a length past the end": (
        lambda: ADDITIVE.attend(PARAMS, QUERY, VALUES, np.array([6, 7, 1])),
        "lengths must lie in [0, 6], the number of steps; lengths[1] is 7",
    ),
    "a mask of numbers": (
        lambda: ADDITIVE.attend(PARAMS, QUERY, VALUES, mask=jnp.ones((6, 3))),
        "mask must be bool, got float32; compare, e.g. mask != 0",
    ),
    "a mask with the batch first": (
        lambda: ADDITIVE.attend(PARAMS, QUERY, VALUES, mask=jnp.ones((3, 6), bool)),
        "mask must have shape (6, 3) like the leading axes of values, got (3, 6)",
    ),
    "a query of another width": (
        lambda: ADDITIVE.attend(PARAMS, jnp.ones((3, 5)), VALUES),
        "query must have shape (…, 3, 4) for Additive(4, 5, 2), got (3, 5)",
    ),
    "a query of another batch": (
        lambda: ADDITIVE.attend(PARAMS, jnp.ones((2, 4)), VALUES),
        "query must have shape (…, 3, 4) for Additive(4, 5, 2), got (2, 4)",
    ),
    "a query without a batch": (
        lambda: ADDITIVE.attend(PARAMS, jnp.ones(4), VALUES),
        "query must have shape (…, 3, 4) for Additive(4, 5, 2), got (4,)",
    ),
    "values where a memory is due": (
        lambda: ADDITIVE.read(PARAMS, QUERY, VALUES),
        "memory must be a Memory, as remember(params, values) gives it, got ArrayImpl",
    ),
    "a memory of another attention": (
        lambda: ADDITIVE.read(PARAMS, QUERY, Additive(4, 5).remember(Additive(4, 5).init(KEY), VALUES)),
        "memory.keys must have shape (3, 6, 2) for Additive(4, 5, 2), got (3, 6, 4)",
    ),
    "no cell": (
        lambda: AttentionDecoder(jaxgru.Stack([GRU(3, 4)]), ADDITIVE),
        "cell must be a cell such as GRU(64, 128), got Stack([GRU(3, 4)]): wrap each cell in it",
    ),
    "a wrapper inside": (
        lambda: AttentionDecoder(Zoneout(GRU(3, 4), 0.1), ADDITIVE),
        "cell must have no wrapper but LayerNorm inside a decoder, got Zoneout(GRU(3, 4), rate=0.1): wrap the decoder",
    ),
    "a grid inside": (
        lambda: AttentionDecoder(ConvGRU(3, 4, spatial_shape=(2,), kernel_size=1), ADDITIVE),
        "cell must have no spatial axes inside a decoder, got ConvGRU(3, 4, spatial_shape=(2,), kernel_size=1)",
    ),
    "an attention's name": (
        lambda: AttentionDecoder(GRU(3, 4), "additive"),
        "attention must be a value such as Additive(4, 64), got 'additive'",
    ),
    "an attention's class": (
        lambda: AttentionDecoder(GRU(3, 4), Additive),
        f"attention must be a value such as Additive(4, 64), got {Additive!r}",
    ),
    "an attention of other queries": (
        lambda: AttentionDecoder(GRU(3, 6), ADDITIVE),
        "attention must have query_size 6, the output_size of GRU(3, 6), got 4",
    ),
    "no memory in a scan": (
        lambda: jaxgru.scan(DECODER, WEIGHTS, XS),
        f"params must have a memory for {NAME}: give it with decoder.bind(params, encoded, lengths)",
    ),
    "no memory in a step": (
        lambda: DECODER.step(WEIGHTS, DECODER.initial_state((3,)), XS[0]),
        f"params must have a memory for {NAME}: give it with decoder.bind(params, encoded, lengths)",
    ),
    "a memory of another batch": (
        lambda: jaxgru.scan(DECODER, BOUND, jnp.ones((7, 2, 3))),
        "params.memory must have batch axes (2,) like xs, or none, got (3,)",
    ),
    "parameters of another decoder": (
        lambda: AttentionDecoder(GRU(3, 4), ADDITIVE, 9).bind(WEIGHTS, VALUES),
        f"params.w_feed must have shape (9, 12) for {NAME[:-1]}, output_size=9), got (4, 12)",
    ),
    "a state without what was fed": (
        lambda: jaxgru.scan(DECODER, BOUND, XS, jnp.zeros((3, 4))),
        f"h0 has another structure than it must have for {NAME}: missing h0.feed, h0.cell; unexpected h0",
    ),
    "weights without a memory": (
        lambda: DECODER.weights(WEIGHTS, DECODER.initial_state((3,))),
        f"params must have a memory for {NAME}: give it with decoder.bind(params, encoded, lengths)",
    ),
    "outputs for states": (
        lambda: DECODER.weights(BOUND, jnp.ones((7, 3, 4))),
        "states must be an AttentionDecoderState, as scan(…, states=True) gives it last, got ArrayImpl",
    ),
    "a size of no pooling": (lambda: AttentionPooling("5"), "input_size must be an int, got '5' of type str"),
    "outputs of another width": (
        lambda: HEAD.pool(HEAD.init(KEY), jnp.ones((6, 3, 4))),
        "ys must have shape (T, *B, 5), got (6, 3, 4)",
    ),
    "pooled lengths of another batch": (
        lambda: HEAD.pool(HEAD.init(KEY), VALUES, np.ones((3, 1), int)),
        "lengths must have shape (3,) like the batch axes of ys, got (3, 1)",
    ),
    "pooling with another's parameters": (
        lambda: HEAD.pool(AttentionPooling(5, 2).init(KEY), VALUES),
        "params.w must have shape (5, 5) for AttentionPooling(5), got (5, 2)",
    ),
    "a learned state inside": (
        lambda: AttentionDecoder(LearnedState(GRU(3, 4)), ADDITIVE),
        "cell must have no wrapper but LayerNorm inside a decoder, got LearnedState(GRU(3, 4)): wrap the decoder",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_says_what_is_wrong(name):
    call, message = CALLS[name]
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert str(caught.value) == message
