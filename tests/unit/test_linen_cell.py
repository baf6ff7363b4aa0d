"""`GRUCell` is `flax.linen.GRUCell`."""

import flax.linen as nn
import jax
import pytest

from jaxgru.nn.linen import GRU, GRUCell
from tests.cases import assert_close, assert_same
from tests.unit.linen_cases import CARRY, VARIABLES, XS, H, draw


def test_it_has_the_same_fields() -> None:
    names = [field for field in nn.GRUCell.__dataclass_fields__ if field not in {"parent", "name"}]
    assert [f for f in GRUCell.__dataclass_fields__ if f not in {"parent", "name"}] == names


def test_it_takes_the_same_step() -> None:
    args = draw(nn.GRUCell(H), CARRY, XS[:, 0]), CARRY, XS[:, 0]
    assert_close(GRUCell(H).apply(*args), nn.GRUCell(H).apply(*args))


def test_it_starts_with_the_same_parameters() -> None:
    ours, theirs = (m.init(jax.random.key(7), CARRY, XS[:, 0]) for m in (GRUCell(H), nn.GRUCell(H)))
    assert_same(ours, theirs)


def test_its_initializers_are_used() -> None:
    ones, twos = nn.initializers.ones, nn.initializers.constant(2.0)
    layer = GRU(H, kernel_init=ones, recurrent_kernel_init=twos, bias_init=nn.initializers.constant(3.0))
    cell = layer.init(jax.random.key(0), XS)["params"]["cell"]
    assert (cell["ir"]["kernel"] == 1).all()
    assert (cell["hn"]["kernel"] == 2).all()
    assert (cell["hn"]["bias"] == 3).all()


@pytest.mark.parametrize(
    ("dtype", "param_dtype"),
    [(None, "float32"), ("float32", "float32"), ("bfloat16", "float32"), (None, "bfloat16")],
)
def test_inside_rnn(dtype: str | None, param_dtype: str) -> None:
    """With Flax's dtypes, and in half precision with its numbers to within that."""
    options = {"dtype": dtype, "param_dtype": param_dtype, "carry_init": nn.initializers.constant(0.5)}
    xs = XS.astype(param_dtype)
    variables = jax.tree.map(lambda leaf: leaf.astype(param_dtype), VARIABLES)
    ours, theirs = (
        nn.RNN(cell(H, **options), return_carry=True).apply(variables, xs) for cell in (GRUCell, nn.GRUCell)
    )
    assert [leaf.dtype for leaf in ours] == [leaf.dtype for leaf in theirs]
    assert_close(ours, theirs, 2e-2 if "bfloat16" in {dtype, param_dtype} else 2e-6)
