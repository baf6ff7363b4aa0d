"""Heads over a sequence: padding is no part of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru.layers import pooling
from tests.cases import assert_close, assert_same

T, B, H = 5, 4, 3
YS = jax.random.normal(jax.random.key(0), (T, B, H)) - 3  # all negative, mostly: padding would win a max
LENGTHS = np.array([5, 2, 0, 1])
HEADS = {
    pooling.last: lambda ys: ys[-1],
    pooling.mean: lambda ys: ys.mean(0),
    pooling.max: lambda ys: ys.max(0),
}


@pytest.mark.parametrize("head", HEADS)
def test_each_row_is_its_real_steps(head):
    poisoned = jnp.where((np.arange(T)[:, None] >= LENGTHS)[..., None], jnp.nan, YS)
    got, gradient = jax.jit(jax.vjp, static_argnums=0)(lambda ys: head(ys, LENGTHS), poisoned)
    for b, length in enumerate(LENGTHS):
        want = HEADS[head](YS[:length, b]) if length else jnp.zeros(H)
        assert_close(got[b], want, 1e-6)
    (slope,) = gradient(jnp.ones((B, H)))
    assert np.isfinite(slope).all()
    assert not np.asarray(slope)[np.arange(T)[:, None] >= LENGTHS].any()
    assert_close(slope.sum((0, 2)), np.where(LENGTHS > 0, float(H), 0).astype(np.float32), 1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_without_lengths_every_step_counts(head):
    assert_close(head(YS), HEADS[head](YS), 1e-6)
    assert_close(head(YS[:, 0]), HEADS[head](YS[:, 0]), 1e-6)
    assert_same(head(YS[:0]), jnp.zeros((B, H)))
    assert_same(head(YS[:0], jnp.zeros(B, int)), jnp.zeros((B, H)))


@pytest.mark.parametrize("head", HEADS)
def test_spatial_outputs(head):
    """Outputs of a convolutional model have axes between batch and channels."""
    ys = jnp.broadcast_to(YS[:, :, None], (T, B, 2, H))
    assert_close(head(ys, LENGTHS), jnp.stack([head(YS, LENGTHS)] * 2, 1), 1e-6)


def test_half_precision_and_infinities():
    """A mean of many steps is summed in float32; a largest of −inf is −inf, padded or not."""
    hundred = jnp.full((1000, 1, 1), 100, jnp.float16)
    assert_same(pooling.mean(hundred), jnp.full((1, 1), 100, jnp.float16))
    assert_same(pooling.mean(hundred, jnp.array([999])), jnp.full((1, 1), 100, jnp.float16))
    low = jnp.full((3, 1, 2), -jnp.inf)
    assert_same(pooling.max(low, jnp.array([2])), low[0])


def test_last_is_a_scans_final_state():
    cell = jaxgru.GRU(2, 3)
    params = cell.init(jax.random.key(0))
    xs = jnp.ones((T, B, 2))
    final, ys = jaxgru.scan(cell, params, xs, lengths=LENGTHS)
    assert_same(pooling.last(ys, LENGTHS), final)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pooling.mean(YS.astype(int)), TypeError, "ys must have a floating dtype, got int32"),
        (lambda: pooling.last(YS[0, 0]), ValueError, r"ys must have shape \(T, \*B, H\), got \(3,\)"),
        (
            lambda: pooling.max(YS, LENGTHS + 1),
            ValueError,
            r"lengths must lie in \[0, 5\], the number of steps",
        ),
        (
            lambda: pooling.max(YS, LENGTHS[:2]),
            ValueError,
            r"lengths must have shape \(4,\) like the batch axes",
        ),
        (lambda: pooling.mean(YS, LENGTHS * 1.0), TypeError, "lengths must be integers, got float32"),
        (
            lambda: pooling.mean(YS[0], LENGTHS),
            ValueError,
            r"lengths must have the batch axes of ys \(4, 3\), got \(4,\)",
        ),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()
