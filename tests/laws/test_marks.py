"""Padding is invisible, and segments cut by resets are sequences of their own."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from tests.cases import LENGTHS, B, I, T, along, assert_close, assert_same, every_case, weighted

pytestmark = pytest.mark.usefixtures("x64")


def poisoned(xs, with_):
    """Something harmful at every padded step."""
    padding = np.arange(T)[:, None] >= LENGTHS
    return jnp.where(along(padding, xs), with_, xs)


@every_case
def test_padding_is_invisible(case):
    """A padded batch equals its rows run alone, values and gradients, whatever stands in the padding."""
    data = case.data()

    def padded(params, xs, h0, resets=None):
        return weighted(case.scan(params, xs, h0, lengths=LENGTHS, resets=resets))

    gradients = jax.jit(jax.value_and_grad(padded, (0, 1, 2)))
    clean = gradients(data.params, poisoned(data.xs, 0.0), data.h0)
    for poison in (jnp.nan, jnp.inf, -jnp.inf, 1e300):
        assert_same(gradients(data.params, poisoned(data.xs, poison), data.h0), clean)
    noise = data.resets | (np.arange(T)[:, None] >= LENGTHS)
    quiet = data.resets & (np.arange(T)[:, None] < LENGTHS)
    assert_same(
        gradients(data.params, poisoned(data.xs, jnp.nan), data.h0, noise),
        gradients(data.params, data.xs, data.h0, quiet),
    )
    final, ys = case.scan(data.params, poisoned(data.xs, jnp.nan), data.h0, lengths=LENGTHS)
    for b, length in enumerate(LENGTHS):
        h0 = jax.tree.map(lambda s, b=b: s[b], data.h0)
        alone, ys_alone = case.scan(data.params, data.xs[:length, b], h0)
        assert_close((jax.tree.map(lambda s, b=b: s[b], final), ys[:length, b]), (alone, ys_alone))
        assert not ys[length:, b].any()
    assert_same(jax.tree.map(lambda s: s[2], final), jax.tree.map(lambda s: s[2], data.h0))


@every_case
def test_padding_under_debug_nans(case):
    """NaN in the padding makes none on the way, forward or backward: jax_debug_nans and _infs stay silent."""
    data = case.data()
    xs = poisoned(data.xs, jnp.nan)

    def scalar(params):
        return weighted(case.scan(params, xs, data.h0, lengths=LENGTHS))

    with jax.debug_nans(True), jax.debug_infs(True):
        value, gradient = jax.jit(jax.value_and_grad(scalar))(data.params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((value, gradient)))


@every_case
def test_traced_lengths_are_clipped(case):
    """Under jit, lengths below 0 act as 0 and above T as T."""
    data = case.data()

    @jax.jit
    def run(lengths):
        marks = {"lengths": lengths, "reverse": True, "truncate": 2}
        value_and_gradient = jax.value_and_grad(
            lambda h0: weighted(case.scan(data.params, data.xs, h0, **marks))
        )
        return value_and_gradient(data.h0)

    assert_same(run(jnp.array([T + 5, 3, -2])), run(jnp.array([T, 3, 0])))
    assert_same(run(jnp.array([T, 3, 0], jnp.uint8)), run(jnp.array([T, 3, 0])))


@every_case
def test_segments_equal_runs_alone(case):
    """Segments cut by resets equal the segments run alone, in both directions of every model."""
    data = case.data()
    resets = np.zeros((T, B), bool)
    cuts = {0: [3, 5], 1: [0, 2], 2: [0, 4, 6]}
    for b, starts in cuts.items():
        resets[starts, b] = True
    lengths = np.array([T, 5, T])
    for reverse in (False, True):
        # In reverse, a reset comes before the step that then begins a segment: its last one.
        marks = np.concatenate([resets[1:], np.zeros((1, B), bool)]) if reverse else resets
        _, ys = case.scan(data.params, data.xs, lengths=lengths, resets=marks, reverse=reverse)
        for b, starts in cuts.items():
            bounds = [0, *[s for s in starts if s], lengths[b]]
            for begin, end in itertools.pairwise(bounds):
                _, alone = case.scan(data.params, data.xs[begin:end, b], reverse=reverse)
                assert_close(ys[begin:end, b], alone)


def test_reset_returns_to_the_initial_state_not_to_h0():
    """A reset at step 0 hides h0; h0's gradient is then zero."""
    cell = jaxgru.GRU(I, 4)
    params = cell.init(jax.random.key(0))
    xs, h0 = jnp.ones((3, 2, I)), jnp.ones((2, 4))
    resets = jnp.zeros((3, 2), bool).at[0, 0].set(True)
    _, ys = jaxgru.scan(cell, params, xs, h0, resets=resets)
    _, fresh = jaxgru.scan(cell, params, xs)
    _, carried = jaxgru.scan(cell, params, xs, h0)
    assert_same(ys, jnp.stack([fresh[:, 0], carried[:, 1]], 1))
    gradient = jax.grad(lambda h: jaxgru.scan(cell, params, xs, h, resets=resets)[1].sum())(h0)
    assert not gradient[0].any()
    assert gradient[1].any()


def test_no_steps_and_no_rows():
    """T = 0 gives h0 back, B = 0 gives nothing, and both have gradients."""
    cell = jaxgru.GRU(I, 4)
    params = cell.init(jax.random.key(0))
    h0 = jnp.ones((2, 4))
    for backend in (jaxgru.Sequential(), jaxgru.Chunked(3), jaxgru.Sequential(hoist=False)):
        final, ys = jaxgru.scan(cell, params, jnp.zeros((0, 2, I)), h0, backend=backend)
        assert_same((final, ys), (h0, jnp.zeros((0, 2, 4))))
        _, none = jaxgru.scan(cell, params, jnp.zeros((3, 0, I)), backend=backend)
        assert none.shape == (3, 0, 4)
        for shape in ((0, 2, I), (3, 0, I)):
            xs = jnp.zeros(shape)
            gradient = jax.grad(
                lambda p, xs=xs, backend=backend: jaxgru.scan(cell, p, xs, backend=backend)[1].sum()
            )
            assert not any(leaf.any() for leaf in gradient(params))


def test_marks_from_other_forms():
    """resets_from_done and lengths_from_mask say what scan wants to hear, with any batch axes."""
    done = jnp.array([[False, True], [True, False], [False, True]])
    assert_same(jaxgru.resets_from_done(done), jnp.array([[False, False], [False, True], [True, False]]))
    mask = np.arange(T)[:, None] < LENGTHS
    assert_same(jaxgru.lengths_from_mask(mask), jnp.asarray(LENGTHS, jnp.int32))
    assert_same(jaxgru.lengths_from_mask(mask[:, 1]), jnp.asarray(4, jnp.int32))
    assert jaxgru.lengths_from_mask(np.zeros((0, 2), bool)).tolist() == [0, 0]
