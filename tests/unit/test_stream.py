"""A Stream gives what scan gives, keeps its state to itself, and says what it cannot take."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru import GRU, RNN, Bidirectional, Stack, Stream, scan
from jaxgru.stream import _pieces
from tests.cases import assert_close, assert_same, double, tolerance

T, B, I = 13, 3, 3  # noqa: E741
CELL = GRU(I, 4)
PARAMS = CELL.init(jax.random.key(0))
XS = np.random.default_rng(0).standard_normal((T, B, I)).astype(np.float32)
MODELS = {
    "gru": CELL,
    "rnn": RNN(I, 4),
    "stack": Stack([GRU(I, 4, reset="before"), RNN(4, 2)], dropout=0.5),
    "bfloat16": GRU(I, 4, dtype=jnp.bfloat16),
    "bfloat16-parameters": GRU(I, 4, param_dtype=jnp.bfloat16),
}


def make(model=CELL, batch_shape=(B,)):
    return Stream(model, model.init(jax.random.key(0)), batch_shape)


@pytest.fixture
def compilations():
    """A function that tells how many programs have been compiled since the test began."""
    count = [0]

    def listen(event, duration, **about):
        count[0] += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield lambda: count[0]
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize("name", MODELS)
def test_steps_and_pieces_of_any_size_are_one_scan(name):
    model = MODELS[name]
    final, ys = scan(model, model.init(jax.random.key(0)), XS)
    tol = tolerance(ys.dtype)
    for sizes in ([1, 5, 7], [13], [6, 0, 6, 1]):
        stream, got, start = make(model), [], 0
        for size in sizes:
            part = XS[start : start + size]
            got.append(stream.step(part[0])[None] if size == 1 else stream.feed(part))
            start += size
        assert_close(jnp.concatenate(got), ys, tol)
        assert_close(stream.state, final, tol)


def test_one_stream_and_many_axes():
    stream, many = make(batch_shape=()), make(batch_shape=(2, B))
    ys = scan(CELL, PARAMS, XS[:, 0])[1]
    assert_close(jnp.stack([stream.step(x) for x in XS[:, 0]]), ys)
    grid = np.stack([XS, XS[::-1]], 1)
    assert_close(many.feed(grid), scan(CELL, PARAMS, grid)[1])
    many.reset(np.array([[True] * B, [False] * B]))
    assert (many.state[0] == 0).all()
    assert (many.state[1] != 0).all()


@pytest.mark.parametrize(
    "rows", [1, [1], np.array([1, 1]), np.array([False, True, False]), jnp.array([0, 1, 0], bool)], ids=str
)
def test_a_row_that_is_reset_begins_anew_and_the_others_go_on(rows):
    stream = make()
    stream.feed(XS[:5])
    stream.reset(rows)
    ys = stream.feed(XS[5:])
    resets = np.zeros((T, B), bool)
    resets[5, 1] = True
    assert_close(ys, scan(CELL, PARAMS, XS, resets=resets)[1][5:])
    assert_close(ys[:, 1], scan(CELL, PARAMS, XS[5:, 1])[1])


def test_reset_returns_to_the_first_state():
    stream = make()
    first = stream.step(XS[0])
    stream.reset()
    assert_same(stream.state, CELL.initial_state((B,)))
    assert_same(stream.step(XS[0]), first)
    stream.reset([])
    assert_same(stream.state, first)


def test_what_was_given_out_or_taken_in_stays_as_it_is():
    """A donated buffer is nobody else's."""
    params = jax.tree.map(np.array, PARAMS)
    stream = Stream(CELL, params, (B,))
    begin, first = stream.state, stream.step(XS[0])
    given = stream.state
    stream.state = given
    kept = [np.array(a) for a in (begin, first, given)]
    params.w_h[:] = 9
    second = stream.step(XS[1])
    assert_close(second, scan(CELL, PARAMS, XS[:2])[1][1])
    stream.reset()
    stream.feed(XS)
    for array, before in zip((begin, first, given), kept, strict=True):
        assert_same(array, before)


def test_an_assigned_state_goes_on_from_there():
    stream, other = make(), make()
    stream.feed(XS[:5])
    other.state = np.asarray(stream.state)
    assert_same(other.feed(XS[5:]), stream.feed(XS[5:]))


def test_it_compiles_once_and_feed_eleven_times_at_most(compilations):
    model = GRU(I, 6)  # no other test's, so that nothing of it is compiled yet
    stream, xs = make(model), [*XS, *map(jnp.asarray, XS)]
    before = compilations()
    assert before >= 1
    for x in xs:
        stream.step(x)
    assert compilations() == before
    for size in range(1, 17):
        stream.feed(np.zeros((size, B, I), np.float32))
    assert (
        5 <= compilations() - before <= 2 * 5
    )  # 1, 2, 4, 8, 16: the scan, and its inputs' way to the device


def test_pieces_are_powers_of_two():
    assert _pieces(0) == [0]
    assert _pieces(2 * 1024 + 5) == [1024, 1024, 4, 1]
    assert all(sum(_pieces(n)) == n and len(_pieces(n)) <= 10 for n in range(1, 1025))


def test_float64_where_everything_is():
    with double():
        cell = GRU(I, 4, param_dtype=jnp.float64)
        stream = make(cell)
        ys = scan(cell, cell.init(jax.random.key(0)), XS.astype(np.float64))[1]
        assert_close(jnp.stack([stream.step(x) for x in XS.astype(np.float64)]), ys)


STREAM = "Stream(GRU(3, 4), batch_shape=(3,))"
TRACED = "traced, but a Stream keeps its state between calls; under jax.jit, carry the state through model.step or scan"
MISTAKES = [
    (lambda s: Stream(GRU, PARAMS), TypeError, f"model must be a model such as GRU(64, 128), got {GRU!r}"),
    (
        lambda s: Stream(CELL, PARAMS, 3),
        TypeError,
        "batch_shape must be a tuple of ints such as (8,), got 3",
    ),
    (lambda s: Stream(CELL, PARAMS, (2, 0)), ValueError, "batch_shape[1] must be at least 1, got 0"),
    (
        lambda s: Stream(GRU(3, 5), PARAMS),
        ValueError,
        "params.w_x must have shape (3, 15) for GRU(3, 5), got (3, 12)",
    ),
    (
        lambda s: Stream(CELL, [1.0]),
        TypeError,
        "params[0] must be an array of JAX or NumPy, got float",
    ),
    (
        lambda s: make(Stack([Bidirectional(CELL)])),
        NotImplementedError,
        (
            "Bidirectional has no step: its backward direction needs the inputs still to come; use scan on the "
            "whole sequence, or a forward model for streaming"
        ),
    ),
    (
        lambda s: s.step(np.zeros((2, 3), np.float32)),
        ValueError,
        f"x must have shape (3, 3) for {STREAM}, got (2, 3)",
    ),
    (
        lambda s: s.step(np.zeros((3, 3), int)),
        TypeError,
        "x must have a floating dtype, got int32; convert it, e.g. x.astype(jnp.float32)",
    ),
    (
        lambda s: s.step([[1, 2, 3]] * 3),
        TypeError,
        "x must have a floating dtype, got int32; convert it, e.g. x.astype(jnp.float32)",
    ),
    (
        lambda s: s.feed(XS[0]),
        ValueError,
        f"xs must have shape (T, 3, 3) for {STREAM}, got (3, 3)",
    ),
    (lambda s: jax.jit(s.step)(XS[0]), TypeError, "x is " + TRACED),
    (lambda s: jax.jit(s.feed)(XS), TypeError, "xs is " + TRACED),
    (lambda s: jax.jit(s.reset)(np.ones(3, bool)), TypeError, "rows is " + TRACED),
    (lambda s: s.reset(3), ValueError, "rows must lie in [0, 3), got 3"),
    (lambda s: s.reset([0, -1]), ValueError, "rows must lie in [0, 3), got -1"),
    (lambda s: s.reset(1.0), TypeError, "rows must be None, a bool mask or ints, got float64"),
    (
        lambda s: s.reset(np.ones(2, bool)),
        ValueError,
        "rows must have shape (3,) like batch_shape, got (2,)",
    ),
    (
        lambda s: make(batch_shape=()).reset(0),
        ValueError,
        "rows must be None or a bool mask of shape (): ints name rows of one axis",
    ),
    (
        lambda s: setattr(s, "state", np.zeros((2, 4), np.float32)),
        ValueError,
        f"state must have shape (3, 4) for {STREAM}, got (2, 4)",
    ),
    (
        lambda s: setattr(s, "state", (np.zeros((3, 4), np.float32),)),
        ValueError,
        f"state has another structure than it must have for {STREAM}: missing state; unexpected state[0]",
    ),
    (
        lambda s: setattr(s, "state", np.zeros((3, 4))),
        TypeError,
        f"state is float64, wider than the float32 of {STREAM}; convert it",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES, ids=[m[-1][:40] for m in MISTAKES])
def test_a_wrong_call_is_one_sentence_and_changes_nothing(call, kind, message):
    stream = make()
    stream.step(XS[0])
    before = stream.state
    with pytest.raises(kind) as caught:
        call(stream)
    assert str(caught.value) == message
    assert_same(stream.state, before)


def test_an_input_that_would_widen_the_state_is_refused():
    with double():
        stream, wide = make(), XS.astype(np.float64)
        for name, call in (("x", lambda: stream.step(wide[0])), ("xs", lambda: stream.feed(wide))):
            with pytest.raises(TypeError) as caught:
                call()
            assert str(caught.value) == (
                f"{name} is float64, which would make the state float64 where it is float32; convert it, e.g. "
                f"{name}.astype('float32')"
            )
        assert_same(stream.state, jaxgru.GRU(I, 4).initial_state((B,)))


def test_a_trace_that_closes_over_the_input_leaves_the_stream_as_it_was() -> None:
    cell = jaxgru.GRU(3, 4)
    stream = jaxgru.Stream(cell, cell.init(jax.random.key(0)))
    x = np.ones(3, np.float32)
    for call in (lambda: stream.step(x), lambda: stream.feed(x[None]), stream.reset):
        with pytest.raises(TypeError, match="is traced"):
            jax.jit(call)()
    assert np.isfinite(stream.step(x)).all()


def test_traced_parameters_are_refused() -> None:
    cell = jaxgru.GRU(3, 4)
    with pytest.raises(TypeError, match="params is traced"):
        jax.grad(lambda p: jaxgru.Stream(cell, p).step(np.ones(3, np.float32)).sum())(
            cell.init(jax.random.key(0))
        )


def test_a_copy_goes_on_by_itself() -> None:
    cell = jaxgru.GRU(3, 4)
    stream = jaxgru.Stream(cell, cell.init(jax.random.key(0)))
    x = np.ones(3, np.float32)
    other = copy.copy(stream)
    first, second = np.asarray(stream.step(x)), np.asarray(other.step(x))
    np.testing.assert_array_equal(first, second)
