"""What the pictures of the probes have in common."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(panels: int = 1) -> tuple[Figure, Any]:
    """A figure that belongs to no window, and its axes beside each other: one, or an array of several."""
    from matplotlib.figure import Figure  # noqa: PLC0415 heavy, and of use only here

    drawn = Figure(figsize=(2.5 + 4.5 * panels, 4.2), layout="constrained")
    axes = drawn.subplots(1, panels)
    for each in np.atleast_1d(axes):
        each.grid(alpha=0.3)
    return drawn, axes


def title(label: str, panels: int = 1) -> str:
    """A record's label, on as many lines as it needs above so many panels."""
    return textwrap.fill(label, 56 * panels, break_long_words=False, break_on_hyphens=False)


def band(axes: Axes, values: Any, color: str, label: str, linestyle: str = "-") -> None:
    """Values (T, *B) against their index: the median over the rows, in a band with the middle 80 % of them.

    NaN stands for what a row does not have; where fewer than half of the rows are left, the line is thin and dotted.
    """
    rows, left = _rows(values)
    t = np.flatnonzero(left)
    rows, few = rows[t], _few(left[t])
    low, middle, high = np.nanquantile(rows, (0.1, 0.5, 0.9), 1) if len(t) else np.empty((3, 0))
    if rows.shape[1] > 1:
        axes.fill_between(t, low, high, color=color, alpha=0.2, linewidth=0)
    axes.plot(t, np.where(few, np.nan, middle), color=color, linestyle=linestyle, label=label)
    if few.any():
        meets = few | np.append(few[1:], False)  # begins where the other line ends
        axes.plot(t, np.where(meets, middle, np.nan), color=color, linestyle=":", linewidth=1)


def legend(axes: Axes, values: Any) -> None:
    """What the lines are, and what `band` draws of values (T, *B)."""
    _, left = _rows(values)
    most = left.max(initial=0)
    words = None
    if most > 1:
        words = f"median of {'up to ' if left.min() < most else ''}{most} rows, 10–90 % shaded"
        if _few(left[left > 0]).any():
            words += "\nthin and dotted: of fewer than half of them"
    axes.legend(title=words)


def log(axes: Axes, values: Any) -> None:
    """A logarithmic axis, if there is a positive number to stand on it: for axes whose lines are drawn.

    Lines end where they are exactly zero, which is nowhere on such an axis.
    """
    from matplotlib.ticker import AutoLocator, LogLocator, NullFormatter, ScalarFormatter  # noqa: PLC0415

    if not (np.asarray(values) > 0).any():
        return
    for line in axes.get_lines():
        y = np.asarray(line.get_ydata(), np.float64)
        line.set_ydata(np.where(y > 0, y, np.nan))
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 100 * low:  # powers of ten alone would be one label, or none
        axes.yaxis.set_major_locator(AutoLocator() if high < 10 * low else LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())


def _rows(values: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Values as (T, rows), NaN where there is no number to draw, and how many rows have one at each index."""
    rows = np.asarray(values, np.float64)
    rows = np.where(np.isfinite(rows), rows, np.nan)
    rows = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    return rows, (~np.isnan(rows)).sum(1)


def _few(left: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where fewer than half of the rows are left."""
    return left < left.max(initial=0) / 2
