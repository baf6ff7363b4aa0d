"""What does not go together says so, with the combination in its message."""

import jax
import jax.numpy as jnp
import pytest

import jaxgru
from jaxgru import (
    GRU,
    LSTM,
    RNN,
    SRU,
    Associative,
    Bidirectional,
    Chrono,
    ConvGRU,
    DropConnect,
    LayerNorm,
    LearnedState,
    LSTMState,
    MinGRU,
    Stack,
    Stream,
    VariationalDropout,
    Zoneout,
)
from tests.leaky import Leaky

KEY = jax.random.key(0)
XS = jnp.ones((7, 2, 3))
CONV = ConvGRU(3, 4, spatial_shape=(5,))


def run(model, xs=XS, **options):
    return jaxgru.scan(model, model.init(KEY), xs, **options)


WIDTHS = (
    "layers[{}] must have an output as wide as its input for residual=True, got {} and 4; "
    "residual='where_equal' leaves it out"
)
AHEAD = (
    "Bidirectional has no step: its backward direction needs the inputs still to come; use scan on the whole "
    "sequence, or a forward model for streaming"
)

OTHER = (
    "params has another structure than it must have for LSTM(3, 3): missing params.w_x, params.w_h, params.b_x, "
    "params.b_h; unexpected params[0], params[1]"
)

COMBINATIONS = [
    # The parallel form asks for a state that is linear.
    *(
        (
            lambda model=model: run(model, jnp.ones((7, *model.spatial_shape, 3)), backend=Associative()),
            NotImplementedError,
            f"{cell} is not linear in its state, as Associative() needs it: use Sequential()",
        )
        for model, cell in (
            (GRU(3, 4), "GRU(3, 4)"),
            (RNN(3, 4), "RNN(3, 4)"),
            (LSTM(3, 4), "LSTM(3, 4)"),
            (SRU(3, 4, variant="2018"), "SRU(3, 4, variant='2018')"),
            (CONV, "ConvGRU(3, 4, spatial_shape=(5,))"),
            (Leaky(3, 4), "Leaky(3, 4)"),
            (DropConnect(GRU(3, 4), 0.5), "GRU(3, 4)"),
            (Stack([MinGRU(3, 3), GRU(3, 4)]), "GRU(3, 4)"),
            (Bidirectional(LSTM(3, 4)), "LSTM(3, 4)"),
        )
    ),
    (
        lambda: run(Zoneout(MinGRU(3, 4), 0.1), backend=Associative()),
        NotImplementedError,
        "Zoneout(MinGRU(3, 4), rate=0.1) does not run under Associative(), which has no zoneout: use Sequential()",
    ),
    # Layer normalisation stands inside the gates of two cells.
    *(
        (
            lambda cell=cell: LayerNorm(cell),
            ValueError,
            f"cell must be a GRU or an LSTM for LayerNorm, got {cell}; other wrappers go around LayerNorm",
        )
        for cell in (RNN(3, 4), SRU(3, 4), MinGRU(3, 4), CONV, Leaky(3, 4), Zoneout(GRU(3, 4), 0.1))
    ),
    # What drops weights or hides the state from them asks for such weights.
    *(
        (
            lambda cell=cell: DropConnect(cell, 0.5),
            ValueError,
            f"DropConnect needs a cell with a recurrent matrix, and {cell} has none",
        )
        for cell in (SRU(3, 4), MinGRU(3, 4), LearnedState(MinGRU(3, 4)))
    ),
    *(
        (
            lambda cell=cell: VariationalDropout(cell, state=0.5),
            ValueError,
            f"state needs a cell with a recurrent matrix, and {cell} has none",
        )
        for cell in (SRU(3, 4), MinGRU(3, 4))
    ),
    # Each device once.
    (
        lambda: Zoneout(LearnedState(Zoneout(GRU(3, 4), 0.1)), 0.1),
        ValueError,
        "cell must not have Zoneout around it already, got LearnedState(Zoneout(GRU(3, 4), rate=0.1))",
    ),
    (
        lambda: DropConnect(DropConnect(GRU(3, 4), 0.1), 0.1),
        ValueError,
        "cell must not have DropConnect around it already, got DropConnect(GRU(3, 4), rate=0.1)",
    ),
    (
        lambda: LayerNorm(LayerNorm(GRU(3, 4))),
        ValueError,
        "cell must not have LayerNorm around it already, got LayerNorm(GRU(3, 4))",
    ),
    # Devices go around cells, not around what is made of them.
    *(
        (
            lambda model=model: Zoneout(model, 0.1),
            TypeError,
            f"cell must be a cell such as GRU(64, 128), got {model}: wrap each cell in it",
        )
        for model in (Stack([GRU(3, 4)]), Bidirectional(GRU(3, 4)))
    ),
    (lambda: DropConnect(GRU, 0.1), TypeError, f"cell must be a model such as GRU(64, 128), got {GRU!r}"),
    # Rates.
    (lambda: Zoneout(GRU(3, 4), 1.0), ValueError, "rate must be a number in [0, 1), got 1.0"),
    (
        lambda: Zoneout(GRU(3, 4), LSTMState(0.1, 0.1)),
        ValueError,
        "rate must be a number, or formed like the state of GRU(3, 4), got LSTMState(h=0.1, c=0.1)",
    ),
    (
        lambda: Zoneout(LSTM(3, 4), (0.1, 0.1)),
        ValueError,
        "rate must be a number, or formed like the state of LSTM(3, 4), got (0.1, 0.1)",
    ),
    (
        lambda: VariationalDropout(GRU(3, 4), input=-0.1),
        ValueError,
        "input must be a number in [0, 1), got -0.1",
    ),
    (
        lambda: VariationalDropout(GRU(3, 4), output=True),
        ValueError,
        "output must be a number in [0, 1), got True",
    ),
    (lambda: DropConnect(GRU(3, 4), "0.5"), ValueError, "rate must be a number in [0, 1), got '0.5'"),
    # Chrono sets biases of gates.
    *(
        (
            lambda make=make: make(init=Chrono(9)),
            ValueError,
            f"init must not be Chrono for {words}, which has no bias at a gate that keeps its state",
        )
        for make, words in (
            (lambda **o: RNN(3, 4, **o), "RNN(3, 4, init=Chrono(max_steps=9, base=Uniform()))"),
            (
                lambda **o: GRU(3, 4, bias=False, **o),
                "GRU(3, 4, bias=False, init=Chrono(max_steps=9, base=Uniform()))",
            ),
            (lambda **o: Leaky(3, 4, **o), "Leaky(3, 4, init=Chrono(max_steps=9, base=Uniform()))"),
        )
    ),
    (lambda: Chrono(2), ValueError, "max_steps must be at least 3 and below 2**31, got 2"),
    (lambda: Chrono(9.5), TypeError, "max_steps must be an int, got 9.5 of type float"),
    (
        lambda: Chrono(9, "he"),
        ValueError,
        "init must be one of 'uniform', 'glorot_orthogonal' or an initializer value, got 'he'",
    ),
    (lambda: Chrono(10**40), ValueError, f"max_steps must be at least 3 and below 2**31, got {10**40}"),
    (
        lambda: LSTM(3, 4, forget_bias=5.0, bias=False),
        ValueError,
        "forget_bias must be left out here, for there is no bias, got 5.0",
    ),
    (
        lambda: LSTM(3, 4, forget_bias=5.0, init=Chrono(9)),
        ValueError,
        "forget_bias must be left out here, for Chrono sets that bias, got 5.0",
    ),
    (
        lambda: jaxgru.scan(LSTM(3, 3), GRU(3, 3).init(KEY)[:2] + (None,) * 3, XS),
        ValueError,
        OTHER,
    ),
    (
        lambda: jaxgru.scan(RNN(3, 3), GRU(3, 3).init(KEY), XS),
        ValueError,
        "params must be RNNParams(*, *, *, *) for RNN(3, 3), got GRUParams(*, *, *, *)",
    ),
    (
        lambda: run(LSTM(3, 4), h0=jaxgru.SRUState(XS[0], XS[0])),
        ValueError,
        "h0 must be LSTMState(*, *) for LSTM(3, 4), got SRUState(*, *)",
    ),
    (
        lambda: GRU(3, 4).step(GRU(3, 4).init(KEY), jnp.zeros((2, 4)), XS[0], key=0),
        TypeError,
        "key must be a PRNG key such as jax.random.key(0), got 0",
    ),
    (
        lambda: Stack([GRU(3, 3), GRU(3, 3)]).initial_state((2,), [GRU(3, 3).init(KEY)]),
        ValueError,
        "params must be a sequence of 2 parts for Stack([GRU(3, 3), GRU(3, 3)]), got 1",
    ),
    (
        lambda: ConvGRU(3, 4, spatial_shape=(5,), kernel_size=[3]),
        TypeError,
        "kernel_size, if it is no tuple, must be an int, got [3] of type list",
    ),
    (
        lambda: Zoneout(LSTM(3, 4), [0.1, 0.1]),
        ValueError,
        "rate must be a number, or formed like the state of LSTM(3, 4), got [0.1, 0.1]",
    ),
    # A learned state is in the parameters.
    (
        lambda: LearnedState(GRU(3, 4)).initial_state((2,)),
        ValueError,
        "params must be given for the initial state of LearnedState(GRU(3, 4)), which is learned",
    ),
    # Residual connections ask for equal widths.
    (
        lambda: Stack([GRU(4, 4), GRU(4, 5)], residual=True),
        ValueError,
        WIDTHS.format(1, 5),
    ),
    (
        lambda: Stack([Bidirectional(GRU(4, 4))], residual=True),
        ValueError,
        WIDTHS.format(0, 8),
    ),
    (
        lambda: Stack([GRU(4, 4)], residual="equal"),
        ValueError,
        "residual must be True, False or 'where_equal', got 'equal'",
    ),
    # Grids.
    (
        lambda: Stack([CONV, ConvGRU(4, 4, spatial_shape=(6,))]),
        ValueError,
        "layers[1] must have spatial_shape (5,), as the layer below it, got (6,)",
    ),
    (
        lambda: Stack([CONV, GRU(4, 4)]),
        ValueError,
        "layers[1] must have spatial_shape (5,), as the layer below it, got ()",
    ),
    (
        lambda: Bidirectional(CONV, ConvGRU(3, 4, spatial_shape=(6,))),
        ValueError,
        "backward must have forward's spatial_shape (5,), got (6,)",
    ),
    (
        lambda: run(CONV),
        ValueError,
        "xs must have shape (T, *B, 5, 3) for ConvGRU(3, 4, spatial_shape=(5,)), got (7, 2, 3)",
    ),
    (
        lambda: ConvGRU(3, 4, spatial_shape=(5, 5, 5)),
        ValueError,
        "spatial_shape must have one or two axes, got (5, 5, 5)",
    ),
    (
        lambda: ConvGRU(3, 4, spatial_shape=5),
        TypeError,
        "spatial_shape must be a tuple of ints such as (8,), got 5",
    ),
    (
        lambda: ConvGRU(3, 4, spatial_shape=(5,), kernel_size=(3, 3)),
        ValueError,
        "kernel_size must have 1 sizes, as spatial_shape has axes, got (3, 3)",
    ),
    (
        lambda: ConvGRU(3, 4, spatial_shape=(5,), dilation=0),
        ValueError,
        "dilation, if it is no tuple, must be at least 1, got 0",
    ),
    (
        lambda: CONV.step(CONV.init(KEY), CONV.initial_state((2,)), XS[0]),
        ValueError,
        "x must have shape (*B, 5, 3), got (2, 3)",
    ),
    # Cells' own choices.
    (lambda: LSTM(3, 4, projection=0), ValueError, "projection must be at least 1, got 0"),
    (lambda: LSTM(3, 4, forget_bias="1"), TypeError, "forget_bias must be a finite number, got '1'"),
    (lambda: SRU(3, 4, variant=2017), ValueError, "variant must be '2017' or '2018', got 2017"),
    (
        lambda: run(LSTM(3, 4), h0=jnp.zeros((2, 4))),
        ValueError,
        "h0 has another structure than it must have for LSTM(3, 4): missing h0.h, h0.c; unexpected h0",
    ),
    (
        lambda: Stream(Bidirectional(LSTM(3, 4)), Bidirectional(LSTM(3, 4)).init(KEY)),
        NotImplementedError,
        AHEAD,
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), COMBINATIONS, ids=lambda value: "")
def test_a_combination_is_refused_by_name(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_there_are_enough():
    assert len(COMBINATIONS) >= 25
