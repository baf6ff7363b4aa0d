"""Sound: .wav files as samples in [−1, 1]."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError
from jaxgru.data.text import contents

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 28
BLOCK = 1 << 16  # samples of every channel that are converted at a time
RATES = 1000, 384_000  # Hz
LOUDEST = 1e4  # of a sample in floating point, where 1 is full scale
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
OTHERS = {2: "ADPCM", 6: "A-law", 7: "µ-law", 0x11: "ADPCM", 0x31: "GSM", 0x55: "MP3"}
SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")  # what follows the format in an extensible header

Floats = npt.NDArray[np.float32]


class Sound(NamedTuple):
    """Samples (N,) in [−1, 1], and how many of them there are in a second."""

    samples: Floats
    rate: int


class Format(NamedTuple):
    """What a file says of its samples: PCM or FLOAT, channels, samples in a second, bits of each."""

    kind: int
    channels: int
    rate: int
    bits: int

    @property
    def frame(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.bits // 8


class DamageError(Exception):
    """What is wrong with a file, in words."""


def read(path: Path) -> Sound:
    """The samples of a .wav file; several channels are averaged.

    Python's `wave` knows neither floating point nor, before 3.12, the header that 24 bits usually have, and SciPy
    takes part of a file that is cut short for the whole: neither refuses what this reader does.

    Args:
      path: a RIFF WAVE file of PCM in 8, 16, 24 or 32 bits, or floating point in 32 or 64.

    Raises:
      DataError: the file is missing, no regular file, unreadable, larger than 256 MiB, no such file, damaged, or
        without a sample. The message names the file and the fault.

    Example:
      >>> from pathlib import Path
      >>> read(Path("no/such/file.wav"))
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/file.wav: no such file
    """
    raw = contents(path, MAX_BYTES)
    if not raw:
        raise DataError(f"{path}: the file is empty")
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise DataError(f"{path}: not a .wav file: it does not begin with RIFF and WAVE")
    try:
        form, data = parts(memoryview(raw))
        return Sound(samples(data, form), form.rate)
    except DamageError as error:
        raise DataError(f"{path}: a .wav file that cannot be read: {error}") from None


def parts(raw: memoryview) -> tuple[Format, memoryview]:
    """The format of a file, and the bytes of its samples."""
    found = chunks(raw)
    if b"fmt " not in found:
        raise DamageError("it has no format")
    form = format_of(found[b"fmt "])
    if b"data" not in found:
        raise DamageError("it has no samples")
    return form, found[b"data"]


def chunks(raw: memoryview) -> dict[bytes, memoryview]:
    """The first format of a file and its first samples, by name."""
    found: dict[bytes, memoryview] = {}
    place = 12
    while place + 8 <= len(raw) and b"data" not in found:
        name, size = struct.unpack_from("<4sI", raw, place)
        if place + 8 + size > len(raw):
            known = {b"fmt ": "its format", b"data": "its samples"}.get(name, f"its part {name!r}")
            raise DamageError(
                f"{known} should have {size} bytes, and the file ends after {len(raw) - place - 8}"
            )
        found.setdefault(name, raw[place + 8 : place + 8 + size])
        place += 8 + size + size % 2
    return found


def format_of(chunk: memoryview) -> Format:
    """Takes apart the format, and refuses what is not read."""
    if len(chunk) < 16:
        raise DamageError(f"its format has {len(chunk)} bytes, not 16 or more")
    kind, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == SUBFORMAT:
        (kind,) = struct.unpack_from("<H", chunk, 24)
    if kind not in (PCM, FLOAT):
        what = OTHERS.get(kind, f"the format {kind}")
        raise DamageError(f"its samples are {what}, not PCM or floating point")
    form = Format(kind, channels, rate, bits)
    if bits not in ((8, 16, 24, 32) if kind == PCM else (32, 64)):
        raise DamageError(f"its samples have {bits} bits; PCM has 8, 16, 24 or 32, floating point 32 or 64")
    if not channels or frame != form.frame:
        raise DamageError(f"{channels} channels of {bits} bits are not {frame} bytes")
    if not RATES[0] <= rate <= RATES[1]:
        raise DamageError(f"{rate} samples a second; there can be {RATES[0]} to {RATES[1]}")
    return form


def samples(data: memoryview, form: Format) -> Floats:
    """The samples (N,) of a file, the mean of its channels; a block at a time, as there may be 256 MiB of them."""
    if len(data) % form.frame:
        raise DamageError(f"its samples have {len(data)} bytes, no multiple of {form.frame}")
    if not data:
        raise DamageError("it has no sample")
    found = np.empty(len(data) // form.frame, np.float32)
    for start in range(0, len(found), BLOCK):
        block = values(data[start * form.frame : (start + BLOCK) * form.frame], form)
        found[start : start + BLOCK] = block.reshape(-1, form.channels).mean(1, dtype=np.float64)
    return found


def values(data: memoryview, form: Format) -> npt.NDArray[np.floating[Any]]:
    """Numbers in [−1, 1], channel by channel of each sample."""
    if form.kind == FLOAT:
        found = np.frombuffer(data, f"<f{form.bits // 8}")
        with np.errstate(invalid="ignore"):  # a quiet or a signalling nan are refused alike
            if not (np.abs(found) <= LOUDEST).all():
                raise DamageError(f"a sample is not finite, or beyond ±{LOUDEST:g}, where 1 is full scale")
        return found
    if form.bits == 8:
        return (np.frombuffer(data, np.uint8) - 128.0) / 128
    if form.bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.reshape(-1).view("<i4") / 2.0**31
    return np.frombuffer(data, f"<i{form.bits // 8}") / 2.0 ** (form.bits - 1)
