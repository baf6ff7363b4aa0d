"""Files of music for the tests: MusicXML, .mxl, MIDI and .mat, made by hand."""

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

CONTAINER = '<container><rootfiles><rootfile full-path="song.xml"/></rootfiles></container>'
DOCTYPE = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.0 Partwise//EN" "http://no.such/partwise.dtd">'


def note(pitch: str, duration: int, extra: str = "") -> str:
    """A note such as "C4", "F#3" or "" for a rest."""
    what = "<rest/>"
    if pitch:
        alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(pitch[1:-1], "")
        what = f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
    return f"<note>{extra}{what}<duration>{duration}</duration></note>"


def score(*parts: str, divisions: int = 2) -> str:
    """A score whose parts are the content of one measure each, or of the measures they say themselves."""
    made = ""
    for i, part in enumerate(parts):
        first = f"<attributes><divisions>{divisions}</divisions></attributes>"
        inside = part if part.startswith("<measure") else f'<measure number="1">{part}</measure>'
        inside = inside.replace(">", f">{first}", 1)
        made += f'<part id="P{i + 1}">{inside}</part>'
    return f'<?xml version="1.0"?>{DOCTYPE}<score-partwise version="3.0">{made}</score-partwise>'


def pack(path: Path, members: Mapping[str, str | bytes]) -> Path:
    """A zip file with these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def mxl(path: Path, text: str) -> Path:
    """A score in an .mxl file."""
    return pack(path, {"META-INF/container.xml": CONTAINER, "song.xml": text})


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body)) + body


def midi(events: Sequence[tuple[int, bytes]], ticks: int = 4) -> bytes:
    """A MIDI file of one track: (delta below 128, message) each."""
    track = b"".join(bytes([delta]) + message for delta, message in events) + b"\x00\xff\x2f\x00"
    return chunk(b"MThd", struct.pack(">HHH", 0, 1, ticks)) + chunk(b"MTrk", track)


def element(kind: int, body: bytes) -> bytes:
    """An element of a .mat file."""
    return struct.pack("<II", kind, len(body)) + body + b"\0" * (-len(body) % 8)


def array(kind: int, shape: Sequence[int], name: bytes, body: bytes) -> bytes:
    """An array of a .mat file."""
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + element(1, name) + body)


def mat(*arrays: bytes) -> bytes:
    """A .mat file."""
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM" + b"".join(arrays)


def chorale(rng: np.random.Generator, steps: int, keys: int = 88) -> np.ndarray:
    """A roll (T, 88) of four voices that move by steps, which is something to learn."""
    roll = np.zeros((steps, keys), np.uint8)
    voices = np.array([50, 44, 38, 30]) + rng.integers(-2, 3)
    for step in roll:
        moved = voices + rng.integers(-1, 2, 4) * (rng.random(4) < 0.4)
        voices = np.where(abs(moved - [50, 44, 38, 30]) <= 3, moved, voices)
        step[voices] = 1
    return roll
