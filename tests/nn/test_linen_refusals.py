"""What the Flax modules cannot do, they say, in the terms of the one who calls."""

from collections.abc import Callable
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import jaxgru
from jaxgru.nn.linen import GRU, LSTM, RNN, SRU, ConvGRU, GRUCell, LSTMCell, MinGRU, SimpleCell
from tests.nn.flax_cases import CARRY, VARIABLES, XS, H, draw

GRID = jnp.ones((2, 5, 3, 3, 3))
ONE, TWO, BOTH = GRU(H), GRU(H, num_layers=2), GRU(H, bidirectional=True)
FLOATS = "must have a floating dtype, got int32; convert it, e.g. "
THESE = "for this layer and these inputs"
OTHERS = "jaxgru computes nothing else, Flax's own cell does"
LAYER = "variables must be this layer's, {'params': {'cell': …}}, got shapes"
PART = "out of a larger model's, give {'params': this layer's part}"
PAIR = CARRY, CARRY


def call(module: nn.Module, *args: Any, **options: Any) -> Callable[[], Any]:
    if isinstance(module, GRUCell):
        variables = {"params": VARIABLES["params"]["cell"]}
    elif isinstance(module, LSTMCell):
        variables = draw(module, PAIR, XS[:, 0])
    else:
        same = {"num_layers": module.num_layers, "bidirectional": module.bidirectional}
        variables = draw(type(module)(H, **same), GRID if isinstance(module, ConvGRU) else XS)
    return lambda: module.apply(variables, *args, **options)


def refused(wrong: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        wrong()
    # Below the first line, Flax says that its traceback is shortened.
    assert str(caught.value).partition("\n")[0] == message


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: GRU(4.0), TypeError, "features must be an int, got 4.0 of type float"),
    (lambda: GRU(0), ValueError, "features must be at least 1, got 0"),
    (lambda: GRU(H, num_layers="2"), TypeError, "num_layers must be an int, got '2' of type str"),
    (lambda: GRU(H, bidirectional=2), TypeError, "bidirectional must be True or False, got 2 of type int"),
    (lambda: GRU(H, dropout=1.0), ValueError, "dropout must be a number in [0, 1), got 1.0"),
    (call(GRU(H, reverse=1), XS), TypeError, "reverse must be True or False, got 1 of type int"),
    (
        call(ONE, XS, keep_order="no"),
        TypeError,
        "keep_order must be True or False, got 'no' of type str",
    ),
    (
        call(GRU(H, dtype=int), XS),
        TypeError,
        "dtype must be a floating dtype such as jnp.float32, got <class 'int'>",
    ),
    (
        call(GRU(H, backend="chunked"), XS),
        TypeError,
        "backend must be a value such as Sequential() or Chunked(32), got 'chunked'",
    ),
    (call(ONE, XS[0, 0]), ValueError, "inputs must have shape (*B, T, I), got (3,)"),
    (
        call(ONE, XS[0, 0], time_major=True),
        ValueError,
        "inputs must have shape (T, *B, I), got (3,)",
    ),
    (
        call(ONE, jnp.ones((2, 5, 3), int)),
        TypeError,
        f"inputs {FLOATS}inputs.astype(jnp.float32)",
    ),
    (
        call(ONE, XS, lengths=jnp.ones(5, int)),
        ValueError,
        "lengths must have shape (2,) like the batch axes of inputs, got (5,)",
    ),
    (call(ONE, XS, lengths=jnp.ones(2)), TypeError, "lengths must be integers, got float32"),
    (
        call(ONE, XS, lengths=[5, 6], reverse=True),
        ValueError,
        "lengths must lie in [0, 5], the number of steps; lengths[1] is 6",
    ),
    (
        call(ONE, XS, resets=jnp.zeros((5, 2), bool)),
        ValueError,
        "resets must have shape (2, 5) like the leading axes of inputs, got (5, 2)",
    ),
    (
        call(ONE, XS, resets=jnp.zeros((2, 5))),
        TypeError,
        "resets must be bool, got float32; compare, e.g. resets != 0",
    ),
    (
        call(ONE, XS, jnp.zeros((3, 4))),
        ValueError,
        f"initial_carry must have shape (2, 4) {THESE}, got (3, 4)",
    ),
    (
        call(ONE, XS, jnp.zeros((2, 4), int)),
        TypeError,
        f"initial_carry {FLOATS}initial_carry.astype(jnp.float32)",
    ),
    (
        call(TWO, XS, CARRY),
        ValueError,
        (
            f"initial_carry has another structure than it must have {THESE}: "
            "missing initial_carry[0], initial_carry[1]; unexpected initial_carry"
        ),
    ),
    (
        call(BOTH, XS, (CARRY, CARRY[:1])),
        ValueError,
        f"initial_carry[1] must have shape (2, 4) {THESE}, got (1, 4)",
    ),
    (lambda: GRUCell(-1), ValueError, "features must be at least 1, got -1"),
    (
        lambda: GRUCell(H, activation_fn=nn.relu),
        ValueError,
        f"activation_fn must be Flax's tanh, got {nn.relu!r}: {OTHERS}",
    ),
    (
        lambda: GRUCell(H, gate_fn=nn.hard_sigmoid),
        ValueError,
        f"gate_fn must be Flax's sigmoid, got {nn.hard_sigmoid!r}: {OTHERS}",
    ),
    (
        lambda: GRUCell(H, param_dtype="int8"),
        TypeError,
        "param_dtype must be a floating dtype such as jnp.float32, got 'int8'",
    ),
    (
        call(GRUCell(H), CARRY[:1], XS[:, 0]),
        ValueError,
        "carry must have shape (2, 4) for inputs (2, 3), got (1, 4)",
    ),
    (call(GRUCell(H), CARRY, jnp.ones(())), ValueError, "inputs must have shape (*B, I), got ()"),
    (
        lambda: LSTMCell(H, activation_fn=nn.gelu),
        ValueError,
        f"activation_fn must be Flax's tanh, got {nn.gelu!r}: {OTHERS}",
    ),
    (
        lambda: SimpleCell(H, activation_fn=nn.gelu),
        ValueError,
        f"activation_fn must be Flax's tanh or relu, got {nn.gelu!r}: {OTHERS}",
    ),
    (
        lambda: RNN(H, activation_fn=nn.softplus),
        ValueError,
        f"activation_fn must be Flax's tanh or relu, got {nn.softplus!r}: {OTHERS}",
    ),
    (lambda: SimpleCell(H, residual=True), ValueError, f"residual must be False, got True: {OTHERS}"),
    (
        call(LSTMCell(H), CARRY, XS[:, 0]),
        ValueError,
        (
            "carry has another structure than it must have for inputs (2, 3): missing carry[0], carry[1]; "
            "unexpected carry"
        ),
    ),
    (
        call(LSTMCell(H), (CARRY, CARRY[:1]), XS[:, 0]),
        ValueError,
        "carry[1] must have shape (2, 4) for inputs (2, 3), got (1, 4)",
    ),
    (
        call(LSTM(H), XS, CARRY),
        ValueError,
        (
            f"initial_carry has another structure than it must have {THESE}: "
            "missing initial_carry[0], initial_carry[1]; unexpected initial_carry"
        ),
    ),
    (
        call(SRU(H), XS, (CARRY, CARRY, CARRY)),
        ValueError,
        (
            f"initial_carry has another structure than it must have {THESE}: "
            "missing nothing; unexpected initial_carry[2]"
        ),
    ),
    (call(SRU(H, variant="2019"), XS), ValueError, "variant must be '2017' or '2018', got '2019'"),
    (
        lambda: SRU(H, variant="2018", backend=jaxgru.Associative()).init(jax.random.key(0), XS),
        NotImplementedError,
        "SRU(3, 4, variant='2018') is not linear in its state, as Associative() needs it: use Sequential()",
    ),
    (
        call(ConvGRU(H), jnp.ones((5, 3, 3, 3))[0]),
        ValueError,
        "inputs must have shape (*B, T, S1, S2, I), got (3, 3, 3)",
    ),
    (
        call(ConvGRU(H), GRID, lengths=jnp.ones((2, 5), int)),
        ValueError,
        "lengths must have shape (2,) like the batch axes of inputs, got (2, 5)",
    ),
    (
        call(ConvGRU(H), GRID, CARRY),
        ValueError,
        f"initial_carry must have shape (2, 3, 3, 4) {THESE}, got (2, 4)",
    ),
    (
        call(ConvGRU(H, kernel_size=3), GRID),
        TypeError,
        "kernel_size must be a tuple of ints such as (8,), got 3",
    ),
    (
        lambda: ONE.to_core({"params": {"GRU_0": {"cell": {"w": CARRY}}}}),
        ValueError,
        f"{LAYER} {{'params': {{'GRU_0': {{'cell': {{'w': (2, 4)}}}}}}}}; {PART}",
    ),
    (lambda: TWO.to_core({"cell": CARRY}), ValueError, f"{LAYER} {{'cell': (2, 4)}}; {PART}"),
    (
        lambda: ONE.to_core({"params": {"cell": {}}}),
        ValueError,
        f"{LAYER} {{'params': {{'cell': {{}}}}}}; {PART}",
    ),
    (
        lambda: GRU(8).to_core(VARIABLES),
        ValueError,
        "variables['params']['cell']['hn']['bias'] must have shape (8,), got (4,)",
    ),
    (
        lambda: MinGRU(H).to_core({"params": {"cell": {"w_x": jnp.ones((3, 8))}}}),
        ValueError,
        (
            "variables['params'] has another structure than it must have: "
            "missing variables['params']['cell']['b_x']; unexpected nothing"
        ),
    ),
]


@pytest.mark.parametrize(("wrong", "error", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_a_wrong_call(wrong: Callable[[], Any], error: type[Exception], message: str) -> None:
    refused(wrong, error, message)


def test_a_carry_is_not_rounded(x64: None) -> None:
    message = (
        "initial_carry is float64, wider than the float32 that GRU(3, 4) computes states in here: "
        "give initial_carry as float32, or the model dtype='float64'"
    )
    refused(call(ONE, XS, CARRY.astype("float64")), TypeError, message)


def test_inputs_of_another_width_are_refused() -> None:
    with pytest.raises(flax.errors.ScopeParamShapeError, match='"kernel" in "/cell/ir"'):
        ONE.apply(VARIABLES, XS[..., :2])
