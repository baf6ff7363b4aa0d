"""The cache: whole or not there, whatever dies; damage is named and mended; it stands where it should."""

import errno
import itertools
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jaxgru.data import DataError, cache
from jaxgru.data.fetching import fetch
from jaxgru.data.pins import digest
from tests.data.door import KEPT, TINY, FakePip, files, listed, refused


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


FLIPPED = digest({"": KEPT["de.mo"][:-1] + b"\1"})[:16]
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit": (
        lambda path: flip(path / "de.mo"),
        f"/de.mo: its SHA-256 is {FLIPPED}…, and not the {TINY.pins[1].sha256[:16]}… pinned",
    ),
    "cut": (lambda path: os.truncate(path / "a.csv", 9), "/a.csv: 9 bytes, and not the 320 pinned"),
    "longer": (
        lambda path: (path / "a.csv").write_bytes(bytes(10**6)),
        "/a.csv: 321 bytes, and not the 320 pinned",
    ),
    "gone": (lambda path: (path / "a.csv").unlink(), "/a.csv: 0 files, and not the 1 pinned"),
    "one gone": (lambda path: (path / "2.txt").unlink(), "/*.txt: 1 file, and not the 2 pinned"),
    "one more": (lambda path: (path / "3.txt").touch(), "/*.txt: 3 files, and not the 2 pinned"),
    "a stranger": (lambda path: (path / "note").touch(), "/note: not a file of the data"),
    "a folder": (lambda path: replace_by_folder(path / "a.csv"), "/a.csv: not a regular file"),
    "all is a file": (replace_by_file, ": Not a directory"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_cache_is_named_and_made_anew(kind: str, fake: FakePip, root: Path) -> None:
    make, fault = DAMAGES[kind]
    path = fetch("tiny")
    make(path)
    said: list[str] = []
    assert fetch("tiny", said.append) == path
    assert said[0] == f"warning: {path}{fault}; the folder is not used, and made anew"
    assert files(path) == KEPT
    assert listed(root) == ["tiny-1.0"]
    assert len(fake.calls) == 2


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_cache_is_not_used_offline(kind: str, fake: FakePip, root: Path) -> None:
    DAMAGES[kind][0](fetch("tiny"))
    fake.does("exit 1")
    assert refused().startswith(f"tiny is not in {root}, and pip ended with status 1; ")


def test_hidden_files_do_no_harm(fake: FakePip, root: Path) -> None:
    """A file manager leaves its own beside ours."""
    (fetch("tiny") / ".DS_Store").touch()
    fetch("tiny")
    assert len(fake.calls) == 1


def test_a_wheel_by_hand_mends_a_damaged_cache(fake: FakePip, root: Path) -> None:
    flip(fetch("tiny") / "a.csv")
    said: list[str] = []
    path = fetch("tiny", said.append, wheel=fake.script.parent / "tiny_data-1.0-py3-none-any.whl")
    assert files(path) == KEPT
    assert [line.split("/")[-1][:5] for line in said] == ["a.csv"]
    assert len(fake.calls) == 1


class KilledError(BaseException):
    """Stands for SIGKILL."""


class Crash:
    """Dies before the system call of that number, and tidies nothing up then."""

    def __init__(self, number: int, patch: pytest.MonkeyPatch) -> None:
        self.left, self.dead = number, False
        remove = cache.remove
        patch.setattr(cache, "remove", lambda path: None if self.dead else remove(path))
        for owner, name in [(os, "fsync"), (Path, "rename"), (Path, "mkdir"), (Path, "open")]:
            patch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, call: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise KilledError
            return call(*arguments, **options)

        return run


@pytest.mark.parametrize("before", ["absent", "damaged"])
def test_a_crash_at_any_moment_leaves_nothing_half_written(
    before: str, fake: FakePip, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, wheel = root / "tiny-1.0", fake.script.parent / "tiny_data-1.0-py3-none-any.whl"
    for number in itertools.count():
        if before == "damaged":
            flip(fetch("tiny", lambda line: None, wheel=wheel) / "a.csv")
        damaged = files(path) if path.exists() else None
        try:
            with monkeypatch.context() as patch:
                Crash(number, patch)
                fetch("tiny", lambda line: None, wheel=wheel)
            break
        except KilledError:
            assert (files(path) if path.exists() else None) in (None, damaged, KEPT)
        assert files(fetch("tiny", lambda line: None, wheel=wheel)) == KEPT
        assert listed(root) == ["tiny-1.0"]
        shutil.rmtree(root)
    assert number > 12


def test_what_a_killed_download_left_is_removed(fake: FakePip, root: Path) -> None:
    (root / ".tmp-download/part").mkdir(parents=True)
    (root / ".tmp-new-tiny-1.0").touch()
    fetch("tiny")
    assert listed(root) == ["tiny-1.0"]


def test_two_at_once_download_once(fake: FakePip, root: Path) -> None:
    fake.does(f'sleep 0.3; cp {fake.script.parent}/*.whl "$dest"')
    said: list[str] = []
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch("tiny", said.append))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [root / "tiny-1.0"] * 2
    assert files(found[0]) == KEPT
    assert len(fake.calls) == 1
    assert f"waiting for another process that fetches into {root}" in said


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    fault: int, fake: FakePip, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as patch:
        patch.setattr(cache.os, "fsync", full)
        assert refused() == f"{root}/tiny-1.0: cannot be written: {os.strerror(fault)}"
    assert listed(root) == []
    fetch("tiny")


def test_a_cache_that_cannot_be_written_is_one_line(
    fake: FakePip, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", read_only)
    assert refused() == f"{root}: cannot be written: Read-only file system"
    assert fake.calls == []


def test_a_cache_inside_a_file_is_one_line(
    fake: FakePip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file/cache"))
    assert refused() == f"{tmp_path}/file/cache: cannot be written: Not a directory"
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))
    assert refused() == f"JAXGRU_DATA is {tmp_path}/file, which is a file; it must name a folder"


PLACES = {
    ("linux", "", ""): "/home/ada/.cache/jaxgru",
    ("linux", "", "/var/x"): "/var/x/jaxgru",
    ("linux", "", "not/absolute"): "/home/ada/.cache/jaxgru",
    ("linux", "~/data", "/var/x"): "/home/ada/data",
    ("linux", "/srv/data", "/var/x"): "/srv/data",
    ("darwin", "", ""): "/home/ada/Library/Caches/jaxgru",
}


@pytest.mark.parametrize("where", PLACES)
def test_the_folder_is_the_users_or_a_chosen_one(
    where: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, chosen, xdg = where
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv(cache.VARIABLE, chosen)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    monkeypatch.setattr(cache.sys, "platform", platform)
    assert cache.folder() == Path(PLACES[where])


def test_no_home_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in (cache.VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(DataError) as error:
        cache.folder()
    message = "no folder for data: Could not determine home directory.; let JAXGRU_DATA name one"
    assert str(error.value) == message


PYTHON = sys.executable  # before a fake takes its place
FOREVER = """
import os, sys
from jaxgru.data.fetching import fetch
from jaxgru.data.sources import SOURCES
from tests.data.door import TINY
SOURCES["tiny"] = TINY
for number in range(10**9):
    path = fetch("tiny", lambda line: None, wheel=sys.argv[1])
    os.rename(path, f"{sys.argv[2]}/{number}")
    if number == 3:
        print("ready", flush=True)
"""


@pytest.mark.faults
def test_a_killed_process_leaves_nothing_half_written(fake: FakePip, root: Path, tmp_path: Path) -> None:
    """Kills a process that does nothing but fetch, at 20 moments; the next one mends what there is to mend."""
    chance = random.Random(0)  # noqa: S311 no secret
    wheel = tmp_path / "tiny_data-1.0-py3-none-any.whl"
    whole = inside = 0
    for kill in range(20):
        (trash := tmp_path / f"trash-{kill}").mkdir()
        words = [PYTHON, "-c", FOREVER, str(wheel), str(trash)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0, 0.02))
            process.kill()
        inside += any(name.startswith(cache.TEMPORARY) for name in listed(root))
        if (path := root / "tiny-1.0").exists():
            whole += 1
            assert files(path) == KEPT
        assert files(fetch("tiny", lambda line: None, wheel=wheel)) == KEPT
        assert listed(root) == ["tiny-1.0"]
        shutil.rmtree(root)
    sys.stdout.write(
        f"\n20 kills: {inside} inside a write, {whole} beside a whole folder, 0 beside half a one\n"
    )
    assert inside
