"""The task speech: nothing is fitted to the test, padding weighs nothing, a run is repeated to the bit."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru.cli import main
from jaxgru.data import DataError
from jaxgru.tasks import find, speech
from jaxgru.tasks.classification import frames, listener, verdicts
from jaxgru.tasks.classification.frames import Shown
from jaxgru.tasks.pictures import new_figure
from jaxgru.tasks.speech import Speech
from jaxgru.training.config import Config
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from tests.cases import quick_jit
from tests.data.wav import wav
from tests.tasks.helpers import assert_fitted_alike, assert_resumed_alike, config_of, run, summary_of

SMALL = {
    "hidden_size": 4,
    "attention_size": 3,
    "dropout": 0.1,
    "noise": 0.0,
    "mask": 0.0,
    "label_smoothing": 0.0,
}
HEADER = "@dimensions 2\n@classLabel true low mid high\n@data\n"
LEVELS = {"low": -1.0, "mid": 0.0, "high": 1.0}


def make_series(rng: np.random.Generator, each: int, header: str = HEADER) -> str:
    """Utterances of 5 to 9 frames; one channel is noise, one at the level of the class in the second half."""
    lines = []
    for _ in range(each):
        for label, level in LEVELS.items():
            steps = int(rng.integers(5, 10))
            told = np.where(np.arange(steps) * 2 >= steps, level, 0) + rng.normal(0, 0.2, steps)
            channels = [
                ",".join(f"{v:.4f}" for v in values) for values in (10 + rng.normal(0, 30, steps), told)
            ]
            lines.append(f"{':'.join(channels)}:{label}\n")
    return header + "".join(lines)


def write_sound(path: Path, pitch: float, rate: int = 4000, samples: int = 400) -> Path:
    wave = 9000 * np.sin(2 * np.pi * pitch * np.arange(samples) / rate)
    path.write_bytes(wav(struct.pack(f"<{samples}h", *wave.astype(int)), rate=rate))
    return path


def make_config(path: Path | str, seed: int = 0, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 10, "evaluate_every": 20, "save_every": 20, "keep": 9},
        "train": {
            "steps": 60,
            "batch_size": 8,
            "steps_per_call": 2,
            "warmup_steps": 0,
            "learning_rate": 0.05,
        },
        "data": {"path": str(path), "bands": 8, "validation": 0.2, "max_padding": 0.15},
        "model": SMALL,
    }
    return config_of(Speech, default, tables, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 45 utterances to train on and 30 to test."""
    path, rng = tmp_path_factory.mktemp("levels"), np.random.default_rng(0)
    (path / "L_TRAIN.ts").write_text(make_series(rng, 15))
    (path / "L_TEST.ts").write_text(make_series(rng, 10))
    return path


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tones of two pitches."""
    path = tmp_path_factory.mktemp("tones")
    for take in range(12):
        for label, pitch in (("deep", 300), ("shrill", 1200)):
            write_sound(path / f"{label}_{take}.wav", pitch + 5 * take, samples=400 + 40 * take)
    return path


@pytest.fixture(scope="module")
def task(folder: Path) -> Speech:
    return Speech(make_config(folder))


@pytest.fixture(scope="module")
def tones(sounds: Path) -> Speech:
    return Speech(make_config(sounds, data={"names": "{label}_{take}", "test_where": "take=0-2"}))


@pytest.fixture(scope="module")
def params(task: Speech) -> Any:
    """Parameters far enough from their start that every layer matters."""
    return jax.tree.map(lambda leaf: 2 * leaf, jax.jit(task.init)(jax.random.key(0)))


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sixty steps, which are enough for these levels."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    run(Speech, path, make_config(folder))
    return path


class TestData:
    def test_the_scaler_is_that_of_training(self, folder: Path, task: Speech, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        with (tmp_path / "L_TEST.ts").open("a") as file:
            file.write("1e6,1e6:1e6,1e6:low\n")
        other = Speech(make_config(tmp_path))
        assert other.vocabulary == task.vocabulary
        every = np.concatenate([each.frames for each in task.utterances.train])
        np.testing.assert_allclose(task.scaler.means, every.mean(0), rtol=1e-5)
        np.testing.assert_allclose(np.concatenate(task.train).std(0), 1, rtol=1e-5)

    def test_the_facts_say_what_is_for_what(self, task: Speech, tones: Speech, folder: Path) -> None:
        facts = task.facts()
        assert (facts["train"], facts["validation"], facts["test"]) == (36, 9, 30)
        assert (facts["source"], facts["classes"], facts["channels"], facts["rate"]) == (str(folder), 3, 2, 0)
        assert (facts["repeated"], facts["leaked"]) == (0, 0)
        assert facts["sha256"] == task.utterances.sha256
        facts = tones.facts()
        assert (facts["train"], facts["validation"], facts["test"]) == (16, 2, 6)
        assert (facts["channels"], facts["rate"]) == (8, 4000)

    def test_an_epoch_shows_each_utterance_once_with_its_label(self, task: Speech) -> None:
        seen = []
        assert len({task.batch(step)["frames"].shape for step in range(task.buckets.steps)}) > 1
        for step in range(task.buckets.steps):
            batch = task.batch(step)
            for place in np.flatnonzero(batch["real"]):
                shown = batch["frames"][: batch["lengths"][place], place]
                seen.append((shown.tobytes(), int(batch["labels"][place])))
        expected = [
            (task.scaler(each.frames).tobytes(), task.classes.index(each.label))
            for each in task.utterances.train
        ]
        assert sorted(seen) == sorted(expected)

    def test_a_batch_is_a_function_of_the_step(self, task: Speech, folder: Path) -> None:
        again, other = Speech(make_config(folder)), Speech(make_config(folder, seed=1))
        jax.tree.map(np.testing.assert_array_equal, again.batch(17), task.batch(17))
        assert not all(np.array_equal(other.batch(s)["labels"], task.batch(s)["labels"]) for s in range(5))

    def test_nothing_is_fitted_to_the_labels_of_the_test(
        self, finished: Path, folder: Path, tmp_path: Path
    ) -> None:
        """With these labels shuffled the model, its batches and its validation stay; the test scores change."""
        *head, data = (folder / "L_TEST.ts").read_text().partition("@data\n")
        lines = [line.rsplit(":", 1) for line in data.splitlines()]
        labels = np.random.default_rng(1).permutation([label for _, label in lines])
        shuffled = "".join(f"{values}:{label}\n" for label, (values, _) in zip(labels, lines, strict=True))
        (tmp_path / "L_TEST.ts").write_text("".join(head) + shuffled)
        shutil.copy(folder / "L_TRAIN.ts", tmp_path)
        task, other = (Speech(make_config(path)) for path in (folder, tmp_path))
        params = open_run(finished, find).params
        assert_fitted_alike(task, other, params)
        assert task.evaluate(params, "test")["accuracy"] > 0.9
        assert other.evaluate(params, "test")["accuracy"] < 0.6
        assert max(scores["accuracy"] for scores in other.others.values()) < 0.6

    def test_empty_means_japanese_vowels(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def fake(name: str) -> Path:
            asked.append(name)
            return folder

        monkeypatch.setattr(speech, "fetch", fake)
        task = Speech(make_config(""))
        assert asked == ["japanese-vowels"]
        assert task.facts()["source"] == "Japanese vowels"


class TestModel:
    @pytest.mark.parametrize("model", [{}, {"pooling": "mean"}, {"pooling": "last"}])
    def test_a_batch_equals_its_utterances_alone(
        self, folder: Path, task: Speech, params: Any, model: Any
    ) -> None:
        """However each is pooled; the parameters of attention are of no use to the others."""
        task = Speech(make_config(folder, model=SMALL | model))
        spoken = [task.scaler(each.frames) for each in task.utterances.validation]
        together = task.read(params, spoken)
        for i, each in enumerate(spoken):
            alone = task.read(params, [each])
            np.testing.assert_allclose(alone.odds[0], together.odds[i], rtol=2e-5)
            np.testing.assert_allclose(alone.attention[0], together.attention[i], rtol=2e-5)
            assert together.attention[i].sum() == pytest.approx(1, rel=1e-5)
            assert len(together.attention[i]) == len(each)

    def test_the_last_output_has_seen_all_frames(self, folder: Path) -> None:
        """In either direction: each frame decides a little, and the last of a one-way model is the end."""
        frames, lengths = jax.random.normal(jax.random.key(1), (6, 1, 2)), jnp.array([6])
        for both, shares in ((True, [0.5, 0, 0, 0, 0, 0.5]), (False, [0, 0, 0, 0, 0, 1])):
            options = listener.Model(**(SMALL | {"pooling": "last", "bidirectional": both}))
            model = listener.Listener(3, options)

            @quick_jit
            def slopes(xs: jax.Array, model: listener.Listener = model) -> tuple[jax.Array, jax.Array]:
                params = model.init(jax.random.key(0), xs, lengths)

                def decided(xs: jax.Array) -> tuple[jax.Array, jax.Array]:
                    logits, weights = model.apply(params, xs, lengths)
                    return (logits**2).sum(), weights

                return jax.grad(decided, has_aux=True)(xs)

            slope, weights = slopes(frames)
            assert (jnp.abs(slope[:, 0]).max(1) > 1e-6).all()
            assert weights[0].tolist() == shares

    def test_filler_costs_nothing_and_labels_may_be_smooth(self, folder: Path, params: Any) -> None:
        model = SMALL | {"dropout": 0.0, "label_smoothing": 0.3}
        task = Speech(make_config(folder, model=model))
        batch, loss, key = task.batch(0), quick_jit(task.loss), jax.random.key(0)
        value, _ = loss(params, (), batch, key)
        padded = np.pad(batch["frames"], ((0, 0), (0, 2), (0, 0)), constant_values=1e6)
        filled = {name: np.pad(batch[name], (0, 2)) for name in ("lengths", "labels", "real")}
        assert loss(params, (), {"frames": padded, **filled}, key)[0] == pytest.approx(float(value), rel=1e-6)
        odds = task.read(params, [task.train[row] for row in task.buckets.at(0).rows if row >= 0]).odds
        wanted = 0.7 * np.eye(3)[batch["labels"][batch["real"]]] + 0.1
        assert float(value) == pytest.approx(-(wanted * np.log(odds)).sum(1).mean(), rel=1e-5)

    @pytest.mark.parametrize(
        "model", [{"dropout": 0.5}, {"noise": 0.5}, {"mask": 0.9}, {"shift": 1}, {"stretch": 0.9}]
    )
    def test_disturbances_follow_the_key(self, folder: Path, params: Any, model: Any) -> None:
        task = Speech(make_config(folder, model=SMALL | {"dropout": 0.0} | model))
        loss = quick_jit(task.loss)
        losses = [loss(params, (), task.batch(0), jax.random.key(k))[0] for k in (1, 1, 2)]
        assert losses[0] == losses[1] != losses[2]

    def test_what_is_added_to_a_whole_channel_is_gone_where_it_is_centred(self, folder: Path) -> None:
        task = Speech(make_config(folder, model=SMALL | {"centre": True}))
        params, (first, *_) = jax.jit(task.init)(jax.random.key(0)), task.train
        same, other = (task.read(params, [each]).odds for each in (first, first + np.float32([3, -2])))
        np.testing.assert_allclose(same, other, rtol=1e-4)
        plain = Speech(make_config(folder, model=SMALL))
        assert not np.allclose(
            *(plain.read(params, [each]).odds for each in (first, first + np.float32([3, -2])))
        )

    def test_bands_move_together_by_as_much_as_they_may(self) -> None:
        frames = jnp.broadcast_to(jnp.arange(5.0), (3, 400, 5))
        rows = np.asarray(listener.moved(jax.random.key(0), frames, 2))
        assert (rows == rows[0]).all()
        found, counts = np.unique(rows[0], axis=0, return_counts=True)
        wanted = [[0, 0, 0, 1, 2], [0, 0, 1, 2, 3], [0, 1, 2, 3, 4], [1, 2, 3, 4, 4], [2, 3, 4, 4, 4]]
        assert found.tolist() == wanted
        assert counts.min() > 50

    def test_a_stretched_utterance_says_the_same_in_another_time(self) -> None:
        frames = jnp.broadcast_to(jnp.arange(40.0)[:, None, None], (40, 400, 1))
        lengths = jnp.full(400, 30).at[0].set(0)
        said, lasts = map(np.asarray, listener.stretched(jax.random.key(0), frames, lengths, 0.25))
        assert lasts[0] == 0
        assert (lasts[1:].min(), lasts[1:].max()) == (24, 37)  # 37.5, rounded to even
        for row in range(1, 400):
            real = said[: lasts[row], row, 0]
            assert real[0] == 0
            assert 27 <= real[-1] <= 29
            np.testing.assert_allclose(real, np.arange(lasts[row]) * 30 / lasts[row], atol=1.5)
            assert said[:, row].max() <= 29  # nothing of the padding

    def test_noise_and_gaps_are_as_large_as_they_should_be(self) -> None:
        frames, lengths = jnp.ones((42, 500, 3)), jnp.full(500, 30)
        disturb = quick_jit(listener.disturb, static_argnames=("noise", "mask"))
        noisy = disturb(jax.random.key(0), frames, lengths, noise=0.5, mask=0.0)
        assert float(noisy.mean()) == pytest.approx(1, abs=0.01)
        assert float(noisy.std()) == pytest.approx(0.5, abs=0.01)
        masked = np.asarray(disturb(jax.random.key(0), frames, lengths, noise=0.0, mask=0.4))
        assert set(np.unique(masked)) == {0, 1}
        gaps = masked[:, :, 0] == 0
        assert (masked.min(2) == masked.max(2)).all()
        assert gaps.sum(0).max() == 12
        # One stretch at most, which begins within the row.
        assert (np.abs(np.diff(gaps.astype(int), axis=0, prepend=0)).sum(0) <= 2).all()
        assert gaps.argmax(0).max() < 30
        assert gaps.sum(0).mean() == pytest.approx(6.5, rel=0.05)


class TestRun:
    def test_it_learns_and_leaves_what_people_look_at(self, finished: Path) -> None:
        summary = summary_of(finished)
        assert summary["higher_is_better"]
        assert summary["test"] > 0.9
        assert {"test_macro_f1", "baseline_raw_accuracy", "baseline_logistic_macro_f1"} <= {*summary["also"]}
        # As they are, the channel that is noise drowns the other.
        assert summary["also"]["baseline_raw_accuracy"] < summary["baseline"] - 0.2
        for name in ("confusion.png", "utterances.png", "curves.png"):
            assert (finished / name).read_bytes().startswith(b"\x89PNG")
        report = (finished / "report.txt").read_text()
        assert report.startswith("class    utterances  found  precision      F1\nhigh             10  ")
        assert f"this model                                   {summary['test']:.4f}" in report
        assert f"1-NN DTW, channels scaled                    {summary['baseline']:.4f}" in report

    def test_a_resumed_run_ends_in_the_same_bits(self, finished: Path, folder: Path, tmp_path: Path) -> None:
        assert_resumed_alike(Speech, finished, tmp_path / "resumed", make_config(folder))

    def test_a_run_is_opened_with_the_same_scores(self, finished: Path) -> None:
        summary = summary_of(finished)
        assert open_run(finished, find).evaluate()["test"]["accuracy"] == summary["test"]

    def test_a_case_of_the_test_is_named(self, finished: Path) -> None:
        opened = open_run(finished, find)
        name, *classes, empty, attention = opened.sample("2").splitlines()
        assert (name, empty) == ("utterance 2 of the test split (case 2 of L_TEST.ts), high", "")
        assert classes[0].startswith("high  ")
        assert {line.split()[0] for line in classes} == {*LEVELS}
        odds = [float(line.split()[1]) for line in classes]
        assert sum(odds) == pytest.approx(1, abs=2e-4)
        assert sorted(odds, reverse=True) == odds
        assert attention.startswith("half of the attention lies on frames ")
        assert opened.sample() == opened.sample("0") != opened.sample(input="2")

    def test_cases_of_a_file_are_named(self, finished: Path, tmp_path: Path) -> None:
        opened, path = open_run(finished, find), tmp_path / "new.ts"
        path.write_text(make_series(np.random.default_rng(5), 2))
        name, header, *rows, right = opened.sample(str(path)).splitlines()
        assert name == str(path)
        assert header.split() == ["case", "said", "probability", "label"]
        assert [row.split()[3] for row in rows] == ["low", "mid", "high"] * 2
        assert right == f"{sum(row.split()[1] == row.split()[3] for row in rows)} of 6 right"
        path.write_text("@data\n10,11,12:-1,-1,-1\n")
        assert opened.sample(str(path)).splitlines()[:2][0] == str(path)
        path.write_text("@data\n10,11,12:5,5,5\n1:1\n")
        assert opened.sample(str(path)).endswith("-")

    def test_a_sound_is_named(self, tones: Speech, tmp_path: Path) -> None:
        config, key = tones.config, jax.random.key(0)
        restored = Speech.restore(config, json.loads(json.dumps(tones.vocabulary)))
        params = jax.jit(restored.init)(key)
        path = write_sound(tmp_path / "a.wav", 300, samples=420)
        said = restored.sample(params, str(path), key, config.sample).splitlines()
        assert said[0] == str(path)
        assert sorted(line.split()[0] for line in said[1:3]) == ["deep", "shrill"]
        assert said[-1].startswith("half of the attention lies between ")
        assert said[-1].endswith(" of 0.11 s")
        assert "utterances" not in restored.__dict__  # nothing was read to do so
        assert tones.sample(params, "0", key, config.sample).startswith(
            "utterance 0 of the test split (deep_0.wav), deep\n"
        )

    def test_what_is_cut_is_said_to_be(self, sounds: Path, tmp_path: Path) -> None:
        task = Speech(make_config(sounds, data={"names": "{label}_{take}", "longest": 5}))
        params = jax.jit(task.init)(jax.random.key(0))
        path = write_sound(tmp_path / "a.wav", 300, samples=4000)
        said = task.sample(params, str(path), jax.random.key(0), task.config.sample)
        assert said.endswith("\nonly the first 5 of 98 frames were read")

    def test_an_utterance_that_is_drawn_can_be_asked_for(self, task: Speech, params: Any) -> None:
        spoken = task.utterances.test
        drawn = task._shown(spoken, task.read(params, task._scale(spoken)))
        for each in drawn:
            name, _, rest = each.title.partition(": ")
            number = name.removeprefix("utterance ")
            np.testing.assert_array_equal(each.frames, task.scaler(task.hear(number).frames[0]))
            assert rest.split(",")[0] == task.hear(number).labels[0]
        assert len(drawn) > 2

    def test_frames_are_drawn_where_the_text_counts_them(self) -> None:
        figure = new_figure(2, 2)
        above, below = figure.subplots(2)
        each = Shown("", np.zeros((3, 2), np.float32), np.float32([0.1, 0.2, 0.7]))
        frames.draw_frames(above, each, None)
        frames.draw_attention(below, each.attention, None, last=True)
        assert above.images[0].get_extent() == [0.5, 3.5, 0, 2]
        assert below.patches[0].get_data().edges.tolist() == [0.5, 1.5, 2.5, 3.5]

    def test_names_that_do_not_print_keep_to_their_line(self) -> None:
        classes, odds = ["a\nb", "c\x1b"], np.float32([[0.9, 0.1], [0.4, 0.6]])
        report = verdicts.report(np.array([[1, 0], [1, 1]]), classes, {}, "utterances")
        assert report.splitlines()[1].startswith(r"a\nb              1  1.000")
        assert report.splitlines()[2].startswith(r"c\x1b             2  0.500")
        assert verdicts.ranked(dict(zip(classes, odds[0].tolist(), strict=True))).splitlines() == [
            r"a\nb   0.9000",
            r"c\x1b  0.1000",
        ]
        assert r"   0  a\nb        0.9000  a\nb" in frames.answers(classes, odds, classes).splitlines()
        assert verdicts.title("a\nb", odds[1], classes) == r"a\nb, taken for c\x1b with a probability of 0.60"

    def test_sounds_are_drawn(self, tones: Speech, tmp_path: Path) -> None:
        shown = [Shown("$x$_{", tones.utterances.test[0].frames, np.full(9, 1 / 9, np.float32)[:8])] * 3
        frames.draw(tmp_path / "sound.png", shown, tones.features)
        silent = Shown("silent", np.zeros((1, 1), np.float32), np.ones(1, np.float32))
        frames.draw(tmp_path / "silent.png", [silent], None)
        frames.draw(tmp_path / "none.png", [], None)
        assert len(list(tmp_path.glob("*.png"))) == 3


class TestRefusals:
    def test_inputs_of_another_kind(self, task: Speech, tones: Speech, params: Any, tmp_path: Path) -> None:
        def refusal(of: Speech, given: str) -> str:
            with pytest.raises(UserError) as error:
                of.sample(params, given, jax.random.key(0), of.config.sample)
            return str(error.value).removeprefix(f"{tmp_path}/")

        number = "the number of an utterance of the test split"
        sound, series = write_sound(tmp_path / "a.wav", 300, rate=8000), tmp_path / "a.ts"
        series.write_text("@data\n1,2\n")
        learnt = "the model has learnt from"
        assert refusal(task, str(sound)) == (
            f"a.wav: {learnt} 2 channels of .ts files, not sound; give a .ts file, or {number}"
        )
        assert (
            refusal(tones, str(series))
            == f"a.ts: {learnt} sound, not .ts files; give a .wav file, or {number}"
        )
        assert refusal(tones, str(sound)) == f"a.wav: 8000 samples a second, and {learnt} 4000"
        assert refusal(task, str(series)) == f"a.ts: 1 dimensions, and {learnt} 2"
        wanted = f"INPUT should be a .ts file, or {number}"
        assert refusal(task, "hello") == f"hello: no such file; {wanted}"
        assert refusal(task, "a" * 5000) == f"{'a' * 5000}: cannot be read: File name too long; {wanted}"
        (tmp_path / "a.txt").touch()
        assert refusal(task, str(tmp_path / "a.txt")) == f"a.txt: not .ts; {wanted}"
        assert refusal(tones, "") == f".: not a regular file; INPUT should be a .wav file, or {number}"
        assert refusal(tones, str(tmp_path / "no.wav")) == "no.wav: no such file"
        for given in ("30", "9" * 5000):
            assert refusal(task, given) == f"the test split has the utterances 0 to 29, and no {given}"

    def test_data_that_is_no_longer_that_of_the_run(
        self, finished: Path, folder: Path, tmp_path: Path
    ) -> None:
        changed, run_dir = tmp_path / "data", tmp_path / "run"
        shutil.copytree(finished, run_dir)
        config = run_dir / "config.toml"
        config.write_text(config.read_text().replace(str(folder), str(changed)))

        def refusal(changes: Callable[[str], str]) -> str:
            shutil.copytree(folder, changed, dirs_exist_ok=True)
            for path in changed.iterdir():
                path.write_text(changes(path.read_text()))
            with pytest.raises(UserError) as error:
                open_run(run_dir, find).sample("0")
            return str(error.value).removeprefix(f"{changed}: changed since the run: ")

        def one_channel(text: str) -> str:
            header, _, cases = text.replace("@dimensions 2", "@dimensions 1").partition("@data\n")
            return f"{header}@data\n" + "".join(line.partition(":")[2] + "\n" for line in cases.splitlines())

        assert refusal(one_channel) == "channels: 1, and then 2"
        renamed = "classes: 'high, low, middle', and then 'high, low, mid'"
        assert refusal(lambda text: text.replace("mid", "middle")) == renamed

    def test_a_sound_of_another_rate_than_that_of_the_run(self, tones: Speech) -> None:
        other = tones.vocabulary | {"rate": 8000}
        task = Speech.restore(tones.config, other)
        with pytest.raises(
            UserError, match=r": changed since the run: samples a second: 4000, and then 8000$"
        ):
            task.hear("0")

    def test_too_few_to_choose_by_are_told_of(
        self, folder: Path, sounds: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Speech(make_config(folder, data={"validation": 0.3}))
        assert not capsys.readouterr().err
        Speech(make_config(sounds, data={"names": "{label}_{take}"}))
        what = "only 4 utterances choose the checkpoint"
        mend = "raise data.validation, or name files in data.validation_where"
        assert capsys.readouterr().err == f"warning: {what}: {mend}\n"

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({"names": "{take}"}, "'{take}' has no {label}, the class of a file"),
            (
                {"test_where": "take"},
                "'take' is no rule; write a field and its values, such as take=0-4 or speaker=ann,bob",
            ),
        ],
    )
    def test_a_rule_that_is_none(
        self, sounds: Path, data: Any, message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = [f"data.{name}={value}" for name, value in data.items()]
        assert main(["train", "speech", f"data.path={sounds}", *words]) == 2
        assert capsys.readouterr().err == f"error: [data] {message}\n"

    def test_features_that_do_not_go_together(self, sounds: Path) -> None:
        with pytest.raises(
            UserError, match=r"^\[data\] highest is 3000 Hz, but 4000 samples a second hold 2000 Hz$"
        ):
            Speech(make_config(sounds, data={"names": "{label}_{take}", "highest": 3000.0}))

    def test_a_wrong_file_gets_one_line_and_status_2(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copytree(folder, tmp_path / "data")
        path = tmp_path / "data" / "L_TEST.ts"
        path.write_text(HEADER + "1,?:2,3:low\n")
        assert main(["train", "speech", f"data.path={path.parent}", f"run.dir={tmp_path / 'run'}"]) == 2
        what = "line 4: dimension 1, value 2 is missing (?): fill it in, or leave the case out"
        assert capsys.readouterr().err == f"error: {path}: {what}\n"
        assert not (tmp_path / "run").exists()

    def test_data_that_cannot_be_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(name: str) -> Path:
            raise DataError(f"{name} cannot be had")

        monkeypatch.setattr(speech, "fetch", offline)
        with pytest.raises(UserError, match=r"^japanese-vowels cannot be had$"):
            Speech(make_config(""))

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda v: None, "vocabulary should be classes, scaler and rate"),
            (lambda v: {"classes": v["classes"]}, "vocabulary should be classes, scaler and rate"),
            (
                lambda v: v | {"classes": ["a", "a"]},
                "vocabulary should be classes, each a list of different strings",
            ),
            (lambda v: v | {"classes": ["a"]}, "vocabulary should have two classes or more"),
            (lambda v: v | {"rate": 3}, "rate should be samples in a second, or 0, not 3"),
            (lambda v: v | {"rate": "8000"}, "rate should be samples in a second, or 0, not '8000'"),
            (
                lambda v: v | {"scaler": {}},
                "the scaler should be means and scales, each a list of as many numbers, and no scale 0",
            ),
        ],
    )
    def test_a_vocabulary_that_is_none(
        self, task: Speech, damage: Callable[[dict[str, Any]], object], message: str
    ) -> None:
        with pytest.raises(ValueError) as error:  # noqa: PT011 the whole message is compared
            Speech.restore(task.config, damage(task.vocabulary))
        assert str(error.value) == message


def test_the_config_is_whole() -> None:
    config = read(locate("speech"), [], find)
    assert (config.task, config.data.path) == ("speech", "")


@pytest.mark.full
def test_vowels_are_told_better_than_the_baseline_tells_them(tmp_path: Path) -> None:
    """One seed of the config; needs the data set in the cache, or a network."""
    summary = run(Speech, tmp_path / "run", read(locate("speech"), [], find))
    facts = json.loads((tmp_path / "run" / "data.json").read_text())["facts"]
    assert (facts["train"] + facts["validation"], facts["test"], facts["leaked"]) == (270, 370, 0)
    assert summary["also"]["baseline_raw_accuracy"] == pytest.approx(351 / 370)  # what others have for it too
    assert summary["test"] >= 0.96
