"""Time series: what a header says has to be so, and each wrong line is refused with its number."""

import gzip
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxgru.data import DataError, tsfiles
from jaxgru.data.tsfiles import read

HEADER = """\
# A comment: with a colon
@problemName Tiny
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true a b
@data
"""
CASES = "1,2.5,-3e0:4,5,6:a\n+.5, 1 :2,3: b \n"


def refusal(path: Path, content: str) -> str:
    path = path / "wrong.ts"
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(DataError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_cases_are_read_in_their_order(tmp_path: Path, end: str) -> None:
    content = (HEADER + CASES + "\n# the end\n").replace("\n", end).encode()
    (tmp_path / "a.ts").write_bytes(content)
    (tmp_path / "packed.ts").write_bytes(gzip.compress(content))
    for name in ("a.ts", "packed.ts"):
        first, second = read(tmp_path / name)
        assert (first.label, second.label) == ("a", "b")
        np.testing.assert_array_equal(first.frames, np.array([[1, 4], [2.5, 5], [-3, 6]], np.float32))
        np.testing.assert_array_equal(second.frames, np.array([[0.5, 2], [1, 3]], np.float32))
        assert first.frames.dtype == np.float32


@pytest.mark.parametrize(
    ("numbers", "about", "span"),
    [("1000000.001,1000000.002", "1e+06", "0.001"), ("1e-60,2e-60", "1e-60", "1e-60")],
)
def test_what_32_bits_do_not_hold_is_refused(tmp_path: Path, numbers: str, about: str, span: str) -> None:
    what = f"its values, about {about}, differ by {span} at most, which 32 bits do not hold"
    mend = "take its mean off, or scale it, in all files"
    assert refusal(tmp_path, f"@data\n1,2:{numbers}\n") == f"dimension 2: {what}: {mend}"


def test_what_is_small_or_never_changes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_text("@data\n1e-13,2e-13:0.1,0.1:1000000,1000010\n2e-13,4e-13:0.1,0.1:1000000.01,1000020\n")
    first, _ = read(path)
    np.testing.assert_allclose(first.frames, [[1e-13, 0.1, 1e6], [2e-13, 0.1, 1_000_010]], rtol=1e-6)


def test_a_header_may_say_little(tmp_path: Path) -> None:
    """Upper case, one channel, no labels, no count."""
    path = tmp_path / "a.ts"
    path.write_text("@PROBLEMNAME x\n@UniVariate TRUE\n@classlabel false\n@DATA\n1,2,3\n4,5\n")
    assert [(label, frames[:, 0].tolist()) for label, frames in read(path)] == [("", [1, 2, 3]), ("", [4, 5])]
    path.write_text("@seriesLength 2\n@equalLength true\n@targetLabel false\n@data\n1,2:3,4:5,6\n")
    assert read(path)[0].frames.tolist() == [[1, 3, 5], [2, 4, 6]]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "the file is empty"),
        ("1,2:a\n", "line 1: a line before @data should begin with @ or #: '1,2:a'"),
        ("# nothing\n\n", "not a .ts file: no line begins with @"),
        ("@dimensions 2\n", "it has no line @data"),
        ("@data\n\n", "no case after the line @data"),
        ("@dimension 2\n@data\n", "line 1: unknown tag '@dimension'; did you mean dimensions?"),
        ("@missing no\n", "line 1: @missing should be true or false, not 'no'"),
        (
            "@timeStamps true\n",
            "line 1: @timeStamps true: values with time stamps are not read; the steps should be equal",
        ),
        ("@dimensions 2\n@dimensions 2\n", "line 2: @dimensions stands there a second time"),
        ("@dimensions -2\n", "line 1: @dimensions should be a whole number of 1 or more, not '-2'"),
        ("@dimensions 0\n", "line 1: @dimensions should be a whole number of 1 or more, not '0'"),
        ("@dimensions ٣\n", "line 1: @dimensions should be a whole number of 1 or more, not '٣'"),
        ("@dimensions 5000\n", "line 1: @dimensions 5000: there can be 4096"),
        ("@classLabel\n", "line 1: @classLabel should be false, or true and the labels, not ''"),
        ("@classLabel true\n", "line 1: @classLabel 'true': labels stand behind true, and behind true alone"),
        (
            "@classLabel false a\n",
            "line 1: @classLabel 'false a': labels stand behind true, and behind true alone",
        ),
        ("@classLabel true a b a\n", "line 1: @classLabel has a label twice"),
        ("@targetLabel true\n", "line 1: @targetLabel: the targets are numbers, not classes"),
        ("@univariate true\n@dimensions 3\n@data\n1:a", "line 3: @univariate true, but @dimensions 3"),
        (HEADER + "1,2:3,4:c", "line 10: the label 'c' is none of @classLabel"),
        (HEADER + "1,2:3,4", "line 10: the label '3,4' is none of @classLabel"),
        (HEADER + "a", "line 10: no values before the label 'a'"),
        (HEADER + "1,2:a", "line 10: 1 dimensions between colons, and not 2"),
        (HEADER + CASES + "1:2:3:a", "line 12: 3 dimensions between colons, and not 2"),
        ("@classLabel true a\n@data\n1:2:a\n1:a", "line 4: 1 dimensions between colons, and not 2"),
        (HEADER + "1,2:3:a", "line 10: dimension 2 has 1 values, and dimension 1 has 2"),
        (
            HEADER + "1,2:3,?:a",
            "line 10: dimension 2, value 2 is missing (?): fill it in, or leave the case out",
        ),
        (HEADER + "1,2:NaN,1:a", "line 10: dimension 2, value 1 is no number: 'NaN'"),
        (HEADER + "1,inf:1,1:a", "line 10: dimension 1, value 2 is no number: 'inf'"),
        (HEADER + "1_0:1:a", "line 10: dimension 1, value 1 is no number: '1_0'"),
        (HEADER + "1,,2:1,1,1:a", "line 10: dimension 1, value 2 is no number: ''"),
        (HEADER + "1:1e-:a", "line 10: dimension 2, value 1 is no number: '1e-'"),
        (HEADER + "1:-1e16:a", "line 10: dimension 2, value 1 is '-1e16'; values lie within ±1e+15"),
        (HEADER + "1:9e999:a", "line 10: dimension 2, value 1 is '9e999'; values lie within ±1e+15"),
        (HEADER + "(0,1),(1,2):(0,1),(1,2):a", "line 10: dimension 1, value 1 is no number: '(0'"),
        (
            "@equalLength true\n@data\n1,2\n1",
            "line 4: 1 values of a dimension, but @equalLength true, and 2 above",
        ),
        ("@seriesLength 3\n@data\n1,2\n", "line 3: 2 values of a dimension, but @seriesLength 3"),
        (HEADER + "1:2\0:a", "line 10: it holds NUL, as text does not"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, content: str, fault: str) -> None:
    assert refusal(tmp_path, content) == fault


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tsfiles, "MOST_STEPS", 3)
    monkeypatch.setattr(tsfiles, "MOST_CHANNELS", 2)
    assert refusal(tmp_path, HEADER + "1,2,3,4:1:a") == "line 10: dimension 1 has 4 values; there can be 3"
    assert refusal(tmp_path, "@data\n1:2:3") == "line 2: 3 dimensions; there can be 2"


@hypothesis.given(
    st.lists(st.sampled_from([*"@:,?# \r\n.-e1a\0", "@data\n", "@classLabel true a\n", "1,2:"]))
)
@hypothesis.settings(max_examples=300, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_text_is_cases_or_a_fault(tmp_path: Path, parts: list[str]) -> None:
    path = tmp_path / "any.ts"
    path.write_text("".join(parts), encoding="utf-8", newline="")
    cases: list[tsfiles.Case] = []
    fault = ""
    try:
        cases = read(path)
    except DataError as error:
        fault = str(error)
    assert bool(cases) != bool(fault)
    assert all(len(frames) and np.isfinite(frames).all() for _, frames in cases)
    if fault:
        assert fault.startswith(f"{path}: ")
        assert len(fault.splitlines()) == 1
