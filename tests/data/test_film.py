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
