"""Values and derivatives equal the equations in NumPy float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxgru
from jaxgru import reference
from tests.cases import CELLS, LENGTHS, VARIANTS, assert_close, double, every_pair, quick_jit, weighted
from tests.oracle import oracle

pytestmark = pytest.mark.usefixtures("x64")


@every_pair
def test_values_and_derivative(case):
    """scan equals the oracle, and its gradient gives the oracle's finite differences, with every kind of mark."""
    data = case.data()
    marks = {
        "lengths": LENGTHS,
        "resets": data.resets,
        "reverse": case.cell in {"gru-after-writes", "rnn-tanh"},
    }

    def scalar(params, xs, h0):
        out = case.scan(params, xs, h0, **marks)
        return weighted(out), out

    point = data.params, data.xs, data.h0
    (_, got), gradient = quick_jit(jax.value_and_grad(scalar, (0, 1, 2), has_aux=True))(*point)
    assert_close(got, oracle(case.model, case.laws.oracle, *point, **marks))

    rng = np.random.default_rng(0)
    direction = jax.tree.map(lambda x: rng.standard_normal(x.shape), point)

    def along(epsilon):
        moved = jax.tree.map(lambda x, d: np.asarray(x) + epsilon * d, point, direction)
        return float(
            weighted(jax.tree.map(jnp.asarray, oracle(case.model, case.laws.oracle, *moved, **marks)))
        )

    slope = (8 * (along(1e-4) - along(-1e-4)) - (along(2e-4) - along(-2e-4))) / 12e-4
    ours = sum(
        float(jnp.vdot(g, d)) for g, d in zip(*map(jax.tree.leaves, (gradient, direction)), strict=True)
    )
    assert ours == pytest.approx(slope, rel=1e-8, abs=1e-8)


shapes = st.tuples(
    st.integers(0, 6), st.lists(st.integers(0, 3), max_size=2), st.integers(1, 5), st.integers(1, 5)
)


@given(shapes, st.sampled_from(VARIANTS), st.sampled_from([np.float32, np.float64]))
def test_random_shapes(shape, variant, dtype):
    """Any shape, T = 0 and B = 0 included: within 1e-6 in float32 and 1e-14 in float64."""
    steps, batch, inputs, hidden = shape
    reset, update = variant
    with double():
        cell = jaxgru.GRU(inputs, hidden, reset=reset, update=update, param_dtype=dtype)
        params = cell.init(jax.random.key(1))
        xs = jax.random.normal(jax.random.key(2), (steps, *batch, inputs), dtype)
        final, ys = jaxgru.scan(cell, params, xs)
        rows = int(np.prod(batch))
        want, want_ys = reference.scan(
            lambda p, h, x: reference.gru_step(p, h, x, reset=reset, update=update),
            params,
            np.asarray(xs, np.float64).reshape(steps, rows, inputs),
            np.zeros((rows, hidden)),
        )
        assert ys.dtype == final.dtype == dtype
        assert ys.shape == (steps, *batch, hidden)
        tol = 1e-14 if dtype == np.float64 else 1e-6
        assert_close(ys.reshape(steps, rows, hidden), want_ys, tol)
        assert_close(final.reshape(rows, hidden), want, tol)


@pytest.mark.parametrize("reset", ["after", "before"])
def test_keeps_and_writes_are_one(reset):
    """Negating every weight and bias of the update gate turns "keeps" into "writes"."""
    keeps, writes = (CELLS[f"gru-{reset}-{update}"].cell for update in ("keeps", "writes"))
    params = jax.tree.map(lambda w: w.astype(jnp.float64), keeps.init(jax.random.key(0)))
    hidden = keeps.hidden_size
    mirrored = jax.tree.map(lambda w: w.at[..., hidden : 2 * hidden].multiply(-1), params)
    xs = jax.random.normal(jax.random.key(1), (9, 2, keeps.input_size), jnp.float64)
    assert_close(jaxgru.scan(writes, mirrored, xs), jaxgru.scan(keeps, params, xs))
