"""What the pictures of the probes have in common."""

from __future__ import annotations

import math
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


def band(axes: Axes, values: Any, color: str, label: str, linestyle: str = "-") -> None:
    """Values (T, *B) against their index: the median over the rows, in a band with the middle 80 % of them.

    NaN stands for what a row does not have.
    """
    rows = np.asarray(values, np.float64)
    rows = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    t = np.flatnonzero(~np.isnan(rows).all(1))
    low, middle, high = np.nanquantile(rows[t], (0.1, 0.5, 0.9), 1) if len(t) else np.empty((3, 0))
    if rows.shape[1] > 1:
        axes.fill_between(t, low, high, color=color, alpha=0.2, linewidth=0)
    axes.plot(t, middle, color=color, linestyle=linestyle, label=label)


def legend(axes: Axes, values: Any) -> None:
    """What the lines are, and what `band` draws of values (T, *B)."""
    rows = math.prod(np.shape(values)[1:])
    axes.legend(title=f"median of {rows} rows, 10–90 % shaded" if rows > 1 else None)


def log(axes: Axes, values: Any) -> None:
    """A logarithmic axis, if there is a positive number to stand on it."""
    if (np.asarray(values) > 0).any():
        axes.set_yscale("log")
