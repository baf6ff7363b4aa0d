"""What is done to a cell while it is trained: each device does what its paper says, and nothing without its noise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru import (
    GRU,
    LSTM,
    RNN,
    SRU,
    ConvGRU,
    DropConnect,
    LayerNorm,
    LearnedState,
    LSTMState,
    MinGRU,
    Stack,
    VariationalDropout,
    Zoneout,
)
from jaxgru.cells.base import Cell
from tests.cases import assert_close, assert_same, quick_jit, weighted

T, B, I, H = 6, 5, 3, 4  # noqa: E741
KEY = jax.random.key(7)
XS = jax.random.normal(jax.random.key(1), (T, B, I))
CELLS = {
    "gru": GRU(I, H),
    "gru-before": GRU(I, H, reset="before", update="writes"),
    "rnn": RNN(I, H),
    "lstm": LSTM(I, H, projection=2),
    "layer-norm": LayerNorm(GRU(I, H)),
    "conv": ConvGRU(I, H, spatial_shape=(3,)),
}
WITHOUT_MATRIX = {"sru": SRU(I, H), "min-gru": MinGRU(I, H)}
DEVICES = {
    "zoneout": Zoneout,
    "input": lambda cell, rate: VariationalDropout(cell, input=rate),
    "state": lambda cell, rate: VariationalDropout(cell, state=rate),
    "output": lambda cell, rate: VariationalDropout(cell, output=rate),
    "dropconnect": DropConnect,
    "nested": lambda cell, rate: Zoneout(DropConnect(VariationalDropout(cell, rate, rate, rate), rate), rate),
    "nested-otherwise": lambda cell, rate: VariationalDropout(
        LearnedState(Zoneout(DropConnect(cell, rate), rate)), rate, rate, rate
    ),
}


def inputs(cell):
    return XS if not cell.spatial_shape else jnp.broadcast_to(XS[:, :, None], (T, B, 3, I))


@pytest.mark.parametrize(
    ("name", "device"),
    [
        *itertools.product(CELLS, DEVICES),
        *itertools.product(WITHOUT_MATRIX, ["zoneout", "input", "output"]),
    ],
)
def test_a_rate_of_zero_is_the_plain_cell(name, device):
    """Bit for bit, with or without a key."""
    plain = {**CELLS, **WITHOUT_MATRIX}[name]
    cell = DEVICES[device](plain, 0.0)
    params = cell.init(KEY)
    want = jaxgru.scan(plain, params.cell if hasattr(params, "state") else params, inputs(plain))
    assert_same(jaxgru.scan(cell, params, inputs(plain)), want)
    assert_same(jaxgru.scan(cell, params, inputs(plain), key=KEY), want)


@pytest.mark.parametrize("device", [name for name in DEVICES if name != "zoneout" and "nested" not in name])
def test_evaluation_is_the_plain_cell(device):
    """Without a key, but for zoneout, a rate changes nothing; with one, the key decides all."""
    plain = CELLS["lstm"]
    cell, params = DEVICES[device](plain, 0.5), plain.init(KEY)
    assert_same(jaxgru.scan(cell, params, XS), jaxgru.scan(plain, params, XS))
    noisy = jaxgru.scan(cell, params, XS, key=KEY)
    assert_same(jaxgru.scan(cell, params, XS, key=KEY), noisy)
    assert (noisy[1] != jaxgru.scan(cell, params, XS, key=jax.random.key(8))[1]).any()
    assert (noisy[1] != jaxgru.scan(plain, params, XS)[1]).any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["gru-before", "lstm", "conv"])
@pytest.mark.usefixtures("x64")
def test_noise_does_not_hang_on_the_backend(name, device):
    """With a key, every strategy computes the same numbers and the same derivative, also of ragged rows."""
    cell = DEVICES[device](CELLS[name], 0.4)
    params = jax.tree.map(lambda w: w.astype(jnp.float64), cell.init(KEY))
    xs = inputs(cell).astype(jnp.float64)
    marks = {"lengths": jnp.array([6, 4, 0, 1, 6]), "resets": jnp.zeros((T, B), bool).at[3, 0].set(True)}

    def run(backend):
        def scalar(params, xs):
            return weighted(jaxgru.scan(cell, params, xs, key=KEY, backend=backend, **marks))

        return quick_jit(jax.value_and_grad(scalar, (0, 1)))(params, xs)

    want = run(jaxgru.Sequential())
    for backend in (jaxgru.Chunked(4), jaxgru.Sequential(hoist=False, save="states")):
        assert_close(run(backend), want, 1e-12)


def test_input_and_output_masks_are_one_for_all_time():
    """A dropped unit of a row stays dropped, at the rate that was asked, and the rest is scaled."""
    rows, width = 40, 50
    identity = RNN(width, width, activation="relu", bias=False)
    params = jaxgru.RNNParams(jnp.eye(width), jnp.zeros((width, width)))
    for device in ("input", "output"):
        cell = DEVICES[device](identity, 0.25)
        _, ys = jaxgru.scan(cell, params, jnp.ones((T, rows, width)), key=KEY)
        assert_same(ys, jnp.broadcast_to(ys[0], ys.shape))
        assert_close(np.unique(ys), np.array([0, 4 / 3], np.float32))
        assert float((ys[0] == 0).mean()) == pytest.approx(0.25, abs=0.04)


def test_the_state_mask_is_one_for_all_time_and_before_the_matrix():
    """What the recurrent matrix sees of the state is masked, the same in each step; the state itself is not."""
    rows, width = 40, 50
    cell = RNN(1, width, activation="relu", bias=False)
    params = jaxgru.RNNParams(jnp.zeros((1, width)), jnp.eye(width))
    h0 = jnp.ones((rows, width))
    dropped = VariationalDropout(cell, state=0.25)
    _, ys = jaxgru.scan(dropped, params, jnp.zeros((3, rows, 1)), h0, key=KEY)
    scale = 4 / 3
    assert_close(ys, jnp.where(ys[0] > 0, scale, 0) ** jnp.array([1, 2, 3])[:, None, None], 1e-6)
    assert float((ys[0] == 0).mean()) == pytest.approx(0.25, abs=0.04)
    # A GRU that only keeps never shows the mask, which is no mask of its state.
    gru = GRU(1, width, bias=True)
    keep = jax.tree.map(jnp.zeros_like, gru.init(KEY))
    keep = keep._replace(b_x=keep.b_x.at[width : 2 * width].set(100.0))
    final, _ = jaxgru.scan(VariationalDropout(gru, state=0.5), keep, jnp.zeros((9, rows, 1)), h0, key=KEY)
    assert_same(final, h0)


def test_dropconnect_drops_weights_at_its_rate():
    """Through a state of ones, each unit reads the sum of the weights that are left, scaled."""
    width = 60
    cell = RNN(1, width, activation="relu", bias=False)
    params = jaxgru.RNNParams(jnp.zeros((1, width)), jnp.ones((width, width)))
    dropped = DropConnect(cell, 0.25)
    final, _ = jaxgru.scan(dropped, params, jnp.zeros((1, 7, 1)), jnp.ones((7, width)), key=KEY)
    kept = np.asarray(final) * 0.75
    assert_close(kept, np.round(kept), 1e-4)
    assert_same(final, jnp.broadcast_to(final[0], final.shape))
    assert kept.sum() / 7 / width**2 == pytest.approx(0.75, abs=0.03)


def test_zoneout_keeps_units_at_its_rate_and_evaluates_to_the_mean():
    """In the mean over many rows the noisy step is the evaluated one; its masks differ from step to step."""
    cell = Zoneout(LSTM(I, 50), LSTMState(h=0.25, c=0.6))
    params = cell.init(KEY)
    state = jax.tree.map(
        lambda s: jax.random.normal(jax.random.key(3), s.shape), cell.initial_state((400,), params)
    )
    x = jax.random.normal(jax.random.key(4), (2, 1, I)) * jnp.ones((1, 400, 1))
    _, _, noisy = jaxgru.scan(cell, params, x, state, key=KEY, states=True)
    kept = jax.tree.map(lambda new, old: new[0] == old, noisy, state)
    assert float(kept.h.mean()) == pytest.approx(0.25, abs=0.02)
    assert float(kept.c.mean()) == pytest.approx(0.6, abs=0.02)
    again = jax.tree.map(lambda new: new[1] == new[0], noisy)
    assert float((again.c & kept.c).mean()) == pytest.approx(0.36, abs=0.02)
    one = jax.tree.map(lambda s: jnp.broadcast_to(s[:1], s.shape), state)
    (mean, _), (drawn, _) = (jaxgru.scan(cell, params, x[:1], one, key=k) for k in (None, KEY))
    assert_close(drawn.c.mean(0), mean.c[0], 0.15)
    plain, _ = jaxgru.scan(cell.cell, params, x[:1], one)
    assert_close(mean, LSTMState(0.25 * one.h + 0.75 * plain.h, 0.6 * one.c + 0.4 * plain.c), 1e-6)


def test_a_learned_state_is_where_rows_and_resets_begin():
    """It takes the place of zeros, in every row and after each reset, and has a gradient from both."""
    cell = LearnedState(LSTM(I, H))
    params = cell.init(KEY)
    assert_same(params.state, LSTMState(jnp.zeros(H), jnp.zeros(H)))
    params = params._replace(state=LSTMState(jnp.full(H, 0.3), jnp.full(H, -0.6)))
    h0 = jax.tree.map(lambda s: jnp.broadcast_to(s, (B, H)), params.state)
    assert_same(jaxgru.scan(cell, params, XS), jaxgru.scan(cell.cell, params.cell, XS, h0))
    resets = jnp.zeros((T, B), bool).at[2].set(True)
    _, ys = jaxgru.scan(cell, params, XS, resets=resets)
    assert_close(ys[2:], jaxgru.scan(cell, params, XS[2:])[1])

    def loss(params, start):
        return jaxgru.scan(cell, params, XS, start, resets=resets)[1][2:].sum()

    gradient = jax.grad(loss)(params, jax.tree.map(jnp.zeros_like, h0))  # through the reset alone
    assert all(leaf.any() for leaf in jax.tree.leaves(gradient.state))


def test_chrono_sets_how_long_gates_remember():
    """The sum of both biases is log u of a gate that keeps, −log u of one that writes, u up to the longest span."""
    h = 2000
    signs = {GRU(1, h, init=jaxgru.Chrono(50)): 1, GRU(1, h, update="writes", init=jaxgru.Chrono(50)): -1}
    for cell, sign in signs.items():
        params = cell.init(KEY)
        u = jnp.exp(sign * (params.b_x + params.b_h)[h : 2 * h])
        assert 1 <= u.min() < 1.5
        assert 48 < u.max() <= 49.001
        assert float(u.mean()) == pytest.approx(25, abs=1)
        assert jnp.abs(params.b_x[:h]).max() <= h**-0.5
    params = LSTM(1, h, init=jaxgru.Chrono(50)).init(KEY)
    i, f, _, _ = jnp.split(params.b_x + params.b_h, 4)
    assert_same(i, -f)
    assert f.max() > 3.8
    (z, _) = jnp.split(MinGRU(1, h, init=jaxgru.Chrono(50)).init(KEY).b_x, 2)
    assert z.max() <= 0
    (f, _) = jnp.split(jaxgru.SRU(1, h, init=jaxgru.Chrono(50, "glorot_orthogonal")).init(KEY).b_x, 2)
    assert f.min() >= 0


def test_chrono_in_half_precision():
    """Spans beyond float16's largest number have finite biases."""
    params = LSTM(1, 9, init=jaxgru.Chrono(10**6), param_dtype=jnp.float16).init(KEY)
    assert all(np.isfinite(leaf).all() for leaf in params if leaf is not None)


def test_zoneout_without_a_key_has_every_derivative_of_ragged_rows():
    """Also where the gates are kept for it."""
    cell = Zoneout(GRU(I, H), 0.3)
    params, lengths = cell.init(KEY), jnp.array([6, 4, 0, 1, 6])

    def products(backend):
        def scalar(p):
            return weighted(jaxgru.scan(cell, p, XS, lengths=lengths, backend=backend))

        return quick_jit(lambda: jax.jvp(jax.grad(scalar), (params,), (params,))[1])()

    assert_close(products(jaxgru.Sequential(save="gates")), products(jaxgru.Sequential(save="states")), 1e-4)


def test_a_cell_that_multiplies_by_itself():
    """A mask of the state acts on `h @ w_h` as on `dot(h, w_h)`."""

    class Plain(RNN):
        def transition(self, params, state, a):
            return jnp.tanh(a + state @ params.w_h), ()

        linearize = Cell.linearize
        tangent = Cell.tangent
        source = Cell.source

    params = CELLS["rnn"].init(KEY)
    cells = [VariationalDropout(make(I, H), state=0.5) for make in (Plain, RNN)]
    assert_close(*(jaxgru.scan(cell, params, XS, key=KEY) for cell in cells))


@pytest.mark.usefixtures("x64")
def test_masks_scale_in_double_precision():
    cell = RNN(1, 9, activation="relu", bias=False)
    params = jaxgru.RNNParams(jnp.zeros((1, 9)), jnp.eye(9))
    h0, xs = jnp.ones((4, 9)), jnp.zeros((1, 4, 1))
    final, _ = jaxgru.scan(VariationalDropout(cell, state=0.3), params, xs, h0, key=KEY)
    assert_same(np.unique(final), np.array([0, 1 / 0.7]))


def test_forget_bias():
    """By default 1 in all; None leaves the biases as drawn, within PyTorch's range."""
    f = slice(H, 2 * H)
    default, drawn = LSTM(I, H).init(KEY), LSTM(I, H, forget_bias=None).init(KEY)
    assert_same((default.b_x + default.b_h)[f], jnp.ones(H))
    assert jnp.abs(drawn.b_x).max() <= H**-0.5
    assert_same(default._replace(b_x=drawn.b_x, b_h=drawn.b_h), drawn)


def test_residual_connections():
    """A layer's input is added to its output, after its dropout; where widths differ only by name."""
    stack = Stack([GRU(H, H), GRU(H, H)], residual=True)
    params = stack.init(KEY)
    xs = jax.random.normal(jax.random.key(2), (T, B, H))
    first = xs + jaxgru.scan(stack.layers[0], params[0], xs)[1]
    want = first + jaxgru.scan(stack.layers[1], params[1], first)[1]
    assert_close(jaxgru.scan(stack, params, xs)[1], want)
    lengths = jnp.array([6, 3, 0, 1, 2])
    _, padded = jaxgru.scan(stack, params, xs.at[5:, 1:].set(jnp.nan), lengths=lengths)
    assert not padded[3:, 1].any()
    assert_close(padded[:3, 1], want[:3, 1])
    uneven = Stack([GRU(I, H), GRU(H, H)], residual="where_equal")
    first = jaxgru.scan(uneven.layers[0], (p := uneven.init(KEY))[0], XS)[1]
    want = first + jaxgru.scan(uneven.layers[1], p[1], first)[1]
    assert_close(jaxgru.scan(uneven, p, XS)[1], want)
    _, y = uneven.step(p, uneven.initial_state((B,)), XS[0])
    assert_close(y, want[0])
    noisy = Stack([GRU(H, H), GRU(H, H)], dropout=0.9, residual=True)
    _, ys = jaxgru.scan(noisy, jax.tree.map(jnp.zeros_like, params), xs, key=KEY)
    assert_same(ys, xs)


def test_devices_in_stacks_have_their_own_noise():
    """Two equal layers, or both directions, draw different masks from one key."""
    relu = VariationalDropout(RNN(20, 20, activation="relu", bias=False), output=0.5)
    params = jaxgru.RNNParams(jnp.eye(20), jnp.zeros((20, 20)))
    xs = jnp.ones((2, 9, 20))
    both = jaxgru.Bidirectional(relu)
    _, ys = jaxgru.scan(both, type(both.init(KEY))(params, params), xs, key=KEY)
    assert (ys[..., :20] != ys[..., 20:]).any()
    _, ys = jaxgru.scan(Stack([relu, relu]), [params, params], xs, key=KEY)
    assert float((ys[0] > 0).mean()) == pytest.approx(0.25, abs=0.12)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_a_stream_evaluates(rate):
    """A Stream of a cell with devices gives what a scan without a key gives."""
    cell = LearnedState(Zoneout(LayerNorm(LSTM(I, H)), rate))
    params = cell.init(KEY)
    stream = jaxgru.Stream(cell, params, (B,))
    assert_close(stream.feed(XS), jaxgru.scan(cell, params, XS)[1])
    assert_close(stream.step(XS[0]), jaxgru.scan(cell, params, jnp.concatenate([XS, XS[:1]]))[1][-1])


def test_a_stream_of_a_grid():
    """A convolutional model streams, and single rows of it are reset."""
    cell = CELLS["conv"]
    params, xs = cell.init(KEY), inputs(cell)
    stream = jaxgru.Stream(cell, params, (B,))
    ys = [stream.step(xs[0]), *stream.feed(xs[1:4])]
    assert_close(jnp.stack(ys), jaxgru.scan(cell, params, xs[:4])[1])
    stream.reset([1])
    resets = jnp.zeros((T, B), bool).at[4, 1].set(True)
    assert_close(stream.feed(xs[4:]), jaxgru.scan(cell, params, xs, resets=resets)[1][4:])
    assert stream.state.shape == (B, 3, H)
