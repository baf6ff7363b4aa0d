"""The best step so far, and when to stop early."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Best(NamedTuple):
    """What the evaluations so far say: arrays, so that a checkpoint holds them bit for bit.

    Args:
      evaluated: the last step evaluated, 0 before the first.
      step: the step of the best score, 0 before the first.
      score: the best score, in the task's metric.
      misses: evaluations since then, none of which was better.
    """

    evaluated: np.ndarray
    step: np.ndarray
    score: np.ndarray
    misses: np.ndarray

    @classmethod
    def none(cls) -> Best:
        """Before the first evaluation.

        Example:
          >>> best = Best.none().after(10, 2.5, higher_is_better=False).after(20, 2.7, higher_is_better=False)
          >>> int(best.step), float(best.score), int(best.misses)
          (10, 2.5, 1)
        """
        zero = np.zeros((), np.int64)
        return cls(zero, zero, np.asarray(np.nan), zero)

    def after(self, step: int, score: float, *, higher_is_better: bool) -> Best:
        """With one more evaluation; a score that is nan is never better than another."""
        better = score > self.score if higher_is_better else score < self.score
        if better or (np.isnan(self.score) and not np.isnan(score)):
            return Best(np.asarray(step), np.asarray(step), np.asarray(score), np.zeros((), np.int64))
        return self._replace(evaluated=np.asarray(step), misses=np.asarray(self.misses + 1))

    def exhausted(self, patience: int) -> bool:
        """Whether so many evaluations in a row were no better than the best; never for patience 0."""
        return 0 < patience <= int(self.misses)
