"""Horizons: what a forecast reads and what it should say, cut out of a series when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jaxgru.tasks.forecasting.classical import ahead

if TYPE_CHECKING:
    from jaxgru.data.series import Series
    from jaxgru.data.times import Times
    from jaxgru.tasks.forecasting.scaling import Scaling

LEAST = 0.05  # the least deviation of a window, where that of the training part is 1

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Horizons:
    """A series as a network sees it, around each of some origins.

    Args:
      series: N rows.
      scaling: what makes numbers of values that a network can read.
      window: rows up to the origin that are read.
      horizon: rows after it that are forecast; they may be past the end of the series.
      calendar: whether times are read too.
    """

    series: Series
    scaling: Scaling
    window: int
    horizon: int
    calendar: bool

    @cached_property
    def zs(self) -> Floats:
        """The scaled values (N, columns)."""
        return self.scaling.apply(self.series.values, self.series.times)

    @cached_property
    def times(self) -> Times:
        """Of the series, and of a horizon after it."""
        return self.series.times.and_after(self.horizon)

    @cached_property
    def waves(self) -> Singles:
        """Where each time is in its year, week and day (N + horizon, waves)."""
        waves = self.times.calendar()
        return waves if self.calendar else waves[:, :0]

    @property
    def inputs(self) -> tuple[int, int]:
        """How many numbers a step of the past has, and one of the future."""
        return self.zs.shape[1] + self.waves.shape[1], self.waves.shape[1] + 1

    def rows(self, origins: Ints) -> Ints:
        """The rows (window, N) that are read before each origin, and at it."""
        return origins + np.arange(1 - self.window, 1)[:, None]

    def frame(self, origins: Ints) -> tuple[Floats, Floats]:
        """What is taken off the window of each origin, and what it is divided by: (N, columns) each."""
        last = self.zs[origins]
        if self.scaling.around != "window":
            return last if self.scaling.around == "last" else np.zeros_like(last), np.ones_like(last)
        windows = self.zs[self.rows(origins)]
        return windows.mean(0), np.maximum(windows.std(0), LEAST)

    def past(self, origins: Ints) -> Singles:
        """What is read (window, N, columns + waves), the target first."""
        rows, (level, unit) = self.rows(origins), self.frame(origins)
        zs = (self.zs[rows] - level) / unit
        return np.concatenate([zs.astype(np.float32), self.waves[rows]], 2)

    def future(self, origins: Ints) -> Singles:
        """What is known of the steps to come (horizon, N, waves + 1): where in the year they are, and how far ahead."""
        waves = self.waves[ahead(origins, self.horizon).T]
        far = np.arange(1, self.horizon + 1, dtype=np.float32) / self.horizon
        return np.concatenate([waves, np.broadcast_to(far[:, None, None], (*waves.shape[:2], 1))], 2)

    def targets(self, origins: Ints) -> Singles:
        """What should be said (horizon, N), scaled."""
        level, unit = self.frame(origins)
        zs = (self.zs[ahead(origins, self.horizon), 0] - level[:, :1]) / unit[:, :1]
        return zs.T.astype(np.float32)

    def values(self, origins: Ints, out: Floats) -> Floats:
        """What scaled forecasts (N, horizon, 3) mean in units of the target."""
        wanted = ahead(origins, self.horizon)
        centers = self.scaling.center(self.times)[wanted, 0]
        level, unit = (part[:, :1, None] for part in self.frame(origins))
        return self.scaling.back(out * unit + level, centers[..., None])
