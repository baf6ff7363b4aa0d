"""Sound: what other writers write is read to the bit, and damage is refused by name."""

import io
import struct
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from jaxgru.data import DataError, sound
from tests.data.wav import EXTENSIBLE, FLOAT, chunk, extensible, form, riff, wav

SAMPLES = b"\0\0\1\0\2\0\3\0"
WHOLE = wav(SAMPLES)


def read(path: Path, content: bytes) -> sound.Sound:
    path = path / "a.wav"
    path.write_bytes(content)
    return sound.read(path)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_what_the_standard_library_writes_is_read(tmp_path: Path, bits: int, channels: int) -> None:
    low, high = (0, 255) if bits == 8 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    values = np.random.default_rng(0).integers(low, high, (50, channels), endpoint=True)
    values[:2, 0] = low, high
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(bits // 8)
        file.setframerate(11_025)
        signed = bits > 8
        file.writeframes(b"".join(int(v).to_bytes(bits // 8, "little", signed=signed) for v in values.flat))
    samples, rate = sound.read(tmp_path / "a.wav")
    centre = 128 if bits == 8 else 0
    assert rate == 11_025
    np.testing.assert_allclose(samples, (values - centre).mean(1) / (1 << (bits - 1)), rtol=0, atol=1e-7)
    assert samples.dtype == np.float32
    assert samples.min() >= -1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_scipy_writes_is_read(tmp_path: Path, dtype: type) -> None:
    values = np.random.default_rng(0).normal(size=(40, 2)).astype(dtype)
    wavfile.write(tmp_path / "a.wav", 44_100, values)
    samples, rate = sound.read(tmp_path / "a.wav")
    assert rate == 44_100
    np.testing.assert_allclose(samples, values.mean(1), rtol=1e-6, atol=1e-7)


def test_an_extensible_header_is_read(tmp_path: Path) -> None:
    data = b"\xff\xff\x7f\0\0\x80"
    content = riff(chunk(b"fmt ", extensible(1, 24)), chunk(b"data", data))
    np.testing.assert_allclose(read(tmp_path, content).samples, [1, -1], atol=2e-7)
    _, other = wavfile.read(io.BytesIO(content))
    np.testing.assert_allclose(read(tmp_path, content).samples, other / 2.0**31)


@pytest.mark.parametrize(("bits", "kind"), [(8, 1), (24, 1), (32, FLOAT)])
def test_a_sound_of_several_blocks_is_read_in_little_memory(bits: int, kind: int) -> None:
    rng = np.random.default_rng(0)
    if kind == FLOAT:
        content = rng.normal(size=2 * 1_000_001).astype("<f4").tobytes()
        expected = np.frombuffer(content, "<f4").reshape(-1, 2).mean(1, dtype=np.float64)
    else:
        content = rng.bytes(2 * 1_000_001 * bits // 8)
        numbers = np.frombuffer(content, np.uint8).reshape(-1, bits // 8).astype(np.int64)
        whole = (numbers << 8 * np.arange(bits // 8)).sum(1)
        signed = whole - 128 if bits == 8 else (whole ^ 1 << 23) - (1 << 23)
        expected = signed.reshape(-1, 2).mean(1) / 2 ** (bits - 1)
    form, data = sound.parts(memoryview(wav(content, channels=2, bits=bits, kind=kind)))
    tracemalloc.start()
    samples = sound.samples(data, form)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(samples, expected.astype(np.float32))
    # The samples and a block of 4 MiB at most; all of them in 64 bits would be 15 MiB.
    assert most < samples.nbytes + (4 << 20)


def test_other_parts_are_passed_over(tmp_path: Path) -> None:
    """Also one of an odd length, which a byte follows; what comes behind the samples is not looked at."""
    content = riff(
        chunk(b"LIST", b"odd"),
        chunk(b"fmt ", form() + b"\0\0"),
        chunk(b"fact", b"1234"),
        chunk(b"data", SAMPLES),
    )
    for end in (b"", b"id3 \xff\xff\xff\xffrest", b"\0"):
        np.testing.assert_array_equal(
            read(tmp_path, content + end).samples, np.arange(4, dtype=np.float32) / 32768
        )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (b"RIFF", "not a .wav file: it does not begin with RIFF and WAVE"),
        (b"OggS" + WHOLE[4:], "not a .wav file: it does not begin with RIFF and WAVE"),
        (WHOLE[:-1], "its samples should have 8 bytes, and the file ends after 7"),
        (WHOLE[:30], "its format should have 16 bytes, and the file ends after 10"),
        (WHOLE[:14], "it has no format"),
        (riff(chunk(b"data", SAMPLES)), "it has no format"),
        (riff(chunk(b"fmt ", form())), "it has no samples"),
        (riff(chunk(b"LIST", b"x", 99)), "its part b'LIST' should have 99 bytes, and the file ends after 2"),
        (riff(chunk(b"fmt ", form()[:14])), "its format has 14 bytes, not 16 or more"),
        (wav(b""), "it has no sample"),
        (wav(b"\0" * 7), "its samples have 7 bytes, no multiple of 2"),
        (wav(SAMPLES, kind=0x55), "its samples are MP3, not PCM or floating point"),
        (wav(SAMPLES, kind=99), "its samples are the format 99, not PCM or floating point"),
        (wav(SAMPLES, kind=EXTENSIBLE), "its samples are the format 65534, not PCM or floating point"),
        (
            wav(SAMPLES, bits=12, frame=2),
            "its samples have 12 bits; PCM has 8, 16, 24 or 32, floating point 32 or 64",
        ),
        (wav(SAMPLES, channels=0), "0 channels of 16 bits are not 0 bytes"),
        (wav(SAMPLES, frame=3), "1 channels of 16 bits are not 3 bytes"),
        (wav(SAMPLES, rate=0), "0 samples a second; there can be 1000 to 384000"),
        (
            wav(struct.pack("<2f", 0, np.nan), kind=FLOAT, bits=32),
            "a sample is not finite, or beyond ±10000, where 1 is full scale",
        ),
        (
            wav(struct.pack("<d", -1e300), kind=FLOAT, bits=64),
            "a sample is not finite, or beyond ±10000, where 1 is full scale",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, content)
    said = str(error.value).removeprefix(f"{tmp_path / 'a.wav'}: ")
    assert said.removeprefix("a .wav file that cannot be read: ") == fault


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    for end in range(len(WHOLE)):
        with pytest.raises(DataError):
            read(tmp_path, WHOLE[:end])


def test_a_missing_or_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"none\.wav: no such file$"):
        sound.read(tmp_path / "none.wav")
    with pytest.raises(DataError, match=r": not a regular file$"):
        sound.read(tmp_path)
    monkeypatch.setattr(sound, "MAX_BYTES", 1 << 20)
    with pytest.raises(DataError, match=r": larger than 1 MiB$"):
        read(tmp_path, wav(b"\0" * (1 << 20)))
