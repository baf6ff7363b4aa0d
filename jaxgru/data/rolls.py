"""Piano rolls: which of the 88 keys of a piano sound at each step of a piece."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

LOWEST, KEYS = 21, 88  # MIDI's number of the lowest key, A0, and how many there are
LATE = Fraction(1, 8)  # of a step: how late a note may be struck to sound in it
MOST = 1 << 16  # steps in a piece

Roll = npt.NDArray[np.uint8]


class Note(NamedTuple):
    """A note: MIDI's number of its pitch, and when it begins and ends, in quarter notes."""

    pitch: int
    start: Fraction
    end: Fraction


class Piece(NamedTuple):
    """A piece of music.

    Args:
      name: what it is called.
      roll: (T, 88) of 0 and 1, whether each key sounds at each step.
      tune: of its highest part, how many semitones each change of the note goes up.
    """

    name: str
    roll: Roll
    tune: tuple[int, ...]


def roll_of(notes: Iterable[Note], grid: int) -> Roll:
    """The piano roll of some notes: a step holds what sounds an eighth of a step after it begins.

        roll[t, pitch − 21] = 1    where    start ≤ (t + 1/8) / grid < end    for a note

    So a note may be struck a little late; one that is shorter than a step may sound in none. Notes beyond the keys
    of a piano are left out.

    Args:
      notes: in any order.
      grid: steps in a quarter note.

    Returns:
      (T, 88), up to the end of the last note.

    Raises:
      DataError: a piece of more than 65,536 steps; the message does not name it.

    Example:
      >>> third = roll_of([Note(60, Fraction(0), Fraction(1)), Note(64, Fraction(1, 2), Fraction(1))], grid=4)
      >>> third.shape, third[:, 60 - 21].tolist(), third[:, 64 - 21].tolist()
      ((4, 88), [1, 1, 1, 1], [0, 0, 1, 1])
    """
    notes = list(notes)
    steps = max((math.ceil(note.end * grid) for note in notes), default=0)
    if steps > MOST:
        raise DataError(f"{steps} steps; a piece has {MOST} at most")
    roll = np.zeros((steps, KEYS), np.uint8)
    for pitch, start, stop in notes:
        if 0 <= pitch - LOWEST < KEYS:
            roll[math.ceil(start * grid - LATE) : math.ceil(stop * grid - LATE), pitch - LOWEST] = 1
    return roll


def tune_of(roll: Roll) -> tuple[int, ...]:
    """How many semitones each change of the highest note goes up: the tune, in whichever key and rhythm.

    Example:
      >>> tune_of(np.eye(88, dtype=np.uint8)[[40, 40, 42, 42, 39]])
      (2, -3)
    """
    highest = [int(np.flatnonzero(step)[-1]) for step in roll if step.any()]
    return tuple(b - a for a, b in itertools.pairwise(highest) if a != b)


def runs(roll: Roll) -> list[tuple[int, int, int]]:
    """(key, start, end) of each stretch of steps at which a key sounds, by start and key.

    Example:
      >>> runs(np.array([[1, 0], [1, 1], [0, 1]], np.uint8))
      [(0, 0, 2), (1, 1, 3)]
    """
    edges = np.diff(np.pad(roll.astype(np.int8), ((1, 1), (0, 0))), axis=0).T
    (keys, starts), (_, ends) = np.nonzero(edges == 1), np.nonzero(edges == -1)
    found = zip(keys.tolist(), starts.tolist(), ends.tolist(), strict=True)
    return sorted(found, key=lambda run: (run[1], run[0]))
