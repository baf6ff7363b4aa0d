"""Scores in MusicXML, plain or packed as .mxl: the notes of each part, read within bounds."""

from __future__ import annotations

import re
import zipfile
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from jaxgru.data import DataError, wheels
from jaxgru.data.rolls import Note
from jaxgru.data.text import opened

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 25  # of a score
ELEMENTS, DEPTH = 1 << 19, 64  # of one
MEMBERS = 1000  # of a packed one
ZIP = b"PK\x03\x04"
CONTAINER = "META-INF/container.xml"
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
FINE = 1 << 64  # parts of a quarter note, of which all times of a part are whole numbers
Number = int | Fraction
DECIMAL = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?")


class ScoreError(Exception):
    """What is wrong with a score, in words."""


def read(path: Path) -> list[list[Note]]:
    """The notes of each part of a score, as they sound.

    Chords, several voices in a part, ties, rests and instruments that sound in another key than they are written
    in count as they should. Repeats are not unfolded; grace notes, which take no time, and notes without a pitch are
    left out; each of tied notes is a note.

    Args:
      path: MusicXML by parts, as .mxl, whose first root file is the score, or as plain XML.

    Returns:
      The notes of each part, in the order of the file.

    Raises:
      DataError: the file is missing, no regular file, unreadable, larger than 32 MiB, packed otherwise than MusicXML
        says, declares entities, is no XML, or no such score. The message names the file and the fault.

    References: MusicXML 4.0, W3C.
    """
    with opened(path) as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        return parts(tree(unpack(path) if raw.startswith(ZIP) else bounded(raw)))
    except (ScoreError, wheels.WheelError) as error:
        raise DataError(f"{path}: {error}") from None


def bounded(raw: bytes) -> bytes:
    """The bytes of a score, as many as it may have."""
    if len(raw) > MAX_BYTES:
        raise ScoreError(f"larger than {MAX_BYTES >> 20} MiB")
    return raw


def parts(root: Element) -> list[list[Note]]:
    """The notes of each part of a score."""
    if root.tag != "score-partwise":
        raise ScoreError(f"not a score by parts: its root is {root.tag[:40]!r}, and not 'score-partwise'")
    return [notes(part) for part in root.findall("part")]


def unpack(path: Path) -> bytes:
    """The score in an .mxl file: the first root file that its container names."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = wheels.listed(archive)
            if len(members) > MEMBERS:
                raise ScoreError(f"{len(members)} members; a score has {MEMBERS} at most")
            container = tree(member(archive, members, CONTAINER))
            names = [each.get("full-path", "") for each in container.iter() if each.tag.endswith("rootfile")]
            if not names:
                raise ScoreError(f"its {CONTAINER} names no score")
            return member(archive, members, names[0])
    except wheels.DAMAGES as error:
        raise ScoreError(f"damaged or cut short: {wheels.shortened(str(error))}") from None
    except OSError as error:  # zipfile seeks to wherever a damaged list says
        raise ScoreError(f"damaged or cut short: {error.strerror}") from None


def member(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    """The bytes of a member that is no larger than a score may be."""
    if name not in members:
        raise ScoreError(f"has no member {wheels.shown(name)}")
    if members[name].file_size > MAX_BYTES:
        raise ScoreError(f"member {wheels.shown(name)} unfolds to more than {MAX_BYTES >> 20} MiB")
    return wheels.contents(archive, members[name])


def tree(raw: bytes) -> Element:
    """The tree of an XML document that is not too large, not too deep and declares no entities.

    Entities unfold to any size and can name other files; the type that a score's DOCTYPE names is not fetched.
    """
    builder, parser = TreeBuilder(), expat.ParserCreate()
    depth = seen = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, seen
        depth, seen = depth + 1, seen + 1
        if depth > DEPTH or seen > ELEMENTS:
            raise ScoreError(f"more than {ELEMENTS} elements, or more than {DEPTH} in each other")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(name: str, *_: Any) -> None:
        raise ScoreError(f"it declares the entity {name[:40]!r}, which a score does not need")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ScoreError(f"not XML, or damaged: {error}") from None
    return builder.close()


def notes(part: Element) -> list[Note]:
    """The notes of a part. Its measures follow each other, each as long as what reaches farthest in it."""
    found: list[Note] = []
    divisions: Number
    position, divisions, transposed = Fraction(0), 1, 0
    for measure in part.findall("measure"):
        farthest = last = position
        for each in measure:
            if each.tag == "attributes":
                divisions = number(each, "divisions", divisions)
                transposed = transposition(each.find("transpose"), transposed)
                if divisions <= 0:
                    raise ScoreError(f"{where(measure, part)}: divisions must be above 0, not {divisions}")
            elif each.tag in ("note", "forward", "backup") and each.find("grace") is None:
                length = Fraction(number(each, "duration", 0)) / divisions
                if length < 0:
                    raise ScoreError(f"{where(measure, part)}: a duration below 0")
                begin = last if each.find("chord") is not None else position
                if each.tag == "backup":
                    length = -length
                elif (pitch := each.find("pitch")) is not None:
                    found.append(Note(midi(pitch) + transposed, begin, begin + length))
                last, position = begin, begin + length
                if fault := time_fault(position):
                    raise ScoreError(f"{where(measure, part)}: {fault}")
            farthest = max(farthest, position)
        position = farthest
    return found


def time_fault(position: Fraction) -> str:
    """What is wrong with a place in a part, in words; "" for nothing."""
    if position < 0:
        return "a backup that leads before the start"
    if position.denominator > FINE:  # sums of such fractions take ever longer
        return "its divisions, with those before, have no common multiple up to 2^64"
    return ""


def where(measure: Element, part: Element) -> str:
    """Where something stands, for a message."""
    return f"part {part.get('id', '')[:20]!r}, measure {measure.get('number', '')[:20]!r}"


def number(element: Element, name: str, default: Number) -> Number:
    """The number in a child of an element."""
    text = element.findtext(name)
    if text is None:
        return default
    if not DECIMAL.fullmatch(text.strip()):
        raise ScoreError(f"{name} should be a number, not {text.strip()[:40]!r}")
    return Fraction(text) if "." in text else int(text)


def transposition(element: Element | None, default: int) -> int:
    """How many semitones higher a part sounds than it is written."""
    if element is None:
        return default
    return round(number(element, "chromatic", 0) + 12 * number(element, "octave-change", 0))


def midi(pitch: Element) -> int:
    """MIDI's number of a pitch, quarter tones rounded: 60 is C4."""
    step = (pitch.findtext("step") or "").strip()
    if step not in STEPS:
        raise ScoreError(f"a note called {step[:40]!r}")
    return round(STEPS[step] + number(pitch, "alter", 0) + 12 * (number(pitch, "octave", 4) + 1))
