"""Classical forecasts of a series: what a network has to be better than."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
Flags = npt.NDArray[np.bool_]

LAGS = (1, 2, 3, 6, 9, 12, 18, 24, 36, 48)  # the orders of an autoregression that are tried
MOST_LAGS = 512
CELLS = 8_000_000  # of a matrix of lags: an autoregression is fitted to the last rows that fill it, forecasts in parts
EXPLOSION = 1e6  # a forecast is cut where it is so many times what it was made of


def ahead(origins: Ints, horizon: int) -> Ints:
    """The positions (N, horizon) that follow each origin, the last position that a forecast knows.

    Example:
      >>> ahead(np.array([4, 7]), 3)
      array([[ 5,  6,  7],
             [ 8,  9, 10]])
    """
    return origins[:, None] + np.arange(1, horizon + 1)


def last_value(ys: Floats, origins: Ints, horizon: int) -> Floats:
    """The value at the origin, for every step: (N, horizon)."""
    return np.repeat(ys[origins][:, None], horizon, 1)


def seasonal_naive(ys: Floats, origins: Ints, horizon: int, season: int, drift: float = 0.0) -> Floats:
    """The value one season before, or as many seasons as it takes, and a drift for each of them.

        ŷ(o + h) = y(o + h − k m) + k d,   k = ⌈h / m⌉

    Args:
      ys: (T,).
      origins: (N,), each at least season − 1.
      horizon: steps to forecast.
      season: m.
      drift: d, what the series gains in a season.

    Returns:
      (N, horizon).

    Example:
      >>> seasonal_naive(np.array([1.0, 2, 3, 4]), np.array([3]), horizon=3, season=2, drift=0.5)
      array([[3.5, 4.5, 4. ]])
    """
    seasons = -(-np.arange(1, horizon + 1) // season)
    return ys[ahead(origins, horizon) - seasons * season] + seasons * drift


def season_drift(ys: Floats, season: int) -> float:
    """What a series gains in a season, on average over all of it."""
    return float((ys[season:] - ys[:-season]).mean())


def month_means(ys: Floats, months: Ints, wanted: Ints) -> Floats:
    """The mean of the values of each wanted month, of the same shape.

    Args:
      ys: (T,), values.
      months: (T,), which month each is of: any numbers.
      wanted: months of which there are values.

    Example:
      >>> month_means(np.array([1.0, 5, 3]), np.array([0, 1, 0]), np.array([[1, 0]]))
      array([[5., 2.]])
    """
    names, places = np.unique(months, return_inverse=True)
    means = np.bincount(places, ys) / np.bincount(places)
    return means[np.searchsorted(names, wanted)]


@dataclass(frozen=True, eq=False)
class Autoregression:
    """A linear autoregression with a constant, by least squares; forecasts of several steps feed on themselves.

        ŷ(t) = c + Σ w_i y(t − i),   i = 1 … p

    Args:
      weights: (p,).
      constant: c.
    """

    weights: Floats
    constant: float

    @classmethod
    def fit(cls, ys: Floats, lags: int, known: Flags) -> Self:
        """The autoregression with the least squared error of one step, over the values (T,) that are known.

        Of very many, the last are taken.

        Example:
          >>> model = Autoregression.fit(np.array([0.0, 1, 3, 7, 15]), lags=1, known=np.ones(5, bool))
          >>> model.weights.round(6), round(model.constant, 6)
          (array([2.]), 1.0)
        """
        rows = np.flatnonzero(known[lags:])[-(CELLS // (lags + 1)) :]
        windows = np.lib.stride_tricks.sliding_window_view(ys, lags + 1)[rows]
        # About the mean, for numbers far from zero are hard to tell from the constant.
        mean = ys.mean()
        inputs = np.column_stack([windows[:, -2::-1] - mean, np.ones(len(windows))])
        found, *_ = np.linalg.lstsq(inputs, windows[:, -1] - mean, rcond=None)
        return cls(found[:-1], float(found[-1] + mean * (1 - found[:-1].sum())))

    def forecast(self, ys: Floats, origins: Ints, horizon: int) -> Floats:
        """What follows each origin (N,), each at least p − 1: (N, horizon)."""
        many = CELLS // len(self.weights)
        parts = [origins[start : start + many] for start in range(0, len(origins), many)]
        return np.concatenate([self._forecast(ys, part, horizon) for part in parts])

    def _forecast(self, ys: Floats, origins: Ints, horizon: int) -> Floats:
        state = ys[origins[:, None] - np.arange(len(self.weights))]
        most = EXPLOSION * np.maximum(np.abs(state).max(1), abs(self.constant))
        said = np.zeros((len(origins), horizon))
        for step in range(horizon):
            said[:, step] = np.clip(state @ self.weights + self.constant, -most, most)
            state = np.column_stack([said[:, step], state[:, :-1]])
        return said


def choose_lags(
    ys: Floats, known: Flags, start: int, origins: Ints, horizon: int, more: Sequence[int]
) -> int:
    """The order of the autoregression that forecasts best from some origins, when it is fitted to what is before.

    Args:
      ys: (T,), values.
      known: (T,), which of them are known.
      start: where the part to fit to ends.
      origins: (N,) of the forecasts that are judged, by their mean absolute error.
      horizon: steps that each has.
      more: orders to try besides `LAGS`, such as the season.

    Returns:
      One that leaves at least three equations for each weight, of `MOST_LAGS` at most; 1 where none does.
    """
    most = min(start // 4, int(origins.min()) + 1, MOST_LAGS)
    tried = [lags for lags in sorted({*LAGS, *more}) if lags <= most] or [1]
    wanted = ahead(origins, horizon)

    def error(lags: int) -> float:
        model = Autoregression.fit(ys[:start], lags, known[:start])
        return float(np.abs(model.forecast(ys, origins, horizon) - ys[wanted])[known[wanted]].mean())

    return min(tried, key=error)
