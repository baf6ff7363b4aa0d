"""Clips: in the order of people, cut at scenes, divided by rule; windows stay within a scene of a part."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from jaxgru.data import DataError, clips
from jaxgru.data.clips import Footage, Wanted, footage, natural
from tests.data.moving import encode, make_frames, save_all

WANTED = Wanted(24, 0, 2)


def load(path: Path | str, cut: float = 0.12, validation: float = 0.1, test: float = 0.2) -> Footage:
    return footage("carphone", str(path), WANTED, cut, validation, test)


def test_frames_are_in_the_order_of_people(tmp_path: Path) -> None:
    frames = make_frames(12)
    save_all(tmp_path, frames)
    (tmp_path / "notes.txt").write_text("no picture")
    (found,) = clips.clips(tmp_path, WANTED)
    np.testing.assert_array_equal(found, frames.astype(np.float32) / np.float32(255))
    assert sorted(["b", "a10", "a9", "a09", "A", "a9b"], key=natural) == ["A", "a09", "a9", "a9b", "a10", "b"]
    assert sorted([f"{n:d}" for n in (10**40, 2, 10**20)], key=natural) == ["2", f"{10**20}", f"{10**40}"]


def test_videos_and_folders_of_pictures_are_clips(tmp_path: Path) -> None:
    parts = [make_frames(5, seed=seed) for seed in range(4)]
    encode(tmp_path / "2.mkv", parts[1], "ffv1", "gray")
    (tmp_path / "deep").mkdir()
    encode(tmp_path / "deep" / "10.mkv", parts[3], "ffv1", "gray")
    save_all(tmp_path / "1", parts[0])
    save_all(tmp_path / "10", parts[2], "{}.jpg")
    found = clips.clips(tmp_path, WANTED)
    assert len(found) == 4
    for place in (0, 1, 3):
        np.testing.assert_array_equal(found[place], parts[place].astype(np.float32) / np.float32(255))


def test_a_video_is_a_clip(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.MKV", make_frames(5), "ffv1", "gray")
    assert [len(each) for each in clips.clips(path, WANTED)] == [5]


def test_all_clips_get_the_size_of_the_first(tmp_path: Path) -> None:
    save_all(tmp_path / "1", make_frames(3, 48, 64))
    save_all(tmp_path / "2", make_frames(3, 48, 80))
    assert [each.shape for each in clips.clips(tmp_path, WANTED)] == [(3, 24, 32), (3, 24, 32)]


class TestParts:
    def test_each_scene_is_divided_in_time(self, tmp_path: Path) -> None:
        save_all(tmp_path, np.concatenate([make_frames(20) // 4, 255 - make_frames(31, seed=1) // 4]))
        found = load(tmp_path)
        assert (found.by, found.cuts, found.clips) == ("time", (20,), 1)
        assert found.parts == {
            "train": [range(14), range(20, 42)],
            "validation": [range(14, 16), range(42, 45)],
            "test": [range(16, 20), range(45, 51)],
        }
        assert load(tmp_path, cut=0).cuts == ()
        assert load(tmp_path, cut=0.9).cuts == ()

    @pytest.mark.parametrize("length", [1, 3, 4, 7])
    def test_no_window_straddles_a_border_or_a_cut(self, tmp_path: Path, length: int) -> None:
        frames = np.concatenate([make_frames(20) // 4, 255 - make_frames(31, seed=1) // 4])
        save_all(tmp_path, frames)
        found = load(tmp_path)
        seen = {}
        for part, scenes in found.parts.items():
            windows = [range(start, start + length) for start in found.windows(part, length).tolist()]
            assert all(any({*window} <= {*scene} for scene in scenes) for window in windows)
            assert len(windows) == sum(max(len(scene) - length + 1, 0) for scene in scenes)
            seen[part] = {frame for window in windows for frame in window}
        assert all(not a & b for a, b in itertools.combinations(seen.values(), 2))

    def test_many_clips_are_divided_themselves(self, tmp_path: Path) -> None:
        for number in range(1, 11):
            save_all(tmp_path / f"{number}", make_frames(4, seed=number))
        found = load(tmp_path)
        assert found.by == "clips"
        assert found.parts["train"] == [range(4 * i, 4 * i + 4) for i in range(7)]
        assert found.parts["validation"] == [range(28, 32)]
        assert found.parts["test"] == [range(32, 36), range(36, 40)]
        assert load(tmp_path, validation=0.09).by == "time"

    def test_a_clip_that_comes_twice_counts_once(self, tmp_path: Path) -> None:
        for number in range(1, 11):
            save_all(tmp_path / f"{number}", make_frames(4, seed=min(number, 9)))
        found = load(tmp_path)
        assert (found.by, found.clips, found.repeated, len(found.frames)) == ("time", 9, 1, 36)

    def test_the_known_cuts_are_those_of_bikes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where its scenes begin, whatever data.cut says."""
        path = encode(tmp_path / "bikes.mp4", make_frames(250))
        monkeypatch.setattr(clips, "fetch", {"bikes": path.parent}.__getitem__)
        found = footage("bikes", "", WANTED, 0.0, 0.1, 0.2)
        assert found.cuts == (30, 76, 137, 187, 242)
        assert found.parts["test"][0] == range(24, 30)
        assert (found.source, sum(map(len, found.parts["train"]))) == ("bikes", 250 - 23 - 49)

    def test_the_digest_tells_frames_and_parts(self, tmp_path: Path) -> None:
        frames = make_frames(20)
        save_all(tmp_path, frames)
        digests = [load(tmp_path).sha256, load(tmp_path).sha256, load(tmp_path, test=0.3).sha256]
        frames[7, 0, 0] ^= 1
        save_all(tmp_path, frames)
        digests.append(load(tmp_path).sha256)
        assert [digests.index(each) for each in digests] == [0, 0, 2, 3]


class TestRefusals:
    def test_an_empty_folder(self, tmp_path: Path) -> None:
        endings = ".mp4, .m4v, .mov, .mkv, .webm, .avi, .png, .jpg, .jpeg"
        with pytest.raises(DataError) as caught:
            load(tmp_path)
        assert str(caught.value) == f"{tmp_path}: no file whose name ends in {endings}"

    def test_no_video_by_its_name(self, tmp_path: Path) -> None:
        path = tmp_path / "a.gif"
        path.write_bytes(b"GIF89a")
        with pytest.raises(DataError) as caught:
            load(path)
        mend = "its name should end in .mp4, .m4v, .mov, .mkv, .webm, .avi"
        assert str(caught.value) == f"{path}: neither a folder nor a video: {mend}"
        with pytest.raises(DataError, match=r"b\.gif: no such file$"):
            load(tmp_path / "b.gif")

    def test_pictures_of_two_sizes(self, tmp_path: Path) -> None:
        save_all(tmp_path, make_frames(3))
        save_all(tmp_path, make_frames(1, 24, 40), "frame9.png")
        with pytest.raises(
            DataError, match=r"frame9\.png: frame 4 is 40 × 24, and those before are 32 × 24$"
        ):
            load(tmp_path)

    def test_pictures_that_are_smaller_than_asked(self, tmp_path: Path) -> None:
        save_all(tmp_path, make_frames(1, 16, 16))
        with pytest.raises(DataError, match=r"frame1\.png: pictures of 16 × 16, and 24 × 24 are asked for$"):
            load(tmp_path)

    def test_more_than_memory_has_room_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save_all(tmp_path / "1", make_frames(3))
        save_all(tmp_path / "2", make_frames(3))
        monkeypatch.setattr(clips, "PIXELS", 5 * 24 * 32)
        with pytest.raises(
            DataError, match=r"2: its frames are more than 0 million pixels; make them smaller with data\."
        ):
            load(tmp_path)

    def test_too_many_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save_all(tmp_path, make_frames(3))
        monkeypatch.setattr(clips, "FILES", 2)
        with pytest.raises(DataError, match=r": more than 2 files$"):
            load(tmp_path)
