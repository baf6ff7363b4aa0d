"""Tables: files of rows and columns as people keep them (CSV), and their columns as numbers."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jaxgru.checks import did_you_mean
from jaxgru.data import DataError
from jaxgru.data import text as texts
from jaxgru.data.labelled import short
from jaxgru.data.times import MARKS, looks_like_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
BLANK = ("", "na", "n/a", "nan", "null", "none", "?")
DELIMITERS = (
    ";",
    "\t",
    "|",
    ",",
)  # of those that part lines alike the first: a comma may stand within numbers
LISTED = 8  # columns that a message names
TRIED = 20  # lines that tell the delimiter
MAX_CELLS = 20_000_000
LARGEST = 1e30  # what float32 still holds when it is scaled and squared


@dataclass(frozen=True)
class Table:
    """The cells of a file, as they stand there.

    Args:
      path: the file.
      names: of the columns, all different; a column that the file does not name has its number as its name.
      rows: of each row its cells, one for each column.
      lines: the line of the file in which each row ends.
    """

    path: str
    names: list[str]
    rows: list[list[str]]
    lines: list[int]

    @cached_property
    def columns(self) -> dict[str, int]:
        """Which column each name is of."""
        return {name: column for column, name in enumerate(self.names)}

    def place(self, row: int, name: str) -> str:
        """Where a cell stands, for a message."""
        return f"{self.path}: line {self.lines[row]}, column {name}"

    def index(self, name: str, option: str) -> int:
        """The number of the column that an option names.

        Raises:
          DataError: there is none of that name. The message gives the nearest name, or all.
        """
        if name not in self.columns:
            near = did_you_mean(name, self.names)
            mend = near if near.startswith("did") else f"the columns are {listed(self.names)}"
            raise DataError(f"{self.path}: {option}={name}, and no column is named so; {mend}")
        return self.columns[name]

    def cells(self, name: str) -> list[str]:
        """The cells of a column, without the blanks around them."""
        column = self.columns[name]
        return [row[column].strip() for row in self.rows]

    def numeric(self) -> list[str]:
        """The names of the columns whose first cell that is not blank is a number."""
        return [
            name
            for name in self.names
            if NUMBER.fullmatch(next((cell for cell in self.cells(name) if not is_blank(cell)), ""))
        ]

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """The numbers (N,) of a column, nan where a cell is blank.

        Raises:
          DataError: a cell is neither blank nor a number, or a number beyond ±1e30. The message names its place.
        """
        found = np.full(len(self.rows), np.nan)
        for row, cell in enumerate(self.cells(name)):
            if is_blank(cell):
                continue
            if not NUMBER.fullmatch(cell):
                raise DataError(f"{self.place(row, name)}: {short(cell)} is no number{point(cell)}")
            found[row] = float(cell)
            if abs(found[row]) > LARGEST:
                raise DataError(f"{self.place(row, name)}: {short(cell)} is too large; numbers end at 1e30")
        return found


def is_value(cell: str) -> bool:
    """Whether a cell is a number, with a comma too, or a time or blank, and so names no column."""
    return is_blank(cell) or bool(NUMBER.fullmatch(cell.replace(",", "."))) or looks_like_time(cell)


def point(cell: str) -> str:
    """What to do about a number with a comma, for a message; "" for another cell."""
    return "; a number has a point, such as 1.5" if re.search(r"\d,\d", cell) else ""


def listed(names: Sequence[str]) -> str:
    """The names of columns, for a message; of many the first.

    Example:
      >>> listed(["a", "b"]), listed([str(column) for column in range(1, 1001)])
      ('a, b', '1, 2, 3, 4, 5, 6, 7, 8 and 992 more')
    """
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def is_blank(cell: str) -> bool:
    """Whether a cell says that there is no value.

    Example:
      >>> [is_blank(cell) for cell in ("", "NaN", "0")]
      [True, True, False]
    """
    return cell.strip().lower() in BLANK


def read(path: str | Path) -> Table:
    """The table in a file.

    Cells are parted by commas, semicolons, tabs or bars, whichever parts the first lines alike. The first row names
    the columns, unless every cell of it is a number, a time or blank. Empty lines are left out.

    Args:
      path: a UTF-8 file, plain or gzip.

    Raises:
      DataError: `jaxgru.data.text.read` refuses the file, rows differ in their number of cells, two columns have one
        name, or there is no row but that of the names. The message names the file, the line and the fault.

    Example:
      >>> read("no/such/file.csv")
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/file.csv: no such file
    """
    text = texts.read(path)
    rows: list[list[str]] = []
    lines: list[int] = []
    count = 0
    for line, row in records(path, text):
        if rows and len(row) != len(rows[0]):
            raise DataError(f"{path}: line {line}: {cells(len(row))}, and {cells(len(rows[0]))} before it")
        rows.append(row)
        lines.append(line)
        count += len(row)
        if count > MAX_CELLS:
            raise DataError(f"{path}: more than {MAX_CELLS:,} cells; train on a part of it")
    if not rows:
        raise DataError(f"{path}: no row with a value")
    names = [str(number) for number in range(1, len(rows[0]) + 1)]
    if not all(is_value(cell) for cell in rows[0]):
        names = [cell.strip() or number for cell, number in zip(rows[0], names, strict=True)]
        rows, lines = rows[1:], lines[1:]
    if twice := next((name for name, count in Counter(names).items() if count > 1), ""):
        raise DataError(f"{path}: two columns are named {short(twice)}")
    if not rows:
        raise DataError(f"{path}: no row below the names of the columns")
    return Table(str(path), names, rows, lines)


def records(path: str | Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a text that are not empty, each with the line in which it ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text), strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: no row of a table: {error}") from None


def delimiter(text: str) -> str:
    r"""What parts the cells: the mark that parts the first lines into equally many, as many as can be.

    Example:
      >>> delimiter("a;b\n1,5;2\n")
      ';'
    """
    end = texts.line_end(text)
    head = [line for line in islice(io.StringIO(text, newline=end), TRIED) if line.strip()]

    def parts(mark: str) -> tuple[bool, int, int]:
        counts = [line.count(mark) for line in head]
        alike = len({*counts}) == 1 and counts[0] > 0
        return alike, min(counts, default=0), 0 if alike else sum(counts)

    return max(DELIMITERS, key=parts)


def cells(count: int) -> str:
    """A number of cells in words."""
    return f"{count} cell{'s' * (count != 1)}"


def time_column(table: Table) -> str:
    """The column that says when, by its name or by what its first cell looks like; "" if none does.

    It is the first that is named as one, or else the first of all: if its first cell is a time, or if it is not alone
    and counts its rows.
    """
    if named := time_columns(table):
        return named[0]
    first = table.cells(table.names[0])
    return table.names[0] if looks_like_time(first[0]) or (len(table.names) > 1 and is_count(first)) else ""


def time_columns(table: Table) -> list[str]:
    """The columns that are named as those that say when."""
    return [name for name in table.names if name.lower() in MARKS]


def is_count(cells: Sequence[str]) -> bool:
    """Whether cells are whole numbers, each one more than the one before."""
    if len(cells) < 2 or not all(re.fullmatch(r"\d{1,9}", cell, re.ASCII) for cell in cells):
        return False
    return all(int(after) == int(before) + 1 for before, after in pairwise(cells))
