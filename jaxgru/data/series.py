"""Series: numbers at equal steps of time, out of a table or one of the data sets, with what is missing made good."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError, tables
from jaxgru.data import text as texts
from jaxgru.data.fetching import fetch
from jaxgru.data.labelled import short
from jaxgru.data.times import Times

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jaxgru.data.tables import Table

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

YEARLINE = re.compile(r"\d{4}((?:\s+-?\d+\.?\d*){1,12})\s*", re.ASCII)
MENDS = "data.missing=carry repeats the value before, data.missing=close leaves such rows out"
MISSING = ("auto", "refuse", "carry", "close")


@dataclass(frozen=True, eq=False)
class Series:
    """Numbers at equal steps of time.

    Args:
      source: where they are from.
      names: of the columns, the target first.
      values: (N, columns), without a gap: what was missing has the last value before it.
      known: (N,) whether the target was there. What was not is read, and neither learnt nor scored.
      times: of the rows.
      season: steps after which things are likely to repeat; 1 if none are.
    """

    source: str
    names: tuple[str, ...]
    values: Floats
    known: Flags
    times: Times
    season: int

    def __len__(self) -> int:
        """How many steps there are."""
        return len(self.values)

    def head(self, count: int) -> Self:
        """The first rows."""
        rows = slice(count)
        return replace(self, values=self.values[rows], known=self.known[rows], times=self.times[rows])

    @property
    def sha256(self) -> str:
        """The SHA-256 of all values and times, in hexadecimal: it tells what a run saw."""
        digest = hashlib.sha256(",".join(self.names).encode())
        for array in (self.values, self.known, self.times.numbers):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def read(
    path: str | Path,
    *,
    time: str = "",
    target: str = "",
    exogenous: str = "",
    missing: str = "refuse",
    season: int = 0,
    source: str = "",
) -> Series:
    """A series out of a table.

    Args:
      path: a file that `jaxgru.data.tables.read` takes.
      time: the column that says when; by default the one that looks like it, if there is one.
      target: the column to forecast; by default the only one with numbers.
      exogenous: other columns whose past is known: their names between commas, "all", or "" for none.
      missing: what becomes of blank cells and of rows that are not there: "refuse"; "carry", where the last value
        before stands for them; "close", where rows with blanks are left out and all rows follow each other, of which
        none then tells when the next will be.
      season: in steps; 0 for what the times make likely.
      source: what to call it; by default its path.

    Raises:
      DataError: the table is refused, has no such columns, cells that are no numbers or no times, or misses some.
    """
    table = tables.read(path)
    when = time or tables.time_column(table)
    if when:
        table.index(when, "data.time")
        others = [name for name in tables.time_columns(table) if name != when]
        apart = (
            f"; {when} and {', '.join(others)} may have to be one column, such as 2001-07" if others else ""
        )
        times = Times.parse(table.cells(when), lambda row: table.place(row, when), apart)
    else:
        times = Times.rows(len(table.rows))
    names = columns(table, when, target, exogenous)
    values = np.stack([table.numbers(name) for name in names], 1)
    found = Series(source or str(path), names, values, ~np.isnan(values[:, 0]), times, 0)
    found = whole(found, missing, lambda row, name: table.place(row, name or when))
    return replace(found, season=season or found.times.season())


def columns(table: Table, time: str, target: str, exogenous: str) -> tuple[str, ...]:
    """The names of the columns that are read, the target first."""
    numeric = [name for name in table.numeric() if name != time]
    if not target:
        if not numeric:
            only = f"; {time}, the only column, says when" if table.names == [time] else ""
            first = (
                only
                or f": line {table.lines[0]} has {', '.join(short(cell, 20) for cell in table.rows[0][:4])}"
                + next(filter(None, map(tables.point, table.rows[0])), "")
            )
            raise DataError(f"{table.path}: no column of numbers to forecast{first}")
        if len(numeric) > 1:
            raise DataError(
                f"{table.path}: several columns have numbers; say data.target= one of {tables.listed(numeric)}"
            )
        target = numeric[0]
    table.index(target, "data.target")
    if target == time:
        raise DataError(f"{table.path}: data.target={target} is the column of the times")
    wanted = [name.strip() for name in exogenous.split(",") if name.strip()]
    if wanted == ["all"] and "all" not in table.names:
        wanted = [name for name in numeric if name != target]
    for name in wanted:
        table.index(name, "data.exogenous")
        if name in (target, time):
            raise DataError(
                f"{table.path}: data.exogenous={name} is the {'target' if name == target else 'time'}"
            )
    return (target, *dict.fromkeys(wanted))


def whole(series: Series, missing: str, place: Callable[[int, str], str]) -> Series:
    """A series without blanks and gaps.

    Args:
      series: with nan where a cell was blank.
      missing: as in `read`.
      place: where the cell of a row and a column stands, for a message; the column "" is that of the times.
    """
    blank, gaps = np.isnan(series.values), series.times.gaps()
    if missing == "close":
        kept: Flags = ~np.any(blank, axis=1)
        if not kept.any():
            raise DataError(f"{series.source}: every row has a blank cell")
        times = replace(series.times[kept], closed=True)
        return replace(series, values=series.values[kept], known=series.known[kept], times=times)
    if missing == "refuse" and blank.any():
        row, column = np.argwhere(blank)[0].tolist()
        raise DataError(f"{place(row, series.names[column])}: there is no value; {MENDS}")
    labels, missed = series.times.labels(), gaps.cumsum()
    for row in np.flatnonzero(gaps).tolist():
        told = f"{place(row + 1, '')}: {labels[row + 1]} follows {labels[row]}"
        if gaps[row] < 0:
            raise DataError(
                f"{told}, which is no whole number of the usual steps; data.missing=close takes it as the next"
            )
        if missing == "refuse":
            steps = "1 step" if gaps[row] == 1 else f"{gaps[row]} steps"
            raise DataError(f"{told}, with {steps} missing between them; {MENDS}")
        if missed[row] > len(series):
            raise DataError(
                f"{told}; {missed[row]} steps are missing up to there, more than the file has rows"
            )
    if blank[0].any():
        name = series.names[blank[0].argmax()]
        raise DataError(
            f"{place(0, name)}: there is no value, and none before it to carry on; leave the row out"
        )
    return carried(series)


def carried(series: Series) -> Series:
    """A series with the rows that are missing, and in each blank the last value before it."""
    numbers = series.times.numbers
    rows = (numbers - numbers[0]) // series.times.step
    values = np.full((rows[-1] + 1, len(series.names)), np.nan)
    values[rows] = series.values
    known = ~np.isnan(values[:, 0])
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))[:, None]))
    times = replace(series.times, numbers=numbers[0] + series.times.step * np.arange(len(values)))
    return replace(series, values=np.take_along_axis(values, last, 0), known=known, times=times)


class Known(NamedTuple):
    """One of the data sets that can be fetched: what it is, the file, its season, and what reads it."""

    about: str
    file: str
    season: int
    read: Callable[[Path], Series]


def monthly_lines(path: Path) -> Series:
    """The months of a text, each line of which has a year and the values of its months; other lines are left out."""
    found = [
        (line[:4], line[4:].split()) for line in texts.read(path).splitlines() if YEARLINE.fullmatch(line)
    ]
    return months(path, int(found[0][0]) * 12, [float(value) for _, row in found for value in row])


def monthly_table(path: Path) -> Series:
    """The months of a table that has a row for each year and a column for each month."""
    table = tables.read(path)
    return months(path, int(table.rows[0][0]) * 12, [float(value) for row in table.rows for value in row[1:]])


def monthly_means(path: Path) -> Series:
    """The mean of each month of a table with a date and a value; months without any have the one before."""
    table = tables.read(path)
    found: dict[str, list[float]] = {}
    for (date, _), value in zip(table.rows, table.numbers(table.names[1]).tolist(), strict=True):
        found.setdefault(date[:6], []).append(value)
    first, last = (int(month[:4]) * 12 + int(month[4:]) - 1 for month in (min(found), max(found)))
    names = (f"{month // 12}{month % 12 + 1:02d}" for month in range(first, last + 1))
    means = [mean_of(found.get(name, [])) for name in names]
    return carried(months(path, first, means))


def mean_of(values: list[float]) -> float:
    """The mean of the values that are not nan; nan if there is none."""
    there = [value for value in values if value == value]  # noqa: PLR0124 nan is what differs from itself
    return sum(there) / len(there) if there else float("nan")


def months(path: Path, first: int, values: list[float]) -> Series:
    """A series of months, the first of them by its number since the year 0."""
    times = Times("month", first + np.arange(len(values)), 1)
    column = np.array(values)[:, None]
    return Series(str(path), ("value",), column, ~np.isnan(column[:, 0]), times, 12)


KNOWN = {
    "sunspots": Known("sunspots by the year", "sunspots.csv", 11, read),
    "sunspots-monthly": Known("sunspots by the month", "sunspots_monthly.dat", 132, monthly_lines),
    "co2": Known("carbon dioxide over Mauna Loa, monthly means in ppm", "co2.csv", 12, monthly_means),
    "elnino": Known("sea surface temperature off Peru by the month, in °C", "elnino.csv", 12, monthly_table),
}


def known(name: str, season: int = 0) -> Series:
    """One of the series that can be fetched.

    Args:
      name: a key of `KNOWN`.
      season: in steps; 0 for its own.

    Raises:
      DataError: it cannot be had.
    """
    about, file, usual, read = KNOWN[name]
    return replace(read(fetch(name) / file), source=about, season=season or usual)
