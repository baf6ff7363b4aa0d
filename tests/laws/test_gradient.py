"""The one linear recurrence gives what JAX gives for a plain scan, under every transformation."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.flatten_util import ravel_pytree

import jaxgru
from tests.cases import CELLS, VARIANTS, B, Case, I, assert_close, quick_jit, weighted

pytestmark = pytest.mark.usefixtures("x64")
SMALL = [
    "gru-after-keeps",
    "gru-before-writes",
    "rnn-tanh",
    "leaky",
    "lstm-projection",
]


def plain(cell, params, xs, h0):
    """The recurrence as one would write it, with JAX's own derivative."""
    return lax.scan(lambda h, x: cell.step(params, h, x), h0, xs)


@pytest.mark.parametrize("name", CELLS)
def test_gradient_equals_plain_scan(name):
    """The gradient in every weight, input and h0, within 1e-12."""
    case = Case(name, name)
    params, xs, h0, _ = case.data(seed=3)
    ours = quick_jit(jax.grad(lambda *point: weighted(case.scan(*point)), (0, 1, 2)))(params, xs, h0)
    theirs = quick_jit(jax.grad(lambda *point: weighted(plain(case.model, *point)), (0, 1, 2)))(
        params, xs, h0
    )
    assert_close(ours, theirs, 1e-12)


@pytest.fixture(params=SMALL)
def problem(request):
    """A scalar of a scan and of a plain scan, as functions of one flat vector of weights, inputs and h0."""
    cell = CELLS[request.param].cell
    params = jax.tree.map(lambda w: w.astype(jnp.float64), cell.init(jax.random.key(0)))
    xs = jax.random.normal(jax.random.key(1), (4, 2, I), jnp.float64)
    h0 = jax.tree.map(
        lambda s: jax.random.normal(jax.random.key(2), s.shape, jnp.float64), cell.initial_state((2,))
    )
    flat, unravel = ravel_pytree((params, xs, h0))
    return (
        flat,
        lambda v: weighted(jaxgru.scan(cell, *unravel(v))),
        lambda v: weighted(plain(cell, *unravel(v))),
        lambda v: jaxgru.scan(cell, *unravel(v))[1].ravel(),
    )


def test_forward_and_reverse_mode_agree(problem):
    """jvp gives the gradient's product, and jacfwd equals jacrev."""
    flat, ours, theirs, outputs = problem
    v = jnp.sin(jnp.arange(flat.size, dtype=flat.dtype))
    assert_close(
        quick_jit(lambda: jax.jvp(ours, (flat,), (v,))[1])(), quick_jit(lambda: jax.grad(theirs)(flat) @ v)()
    )
    assert_close(quick_jit(jax.jacfwd(outputs))(flat), quick_jit(jax.jacrev(outputs))(flat))


def test_second_derivatives(problem):
    """Hessian products, forward over reverse and reverse over forward and over reverse, equal the plain scan's."""
    flat, ours, theirs, _ = problem
    v = jnp.cos(jnp.arange(flat.size, dtype=flat.dtype))
    want = quick_jit(lambda x: jax.jvp(jax.grad(theirs), (x,), (v,))[1])(flat)
    assert_close(quick_jit(lambda x: jax.jvp(jax.grad(ours), (x,), (v,))[1])(flat), want, 1e-12)
    assert_close(quick_jit(jax.grad(lambda x: jax.jvp(ours, (x,), (v,))[1]))(flat), want, 1e-12)
    assert_close(quick_jit(jax.grad(lambda x: jax.grad(ours)(x) @ v))(flat), want, 1e-12)


def test_third_derivative(problem):
    """The rule is differentiable to any order: three nested forward modes against the plain scan."""
    flat, ours, theirs, _ = problem
    v = jnp.sin(1 + jnp.arange(flat.size, dtype=flat.dtype))

    def along(f, x):
        return jax.jvp(f, (x,), (v,))[1]

    def third(f):
        for _ in range(3):
            f = partial(along, f)
        return quick_jit(f)(flat)

    assert_close(third(ours), third(theirs), 1e-11)


@pytest.mark.parametrize("name", SMALL)
def test_vmap(name):
    """vmap over sequences equals the batch, with shared and with per-example parameters, gradients too."""
    cell = CELLS[name].cell
    params = jax.vmap(cell.init)(jax.random.split(jax.random.key(0), B))
    params = jax.tree.map(lambda w: w.astype(jnp.float64), params)
    one = jax.tree.map(lambda w: w[0], params)
    xs = jax.random.normal(jax.random.key(1), (5, B, I), jnp.float64)

    def scalar(p, x):
        return weighted(jaxgru.scan(cell, p, x))

    def shared(p, xs):
        ys = jax.vmap(lambda x: jaxgru.scan(cell, p, x)[1], 1, 1)(xs)
        return weighted(ys)

    assert_close(
        quick_jit(jax.value_and_grad(shared, (0, 1)))(one, xs),
        quick_jit(jax.value_and_grad(lambda p, xs: weighted(jaxgru.scan(cell, p, xs)[1]), (0, 1)))(one, xs),
    )
    each = quick_jit(jax.vmap(jax.value_and_grad(scalar, (0, 1)), (0, 1)))(params, xs)
    single = quick_jit(jax.value_and_grad(scalar, (0, 1)))
    alone = [single(jax.tree.map(lambda w, b=b: w[b], params), xs[:, b]) for b in range(B)]
    assert_close(each, jax.tree.map(lambda *rows: jnp.stack(rows), *alone))
    per_row = quick_jit(jax.vmap(jax.grad(scalar), (None, 1)))(one, xs)
    alone = [jax.grad(scalar)(one, xs[:, b]) for b in range(B)]
    assert_close(per_row, jax.tree.map(lambda *rows: jnp.stack(rows), *alone))


@pytest.mark.parametrize("name", SMALL)
def test_checkpoint_and_nested_scan(name):
    """jax.checkpoint around a scan, and a scan inside a scan, change no gradient."""
    cell = CELLS[name].cell
    params = jax.tree.map(lambda w: w.astype(jnp.float64), cell.init(jax.random.key(0)))
    xs = jax.random.normal(jax.random.key(1), (6, B, I), jnp.float64)

    def whole(p):
        return weighted(jaxgru.scan(cell, p, xs)[1])

    def windows(p):
        body = jax.checkpoint(lambda h, x: jaxgru.scan(cell, p, x, h))
        h0 = cell.initial_state((B,), p)
        _, ys = lax.scan(body, h0, xs.reshape(2, 3, B, I))
        return weighted(ys.reshape(6, B, cell.output_size))

    want = quick_jit(jax.grad(whole))(params)
    assert_close(quick_jit(jax.grad(jax.checkpoint(whole)))(params), want)
    assert_close(quick_jit(jax.grad(windows))(params), want)


@pytest.mark.parametrize(("reset", "update"), VARIANTS)
def test_shard_map(reset, update):
    """Inside jax.shard_map the gradient is summed over the mesh like any other function's."""
    cell = CELLS[f"gru-{reset}-{update}"].cell
    params = cell.init(jax.random.key(0))
    xs = jax.random.normal(jax.random.key(1), (5, 2, I))
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec

    def local(p, xs):
        return lax.psum(weighted(jaxgru.scan(cell, p, xs)), "data")

    mapped = jax.shard_map(local, mesh=mesh, in_specs=(spec(), spec(None, "data")), out_specs=spec())
    want = quick_jit(jax.grad(lambda p: weighted(jaxgru.scan(cell, p, xs))))(params)
    assert_close(quick_jit(jax.grad(mapped))(params, xs), want)
