"""Scaling: how a series looks to a network, fitted to its training part, and how forecasts come back from there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from jaxgru.tasks.forecasting import classical

if TYPE_CHECKING:
    from jaxgru.data.series import Series
    from jaxgru.data.times import Times

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

TRANSFORMS = ("none", "sqrt", "log")
AROUND = ("auto", "last", "mean", "months", "window")
LARGEST = 60.0  # the largest logarithm that is taken back: e^60 is 1e26


@dataclass(frozen=True)
class Scaling:
    """What a network sees in place of values, and the way back.

        u = transform(y)        z = (u − c) / s        last: z − z(origin), in each window

    Args:
      transform: of the target: "none", "sqrt" or "log".
      around: what values are told from: "mean", of the training part; "months", the mean of each month there; or
        "last", the value at the origin of each forecast, so that a level never seen in training is nothing new; or
        "window", the mean of what is read before it, in units of its deviation, so that no scale is new either.
      centers: c of each month, or of none: (12 or 1, columns).
      scales: s of each column: the deviation in training, around "last" that of what the horizon brings.
    """

    transform: str
    around: str
    centers: list[list[float]]
    scales: list[float]

    @classmethod
    def fit(cls, series: Series, train: int, horizon: int, transform: str, around: str) -> Self:
        """The scaling of a series' first `train` rows."""
        us = transformed(series.values[:train], transform)
        centers = np.zeros((1, us.shape[1]))
        if around == "mean":
            centers = us.mean(0, keepdims=True)
        elif around == "months":
            months = months_of(series.times)[:train]
            centers = np.stack([classical.month_means(u, months, np.arange(12)) for u in us.T], 1)
        moved = cls(transform, around, centers.tolist(), [1.0] * us.shape[1])
        zs = moved.apply(series.values[:train], series.times[:train])
        changes = zs[horizon:] - zs[:-horizon] if around == "last" else zs
        scales = np.sqrt((changes**2).mean(0))
        # A column that never changes in training has no scale of its own.
        return cls(transform, around, centers.tolist(), np.where(scales > 0, scales, 1).tolist())

    @classmethod
    def restore(cls, found: Any, columns: int) -> Self:
        """The same out of JSON.

        Raises:
          ValueError: for what no run leaves.
        """
        if not isinstance(found, dict) or {*found} != {"transform", "around", "centers", "scales"}:
            raise ValueError("scaling should have transform, around, centers and scales")
        if found["transform"] not in TRANSFORMS or found["around"] not in AROUND[1:]:
            raise ValueError("scaling should have a transform and an around that a config can have")
        for rows, count in (
            (found["centers"], 12 if found["around"] == "months" else 1),
            ([found["scales"]], 1),
        ):
            fine = isinstance(rows, list) and len(rows) == count
            fine = fine and all(isinstance(row, list) and len(row) == columns for row in rows)
            if not fine or not all(
                type(number) is float and math.isfinite(number) for row in rows for number in row
            ):
                raise ValueError("scaling should have a number for each column in centers and scales")
        if min(found["scales"]) <= 0:
            raise ValueError("scaling should have scales above 0")
        return cls(**found)

    def center(self, times: Times) -> Floats:
        """c of each of some times: (N, columns)."""
        centers = np.array(self.centers)
        return centers[months_of(times) if len(centers) > 1 else np.zeros(len(times.numbers), int)]

    def apply(self, values: Floats, times: Times) -> Floats:
        """Values (N, columns) as z, before any origin is taken off."""
        return (transformed(values, self.transform) - self.center(times)) / np.array(self.scales)

    def back(self, zs: Floats, centers: Floats) -> Floats:
        """Target values (…) out of z, the origin's added, and the centers (…) of their times."""
        us = zs * self.scales[0] + centers
        if self.transform == "sqrt":
            return np.maximum(us, 0) ** 2
        return np.exp(np.minimum(us, LARGEST)) if self.transform == "log" else us


def months_of(times: Times) -> Ints:
    """Which month of its year each time is in, from 0."""
    return times.numbers % 12


def has_months(series: Series, rows: int) -> bool:
    """Whether each month has a mean of its own: rows are months, and so many of the first hold all twelve of them."""
    times = series.times
    return (
        times.kind == "month" and times.step == 1 and not times.closed and series.season == 12 and rows >= 12
    )


def transformed(values: Floats, transform: str) -> Floats:
    """Values (N, columns) with the target, the first column, transformed."""
    if transform == "none":
        return values
    function = np.sqrt if transform == "sqrt" else np.log
    return np.column_stack([function(values[:, 0]), values[:, 1:]])


def nearest(series: Series, train: int, origins: Ints, horizon: int) -> str:
    """What values are best told from: "last", "mean" or "months", whichever is nearer to what follows some origins.

    Args:
      series: the series.
      train: how many rows means are taken over.
      origins: (N,), of the forecasts that are judged, by their mean absolute error.
      horizon: steps that each has.
    """
    ys, wanted = series.values[:, 0], classical.ahead(origins, horizon)
    tried = {"last": ys[origins][:, None], "mean": ys[:train].mean()}
    if has_months(series, train):
        months = months_of(series.times)
        tried["months"] = classical.month_means(ys[:train], months[:train], months[wanted])
    known = series.known[wanted]
    return min(tried, key=lambda name: np.abs(tried[name] - ys[wanted])[known].mean())
