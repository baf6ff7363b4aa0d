"""Series: times are told from how they are written, what is missing is made good without a look ahead."""

from pathlib import Path

import numpy as np
import pytest

from jaxgru.data import DataError, series
from jaxgru.data.series import Series, known, read
from jaxgru.data.times import DAY, HOUR, WEEK, Times

ODD = "which is no whole number of the usual steps; data.missing=close takes it as the next"


def parse(*cells: str) -> Times:
    return Times.parse(cells, str)


def load(path: Path, content: str, **options: str) -> Series:
    path.write_text(content, encoding="utf-8")
    return read(path, **options)


@pytest.mark.parametrize(
    ("cells", "kind", "step", "season", "after"),
    [
        (("1999", "2000"), "year", 1, 1, "2001"),
        (("0", "1"), "row", 1, 1, "2"),
        (("999", "1001"), "row", 2, 1, "1003"),
        (("1999-11", "1999-12"), "month", 1, 12, "2000-01"),
        (("199911", "199912"), "month", 1, 12, "2000-01"),
        (("000005", "000006"), "row", 1, 1, "7"),
        (("1999Q3", "1999-Q4"), "month", 3, 4, "2000-01"),
        (("1999-12-30", "1999-12-31"), "date", DAY, 7, "2000-01-01"),
        (("1999/12/24", "1999/12/31"), "date", WEEK, 52, "2000-01-07"),
        (("19991224", "19991231"), "date", WEEK, 52, "2000-01-07"),
        (("1999-12-31 22:00", "1999-12-31 23:00:00"), "date", HOUR, 24, "2000-01-01 00:00"),
        (("1999-12-31T23:00Z", "2000-01-01T00:30+01:00"), "date", HOUR // 2, 48, "2000-01-01 00:00Z"),
        (("1999-12-31 23:59:40", "1999-12-31 23:59:50"), "date", 10, 8640, "2000-01-01 00:00:00"),
        (("1999-10-31", "1999-11-30", "1999-12-31"), "month", 1, 12, "2000-01"),
        (("1999-10-15", "1999-11-15", "1999-12-15"), "month", 1, 12, "2000-01"),
        (("1998-10-15", "1999-10-15", "2000-10-15"), "month", 12, 1, "2001-10"),
        (("9999-12-29", "9999-12-30", "9999-12-31"), "date", DAY, 7, "10000-01-01"),
        (("1999-10-15", "1999-10-15 12:00", "1999-10-16"), "date", DAY // 2, 2, "1999-10-16 12:00"),
    ],
)
def test_times_are_told(cells: tuple[str, ...], kind: str, step: int, season: int, after: str) -> None:
    times = parse(*cells)
    assert (times.kind, times.step, times.season()) == (kind, step, season)
    assert times.after(1).labels() == [after]
    assert times.and_after(1).labels()[-1] == after


def test_a_calendar_turns_once_in_each_of_its_cycles() -> None:
    hours = Times("date", np.arange(0, 14 * DAY, HOUR), HOUR)
    waves = hours.calendar()
    assert waves.shape == (14 * 24, 12)
    np.testing.assert_allclose(waves[:-168, 4:], waves[168:, 4:], atol=1e-5)
    np.testing.assert_allclose(waves[:-24, 8:], waves[24:, 8:], atol=1e-5)
    assert abs(waves[:-24, 4:8] - waves[24:, 4:8]).max() > 0.5
    assert [
        parse(*cells).calendar().shape[1] for cells in (("1999", "2000"), ("1", "2"), ("1999-01", "1999-02"))
    ] == [
        *(0, 0, 4),
    ]
    # The year of weeks, the year and the week of days.
    assert parse("1999-12-24", "1999-12-31").calendar().shape == (2, 4)
    assert parse("1999-12-30", "1999-12-31").calendar().shape == (2, 8)


def test_what_is_missing_has_the_last_value_and_is_not_known(tmp_path: Path) -> None:
    content = "day,x,y\n2001-01-01,1,9\n2001-01-02,,8\n2001-01-03,3,\n2001-01-06,4,5\n2001-01-07,,\n"
    carried = load(tmp_path / "a.csv", content, target="x", exogenous="all", missing="carry")
    assert carried.values.tolist() == [[1, 9], [1, 8], [3, 8], [3, 8], [3, 8], [4, 5], [4, 5]]
    assert carried.known.tolist() == [True, False, True, False, False, True, False]
    assert carried.times.labels()[3:] == [f"2001-01-0{day}" for day in (4, 5, 6, 7)]
    closed = load(tmp_path / "a.csv", content, target="x", exogenous="y", missing="close")
    assert closed.values.tolist() == [[1, 9], [4, 5]]
    assert closed.known.all()


WORKDAYS = "day,x\n" + "".join(f"2024-01-{day:02d},{day}\n" for day in range(1, 32) if (day - 1) % 7 < 5)


def test_rows_that_are_closed_up_have_no_dates_to_come(tmp_path: Path) -> None:
    """After a Wednesday comes whatever comes; the season is of the rows that a week has."""
    closed = load(tmp_path / "a.csv", WORKDAYS, missing="close")
    assert closed.times.labels()[-2:] == ["2024-01-30", "2024-01-31"]
    assert closed.times.after(2).labels() == ["+1", "+2"]
    assert closed.times.calendar().shape == (23, 0)
    assert closed.season == 5
    assert load(tmp_path / "a.csv", WORKDAYS, missing="carry").season == 7


def test_a_season_of_rows_that_are_closed_up_is_what_is_left_of_it(tmp_path: Path) -> None:
    months = "month,x\n" + "".join(
        f"{2000 + i // 12}-{i % 12 + 1:02d},{'' if i % 12 == 11 else i}\n" for i in range(60)
    )
    assert load(tmp_path / "a.csv", months, missing="close").season == 11
    hours = "time,x\n" + "".join(
        f"2024-01-{d:02d} {h:02d}:00,1\n" for d in range(1, 20) if d % 7 < 5 for h in range(9, 17)
    )
    assert load(tmp_path / "a.csv", hours, missing="close").season == 8
    assert load(tmp_path / "a.csv", "year,x\n1999,1\n2001,2\n", missing="close").season == 1


def test_times_with_a_zone_are_told_in_that_of_greenwich() -> None:
    times = parse("2024-07-01 12:00+02:00", "2024-07-01T13:00+0200")
    assert times.labels() == ["2024-07-01 10:00Z", "2024-07-01 11:00Z"]
    assert times.after(1).labels() == ["2024-07-01 12:00Z"]


def test_carrying_on_looks_at_nothing_that_comes_later(tmp_path: Path) -> None:
    head, tail = "day,x\n2001-01-01,1\n2001-01-02,2\n2001-01-03,\n", "2001-01-04,{}\n2001-01-06,{}\n"
    one, other = (
        load(tmp_path / "a.csv", head + tail.format(*values), missing="carry") for values in ((5, 6), (7, 8))
    )
    np.testing.assert_array_equal(one.values[:3], other.values[:3])
    assert one.sha256 != other.sha256


@pytest.mark.parametrize(
    ("content", "missing", "fault"),
    [
        (
            "1,\n2,5\n",
            "carry",
            "line 2, column x: there is no value, and none before it to carry on; leave the row out",
        ),
        (
            "1,5\n2,5\n3,5\n999,5\n",
            "carry",
            "line 5, column t: 999 follows 3; 995 steps are missing up to there, more than the file has rows",
        ),
        (
            "1,5\n2,5\n3,5\n5,5\n9,5\n14,5\n",
            "carry",
            "line 7, column t: 14 follows 9; 8 steps are missing up to there, more than the file has rows",
        ),
        (
            "2,5\n4,5\n6,5\n9,5\n",
            "carry",
            f"line 5, column t: 9 follows 6, {ODD}",
        ),
    ],
)
def test_what_cannot_be_made_good_is_refused(tmp_path: Path, content: str, missing: str, fault: str) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path / "a.csv", "t,x\n" + content, time="t", missing=missing)
    assert str(error.value) == f"{tmp_path / 'a.csv'}: {fault}"


def test_rows_that_are_all_blank_somewhere_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv: every row has a blank cell$"):
        load(tmp_path / "a.csv", "t,x,y\n1,1,\n2,,2\n", target="x", exogenous="y", missing="close")


FILES = {
    "sunspots": ("sunspots.csv", '"YEAR","SUNACTIVITY"\n1700,5\n1701,11\n'),
    "sunspots-monthly": (
        "sunspots_monthly.dat",
        "MEANS\n====\nYear Jan Feb\n1749 58.0 62.6\n\n1750 1 2\nNote: 1\n",
    ),
    "elnino": ("elnino.csv", '"YEAR","JAN","FEB"\n1950,23.11,24.20\n1951,24.19,25.28\n'),
    "co2": ("co2.csv", "date,co2\n19580329,316\n19580405,317\n19580412,318\n19580607,\n19580705,315\n"),
}


@pytest.mark.parametrize(
    ("name", "values", "first", "season", "unknown"),
    [
        ("sunspots", [5, 11], "1700", 11, []),
        ("sunspots-monthly", [58, 62.6, 1, 2], "1749-01", 132, []),
        ("elnino", [23.11, 24.2, 24.19, 25.28], "1950-01", 12, []),
        ("co2", [316, 317.5, 317.5, 317.5, 315], "1958-03", 12, [2, 3]),
    ],
)
def test_each_data_set_is_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    values: list[float],
    first: str,
    season: int,
    unknown: list[int],
) -> None:
    file, content = FILES[name]
    (tmp_path / file).write_text(content, encoding="utf-8")
    monkeypatch.setattr(series, "fetch", {name: tmp_path}.__getitem__)
    found = known(name)
    assert found.values[:, 0].tolist() == values
    assert found.times.labels()[0] == first
    assert (found.season, known(name, season=3).season) == (season, 3)
    assert np.flatnonzero(~found.known).tolist() == unknown
