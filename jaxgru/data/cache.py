"""The cache: a folder of the user's in which each data set is whole or is not there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgru import data
from jaxgru.weights import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jaxgru.data.pins import Pin, Source

VARIABLE = "JAXGRU_DATA"
LOCK = ".lock"
TEMPORARY = ".tmp-"


def folder() -> Path:
    """Where data is kept: JAXGRU_DATA, or the folder `jaxgru` in the user's cache folder.

    That is XDG_CACHE_HOME or ~/.cache, on macOS ~/Library/Caches.

    Raises:
      DataError: JAXGRU_DATA names a file, or there is no home folder.
    """
    try:
        if chosen := os.environ.get(VARIABLE):
            path = Path(chosen).expanduser().absolute()
            if path.exists() and not path.is_dir():
                raise data.DataError(f"{VARIABLE} is {path}, which is a file; it must name a folder")
            return path
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not base.is_absolute():  # relative ones are to be ignored, says the XDG specification
            base = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    except (OSError, RuntimeError) as error:
        raise data.DataError(f"no folder for data: {error}; let {VARIABLE} name one") from None
    return base / "jaxgru"


def place(root: Path, name: str, source: Source) -> Path:
    """The folder of a source; versions of jaxgru that pin other wheels have folders of their own."""
    return root / f"{name}-{source.wheel.version}"


def fault(path: Path, source: Source) -> str:
    """What is wrong with the folder of a source, read anew; "" for nothing."""
    try:
        entries = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
        for pin in source.pins:
            if wrong := file_fault(path, pin, entries):
                return wrong
        meant = {name for pin in source.pins for name in pin.fitting(entries)}
    except OSError as error:
        return f"{error.filename or path}: {error.strerror}"
    strangers = sorted(set(entries) - meant)
    return f"{path / strangers[0]}: not a file of the data" if strangers else ""


def file_fault(path: Path, pin: Pin, entries: list[str]) -> str:
    """What is wrong with the files of one pin."""
    files = {}
    for name in pin.fitting(entries):
        if not (path / name).is_file():
            return f"{path / name}: not a regular file"
        with (path / name).open("rb") as file:
            files[name] = file.read(pin.size + 1)
    wrong = pin.fault(files)
    return wrong and f"{path}/{wrong}"


@contextlib.contextmanager
def locked(root: Path, show: Callable[[str], None]) -> Iterator[None]:
    """Makes the folder, and holds it: one process at a time writes here. The lock dies with the process.

    What killed processes left half-written is removed.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            show(f"waiting for another process that fetches into {root}")
            fcntl.flock(file, fcntl.LOCK_EX)
        for leftover in root.glob(f"{TEMPORARY}*"):
            remove(leftover)
        yield


@contextlib.contextmanager
def workshop(root: Path) -> Iterator[Path]:
    """An empty folder for a download, on the disk of the cache."""
    path = root / f"{TEMPORARY}download"
    path.mkdir()
    try:
        yield path
    finally:
        remove(path)


def keep(path: Path, files: Mapping[str, bytes]) -> None:
    """Puts files in a folder, in place of what was there: all of them, or none. The caller holds the lock.

    Raises:
      OSError: names the folder, in which no new file stands then.
    """
    new, old = (path.with_name(f"{TEMPORARY}{age}-{path.name}") for age in ("new", "old"))
    try:
        new.mkdir()
        for name, contents in files.items():
            with (new / name).open("wb") as file:
                file.write(contents)
                file.flush()
                os.fsync(file.fileno())
        sync_folder(new)
        if os.path.lexists(path):
            path.rename(old)
        new.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        remove(new)
        remove(old)


def remove(path: Path) -> None:
    """Removes a file or a folder, as far as that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
