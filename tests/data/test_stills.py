"""Pictures: grey as they are, whatever holds them, or one line that names the file and the fault."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgru.data import DataError, stills
from tests.data.moving import make_frames, save_all

GREY = np.array([[0, 128, 255], [10, 20, 30]], np.uint8)
FRAMES = make_frames(1)
PNG = stills.STARTS["PNG"]
TRANSPARENT = "it is transparent in places; save it without transparency"


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as error:
        stills.read(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


def save(path: Path, pixels: np.ndarray, mode: str = "") -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def empty(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels, and has none."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return PNG + header + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


class TestPixels:
    @pytest.mark.parametrize("mode", ["", "RGB", "RGBA", "LA", "P"])
    def test_grey_is_grey_whatever_holds_it(self, tmp_path: Path, mode: str) -> None:
        found = stills.read(save(tmp_path / "a.png", GREY, mode))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, GREY / 255, atol=1e-6)

    def test_black_and_white(self, tmp_path: Path) -> None:
        found = stills.read(save(tmp_path / "a.png", np.array([[True, False], [False, True]])))
        assert found.tolist() == [[1, 0], [0, 1]]

    def test_sixteen_bits_keep_their_shades(self, tmp_path: Path) -> None:
        deep = np.array([[0, 1000], [13_107, 65_535]], np.uint16)
        found = stills.read(save(tmp_path / "a.png", deep))
        np.testing.assert_allclose(found, deep / 65_535, rtol=1e-6)

    def test_colours_weigh_as_the_eye_weighs_them(self, tmp_path: Path) -> None:
        colours = np.diag([255, 255, 255]).astype(np.uint8).reshape(1, 3, 3)
        found = stills.read(save(tmp_path / "a.png", colours))
        np.testing.assert_allclose(found, [[0.299, 0.587, 0.114]], atol=3e-3)

    @pytest.mark.parametrize("name", ["a{}.jpg", "a{}.png"])
    def test_jpeg_whatever_its_name(self, tmp_path: Path, name: str) -> None:
        path = save_all(tmp_path, FRAMES, "b{}.jpg") / "b1.jpg"
        path = path.rename(tmp_path / name.format(1))
        assert np.abs(stills.read(path) - FRAMES[0] / 255).mean() < 0.02


class TestTransparency:
    @pytest.mark.parametrize("mode", ["LA", "RGBA"])
    def test_in_places_it_is_refused(self, tmp_path: Path, mode: str) -> None:
        path = tmp_path / "a.png"
        Image.fromarray(np.dstack([GREY, 255 - GREY // 255])).convert(mode).save(path)
        assert refusal(path) == TRANSPARENT

    @pytest.mark.parametrize("bits", [8, 16])
    def test_of_one_shade(self, tmp_path: Path, bits: int) -> None:
        """It is refused where the shade occurs."""
        path = tmp_path / "a.png"
        save(path, GREY if bits == 8 else GREY.astype(np.uint16) * 257)
        plain, raw = stills.read(path), path.read_bytes()
        at = raw.index(b"IDAT") - 4
        for shade in (11, 10):
            number = struct.pack(">H", shade if bits == 8 else shade * 257)
            path.write_bytes(raw[:at] + chunk(b"tRNS", number) + raw[at:])
            if shade == 11:
                np.testing.assert_array_equal(stills.read(path), plain)
        assert refusal(path) == TRANSPARENT


class TestRefusals:
    @pytest.mark.parametrize("ending", ["png", "jpg"])
    def test_what_is_cut_short_is_refused_wherever(self, tmp_path: Path, ending: str) -> None:
        path = save_all(tmp_path, FRAMES, "a{}." + ending) / f"a1.{ending}"
        whole, picture, refused = path.read_bytes(), stills.read(path), 0
        kind = {"png": "PNG", "jpg": "JPEG"}[ending]
        for share in range(1, 20):
            path.write_bytes(whole[: len(whole) * share // 20])
            try:
                np.testing.assert_array_equal(stills.read(path), picture)  # where but the end mark is missing
            except DataError as error:
                assert str(error).startswith(f"{path}: a damaged {kind} file: ")  # noqa: PT017
                refused += 1
        assert refused > 15

    def test_what_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        assert refusal(path) == "no such file"
        assert refusal(tmp_path) == "not a regular file"
        path.touch()
        assert refusal(path) == "the file is empty"
        Image.fromarray(GREY).save(path, "GIF")
        assert refusal(path) == "not a PNG or JPEG file: it does not begin as one"
        path.write_bytes(PNG)
        assert refusal(path) == "a damaged PNG file: cannot identify image file"

    @pytest.mark.parametrize(
        ("size", "fault"),
        [
            ((1 << 15, 1 << 15), "far more than the 33554432 pixels that there can be"),
            ((10_000, 10_000), "pictures of 10000 × 10000; there can be 33554432 pixels, and one at least"),
            ((6000, 6000), "pictures of 6000 × 6000; there can be 33554432 pixels, and one at least"),
        ],
    )
    def test_a_bomb_is_not_unpacked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], fault: str
    ) -> None:
        """A few bytes that would be as many as a thousand million pixels."""
        monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("unpacked"))
        path = tmp_path / "a.png"
        path.write_bytes(empty(*size))
        assert refusal(path) == fault

    def test_too_many_bytes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = save(tmp_path / "a.png", GREY)
        monkeypatch.setattr(stills, "MAX_BYTES", 40)
        assert refusal(path) == "larger than 0 MiB"

    def test_what_is_odd_and_does_not_matter_is_no_warning(self, tmp_path: Path) -> None:
        """The times of an animation that there is none of: warnings are errors here."""
        path = save(tmp_path / "a.png", GREY)
        raw = path.read_bytes()
        path.write_bytes(raw[:33] + chunk(b"acTL", bytes(8)) + raw[33:])
        with pytest.warns(UserWarning, match="Invalid APNG"), Image.open(path) as picture:
            picture.load()
        np.testing.assert_allclose(stills.read(path), GREY / 255, atol=1e-6)


def test_a_second_head_does_not_make_a_picture_larger(tmp_path: Path) -> None:
    small, large = (chunk(b"IHDR", struct.pack(">IIBBBBB", n, n, 8, 0, 0, 0, 0)) for n in (2, 12_000))
    data = chunk(b"IDAT", zlib.compress(bytes(6)))
    path = tmp_path / "a.png"
    path.write_bytes(stills.STARTS["PNG"] + small + large + data + chunk(b"IEND", b""))
    with pytest.raises(DataError, match=r"pictures of 12000 × 12000; there can be"):
        stills.read(path)


def test_nothing_is_said_of_a_palette_with_an_opaque_alpha(tmp_path: Path) -> None:
    """Pillow warns of it; here a warning is an error."""
    shades = np.array([[0, 255], [128, 64]], np.uint8)
    Image.fromarray(shades).convert("P").save(tmp_path / "a.png", transparency=b"\xff" * 256)
    np.testing.assert_allclose(stills.read(tmp_path / "a.png"), shades / 255, atol=1e-6)
