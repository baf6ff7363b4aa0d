"""An interpolated n-gram: what counting alone predicts, and the baseline of the language models."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from jaxgru import checks

Ids = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float64 | np.signedinteger]
Places = npt.NDArray[np.int64]
DISCOUNTS = tuple(i / 20 for i in range(10, 20))


class Level(NamedTuple):
    """What was counted of the grams of one length: G different ones, in C different contexts.

    A gram is told by `context * symbols + symbol`; its context is the place, in the level below, of the gram
    without its last symbol.
    """

    grams: Places  # (G,) ascending
    counts: Counts  # (G,)
    totals: Counts  # (C,) the counts of a context's grams, summed
    followers: Counts  # (C,) how many of those counts are not zero


@dataclass(frozen=True)
class KneserNey:
    """An n-gram with interpolated Kneser-Ney smoothing and one discount.

        p(w | c) = (max(n(cw) - D, 0) + D · followers(c) · p(w | c')) / n(c)

    c' is the context c without its first symbol. For the longest grams n counts occurrences, for shorter ones
    the different symbols seen before them. n(c) is the sum of n(cw) over w, followers(c) how many of them are
    not zero. Where n(c) = 0, p(w | c) = p(w | c'), and below the empty context stands 1 / symbols: no symbol
    is impossible, and after any context the probabilities of all symbols sum to one.

    Args:
      symbols: how many different symbols there are, those never seen in training among them.
      levels: what was counted, from single symbols to the longest grams.
      discount: D, between 0 and 1.

    Example:
      >>> model = KneserNey.count(np.array([0, 1, 0, 1, 0, 2]), symbols=3, order=2)
      >>> model.probabilities(np.array([0, 1])).round(2)
      array([0.33, 0.58])

    Cost: N log N per level to count; a quarter of a second for 300,000 characters and order 5.

    References: Kneser and Ney 1995; Chen and Goodman 1999, section 2.7.
    """

    symbols: int
    levels: tuple[Level, ...]
    discount: float = 0.8

    @classmethod
    def count(cls, ids: Ids, symbols: int, *, order: int = 5) -> Self:
        """Count the grams of a training text (N,) of numbers below `symbols`, up to `order` symbols long.

        Raises:
          TypeError: `symbols` or `order` is no int, or the text has no integers.
          ValueError: one of the two is below 1, the text has another shape, or a number that is no symbol's.
        """
        symbols, order = checks.size("symbols", symbols), checks.size("order", order)
        ids = _checked(ids, symbols)
        grams_of, counts_of = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
        places = np.zeros(len(ids) + 1, np.int64)  # of the gram that ends before each symbol: the empty one
        for length in range(1, min(order, len(ids)) + 1):
            contexts, suffixes = places[:-1], places[1:]
            codes = contexts * symbols + ids[length - 1 :]
            grams, first, places, counts = np.unique(
                codes, return_index=True, return_inverse=True, return_counts=True
            )
            # Each different gram is one more symbol seen before its suffix.
            counts_of[-1] = np.bincount(suffixes[first], minlength=len(grams_of[-1]))
            grams_of.append(grams)
            counts_of.append(counts)
        levels = []
        for below, grams, counts in zip(grams_of, grams_of[1:], counts_of[1:], strict=False):
            contexts = grams // symbols
            totals = np.bincount(contexts, counts, minlength=len(below))
            followers = np.bincount(contexts[counts > 0], minlength=len(below))
            levels.append(Level(grams, counts, totals, followers))
        return cls(symbols, tuple(levels))

    def probabilities(self, ids: Ids) -> Floats:
        """The probability (N,) of each symbol of a text (N,), given the symbols of that text before it."""
        ids = _checked(ids, self.symbols)
        p = np.full(len(ids), 1 / self.symbols)
        contexts = np.zeros(len(ids), np.int64)  # -1 for one that was never seen
        for level in self.levels:
            codes = np.where(contexts < 0, -1, contexts * self.symbols + ids)
            places = np.minimum(np.searchsorted(level.grams, codes), len(level.grams) - 1)
            found = level.grams[places] == codes
            counts = np.where(found, level.counts[places], 0)
            totals = np.where(contexts < 0, 0, level.totals[contexts])
            shared = self.discount * level.followers[contexts] * p
            known = totals > 0
            p[known] = (np.maximum(counts - self.discount, 0) + shared)[known] / totals[known]
            contexts = np.concatenate([[-1], np.where(found, places, -1)[:-1]])
        return p

    def bits(self, ids: Ids, start: int = 0) -> float:
        """Bits per symbol of `ids[start:]`; what comes before `start` is context and is not scored."""
        context = max(start - len(self.levels) + 1, 0)
        return float(-np.log2(self.probabilities(ids[context:])[start - context :]).mean())

    def tune(self, ids: Ids, start: int = 0) -> Self:
        """The same counts with that one of `DISCOUNTS` that takes the fewest bits on `ids[start:]`."""
        return min((replace(self, discount=d) for d in DISCOUNTS), key=lambda model: model.bits(ids, start))


def _checked(ids: Ids, symbols: int) -> Places:
    """The numbers (N,) of a text, each of which is that of a symbol."""
    found = np.asarray(ids)
    if found.ndim != 1:
        raise ValueError(f"ids must have one axis, got shape {found.shape}")
    if len(found) and found.dtype.kind not in "iu":
        raise TypeError(f"ids must be integers, got {found.dtype}")
    if (wrong := np.flatnonzero((found < 0) | (found >= symbols))).size:
        raise ValueError(
            f"ids must lie in [0, {symbols - 1}], as symbols is {symbols}; ids[{wrong[0]}] is {found[wrong[0]]}"
        )
    return found.astype(np.int64, copy=False)
