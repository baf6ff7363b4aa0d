"""Ragged data from end to end: padding, packing, how often it compiles, and that a scan sees none of it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxgru
from jaxgru.data import Batch, Buckets, Compilations, Packs
from jaxgru.data.text import PARAGRAPH, drop_repeats, language_reference
from jaxgru.data.vocabulary import Characters
from tests.cases import assert_close, quick_jit

CELL = jaxgru.GRU(2, 2)
PARAMS = CELL.init(jax.random.key(0))
LENGTHS = [3, 0, 5, 2, 2, 5, 3]  # few different ones, for each compiles
SEQUENCES = [
    np.random.default_rng(length).standard_normal((length, 2), np.float32) + i
    for i, length in enumerate(LENGTHS)
]
MOST: list[dict[str, int]] = [{"batch_size": 16}, {"batch_size": 32}, {"batch_size": 64}, {"tokens": 16384}]


@functools.cache
def paragraphs() -> list[Any]:
    text = drop_repeats(language_reference())
    return [*map(Characters(text).encode, text.split(PARAGRAPH))]


def batches(buckets: Buckets) -> list[Batch]:
    return [buckets.at(step) for step in range(buckets.steps)]


@pytest.mark.parametrize("most", MOST, ids=str)
def test_the_references_paragraphs_fit_six_shapes_with_12_percent_of_padding(most: dict[str, int]) -> None:
    packs = Packs(list(map(len, paragraphs())), steps=512)
    buckets = Buckets(packs.lengths, **most, max_padding=0.12, max_shapes=6, seed=0)
    assert buckets.padding <= 0.12
    assert len(buckets.shapes) <= 6
    seen = [i for batch in batches(buckets) for row in batch.rows if row >= 0 for i in packs.rows[row]]
    assert sorted(seen) == list(range(len(paragraphs())))


@pytest.mark.parametrize("most", MOST, ids=str)
def test_a_paragraph_a_row_takes_three_times_the_shapes(most: dict[str, int]) -> None:
    lengths = list(map(len, paragraphs()))
    assert len(Buckets(lengths, **most, max_padding=0.12, max_shapes=20, seed=0).shapes) > 12
    with pytest.raises(
        ValueError, match=r"^max_padding=0\.12 is out of reach of max_shapes=6, whose least padding"
    ):
        Buckets(lengths, **most, max_padding=0.12, max_shapes=6, seed=0)


def test_an_epoch_compiles_once_for_each_shape() -> None:
    packs = Packs(list(map(len, paragraphs())), steps=512)
    buckets = Buckets(packs.lengths, tokens=16384, max_padding=0.12, max_shapes=6, seed=0)
    rows = packs.join(paragraphs())

    def loss(params: Any, ids: jax.Array, lengths: jax.Array, resets: jax.Array) -> jax.Array:
        xs = jnp.stack([jnp.sin(ids), jnp.cos(ids)], -1)
        return jnp.mean(jaxgru.scan(CELL, params, xs, lengths=lengths, resets=resets)[1] ** 2)

    counted = Compilations(loss, **quick_jit.keywords)
    for batch in batches(buckets):
        ids, lengths = batch.pad(rows)
        counted(PARAMS, ids, lengths, batch.pad(packs.resets)[0])
    assert counted.count == len(buckets.shapes) > 1


def test_a_padded_batch_scans_like_its_rows_alone() -> None:
    buckets = Buckets(LENGTHS, batch_size=2, max_padding=0.4, max_shapes=2, seed=0)
    alone = {i: jaxgru.scan(CELL, PARAMS, xs) for i, xs in enumerate(SEQUENCES)}
    for batch in batches(buckets):
        xs, lengths = batch.pad(SEQUENCES, fill=float("nan"))
        assert np.isnan(xs).sum() == 2 * (batch.steps * len(batch.rows) - batch.lengths.sum())
        final, ys = jaxgru.scan(CELL, PARAMS, xs, lengths=lengths)
        for place, row in enumerate(batch.rows.tolist()):
            if row < 0:
                assert not ys[:, place].any()
                continue
            assert_close((final[place], ys[: lengths[place], place]), alone[row])
            assert not ys[lengths[place] :, place].any()


@pytest.mark.parametrize("net", [CELL, jaxgru.Bidirectional(CELL)], ids=str)
def test_a_packed_row_scans_like_its_sequences_alone(net: Any) -> None:
    packs = Packs(LENGTHS, steps=8)
    assert max(map(len, packs.rows)) > 2
    params = net.init(jax.random.key(0))
    alone = [jaxgru.scan(net, params, xs)[1] for xs in SEQUENCES]
    for row, xs, resets in zip(packs.rows, packs.join(SEQUENCES), packs.resets, strict=True):
        ys = jaxgru.scan(net, params, xs, resets=resets)[1]
        assert_close(ys, jnp.concatenate([alone[i] for i in row]))


@settings(max_examples=40)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=30).filter(any), st.integers(1, 15))
def test_packs_hold_every_sequence_once_and_keep_to_their_steps(lengths: list[int], steps: int) -> None:
    packs = Packs(lengths, steps=steps)
    assert sorted(np.concatenate(packs.rows).tolist()) == list(range(len(lengths)))
    for row, length, resets in zip(packs.rows, packs.lengths, packs.resets, strict=True):
        assert length == len(resets) == sum(lengths[i] for i in row)
        assert length <= steps or len([i for i in row if lengths[i]]) == 1
        assert resets.sum() == sum(lengths[i] > 0 for i in row)
    if len(packs.rows) > 1:
        assert sum(sorted(packs.lengths)[:2]) > steps, "two rows that would fit into one"


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.bool_, np.float16, jnp.bfloat16])
def test_padding_keeps_dtype_and_trailing_axes(dtype: Any) -> None:
    sequences = [np.ones((length, 2, 3), dtype) for length in (2, 1)]
    batch = Batch(np.array([1, -1, 0]), np.array([1, 0, 2], np.int32), 4)
    xs, lengths = batch.pad(sequences)
    assert (xs.dtype, xs.shape) == (dtype, (4, 3, 2, 3))
    assert lengths.tolist() == [1, 0, 2]
    assert xs[:, :, 0, 0].astype(int).T.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]]


def test_pairs_are_padded_with_lengths_of_their_own() -> None:
    """Bucketed by the longer of each pair, sources and targets may be shorter, and never longer."""
    sources, targets = [[1, 2, 3], [4], [5, 6]], [[7], [8, 9, 10], [11, 12]]
    buckets = Buckets([3, 3, 2], batch_size=3, max_padding=0.5, max_shapes=1, seed=0)
    batch = buckets.at(0)
    for side in (sources, targets):
        xs, lengths = batch.pad(side, shorter=True)
        assert xs.shape == (3, 3)
        for place, row in enumerate(batch.rows):
            assert xs[: lengths[place], place].tolist() == side[row]
            assert not xs[lengths[place] :, place].any()
    with pytest.raises(ValueError, match=r"^sequences\[0\] must have length at most 3, as was given, got 4$"):
        batch.pad([[1, 2, 3, 4], [1], [1]], shorter=True)
    with pytest.raises(ValueError, match=r"^sequences\[1\] must have length 3, as was given, got 1$"):
        batch.pad(sources)


def test_lists_of_numbers_and_of_vectors_are_padded_like_arrays() -> None:
    batch = Batch(np.array([0, 1]), np.array([1, 2], np.int32), 2)
    assert batch.pad([[7], [8, 9]], fill=-1)[0].tolist() == [[7, 8], [-1, 9]]
    assert batch.pad([[[7.0]], [[8.0], [9.0]]])[0].tolist() == [[[7.0], [8.0]], [[0.0], [9.0]]]


def test_a_compilation_is_counted_for_each_shape_dtype_and_static_value() -> None:
    def power(x: jax.Array, *, by: int) -> jax.Array:
        return x**by

    counted = Compilations(power, static_argnames="by", **quick_jit.keywords)
    assert counted.count == 0
    for x, by in [
        (jnp.ones(3), 2),
        (jnp.ones(3), 2),
        (jnp.ones(4), 2),
        (jnp.ones(4, int), 2),
        (jnp.ones(4), 3),
    ]:
        assert counted(x, by=by).shape == x.shape
    assert repr(counted) == "Compilations(power, count=4)"


def test_a_donated_argument_is_donated() -> None:
    x = jnp.ones(3)
    Compilations(lambda x: x + 1, donate_argnums=0)(x)
    assert x.is_deleted()
