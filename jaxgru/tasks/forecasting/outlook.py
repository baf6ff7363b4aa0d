"""What forecasts are worth: their scores, and tables of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxgru.data.times import Times

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

STEPS = 24  # of a long horizon that a table has rows for
LEAST = 1e-12  # the width of an interval's half that can be stretched
OURS = "this model"
FEWEST, MOST = 5, 15  # digits of a number that is told


class Outlook(NamedTuple):
    """Forecasts from N origins, and what came.

    Args:
      said: (N, horizon, 3), the lower end, the middle and the upper end of each interval.
      truth: (N, horizon).
      known: (N, horizon), whether it was there.
    """

    said: Floats
    truth: Floats
    known: Flags

    @property
    def inside(self) -> Flags:
        """Whether the truth is within the interval (N, horizon)."""
        return (self.said[..., 0] <= self.truth) & (self.truth <= self.said[..., 2])


def error(said: Floats, truth: Floats, known: Flags) -> float:
    """The mean absolute error of forecasts (N, horizon), where the truth is known."""
    return float(np.abs(said - truth)[known].mean())


def by_step(errors: Floats, known: Flags) -> Floats:
    """The mean of each step (horizon,) of numbers (N, horizon), where the truth is known; nan where it never is."""
    count = known.sum(0)
    return np.where(count > 0, np.where(known, errors, 0).sum(0) / np.maximum(count, 1), np.nan)


def scores(outlook: Outlook, scale: float) -> dict[str, float]:
    """The errors of the middles, and how many values the intervals hold, and how wide they are.

    Args:
      outlook: the forecasts.
      scale: what the error is divided by in `mase`.

    Example:
      >>> said = np.array([[[1.0, 2, 3], [1, 2, 3]]])
      >>> scores(Outlook(said, np.array([[2.5, 4]]), np.ones((1, 2), bool)), scale=2.5)
      {'mae': 1.25, 'mase': 0.5, 'coverage': 0.5, 'width': 2.0}
    """
    mae = error(outlook.said[..., 1], outlook.truth, outlook.known)
    return {
        "mae": mae,
        "mase": mae / scale,
        "coverage": float(outlook.inside[outlook.known].mean()),
        "width": float((outlook.said[..., 2] - outlook.said[..., 0])[outlook.known].mean()),
    }


def stretch(outlook: Outlook, interval: float) -> float:
    """By what to stretch intervals about their middles so that they hold the share they should, of these values.

        k = the ⌈(n + 1) p⌉-th smallest of r,   r = (y − m) / (high − m) or (m − y) / (m − low)

    That is split conformal prediction with the interval's own width as the measure. Of values that are not
    exchangeable, as those of a series are not, it promises nothing; it mends what is wrong on average.

    Args:
      outlook: forecasts of values that nothing was fitted to.
      interval: p, the share.

    Example:
      >>> said = np.array([[[-1.0, 0, 1]] * 4])
      >>> stretch(Outlook(said, np.array([[0.5, -1, 2, 4]]), np.ones((1, 4), bool)), interval=0.5)
      2.0

    References: Romano, Patterson, Candès 2019 (arXiv:1905.03222), of which this is the form that scales.
    """
    low, middle, high = np.moveaxis(outlook.said, -1, 0)
    off = outlook.truth - middle
    room = np.maximum(np.where(off > 0, high - middle, middle - low), LEAST)
    ratios = np.sort((np.abs(off) / room)[outlook.known])
    place = min(int(np.ceil((len(ratios) + 1) * interval)), len(ratios)) - 1
    return float(ratios[place])


def stretched(said: Floats, factor: float) -> Floats:
    """Intervals (…, 3) stretched about their middles."""
    middle = said[..., 1:2]
    return middle + factor * (said - middle)


def report(outlook: Outlook, others: Mapping[str, Floats], scale: float, interval: float) -> str:
    """A table of the errors of each step, the model's beside those of other methods, and what its intervals hold."""
    known = outlook.known
    methods = {OURS: outlook.said[..., 1], **others}
    steps = {name: by_step(np.abs(said - outlook.truth), known) for name, said in methods.items()}
    width = by_step(outlook.said[..., 2] - outlook.said[..., 0], known)
    inside = by_step(outlook.inside.astype(float), known)
    rows = [["step", *methods, f"{interval:.0%} interval holds", "width"]]
    horizon = known.shape[1]
    for h in np.unique(np.linspace(0, horizon - 1, min(horizon, STEPS)).round().astype(int)).tolist():
        errors = [f"{each[h]:.4g}" for each in steps.values()]
        rows += [[str(h + 1), *errors, f"{inside[h]:.3f}", f"{width[h]:.4g}"]]
    total = scores(outlook, scale)
    maes = [error(said, outlook.truth, known) for said in methods.values()]
    ends = [f"{total['coverage']:.3f}", f"{total['width']:.4g}"]
    rows += [
        ["all", *(f"{mae:.4g}" for mae in maes), *ends],
        ["MASE", *(f"{mae / scale:.3f}" for mae in maes), "", ""],
    ]
    title = f"MAE by step of the horizon, from {len(known)} origins of the test part"
    return "\n".join([title, "", *aligned(rows)])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table as lines: the first column to the left, the others to the right.

    Example:
      >>> aligned([("step", "a"), ("1", "0.25")])
      ['step     a', '1     0.25']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return lines


def table(times: Times, said: Floats, interval: float, middle: str, heading: str = "time") -> str:
    """A forecast (horizon, 3) as people read it: a row for each time, with the digits that tell its columns apart.

    Example:
      >>> from jaxgru.data.times import Times
      >>> print(table(Times.rows(1).after(2), np.array([[1.0, 2, 3], [0, 2, 4]]), 0.8, "median"))
      time  10 %  median  90 %
      2        1       2     3
      3        0       2     4
    """
    tail = (1 - interval) / 2
    digits = digits_of(said)
    rows = [[heading, f"{100 * tail:.3g} %", middle, f"{100 * (1 - tail):.3g} %"]]
    rows += [
        [label, *(f"{value:.{digits}g}" for value in row)]
        for label, row in zip(times.labels(), said.tolist(), strict=True)
    ]
    return "\n".join(aligned(rows))


def digits_of(said: Floats) -> int:
    """How many digits intervals (…, 3) are told with: five, or those of the whole part, or two of the narrowest width.

    Example:
      >>> digits_of(np.array([[1_234_557.0, 1_234_567, 1_234_577.5]])), digits_of(np.array([[1.0, 2, 3]]))
      (7, 5)
    """
    widths = said[..., 2] - said[..., 0]
    largest, narrowest = np.abs(said).max(), widths[widths > 0].min(initial=np.inf)
    if largest == 0 or np.isinf(narrowest):
        return FEWEST
    whole = int(np.floor(np.log10(largest))) + 1
    return min(max(FEWEST, min(whole, 9), whole + 1 - int(np.floor(np.log10(narrowest)))), MOST)
