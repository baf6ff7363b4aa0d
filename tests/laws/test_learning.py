"""Golden values, and learning what only memory can solve."""

import jax
import jax.numpy as jnp
import optax
import pytest

import jaxgru
from tests.cases import CELLS, VARIANTS, along, assert_close

GOLDEN = {
    ("after", "keeps"): 0.5064575,
    ("after", "writes"): -0.7172976,
    ("before", "keeps"): 0.5030944,
    ("before", "writes"): -0.7314454,
}


@pytest.mark.parametrize("variant", VARIANTS, ids="-".join)
def test_golden_values(variant):
    """A case small enough to follow by hand, so that no change of code and oracle together goes unseen."""
    reset, update = variant
    cell = jaxgru.GRU(1, 1, reset=reset, update=update)
    params = jaxgru.GRUParams(
        w_x=jnp.array([[0.5, -0.5, 1.0]]),
        w_h=jnp.array([[-1.0, 1.0, 2.0]]),
        b_x=jnp.array([0.1, 0.2, 0.3]),
        b_h=jnp.array([0.3, 0.2, -0.1]),
    )
    final, _ = jaxgru.scan(cell, params, jnp.array([[1.0], [-2.0]]), jnp.array([0.5]))
    assert_close(final, jnp.array([GOLDEN[variant]]), 1e-6)


@pytest.mark.parametrize("name", CELLS)
def test_learns_to_remember(name):
    """Each cell learns to tell at the end which of two signs it was shown first."""
    cell = CELLS[name].cell
    signs = jnp.where(jnp.arange(8) % 2, 1.0, -1.0)
    xs = 0.1 * jax.random.normal(jax.random.key(0), (6, 8, *cell.spatial_shape, cell.input_size))
    xs = xs.at[0, ..., 0].set(along(signs, xs[0, ..., 0]))
    params = (cell.init(jax.random.key(1)), jnp.full((cell.output_size,), 0.5))
    optimizer = optax.adam(0.03)

    def loss(params):
        _, ys = jaxgru.scan(cell, params[0], xs)
        last = ys[-1].reshape(8, -1, cell.output_size).mean(1)
        return optax.sigmoid_binary_cross_entropy(last @ params[1], signs > 0).mean()

    @jax.jit
    def train(params):
        def step(carry, _):
            params, state = carry
            value, gradient = jax.value_and_grad(loss)(params)
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(params, updates), state), value

        return jax.lax.scan(step, (params, optimizer.init(params)), None, 300)

    (_, _), losses = train(params)
    assert losses[0] > 0.6
    assert losses[-1] < 0.05
