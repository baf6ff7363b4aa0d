"""Buckets: ragged sequences in batches of few shapes, as a pure function of the step."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from jaxgru import checks
from jaxgru.data.padding import Batch, known_lengths

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

CANDIDATES = 1024  # lengths a bucket may end at: where there are more, the search takes quantiles
FURTHER = 64  # shapes beyond max_shapes that an error looks through for its mend


class Rows(NamedTuple):
    """One batch of an epoch: its T steps, and which sequences are its rows (B,)."""

    steps: int
    rows: npt.NDArray[np.int64]


class Bucket(NamedTuple):
    """Batches of one shape: T steps, B rows, and how many of them an epoch has."""

    steps: int
    rows: int
    batches: int


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Buckets:
    """Ragged sequences in batches of few shapes, so that little is padded and little is compiled.

        padding = 1 − Σ lengths / Σ T · B        over the batches of an epoch, rows of filler included

    A bucket holds the sequences whose lengths lie between two boundaries, and pads them to the upper one. The
    boundaries are those of the least padding, found by dynamic programming; there are as few as bring it to
    `max_padding`. A bucket's n sequences, at most m a batch, are shared out evenly among ⌈n / m⌉ batches, so
    that a batch lacks one row at most.

    An epoch visits every sequence once. Which ones share a batch, and the order of the batches, is drawn from
    (seed, epoch). Nothing is kept between calls, so a resumed run sees what an uninterrupted one would have
    seen.

    Args:
      lengths: (N,) ints, the steps of each sequence. One of length 0 is kept, in a row of padding.
      batch_size: how many rows a batch has at most. Give either this or `tokens`.
      tokens: how many places T · B a batch has at most, so that short sequences come many at a time.
      max_padding: the share of padding to allow, in [0, 1).
      max_shapes: how many shapes to allow, which is how often a jitted function compiles.
      seed: what the epochs are drawn from, an int of at least 0.

    Attributes:
      shapes: ((T, B), …), every shape that a batch has, T ascending.
      padding: the share of an epoch's places that is padding.
      steps: how many batches an epoch has.

    Raises:
      TypeError: an argument of another type than said here.
      ValueError: one outside its range, a sequence longer than `tokens`, or a padding that `max_shapes` do not
        reach; the message says what they reach, and how many shapes would do.

    Example:
      >>> buckets = Buckets([3, 9, 2, 3, 8, 2], batch_size=2, max_padding=0.2, max_shapes=2, seed=0)
      >>> buckets
      Buckets(sequences=6, steps=3, shapes=((3, 2), (9, 2)), padding=0.1000)
      >>> buckets.at(0).rows
      array([3, 5])
      >>> sequences = [[float(i)] * length for i, length in enumerate(buckets.lengths)]
      >>> xs, lengths = buckets.at(0).pad(sequences)
      >>> xs.shape, lengths
      ((3, 2), array([3, 2], dtype=int32))

    Cost: O(S · U²) once, for S shapes and U distinct lengths; where U is above 1024, as many quantiles of the
      steps are the possible boundaries, and `padding` is still exact. O(S · N) for the first step of an epoch.

    Differs from: `tf.data.Dataset.bucket_by_sequence_length`, which takes the boundaries as given, pads to the
      longest of each batch unless told otherwise, and shuffles in a buffer.
    """

    lengths: npt.NDArray[np.int64]
    batch_size: int | None
    tokens: int | None
    max_padding: float
    max_shapes: int
    seed: int
    _buckets: tuple[Bucket, ...] = field(init=False)
    _place: npt.NDArray[np.int64] = field(init=False)  # (N,), which bucket each sequence is in
    _drawn: tuple[int, list[Rows]] | None = field(init=False)  # the epoch drawn last, and its batches

    def __init__(
        self,
        lengths: npt.ArrayLike,
        *,
        batch_size: int | None = None,
        tokens: int | None = None,
        max_padding: float,
        max_shapes: int,
        seed: int,
    ) -> None:
        steps = known_lengths(lengths)
        if (batch_size is None) == (tokens is None):
            got = "neither" if tokens is None else "both"
            raise ValueError(f"give either batch_size, in rows, or tokens, in places T · B; got {got}")
        if batch_size is not None:
            batch_size = checks.size("batch_size", batch_size)
        if tokens is not None:
            tokens = checks.size("tokens", tokens)
            _fit(steps, tokens)
        max_padding, max_shapes = (
            checks.rate("max_padding", max_padding),
            checks.size("max_shapes", max_shapes),
        )
        seed = _count("seed", seed)
        buckets = _fewest(steps, batch_size, tokens, max_padding, max_shapes)
        values = {
            "lengths": steps,
            "batch_size": batch_size,
            "tokens": tokens,
            "max_padding": max_padding,
            "max_shapes": max_shapes,
            "seed": seed,
            "_buckets": buckets,
            "_place": np.searchsorted([bucket.steps for bucket in buckets], steps),
            "_drawn": None,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """How many sequences and steps, in which shapes, and how much is padding."""
        n, share = len(self.lengths), f"{self.padding:.4f}"
        return f"Buckets(sequences={n}, steps={self.steps}, shapes={self.shapes}, padding={share})"

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """((T, B), …), every shape that a batch of any epoch has, T ascending."""
        return tuple((bucket.steps, bucket.rows) for bucket in self._buckets)

    @property
    def padding(self) -> float:
        """The share of an epoch's places that is padding, rows of filler included."""
        return float(_share(self._buckets, self.lengths))

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return sum(bucket.batches for bucket in self._buckets)

    def at(self, step: int) -> Batch:
        """The batch of a step: which sequences it holds, how long they are, and the length they are padded to.

        Args:
          step: an int of at least 0; its epoch is step // steps.

        Returns:
          `Batch(rows (B,), lengths (B,), steps)`. A row of filler is −1, and comes last; its length is 0.

        Raises:
          TypeError, ValueError: step of another type, or negative.
        """
        epoch, place = divmod(_count("step", step), self.steps)
        drawn = self._drawn
        if drawn is None or drawn[0] != epoch:
            drawn = epoch, self._draw(epoch)
            object.__setattr__(self, "_drawn", drawn)
        steps, rows = drawn[1][place]
        return Batch(rows, np.where(rows < 0, 0, self.lengths[rows]).astype(np.int32), steps)

    def _draw(self, epoch: int) -> list[Rows]:
        """The batches of an epoch, each its T and its rows."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.lengths))
        batches = []
        for i, bucket in enumerate(self._buckets):
            members = order[self._place[order] == i]
            places = np.full(bucket.rows * bucket.batches, -1)
            places[: len(members)] = members
            dealt = np.ascontiguousarray(places.reshape(bucket.rows, bucket.batches).T)
            dealt.flags.writeable = False  # they are handed out, and looked at again
            batches += [Rows(bucket.steps, rows) for rows in dealt]
        return [batches[i] for i in rng.permutation(len(batches))]


def _fewest(
    lengths: npt.NDArray[np.int64],
    batch_size: int | None,
    tokens: int | None,
    max_padding: float,
    max_shapes: int,
) -> tuple[Bucket, ...]:
    """The fewest buckets whose padding is within the budget."""
    search = _least(lengths, batch_size, tokens)
    shares = []
    for buckets in itertools.islice(search, max_shapes):
        shares.append(_share(buckets, lengths))
        if float(shares[-1]) <= max_padding:
            return buckets
    least = math.ceil(10_000 * min(shares)) / 10_000
    mend = f"allow max_padding={least}"
    for buckets in itertools.islice(search, FURTHER):
        if float(_share(buckets, lengths)) <= max_padding:
            mend += f" or max_shapes={len(buckets)}"
            break
    raise ValueError(
        f"max_padding={max_padding} is out of reach of max_shapes={max_shapes}, "
        f"whose least padding is {least}: {mend}"
    )


def _least(
    lengths: npt.NDArray[np.int64], batch_size: int | None, tokens: int | None
) -> Iterator[tuple[Bucket, ...]]:
    """The buckets that hold the fewest places, for one shape, for two, and so on.

    places(s, j) = min over i of places(s − 1, i) + T_j · rows(i, j) · batches(i, j)

    of s buckets for what is no longer than boundary j, the last of them with what is longer than boundary i.
    """
    ends = _candidates(lengths)
    below = np.searchsorted(np.sort(lengths), [-1, *ends], side="right")
    sequences = below[1:] - below[:-1, None]
    most = np.full(len(ends), batch_size) if tokens is None else tokens // ends
    batches = -(-np.maximum(sequences, 1) // most)
    rows = -(-sequences // batches)
    cost = np.where(sequences > 0, 1.0 * ends * rows * batches, np.inf)
    places = np.array([0.0, *np.full(len(ends), np.inf)])
    starts: list[npt.NDArray[np.int64]] = []  # of each bucket count, where the last bucket to end at j starts
    for _ in ends:
        total = places[:-1, None] + cost
        starts.append(total.argmin(0))
        places = np.array([np.inf, *total.min(0)])
        buckets, j = [], len(ends) - 1
        for start in reversed(starts):
            i = start[j]
            buckets.append(Bucket(int(ends[j]), int(rows[i, j]), int(batches[i, j])))
            j = i - 1
        yield tuple(reversed(buckets))


def _candidates(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The lengths (U,) a bucket may end at, ascending, the longest among them; a batch has one step at least."""
    ends, counts = np.unique(np.maximum(lengths, 1), return_counts=True)
    if len(ends) <= CANDIDATES:
        return ends
    # Quantiles of the steps, not of the sequences: few long ones can be most of the padding.
    steps = np.cumsum(ends * counts)
    chosen = np.searchsorted(steps, np.linspace(0, steps[-1], CANDIDATES + 1)[1:].astype(np.int64))
    return ends[np.unique(chosen)]


def _share(buckets: tuple[Bucket, ...], lengths: npt.NDArray[np.int64]) -> Fraction:
    """How much of the places of these buckets is padding."""
    places = sum(bucket.steps * bucket.rows * bucket.batches for bucket in buckets)
    return Fraction(places - int(lengths.sum()), places)


def _fit(lengths: npt.NDArray[np.int64], tokens: int) -> None:
    """Every sequence fits into a batch."""
    for i in np.flatnonzero(lengths > tokens)[:1]:
        raise ValueError(
            f"tokens must be at least the longest length; lengths[{i}] is {lengths[i]}, got {tokens}: "
            "raise tokens, or cut the sequence"
        )


def _count(name: str, value: int) -> int:
    """An int of at least 0."""
    if isinstance(value, jax.core.Tracer):
        raise TypeError(f"{name} is traced, but decides which sequences there are: use it outside jax.jit")
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an int, got {value!r} of type {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name} must be at least 0, got {value}")
    return int(value)
