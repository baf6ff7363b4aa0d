"""Times: what a column says of when its rows were, at which step they follow, and where in the year, week and day."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Ints = npt.NDArray[np.int64]

MARKS = (
    "time",
    "date",
    "datetime",
    "timestamp",
    "year",
    "month",
    "week",
    "day",
    "hour",
    "ds",
    "period",
    "quarter",
)
MONTH = re.compile(r"((?!0000)\d{4})[-/](\d{1,2})", re.ASCII)
QUARTER = re.compile(r"((?!0000)\d{4})[- ]?[Qq]([1-4])", re.ASCII)
DATE = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})"
    r"(?:[Tt ] *(\d{1,2}):(\d{2})(?::(\d{2})(?:\.0+)?)? *([Zz]|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
ZONE = re.compile(r":\d{2}(?:\.0+)? *(?:[Zz]|[+-]\d{2}:?\d{2})", re.ASCII)
FARTHEST = 14  # hours from Greenwich
UNIX = re.compile(r"\d{10}(\d{3})?", re.ASCII)
WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 a time without a zone is meant: offsets are taken off
HOUR, DAY = 3600, 86_400
WEEK = 7 * DAY
YEAR = 365.2425 * DAY
HARMONICS = 2
FORMS = "write 2001-07-13, 2001-07-13 14:30, 2001-07, 2001Q3 or 2001"


@dataclass(frozen=True, eq=False)
class Times:
    """When the rows of a table were.

    Args:
      kind: what the numbers count: "year", "month" (since the year 0), "date" (seconds since 1970) or "row".
      numbers: (N,), increasing.
      step: the usual difference of two that follow each other.
      zoned: whether they said how far they were from Greenwich, whose time the numbers then are.
      closed: whether rows were closed up, so that each follows the one before it whatever their times; nothing then
        tells the time of a row to come.
    """

    kind: str
    numbers: Ints
    step: int
    zoned: bool = False
    closed: bool = False

    @classmethod
    def rows(cls, count: int) -> Self:
        """The times of rows that do not say when they were: 1, 2, ….

        Example:
          >>> Times.rows(3).numbers
          array([1, 2, 3])
        """
        return cls("row", np.arange(1, count + 1), 1)

    @classmethod
    def parse(cls, cells: Sequence[str], place: Callable[[int], str], mend: str = "") -> Self:
        """The times that cells tell.

        Args:
          cells: of one column, without blanks around them.
          place: where the cell of a row stands, for a message.
          mend: what to do where times do not increase, for a message.

        Raises:
          DataError: a cell is no time, or not of the kind of the first, or not after the one before it.

        Example:
          >>> times = Times.parse(["1958-03-29", "1958-04-05", "1958-04-12"], str)
          >>> times.kind, times.step // 86400
          ('date', 7)
        """
        kind, numbers = by_months(*read(cells, place))
        zoned = kind == "date" and have_zones(cells, place)
        differences = np.diff(numbers)
        for row in np.flatnonzero(differences <= 0)[:1] + 1:
            difference = differences[row - 1]
            what = "is there twice" if difference == 0 else f"comes after {cells[row - 1]}"
            if kind == "date" and not zoned and ":" in cells[row] and difference > -HOUR:
                mend = f"; where clocks went back, write how far each is from Greenwich: {cells[row]}+01:00"
            fault = f"{cells[row]} {what}; times should increase from row to row{mend}"
            raise DataError(f"{place(int(row))}: {fault}")
        found, counts = np.unique(differences, return_counts=True)
        return cls(kind, numbers, int(found[counts.argmax()]) if len(found) else 1, zoned)

    def __getitem__(self, part: slice | npt.NDArray[np.bool_]) -> Self:
        """The times of some of the rows."""
        return replace(self, numbers=self.numbers[part])

    def gaps(self) -> Ints:
        """How many steps (N − 1,) are missing between a row and the next; −1 where it is no whole number."""
        steps, rest = np.divmod(np.diff(self.numbers), self.step)
        return np.where(rest == 0, steps - 1, -1)

    def after(self, count: int) -> Self:
        """The times of so many rows after the last; of rows that were closed up, only how many rows after it they are.

        Example:
          >>> Times("date", np.array([0, 86_400]), 86_400, closed=True).after(2).labels()
          ['+1', '+2']
        """
        ahead = np.arange(1, count + 1)
        if self.closed:
            return replace(self, kind="ahead", numbers=ahead)
        return replace(self, numbers=self.numbers[-1] + self.step * ahead)

    def and_after(self, count: int) -> Self:
        """The times, and those of so many rows after the last; not of rows that were closed up."""
        return replace(self, numbers=np.concatenate([self.numbers, self.after(count).numbers]))

    def labels(self) -> list[str]:
        """The times as people write them.

        Example:
          >>> Times.parse(["2001Q3", "2001Q4"], str).after(2).labels()
          ['2002-01', '2002-04']
        """
        if self.kind == "month":
            return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in self.numbers.tolist()]
        if self.kind == "date":
            parts = [unit for unit in (DAY, 60) if (self.numbers % unit).any() or self.step % unit]
            dates = self.numbers.astype("datetime64[s]").astype(f"datetime64[{'Dms'[len(parts)]}]")
            zone = "Z" if self.zoned and parts else ""
            return [str(date).replace("T", " ") + zone for date in dates]
        if self.kind == "ahead":
            return [f"+{number}" for number in self.numbers.tolist()]
        return [str(number) for number in self.numbers.tolist()]

    def scale(self) -> npt.NDArray[np.float64] | npt.NDArray[np.datetime64]:
        """The times as they are drawn: dates, or else numbers as they are."""
        if self.kind == "month":
            return (self.numbers - 1970 * 12).astype("datetime64[M]")
        return self.numbers.astype("datetime64[s]" if self.kind == "date" else float)

    def cycles(self) -> list[float]:
        """How long the year, the week and the day are, in the unit of the numbers: those longer than two steps.

        Rows that were closed up have none: where the next will be in them is not known.
        """
        lengths = {"month": [12.0], "date": [YEAR, float(WEEK), float(DAY)]}.get(self.kind, [])
        if self.closed:
            return []
        return [length for length in lengths if 2 * self.step < length]

    def calendar(self) -> npt.NDArray[np.float32]:
        """Where each time is in its year, week and day: (N, 4 × cycles) sines and cosines, of each two harmonics.

        Example:
          >>> Times.parse(["2001-01", "2001-04"], str).calendar().round(2)
          array([[ 0.,  1.,  0.,  1.],
                 [ 1.,  0.,  0., -1.]], dtype=float32)
        """
        turns = [
            2 * np.pi * k * (self.numbers % length / length)
            for length in self.cycles()
            for k in range(1, HARMONICS + 1)
        ]
        columns = [wave(turn) for turn in turns for wave in (np.sin, np.cos)]
        return np.stack([*columns, np.zeros(len(self.numbers))], 1)[:, :-1].astype(np.float32)

    def season(self) -> int:
        """How many steps the usual season has: a year of months, quarters or weeks, a week of days, a day of hours.

        Example:
          >>> Times.parse(["2001-07-13 00:00", "2001-07-13 00:15"], str).season()
          96
        """
        if self.kind == "month" and 12 % self.step == 0:
            steps = 12 // self.step
        elif self.kind == "date" and self.step in (DAY, WEEK):
            steps = {DAY: 7, WEEK: 52}[self.step]
        else:
            steps = DAY // self.step if self.kind == "date" and DAY % self.step == 0 else 1
        return self._rows_in(steps * self.step) if self.closed and steps > 1 else steps

    def _rows_in(self, length: int) -> int:
        """How many rows a cycle usually has, of those that have any: five, in a week without its end."""
        cycles = (self.numbers - self.numbers[0]) // length
        counts = np.unique(cycles, return_counts=True)[1]
        return int(np.median(counts[:-1] if len(counts) > 1 else counts))  # the last may not be whole


def looks_like_time(cell: str) -> bool:
    """Whether a cell is a time and could not be a number.

    Example:
      >>> [looks_like_time(cell) for cell in ("2001-07-13 14:30", "2001", "7.5")]
      [True, False, False]
    """
    return dated(cell.strip()) is not None


def dated(cell: str) -> tuple[str, int] | None:
    """The kind and the number of a time that is written with marks; None if it is none."""
    if found := QUARTER.fullmatch(cell):
        return "month", int(found[1]) * 12 + 3 * int(found[2]) - 3
    if (found := MONTH.fullmatch(cell)) and 1 <= int(found[2]) <= 12:
        return "month", int(found[1]) * 12 + int(found[2]) - 1
    return seconds(found) if (found := DATE.fullmatch(cell)) else None


def seconds(found: re.Match[str]) -> tuple[str, int] | None:
    """A date in seconds since 1970, of Greenwich if it says how far it is from there; None if there is no such date."""
    *parts, zone = found.groups()
    try:
        time = dt.datetime(*(int(part or 0) for part in parts))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    offset = 0
    if zone and zone not in "Zz":
        if int(zone[1:3]) > FARTHEST or int(zone[-2:]) >= 60:
            return None
        offset = int(zone[0] + "1") * (int(zone[1:3]) * HOUR + int(zone[-2:]) * 60)
    return "date", (time - EPOCH) // dt.timedelta(seconds=1) - offset


def read(cells: Sequence[str], place: Callable[[int], str]) -> tuple[str, list[int]]:
    """The kind of a column of times, and its numbers."""
    if all(WHOLE.fullmatch(cell) for cell in cells):
        return whole(cells)
    kind, numbers = "", []
    for row, cell in enumerate(cells):
        found = dated(cell)
        if found is None:
            unix = "; seconds since 1970 are to be written as dates" if UNIX.fullmatch(cell) else ""
            raise DataError(f"{place(row)}: {cell[:40]!r} is no time; {FORMS}{unix}")
        if kind and found[0] != kind:
            raise DataError(
                f"{place(row)}: {cell[:40]!r} is not written like the times before it, such as {cells[0]}"
            )
        kind, number = found
        numbers.append(number)
    return kind, numbers


def have_zones(cells: Sequence[str], place: Callable[[int], str]) -> bool:
    """Whether dates say how far they are from Greenwich; all should, or none."""
    zones = [ZONE.search(cell) is not None for cell in cells]
    for row, zone in enumerate(zones):
        if zone != zones[0]:
            here, there = ("a", "none") if zone else ("no", "one")
            raise DataError(f"{place(row)}: {cells[row]} has {here} time zone, and {cells[0]} has {there}")
    return zones[0]


def whole(cells: Sequence[str]) -> tuple[str, list[int]]:
    """The kind of a column of whole numbers: dates without marks, months, years, or just numbers.

    Example:
      >>> whole(["19580329"]), whole(["195803"]), whole(["1958"]), whole(["3"])
      (('date', [-371174400]), ('month', [23498]), ('year', [1958]), ('row', [3]))
    """
    lengths = {len(cell) for cell in cells}
    for length, cuts in ((8, (4, 6)), (6, (4,))):
        if lengths == {length}:
            ends = [*zip((0, *cuts), (*cuts, length), strict=True)]
            marked = ("-".join(cell[start:stop] for start, stop in ends) for cell in cells)
            found = [each for each in map(dated, marked) if each]
            if len(found) == len(cells):
                return found[0][0], [number for _, number in found]
    numbers = [int(cell) for cell in cells]
    return ("year" if all(1000 <= number < 3000 for number in numbers) else "row"), numbers


def by_months(kind: str, numbers: list[int]) -> tuple[str, Ints]:
    """The kind and numbers (N,) of times; dates that stand once a month at most, on one day or on the last, are months.

    Example:
      >>> kind, numbers = read(["2001-01-31", "2001-02-28", "2001-03-31"], str)
      >>> by_months(kind, numbers)
      ('month', array([24012, 24013, 24014]))
    """
    found = np.array(numbers, np.int64)
    if kind == "date" and len(found) > 2 and not (found % DAY).any():
        days = found.astype("datetime64[s]").astype("datetime64[D]")
        months = days.astype("datetime64[M]")
        last = ((days + 1).astype("datetime64[M]") > months).all()
        one_day = len(np.unique(days - months)) == 1
        if (last or one_day) and len(np.unique(months)) == len(months):
            return "month", months.astype(np.int64) + 1970 * 12
    return kind, found
