"""Tables: whatever parts the cells, with a header or without; what is wrong is named with its line and column."""

import gzip
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxgru.data import DataError, series, tables
from jaxgru.data import text as texts
from jaxgru.data.tables import read, time_column

DAYS = "date,x\n2001-01-01,1\n"
MENDS = "data.missing=carry repeats the value before, data.missing=close leaves such rows out"
CLOCKS = "where clocks went back, write how far each is from Greenwich: 2001-10-28 02:00+01:00"
FORMS = "write 2001-07-13, 2001-07-13 14:30, 2001-07, 2001Q3 or 2001"


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_cells_are_parted_by_any_mark(tmp_path: Path, mark: str, end: str) -> None:
    lines = ["time", "a b", '"c"'], ["2001-07", "1", "-2.5e1"], [], ["2001-08", " 3 ", ".5"]
    content = end.join(mark.join(line) for line in lines)
    table = read(write(tmp_path / "a.csv", content))
    assert table.names == ["time", "a b", "c"]
    assert table.numbers("a b").tolist() == [1, 3]
    assert table.numbers("c").tolist() == [-25, 0.5]
    assert table.lines == [2, 4]
    assert table.numeric() == ["a b", "c"]


def test_a_packed_file_with_a_mark_of_order_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress("\ufeffx,y\n1,2\n".encode()))
    assert read(path).names == ["x", "y"]


def test_columns_without_names_have_numbers(tmp_path: Path) -> None:
    table = read(write(tmp_path / "rates.txt", "0.785,1.611,\n0.784,,0.86\n"))
    assert table.names == ["1", "2", "3"]
    np.testing.assert_array_equal(table.numbers("2"), [1.611, np.nan])
    assert read(write(tmp_path / "index.csv", ",x\n0,4\n1,5\n")).names == ["1", "x"]
    assert read(write(tmp_path / "dated.csv", "2001-07,4\n2001-08,5\n")).names == ["1", "2"]


def test_blanks_are_no_numbers(tmp_path: Path) -> None:
    table = read(write(tmp_path / "a.csv", "x,y\nNA,0\n nan ,0\nnull,0\n?,0\n,0\n7,0\n"))
    np.testing.assert_array_equal(table.numbers("x"), [np.nan] * 5 + [7])
    assert table.numeric() == ["x", "y"]


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ("x,Date\n1,2001-01-01\n", "Date"),
        ("when,x\n2001-07,1\n2001-08,2\n", "when"),
        ("n,x\n5,1\n6,2\n", "n"),
        ("n,x\n5,1\n7,2\n", ""),
        ("5\n6\n7\n", ""),
        ("0.5,1\n0.6,1\n", ""),
    ],
)
def test_the_column_that_says_when_is_told(tmp_path: Path, content: str, column: str) -> None:
    assert time_column(read(write(tmp_path / "a.csv", content))) == column


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (b"\n \n,\n", "no row with a value"),
        (b"a,b\n", "no row below the names of the columns"),
        (b"a,b\n1,2\n3\n", "line 3: 1 cell, and 2 cells before it"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4: 3 cells, and 2 cells before it"),
        (b"a,a\n1,2\n", "two columns are named 'a'"),
        (b'a,b\n1,"2\n', "line 2: no row of a table: unexpected end of data"),
        (b'a,b\n1,"2"3\n', "line 2: no row of a table: ',' expected after '\"'"),
        (b"a,b\n1,\0\n", "line 2: it holds NUL, as text does not"),
        (b"a,b\n1,\xff\n", "not UTF-8 text: byte 0xff at offset 6"),
        (b"a,b\n1," + b"9" * 200_000, "line 2: no row of a table: field larger than field limit (131072)"),
        (b"a,b\nx,y\n", "no column of numbers to forecast: line 2 has 'x', 'y'"),
        (b"date\n2001-01-01\n", "no column of numbers to forecast; date, the only column, says when"),
        (
            b"a;b\n1;1,5\n2;2,5\n",
            "no column of numbers to forecast: line 2 has '1', '1,5'; a number has a point, such as 1.5",
        ),
        (b"a,b,c\n.1,1,2\n.2,3,4\n", "several columns have numbers; say data.target= one of a, b, c"),
        (b"date,x\n2001-01-01,1\n2001-01-02,abc\n", "line 3, column x: 'abc' is no number"),
        (b'x\n1\n"1,5"\n', "line 3, column x: '1,5' is no number; a number has a point, such as 1.5"),
        (b"x\n1\ninf\n", "line 3, column x: 'inf' is no number"),
        (b"x\n1\n1_000\n", "line 3, column x: '1_000' is no number"),
        (b"x\n1\n1e31\n", "line 3, column x: '1e31' is too large; numbers end at 1e30"),
        (b"x\n1\n" + b"9" * 5000, f"line 3, column x: '{'9' * 39}…' is too large; numbers end at 1e30"),
        (b"x,y\n.5,1\n.6,1\n", "several columns have numbers; say data.target= one of x, y"),
        (DAYS.encode() + b"2001-01-02,\n", f"line 3, column x: there is no value; {MENDS}"),
        (DAYS.encode() + b"2001-01-02,NaN\n", f"line 3, column x: there is no value; {MENDS}"),
        (
            DAYS.encode() + b"2001-01-02,1\n2001-01-05,1\n",
            "line 4, column date: 2001-01-05 follows 2001-01-02, with 2 steps missing between them; " + MENDS,
        ),
        (
            DAYS.encode() + b"2001-01-02,1\n2001-01-03,1\n2001-01-03,1\n",
            "line 5, column date: 2001-01-03 is there twice; times should increase from row to row",
        ),
        (
            DAYS.encode() + b"2001-01-03,1\n2001-01-02,1\n",
            "line 4, column date: 2001-01-02 comes after 2001-01-03; times should increase from row to row",
        ),
        (
            b"month;sales, EUR\n2005-01;99,9\n2005-02;98,9\n",
            "no column of numbers to forecast: line 2 has '2005-01', '99,9'; a number has a point, such as 1.5",
        ),
        (
            b"2005-01;99,9\n2005-02;98,9\n",
            "no column of numbers to forecast: line 1 has '2005-01', '99,9'; a number has a point, such as 1.5",
        ),
        (
            b"date,x\n2001-10-28 01:00,1\n2001-10-28 02:00,1\n2001-10-28 02:00,1\n",
            f"line 4, column date: 2001-10-28 02:00 is there twice; times should increase from row to row; {CLOCKS}",
        ),
        (
            b"date,x\n2001-10-28 02:00+02:00,1\n2001-10-28 02:00+01:00,1\n2001-10-28 03:00,1\n",
            "line 4, column date: 2001-10-28 03:00 has no time zone, and 2001-10-28 02:00+02:00 has one",
        ),
        (
            b"date,x\n2001-10-28 02:00,1\n2001-10-28 02:00Z,1\n",
            "line 3, column date: 2001-10-28 02:00Z has a time zone, and 2001-10-28 02:00 has none",
        ),
        (
            b"date,x\n2001-10-28 02:00+99:99,1\n",
            f"line 2, column date: '2001-10-28 02:00+99:99' is no time; {FORMS}",
        ),
        (
            b"time,x\n1700000000,1\n1700003600,1\n",
            f"line 2, column time: '1700000000' is no time; {FORMS}; seconds since 1970 are to be written as dates",
        ),
        (
            b",".join(b"c%d" % i for i in range(1, 1001)) + b"\n" + b",".join([b"0.5"] * 1000) + b"\n",
            "several columns have numbers; say data.target= one of c1, c2, c3, c4, c5, c6, c7, c8 and 992 more",
        ),
        (
            DAYS.encode() + b"2001-01-02,1\n2001-01-04,1\n",
            "line 4, column date: 2001-01-04 follows 2001-01-02, with 1 step missing between them; " + MENDS,
        ),
        (b"date,x\n0000-05,1\n", f"line 2, column date: '0000-05' is no time; {FORMS}"),
        (DAYS.encode() + b"soon,1\n", f"line 3, column date: 'soon' is no time; {FORMS}"),
        (b"date,x\n13/07/2001,1\n", f"line 2, column date: '13/07/2001' is no time; {FORMS}"),
        (
            DAYS.encode() + b"2001-02,1\n",
            "line 3, column date: '2001-02' is not written like the times before it, such as 2001-01-01",
        ),
    ],
)
def test_a_wrong_table_is_named_with_its_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        series.read(path)
    assert str(error.value) == f"{path}: {fault}"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"target": "c"}, "data.target=c, and no column is named so; the columns are date, a, bee"),
        ({"target": "be"}, "data.target=be, and no column is named so; did you mean bee?"),
        ({"target": "date"}, "data.target=date is the column of the times"),
        ({"time": "dat", "target": "a"}, "data.time=dat, and no column is named so; did you mean date?"),
        ({"target": "a", "exogenous": "a"}, "data.exogenous=a is the target"),
        ({"target": "a", "exogenous": "bee, date"}, "data.exogenous=date is the time"),
        (
            {"target": "a", "exogenous": "bees"},
            "data.exogenous=bees, and no column is named so; did you mean bee?",
        ),
    ],
)
def test_columns_that_are_not_there_are_named(tmp_path: Path, options: dict[str, str], fault: str) -> None:
    path = write(tmp_path / "a.csv", "date,a,bee\n2001-01-01,1,2\n2001-01-02,3,4\n")
    with pytest.raises(DataError) as error:
        series.read(path, **options)
    assert str(error.value) == f"{path}: {fault}"


def test_a_year_beside_its_month_is_told_of(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "year,month,x\n2001,1,5\n2001,2,6\n")
    with pytest.raises(DataError) as error:
        series.read(path, target="x")
    fault = "2001 is there twice; times should increase from row to row"
    mend = "year and month may have to be one column, such as 2001-07"
    assert str(error.value) == f"{path}: line 3, column year: {fault}; {mend}"


def test_where_two_marks_part_alike_the_comma_is_of_the_numbers(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", "2005-01;99,9\n2005-02;98,9\n")).rows[0] == ["2005-01", "99,9"]
    assert read(write(tmp_path / "b.csv", "2005-01\t9,9\n2005-02\t8,9\n")).rows[0] == ["2005-01", "9,9"]
    assert read(write(tmp_path / "c.csv", "t,x,y\n2005-01,1;2,3\n2005-02,1;2,3\n")).rows[0] == [
        "2005-01",
        "1;2",
        "3",
    ]


def test_a_wide_table_is_read_as_fast_as_it_is_wide(tmp_path: Path) -> None:
    """Its names are looked up, and not searched: each is compared to no more than a few others."""
    compared = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    names: list[str] = [Name(f"c{i}") for i in range(2000)]
    table = tables.Table("wide.csv", names, [["1"] * 2000], [2])
    assert table.numeric() == names
    found = series.columns(table, "", Name("c1999"), "all")
    assert len(found) == 2000
    assert compared < 20 * 2000


def test_a_missing_or_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, fault in ((tmp_path / "none.csv", "no such file"), (tmp_path, "a folder, not a text file")):
        with pytest.raises(DataError) as error:
            read(path)
        assert str(error.value) == f"{path}: {fault}"
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"1,2\n" * (1 << 20)))
    monkeypatch.setattr(texts, "MAX_BYTES", 2 << 20)
    with pytest.raises(DataError, match=r"larger than 2 MiB; train on a part of it$"):
        read(path)
    monkeypatch.setattr(texts, "MAX_BYTES", 8 << 20)
    monkeypatch.setattr(tables, "MAX_CELLS", 1000)
    with pytest.raises(DataError, match=r"more than 1,000 cells; train on a part of it$"):
        read(path)


PARTS = ("1", "2001-01-0", "2", ",", ";", "\n", "\r", '"', " ", "x", "-", "nan", "\0", "\ufeff", "é")


@hypothesis.given(st.lists(st.sampled_from(PARTS), max_size=40))
@hypothesis.settings(max_examples=300, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_text_is_a_series_or_a_fault(tmp_path: Path, parts: list[str]) -> None:
    path = write(tmp_path / "any.csv", "".join(parts))
    fault = ""
    try:
        found = series.read(path, missing="carry")
    except DataError as error:
        fault = str(error)
    if fault:
        assert fault.startswith(f"{path}: ")
        assert len(fault.splitlines()) == 1
    else:
        assert np.isfinite(found.values).all()
        assert len(found.values) == len(found.known) == len(found.times.numbers)
