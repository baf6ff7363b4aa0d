"""Pictures: grey as they are, in the size that is asked for, or one line that names the file and the fault."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgru.data import DataError, png

GREY = np.array([[0, 128, 255], [10, 20, 30]], np.uint8)


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as error:
        png.read(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


def save(path: Path, pixels: np.ndarray, mode: str = "") -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


@pytest.mark.parametrize("mode", ["", "RGB", "RGBA", "LA", "P"])
def test_grey_is_grey_whatever_holds_it(tmp_path: Path, mode: str) -> None:
    found = png.read(save(tmp_path / "a.png", GREY, mode))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, GREY / 255, atol=1e-6)


def test_black_and_white_and_sixteen_bits(tmp_path: Path) -> None:
    found = png.read(save(tmp_path / "a.png", np.array([[True, False]])))
    assert found.tolist() == [[1, 0]]
    found = png.read(save(tmp_path / "a.png", np.array([[0, 65535, 13107]], np.uint16)))
    np.testing.assert_allclose(found, [[0, 1, 0.2]], rtol=1e-6)


def test_colours_weigh_as_the_eye_weighs_them(tmp_path: Path) -> None:
    found = png.read(save(tmp_path / "a.png", np.diag([255, 255, 255]).astype(np.uint8).reshape(1, 3, 3)))
    np.testing.assert_allclose(found, [[0.299, 0.587, 0.114]], atol=3e-3)


def test_a_picture_is_brought_to_its_size_by_means(tmp_path: Path) -> None:
    large = np.kron(GREY, np.ones((4, 4), np.uint8))
    found = png.fitted(Path("a"), png.read(save(tmp_path / "a.png", large)), 2, 3)
    np.testing.assert_allclose(found, GREY / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 4), (1, 3), (5, 6)])
def test_another_size_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError) as error:
        png.fitted(Path("a.png"), np.zeros(shape, np.float32), 2, 3)
    mend = "crop it, and bring it to that or to a multiple, such as 30 × 20"
    assert str(error.value) == f"a.png: {shape[1]} × {shape[0]} pixels, and the model reads 3 × 2: {mend}"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def head(width: int, height: int) -> bytes:
    return png.MAGIC + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def test_what_is_wrong_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, whole = tmp_path / "a.png", io.BytesIO()
    Image.fromarray(GREY).save(whole, "png")
    assert refusal(path) == "no such file"
    assert refusal(tmp_path) == "not a regular file"
    path.touch()
    assert refusal(path) == "the file is empty"
    path.write_bytes(b"\xff\xd8\xff\xe0 a JPEG")
    assert refusal(path) == "not a PNG file: it does not begin as one"
    path.write_bytes(whole.getvalue()[:50])
    assert refusal(path).startswith("a damaged PNG file: ")
    path.write_bytes(png.MAGIC)
    assert refusal(path) == "a damaged PNG file: cannot identify image file"
    path.write_bytes(head(1 << 15, 1 << 15) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    assert refusal(path) == "32768 × 32768 pixels, more than 16,777,216"
    path.write_bytes(head(5000, 4000) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    assert refusal(path) == "5000 × 4000 pixels, more than 16,777,216"
    save(path, np.dstack([GREY, 255 - GREY]))
    assert refusal(path) == "it is transparent in places; save it without transparency"
    path.write_bytes(whole.getvalue())
    monkeypatch.setattr(png, "MAX_BYTES", 40)
    assert refusal(path) == "larger than 0 MiB"


@pytest.mark.parametrize(
    ("side", "fault"),
    [
        (12_000, "12000 × 12000 pixels, more than 16,777,216"),
        (60_000, "a damaged PNG file: Image size (3600000000 pixels) exceeds limit of "),
    ],
)
def test_a_second_head_does_not_make_a_picture_larger(tmp_path: Path, side: int, fault: str) -> None:
    small, large = (chunk(b"IHDR", struct.pack(">IIBBBBB", n, n, 8, 0, 0, 0, 0)) for n in (2, side))
    data = chunk(b"IDAT", zlib.compress(bytes(6)))
    (tmp_path / "a.png").write_bytes(png.MAGIC + small + large + data + chunk(b"IEND", b""))
    assert refusal(tmp_path / "a.png").startswith(fault)


def test_nothing_is_said_of_a_palette_with_an_opaque_alpha(tmp_path: Path) -> None:
    """Pillow warns of it; here a warning is an error."""
    image = Image.fromarray(GREY).convert("P")
    image.save(tmp_path / "a.png", transparency=b"\xff" * 256)
    np.testing.assert_allclose(png.read(tmp_path / "a.png"), GREY / 255, atol=1e-6)
