"""What the modules of nnx cannot do, they say, in the terms of the one who calls."""

from collections.abc import Callable
from typing import Any

import pytest
from flax import nnx

from jaxgru.nn.nnx import GRU, LSTM, RNN, SRU, ConvGRU, GRUCell, LSTMCell, SimpleCell
from tests.nn.flax_cases import CARRY, WIDTH, XS, H

RNGS = nnx.Rngs(0)
OTHERS = "jaxgru computes nothing else, Flax's own cell does"
THESE = "for this layer and these inputs"


def layer(**options: Any) -> GRU:
    return GRU(WIDTH, H, rngs=RNGS, **options)


def promote(*args: Any, **options: Any) -> None: ...


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: GRU(3.0, H, rngs=RNGS), TypeError, "in_features must be an int, got 3.0 of type float"),
    (lambda: GRU(WIDTH, 0, rngs=RNGS), ValueError, "hidden_features must be at least 1, got 0"),
    (lambda: GRU(WIDTH, H), TypeError, "GRU.__init__() missing 1 required keyword-only argument: 'rngs'"),
    (
        lambda: GRU(WIDTH, H, rngs=3),
        TypeError,
        "rngs must be an nnx.Rngs such as nnx.Rngs(0), got 3",
    ),
    (lambda: layer(num_layers=0), ValueError, "num_layers must be at least 1, got 0"),
    (lambda: layer(bidirectional=1), TypeError, "bidirectional must be True or False, got 1 of type int"),
    (lambda: layer(dropout=1), ValueError, "dropout must be a number in [0, 1), got 1"),
    (
        lambda: layer(dtype="int8"),
        TypeError,
        "dtype must be a floating dtype such as jnp.float32, got 'int8'",
    ),
    (
        lambda: layer(param_dtype="int8"),
        TypeError,
        "param_dtype must be a floating dtype such as jnp.float32, got 'int8'",
    ),
    (
        lambda: LSTM(WIDTH, H, optimized="yes", rngs=RNGS),
        TypeError,
        "optimized must be True or False, got 'yes' of type str",
    ),
    (
        lambda: RNN(WIDTH, H, activation_fn=nnx.gelu, rngs=RNGS),
        ValueError,
        f"activation_fn must be Flax's tanh or relu, got {nnx.gelu!r}: {OTHERS}",
    ),
    (
        lambda: SRU(WIDTH, H, variant="v1", rngs=RNGS),
        ValueError,
        "variant must be '2017' or '2018', got 'v1'",
    ),
    (
        lambda: ConvGRU(WIDTH, H, kernel_size=(3, 3, 3), rngs=RNGS),
        ValueError,
        "spatial_shape must have one or two axes, got (1, 1, 1)",
    ),
    (lambda: layer()(XS[..., :2]), ValueError, "inputs must be as wide as in_features=3, got 2"),
    (lambda: layer()(XS[0, 0]), ValueError, "inputs must have shape (*B, T, I), got (3,)"),
    (
        lambda: layer()(XS, CARRY[:1]),
        ValueError,
        f"initial_carry must have shape (2, 4) {THESE}, got (1, 4)",
    ),
    (
        lambda: layer()(XS, return_carry="no"),
        TypeError,
        "return_carry must be True or False, got 'no' of type str",
    ),
    (
        lambda: GRUCell(WIDTH, H, gate_fn=nnx.hard_sigmoid, rngs=RNGS),
        ValueError,
        f"gate_fn must be Flax's sigmoid, got {nnx.hard_sigmoid!r}: {OTHERS}",
    ),
    (
        lambda: GRUCell(WIDTH, H, promote_dtype=promote, rngs=RNGS),
        ValueError,
        f"promote_dtype must be Flax's promote_dtype, got {promote!r}: {OTHERS}",
    ),
    (
        lambda: SimpleCell(WIDTH, H, residual=True, rngs=RNGS),
        ValueError,
        f"residual must be False, got True: {OTHERS}",
    ),
    (lambda: GRUCell("3", H, rngs=RNGS), TypeError, "in_features must be an int, got '3' of type str"),
    (
        lambda: GRUCell(WIDTH, H, rngs=RNGS)(CARRY, XS[:, 0, :2]),
        ValueError,
        "inputs must be as wide as in_features=3, got 2",
    ),
    (
        lambda: LSTMCell(WIDTH, H, rngs=RNGS)(CARRY, XS[:, 0]),
        ValueError,
        (
            "carry has another structure than it must have for inputs (2, 3): missing carry[0], carry[1]; "
            "unexpected carry"
        ),
    ),
]


@pytest.mark.parametrize(("wrong", "error", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_a_wrong_call(wrong: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        wrong()
    assert str(caught.value) == message


def test_dropout_without_its_stream_is_refused_at_once() -> None:
    with pytest.raises(AttributeError, match="dropout"):
        GRU(WIDTH, H, num_layers=2, dropout=0.5, rngs=nnx.Rngs(params=0))


def test_a_state_of_another_width_is_refused() -> None:
    module = layer()
    nnx.update(module, nnx.state(GRU(WIDTH, H + 1, rngs=RNGS), nnx.Param))
    with pytest.raises(ValueError, match=r"params\[0\].w_x must have shape \(3, 12\)"):
        module(XS)


def test_dropout_that_comes_later() -> None:
    """Layers built without dropout hold no stream for it, and say so rather than draw from a fixed one."""
    module = layer(num_layers=2)
    module.dropout = 0.5
    module.train()
    with pytest.raises(ValueError, match="dropout must be given when the layers are built"):
        module(XS)
