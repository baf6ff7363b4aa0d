"""What the task `forecast` knows of a series before it trains: its parts, its scaling, its classical methods."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError
from jaxgru.data.series import Series, known, read
from jaxgru.data.tables import listed
from jaxgru.data.text import split
from jaxgru.tasks.forecasting import classical
from jaxgru.tasks.forecasting.classical import Autoregression, ahead
from jaxgru.tasks.forecasting.fitted import Fitted
from jaxgru.tasks.forecasting.horizons import Horizons
from jaxgru.tasks.forecasting.scaling import Scaling, has_months, months_of, nearest
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

HELPS = 0.9  # of the error in validation, at most, is left where a drift is worth having
PARTS = ("train", "validation", "test")


def load(data: Any, path: str = "") -> Series:
    """The series that a table [data] means, or the one in another file, read likewise.

    Raises:
      UserError: for a file that is refused, or a data set that cannot be had.
    """
    try:
        if not (path or data.path):
            return known(data.series, data.season)
        missing = "refuse" if data.missing == "auto" else data.missing
        columns = {"time": data.time, "target": data.target, "exogenous": data.exogenous}
        return read(path or data.path, missing=missing, season=data.season, **columns)
    except DataError as error:
        raise UserError(str(error)) from None


def load_again(data: Any, fitted: Fitted, path: str) -> Series:
    """A further table to forecast from, with the columns of the one that a run was trained on.

    Raises:
      UserError: `load` refuses it, or it `check_fits` not.
    """
    series = load(data, path)
    check_fits(data, series, fitted)
    return series


def check_fits(data: Any, series: Series, fitted: Fitted) -> None:
    """Refuses a series that a run cannot go on from: of other columns or another step, or shorter than a window."""
    source, names = series.source, list(series.names)
    if data.path and names != list(fitted.names):
        raise UserError(f"{source}: its columns are {listed(names)}; the run has {listed(fitted.names)}")
    if len(names) != len(fitted.names):
        raise UserError(f"{source}: {len(names)} columns; the run has {len(fitted.names)}")
    if (series.times.kind, series.times.step) != (fitted.kind, fitted.step):
        here, there = told(series.times.kind, series.times.step), told(fitted.kind, fitted.step)
        raise UserError(f"{source}: its times are {here}, and those of the run {there}")
    if series.times.closed and fitted.inputs[1] > 1:
        raise UserError(f"{source}: data.missing=close leaves no calendar, and the run reads one")
    if len(series) < data.window:
        raise UserError(f"{source}: {len(series)} rows are fewer than data.window={data.window}")
    check_transform(data, series)


def told(kind: str, step: int) -> str:
    """How far apart times are, in words.

    Example:
      >>> told("date", 7 * 86_400), told("month", 1)
      ('7 days apart', '1 month apart')
    """
    if kind == "date":
        units = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
        kind, length = next((unit, length) for unit, length in units.items() if step % length == 0)
        step //= length
    return f"{step} {kind}{'s' * (step != 1)} apart"


def check_same(data: Any, series: Series, fitted: Fitted) -> None:
    """Refuses a series that is not the one that a run was trained on, nor that one grown longer."""
    rows = fitted.parts[-1]
    if list(series.names) != list(fitted.names) or len(series) < rows:
        had = f"the run was trained on {rows} rows of {listed(fitted.names)}"
        raise UserError(f"{series.source}: {len(series)} rows of {listed(series.names)}; {had}")
    check_fits(data, series, fitted)
    if series.head(rows).sha256 != fitted.sha256:
        mend = "keep that table there, and forecast from another by sample RUN OTHER.csv"
        raise UserError(
            f"{series.source}: its first {rows} rows are not those that the run was trained on; {mend}"
        )


def origins(data: Any, parts: Sequence[int], part: str) -> Ints:
    """The last known rows (N,) of the forecasts whose horizon lies in a part and whose window is whole."""
    number = PARTS.index(part)
    start = parts[number - 1] if number else data.window
    return np.arange(start - 1, parts[number] - data.horizon)


def fit(data: Any, series: Series) -> Fitted:
    """Fits all that is fitted before training.

    Raises:
      UserError: the series is too short, or not one that can be seen as [data] says.
    """
    parts = [part.stop for part in split(len(series), data.validation, data.test)]
    check(data, series, parts)
    train, before, _ = parts
    ys, judged = series.values[:, 0], origins(data, parts, "validation")
    around = nearest(series, train, judged, data.horizon) if data.around == "auto" else data.around
    scaling = Scaling.fit(series, train, data.horizon, data.transform, around)
    drift = classical.season_drift(ys[:train], series.season)
    wanted = ahead(judged, data.horizon)
    plain, drifting = (
        classical.seasonal_naive(ys, judged, data.horizon, series.season, each) - ys[wanted]
        for each in (0.0, drift)
    )
    there = series.known[wanted]
    helps = np.abs(drifting)[there].mean() < HELPS * np.abs(plain)[there].mean()
    return Fitted(
        list(series.names),
        series.times.kind,
        series.times.step,
        series.sha256,
        list(Horizons(series, scaling, data.window, data.horizon, data.calendar).inputs),
        parts,
        scaling,
        classical.season_drift(ys[:before], series.season) if helps else 0.0,
        classical.choose_lags(ys, series.known, train, judged, data.horizon, (series.season,)),
    )


def check(data: Any, series: Series, parts: Sequence[int]) -> None:
    """Refuses a series that cannot be learnt or scored."""
    source, (train, before, end) = series.source, parts
    held_out = f"{before - train} for validation and {end - before} for the test"
    rows = f"{len(series)} rows leave {train} to train on, {held_out}"
    if train < data.window + data.horizon:
        need = f"data.window={data.window} and data.horizon={data.horizon} need {data.window + data.horizon}"
        raise UserError(f"{source}: too short: {rows}; {need}")
    if min(before - train, end - before) < data.horizon:
        raise UserError(f"{source}: too short: {rows}; data.horizon={data.horizon} needs as many of each")
    if train <= series.season:
        raise UserError(f"{source}: too short: {rows}; a season of {series.season} needs more to train on")
    for part in PARTS:
        if not series.known[ahead(origins(data, parts, part), data.horizon)].any():
            raise UserError(f"{source}: the part for {part} has no value to forecast")
    ys = series.values[:, 0]
    if (ys == ys[0]).all():
        raise UserError(
            f"{source}: all values of {series.names[0]} are {ys[0]:g}; there is nothing to forecast"
        )
    if data.around == "months" and not has_months(series, train):
        raise UserError(
            f"{source}: data.around=months needs a row for each month, and a year of them to train on"
        )
    check_transform(data, series)


def check_transform(data: Any, series: Series) -> None:
    """Refuses values that the transform of a table [data] does not take."""
    lowest, least = (
        series.values[:, 0].min(),
        {"none": -math.inf, "sqrt": 0.0, "log": math.ulp(0.0)}[data.transform],
    )
    if lowest < least:
        label = series.times.labels()[int(series.values[:, 0].argmin())]
        more = "above 0" if data.transform == "log" else "0 or more"
        raise UserError(
            f"{series.source}: {series.names[0]} is {lowest:g} at {label}; data.transform={data.transform} needs {more}"
        )


def classics(series: Series, fitted: Fitted, where: Ints, horizon: int) -> dict[str, Floats]:
    """What the classical methods, fitted to all before the test part, forecast from some origins: (N, horizon) each."""
    ys, before = series.values[:, 0], fitted.parts[1]
    name = "seasonal-naive with drift" if fitted.drift else "seasonal-naive"
    model = Autoregression.fit(ys[:before], fitted.lags, series.known[:before])
    said = {
        name: classical.seasonal_naive(ys, where, horizon, series.season, fitted.drift),
        f"AR({fitted.lags})": model.forecast(ys, where, horizon),
        "last value": classical.last_value(ys, where, horizon),
    }
    if has_months(series, before) and not fitted.drift:
        months = months_of(series.times.and_after(horizon))
        said["month means"] = classical.month_means(
            ys[:before], months[:before], months[ahead(where, horizon)]
        )
    return said
