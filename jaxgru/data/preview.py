"""The first records of a data set as a person would read them; files are told apart by their endings."""

from __future__ import annotations

import gzip
import itertools
import re
import struct
import zipfile
from typing import TYPE_CHECKING

from jaxgru.data import catalogues

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

WIDTH = 100
RECORDS = 4
SHADES = " .:-=+*#%@"
SENTENCE = re.compile(r"(?=.{40,70}$)[A-Z][a-z]+( [a-z]+){5,}\.")
BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")  # of an MP4 file, those that hold boxes


def preview(files: Sequence[Path]) -> list[str]:
    """A few lines on the first of the files, which have been verified.

    Args:
      files: of one data set, in their order.

    Returns:
      Lines of at most 100 characters; none for endings that are not known.
    """
    for ending, lines in ENDINGS.items():
        if files[0].name.endswith(ending):
            return [short(line) for line in lines(files)]
    return []


def short(line: str) -> str:
    """A line that fits."""
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def stories(files: Sequence[Path]) -> Iterator[str]:
    """Of a table `label<TAB>text` with three lines of header."""
    with files[0].open(encoding="utf-8") as table:
        records = (line for line in itertools.islice(table, 3, None) if line.strip())
        for line in itertools.islice(records, RECORDS):
            label, _, text = line.rstrip("\n").partition("\t")
            yield f"{label:<10}{text}"


def messages(files: Sequence[Path]) -> Iterator[str]:
    """Sentences of gettext catalogues, in each language; those without a plural and a context."""
    found = [
        {ids[0]: forms[0] for context, ids, forms in catalogues.read(file) if len(ids) == 1 and not context}
        for file in files
    ]
    common = set.intersection(*map(set, found))
    for message in sorted(filter(SENTENCE.fullmatch, common))[:2]:
        yield f"en  {message}"
        for file, translations in zip(files, found, strict=True):
            yield f"{file.stem:<4}{translations[message]}"


def scores(files: Sequence[Path]) -> Iterator[str]:
    """Of MusicXML in zip files: parts and measures."""
    for file in files[:RECORDS]:
        with zipfile.ZipFile(file) as archive:
            name = next(name for name in archive.namelist() if not name.startswith("META-INF"))
            xml = archive.read(name).decode("utf-8")
        parts = re.findall(r"<part-name[^>]*>([^<]*)</part-name>", xml)
        measures = len(re.findall(r"<measure\b", xml)) // len(parts)
        yield f"{file.name:<16}{measures} measures for {', '.join(parts)}"


def utterances(files: Sequence[Path]) -> Iterator[str]:
    """Of a UEA .ts file: dimensions between colons, the label last."""
    with files[0].open(encoding="utf-8") as lines:
        data = itertools.dropwhile(lambda line: not line.startswith("@data"), lines)
        for line in itertools.islice(data, 1, 1 + RECORDS):
            *dimensions, label = line.strip().split(":")
            first = dimensions[0].split(",")
            yield f"speaker {label}: {len(first)} steps × {len(dimensions)}; the first: {' '.join(first)}"


def rows(files: Sequence[Path]) -> Iterator[str]:
    """Of a table of text: its cells, one under the other."""
    with files[0].open(encoding="utf-8") as lines:
        table = [line.rstrip().replace('"', "").split(",") for line in itertools.islice(lines, RECORDS + 1)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        yield "  ".join(map(str.rjust, line, widths))


def plain(files: Sequence[Path]) -> Iterator[str]:
    """Of a text: its first lines."""
    with files[0].open(encoding="utf-8") as lines:
        yield from itertools.islice((line.rstrip() for line in lines if line.strip()), 2 * RECORDS)


def pictures(files: Sequence[Path]) -> Iterator[str]:
    """Of a gzipped table of square pictures with the label last: some of different labels, in characters."""
    wanted: dict[str, list[int]] = {}
    with gzip.open(files[0], "rt", encoding="ascii") as lines:
        for line in lines:
            *pixels, label = line.strip().split(",")
            wanted.setdefault(label, [int(float(pixel)) for pixel in pixels])
            if len(wanted) == 10:
                break
    side = round(len(next(iter(wanted.values()))) ** 0.5)
    shown = dict(itertools.islice(wanted.items(), WIDTH // (side + 2)))
    yield "  ".join(label.ljust(side) for label in shown).rstrip()
    brightest = max(max(pixels) for pixels in shown.values())
    for row in range(0, side, 1 + side // 20):  # characters are higher than wide
        strips = (pixels[row * side : (row + 1) * side] for pixels in shown.values())
        yield "  ".join("".join(SHADES[p * 9 // brightest] for p in strip) for strip in strips).rstrip()


def clip(files: Sequence[Path]) -> Iterator[str]:
    """Of an MP4 file: what its boxes say of the pictures."""
    found: dict[bytes, bytes] = {}
    for name, body in boxes(files[0].read_bytes()):
        found.setdefault(name, body)  # the first track has the pictures
    scale, ticks = struct.unpack(">2I", found[b"mdhd"][12:20])
    (frames,) = struct.unpack(">I", found[b"stsz"][8:12])
    width, height = struct.unpack(">2H", found[b"stsd"][40:44])
    yield f"{frames} frames of {width} × {height}, {frames * scale / ticks:.4g} per second"


def boxes(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of an MP4 file, by name."""
    place = 0
    while place + 8 <= len(raw):
        size, name = struct.unpack_from(">I4s", raw, place)
        if name in BOXES:
            yield from boxes(raw[place + 8 : place + size])
        else:
            yield name, raw[place + 8 : place + size]
        place += max(size, 8)


ENDINGS = {
    ".tab": stories,
    ".mo": messages,
    ".mxl": scores,
    ".ts": utterances,
    ".csv": rows,
    ".dat": plain,
    ".csv.gz": pictures,
    ".mp4": clip,
}
