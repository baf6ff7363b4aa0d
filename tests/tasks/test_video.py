"""The task video: no window leaves its scene or part, nothing looks ahead, measures are right, a run is repeated."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgru.cli import main
from jaxgru.data import DataError, clips
from jaxgru.tasks import find, video
from jaxgru.tasks.prediction import drawing, outlook, quality, writing
from jaxgru.tasks.prediction.outlook import Outlook, Windows
from jaxgru.tasks.prediction.predictor import Predictor, Scale, apply, foretell
from jaxgru.tasks.video import Data, Model, Sample, Video
from jaxgru.training.config import Config
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from tests.data.moving import encode, make_frames, save_all
from tests.tasks.helpers import assert_fitted_alike, assert_resumed_alike, config_of, drawn, run, summary_of

FORETELL = jax.jit(foretell, static_argnums=(0, 3))
COUNT, CONTEXT, HORIZON = 60, 3, 2
STEPS = 3  # of a closed loop
SMALL = {"hidden_size": 4, "layers": 1}


def make_config(path: Path | str, seed: int = 0, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 5, "evaluate_every": 10, "save_every": 10, "keep": 9},
        "train": {
            "steps": 40,
            "batch_size": 4,
            "steps_per_call": 10,
            "warmup_steps": 0,
            "learning_rate": 0.02,
        },
        "data": {"path": str(path), "height": 24, "context": CONTEXT, "horizon": HORIZON, "cut": 0.0},
        "model": SMALL,
    }
    return config_of(Video, default, tables, seed)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return make_frames(COUNT)


@pytest.fixture(scope="module")
def path(frames: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("clips") / "square.mkv", frames, "ffv1", "gray")


@pytest.fixture(scope="module")
def task(path: Path) -> Video:
    return Video(make_config(path))


@pytest.fixture(scope="module")
def params(task: Video) -> Any:
    """Parameters of a model that does more than to copy."""
    return drawn(task.init)


@pytest.fixture(scope="module")
def finished(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(Video, folder, make_config(path))
    return folder


class TestData:
    def test_facts(self, task: Video, path: Path) -> None:
        facts = task.facts()
        assert facts | {"sha256": ""} == {
            "source": str(path),
            "sha256": "",
            "clips": 1,
            "repeated": 0,
            "height": 24,
            "width": 32,
            "frames": COUNT,
            "cuts": [],
            "divided": "time",
            "train": 42,
            "validation": 6,
            "test": 12,
            "scored": {"validation": 3, "test": 9},
        }
        assert len(facts["sha256"]) == 64

    def test_what_is_scored_is_all_of_a_part_that_has_enough_before_it(
        self, task: Video, frames: np.ndarray
    ) -> None:
        windows = task.windows("test", 1)
        expected = frames.astype(np.float32) / np.float32(255)
        np.testing.assert_array_equal(windows.truth[:, 0], expected[48 + CONTEXT :])
        np.testing.assert_array_equal(windows.seen[0], expected[48 : 48 + CONTEXT])
        np.testing.assert_array_equal(windows.copies[:, 0], expected[48 + CONTEXT - 1 : -1])

    def test_a_batch_has_windows_of_the_training_part(self, path: Path, frames: np.ndarray) -> None:
        plain = Video(make_config(path, data={"flip": False, "reverse": False}, model={"closed": 2}))
        rows = np.concatenate([plain.batch(step) for step in range(40)])
        assert rows.shape[1:] == (CONTEXT + 2, 24, 32)
        expected = frames[:42].astype(np.float32) / np.float32(255)
        places = [np.flatnonzero((expected == row[0]).all((1, 2))) for row in rows]
        assert {place for found in places for place in found.tolist()} >= {0, 42 - CONTEXT - 2}
        for row, found in zip(rows, places, strict=True):
            assert any(np.array_equal(expected[at : at + len(row)], row) for at in found)

    @pytest.mark.parametrize("kind", ["flip", "reverse", "crop"])
    def test_training_sees_windows_in_other_ways(self, path: Path, kind: str) -> None:
        off = {"flip": False, "reverse": False, "crop": 0}
        options = off | {kind: 16 if kind == "crop" else True}
        plain, varied = (Video(make_config(path, data=each)) for each in (off, options))
        changed = 0
        for step in range(5):
            for before, after in zip(plain.batch(step), varied.batch(step), strict=True):
                if kind == "crop":
                    places = np.lib.stride_tricks.sliding_window_view(before, (len(before), 16, 16))
                    assert (places == after).all((-3, -2, -1)).any()
                else:
                    other = before[:, :, ::-1] if kind == "flip" else before[::-1]
                    assert np.array_equal(after, before) or np.array_equal(after, other)
                changed += not np.array_equal(before, after)
        assert 3 < changed <= (20 if kind == "crop" else 17)

    def test_a_batch_is_a_function_of_the_step(self, task: Video, path: Path) -> None:
        again, other = Video(make_config(path)), Video(make_config(path, seed=1))
        np.testing.assert_array_equal(again.batch(17), task.batch(17))
        assert not np.array_equal(other.batch(17), task.batch(17))
        assert not np.array_equal(task.batch(18), task.batch(17))

    def test_nothing_is_fitted_to_the_test(
        self, task: Video, frames: np.ndarray, params: Any, tmp_path: Path
    ) -> None:
        """With other test frames all that is fitted stays, and so does validation; the test scores change."""
        changed = np.concatenate([frames[:48], make_frames(12, seed=9)])
        other = Video(make_config(encode(tmp_path / "b.mkv", changed, "ffv1", "gray")))
        assert_fitted_alike(task, other, params)
        scores, others = (each.evaluate(params, "test") for each in (task, other))
        assert scores["mse"] != others["mse"]
        assert task.baseline() != other.baseline()

    def test_empty_means_a_clip_by_name(
        self, frames: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        encode(tmp_path / "carphone_pristine.mp4", frames)
        monkeypatch.setattr(clips, "fetch", {"carphone": tmp_path}.__getitem__)
        assert Video(make_config("")).facts()["source"] == "carphone"


class TestModel:
    def test_it_starts_as_a_copy_of_the_last_frame(self, task: Video) -> None:
        params = jax.jit(task.init)(jax.random.key(3))
        scores, copies = task.evaluate(params, "test"), task.baseline()
        assert scores == {name: copies[name] for name in scores}
        assert scores["relative"] == 1
        assert set(copies) == {"mse", "psnr", "ssim", "relative", f"mse_{HORIZON}", "linear_mse"}

    def test_no_prediction_looks_ahead(self, task: Video, params: Any) -> None:
        frames = task.windows("test", 1).seen
        other = frames.copy()
        other[:, 2] = 1 - other[:, 2]
        said, changed = (FORETELL(task.model, params, jnp.asarray(each), STEPS) for each in (frames, other))
        np.testing.assert_array_equal(said[:, :2], changed[:, :2])
        assert (jnp.abs(said[:, 2:] - changed[:, 2:]).max((2, 3)) > 1e-3).all()

    def test_the_closed_loop_reads_what_was_said(self, task: Video, params: Any) -> None:
        """As if the predictions had come as frames."""
        frames = jnp.asarray(task.windows("test", 1).seen)
        said = FORETELL(task.model, params, frames, STEPS)
        whole = jnp.concatenate([frames, said[:, CONTEXT - 1 : -1]], 1)
        np.testing.assert_allclose(FORETELL(task.model, params, whole, 1), said, atol=1e-5)

    def test_the_motion_of_the_last_two_frames_is_read(self, task: Video, params: Any) -> None:
        frames = task.windows("test", 1).seen
        other = frames.copy()
        other[:, 1] += 0.1
        assert np.abs(task.predict(params, frames, 1) - task.predict(params, other, 1)).max() > 1e-3

    def test_the_loss_is_that_of_what_is_predicted(self, path: Path) -> None:
        task = Video(make_config(path, model={"layers": 2, "patch": 1, "closed": 2}))
        batch = task.batch(0)

        @jax.jit
        def both(params: Any) -> Any:
            said = foretell(task.model, params, batch[:, :CONTEXT], 2)
            return said, *task.loss(params, (), batch, jax.random.key(0))

        said, loss, carry = both(drawn(task.init, scale=0.1))
        assert said.shape[1] == CONTEXT + 1
        expected = np.square(said[:, 1:] - batch[:, 2:]).mean() / task.fitted.change**2
        assert float(loss) == pytest.approx(expected, rel=1e-5)
        assert carry == ()

    def test_predictions_do_not_depend_on_their_company(self, task: Video, params: Any) -> None:
        frames = task.windows("test", 1).seen
        together, alone = task.predict(params, frames, 2), task.predict(params, frames[4:5], 2)
        assert together.shape == (9, 2, 24, 32)
        np.testing.assert_allclose(alone[0], together[4], atol=1e-6)
        assert together.min() >= 0
        assert together.max() <= 1

    def test_scale_is_of_the_training_part(self, task: Video, frames: np.ndarray) -> None:
        train = frames[:42] / 255
        moved = np.sqrt(np.square(np.diff(train, axis=0)).mean())
        found = task.model.scale
        np.testing.assert_allclose(found, (train.mean(), train.std(), moved), rtol=1e-5)

    def test_units_are_no_matter(self, params: Any) -> None:
        """Frames that are twice as bright and twice as far apart are predicted twice as bright."""
        frames = jnp.asarray(np.random.default_rng(0).random((1, 3, 8, 8), np.float32))
        plain, double = (Predictor(Model(**SMALL), Scale(k * 0.5, k * 0.2, k * 0.1)) for k in (1, 2))
        read = jax.jit(apply, static_argnums=0)
        np.testing.assert_allclose(
            read(double, params, 2 * frames)[0], 2 * read(plain, params, frames)[0], rtol=1e-4
        )


class TestQuality:
    def test_ssim_by_hand(self) -> None:
        """At one place, summed as in the paper."""
        rng = np.random.default_rng(0)
        x, y = rng.random((2, 11, 11))
        y = 0.7 * x + 0.3 * y
        offsets = np.arange(-5, 6)
        weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
        weights /= weights.sum()
        mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
        var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
        both = (weights * (x - mean_x) * (y - mean_y)).sum()
        c1, c2 = 0.0001, 0.0009
        expected = ((2 * mean_x * mean_y + c1) * (2 * both + c2)) / (
            (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
        )
        assert float(quality.ssim(x, y)) == pytest.approx(expected, rel=1e-9)
        assert 0.5 < expected < 0.99

    def test_ssim_is_the_mean_over_places_of_each_picture(self) -> None:
        x, y = np.random.default_rng(1).random((2, 2, 13, 12))
        windows = [(slice(i, i + 11), slice(j, j + 11)) for i in range(3) for j in range(2)]
        places = [[quality.ssim(x[n][at], y[n][at]) for at in windows] for n in range(2)]
        np.testing.assert_allclose(quality.ssim(x, y), np.mean(places, 1), rtol=1e-9)

    def test_equal_pictures(self) -> None:
        x = np.random.default_rng(0).random((3, 16, 16)).astype(np.float32)
        assert quality.Quality.of(x, x) == (0, 120, 1)

    def test_psnr(self) -> None:
        x = np.zeros((2, 16, 16), np.float32)
        found = quality.Quality.of(x + np.float32(0.1), x)
        assert found.mse == pytest.approx(0.01)
        assert found.psnr == pytest.approx(20, abs=1e-5)

    def test_what_goes_on_in_a_line(self) -> None:
        seen = np.array([0.1, 0.5, 0.7, 0.2, 0.9])[None, :, None, None] * np.ones((1, 1, 2, 2))
        found = Windows(seen[:, :3], seen[:, 3:])
        np.testing.assert_allclose(found.line, 0.9)
        assert found.copies.shape == (1, 2, 2, 2)
        assert (found.copies == 0.7).all()
        assert (Windows(seen[:, 3:], seen[:, :1]).line == 1).all()

    def test_a_report_has_each_step(self) -> None:
        truth = np.zeros((3, 2, 16, 16), np.float32)
        windows = Windows(np.full((3, 2, 16, 16), 0.02, np.float32), truth)
        said = truth + np.array([0.01, 0.03], np.float32)[:, None, None]
        near = Outlook(Windows(windows.seen, truth[:, :1]), said[:, :1])
        lines = [line.split()[:6] for line in outlook.report(near, Outlook(windows, said)).splitlines()]
        assert lines[2] == lines[6] == ["1", "1.000", "4.000", "0.250", "40.00", "33.98"]
        assert lines[7] == ["2", "9.000", "4.000", "2.250", "30.46", "33.98"]


class TestRuns:
    def test_it_learns_to_beat_the_copy(self, finished: Path) -> None:
        summary = summary_of(finished)
        assert summary["test"] < 0.8 * summary["baseline"]
        assert summary["also"]["test_relative"] == pytest.approx(summary["test"] / summary["baseline"])

    def test_a_run_leaves_what_one_looks_at(self, finished: Path) -> None:
        for name in ("frames.png", "horizon.png", "errors.png"):
            with Image.open(finished / name) as picture:
                assert np.asarray(picture).std() > 20
        with Image.open(finished / "test.gif") as film:
            assert (film.n_frames, film.size) == (9, ((32 + 2 + 32) * 4, (24 + 2) * 4))
        assert "9 next frames of the test part\n" in (finished / "report.txt").read_text()

    def test_a_run_is_repeated_bit_for_bit(self, finished: Path, path: Path, tmp_path: Path) -> None:
        again = tmp_path / "again"
        run(Video, again, make_config(path))
        names = sorted(file.name for file in (again / "checkpoints").glob("*.safetensors"))
        assert len(names) == 4
        for name in names:
            assert (again / "checkpoints" / name).read_bytes() == (
                finished / "checkpoints" / name
            ).read_bytes()
        assert (again / "test.gif").read_bytes() == (finished / "test.gif").read_bytes()

    def test_a_run_goes_on_where_it_stopped(self, finished: Path, path: Path, tmp_path: Path) -> None:
        assert_resumed_alike(Video, finished, tmp_path / "resumed", make_config(path))

    def test_a_run_scores_the_same_elsewhere(
        self,
        finished: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["evaluate", str(finished)]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["test"]["mse"] == summary_of(finished)["test"]


class TestSamples:
    def test_the_test_part_is_gone_on_with(
        self,
        finished: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for folder in ("sample", "sample-2"):
            assert main(["sample", str(finished), "enlarge=2"]) == 0
            assert capsys.readouterr().out == (
                f"{folder}: 2 predicted frames after 3, 001.png to 002.png\n"
                f"{folder}/strip.png: all of them, below what came\n"
                f"{folder}/film.gif: what was read and what is predicted, marked by white above it, on its left "
                "what came\n"
            )
        task = open_run(finished, find)
        seen, truth = task.task.middle(2)
        said = task.task.predict(task.params, seen[None], 2)[0]
        for number, frame in enumerate(said, 1):
            with Image.open(f"sample/00{number}.png") as picture:
                assert picture.size == (64, 48)
                np.testing.assert_allclose(np.asarray(picture)[::2, ::2], 255 * frame, atol=0.51)
        with Image.open("sample/strip.png") as picture:
            strip = np.asarray(picture)[::2, ::2]
            np.testing.assert_allclose(strip[:24, 34:], 255 * truth[1], atol=0.51)
            np.testing.assert_allclose(strip[26:, 34:], 255 * said[1], atol=0.51)
        with Image.open("sample/film.gif") as film:
            assert film.n_frames == 5
            assert film.info["duration"] == 200
            marks = []
            for place in range(5):
                film.seek(place)
                shown = np.asarray(film.convert("L"))
                marks.append([int(shown[0, 0]), int(shown[0, -1])])
            assert marks == [[0, 0]] * 3 + [[0, 255]] * 2

    def test_another_clip_is_gone_on_with(
        self,
        finished: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        save_all(tmp_path / "more", make_frames(7, 48, 64, seed=5))
        assert main(["sample", str(finished), "more", "frames=7", "folder=out/here", "rate=10"]) == 0
        assert capsys.readouterr().out.splitlines()[1:] == [
            "out/here/strip.png: all of them",
            "out/here/film.gif: what was read and what is predicted, marked by white above it",
        ]
        assert sorted(file.name for file in Path("out/here").iterdir()) == [
            *(f"00{i}.png" for i in range(1, 8)),
            "film.gif",
            "strip.png",
        ]
        with Image.open("out/here/film.gif") as film:
            assert (film.n_frames, film.size) == (CONTEXT + 7, (32 * 4, 26 * 4))

    @pytest.mark.parametrize(
        ("words", "fault"),
        [
            (["gone"], "gone: no such file"),
            (["short"], "short: 2 frames are fewer than data.context=3"),
            (["two"], "two: 2 clips; name one of them"),
            (["small"], "small/frame1.png: pictures of 20 × 20, and 32 × 24 are asked for"),
            (
                ["frames=99"],
                "no scene of the test part has 3 to read and 99 to predict; sample.frames says how many",
            ),
            (["folder=two"], "folder is two, which is there already; nothing in it is written over"),
            (["folder=a.txt/b"], "a.txt/b: cannot be written: Not a directory"),
        ],
    )
    def test_wrong_calls(
        self,
        words: list[str],
        fault: str,
        finished: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        save_all(tmp_path / "short", make_frames(2))
        save_all(tmp_path / "small", make_frames(4, 20, 20))
        for name in ("a", "b"):
            save_all(tmp_path / "two" / name, make_frames(4, seed=len(name)))
        (tmp_path / "a.txt").write_text("")
        before = sorted(tmp_path.rglob("*"))
        assert main(["sample", str(finished), *words]) == 2
        assert capsys.readouterr().err == f"error: {fault}\n"
        assert sorted(tmp_path.rglob("*")) == before


class TestPictures:
    def test_the_gain_fits(self) -> None:
        assert drawing.gain_of(np.full(9, 0.6)) == 1
        assert drawing.gain_of(np.full(9, 0.1)) == 10

    def test_the_film_of_a_run_has_bounds(
        self, task: Video, params: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(video, "FILM", 3)
        monkeypatch.setattr(video, "TALL", 50)
        with Image.open(task.finish(params, tmp_path, jax.random.key(0))[-1]) as film:
            assert (film.n_frames, film.size) == (3, (66 * 2, 26 * 2))

    def test_pixels_become_squares(self) -> None:
        frame = np.array([[0.0, 1.2], [-1, 0.5]])
        expected = [[0, 0, 255, 255], [0, 0, 255, 255], [0, 0, 128, 128], [0, 0, 128, 128]]
        np.testing.assert_array_equal(writing.enlarged(frame, 2), expected)


class TestRefusals:
    @pytest.mark.parametrize(
        ("tables", "fault"),
        [
            (
                {"data": {"context": 6}},
                "validation has the 7 frames of data.context and one to predict; the longest has 6",
            ),
            (
                {"data": {"horizon": 10}},
                "test has the 13 frames of data.context and data.horizon; the longest has 12",
            ),
            (
                {"model": {"closed": 40}},
                "train has the 43 frames of data.context and model.closed; the longest has 42",
            ),
        ],
    )
    def test_what_is_too_short(self, path: Path, tables: dict[str, Any], fault: str) -> None:
        with pytest.raises(UserError) as caught:
            Video(make_config(path, **tables))
        assert str(caught.value) == f"{path}: no scene of the part for {fault}"

    @pytest.mark.parametrize(
        ("tables", "fault"),
        [
            ({"data": {"height": 23}}, "data.height=23 is no multiple of model.patch=2"),
            ({"data": {"width": 19}}, "data.width=19 is no multiple of model.patch=2"),
            ({"data": {"crop": 5}}, "data.crop=5 is no multiple of model.patch=2"),
            ({"data": {"crop": 26}}, "data.crop=26 is more than a side of the frames, 32 × 24"),
        ],
    )
    def test_sides_that_do_not_fit(self, path: Path, tables: dict[str, Any], fault: str) -> None:
        with pytest.raises(UserError) as caught:
            Video(make_config(path, **tables))
        assert str(caught.value) == fault

    @pytest.mark.parametrize(
        ("options", "fault"),
        [
            ({"height": 0}, "height and width are 0; one of them has to be said"),
            ({"validation": 0.5, "test": 0.5}, "validation + test must be below 1"),
        ],
    )
    def test_tables_that_cannot_be(self, options: dict[str, Any], fault: str) -> None:
        with pytest.raises(ValueError, match=f"^{fault}".replace("+", r"\+")):
            Data(**options)

    @pytest.mark.parametrize("part", ["train", "validation", "test"])
    def test_where_nothing_moves(self, frames: np.ndarray, tmp_path: Path, part: str) -> None:
        start, stop = {"train": (0, 42), "validation": (42, 48), "test": (48, 60)}[part]
        still = frames.copy()
        still[start:stop] = still[start]
        path = encode(tmp_path / "a.mkv", still, "ffv1", "gray")
        with pytest.raises(UserError) as caught:
            Video(make_config(path))
        assert str(caught.value) == f"{path}: nothing moves in the part for {part}"

    def test_where_what_moves_is_never_scored(self, frames: np.ndarray, tmp_path: Path) -> None:
        """In the frames of the test part that are read before the first prediction."""
        still = frames.copy()
        still[48 + CONTEXT :] = still[48 + CONTEXT - 1]
        with pytest.raises(UserError, match=r": nothing moves in the part for test$"):
            Video(make_config(encode(tmp_path / "a.mkv", still, "ffv1", "gray")))

    def test_a_wrong_file_gets_one_line_and_status_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "wrong.mp4"
        path.write_bytes(b"no film")
        assert main(["train", "video", f"data.path={path}", f"run.dir={tmp_path / 'run'}"]) == 2
        fault = "not a video that can be read, or a damaged one: Invalid data found when processing input"
        assert capsys.readouterr().err == f"error: {path}: {fault}\n"
        assert not (tmp_path / "run").exists()

    def test_data_that_cannot_be_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(name: str) -> Path:
            raise DataError(f"{name} cannot be had")

        monkeypatch.setattr(clips, "fetch", offline)
        with pytest.raises(UserError, match=r"^carphone cannot be had$"):
            Video(make_config(""))

    def test_what_a_run_leaves_is_enough_to_restore(self, task: Video) -> None:
        again = Video.restore(task.config, json.loads(json.dumps(task.vocabulary)))
        assert (again.fitted, "footage" in again.__dict__) == (task.fitted, False)

    @pytest.mark.parametrize(
        ("damage", "fault"),
        [
            (lambda v: [], "vocabulary should be what a run of video leaves"),
            (lambda v: {**v, "depth": 3}, "vocabulary should be what a run of video leaves"),
            (lambda v: {**v, "height": 24.0}, "vocabulary should have height of type int"),
            (lambda v: {**v, "mean": math.nan}, "vocabulary should have mean of type float"),
            (lambda v: {**v, "width": 33}, "vocabulary should have sides of 16 or more, multiples of 2"),
            (lambda v: {**v, "height": -2}, "vocabulary should have sides of 16 or more, multiples of 2"),
            (lambda v: {**v, "change": 0.0}, "vocabulary should have a deviation and a change above 0"),
        ],
    )
    def test_a_vocabulary_that_is_none(
        self, task: Video, damage: Callable[[Any], object], fault: str
    ) -> None:
        with pytest.raises(ValueError, match=f"^{fault}$"):
            Video.restore(task.config, damage(task.vocabulary))


def test_a_folder_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"^folder is 'a\\x00'; a folder's name cannot hold NUL$"):
        Sample(folder="a\0")


def test_an_input_is_found_from_anywhere() -> None:
    assert Sample(input="a.mp4").input == str(Path("a.mp4").absolute())


def test_the_config_is_a_config_of_video() -> None:
    config = read(locate("video"), (), find)
    assert (config.task, config.data.clip, config.data.path) == ("video", "carphone", "")


@pytest.mark.parametrize(("shape", "has_truth"), [((2, 4, 2060), True), ((2, 4100, 4), False)])
def test_a_film_larger_than_a_gif_can_be_is_refused_before_anything_is_written(
    shape: tuple[int, int, int], has_truth: bool, tmp_path: Path
) -> None:
    frames, folder = np.zeros(shape, np.float32), tmp_path / "new"
    with pytest.raises(
        UserError, match=r"^sample.enlarge is 16, which makes a film of .* take a smaller one$"
    ):
        writing.write(folder, frames, frames, frames if has_truth else None, Sample(enlarge=16))
    assert not folder.exists()
