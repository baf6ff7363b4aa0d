"""What is excluded and what is kept, against sorting by hand; and that what is excluded is never drawn."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgru import decode
from tests.cases import assert_same

ODDS = np.array([0.05, 0.3, 0.1, 0.35, 0.2], np.float32)


def kept(logits: np.ndarray, top_k: int | None, top_p: float | None) -> np.ndarray:
    """Which tokens of one row are kept; shares are counted in 64ths, so that sums are exact."""
    order = sorted(range(len(logits)), key=lambda token: (-logits[token], token))[:top_k]
    shares = 2.0 ** logits[order]
    before = (np.cumsum(shares) - shares) / shares.sum()
    chosen = order if top_p is None else [t for t, b in zip(order, before, strict=True) if b < top_p]
    return np.isin(np.arange(len(logits)), chosen)


@given(
    powers=st.lists(st.integers(-5, 5), min_size=4, max_size=4),
    top_k=st.none() | st.integers(1, 6),
    top_p=st.none() | st.sampled_from([1e-30, 0.07, 0.31, 0.52, 0.83, 0.999, 1.0]),
)
@settings(max_examples=60)
def test_the_kept_are_those_of_a_sort(powers: list[int], top_k: int | None, top_p: float | None) -> None:
    """Ties, which whole powers of two often have, go to the lower token."""
    rows = np.array([powers, powers[::-1]], np.float32)
    logits = rows * np.log(2).astype(np.float32)
    out = np.asarray(decode.restrict(logits, top_k=top_k, top_p=top_p))
    expected = np.stack([kept(row, top_k, top_p) for row in rows])
    assert_same(out, np.where(expected, logits, -np.inf))


def test_no_share_is_lost_at_one() -> None:
    """Sums that rounding takes to 1 before the last tokens leave none out."""
    logits = jnp.log(jnp.array([0.6, 0.4, 1e-12, 1e-20]))
    assert_same(decode.restrict(logits, top_p=1), logits)
    assert_same(decode.restrict(logits, top_p=1.0, top_k=3), logits.at[3].set(-jnp.inf))


def test_what_is_excluded_before_stays_excluded() -> None:
    logits = jnp.array([-jnp.inf, 0.0, -jnp.inf, 1.0])
    assert_same(decode.restrict(logits, top_k=3), logits)
    assert_same(decode.restrict(logits, top_p=1.0), logits)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_the_dtype_stays(dtype: type) -> None:
    out = decode.restrict(jnp.log(ODDS).astype(dtype), top_k=4, top_p=0.8)
    assert out.dtype == dtype
    assert_same(jnp.isfinite(out), np.array([False, True, False, True, True]))


def test_numbers_may_be_traced_and_mapped() -> None:
    logits = jnp.log(ODDS)
    mapped = jax.vmap(lambda k, p: decode.restrict(logits, top_k=k, top_p=p))
    out = mapped(jnp.array([1, 2, 9, 0]), jnp.array([0.5, 1.0, 0.6, -1.0]))
    assert_same(jnp.isfinite(out).sum(-1), jnp.array([1, 2, 2, 1]))
    assert_same(out[1], decode.restrict(logits, top_k=2))


def test_without_a_limit_nothing_changes() -> None:
    assert_same(decode.restrict(jnp.log(ODDS)), jnp.log(ODDS))
