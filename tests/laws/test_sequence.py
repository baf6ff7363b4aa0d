"""A sequence is its steps: however it is cut, batched, turned or streamed, the numbers are the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from tests.cases import (
    CELLS,
    LENGTHS,
    B,
    I,
    T,
    along,
    assert_close,
    assert_same,
    every_case,
    head,
    quick_jit,
    weighted,
)

pytestmark = pytest.mark.usefixtures("x64")


@every_case
def test_batch_equals_rows(case):
    """A batch equals its rows run alone, with no, one and several batch axes."""
    data = case.data()
    final, ys = case.scan(data.params, data.xs, data.h0)
    for b in range(B):
        alone = case.scan(data.params, data.xs[:, b], jax.tree.map(lambda s, b=b: s[b], data.h0))
        assert_close(alone, (jax.tree.map(lambda s, b=b: s[b], final), ys[:, b]))
    many = jnp.broadcast_to(data.xs[:, None, :, None], (T, 2, B, 1, *data.xs.shape[2:]))
    _, ys_many = case.scan(data.params, many, resets=jnp.zeros(many.shape[:4], bool))
    assert_close(ys_many[:, 1, :, 0], case.scan(data.params, data.xs)[1])


@every_case
def test_split(case):
    """One scan equals the same sequence in pieces with the state carried, where there is no look-ahead."""
    data = case.data()
    if not hasattr(case.model, "step") or "Bidirectional" in repr(case.model):
        return
    final, ys = case.scan(data.params, data.xs, data.h0)
    middle, first = case.scan(data.params, data.xs[:3], data.h0)
    last, second = case.scan(data.params, data.xs[3:], middle)
    assert_close((last, jnp.concatenate([first, second])), (final, ys))


@every_case
def test_steps_equal_scan(case):
    """Step by step equals the scan; a model that looks ahead refuses to step."""
    data = case.data()
    if "Bidirectional" in repr(case.model):
        with pytest.raises(NotImplementedError, match="backward direction needs the inputs still to come"):
            case.model.step(data.params, data.h0, data.xs[0])
        return
    step = jax.jit(case.model.step)
    state, ys = data.h0, []
    for x in data.xs:
        state, y = step(data.params, state, x)
        ys.append(y)
    assert_close((state, jnp.stack(ys)), case.scan(data.params, data.xs, data.h0))


@every_case
def test_reverse_equals_flipping(case):
    """reverse=True is flipping each row's real part of xs, resets and ys."""
    data = case.data()
    flip = np.tile(np.arange(T)[:, None], (1, B))
    for b, length in enumerate(LENGTHS):
        flip[:length, b] = flip[:length, b][::-1]

    def flipped(x):
        return jnp.take_along_axis(x, along(flip, x), 0)

    got = case.scan(data.params, data.xs, data.h0, lengths=LENGTHS, resets=data.resets, reverse=True)
    final, ys = case.scan(
        data.params, flipped(data.xs), data.h0, lengths=LENGTHS, resets=flipped(data.resets)
    )
    assert_close(got, (final, flipped(ys)))


@every_case
def test_causality(case):
    """An output sees no input to come, unless the model reads both ways."""
    data = case.data()
    _, ys = case.scan(data.params, data.xs, data.h0)
    _, changed = case.scan(data.params, data.xs.at[4:].add(1), data.h0)
    if "Bidirectional" not in repr(case.model):
        assert_same(changed[:4], ys[:4])
    assert (jnp.abs(changed[4] - ys[4]) > 1e-6).any()


@every_case
def test_states(case):
    """states=True returns the state after each step: the last is final, and a cell's are its outputs."""
    data = case.data()
    final, ys, states = case.scan(data.params, data.xs, data.h0, states=True)
    assert_same((final, ys), case.scan(data.params, data.xs, data.h0))
    for state, last in zip(jax.tree.leaves(states), jax.tree.leaves(final), strict=True):
        assert state.shape == (T, *last.shape)
        assert any(np.array_equal(state[t], last) for t in (0, T - 1))
    if case.layer == "alone":
        assert_same(head(states), ys)
        _, _, padded = case.scan(data.params, data.xs, data.h0, lengths=LENGTHS, states=True)
        for state, h0 in zip(jax.tree.leaves(padded), jax.tree.leaves(data.h0), strict=True):
            assert_same(state[4:, 1], jnp.stack([state[3, 1]] * 3))
            assert_same(state[:, 2], jnp.stack([h0[2]] * T))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["gru-after-keeps", "rnn-tanh", "leaky", "lstm", "zoneout", "min-gru"])
def test_truncate_is_carrying_by_hand(name, reverse):
    """truncate=3 gives the gradient of windows of three whose carried state is stopped, also per ragged row."""
    cell = CELLS[name].cell
    params = jax.tree.map(lambda w: w.astype(jnp.float64), cell.init(jax.random.key(0)))
    xs = jax.random.normal(jax.random.key(1), (T, I), jnp.float64)
    h0 = jax.tree.map(lambda s: jnp.full(s.shape, 0.3), cell.initial_state())

    def windows(p, xs, h):
        ys = []
        for start in range(0, len(xs), 3):
            h, y = jaxgru.scan(cell, p, xs[start : start + 3], jax.lax.stop_gradient(h) if start else h)
            ys.append(y)
        return weighted(jnp.concatenate(ys)) + weighted(h)

    def by_hand(p, xs, h):
        return windows(p, xs[::-1] if reverse else xs, h)

    def ours(p, xs, h, **lengths):
        final, ys = jaxgru.scan(cell, p, xs, h, truncate=3, reverse=reverse, **lengths)
        ys = ys[: lengths["lengths"]] if lengths else ys
        return weighted(ys[::-1] if reverse else ys) + weighted(final)

    v = jax.tree.map(jnp.cos, (params, xs, h0))

    def first_and_second(f):
        return quick_jit(lambda: jax.jvp(jax.grad(f, (0, 1, 2)), (params, xs, h0), v))()

    want, _ = first_and_second(by_hand)
    assert_close(first_and_second(ours), first_and_second(by_hand), 1e-12)
    padded = jnp.concatenate([xs, jnp.full((5, I), jnp.nan)])  # where another window would begin
    ragged = quick_jit(jax.grad(lambda p: ours(p, padded, h0, lengths=T)))(params)
    assert_close(ragged, want[0])


def test_dropout_falls_between_layers():
    """Dropout zeroes its rate of what passes between layers, scales the rest, and leaves the last output whole."""
    layers = [jaxgru.RNN(1, 40, activation="relu"), jaxgru.RNN(40, 8, activation="relu")]
    net, bare = jaxgru.Stack(layers, dropout=0.25), jaxgru.Stack(layers)
    params = jax.tree.map(jnp.zeros_like, net.init(jax.random.key(0)))
    params[0] = params[0]._replace(b_x=jnp.ones(40))
    params[1] = params[1]._replace(w_x=jnp.eye(40, 8))
    xs = jnp.zeros((50, 20, 1))
    _, ys = jaxgru.scan(net, params, xs, key=jax.random.key(1))
    assert_close(np.unique(ys), np.array([0, 4 / 3]))
    assert abs(float((ys == 0).mean()) - 0.25) < 0.02
    for evaluation in ({"key": None}, {}):
        assert_same(jaxgru.scan(net, params, xs, **evaluation), jaxgru.scan(bare, params, xs))
    assert_same(jaxgru.scan(bare, params, xs, key=jax.random.key(1)), jaxgru.scan(bare, params, xs))
    assert_same(jaxgru.scan(net, params, xs, key=jax.random.key(1))[1], ys)
    assert (jaxgru.scan(net, params, xs, key=jax.random.key(2))[1] != ys).any()


def test_a_window_that_begins_with_a_reset_reaches_the_learned_state():
    """Truncation stops gradients to the step before, not to the initial state that a reset returns to."""
    cell = jaxgru.LearnedState(jaxgru.GRU(I, 4))
    params = cell.init(jax.random.key(0))
    xs, resets = jnp.ones((6, I)), jnp.zeros(6, bool).at[3].set(True)

    def last(params):
        return jaxgru.scan(cell, params, xs, resets=resets, truncate=3)[0].sum()

    def by_hand(params):
        return jaxgru.scan(cell, params, xs[3:])[0].sum()

    assert_close(jax.grad(last)(params), jax.grad(by_hand)(params))
    assert jax.grad(last)(params).state.all()
