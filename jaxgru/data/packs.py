"""Packs: several short sequences in one row, kept apart by resets."""

from __future__ import annotations

import bisect
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgru import checks
from jaxgru.data.padding import known_lengths, known_sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Packs:
    """Short sequences one after the other in rows, so that ragged ones need less padding and fewer shapes.

        ys of a sequence alone = its part of scan(…, resets=resets)'s ys

    A row's resets return the state to the initial one before each of its sequences, so that none sees the
    one before it, in a forward model as in a `Bidirectional`. Sequences are placed by best fit, the longest
    first; which ones share a row is the same in every epoch. Rows are ragged in their turn:
    `Buckets(packs.lengths, …)` batches them.

    Args:
      lengths: (N,) ints, the steps of each sequence.
      steps: how long a row is at most; a longer sequence has a row to itself.

    Attributes:
      rows: of R rows, which sequences stand in each, in their order.
      lengths: (R,), the steps of each row.
      resets: of each row, bool (L,), True where a sequence begins.

    Raises:
      TypeError, ValueError: an argument of another type, shape or range than said here.

    Example:
      >>> packs = Packs([3, 9, 2, 3, 8, 2], steps=10)
      >>> packs
      Packs(sequences=6, rows=3)
      >>> [row.tolist() for row in packs.rows], packs.lengths
      ([[1], [4, 2], [0, 3, 5]], array([ 9, 10,  8]))
      >>> packs.join([[i] * n for i, n in enumerate([3, 9, 2, 3, 8, 2])])[2]
      array([0, 0, 0, 3, 3, 3, 5, 5])
      >>> packs.resets[2].astype(int)
      array([1, 0, 0, 1, 0, 0, 1, 0])

    Cost: O(N log N) once.

    Differs from: packing for attention, which needs a mask of blocks. `scan(reverse=True)` itself wants a reset
      at each sequence's last step instead. `final` is the row's: a sequence's own
      result is `ys` at its last step. What looks at a whole row, such as pooling, sees all that is in it.
    """

    rows: tuple[npt.NDArray[np.int64], ...]
    lengths: npt.NDArray[np.int64]
    resets: tuple[npt.NDArray[np.bool_], ...]
    _given: npt.NDArray[np.int64] = field(init=False)  # (N,), the steps of each sequence

    def __init__(self, lengths: npt.ArrayLike, *, steps: int) -> None:
        given = known_lengths(lengths)
        rows = _best_fit(given, checks.size("steps", steps))
        together = np.array([given[row].sum() for row in rows])
        values = {"rows": rows, "lengths": together, "resets": tuple(_begins(given[row]) for row in rows)}
        for name, value in {**values, "_given": given}.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """How many sequences, in how many rows."""
        return f"Packs(sequences={len(self._given)}, rows={len(self.rows)})"

    def join(self, sequences: Sequence[npt.ArrayLike]) -> list[npt.NDArray[Any]]:
        """The sequences of each row, one after the other: what `Batch.pad` takes.

        Args:
          sequences: as for `Batch.pad`, all N of them, each (L, …).

        Returns:
          R arrays (L, …): a copy of the data.

        Raises:
          TypeError, ValueError: as for `Batch.pad`.
        """
        first = known_sequence(sequences, 0)
        return [
            np.concatenate([known_sequence(sequences, i, int(self._given[i]), first) for i in row.tolist()])
            for row in self.rows
        ]


def _best_fit(lengths: npt.NDArray[np.int64], steps: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Each sequence, the longest first, goes to the row where it leaves the least room."""
    rows: list[list[int]] = []
    having: dict[int, list[int]] = defaultdict(list)  # the rows that have so much room
    rooms: list[int] = []  # the rooms that a row has, ascending
    for i in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[i])
        place = bisect.bisect_left(rooms, length)
        if place == len(rooms):
            room, row = max(steps, length), len(rows)
            rows.append([])
        else:
            room = rooms[place]
            row = having[room].pop()
            if not having[room]:
                del rooms[place]
        rows[row].append(i)
        if not having[room - length]:
            bisect.insort(rooms, room - length)
        having[room - length].append(row)
    return tuple(np.array(row) for row in rows)


def _begins(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Where in a row its sequences begin; an empty one begins nowhere."""
    resets = np.zeros(lengths.sum(), bool)
    resets[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
    return resets
