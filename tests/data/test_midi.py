"""MIDI files: notes in, rolls out and in again, and whatever is wrong is said in one line."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from jaxgru.data import DataError, midi
from jaxgru.data.rolls import Note, roll_of, runs
from tests.data import scores

ON, OFF = b"\x90", b"\x80"
KEY = "Could not decode key with 127 sharps and mode 5"
LONG = "a number of more than 4 bytes"
TEXT = b"\xff\x01\x83\x00" + bytes(range(128, 256)) * 3  # 384 bytes that are no numbers
# One of each: text, running status, a message of two bytes, system exclusive, and after it running status again.
PLAIN = [
    (0, TEXT), (0, ON + b"\x3c\x40"), (1, b"\x3c\x00"), (0, b"\xc0\x05"), (0, b"\x06"), (0, b"\xf0\x02\x01\xf7"),
    (0, b"\xff\x03\x02ab"), (0, b"\x91\x3e\x40"), (127, b"\x3e\x00"),
]  # fmt: skip


def read(tmp_path: Path, content: bytes) -> list[Note]:
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    return midi.read(path)


def notes(tmp_path: Path, *events: tuple[int, bytes]) -> list[tuple[int, float, float]]:
    found = read(tmp_path, scores.midi(events))
    return [(note.pitch, float(note.start), float(note.end)) for note in found]


def refusal(tmp_path: Path, content: bytes) -> str:
    with pytest.raises(DataError) as error:
        read(tmp_path, content)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{tmp_path / 'a.mid'}: ")


def test_a_note_lasts_until_it_is_ended(tmp_path: Path) -> None:
    """By a note-off, by a note-on without loudness, by being struck again, by the end of the track."""
    events = [(0, ON + b"\x3c\x40"), (4, OFF + b"\x3c\x40"), (0, ON + b"\x3e\x40"), (2, ON + b"\x3e\x00")]
    assert notes(tmp_path, *events) == [(60, 0, 1), (62, 1, 1.5)]
    events = [(0, ON + b"\x3c\x40"), (4, ON + b"\x3c\x40"), (8, ON + b"\x3e\x00")]
    assert notes(tmp_path, *events) == [(60, 0, 1), (60, 1, 3)]


def test_drums_are_no_notes_and_channels_are_apart(tmp_path: Path) -> None:
    events = [
        (0, b"\x99\x3c\x40"),
        (0, b"\x90\x3c\x40"),
        (4, b"\x91\x3c\x40"),
        (4, b"\x80\x3c\x40"),
        (0, b"\x81\x3c\x40"),
    ]
    assert notes(tmp_path, *events) == [(60, 0, 2), (60, 1, 2)]


def test_the_tracks_sound_together(tmp_path: Path) -> None:
    one = scores.midi([(0, ON + b"\x3c\x40"), (4, OFF + b"\x3c\x40")])
    head = scores.chunk(b"MThd", struct.pack(">HHH", 1, 2, 4))
    assert [note.start for note in read(tmp_path, head + one[14:] * 2)] == [0, 0]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rolls = {
        name: (np.random.default_rng(i).random((50, 88)) < 0.1).astype(np.uint8)
        for i, name in enumerate("ab")
    }
    path = tmp_path / "a.mid"
    midi.write(path, rolls, grid=6, tempo=90)
    found = midi.read(path)
    for grid in (6, 12):
        both = np.maximum(*rolls.values())
        both = both[: np.flatnonzero(both.any(1))[-1] + 1].repeat(grid // 6, axis=0)
        np.testing.assert_array_equal(roll_of(found, grid), both)
    assert len(found) == sum(len(runs(roll)) for roll in rolls.values())


def test_a_step_holds_what_sounds_when_it_begins_or_a_little_later() -> None:
    def steps(start: str, end: str) -> list[int]:
        note = Note(60, Fraction(start), Fraction(end))
        return np.flatnonzero(roll_of([note], grid=4)[:, 39]).tolist()

    assert steps("0", "1/4") == [0]
    assert steps("1/32", "1/4") == [0]  # an eighth of a step late
    assert steps("1/16", "1/4") == []  # a quarter of a step is too late
    assert steps("0", "9/32") == [0]
    assert steps("0", "5/16") == [0, 1]
    assert steps("1/8", "3/8") == [1]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not a MIDI file, which starts with MThd"),
        (b"RIFF", "not a MIDI file, which starts with MThd"),
        (b"MThd", "a damaged MIDI file: EOFError"),
        (scores.midi([])[:-3], "a damaged MIDI file: EOFError"),
        (scores.midi([], ticks=0), "its time is in frames of a film, not in parts of a quarter note"),
        (scores.midi([], ticks=0xE250), "its time is in frames of a film, not in parts of a quarter note"),
        (scores.midi([(0, b"\x3c\x40")]), "a damaged MIDI file: running status without last_status"),
        (scores.midi([(0, b"\xff\x59\x02\x7f\x05")]), f"a damaged MIDI file: {KEY}"),
        (scores.midi([(0xFF, b"\xff\xff\xff\x7f")]), f"a damaged MIDI file: {LONG}"),
        (scores.midi([(0xFF, b"\xff" * 100_000)]), f"a damaged MIDI file: {LONG}"),
        (scores.midi([(0, b"\xff\x01" + b"\x80" * 5)]), f"a damaged MIDI file: {LONG}"),
        (scores.midi([(0, b"\xf0\x02\x01\xf7"), (0, b"\xf7" + b"\x80" * 5)]), f"a damaged MIDI file: {LONG}"),
        (scores.midi([*PLAIN, (0xFF, b"\xff" * 5)]), f"a damaged MIDI file: {LONG}"),
        (scores.midi(PLAIN)[:-4] + b"\x81", "a damaged MIDI file: EOFError"),
        (scores.midi([(0, ON + b"\xff\x40")]), "a damaged MIDI file: data byte must be in range 0..127"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    assert refusal(tmp_path, content) == fault


def test_what_is_no_number_is_not_taken_for_one(tmp_path: Path) -> None:
    """Bytes of a text, above all; the places of numbers are where mido sees them."""
    assert notes(tmp_path, *PLAIN) == [(60, 0, 0.25), (62, 0.25, 32)]
    assert [midi.number(bytes(case), 0) for case in ([0xFF, 0xFF, 0xFF, 0x7F], [0x81, 0])] == [
        (2**28 - 1, 4),
        (128, 2),
    ]


def test_a_file_too_large_or_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi, "MAX_BYTES", 1 << 20)
    assert refusal(tmp_path, scores.midi([]) + bytes(1 << 20)) == "larger than 1 MiB"
    with pytest.raises(DataError, match=r"none\.mid: no such file$"):
        midi.read(tmp_path / "none.mid")


def test_without_mido(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi.importlib.util, "find_spec", lambda name: None)
    message = "MIDI files are read and written with mido; it comes with: pip install 'jaxgru[tasks]'"
    assert refusal(tmp_path, scores.midi([])) == message


def test_a_piece_without_end_is_refused(tmp_path: Path) -> None:
    """A few bytes can say that a note lasts for years."""
    forever = b"\xff\xff\xff\x7f"
    track = b"\x00\x90\x3c\x40" + forever + b"\x80\x3c\x40" + b"\x00\xff\x2f\x00"
    content = scores.chunk(b"MThd", struct.pack(">HHH", 0, 1, 4)) + scores.chunk(b"MTrk", track)
    with pytest.raises(DataError, match=r"^268435455 steps; a piece has 65536 at most$"):
        roll_of(read(tmp_path, content), grid=4)
