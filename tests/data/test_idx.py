"""Idx files: the bytes as they stand, or one line that names the file and the fault."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from jaxgru.data import DataError, idx
from tests.data.idxfiles import idx as packed

IMAGES = np.arange(24).reshape(2, 3, 4)


def refusal(path: Path, axes: int = 3) -> str:
    with pytest.raises(DataError) as error:
        idx.read(path, axes)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("press", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_bytes_come_in_their_shape(tmp_path: Path, press: type[bytes]) -> None:
    path = tmp_path / "some-images"
    path.write_bytes(press(packed(IMAGES)))
    np.testing.assert_array_equal(idx.read(path, 3), IMAGES)
    path.write_bytes(press(packed([7, 255])))
    assert idx.read(path, 1).tolist() == [7, 255]


WHOLE = packed(IMAGES)
SIZES = "its size is 2 × 3 × 4"


@pytest.mark.parametrize("press", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the file is empty"),
        (b"\0\0\x08", "not an idx file: it begins with 00 00 08, not with 00 00"),
        (b"PK\3\4" + WHOLE, "not an idx file: it begins with 50 4b 03 04, not with 00 00"),
        (b"\0\1" + WHOLE[2:], "not an idx file: it begins with 00 01 08 03, not with 00 00"),
        (packed(IMAGES, kind=13), "an idx file whose values are 32-bit floats, not unsigned bytes"),
        (packed(IMAGES, kind=9), "an idx file whose values are signed bytes, not unsigned bytes"),
        (packed(IMAGES, kind=7), "an idx file whose values are of the unknown kind 0x07, not unsigned bytes"),
        (packed(IMAGES[0]), "an idx file of 2 axes; it should have 3"),
        (packed([1, 2]), "an idx file of 1 axis; it should have 3"),
        (WHOLE[:9], "cut short: its head should have 16 bytes, and has 9"),
        (WHOLE[:16], f"cut short: {SIZES}, and only 0 bytes of 24 are there"),
        (WHOLE[:17], f"cut short: {SIZES}, and only 1 byte of 24 are there"),
        (WHOLE[:-1], f"cut short: {SIZES}, and only 23 bytes of 24 are there"),
        (WHOLE + b"\0", f"{SIZES}, and more than these 24 bytes are there"),
        (packed(np.zeros((0, 3, 4))), "it holds nothing: its size is 0 × 3 × 4"),
        (packed(np.zeros((2, 3, 0))), "it holds nothing: its size is 2 × 3 × 0"),
        (WHOLE[:4] + b"\xff" * 12, f"its size is {' × '.join(['4294967295'] * 3)}, more than 1024 MiB"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, press: type[bytes], raw: bytes, message: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(press(raw) if raw else b"")
    assert refusal(path) == message


def test_a_damaged_gzip_file(tmp_path: Path) -> None:
    path, whole = tmp_path / "x.gz", gzip.compress(WHOLE)
    path.write_bytes(whole[:-9])
    assert (
        refusal(path)
        == "a damaged gzip file: Compressed file ended before the end-of-stream marker was reached"
    )
    path.write_bytes(whole[:-8] + b"\0\0\0\0" + whole[-4:])
    assert refusal(path).startswith("a damaged gzip file: CRC check failed ")
    path.write_bytes(whole[:10] + b"\xff" * 20)
    assert refusal(path).startswith("a damaged gzip file: Error -3 while decompressing data")


def test_a_bomb_is_unfolded_no_further_than_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 64 MiB behind an array of 24 bytes, no more than a buffer's fill is unfolded."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(WHOLE + bytes(1 << 26), 1))
    asked = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: asked.append(size) or read(self, size))
    assert refusal(path) == f"{SIZES}, and more than these 24 bytes are there"
    assert asked == [4, 12, 25]


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == "no such file"
    assert refusal(tmp_path) == "not a regular file"
