"""The compiled program: what is inside a loop, what is outside, and how often it is made."""

import collections

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

import jaxgru
from tests.cases import CELLS, VARIANTS, B, H, I, weighted

T = 11  # a length that no other axis has
PRODUCTS = {"dot_general", "dense", "weight_gradient", "conv_general_dilated"}


def inner(value):
    """The jaxprs in a parameter of an equation."""
    if isinstance(value, ClosedJaxpr):
        return [value.jaxpr]
    if isinstance(value, Jaxpr):
        return [value]
    return [j for v in value for j in inner(v)] if isinstance(value, tuple | list) else []


def equations(jaxpr):
    """Every equation below a jaxpr, but for those inside its loops, and the loops' bodies."""
    flat, bodies = [], []
    for equation in jaxpr.eqns:
        flat.append(equation)
        parts = [j for value in equation.params.values() for j in inner(value)]
        if equation.primitive.name in {"scan", "while"}:
            bodies += parts
        else:
            for part in parts:
                more, below = equations(part)
                flat += more
                bodies += below
    return flat, bodies


def loops(function, *args):
    """For each loop of a function: the result shapes of the matmuls in it; and the shapes of those outside."""
    flat, bodies = equations(jax.make_jaxpr(function)(*args).jaxpr)

    def products(eqns):
        return [tuple(e.outvars[0].aval.shape) for e in eqns if e.primitive.name in PRODUCTS]

    found = []
    for body in bodies:
        inside, deeper = equations(body)
        assert not deeper, "a loop inside a loop"
        found.append(products(inside))
    return found, products(flat)


def problem(name, **options):
    cell = CELLS[name].cell
    params = cell.init(jax.random.key(0))
    xs = jnp.ones((T, B, *cell.spatial_shape, I))
    return cell, params, xs, lambda p, xs: weighted(jaxgru.scan(cell, p, xs, **options))


COUNTED = [name for name, laws in CELLS.items() if laws.dots is not None]


MARKS = {
    "whole": {},
    "ragged": {"lengths": jnp.array([T, 4, 0])},
    "marked": {"lengths": jnp.array([T, 4, 0]), "resets": jnp.ones((T, B), bool), "truncate": 3},
}


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("save", ["gates", "states"])
@pytest.mark.parametrize("name", COUNTED)
def test_one_matmul_in_each_loop(name, save, marks):
    """One recurrent matmul (two for reset before) in each loop, and every weight's gradient outside."""
    _, params, xs, scalar = problem(name, backend=jaxgru.Sequential(save=save), **MARKS[marks])
    dots = CELLS[name].dots
    (forward,), _ = loops(scalar, params, xs)
    assert len(forward) == dots
    found, outside = loops(jax.grad(scalar, (0, 1)), params, xs)
    assert [len(products) for products in found] == [dots, dots]
    weights = {w.shape for w in jax.tree.leaves(params) if w.ndim == 2}
    assert all(shape[0] == B for products in found for shape in products)
    gradients = collections.Counter(
        shape for shape in outside if shape[0] in {w[0] for w in weights} and len(shape) == 2
    )
    assert sum(shape[1] for shape in gradients.elements()) == sum(shape[1] for shape in weights)


@pytest.mark.parametrize("lengths", [None, T], ids=["whole", "ragged"])
@pytest.mark.parametrize(("reset", "update"), VARIANTS)
def test_vmap_keeps_gradients_outside(reset, update, lengths):
    """Under vmap with shared weights the same holds, and each weight's gradient is one, not one a row."""
    cell, params, xs, _ = problem(f"gru-{reset}-{update}")

    def scalar(p, xs):
        return weighted(jax.vmap(lambda x: jaxgru.scan(cell, p, x, lengths=lengths)[1], 1, 1)(xs))

    found, outside = loops(jax.grad(scalar, (0, 1)), params, xs)
    dots = CELLS[f"gru-{reset}-{update}"].dots
    assert [len(products) for products in found] == [dots, dots]
    assert all(shape[0] == B for products in found for shape in products)
    assert not [shape for shape in outside if len(shape) == 3 and shape[0] == B and T not in shape]


def test_chunked_has_one_gradient_per_chunk():
    """Chunked: the weights' gradients stand in the loop over chunks, not in the one over steps."""
    _, params, xs, scalar = problem("gru-after-keeps", backend=jaxgru.Chunked(4))
    _, bodies = equations(jax.make_jaxpr(jax.grad(scalar))(params, xs).jaxpr)
    for body in bodies:
        for steps in equations(body)[1]:
            products = [e for e in equations(steps)[0] if e.primitive.name in PRODUCTS]
            assert all(e.outvars[0].aval.shape[0] == B for e in products)


@pytest.mark.parametrize("name", ["gru-after-keeps", "rnn-tanh"])
def test_eager_calls_compile_once(name):
    """One compilation for each model value, shapes and backend, whatever the values."""
    cell, params, xs, _ = problem(name)
    traced, once = collections.Counter(), 0

    class Counting(type(cell)):
        def project(self, params, xs):
            traced["project"] += 1
            return super().project(params, xs)

    for seed in range(3):
        counting = Counting(I, H)  # equal by value each time
        jaxgru.scan(counting, params, xs + seed, lengths=jnp.full(B, seed))
        once = traced["project"] if seed == 0 else once
    assert traced["project"] == once
    jaxgru.scan(counting, params, xs[:5], lengths=jnp.full(B, 2))
    assert traced["project"] == 2 * once
    jaxgru.scan(counting, params, xs, lengths=jnp.full(B, 2), backend=jaxgru.Sequential(unroll=2))
    assert traced["project"] > 2 * once


def test_forward_keeps_nothing_for_the_derivative():
    """Without a derivative the loop returns the states alone: gates cost nothing."""
    _, params, xs, scalar = problem("gru-after-keeps")
    flat, _ = equations(jax.make_jaxpr(scalar)(params, xs).jaxpr)
    (scan,) = [e for e in flat if e.primitive.name == "scan"]
    assert [v.aval.shape for v in scan.outvars] == [(B, H), (T, B, H)]
