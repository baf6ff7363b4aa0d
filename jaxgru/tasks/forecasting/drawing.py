"""Pictures of forecasts: what they said and what came, and how far off they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jaxgru.tasks.forecasting.outlook import OURS, by_step
from jaxgru.tasks.pictures import new_figure, save

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes

    from jaxgru.data.series import Series
    from jaxgru.tasks.forecasting.outlook import Outlook

Floats = npt.NDArray[np.float64]
Moments = npt.NDArray[np.float64] | npt.NDArray[np.datetime64]

PANELS = 4  # origins of a picture
HISTORY = 3  # horizons before an origin that are drawn


def draw(
    path: Path,
    series: Series,
    origins: npt.NDArray[np.integer],
    outlook: Outlook,
    beside: tuple[str, Floats],
    about: str,
) -> None:
    """Draws forecasts from some origins: what was before, what came, the middle with its interval, the naive forecast.

    Args:
      path: of the PNG.
      series: the values.
      origins: (N,), of the forecasts.
      outlook: the forecasts.
      beside: the name of the method beside it, and its forecasts (N, horizon).
      about: what stands above.
    """
    count, horizon = outlook.known.shape
    shown = np.unique(np.linspace(0, count - 1, min(PANELS, count)).round().astype(int))
    xs, ys = series.times.scale(), series.values[:, 0]
    name, others = beside
    figure = new_figure(10, 2.3 * len(shown) + 0.8, "constrained")
    figure.suptitle(about.replace("$", r"\$"))
    for axes, i in zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True):
        at = int(origins[i])
        past, come = slice(max(at - HISTORY * horizon, 0), at + 1), slice(at + 1, at + 1 + horizon)
        low, middle, high = outlook.said[i].T
        axes.plot(xs[past], ys[past], color="black", linewidth=1)
        truth = np.append(ys[at], np.where(outlook.known[i], ys[come], np.nan))
        axes.plot(xs[at : come.stop], truth, color="black", linewidth=1, marker=".", label="what came")
        axes.plot(xs[come], others[i], color="C7", linestyle="--", label=name)
        axes.plot(xs[come], middle, color="C0", label=OURS)
        axes.fill_between(xs[come], low, high, color="C0", alpha=0.25, linewidth=0, label="its interval")
        axes.axvline(xs[at], color="C7", linewidth=0.6)
        axes.margins(x=0.01)
        turn_ticks(axes, xs)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", fontsize=8, ncols=4
    )
    save(figure, path)


def turn_ticks(axes: Axes, xs: Moments) -> None:
    """Writes dates shortly, the year and the day they share beside the axis, once."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415 heavy, and of use only here

    if xs.dtype.kind == "M":
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        axes.xaxis.set(major_locator=locator, major_formatter=formatter)


def draw_errors(path: Path, outlook: Outlook, others: Mapping[str, Floats]) -> None:
    """Draws the mean absolute error of each step of the horizon, the model's beside those of other methods."""
    figure = new_figure(7, 4, "constrained")
    axes = figure.subplots()
    steps = np.arange(1, outlook.known.shape[1] + 1)
    for name, said in {OURS: outlook.said[..., 1], **others}.items():
        line = by_step(np.abs(said - outlook.truth), outlook.known)
        axes.plot(
            steps, line, label=name, linewidth=2.2 if name == OURS else 1.2, marker="." * (len(steps) < 3)
        )
    axes.set(xlabel="step of the horizon", ylabel="mean absolute error", ylim=(0, None))
    axes.locator_params(axis="x", integer=True)
    axes.legend()
    save(figure, path)
