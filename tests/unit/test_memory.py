"""What a derivative keeps."""

import jax
import jax.numpy as jnp
import pytest

import jaxgru
from tests.cases import assert_close

T, B, I, H = 11, 2, 3, 4  # noqa: E741
POLICY = jax.checkpoint_policies.save_only_these_names("jaxgru.states")
MODELS = {
    "gru": (jaxgru.GRU(I, H), jaxgru.Sequential(save="states"), 1),
    "gru-gates": (jaxgru.GRU(I, H), jaxgru.Sequential(), 1),
    "stack": (jaxgru.Stack([jaxgru.GRU(I, H), jaxgru.RNN(H, H)]), jaxgru.Sequential(save="states"), 2),
    "both": (jaxgru.Bidirectional(jaxgru.GRU(I, H)), jaxgru.Sequential(save="states"), 2),
    "lstm": (jaxgru.LSTM(I, H), jaxgru.Sequential(save="states"), 2),  # h and c
    "zoneout": (jaxgru.Zoneout(jaxgru.GRU(I, H), 0.1), jaxgru.Sequential(save="states"), 1),
    "min-gru": (jaxgru.MinGRU(I, H), jaxgru.Associative(), 1),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_policy_keeps_one_state_of_each_step_and_layer(name):
    """Over time stay the inputs and one array (T, B, H) for each part of a state; the gradient is the same."""
    model, backend, count = MODELS[name]
    params = model.init(jax.random.key(0))
    xs = jax.random.normal(jax.random.key(1), (T, B, I))

    def scalar(params, xs):
        return jnp.sum(jaxgru.scan(model, params, xs, backend=backend)[1] ** 2)

    _, pullback = jax.vjp(jax.checkpoint(scalar, policy=POLICY), params, xs)
    kept = [leaf.shape for leaf in jax.tree.leaves(pullback) if jnp.ndim(leaf) > 1 and len(leaf) == T]
    assert sorted(kept) == sorted([(T, B, I), *[(T, B, H)] * count])
    _, plain = jax.vjp(scalar, params, xs)
    assert len([leaf for leaf in jax.tree.leaves(plain) if jnp.ndim(leaf) > 1 and len(leaf) == T]) > len(kept)
    assert_close(pullback(1.0), plain(1.0), 1e-5)


def loops(model, backend, function):
    """How many loops XLA runs for the gradient."""
    params, xs = model.init(jax.random.key(0)), jnp.ones((T, B, I))

    def scalar(params, xs):
        return jnp.sum(jaxgru.scan(model, params, xs, backend=backend)[1] ** 2)

    return jax.jit(jax.grad(function(scalar))).lower(params, xs).compile().as_text().count(" while(")


def test_with_states_alone_the_loop_is_not_run_again():
    """What the policy throws away is computed again for all of time at once."""
    cell, light = jaxgru.GRU(I, H), jaxgru.Sequential(save="states")
    assert (
        loops(cell, light, lambda f: jax.checkpoint(f, policy=POLICY)) == loops(cell, light, lambda f: f) == 2
    )


@pytest.mark.parametrize("make", [jaxgru.LSTM, jaxgru.RNN, jaxgru.SRU, jaxgru.MinGRU])
def test_chunked_keeps_less_of_every_cell(make):
    """XLA's own figure for the temporaries of a long gradient."""
    cell = make(8, 32)
    params = jax.eval_shape(cell.init, jax.random.key(0))
    xs = jax.ShapeDtypeStruct((1024, 4, 8), jnp.float32)

    def temporaries(backend):
        gradient = jax.jit(
            jax.grad(lambda p, x: jnp.sum(jaxgru.scan(cell, p, x, backend=backend)[0][0] ** 2))
        )
        return gradient.lower(params, xs).compile().memory_analysis().temp_size_in_bytes

    assert temporaries(jaxgru.Chunked(32)) < temporaries(jaxgru.Sequential()) / 3
