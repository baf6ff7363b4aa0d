"""A Markov model of each note by itself: the baseline of the task `music`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxgru.data.rolls import Roll

OFF, ON, START = range(3)  # what a note was one step before, or that there was none
PRIOR = 0.5  # seen of each outcome beforehand: Krichevsky and Trofimov's estimate


@dataclass(frozen=True)
class Markov:
    """The probability that a note sounds, given whether the same note sounded one step before.

        P(note k on | it was c) = (how often, given c, it was on + ½) / (how often it was c + 1)

    in training, where c is on, off, or that the piece begins.

    Args:
      odds: (3, K), the probability of each note after off, on and nothing.

    Example:
      >>> rolls = [np.array([[1, 0], [1, 0], [0, 0]])]
      >>> Markov.count(rolls).odds
      array([[0.5       , 0.16666667],
             [0.5       , 0.5       ],
             [0.75      , 0.25      ]])
    """

    odds: npt.NDArray[np.float64]

    @classmethod
    def count(cls, rolls: Sequence[Roll]) -> Self:
        """Counts the notes of some pieces, (T, K) of 0 and 1 each."""
        on = np.full((3, rolls[0].shape[1]), PRIOR)
        seen = np.full(on.shape, 2 * PRIOR)
        for roll in rolls:
            before = contexts(roll)
            for context in (OFF, ON, START):
                on[context] += ((before == context) & (roll == 1)).sum(0)
                seen[context] += (before == context).sum(0)
        return cls(on / seen)

    def nats(self, roll: Roll) -> npt.NDArray[np.float64]:
        """What each step of a piece costs, (T,): −log P of all its notes."""
        odds = np.take_along_axis(self.odds, contexts(roll), axis=0)
        return -np.log(np.where(roll == 1, odds, 1 - odds)).sum(1)


def contexts(roll: Roll) -> npt.NDArray[np.int64]:
    """What each note was one step before, (T, K)."""
    return np.concatenate([np.full((1, roll.shape[1]), START), roll[:-1].astype(np.int64)])


def per_step(nats: Iterable[npt.NDArray[np.floating]]) -> dict[str, float]:
    """The mean over all steps of some pieces, and that without the first step of each.

    Example:
      >>> per_step([np.array([9.0, 1.0, 2.0]), np.array([8.0])])
      {'nll': 5.0, 'nll_after_first': 1.5}
    """
    pieces = [np.asarray(each, np.float64) for each in nats]
    later = np.concatenate([each[1:] for each in pieces])
    return {
        "nll": float(np.concatenate(pieces).mean()),
        "nll_after_first": float(later.mean()) if len(later) else 0.0,
    }
