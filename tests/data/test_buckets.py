"""Buckets: the least padding there is, every sequence once an epoch, and nothing but the step decides."""

import dataclasses
import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgru.data import Batch, Buckets
from jaxgru.data.buckets import CANDIDATES

SOME = np.random.default_rng(0).integers(0, 40, 101)
LIMITS: list[dict[str, int]] = [{"batch_size": 8}, {"batch_size": 1}, {"batch_size": 500}, {"tokens": 97}]
limits: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.builds(dict, batch_size=st.integers(1, 5)),
    st.builds(dict, tokens=st.integers(9, 30)),
)
few_lengths = st.lists(st.integers(0, 9), min_size=1, max_size=14).filter(any)


def some(**options: Any) -> Buckets:
    return Buckets(SOME, **{"max_padding": 0.2, "max_shapes": 12, "seed": 0, **options})


def epoch(buckets: Buckets, number: int = 0) -> list[Batch]:
    return [buckets.at(step) for step in range(number * buckets.steps, (number + 1) * buckets.steps)]


def same(ours: list[Batch], theirs: list[Batch]) -> bool:
    return all(np.array_equal(a.rows, b.rows) for a, b in zip(ours, theirs, strict=True))


def places(lengths: list[int], ends: tuple[int, ...], most: dict[str, int]) -> int:
    """How many places an epoch has whose buckets end there, counted batch by batch."""
    total, start = 0, -1
    for end in ends:
        n = sum(start < length <= end for length in lengths)
        batches = math.ceil(n / most.get("batch_size", most.get("tokens", 0) // end))
        total += end * batches * math.ceil(n / batches)
        start = end
    return total


@settings(max_examples=60)
@given(few_lengths, limits, st.floats(0, 0.5))
def test_the_boundaries_are_the_best_of_all_and_the_fewest(
    lengths: list[int], most: dict[str, int], budget: float
) -> None:
    distinct = sorted({max(length, 1) for length in lengths})
    least = [
        1 - Fraction(sum(lengths), min(places(lengths, (*inner, distinct[-1]), most) for inner in inners))
        for inners in (itertools.combinations(distinct[:-1], s) for s in range(len(distinct)))
    ]
    enough = [s for s, share in enumerate(least, 1) if float(share) <= budget]
    if not enough:
        with pytest.raises(ValueError, match="is out of reach"):
            Buckets(lengths, **most, max_padding=budget, max_shapes=20, seed=0)
        return
    buckets = Buckets(lengths, **most, max_padding=budget, max_shapes=20, seed=0)
    assert len(buckets.shapes) == enough[0]
    assert buckets.padding == float(least[enough[0] - 1])


@settings(max_examples=30)
@given(few_lengths, limits, st.integers(0, 3))
def test_the_figures_are_those_of_the_batches(lengths: list[int], most: dict[str, int], number: int) -> None:
    buckets = Buckets(lengths, **most, max_padding=0.99, max_shapes=2, seed=0)
    batches = epoch(buckets, number)
    held = sum(batch.steps * len(batch.rows) for batch in batches)
    assert buckets.padding == (held - sum(lengths)) / held
    assert {(batch.steps, len(batch.rows)) for batch in batches} == set(buckets.shapes)
    assert list(buckets.shapes) == sorted(buckets.shapes)


@pytest.mark.parametrize("most", LIMITS, ids=str)
def test_an_epoch_visits_every_sequence_once(most: dict[str, int]) -> None:
    buckets = some(**most)
    for number in (0, 1):
        rows = np.concatenate([batch.rows for batch in epoch(buckets, number)])
        assert sorted(rows[rows >= 0]) == list(range(len(SOME)))


@pytest.mark.parametrize("most", LIMITS, ids=str)
def test_batches_keep_to_their_limit_and_lack_one_row_at_most(most: dict[str, int]) -> None:
    for batch in epoch(some(**most)):
        filler = batch.rows < 0
        assert filler.sum() <= 1
        assert not filler[:-1].any()
        assert len(batch.rows) <= most.get("batch_size", len(SOME))
        assert batch.steps * len(batch.rows) <= most.get("tokens", math.inf)
        assert (batch.lengths == np.where(filler, 0, SOME[batch.rows])).all()
        assert batch.lengths.dtype == np.int32
        assert batch.lengths.max() <= batch.steps


def test_batches_of_a_bucket_share_its_filler() -> None:
    buckets = Buckets([2] * 28, batch_size=3, max_padding=0.1, max_shapes=1, seed=0)
    assert sorted((batch.rows < 0).sum() for batch in epoch(buckets)) == [0] * 8 + [1] * 2


def test_a_step_depends_on_nothing_but_itself() -> None:
    buckets = some(batch_size=8)
    forward = epoch(buckets) + epoch(buckets, 1)
    backward = [some(batch_size=8).at(step) for step in reversed(range(2 * buckets.steps))]
    assert same(forward, backward[::-1])


def test_a_resumed_epoch_visits_what_is_left() -> None:
    before, after = some(batch_size=8), some(batch_size=8)
    rows = np.concatenate([before.at(0).rows, before.at(1).rows, *(b.rows for b in epoch(after)[2:])])
    assert sorted(rows[rows >= 0]) == list(range(len(SOME)))


def test_epochs_and_seeds_differ_in_company_and_order() -> None:
    first = epoch(some(batch_size=8))
    for other in (epoch(some(batch_size=8), 1), epoch(some(batch_size=8, seed=1))):
        assert shapes(other) != shapes(first)
        assert sorted(shapes(other)) == sorted(shapes(first))
        assert company(other) != company(first)


def shapes(batches: list[Batch]) -> list[tuple[int, int]]:
    return [(batch.steps, len(batch.rows)) for batch in batches]


def company(batches: list[Batch]) -> set[frozenset[int]]:
    return {frozenset(batch.rows.tolist()) for batch in batches}


def test_empty_sequences_are_kept_in_a_row_of_padding() -> None:
    buckets = Buckets([0, 3, 0], batch_size=2, max_padding=0.4, max_shapes=2, seed=0)
    assert buckets.shapes == ((1, 2), (3, 1))
    assert buckets.padding == 0.4
    assert {tuple(sorted(batch.rows.tolist())) for batch in epoch(buckets)} == {(0, 2), (1,)}


def test_more_lengths_than_boundaries_are_searched_by_quantiles_and_told_exactly() -> None:
    lengths = np.arange(1, 4 * CANDIDATES)  # the longest is less than one quantile
    buckets = Buckets(lengths, batch_size=16, max_padding=0.12, max_shapes=9, seed=0)
    batches = epoch(buckets)
    held = sum(batch.steps * len(batch.rows) for batch in batches)
    assert buckets.padding == (held - lengths.sum()) / held <= 0.12
    assert buckets.shapes[-1][0] == lengths[-1]
    rows = np.concatenate([batch.rows for batch in batches])
    assert sorted(rows[rows >= 0]) == list(range(len(lengths)))


def test_what_was_given_and_what_is_handed_out_cannot_change_it() -> None:
    lengths = np.array([3, 9, 2])
    buckets = Buckets(lengths, batch_size=2, max_padding=0.5, max_shapes=2, seed=0)
    lengths[0] = 7
    assert buckets.lengths.tolist() == [3, 9, 2]
    with pytest.raises(ValueError, match="read-only"):
        buckets.at(0).rows[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        buckets.seed = 1  # type: ignore[misc]
    assert dataclasses.replace(buckets, seed=1).shapes == buckets.shapes


def test_the_mend_that_an_error_names_mends_it() -> None:
    words = (
        "max_padding=0.05 is out of reach of max_shapes=3, whose least padding is 0.2278: "
        "allow max_padding=0.2278 or max_shapes=12"
    )
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are compared below
        some(batch_size=101, max_padding=0.05, max_shapes=3)
    assert str(error.value) == words
    assert len(some(batch_size=101, max_padding=0.2278, max_shapes=3).shapes) == 3
    assert len(some(batch_size=101, max_padding=0.05, max_shapes=12).shapes) == 12


def test_a_repr_is_one_line_that_says_shapes_and_padding() -> None:
    buckets = Buckets([3, 9, 2, 3], batch_size=2, max_padding=0.5, max_shapes=2, seed=0)
    assert repr(buckets) == "Buckets(sequences=4, steps=3, shapes=((3, 2), (9, 1)), padding=0.1905)"
