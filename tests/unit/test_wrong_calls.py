"""Wrong calls: each gets one sentence that says what the argument is and what it should be."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru import GRU, RNN, Bidirectional, Chunked, Sequential, Stack, scan
from tests.cases import double

CELL = GRU(3, 5)
PARAMS = CELL.init(jax.random.key(0))
NET = Stack([GRU(3, 5), Bidirectional(GRU(5, 4))])
NET_PARAMS = NET.init(jax.random.key(0))
XS = jnp.ones((7, 2, 3))


@dataclass
class Loose:
    """A dataclass that is not frozen, and so has no hash."""

    def __call__(self): ...

    def run(self): ...


def run(model=CELL, params=PARAMS, xs=XS, **options):
    return scan(model, params, xs, **options)


CALLS = [
    # Models.
    (lambda: GRU(3.0, 5), TypeError, "input_size must be an int, got 3.0 of type float"),
    (lambda: GRU(3, True), TypeError, "hidden_size must be an int, got True of type bool"),
    (lambda: GRU(0, 5), ValueError, "input_size must be at least 1, got 0"),
    (lambda: RNN(3, -5), ValueError, "hidden_size must be at least 1, got -5"),
    (lambda: GRU(3, 5, reset="middle"), ValueError, "reset must be 'after' or 'before', got 'middle'"),
    (lambda: GRU(3, 5, update="forgets"), ValueError, "update must be 'keeps' or 'writes', got 'forgets'"),
    (lambda: RNN(3, 5, activation="gelu"), ValueError, "activation must be 'tanh' or 'relu', got 'gelu'"),
    (lambda: GRU(3, 5, bias=0), TypeError, "bias must be True or False, got 0 of type int"),
    (
        lambda: GRU(3, 5, dtype="int32"),
        TypeError,
        "dtype must be a floating dtype such as jnp.float32, got 'int32'",
    ),
    (
        lambda: GRU(3, 5, param_dtype="float33"),
        TypeError,
        "param_dtype must be a floating dtype such as jnp.float32, got 'float33'",
    ),
    (
        lambda: GRU(3, 5, dtype="float64"),
        ValueError,
        "dtype is float64, which JAX has off: set jax.config.update('jax_enable_x64', True)",
    ),
    (
        lambda: GRU(3, 5, init="he"),
        ValueError,
        "init must be one of 'uniform', 'glorot_orthogonal' or an initializer value, got 'he'",
    ),
    (
        lambda: GRU(3, 5, init=len),
        TypeError,
        "init must be a name or a frozen initializer value such as Uniform(), got <built-in function len>",
    ),
    (lambda: Stack([]), ValueError, "layers must hold at least one model, got none"),
    (lambda: Stack(CELL), TypeError, "layers must be a sequence of models, got GRU(3, 5)"),
    (
        lambda: Stack([CELL, GRU]),
        TypeError,
        "layers[1] must be a model such as GRU(64, 128), got <class 'jaxgru.cells.gru.GRU'>",
    ),
    (
        lambda: Stack([CELL, GRU(3, 5)]),
        ValueError,
        "layers[1] must have input_size 5, the output_size of the layer below it, got 3",
    ),
    (lambda: Stack([CELL], dropout=1.0), ValueError, "dropout must be a number in [0, 1), got 1.0"),
    (lambda: Stack([CELL], dropout="much"), ValueError, "dropout must be a number in [0, 1), got 'much'"),
    (lambda: Bidirectional(3), TypeError, "forward must be a model such as GRU(64, 128), got 3"),
    (
        lambda: Bidirectional(CELL, merge="max"),
        ValueError,
        "merge must be 'concat' or 'sum' or 'mean', got 'max'",
    ),
    (
        lambda: Bidirectional(CELL, GRU(4, 5)),
        ValueError,
        "backward must have forward's input_size 3, got 4",
    ),
    (
        lambda: Bidirectional(CELL, GRU(3, 6), merge="sum"),
        ValueError,
        "backward must have forward's output_size 5 for merge='sum', got 6",
    ),
    # Backends.
    (lambda: Sequential(save="all"), ValueError, "save must be 'gates' or 'states', got 'all'"),
    (lambda: Sequential(unroll=0), ValueError, "unroll must be at least 1, got 0"),
    (
        lambda: Sequential(hoist=False, block=4),
        ValueError,
        "block must be None with hoist=False, which projects each step, got 4",
    ),
    (lambda: Sequential(block=0), ValueError, "block must be at least 1, got 0"),
    (lambda: Sequential(hoist=1), TypeError, "hoist must be True or False, got 1 of type int"),
    (lambda: Chunked(2.5), TypeError, "steps must be an int, got 2.5 of type float"),
    (
        lambda: run(backend="fast"),
        TypeError,
        "backend must be a value such as Sequential() or Chunked(32), got 'fast'",
    ),
    (
        lambda: run(backend=Sequential),
        TypeError,
        (
            "backend must be a value such as Sequential() or Chunked(32), got "
            "<class 'jaxgru.recurrence.sequential.Sequential'>"
        ),
    ),
    # Inputs.
    (
        lambda: run(GRU),
        TypeError,
        "model must be a model such as GRU(64, 128), got <class 'jaxgru.cells.gru.GRU'>",
    ),
    (lambda: run(xs=XS[..., :2]), ValueError, "xs must have shape (T, *B, 3) for GRU(3, 5), got (7, 2, 2)"),
    (lambda: run(xs=XS[0, 0]), ValueError, "xs must have shape (T, *B, 3) for GRU(3, 5), got (3,)"),
    (
        lambda: run(xs=jnp.ones((7, 2, 3), int)),
        TypeError,
        "xs must have a floating dtype, got int32; convert it, e.g. xs.astype(jnp.float32)",
    ),
    (
        lambda: run(xs=XS.astype(jnp.complex64)),
        TypeError,
        "xs must have a floating dtype, got complex64; convert it, e.g. xs.astype(jnp.float32)",
    ),
    (
        lambda: run(params=PARAMS._replace(w_h=jnp.ones((5, 5)))),
        ValueError,
        "params.w_h must have shape (5, 15) for GRU(3, 5), got (5, 5)",
    ),
    (
        lambda: run(NET, NET_PARAMS[:1]),
        ValueError,
        (
            "params has another structure than it must have for Stack([GRU(3, 5), Bidirectional(GRU(5, 4))]): missing "
            "params[1].forward.w_x, params[1].forward.w_h, params[1].forward.b_x, params[1].forward.b_h, "
            "params[1].backward.w_x, params[1].backward.w_h, params[1].backward.b_x, params[1].backward.b_h; "
            "unexpected nothing"
        ),
    ),
    (
        lambda: run(params=PARAMS._replace(b_h=jnp.ones(15, int))),
        TypeError,
        "params.b_h must have a floating dtype, got int32; convert it, e.g. params.b_h.astype(jnp.float32)",
    ),
    (
        lambda: run(params=PARAMS._asdict()),
        ValueError,
        (
            "params has another structure than it must have for GRU(3, 5): missing params.w_x, params.w_h, params.b_x, "
            "params.b_h; unexpected params['b_h'], params['b_x'], params['w_h'], params['w_x']"
        ),
    ),
    (lambda: run(h0=jnp.ones((2, 4))), ValueError, "h0 must have shape (2, 5) for GRU(3, 5), got (2, 4)"),
    (lambda: run(h0=jnp.ones(5)), ValueError, "h0 must have shape (2, 5) for GRU(3, 5), got (5,)"),
    # Marks.
    (
        lambda: run(lengths=jnp.ones(2)),
        TypeError,
        "lengths must be integers, got float32",
    ),
    (
        lambda: run(lengths=jnp.ones(3, int)),
        ValueError,
        "lengths must have shape (2,) like the batch axes of xs, got (3,)",
    ),
    (
        lambda: run(lengths=np.array([2**32 + 1, 3])),
        ValueError,
        "lengths has integers that int32 does not hold, as int64 does",
    ),
    (
        lambda: run(lengths=[7, 8]),
        ValueError,
        "lengths must lie in [0, 7], the number of steps; lengths[1] is 8",
    ),
    (
        lambda: run(lengths=[-1, 8]),
        ValueError,
        "lengths must lie in [0, 7], the number of steps; lengths[0] is -1",
    ),
    (
        lambda: run(resets=jnp.ones((7, 2))),
        TypeError,
        "resets must be bool, got float32; compare, e.g. resets != 0",
    ),
    (
        lambda: run(resets=jnp.ones(7, bool)),
        ValueError,
        "resets must have shape (7, 2) like the leading axes of xs, got (7,)",
    ),
    (lambda: run(reverse="yes"), TypeError, "reverse must be True or False, got 'yes' of type str"),
    (lambda: run(states=None), TypeError, "states must be True or False, got None of type NoneType"),
    (lambda: run(truncate=0), ValueError, "truncate must be at least 1, got 0"),
    (lambda: run(key=7), TypeError, "key must be a PRNG key such as jax.random.key(0), got 7"),
    (
        lambda: jaxgru.lengths_from_mask(np.array([[True, False], [True, True]])),
        ValueError,
        "mask must be True up to a row's length and False after it; row [1] is not",
    ),
    (lambda: jaxgru.lengths_from_mask(jnp.ones((3, 2))), TypeError, "mask must be bool, got float32"),
    (
        lambda: jax.jit(jaxgru.lengths_from_mask)(jnp.ones((3, 2), bool)),
        TypeError,
        "mask is traced, and its rows cannot be checked: call lengths_from_mask outside jit",
    ),
    (lambda: jaxgru.resets_from_done(True), ValueError, "done must have shape (T, *B), got ()"),
    (
        lambda: jax.jit(scan)(CELL, PARAMS, XS),
        TypeError,
        "model is traced, but decides what is compiled: close over it, or name it in static_argnames of jax.jit",
    ),
    (
        lambda: jax.jit(lambda r: run(reverse=r))(True),
        TypeError,
        "reverse is traced, but decides what is compiled: close over it, or name it in static_argnames of jax.jit",
    ),
    (lambda: CELL.init(0), TypeError, "key must be a PRNG key such as jax.random.key(0), got 0"),
    (lambda: NET.init("seed"), TypeError, "key must be a PRNG key such as jax.random.key(0), got 'seed'"),
    (lambda: run(params="weights"), TypeError, "params must be an array of JAX or NumPy, got str"),
    (
        lambda: run(params=PARAMS._replace(b_x=[0.0] * 15)),
        TypeError,
        "params.b_x[0] must be an array of JAX or NumPy, got float",
    ),
    (lambda: run(h0="zero"), TypeError, "h0 must be an array of JAX or NumPy, got str"),
    (
        lambda: GRU(3, 5, dtype=jnp.float8_e4m3fn),
        TypeError,
        "dtype must be a floating dtype such as jnp.float32, got <class 'jax.numpy.float8_e4m3fn'>",
    ),
    (
        lambda: GRU(3, 5, init=Loose()),
        TypeError,
        "init must be hashable, such as a frozen dataclass, got Loose()",
    ),
    (
        lambda: run(backend=Loose()),
        TypeError,
        "backend must be hashable, such as a frozen dataclass, got Loose()",
    ),
    # Steps.
    (
        lambda: CELL.step(PARAMS, jnp.zeros((2, 5)), jnp.ones((2, 4))),
        ValueError,
        "x must have shape (*B, 3), got (2, 4)",
    ),
    (
        lambda: CELL.step(PARAMS, jnp.zeros((2, 5)), jnp.ones((6, 3))),
        ValueError,
        "state must have shape (6, 5), got (2, 5)",
    ),
    (
        lambda: Stack([CELL]).step([PARAMS], (), jnp.ones(3)),
        ValueError,
        "state must be a sequence of 1 parts for Stack([GRU(3, 5)]), got 0",
    ),
    (
        lambda: Bidirectional(CELL).step(None, None, None),
        NotImplementedError,
        (
            "Bidirectional has no step: its backward direction needs the inputs still to come; use scan on the "
            "whole sequence, or a forward model for streaming"
        ),
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), CALLS, ids=[message[:40] for _, _, message in CALLS])
def test_message(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_a_wide_state_is_refused():
    """A float64 h0 of a float32 model would lose digits in silence."""
    with double(), pytest.raises(TypeError) as caught:
        run(h0=jnp.zeros((2, 5), jnp.float64))
    assert str(caught.value) == (
        "h0 is float64, wider than the float32 that GRU(3, 5) computes states in here: give h0 as float32, or the "
        "model dtype='float64'"
    )


def test_the_same_messages_under_jit():
    """Shapes and dtypes are checked while tracing."""
    with pytest.raises(
        ValueError, match=r"^xs must have shape \(T, \*B, 3\) for GRU\(3, 5\), got \(7, 2, 2\)"
    ):
        jax.jit(lambda xs: run(xs=xs))(XS[..., :2])
