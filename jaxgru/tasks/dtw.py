"""Dynamic time warping: how far two sequences are apart, however fast each runs; the baseline of utterances."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Floats = npt.NDArray[np.floating[Any]]

Ints = npt.NDArray[np.integer]
CELLS = 2_000_000_000  # of all tables together: beyond them there are fewer references
BLOCK = 256  # references that are compared at once


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
    """The references in blocks of like lengths: their numbers (B,), frames (U, C, B), and lengths (B,)."""
    order = np.argsort([len(each) for each in references], kind="stable")
    for start in range(0, len(order), BLOCK):
        rows = order[start : start + BLOCK]
        lengths = np.array([len(references[row]) for row in rows])
        frames = np.zeros((lengths.max(), references[0].shape[1], len(rows)))
        for place, row in enumerate(rows):
            frames[: lengths[place], :, place] = references[row]
        yield rows, frames, lengths


def distances(query: Floats, frames: Floats, lengths: Ints) -> Floats:
    """How far a query is from each reference: the least sum of squared distances along a warping path, no window.

        D(t, u) = ‖x_t − y_u‖² + min(D(t − 1, u), D(t, u − 1), D(t − 1, u − 1))

    A row of D is one sum and one running minimum, over all references at once: with S(u) the sum of the costs
    up to u, and m(u) the lesser of the two entries above, D(t, u) = S(u) + min over v ≤ u of m(v) − S(v − 1).

    Args:
      query: (T, C).
      frames: (U, C, B), of B references, with anything in the padding.
      lengths: (B,), of the references.

    Returns:
      (B,).
    """
    squares = (frames**2).sum(1)
    above: Floats | None = None
    for x in query.astype(np.float64):
        # Of a difference of large numbers little would be left, were there not as many bits.
        costs = np.maximum(squares - 2 * np.tensordot(x, frames, (0, 1)) + x @ x, 0)
        sums = np.cumsum(costs, 0)
        if above is None:
            above = sums
            continue
        best = above.copy()
        np.minimum(best[1:], above[:-1], out=best[1:])
        best[1:] -= sums[:-1]
        above = sums + np.minimum.accumulate(best, 0)
    assert above is not None  # noqa: S101 a query has a frame
    return above[lengths - 1, np.arange(len(lengths))]


def affordable(labels: Ints, steps: int, asked: int, cells: int = CELLS) -> Ints:
    """Which references (N,) are compared: all, or as many of each class, evenly spaced, as the tables have room for.

    Args:
      labels: the class of each reference.
      steps: of all references together.
      asked: steps of all queries together.
      cells: entries of tables to allow; each class keeps one reference, whatever they come to.

    Example:
      >>> affordable(np.array([0, 0, 1, 0, 1, 0]), steps=60, asked=10, cells=300)
      array([0, 2, 3])
    """
    share = min(1.0, cells / (steps * asked))
    counts = Counter(labels.tolist())
    kept: list[int] = []
    for label, count in counts.items():
        rows = np.flatnonzero(labels == label)
        kept += rows[np.arange(max(1, int(count * share))) * count // max(1, int(count * share))].tolist()
    return np.array(sorted(kept))
