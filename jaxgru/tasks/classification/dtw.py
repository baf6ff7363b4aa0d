"""Dynamic time warping: how far two sequences are apart, however fast each runs; the baseline of utterances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Floats = npt.NDArray[np.floating[Any]]

Ints = npt.NDArray[np.integer]
CELLS = 1_000_000_000  # of all tables together: beyond them there are fewer references
PLACES = 1 << 14  # of a block of references, steps times references: what a cache holds
ENTRIES = 1 << 22  # of a block, channels counted
ROWS = 64  # of a table, whose costs are one product of matrices


def nearest(queries: Sequence[Floats], references: Sequence[Floats]) -> Ints:
    """Which reference (N,) is the nearest to each of N queries; the first of equals.

    Args:
      queries: each (T, C), of its own length.
      references: likewise, with as many channels.

    Example:
      >>> flat, rising = np.zeros((3, 1)), np.array([[0.0], [1.0], [2.0]])
      >>> nearest([np.array([[0.0], [0.1], [0.9], [1.0], [2.1]])], [flat, rising])
      array([1])

    Cost: O(T · U · C) for each pair of lengths T and U.
    """
    found = np.zeros(len(queries), np.int64)
    least = np.full(len(queries), np.inf)
    for rows, frames, ends in blocks(references):
        for i, query in enumerate(queries):
            apart = distances(query, frames, ends)
            if (nearer := apart.min()) <= least[i]:
                row = int(rows[apart == nearer].min())
                found[i] = row if nearer < least[i] else min(row, found[i])
                least[i] = nearer
    return found


def blocks(references: Sequence[Floats]) -> Iterator[tuple[Ints, Floats, Ints]]:
    """The references in blocks of like lengths: their numbers (B,), frames (C, U, B), and lengths (B,)."""
    order = np.argsort([len(each) for each in references], kind="stable")
    room = min(PLACES, ENTRIES // references[0].shape[1])
    while len(order):
        size = 1  # there is room for one, and for as many more as the longest of them leaves
        while size < len(order) and (size + 1) * len(references[order[size]]) <= room:
            size += 1
        rows, order = order[:size], order[size:]
        lengths = np.array([len(references[row]) for row in rows])
        frames = np.zeros((references[0].shape[1], lengths.max(), len(rows)))
        for place, row in enumerate(rows):
            frames[:, : lengths[place], place] = references[row].T
        yield rows, frames, lengths


def distances(query: Floats, frames: Floats, lengths: Ints) -> Floats:
    """How far a query is from each reference: the least sum of squared distances along a warping path, no window.

        D(t, u) = ‖x_t − y_u‖² + min(D(t − 1, u), D(t, u − 1), D(t − 1, u − 1))

    A row of D is one sum and one running minimum, over all references at once: with S(u) the sum of the costs
    up to u, and m(u) the lesser of the two entries above, D(t, u) = S(u) + min over v ≤ u of m(v) − S(v − 1).

    Args:
      query: (T, C).
      frames: (C, U, B), of B references, with anything in the padding.
      lengths: (B,), of the references.

    Returns:
      (B,).
    """
    squares, flat = (frames**2).sum(0), frames.reshape(len(frames), -1)
    above: Floats | None = None
    for start in range(0, len(query), ROWS):
        xs = query[start : start + ROWS].astype(np.float64)
        for x, product in zip(xs, (xs @ flat).reshape(len(xs), *squares.shape), strict=True):
            # Rounding leaves less than nothing of a distance of zero.
            sums = np.cumsum(np.maximum(squares - 2 * product + x @ x, 0), 0)
            if above is None:
                above = sums
                continue
            best = above.copy()
            np.minimum(best[1:], above[:-1], out=best[1:])
            best[1:] -= sums[:-1]
            above = sums + np.minimum.accumulate(best, 0)
    assert above is not None  # noqa: S101 a query has a frame
    return above[lengths - 1, np.arange(len(lengths))]


def affordable(labels: Ints, lengths: Ints, asked: int, cells: int = CELLS) -> tuple[Ints, int]:
    """Which references (N,) are compared, and how many neighbouring frames are averaged, as the tables have room.

    All references, one by one, if there is room; else fewer of each class, evenly spaced; and where one of each is
    too many still, frames are averaged.

    Args:
      labels: (N,), the class of each reference.
      lengths: (N,), the steps of each.
      asked: steps of all queries together.
      cells: entries of tables to allow.

    Example:
      >>> affordable(np.array([0, 0, 1, 0, 1, 0]), np.full(6, 10), asked=10, cells=300)
      (array([0, 2, 3]), 1)
      >>> affordable(np.array([0, 0, 1, 0, 1, 0]), np.full(6, 10), asked=10, cells=20)
      (array([0, 2]), 4)
    """
    share = min(1.0, cells / (int(lengths.sum()) * asked))
    rows = []
    for label in np.unique(labels):
        among = np.flatnonzero(labels == label)
        count = max(1, int(len(among) * share))
        rows.append(among[np.arange(count) * len(among) // count])
    kept = np.sort(np.concatenate(rows))
    return kept, max(1, math.ceil(math.sqrt(int(lengths[kept].sum()) * asked / cells))) if share < 1 else 1


def thinned(frames: Floats, stride: int) -> Floats:
    """The means of so many neighbouring frames (T, C) each; the last is that of what is left.

    Example:
      >>> thinned(np.array([[1.0], [3.0], [7.0]]), 2)
      array([[2.],
             [7.]])
    """
    starts = np.arange(0, len(frames), stride)
    sizes = np.diff(starts, append=len(frames))
    return np.add.reduceat(frames, starts, 0) / sizes[:, None]
