"""The parallel form is the sequential one, whatever is asked of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru import SRU, Associative, LearnedState, MinGRU, Sequential, VariationalDropout
from tests.cases import assert_close, assert_same, quick_jit, weighted

pytestmark = pytest.mark.usefixtures("x64")
T, B, I, H = 301, 3, 4, 4  # noqa: E741
KEY = jax.random.key(2)
CELLS = {
    "sru": SRU(I, H),
    "sru-highway": SRU(I, H + 1),
    "min-gru": MinGRU(I, H, bias=False),
    "learned": LearnedState(MinGRU(I, H)),
    "dropout": VariationalDropout(SRU(I, H), input=0.3, output=0.3),
}
RESETS = np.random.default_rng(0).random((T, B)) < 0.05
OPTIONS = {
    "plain": {},
    "ragged": {"lengths": jnp.array([T, 200, 0])},
    "ragged-reverse": {"lengths": jnp.array([T, 200, 0]), "reverse": True},
    "marked": {"lengths": jnp.array([T, 123, 1]), "resets": jnp.asarray(RESETS), "truncate": 40},
    "marked-reverse": {"resets": jnp.asarray(RESETS), "truncate": 40, "reverse": True},
}


def problem(name, steps=T):
    cell = CELLS[name]
    rng = np.random.default_rng(1)

    def drawn(tree):
        return jax.tree.map(lambda leaf: jnp.asarray(rng.standard_normal(leaf.shape)), tree)

    params = drawn(jax.eval_shape(cell.init, KEY))
    return (
        cell,
        params,
        jnp.asarray(rng.standard_normal((steps, B, I))),
        drawn(cell.initial_state((B,), params)),
    )


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", CELLS)
def test_parallel_equals_sequential(name, options):
    """Values of every state, and the gradient in parameters, inputs and h0, within 1e-12, over 301 steps."""
    cell, *point = problem(name)

    def run(backend):
        def scalar(params, xs, h0):
            out = jaxgru.scan(cell, params, xs, h0, backend=backend, states=True, key=KEY, **OPTIONS[options])
            return weighted(out), out

        return quick_jit(jax.value_and_grad(scalar, (0, 1, 2), has_aux=True))(*point)

    ((_, ours), gradient), ((_, want), slope) = run(Associative()), run(Sequential())
    assert_close(ours, want, 1e-12)
    assert_close(gradient, slope, 1e-12)


@pytest.mark.parametrize("name", ["sru", "min-gru"])
def test_every_transformation(name):
    """jvp, Hessian products and vmap with shared and with per-example weights equal the sequential form's."""
    cell, params, xs, _ = problem(name, steps=9)
    many = jax.tree.map(lambda w: jnp.stack([w, 2 * w, -w]), params)
    direction = jax.tree.map(jnp.cos, params)

    def results(backend):
        def scalar(params, xs):
            return weighted(jaxgru.scan(cell, params, xs, backend=backend))

        def each(params, xs):
            return jax.vmap(jax.grad(scalar), (0, 1))(params, xs), jax.vmap(scalar, (None, 1))(params_, xs)

        params_ = params
        forward = jax.jvp(lambda p: scalar(p, xs), (params,), (direction,))[1]
        curvature = jax.jvp(jax.grad(lambda p: scalar(p, xs)), (params,), (direction,))[1]
        return forward, curvature, each(many, xs)

    ours = quick_jit(lambda: results(Associative()))()
    assert_close(ours, quick_jit(lambda: results(Sequential()))(), 1e-12)


def test_padding_repeats_a_state_bit_for_bit():
    cell, params, xs, h0 = problem("sru", steps=20)
    lengths = jnp.array([20, 7, 0])
    options = {"lengths": lengths, "backend": Associative(), "states": True}
    final, _, states = jaxgru.scan(cell, params, xs, h0, **options)
    for state, last, first in zip(*map(jax.tree.leaves, (states, final, h0)), strict=True):
        assert_same(state[7:, 1], jnp.broadcast_to(state[6, 1], (13, H)))
        assert_same(last, jnp.stack([state[19, 0], state[6, 1], first[2]]))
    final, _ = jaxgru.scan(cell, params, xs[:0], h0, backend=Associative())
    assert_same(final, h0)


@pytest.mark.parametrize("name", ["sru", "min-gru"])
def test_a_reset_keeps_nothing_of_what_was_before(name):
    """NaN before a reset, or in h0 at one, reaches neither values nor gradients behind it."""
    cell, params, xs, h0 = problem(name, steps=8)
    resets = jnp.zeros((8, B), bool).at[jnp.array([0, 5])].set(True)
    broken = jax.tree.map(lambda s: jnp.full_like(s, jnp.nan), h0)

    def after(xs, h0, backend):
        return weighted(jaxgru.scan(cell, params, xs, h0, resets=resets, backend=backend)[1][5:])

    poisoned = xs.at[2].set(jnp.nan)
    got = jax.value_and_grad(after)(poisoned, broken, Associative())
    want = jax.value_and_grad(after)(xs, h0, Sequential())
    assert_close((got[0], got[1][5:]), (want[0], want[1][5:]), 1e-12)
    assert np.isfinite(jaxgru.scan(cell, params, xs, broken, resets=resets, backend=Associative())[1]).all()


def test_there_is_no_loop():
    """One program without a loop: what it is for."""
    cell, params, xs, _ = problem("min-gru")
    scan = jax.jit(lambda params, xs: jaxgru.scan(cell, params, xs, backend=Associative()))
    assert " while(" not in scan.lower(params, xs).compile().as_text()
