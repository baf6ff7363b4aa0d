"""The task music: whole pieces scored step by step, voices in their ranges, files that others can open."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
from scipy.special import expit

from jaxgru.cli import main
from jaxgru.data import DataError, midi, music
from jaxgru.data.rolls import KEYS, LOWEST, Roll
from jaxgru.tasks import find
from jaxgru.tasks.composition import playing
from jaxgru.tasks.composition.markov import Markov
from jaxgru.tasks.composition.playing import play
from jaxgru.tasks.composition.rollmodel import apply
from jaxgru.tasks.composition.voices import draw_voices
from jaxgru.tasks.music import Compose, shifted
from jaxgru.tasks.pictures import unused
from jaxgru.tasks.recurrences import TITLES
from jaxgru.training.config import Config
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from tests.data.scores import chorale, mxl, note, score
from tests.data.test_matfiles import cells
from tests.tasks.helpers import assert_fitted_alike, assert_resumed_alike, config_of, run, summary_of

PARTS = {"train": "traindata", "validation": "validdata", "test": "testdata"}
NEVER = "so many keys never sound at once in training"
ENDINGS = ".mid, .midi, .mxl, .musicxml, .xml"
STILL = {
    "input_dropout": 0.0,
    "output_dropout": 0.0,
    "state_dropout": 0.0,
    "drop_connect": 0.0,
    "weight_noise": 0.0,
}


def make_rolls(path: Path, seed: int = 0, **other: list[Roll]) -> Path:
    """A .mat file of 24, 6 and 6 pieces of 8 or 20 steps."""
    rng = np.random.default_rng(seed)
    counts = {"train": 24, "validation": 6, "test": 6}
    rolls = {
        part: [chorale(rng, int(rng.choice([8, 20]))) for _ in range(n)] for part, n in counts.items()
    } | other
    scipy.io.savemat(path, {PARTS[part]: cells(*each) for part, each in rolls.items()})
    return path


def make_config(path: Path | str, seed: int = 0, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 10, "evaluate_every": 30, "save_every": 30, "keep": 9},
        "train": {
            "steps": 60, "batch_size": 8, "steps_per_call": 1, "warmup_steps": 0, "learning_rate": 0.03,
            "weight_decay": 0.0,
        },
        "data": {"path": str(path), "grid": 2, "max_padding": 0.2},
        "model": {"hidden_size": 12, "clock": 0, "weight_noise": 0.0, "output_dropout": 0.1, "input_dropout": 0.1},
        "sample": {"length": 40, "temperature": 1.0},
    }  # fmt: skip
    return config_of(Compose, default, tables, seed)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rolls(tmp_path_factory.mktemp("music") / "rolls.mat")


@pytest.fixture(scope="module")
def task(path: Path) -> Compose:
    return Compose(make_config(path))


@pytest.fixture(scope="module")
def params(task: Compose) -> Any:
    """Parameters far enough from their start that every layer matters."""
    return jax.tree.map(lambda leaf: 2 * leaf, jax.jit(task.init)(jax.random.key(0)))


@pytest.fixture(scope="module")
def finished(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(Compose, folder, make_config(path))
    return folder


def tracks(content: bytes) -> Iterator[tuple[str, list[tuple[int, int, int]]]]:
    """The name and the (key, start, end) in ticks of each track of a MIDI file, by another reader than jaxgru's.

    From the Standard MIDI File specification; it knows the messages that a file of ours has, and fails at others.
    """
    head, size, form, count, ticks = struct.unpack_from(">4sIHHH", content)
    assert (head, size, form, ticks) == (b"MThd", 6, 1, 480)
    at = 14
    for _ in range(count):
        kind, size = struct.unpack_from(">4sI", content, at)
        assert kind == b"MTrk"
        body, at = content[at + 8 : at + 8 + size], at + 8 + size
        assert len(body) == size
        name, notes, struck, now, i, status, ended = "", [], {}, 0, 0, 0, False
        while i < size:
            delta = 0
            while True:
                delta, more, i = delta << 7 | body[i] & 0x7F, body[i] & 0x80, i + 1
                if not more:
                    break
            now += delta
            if body[i] == 0xFF:
                kind_, length = body[i + 1], body[i + 2]
                data, i = body[i + 3 : i + 3 + length], i + 3 + length
                name = data.decode() if kind_ == 3 else name
                ended = kind_ == 0x2F
                continue
            if body[i] & 0x80:
                status, i = body[i], i + 1
            key, loud, i = body[i], body[i + 1], i + 2
            assert status in (0x80, 0x90)
            if status == 0x90 and loud:
                assert key not in struck
                struck[key] = now
            else:
                notes.append((key, struck.pop(key), now))
        assert ended
        assert not struck
        yield name, notes
    assert at == len(content)


class TestData:
    def test_the_facts_say_what_is_for_what(self, task: Compose, path: Path) -> None:
        facts = task.facts()
        assert [facts[part] for part in PARTS] == [24, 6, 6]
        assert facts["train_steps"] == sum(map(len, task.train))
        assert (facts["source"], facts["sha256"]) == (str(path), task.music.sha256)

    def test_an_epoch_shows_each_piece_once(self, task: Compose) -> None:
        seen = []
        assert len({task.batch(step)["rolls"].shape for step in range(task.buckets.steps)}) > 1
        for step in range(task.buckets.steps):
            batch = task.batch(step)
            seen += [batch["rolls"][:n, i].tobytes() for i, n in enumerate(batch["lengths"]) if n]
        assert sorted(seen) == sorted(roll.tobytes() for roll in task.train)

    def test_a_batch_is_a_function_of_the_step(self, path: Path) -> None:
        tasks = [Compose(make_config(path, seed, data={"transpose": 5})) for seed in (0, 0, 1)]
        batches = [[each.batch(step)["rolls"] for step in (17, 3)] for each in tasks]
        jax.tree.map(np.testing.assert_array_equal, batches[0], batches[1])
        assert not all(np.array_equal(a, b) for a, b in zip(batches[0], batches[2], strict=True))

    def test_pieces_are_shifted_in_training_alone(self, path: Path, task: Compose, params: Any) -> None:
        other = Compose(make_config(path, data={"transpose": 2}))
        by = set()
        for step in range(20):
            for mine, plain in zip(
                other.batch(step)["rolls"].swapaxes(0, 1),
                task.batch(step)["rolls"].swapaxes(0, 1),
                strict=True,
            ):
                by |= {k for k in range(-5, 6) if np.array_equal(np.roll(plain, k, 1), mine) and plain.any()}
        assert by == {-2, -1, 0, 1, 2}
        for split in ("validation", "test"):
            assert other.evaluate(params, split) == task.evaluate(params, split)
        assert other.vocabulary == task.vocabulary

    def test_no_note_is_shifted_off_the_keyboard(self) -> None:
        roll = np.zeros((3, KEYS), np.uint8)
        roll[0, [2, 60]] = 1
        assert np.flatnonzero(shifted(roll, -2)[0]).tolist() == [0, 58]
        np.testing.assert_array_equal(shifted(roll, -3), roll)

    def test_nothing_is_fitted_to_the_test(
        self, finished: Path, path: Path, tmp_path: Path, task: Compose
    ) -> None:
        """With another test the ranges, the batches and the validation stay; the test scores change."""
        odd = [np.roll(roll, 12, axis=1) for roll in task.rolls("test")]
        other = Compose(make_config(make_rolls(tmp_path / "odd.mat", test=odd)))
        params = open_run(finished, find).params
        assert_fitted_alike(task, other, params)
        assert other.evaluate(params, "test")["nll"] > 1.2 * task.evaluate(params, "test")["nll"]
        assert other.baseline()["nll"] > 1.2 * task.baseline()["nll"]


class TestModel:
    @pytest.mark.parametrize("clock", [0, 3])
    def test_a_step_is_scored_by_what_came_before(self, path: Path, clock: int) -> None:
        """−log of a product over the keys, in float64, from the logits of a walk step by step."""
        task = Compose(make_config(path, model={"clock": clock}))
        params = jax.tree.map(lambda leaf: 2 * leaf, jax.jit(task.init)(jax.random.key(0)))
        assert params["params"]["gru"][0].w_x.shape == (KEYS + clock, 36)
        roll = task.rolls("test")[0]
        (costs,) = task.costs(params, [roll])
        carry, x = None, np.zeros((1, 1, KEYS), np.float32)
        for t, (step, cost) in enumerate(zip(roll, costs, strict=True)):
            carry, logits = apply(task.model, params, x, carry, None, t)
            odds = expit(np.asarray(logits[0, 0], np.float64))
            assert cost == pytest.approx(-np.log(np.where(step == 1, odds, 1 - odds)).sum(), rel=1e-5)
            x = step[None, None].astype(np.float32)

    def test_the_score_is_the_mean_over_all_steps(self, task: Compose, params: Any) -> None:
        costs = [task.costs(params, [roll])[0] for roll in task.rolls("test")]
        assert [len(each) for each in costs] == [len(roll) for roll in task.rolls("test")]
        scores = task.evaluate(params, "test")
        assert scores["nll"] == pytest.approx(np.concatenate(costs).mean(), rel=1e-5)
        assert scores["nll_after_first"] == pytest.approx(
            np.concatenate([c[1:] for c in costs]).mean(), rel=1e-5
        )

    def test_a_model_that_knows_nothing_pays_a_bit_a_key(self, task: Compose, params: Any) -> None:
        zeros = jax.tree.map(jnp.zeros_like, params)
        assert task.evaluate(zeros, "test")["nll"] == pytest.approx(KEYS * np.log(2), rel=1e-6)

    def test_padding_and_filler_cost_nothing(self, path: Path, params: Any) -> None:
        task = Compose(make_config(path, model=STILL))
        batch, loss = task.batch(0), jax.jit(task.loss)
        value, _ = loss(params, (), batch, jax.random.key(0))
        rolls = [batch["rolls"][:n, i] for i, n in enumerate(batch["lengths"])]
        assert float(value) == pytest.approx(np.concatenate(task.costs(params, rolls)).mean(), rel=1e-5)
        wider = {
            "rolls": np.pad(batch["rolls"], ((0, 3), (0, 2), (0, 0)), constant_values=1),
            "lengths": np.pad(batch["lengths"], (0, 2)),
        }
        assert loss(params, (), wider, jax.random.key(0))[0] == pytest.approx(float(value), rel=1e-6)

    @pytest.mark.parametrize("name", [*STILL])
    def test_dropout_follows_the_key(self, path: Path, params: Any, name: str) -> None:
        task = Compose(make_config(path, model=STILL | {name: 0.5}))
        batch, keys = task.batch(0), jax.vmap(jax.random.key)(jnp.array([1, 1, 2]))
        losses = jax.jit(jax.vmap(lambda key: task.loss(params, (), batch, key)[0]))(keys)
        assert losses[0] == losses[1] != losses[2]

    def test_layers_stand_above_each_other(self, path: Path) -> None:
        task = Compose(make_config(path, model={"layers": 2, "hidden_size": 5}))
        shapes = jax.eval_shape(task.init, jax.random.key(0))["params"]
        assert [layer.w_x.shape for layer in shapes["gru"]] == [(88, 15), (5, 15)]
        assert shapes["Dense_0"]["kernel"].shape == (5, 88)


class TestRun:
    def test_it_learns_and_leaves_what_people_look_at(self, finished: Path, task: Compose) -> None:
        summary = summary_of(finished)
        assert not summary["higher_is_better"]
        blind = Markov.count([np.zeros((1, KEYS), np.uint8)])
        assert (
            summary["test"] < 0.3 * np.concatenate([blind.nats(roll) for roll in task.rolls("test")]).mean()
        )
        assert summary["baseline"] == task.baseline()["nll"]
        assert {"test_nll_after_first", "baseline_nll_after_first"} <= {*summary["also"]}
        for name in ("pianoroll.png", "curves.png"):
            assert (finished / name).read_bytes().startswith(b"\x89PNG")
        assert (finished / "sample.mid").read_bytes().startswith(b"MThd")

    def test_a_resumed_run_ends_in_the_same_bits(self, finished: Path, path: Path, tmp_path: Path) -> None:
        copy = tmp_path / "resumed"
        assert_resumed_alike(Compose, finished, copy, make_config(path))
        assert (copy / "sample.mid").read_bytes() == (finished / "sample.mid").read_bytes()

    def test_a_run_is_opened_with_the_same_scores(self, finished: Path) -> None:
        summary = summary_of(finished)
        scores = open_run(finished, find).evaluate()
        assert scores["test"]["nll"] == summary["test"]
        assert scores["validation"]["nll"] == summary["validation"]

    def test_the_music_is_read_only_to_score(self, finished: Path, task: Compose, params: Any) -> None:
        config = make_config(finished / "gone.mat", sample={"prompt": "gone.mid"})
        restored = Compose.restore(config, json.loads(json.dumps(task.vocabulary)))
        played = [of.play(params, "", jax.random.key(0), of.config.sample).roll for of in (restored, task)]
        np.testing.assert_array_equal(*played)
        with pytest.raises(UserError, match=r"gone\.mat: no such file$"):
            restored.evaluate(params, "test")


class TestPlaying:
    def test_voices_keep_to_their_ranges_in_the_file(
        self, finished: Path, task: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Read back by another reader: four tracks, each in its range, none above the one before, no rest."""
        monkeypatch.chdir(tmp_path)
        opened = open_run(finished, find)
        said = opened.sample(seed=3, temperature=1.5)
        assert said == "sample.mid: 40 steps\nsample.png: the same as a picture"
        (_, tempo), *voices = tracks((tmp_path / "sample.mid").read_bytes())
        assert not tempo
        assert [name for name, _ in voices] == ["soprano", "alto", "tenor", "bass"]
        lines = []
        for (_, notes), (low, high) in zip(voices, task.ranges(4), strict=True):
            line = np.zeros(40, int)
            for key, start, end in notes:
                assert low <= key - LOWEST <= high
                assert not line[start // 240 : end // 240].any()
                line[start // 240 : end // 240] = key
            lines.append(line)
        assert np.min(lines) > 0
        assert (np.diff(lines, axis=0) < 0).all()
        assert len(np.unique(lines[0])) > 1

    def test_a_piece_goes_on_from_a_file(
        self,
        finished: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        begun = mxl(
            tmp_path / "begun.mxl", score(note("B4", 4), note("F4", 4), note("B3", 4), note("Eb3", 4))
        )
        assert main(["sample", str(finished), str(begun), "length=10", "file=on.mid"]) == 0
        assert (
            capsys.readouterr().out
            == "on.mid: 10 steps after the 4 of the prompt\non.png: the same as a picture\n"
        )
        _, (name, notes), *voices = tracks((tmp_path / "on.mid").read_bytes())
        assert name == "prompt"
        assert sorted(notes) == [(51, 0, 960), (59, 0, 960), (65, 0, 960), (71, 0, 960)]
        assert min(start for _, notes in voices for _, start, _ in notes) == 960
        assert max(end for _, notes in voices for _, _, end in notes) == 960 + 10 * 240
        assert main(["sample", str(finished), "on.mid", "length=5"]) == 0
        assert capsys.readouterr().out.startswith("sample.mid: 5 steps after the 14 of the prompt\n")
        assert (tmp_path / "on.png").read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize("clock", [0, 3])
    def test_playing_is_one_walk(self, path: Path, clock: int) -> None:
        """At a temperature near 0 each step is the likeliest one of what the model says after all that was heard."""
        task = Compose(make_config(path, model={"clock": clock}, sample={"temperature": 0.01, "length": 12}))
        params = jax.tree.map(lambda leaf: 4 * leaf, jax.jit(task.init)(jax.random.key(0)))
        begun = task.rolls("test")[0]
        options, ranges = task.config.sample, jnp.array(task.ranges(4))
        how = {"length": options.length, "temperature": options.temperature}
        played = play(task.model, params, begun, task.ranges(4), jax.random.key(0), **how)
        x, carry = np.concatenate([np.zeros((1, KEYS)), begun]).astype(np.float32)[:, None], None
        for t in range(options.length):
            carry, logits = apply(task.model, params, x, carry, None, len(begun) + t if t else 0)
            keys = np.asarray(draw_voices(logits[-1, 0], ranges, 0.01, jax.random.key(t)))
            step = played.roll[len(begun) + t]
            assert np.flatnonzero(step).tolist() == sorted(keys.tolist())
            x = step.astype(np.float32)[None, None]
        np.testing.assert_array_equal(played.roll[: len(begun)], begun)

    def test_keys_may_come_as_they_like(self, finished: Path, task: Compose) -> None:
        params = open_run(finished, find).params
        options = make_config("", sample={"voices": 0, "length": 200}).sample
        played = task.play(params, "", jax.random.key(0), options)
        assert [*played.parts] == ["piece"]
        assert len({*played.roll.sum(1).tolist()}) > 1

    def test_music_without_four_voices_is_played_as_it_comes(
        self, path: Path, tmp_path: Path, params: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What the config says of all music ends no training; what is asked for by hand is refused elsewhere."""
        few = Compose(make_config(path, sample={"voices": 7}))
        assert [each.name for each in few.finish(params, tmp_path, jax.random.key(0))] == [
            "sample.mid",
            "pianoroll.png",
        ]
        fault = "sample.voices is 7, and so many keys never sound at once in training"
        assert capsys.readouterr().err == f"warning: {fault}: as many sound as come; 3, 4 are known\n"
        assert [name for name, _ in tracks((tmp_path / "sample.mid").read_bytes())] == ["", "piece"]

    def test_the_slowest_piece_can_be_written(self, path: Path, tmp_path: Path, params: Any) -> None:
        task = Compose(make_config(path, sample={"tempo": 4.0}))
        task.finish(params, tmp_path, jax.random.key(0))
        assert b"\xff\x51\x03" + (15_000_000).to_bytes(3, "big") in (tmp_path / "sample.mid").read_bytes()

    @pytest.mark.parametrize(("grid", "ticks"), [(0, 480), (4, 120)])
    def test_a_step_of_a_mat_file_is_a_quarter_note(
        self, path: Path, tmp_path: Path, params: Any, grid: int, ticks: int
    ) -> None:
        task = Compose(make_config(path, data={"grid": grid}))
        task.finish(params, tmp_path, jax.random.key(0))
        _, *voices = tracks((tmp_path / "sample.mid").read_bytes())
        assert max(end for _, notes in voices for *_, end in notes) == 40 * ticks

    def test_the_seed_decides(self, finished: Path, task: Compose) -> None:
        params, options = open_run(finished, find).params, task.config.sample
        rolls = [task.play(params, "", jax.random.key(k), options).roll for k in (1, 1, 2)]
        np.testing.assert_array_equal(rolls[0], rolls[1])
        assert not np.array_equal(rolls[0], rolls[2])

    def test_no_file_is_written_over_unasked(self, tmp_path: Path) -> None:
        path = tmp_path / "sample.mid"
        assert unused(path) == path
        path.with_suffix(".png").touch()
        assert unused(path) == tmp_path / "sample-2.mid"
        (tmp_path / "sample-2.mid").touch()
        assert unused(path) == tmp_path / "sample-3.mid"

    def test_names(self) -> None:
        assert [len(playing.names(n)) for n in range(9)] == [1, 1, 2, 3, 4, 5, 6, 7, 8]


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "fault"),
        [
            ({"voices": 7}, f"sample.voices is 7, and {NEVER}; 0 takes as many as come, and 3, 4 are known"),
            ({"file": "a.wav"}, "file is a.wav; it is a MIDI file, and its name should end in .mid"),
            ({"prompt": "no.mid"}, "{here}/no.mid: no such file"),
            ({"prompt": "a.txt"}, f"{{here}}/a.txt: not a piece: its name should end in {ENDINGS}"),
            ({"tempo": 3.9}, "tempo is 3.9; it must be at least 4"),
            ({"length": 0}, "length is 0; it must be at least 1"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_played(
        self,
        finished: Path,
        options: dict[str, Any],
        fault: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UserError) as error:
            open_run(finished, find).sample(**options)
        assert str(error.value) == fault.format(here=Path.cwd())
        assert not [*tmp_path.iterdir()]

    @pytest.mark.parametrize(
        "damage",
        [
            lambda v: None,
            lambda v: v[:-1],
            lambda v: [*v[:3], v[3][:3], *v[4:]],
            lambda v: [*v[:3], v[3][::-1], *v[4:]],
            lambda v: [*v[:3], [[0, 88]] * 4, *v[4:]],
            lambda v: [*v[:3], [[5, 4]] * 4, *v[4:]],
            lambda v: [*v[:3], [[0.0, 4]] * 4, *v[4:]],
            lambda v: [*v[:3], [[0]] * 4, *v[4:]],
            lambda v: [*v[:3], "ab", *v[4:]],
        ],
    )
    def test_a_vocabulary_that_is_none(self, task: Compose, damage: Callable[[Any], object]) -> None:
        with pytest.raises(
            ValueError, match=r"^vocabulary should be the ranges of one to 8 voices, each \[lowest, "
        ):
            Compose.restore(task.config, damage(task.vocabulary))

    def test_a_wrong_file_gets_one_line_and_status_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "wrong.mat"
        path.write_bytes(b"no rolls")
        assert main(["train", "music", f"data.path={path}", f"run.dir={tmp_path / 'run'}"]) == 2
        fault = "not a .mat file of level 5, whose header ends in IM or MI after 126 bytes"
        assert capsys.readouterr().err == f"error: {path}: {fault}\n"
        assert not (tmp_path / "run").exists()

    def test_without_mido(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(midi.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(UserError, match=r"it comes with: pip install 'jaxgru\[tasks\]'$"):
            Compose(make_config(path))

    def test_data_that_cannot_be_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(name: str) -> Path:
            raise DataError(f"{name} cannot be had")

        monkeypatch.setattr(music, "fetch", offline)
        with pytest.raises(UserError, match=r"^bach cannot be had$"):
            Compose(make_config(""))

    def test_a_prompt_that_cannot_be_is_refused_before_training(self, path: Path) -> None:
        with pytest.raises(UserError, match=r"gone\.mid: no such file$"):
            Compose(make_config(path, sample={"prompt": "gone.mid"}))

    def test_padding_that_no_shapes_reach(self, path: Path) -> None:
        with pytest.raises(
            UserError, match=r"^\[data\] max_padding=0\.001 is out of reach of max_shapes=1, "
        ):
            Compose(make_config(path, data={"max_padding": 0.001, "max_shapes": 1}))


def test_the_config_is_a_config_of_music() -> None:
    config = read(locate("music"), (), find)
    assert (config.task, config.data.path, config.sample.voices) == ("music", "", 4)


class TestPrior:
    def test_it_starts_with_the_odds_of_training(self, path: Path, task: Compose) -> None:
        key = jax.random.key(0)
        plain, given = (
            Compose(make_config(path, model={"hidden_size": 3, "prior": prior})).init(key)["params"]
            for prior in (False, True)
        )
        rolls = np.concatenate(task.train)
        share = (rolls.sum(0) + 0.5) / (len(rolls) + 1)
        np.testing.assert_allclose(expit(given["Dense_0"]["bias"]), share, rtol=1e-5)
        assert not plain["Dense_0"]["bias"].any()
        np.testing.assert_array_equal(given["Dense_0"]["kernel"], plain["Dense_0"]["kernel"])
        jax.tree.map(np.testing.assert_array_equal, given["gru"], plain["gru"])

    def test_a_run_is_opened_without_music(
        self, path: Path, task: Compose, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = make_config(path, model={"hidden_size": 3, "prior": True})
        shapes = jax.eval_shape(Compose(config).init, jax.random.key(0))
        monkeypatch.setattr(music.Music, "load", lambda *_, **__: pytest.fail("the music was read"))
        assert jax.eval_shape(Compose(config, task.vocabulary).init, jax.random.key(0)) == shapes

    @pytest.mark.parametrize("cell", [cell for cell in TITLES if cell != "gru"])
    def test_any_recurrence_may_play(self, task: Compose, path: Path, cell: str) -> None:
        other = Compose(
            make_config(path, model={"cell": cell, "hidden_size": 3, "clock": 4}), task.vocabulary
        )
        params = other.init(jax.random.key(0))
        assert [*params["params"]] == [cell, "Dense_0"]
        played = play(other.model, params, task.train[0], [], jax.random.key(1), length=4, temperature=1.0)
        assert played.roll.shape == (len(task.train[0]) + 4, KEYS)

    @pytest.mark.parametrize("dropped", ["state_dropout", "drop_connect"])
    def test_what_has_no_matrix_cannot_lose_of_it(self, dropped: str) -> None:
        fault = f"{dropped} should be 0 with cell = sru, which has no recurrent matrix, got 0.1"
        with pytest.raises(ValueError, match=f"^{fault}$"):
            Compose.Model(cell="sru", **{dropped: 0.1})
