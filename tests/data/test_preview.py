"""Previews: the first records of each kind of file, as a person reads them."""

import gzip
import struct
import zipfile
from pathlib import Path

import pytest

from jaxgru.data.preview import preview
from tests.data.mo import mo

MONTHS = "          SUNSPOTS\n=====\n\nYear Jan\n1749 58.0\n"
VOWELS = "#of whom\n@dimensions 2\n@data\n1.5,1.25:0,0:3\n2,2,2:1,1,1:4\n"
DIGITS = "0,16,0,16,8,8,0,0,0,1\n0,0,0,0,0,0,0,0,16,2\n16,0,0,0,0,0,0,0,0,1\n"
TEXTS = {
    "r.tab": ("Category\tText\nd\tstring\nclass\t\n\nearn\tprofit " + "x" * 99 + "\nacq\tsale\n"),
    "a.csv": '"YEAR","SUN"\n1700,5.5\n1701,11\n',
    "m.dat": MONTHS,
    "v.ts": VOWELS,
}
SEEN = {
    "r.tab": [f"earn      profit {'x' * 82}…", "acq       sale"],
    "a.csv": ["YEAR  SUN", "1700  5.5", "1701   11"],
    "m.dat": ["          SUNSPOTS", "=====", "Year Jan", "1749 58.0"],
    "v.ts": ["speaker 3: 2 steps × 2; the first: 1.5 1.25", "speaker 4: 3 steps × 2; the first: 2 2 2"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_records_of_text_are_readable(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(TEXTS[name], encoding="utf-8")
    assert preview([tmp_path / name]) == SEEN[name]


def test_pictures_are_drawn_one_for_each_label(tmp_path: Path) -> None:
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(DIGITS.encode()))
    assert preview([path]) == ["1    2", " @", "@==", "       @"]


def test_messages_stand_under_each_other(tmp_path: Path) -> None:
    message = "The selected person could not be found here."
    pairs = {message: "Nicht zu finden.", "%d people\0%d": "", "Only here": "x"}
    (tmp_path / "de.mo").write_bytes(mo(pairs))
    (tmp_path / "fr.mo").write_bytes(mo({message: "Introuvable, hélas."}))
    lines = preview([tmp_path / "de.mo", tmp_path / "fr.mo"])
    assert lines == [f"en  {message}", "de  Nicht zu finden.", "fr  Introuvable, hélas."]


def test_scores_tell_their_voices(tmp_path: Path) -> None:
    xml = '<part-name id="1">Alto</part-name><part-name>Bass</part-name>' + "<measure/>" * 6
    with zipfile.ZipFile(tmp_path / "1.mxl", "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("1.xml", xml)
    assert preview([tmp_path / "1.mxl"]) == ["1.mxl           3 measures for Alto, Bass"]


def atom(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body


def track(frames: int, width: int, height: int) -> bytes:
    entry = bytes(40) + struct.pack(">2H", width, height)
    sizes = bytes(8) + struct.pack(">I", frames)
    tables = atom(b"stbl", atom(b"stsd", entry) + atom(b"stsz", sizes))
    times = bytes(12) + struct.pack(">2I", 100, 200)
    return atom(b"trak", atom(b"mdia", atom(b"mdhd", times) + atom(b"minf", tables)))


def test_a_clip_tells_its_size(tmp_path: Path) -> None:
    """The first track has the pictures; a second one, the sound, changes nothing."""
    (tmp_path / "c.mp4").write_bytes(
        atom(b"ftyp", b"isom") + atom(b"moov", track(50, 176, 144) + track(9, 0, 0))
    )
    assert preview([tmp_path / "c.mp4"]) == ["50 frames of 176 × 144, 25 per second"]


def test_an_unknown_ending_shows_nothing(tmp_path: Path) -> None:
    assert preview([tmp_path / "x.bin"]) == []
