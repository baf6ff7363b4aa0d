"""Videos are read exactly, or refused in one line that names the file and the fault."""

from pathlib import Path

import av
import numpy as np
import pytest

from jaxgru.data import DataError, film, grey
from tests.data.moving import encode, make_frames

FRAMES = make_frames(12)
UNREADABLE = "not a video that can be read, or a damaged one"


def read(path: Path) -> np.ndarray:
    return np.stack(list(film.read(path)))


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    start = f"{path}: "
    assert str(caught.value).startswith(start)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(start)


class TestVideos:
    def test_a_lossless_video_comes_back(self, tmp_path: Path) -> None:
        found = read(encode(tmp_path / "a.mkv", FRAMES, "ffv1", "gray"))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, FRAMES.astype(np.float32) / np.float32(255))

    @pytest.mark.parametrize(
        ("name", "codec"), [("a.mp4", "mpeg4"), ("a.mov", "mpeg4"), ("a.avi", "mjpeg"), ("a.webm", "libvpx")]
    )
    def test_others_come_back_nearly(self, tmp_path: Path, name: str, codec: str) -> None:
        pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        found = read(encode(tmp_path / name, FRAMES, codec, pixels))
        assert found.shape == FRAMES.shape
        assert np.abs(found - FRAMES / 255).mean() < 0.05
        moves = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(found, FRAMES, strict=True)]
        assert min(moves) > 0.8

    @pytest.mark.parametrize(
        ("name", "codec"), [("a.mp4", "mpeg4"), ("a.mkv", "mpeg4"), ("a.webm", "libvpx")]
    )
    def test_what_is_cut_short_is_refused_wherever(self, tmp_path: Path, name: str, codec: str) -> None:
        path = encode(tmp_path / name, FRAMES, codec)
        whole = path.read_bytes()
        for share in range(1, 19):
            path.write_bytes(whole[: len(whole) * share // 20])
            assert refusal(path)

    def test_what_lacks_frames_is_cut_short(self, tmp_path: Path) -> None:
        """An index before the frames, as a file for the web has it, opens although the end is missing."""
        path = tmp_path / "a.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.height, stream.width, stream.pix_fmt = 24, 32, "yuv420p"
            for frame in FRAMES:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
            container.mux(stream.encode())
        whole = path.read_bytes()
        assert len(read(path)) == 12
        path.write_bytes(whole[:-200])
        assert refusal(path).startswith(("cut short: ", UNREADABLE))
        encode(path := tmp_path / "b.mkv", FRAMES)
        whole = path.read_bytes()
        path.write_bytes(whole[:-7])
        assert refusal(path) == f"cut short: {len(whole) - 7} of its {len(whole)} bytes are there"

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (b"", "the file is empty"),
            (b"no film " * 99, f"{UNREADABLE}: Invalid data found when processing input"),
            (b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", f"{UNREADABLE}: Invalid data found when processing input"),
            (b"ffconcat version 1.0\nfile 'other.mp4'\n", f"{UNREADABLE}: Invalid"),
        ],
    )
    def test_what_is_no_video(self, tmp_path: Path, content: bytes, fault: str) -> None:
        """Nor a list of other files, which libav would follow."""
        encode(tmp_path / "other.mp4", FRAMES)
        (tmp_path / "a.mp4").write_bytes(content)
        assert refusal(tmp_path / "a.mp4").startswith(fault)

    def test_where_there_is_none(self, tmp_path: Path) -> None:
        assert refusal(tmp_path / "a.mp4") == "no such file"
        assert refusal(tmp_path) == "not a regular file"

    def test_a_file_without_pictures(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=8000)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.sample_rate = 8000
            container.mux(stream.encode(sound))
            container.mux(stream.encode())
        assert refusal(path) == "there is no video in it"

    def test_what_is_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = encode(tmp_path / "a.mp4", FRAMES)
        with monkeypatch.context() as patch:
            patch.setattr(grey, "LARGEST", 700)
            assert refusal(path) == "pictures of 32 × 24; there can be 700 pixels, and one at least"
        monkeypatch.setattr(film, "MAX_BYTES", 1000)
        assert refusal(path) == "larger than 0 MiB"

    def test_without_pyav(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(film.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(
            DataError, match=r"^videos are read with PyAV; it comes with: pip install 'jaxgru\[tasks\]'$"
        ):
            read(tmp_path / "a.mp4")
<<<<<<< HEAD
=======


class TestPictures:
    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
    def test_grey_of_every_kind(self, tmp_path: Path, mode: str) -> None:
        frame = np.array([[0, 255, 0], [255, 0, 0]], np.uint8)
        picture = (
            Image.fromarray(frame.astype(np.uint16) * 257)
            if mode == "I;16"
            else Image.fromarray(frame).convert(mode)
        )
        picture.save(tmp_path / "a.png")
        np.testing.assert_array_equal(stills.read(tmp_path / "a.png"), frame / 255)

    def test_sixteen_bits_keep_their_shades(self, tmp_path: Path) -> None:
        deep = np.array([[0, 1000], [30_000, 65_535]], np.uint16)
        Image.fromarray(deep).save(tmp_path / "a.png")
        np.testing.assert_allclose(stills.read(tmp_path / "a.png"), deep / 65_535, rtol=1e-6)

    def test_colours_count_as_the_eye_sees_them(self, tmp_path: Path) -> None:
        colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
        Image.fromarray(colours).save(tmp_path / "a.png")
        np.testing.assert_allclose(stills.read(tmp_path / "a.png"), [[0.299, 0.587, 0.114]], atol=0.003)

    def test_jpeg(self, tmp_path: Path) -> None:
        save_all(tmp_path, FRAMES[:1], "a{}.jpg")
        assert np.abs(stills.read(tmp_path / "a1.jpg") - FRAMES[0] / 255).mean() < 0.02

    @pytest.mark.parametrize("ending", ["png", "jpg"])
    def test_what_is_cut_short_is_refused_wherever(self, tmp_path: Path, ending: str) -> None:
        path = save_all(tmp_path, FRAMES[:1], "a{}." + ending) / f"a1.{ending}"
        whole, picture, refused = path.read_bytes(), stills.read(path), 0
        for share in range(20):
            path.write_bytes(whole[: len(whole) * share // 20])
            try:
                np.testing.assert_array_equal(stills.read(path), picture)  # where but the end mark is missing
            except DataError as error:
                assert str(error).startswith(f"{path}: not a PNG or JPEG picture that can be read: ")  # noqa: PT017
                refused += 1
        assert refused > 16

    def test_what_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        Image.fromarray(FRAMES[0]).save(path, "GIF")
        with pytest.raises(
            DataError, match=r"a\.png: not a PNG or JPEG picture that can be read: it is none$"
        ):
            stills.read(path)
        with pytest.raises(DataError, match=r"b\.png: no such file$"):
            stills.read(tmp_path / "b.png")

    def test_a_bomb_is_not_unpacked(self, tmp_path: Path) -> None:
        """A few bytes that would be ten thousand million pixels."""

        def chunk(name: bytes, content: bytes) -> bytes:
            return (
                struct.pack(">I", len(content))
                + name
                + content
                + struct.pack(">I", zlib.crc32(name + content))
            )

        header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
        file = io.BytesIO()
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))))
        (tmp_path / "a.png").write_bytes(file.getvalue())
        with pytest.raises(
            DataError, match=r"a\.png: not a PNG or JPEG .* read: Image size \(10000000000 pixels\)"
        ):
            stills.read(tmp_path / "a.png")
        header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
        (tmp_path / "a.png").write_bytes(file.getvalue()[:8] + chunk(b"IHDR", header) + file.getvalue()[33:])
        with pytest.raises(
            DataError, match=r"a\.png: pictures of 10000 × 10000; there can be 33554432 pixels, "
        ):
            stills.read(tmp_path / "a.png")


class TestShrinking:
    def test_by_a_whole_number_it_is_the_mean_of_blocks(self) -> None:
        picture = np.random.default_rng(0).random((12, 20), np.float32)
        small = Shrink(Size(12, 20), Size(4, 5))(picture)
        np.testing.assert_allclose(small, picture.reshape(4, 3, 5, 4).mean((1, 3)), rtol=1e-6)

    @pytest.mark.parametrize(("before", "after"), [(144, 48), (176, 58), (7, 7), (5, 3), (10, 1)])
    def test_every_pixel_counts_as_much_as_another(self, before: int, after: int) -> None:
        weights = shares(before, after)
        assert (weights.sum(1) == before).all()
        assert (weights.sum(0) == after).all()
        assert ((weights > 0).sum(1) <= np.ceil(before / after) + 1).all()

    @pytest.mark.parametrize("white", [255, 65535])
    def test_no_bit_depends_on_the_order_of_sums(self, white: int) -> None:
        """Which every machine chooses for itself: turned round, a picture is added up backwards."""
        levels = np.random.default_rng(0).integers(0, white + 1, (144, 176))
        picture, shrink = levels.astype(np.float32) / np.float32(white), Shrink(Size(144, 176), Size(49, 58))
        np.testing.assert_array_equal(shrink(picture[::-1, ::-1]), shrink(picture)[::-1, ::-1])

    def test_none_is_made_larger(self) -> None:
        with pytest.raises(DataError, match=r"^pictures of 20 × 12, and 16 × 16 are asked for$"):
            Shrink(Size(12, 20), Size(16, 16))

    def test_a_side_follows_from_the_shape(self) -> None:
        assert size_for(Size(272, 640), 34, 0, 2) == (34, 80)
        assert size_for(Size(272, 640), 0, 80, 2) == (34, 80)
        assert size_for(Size(272, 640), 48, 48, 2) == (48, 48)
        with pytest.raises(
            DataError, match=r"^pictures of 10 × 900 would become 0 × 40; a side needs 16 pixels$"
        ):
            size_for(Size(900, 10), 40, 0, 2)
>>>>>>> 231aa6c33a074aa25e36b328d2b586659968a24b
