"""Dtypes, bounds and extreme inputs."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from tests.cases import CELLS, VARIANTS, H, I, assert_close, assert_same, double, every_case, head


@every_case
def test_bounds(case):
    """States stay finite, and within the cell's bound, for huge, tiny and zero inputs."""
    data = case.data(dtype=jnp.float32)
    for scale in (1e30, 1e-38, 1e-45, 0.0):
        xs = jnp.where(data.xs > 0, scale, -scale).astype(jnp.float32)
        final, ys = case.scan(data.params, xs)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((final, ys)))
        if case.laws.bound is not None and case.layer == "alone":
            assert jnp.abs(ys).max() <= case.laws.bound


@every_case
def test_padding_holds_the_state_in_float32(case):
    """A state on which no step acts comes back bit for bit, gates or not."""
    data = case.data(dtype=jnp.float32)
    final, _ = case.scan(data.params, data.xs * 1e4, data.h0, lengths=jnp.zeros(3, int))
    assert_same(final, data.h0)


@pytest.mark.parametrize("name", CELLS)
def test_promotion(name):
    """Inputs and parameters promote as in JAX; a state is never narrower than float32."""
    cell = CELLS[name].cell
    params = cell.init(jax.random.key(0))
    half = jax.tree.map(lambda w: w.astype(jnp.bfloat16), params)
    xs = jnp.ones((4, 2, *cell.spatial_shape, I))
    for p, x, dtype in (
        (params, xs, jnp.float32),
        (params, xs.astype(jnp.bfloat16), jnp.float32),
        (half, xs, jnp.float32),
        (half, xs.astype(jnp.bfloat16), jnp.bfloat16),
    ):
        final, ys = jaxgru.scan(cell, p, x)
        assert ys.dtype == dtype
        assert {leaf.dtype for leaf in jax.tree.leaves(final)} == {jnp.dtype(jnp.float32)}
    state, y = cell.step(half, cell.initial_state((2,), half), xs[0].astype(jnp.bfloat16))
    assert (head(state).dtype, y.dtype) == (jnp.float32, jnp.bfloat16)
    with double():
        wide = jaxgru.scan(cell, params, xs.astype(jnp.float64))
        assert {leaf.dtype for leaf in jax.tree.leaves(wide)} == {jnp.dtype(jnp.float64)}


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(("reset", "update"), VARIANTS)
def test_half_precision(reset, update, dtype):
    """In half precision a scan of 1000 steps stays within 2⁻⁷ of float32, and its gradient within 2⁻⁵."""
    exact = jaxgru.GRU(8, 16, reset=reset, update=update)
    half = jaxgru.GRU(8, 16, reset=reset, update=update, dtype=dtype)
    params = exact.init(jax.random.key(0))
    xs = jax.random.normal(jax.random.key(1), (1000, 1, 8))

    def run(cell):
        final, ys = jaxgru.scan(cell, params, xs)
        return ys, final

    def distance(got, want):
        return float(jnp.linalg.norm((got - want).astype(jnp.float32)) / jnp.linalg.norm(want))

    (ys, final), (ys_half, final_half) = run(exact), run(half)
    assert ys_half.dtype == dtype
    assert final_half.dtype == jnp.float32
    assert distance(ys_half, ys) < 2**-7
    assert distance(final_half, final) < 2**-7
    weight = jnp.cos(jnp.arange(ys.size)).reshape(ys.shape)
    gradients = [
        jax.grad(lambda p, c=cell: (jaxgru.scan(c, p, xs)[1] * weight).sum())(params)
        for cell in (exact, half)
    ]
    for want, got in zip(*gradients, strict=True):
        assert got.dtype == jnp.float32
        assert distance(got, want) < 2**-5


@pytest.mark.usefixtures("x64")
def test_a_state_that_nobody_gave_follows_the_parameters():
    """A cell of float64 parameters runs in float32 where parameters and inputs are float32, resets included."""
    cell = jaxgru.GRU(I, H, param_dtype=jnp.float64)
    params = jax.tree.map(lambda w: w.astype(jnp.float32), cell.init(jax.random.key(0)))
    final, ys = jaxgru.scan(cell, params, jnp.ones((4, I), jnp.float32), resets=jnp.ones(4, bool))
    assert final.dtype == ys.dtype == jnp.float32


def test_a_state_of_float32_is_taken_in_half_precision():
    cell = jaxgru.GRU(I, H, dtype=jnp.bfloat16)
    params = cell.init(jax.random.key(0))
    xs = jnp.ones((6, 2, I))
    middle, first = jaxgru.scan(cell, params, xs[:3])
    final, second = jaxgru.scan(cell, params, xs[3:], middle)
    whole, ys = jaxgru.scan(cell, params, xs)
    assert_same((final, jnp.concatenate([first, second])), (whole, ys))


@pytest.mark.parametrize("name", [name for name in CELLS if not hasattr(CELLS[name].cell, "cell")])
def test_initial_parameters(name):
    """PyTorch's range by default; Glorot and orthogonal for each gate, zero biases, by name."""
    cell = CELLS[name].cell
    kernel = getattr(cell, "kernel_size", 1) ** len(cell.spatial_shape)
    params = cell.init(jax.random.key(0))
    f = slice(H, 2 * H)  # where an LSTM's biases are set
    drawn = [
        w.at[f].set(0.1 + i) if name.startswith("lstm") and w.ndim == 1 else w
        for i, w in enumerate(params)
        if w is not None
    ]
    free = [w for w in drawn if not (name.startswith("lstm") and w.ndim == 1)]
    assert all(jnp.abs(w).max() <= (H * kernel) ** -0.5 for w in free)
    assert len({np.asarray(leaf).tobytes() for leaf in drawn}) == len(drawn)
    named = remade(cell, init="glorot_orthogonal", param_dtype=jnp.bfloat16).init(jax.random.key(0))
    assert {w.dtype for w in jax.tree.leaves(named)} == {jnp.dtype(jnp.bfloat16)}
    exact = remade(cell, init=jaxgru.GlorotOrthogonal()).init(jax.random.key(0))
    for block in np.split(exact.w_h, exact.w_h.shape[-1] // H, -1) if hasattr(exact, "w_h") else []:
        rows = block.reshape(-1, H)
        assert_close(rows.T @ rows if len(rows) >= H else rows @ rows.T, np.eye(min(H, len(rows))), 1e-5)
    assert jnp.abs(exact.w_x).max() <= (6 / (I + H) / kernel) ** 0.5
    biases = [getattr(exact, b, None) for b in ("b_x", "b_h")]
    assert not any(
        b.at[f].set(0).any() if name.startswith("lstm") else b.any() for b in biases if b is not None
    )


def remade(cell, **options):
    """The same cell with other options."""
    fields = {
        field: getattr(cell, field) for field in inspect.signature(type(cell)).parameters if field != "init"
    }
    return type(cell)(**{**fields, **options})


def test_values_are_equal_by_value():
    """Models are frozen, hashable and equal by value, however their dtypes and initialisers were named."""
    cell = jaxgru.GRU(3, 5, dtype="float32", init="uniform")
    same = jaxgru.GRU(3, 5, dtype=jnp.float32, init=jaxgru.Uniform())
    assert cell == same
    assert hash(cell) == hash(same)
    assert cell != jaxgru.GRU(3, 5, dtype=jnp.float32, update="writes")
    assert jaxgru.Stack([cell]) == jaxgru.Stack((same,))
    with pytest.raises(AttributeError):
        cell.hidden_size = 7
    assert repr(jaxgru.GRU(3, 5, reset="before", bias=False)) == "GRU(3, 5, reset='before', bias=False)"
