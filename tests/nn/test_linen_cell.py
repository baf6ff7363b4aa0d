"""`GRUCell`, `LSTMCell` and `SimpleCell` are Flax's."""

import dataclasses

import flax.linen as nn
import jax
import pytest

from jaxgru.nn.linen import GRUCell, LSTMCell, SimpleCell
from tests.cases import assert_close, assert_same
from tests.nn.flax_cases import FLAX, KINDS, VARIABLES, XS, H, carry_of, draw

X = XS[:, 0]


@pytest.mark.parametrize(
    ("ours", "theirs"), [(GRUCell, nn.GRUCell), (LSTMCell, nn.LSTMCell), (SimpleCell, nn.SimpleCell)]
)
def test_it_has_the_same_fields(ours: type[nn.Module], theirs: type[nn.Module]) -> None:
    names = [[field.name for field in dataclasses.fields(cell)] for cell in (ours, theirs)]
    assert set(names[0]) == set(names[1])
    assert names[0][:3] == names[1][:3]


@pytest.mark.parametrize("name", FLAX)
def test_it_takes_the_same_step(name: str) -> None:
    ours, theirs = KINDS[name].cell(H), KINDS[name].flax_linen(H)
    args = draw(theirs, carry_of(name), X), carry_of(name), X
    assert_close(ours.apply(*args), theirs.apply(*args))


@pytest.mark.parametrize("name", ["GRU", "LSTM", "RNN"])
def test_it_starts_with_the_same_parameters_and_carry(name: str) -> None:
    cells = KINDS[name].cell(H), KINDS[name].flax_linen(H)
    assert_same(*(jax.jit(cell.init)(jax.random.key(7), carry_of(name), X) for cell in cells))
    assert_same(*(cell.initialize_carry(jax.random.key(0), X.shape) for cell in cells))


@pytest.mark.parametrize(
    ("name", "dtype", "param_dtype"),
    [
        ("GRU", None, "float32"),
        ("GRU", "float32", "float32"),
        ("GRU", "bfloat16", "float32"),
        ("GRU", None, "bfloat16"),
        ("LSTM", "bfloat16", "float32"),
        ("LSTM", None, "bfloat16"),
    ],
)
def test_inside_rnn(name: str, dtype: str | None, param_dtype: str) -> None:
    """With Flax's dtypes, and in half precision with its numbers to within that."""
    options = {"dtype": dtype, "param_dtype": param_dtype, "carry_init": nn.initializers.constant(0.5)}
    kind, xs = KINDS[name], XS.astype(param_dtype)
    variables = VARIABLES if name == "GRU" else draw(nn.RNN(kind.flax_linen(H)), XS)
    variables = jax.tree.map(lambda leaf: leaf.astype(param_dtype), variables)
    ours, theirs = (
        nn.RNN(cell(H, **options), return_carry=True).apply(variables, xs)
        for cell in (kind.cell, kind.flax_linen)
    )
    assert [leaf.dtype for leaf in jax.tree.leaves(ours)] == [leaf.dtype for leaf in jax.tree.leaves(theirs)]
    assert_close(ours, theirs, 2e-2 if "bfloat16" in {dtype, param_dtype} else 2e-6)
