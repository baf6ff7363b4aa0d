"""MIDI files: the notes of one, and piano rolls written as one. Needs mido, of the extra [tasks]."""

from __future__ import annotations

import importlib.util
import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from jaxgru.data import DataError
from jaxgru.data.rolls import LOWEST, Note, Roll, runs
from jaxgru.data.text import opened
from jaxgru.weights import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES = 1 << 21
MAGIC, HEAD = b"MThd", 14  # the bytes a file starts with, of how many that say how its time counts
FRAMES = 1 << 15  # what counts as time from here on is frames
DRUMS = 9  # the channel whose notes are no pitches
TICKS = 480  # in a quarter note of the files that are written
LOUD = 80  # of 127
MORE = 0x80  # from here on a byte of a number is followed by another one, or a byte says what a message is
META, SYSEX = 0xFF, (0xF0, 0xF7)  # messages that say how long they are
# What mido raises for a damaged file, besides its own errors, which are ValueErrors.
DAMAGES = (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, OverflowError)


def require() -> None:
    """Refuses to go on without mido.

    Raises:
      DataError: it is not installed. The message says what to do about it.
    """
    if importlib.util.find_spec("mido") is None:
        raise DataError(
            "MIDI files are read and written with mido; it comes with: pip install 'jaxgru[tasks]'"
        )


def read(path: Path) -> list[Note]:
    """The notes of a MIDI file, of all its tracks and channels but that of the drums.

    Args:
      path: a standard MIDI file whose time is in parts of a quarter note.

    Returns:
      The notes by their ends. A note that is struck again ends there; one that nothing ends lasts to the end of
      its track.

    Raises:
      DataError: the file is missing, no regular file, unreadable, larger than 2 MiB, no MIDI file, damaged, or has
        its time in frames of a film; or mido is missing. The message names the file and the fault.
    """
    require()
    with opened(path) as file:
        raw = file.read(MAX_BYTES + 1)
    if fault := head_fault(raw):
        raise DataError(f"{path}: {fault}")
    try:
        return notes(raw)
    except DAMAGES as error:
        raise DataError(f"{path}: a damaged MIDI file: {str(error)[:80] or type(error).__name__}") from None


def head_fault(raw: bytes) -> str:
    """Why nothing of a file is read, in words; "" for nothing."""
    if len(raw) > MAX_BYTES:
        return f"larger than {MAX_BYTES >> 20} MiB"
    if not raw.startswith(MAGIC):
        return "not a MIDI file, which starts with MThd"
    if len(raw) >= HEAD and not 0 < int.from_bytes(raw[HEAD - 2 : HEAD], "big") < FRAMES:
        return "its time is in frames of a film, not in parts of a quarter note"
    return ""


def notes(raw: bytes) -> list[Note]:
    """The notes in the bytes of a file."""
    import mido  # noqa: PLC0415 an extra, and of use only here

    check_numbers(raw)
    try:
        score = mido.MidiFile(file=io.BytesIO(raw))
    except mido.KeySignatureError as error:  # the one of its errors that is no ValueError
        raise ValueError(str(error)) from None
    return [note for track in score.tracks for note in sounding(track, score.ticks_per_beat)]


def check_numbers(raw: bytes) -> None:
    """Refuses a number of more than four bytes: mido reads it to its end, which may take hours.

    Of anything else that is wrong mido says what it is, where it comes to it; here the way just ends.
    """
    from mido.messages.specs import SPEC_BY_STATUS  # noqa: PLC0415 an extra, and of use only here

    at = 8 + int.from_bytes(raw[4:8], "big")
    for _ in range(int.from_bytes(raw[10:12], "big")):
        end, at, last = at + 8 + int.from_bytes(raw[at + 4 : at + 8], "big"), at + 8, 0
        while at != end and at < len(raw):
            _, at = number(raw, at)
            first = raw[at] if at < len(raw) else 0
            status, at = first if first >= MORE else last, at + 1
            if status in (META, *SYSEX):
                length, at = number(raw, at + (status == META))
                at += length
            elif status not in SPEC_BY_STATUS:
                return
            else:
                at += SPEC_BY_STATUS[status]["length"] - 1 - (first < MORE)
            last = last if status == META else status


def number(raw: bytes, at: int) -> tuple[int, int]:
    """A number at a place, seven bits in each of its bytes, and the place behind it.

    Example:
      >>> number(bytes([0x81, 0x01, 0x7F]), 0), number(bytes([0x81, 0x01, 0x7F]), 2)
      ((129, 2), (127, 3))
    """
    value = 0
    for i, byte in enumerate(raw[at : at + 4], 1):
        value = value << 7 | byte & (MORE - 1)
        if byte < MORE:
            return value, at + i
    if len(raw) - at < 4:
        return 0, len(raw)
    raise ValueError("a number of more than 4 bytes")


def sounding(track: Any, ticks: int) -> list[Note]:
    """The notes of a track."""
    struck: dict[tuple[int, int], int] = {}
    found, now = [], 0
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        key = message.channel, message.note
        if key in struck:
            found.append(Note(message.note, Fraction(struck.pop(key), ticks), Fraction(now, ticks)))
        if message.type == "note_on" and message.velocity:
            struck[key] = now
    rest = ((Fraction(start, ticks), note) for (_, note), start in struck.items())
    return [*found, *(Note(note, start, Fraction(now, ticks)) for start, note in rest)]


def write(path: Path, tracks: Mapping[str, Roll], *, grid: int, tempo: float) -> None:
    """Writes piano rolls as the tracks of a MIDI file, whole or not at all. A key that goes on sounding is one note.

    Args:
      path: the file; one that exists is replaced.
      tracks: (T, 88) each, by name.
      grid: steps in a quarter note.
      tempo: quarter notes in a minute.

    Raises:
      DataError: mido is missing.
      OSError: the file cannot be written.
    """
    require()
    import mido  # noqa: PLC0415 an extra, and of use only here

    score = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    beat = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))
    score.tracks.append(mido.MidiTrack([beat]))
    for name, roll in tracks.items():
        events = []
        for key, start, end in runs(roll):
            events += [(end, False, key), (start, True, key)]
        track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
        for step, on, key in sorted(events):
            at = step * TICKS // grid
            track.append(
                mido.Message(
                    "note_on" if on else "note_off", note=key + LOWEST, velocity=LOUD * on, time=at - now
                )
            )
            now = at
        track.append(mido.MetaMessage("end_of_track", time=len(roll) * TICKS // grid - now))
        score.tracks.append(track)
    written = io.BytesIO()
    score.save(file=written)
    write_whole(path, written.getvalue())
