"""The tasks adding and copy: two networks side by side, neither of which changes what becomes of the other."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru.cli import main
from jaxgru.tasks import find
from jaxgru.tasks.adding import Adding
from jaxgru.tasks.copying import BLANK, DELIMITER, Copy
from jaxgru.tasks.memory import dependencies
from jaxgru.tasks.memory.dependencies import Dependencies, generator
from jaxgru.training.config import Config
from jaxgru.training.configfile import read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from jaxgru.training.step import initial_state, make_train_steps
from tests.tasks.helpers import config_of, run

CONFIGS = Path(__file__).parents[2] / "configs"
LONG = sorted(path for name in ("adding", "copy") for path in (CONFIGS / "long").glob(f"{name}-*.toml"))
TASKS = [Adding, Copy]
NAMES = ["adding", "copy"]
ADDITION = "0.25 0.5* 0.125 0.25*"

EASY: dict[str, dict[str, Any]] = {
    "run": {"log_every": 50, "evaluate_every": 50, "save_every": 50, "keep": 9},
    "train": {"steps": 300, "learning_rate": 0.02, "steps_per_call": 50},
    "data": {"length": 4, "grow": (2,)},
    "model": {"hidden_size": 16},
}


def make_config(task: type[Dependencies], seed: int = 0, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 10, "evaluate_every": 20, "save_every": 20, "keep": 9},
        "train": {
            "steps": 60,
            "batch_size": 8,
            "steps_per_call": 5,
            "warmup_steps": 0,
            "learning_rate": 0.03,
        },
        "data": {"length": 6, "grow": (2, 4), "validation": 40, "test": 40},
        "model": {"hidden_size": 6},
        "sample": {"count": 2},
    }
    return config_of(task, default, tables, seed)


@pytest.fixture(scope="module", params=TASKS, ids=NAMES)
def task(request: pytest.FixtureRequest) -> Dependencies:
    of: type[Dependencies] = request.param
    return of(make_config(of))


@pytest.fixture(scope="module")
def adding() -> Adding:
    return Adding(make_config(Adding))


@pytest.fixture(scope="module")
def copy() -> Copy:
    return Copy(make_config(Copy))


@pytest.fixture(scope="module")
def params(task: Dependencies) -> Any:
    return jax.jit(task.init)(jax.random.key(0))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an adding problem that both networks can learn."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    run(Adding, path, make_config(Adding, **EASY))
    return path


class TestData:
    def test_one_number_of_each_half_is_marked(self, adding: Adding) -> None:
        batch = adding.draw(generator(3, "train", 5), 7, 500)
        values, marks = batch["inputs"].transpose(2, 0, 1)
        assert {*np.unique(marks).tolist()} == {0, 1}
        assert (marks[:3].sum(0) == 1).all()
        assert (marks[3:].sum(0) == 1).all()
        assert (marks.sum(1) > 0).all()
        np.testing.assert_allclose(batch["answers"], (values * marks).sum(0), rtol=1e-6)
        assert 0 <= values.min() < 0.01
        assert 0.99 < values.max() < 1
        assert values.mean() == pytest.approx(0.5, abs=0.02)

    def test_ten_symbols_are_read_and_a_delimiter_before_the_answer(self, copy: Copy) -> None:
        batch = copy.draw(generator(3, "train", 5), 4, 300)
        inputs, symbols = batch["inputs"], batch["answers"]
        assert inputs.shape == (24, 300)
        np.testing.assert_array_equal(inputs[:10], symbols)
        assert (inputs[10:13] == BLANK).all()
        assert (inputs[13] == DELIMITER).all()
        assert (inputs[14:] == BLANK).all()
        assert {*np.unique(symbols).tolist()} == {*range(8)}

    def test_a_batch_is_a_function_of_seed_and_step(self, task: Dependencies) -> None:
        again, other = (type(task)(make_config(type(task), seed)) for seed in (0, 1))
        jax.tree.map(np.testing.assert_array_equal, again.batch(17), task.batch(17))
        seen = [task.batch(50), task.batch(51), other.batch(50)]
        assert len({batch["inputs"].tobytes() for batch in seen}) == 3

    def test_no_two_draws_share_a_number(self) -> None:
        """Of steps beside each other, of seeds beside each other, and of the splits."""
        draws = [
            generator(seed, stream, index).integers(0, 2**63, 1000)
            for seed in (0, 1, 2, 2**32 - 1)
            for stream in dependencies.STREAMS
            for index in (0, 1, 10**8)
        ]
        assert len({*np.concatenate(draws).tolist()}) == 1000 * len(draws)

    def test_the_splits_are_the_same_for_every_seed(self, task: Dependencies) -> None:
        other = type(task)(make_config(type(task), seed=1))
        longer = type(task)(make_config(type(task), data={"length": 7}))
        assert other.facts() == task.facts()
        assert task.facts()["sha256"] != longer.facts()["sha256"]
        facts = {"source": "generated", "length": 6, "validation": 40, "test": 40}
        assert task.facts() == facts | {"sha256": task.facts()["sha256"]}

    def test_nothing_hangs_on_the_test_split(
        self, task: Dependencies, params: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With other test sequences nothing changes but the test scores."""
        before = task.batch(9), task.evaluate(params, "validation"), task.evaluate(params, "test")
        monkeypatch.setitem(dependencies.STREAMS, "test", 77)
        after = task.batch(9), task.evaluate(params, "validation"), task.evaluate(params, "test")
        jax.tree.map(np.testing.assert_array_equal, before[:2], after[:2])
        assert before[2] != after[2]

    def test_a_split_comes_in_pieces_that_fit(
        self, task: Dependencies, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dependencies, "STEPS", 6 * 16)
        assert [batch["inputs"].shape[1] for batch in task.pieces("validation")] == [16, 16, 8]
        monkeypatch.setattr(dependencies, "STEPS", 1)
        assert len([*task.pieces("validation")]) == 40

    def test_lengths_grow_in_equal_parts(self, adding: Adding) -> None:
        lengths = [len(adding.batch(step)["inputs"]) for step in range(60)]
        assert lengths == [2] * 15 + [4] * 15 + [6] * 30
        assert adding.growth == {0: 2, 15: 4, 30: 6}
        whole = Adding(make_config(Adding, data={"grow": ()}))
        assert [whole.length(step) for step in (0, 59)] == [6, 6]
        uneven = Adding(make_config(Adding, data={"grow": (2, 2, 4), "grow_share": 0.3}))
        assert [uneven.length(step) for step in (0, 11, 12, 17, 18)] == [2, 2, 4, 4, 6]


class TestModel:
    @pytest.mark.parametrize("units", [1, 6, 64, 128])
    def test_both_have_about_as_many_parameters(self, task: Dependencies, units: int) -> None:
        config = make_config(type(task), model={"hidden_size": units})
        shapes = jax.eval_shape(type(task)(config).init, jax.random.key(0))["params"]
        gru, rnn = (sum(leaf.size for leaf in jax.tree.leaves(shapes[name])) for name in ("gru", "rnn"))
        step = 2 * shapes["rnn"]["cell"].w_h.shape[0] + task.inputs + task.outputs + 3
        assert abs(gru - rnn) <= step / 2  # one unit more or less would be no nearer

    def test_only_the_gru_may_start_slow(self) -> None:
        slow = Adding(make_config(Adding, model={"hidden_size": 64, "chrono": 500})).model.cells
        plain = Adding(make_config(Adding, model={"hidden_size": 64})).model.cells
        biases = slow[0][1].init(jax.random.key(0))
        keep = jax.nn.sigmoid(biases.b_x + biases.b_h)[64:128]
        assert float(keep.min()) >= 0.5
        assert float(keep.max()) > 0.99
        assert slow[0] != plain[0]
        assert slow[1] == plain[1]

    def test_the_loss_is_the_score_of_the_gru(self, task: Dependencies, params: Any) -> None:
        batch = task.batch(0)
        value, carry = task.loss(params, (), batch, jax.random.key(0))
        said = task.say(params, batch)
        assert float(value) == pytest.approx(float(task.measure(said["gru"], batch)[task.metric]), rel=1e-5)
        assert carry == ()

    def test_neither_changes_what_becomes_of_the_other(self, adding: Adding) -> None:
        """However large the gradient of one is: the clipping of the other does not see it."""
        train, seed = adding.config.train, adding.config.seed
        steps = make_train_steps(adding.loss, train, seed, None, adding.apart)
        batches = jax.tree.map(lambda *leaves: np.stack(leaves), *[adding.batch(40 + i) for i in range(5)])
        start = jax.tree.map(np.array, initial_state(adding, train, seed))

        def end(of: str, factor: float) -> Any:
            networks = dict(start.params["params"])
            networks[of] = jax.tree.map(lambda leaf: np.float32(factor) * leaf, networks[of])
            begin = jax.tree.map(jnp.array, start._replace(params={"params": networks}))
            state, trace = steps(begin, batches, 5)
            assert float(trace.grad_norm.max()) > train.clip_norm
            return jax.device_get(state.params["params"])

        plain, names = end("gru", 1), [*adding.networks]
        for kept, changed in (names, names[::-1]):
            other = end(changed, 30)
            jax.tree.map(np.testing.assert_array_equal, other[kept], plain[kept])
            assert not np.array_equal(other[changed]["cell"].w_h, plain[changed]["cell"].w_h)

    def test_the_rnn_may_learn_slower(self) -> None:
        assert Adding(make_config(Adding, model={"rnn_rate": 0.25})).apart == {"gru": 1.0, "rnn": 0.25}


class TestScores:
    def test_always_one_has_a_sixth(self, adding: Adding, monkeypatch: pytest.MonkeyPatch) -> None:
        """Over all pieces, here of 32 and 8 sequences."""
        monkeypatch.setattr(dependencies, "STEPS", 6 * 32)
        shapes = jax.eval_shape(adding.init, jax.random.key(0))
        idle = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
        for name in adding.networks:
            idle["params"][name]["Dense_0"]["bias"] += 1
        sums = np.concatenate([batch["answers"] for batch in adding.pieces("test")])
        level = pytest.approx(np.mean((sums - 1) ** 2), rel=1e-5)
        assert len(sums) == 40
        assert adding.evaluate(idle, "test") == {"mse": level, "rnn_mse": level}
        assert adding.baseline() == {"always_one_mse": level}
        many = Adding(make_config(Adding, data={"test": 20_000}))
        assert many.level("test") == pytest.approx(1 / 6, abs=0.005)

    def test_a_memoryless_model_pays_for_ten_guesses(self, copy: Copy) -> None:
        """Blank where blank is right, then one in eight: what `measure` says of that is the level."""
        batch = next(copy.pieces("test"))
        said = np.full((*batch["inputs"].shape, 9), -1e9, np.float32)
        said[:-10, :, BLANK] = 0
        said[-10:, :, :BLANK] = 0
        scores = copy.measure(jnp.asarray(said), batch)
        assert float(scores["nats_per_step"]) == pytest.approx(10 * math.log(8) / 26, rel=1e-5)
        assert copy.baseline() == {"memoryless_nats_per_step": pytest.approx(10 * math.log(8) / 26)}
        assert float(scores["recall"]) == pytest.approx((batch["answers"] == 0).mean())

    def test_whoever_remembers_pays_nothing(self, copy: Copy) -> None:
        batch = next(copy.pieces("test"))
        steps = np.full(batch["inputs"].shape, BLANK)
        steps[-10:] = batch["answers"]
        scores = copy.measure(100 * jax.nn.one_hot(steps, 9), batch)
        assert float(scores["nats_per_step"]) == pytest.approx(0, abs=1e-6)
        assert float(scores["recall"]) == 1


@pytest.mark.parametrize("kind", [Adding, Copy])
def test_many_sequences_are_read_a_few_at_a_time(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are to be shown, memory holds what the networks do with a few."""
    task = kind(make_config(kind))
    params = jax.jit(task.init)(jax.random.key(0))
    batch = task.draw(np.random.default_rng(0), 6, 7)
    whole = jax.device_get(jax.jit(task.answers)(params, batch))
    monkeypatch.setattr(dependencies, "STEPS", 3 * len(batch["inputs"]))
    rows: list[int] = []
    reading = task._say
    task.__dict__["_say"] = lambda params, few: rows.append(few["inputs"].shape[1]) or reading(params, few)
    for name, said in task.say(params, batch).items():
        np.testing.assert_allclose(said, whole[name], atol=1e-6)
    assert rows == [3, 3, 1]
    if not task.last:
        for name, said in task.say(params, batch, end=4).items():
            np.testing.assert_allclose(said, whole[name][-4:], atol=1e-6)


class TestRun:
    def test_both_learn_what_is_near(self, finished: Path) -> None:
        summary = json.loads((finished / "summary.json").read_text())
        for score in (summary["test"], summary["baseline"]):
            assert score < summary["also"]["baseline_always_one_mse"] / 3
        assert summary["baseline"] == summary["also"]["test_rnn_mse"]

    def test_the_copy_problem_leaves_its_pictures(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also of a run whose rows are lost; other lengths would only take time."""
        monkeypatch.setattr(Copy, "reach", lambda self, params: {120: {"recall": 0.25, "rnn_recall": 0.125}})
        task = Copy(make_config(Copy, data={"length": 120, "grow": ()}))
        params = jax.jit(task.init)(jax.random.key(0))
        written = task.finish(params, tmp_path, jax.random.key(1))
        assert [path.name for path in written] == ["report.txt", "learning.png", "recall.png"]
        for path in written[1:]:
            assert path.read_bytes().startswith(b"\x89PNG")
        report = written[0].read_text()
        assert "\nafter a pause of T = 120; . is a blank\n" in report
        assert f"  GRU       {0.25:>10}\n  tanh RNN  {0.125:>10}\n  memoryless{0.125:>10}\n" in report

    def test_the_report_has_the_scores(self, finished: Path) -> None:
        summary = json.loads((finished / "summary.json").read_text())
        rows = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
        best = min((row["validation_rnn_mse"], row["step"]) for row in rows if "validation_rnn_mse" in row)
        title, gru, rnn, idle = (finished / "report.txt").read_text().splitlines()[:4]
        assert title == "mean squared error, on the test split"
        assert gru.split()[:2] == ["GRU", f"{summary['test']:.3g}"]
        assert rnn.split()[:3] == ["tanh", "RNN", f"{summary['baseline']:.3g}"]
        assert rnn.endswith(f"best on validation {best[0]:.3g}, at step {best[1]}")
        assert idle.split() == ["always", "one", f"{summary['also']['baseline_always_one_mse']:.3g}"]

    def test_the_report_has_the_scores_at_other_lengths(self, finished: Path) -> None:
        summary = json.loads((finished / "summary.json").read_text())
        title, lengths, counts, gru, rnn, idle = (finished / "report.txt").read_text().splitlines()[5:11]
        assert title == "mean squared error, by T"
        assert lengths.split() == ["T", "3", "4", "5", "16"]
        assert counts.split() == ["sequences", "250", "250", "250", "250"]
        assert idle.split() == ["always", "one", "0.167", "0.167", "0.167", "0.167"]
        for line, learned in ((gru, summary["test"]), (rnn, summary["baseline"])):
            assert learned / 3 < float(line.split()[-3]) < 3 * learned

    def test_a_resumed_run_ends_in_the_same_bits_and_pictures(self, finished: Path, tmp_path: Path) -> None:
        """From a stop before T grew."""
        path = tmp_path / "resumed"
        shutil.copytree(finished, path)
        written = ("report.txt", "learning.png", "sums.png", "checkpoints/00000300.safetensors")
        whole = {name: (path / name).read_bytes() for name in written}
        for name in (*written[:3], "summary.json"):
            (path / name).unlink()
        for file in (path / "checkpoints").glob("00000*"):
            if int(file.stem) > 100:
                file.unlink()
        summary = run(Adding, path, make_config(Adding, **EASY))
        assert {name: (path / name).read_bytes() for name in written} == whole
        before = json.loads((finished / "summary.json").read_text())
        assert (summary["test"], summary["also"]) == (before["test"], before["also"])

    def test_a_run_is_opened_with_the_same_scores(self, finished: Path) -> None:
        summary = json.loads((finished / "summary.json").read_text())
        opened = open_run(finished, find)
        assert opened.evaluate()["test"] == {"mse": summary["test"], "rnn_mse": summary["baseline"]}
        assert opened.sample(seed=3) == opened.sample(seed=3) != opened.sample(seed=4)


class TestSample:
    def test_it_shows_numbers_sum_and_answers(self, finished: Path) -> None:
        opened = open_run(finished, find)
        lines = opened.sample(count=3, length=11).splitlines()
        assert lines[0] == "of 11 numbers two are marked"
        assert len(lines) == 4
        head, line = opened.sample(ADDITION).splitlines()
        assert head == "of 4 numbers two are marked"
        said = opened.task.say(opened.params, {"inputs": np.array(
            [[[0.25, 0]], [[0.5, 1]], [[0.125, 0]], [[0.25, 1]]], np.float32)})  # fmt: skip
        assert line.split() == [
            *["0.5000", "at", "step", "2", "+", "0.2500", "at", "step", "4", "=", "0.7500"],
            *f"GRU {said['gru'][0, 0]:.4f} tanh RNN {said['rnn'][0, 0]:.4f}".split(),
        ]
        assert opened.sample(numbers=ADDITION) == f"{head}\n{line}"
        assert "0.5000 at step 2    + 0.2500 at step 10   = 0.7500" in opened.sample(ADDITION, length=10)

    def test_it_shows_what_is_recalled(self, copy: Copy) -> None:
        """With a model that always says 3, of which the symbols hold two."""
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), jax.eval_shape(copy.init, jax.random.key(0)))
        for name, symbol in (("gru", 3), ("rnn", BLANK)):
            bias = zeros["params"][name]["Dense_0"]["bias"]
            zeros["params"][name]["Dense_0"]["bias"] = bias.at[symbol].set(1)
        text = copy.sample(zeros, "31415 26537", jax.random.key(0), copy.config.sample)
        assert text.splitlines() == [
            "after a pause of T = 6; . is a blank",
            "",
            "  read      3 1 4 1 5 2 6 5 3 7",
            "  GRU       3 3 3 3 3 3 3 3 3 3   2 of 10 right",
            "  tanh RNN  . . . . . . . . . .   0 of 10 right",
        ]
        drawn = copy.sample(zeros, None, jax.random.key(0), copy.config.sample)
        assert drawn.count("read") == 2

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", 'two numbers should be marked, such as in "0.3 0.5* 0.1 0.9*", and 0 are'),
            ("0.5 0.5*", 'two numbers should be marked, such as in "0.3 0.5* 0.1 0.9*", and 1 are'),
            ("0.5* 0.5* 1*", 'two numbers should be marked, such as in "0.3 0.5* 0.1 0.9*", and 3 are'),
            ("0.5* 1.5*", "'1.5*' is no number from 0 to 1"),
            ("0.5* -1*", "'-1*' is no number from 0 to 1"),
            ("0.5* nan*", "'nan*' is no number from 0 to 1"),
            ("0.5* one", "'one' is no number from 0 to 1"),
            ("1 " * 100_001, "100001 numbers are too many; 100000 are the most"),
        ],
    )
    def test_numbers_that_are_none(self, adding: Adding, text: str, fault: str) -> None:
        with pytest.raises(UserError) as error:
            adding.sample({}, text, jax.random.key(0), adding.config.sample)
        assert str(error.value).startswith(fault)

    @pytest.mark.parametrize("text", ["", "123", "12345678", "12345670123", "8123456701", "1234abc567"])
    def test_symbols_that_are_none(self, copy: Copy, text: str) -> None:
        with pytest.raises(UserError) as error:
            copy.sample({}, text, jax.random.key(0), copy.config.sample)
        assert str(error.value) == f'write ten digits from 0 to 7, such as "3141526535", not {text!r}'

    def test_one_number_cannot_have_two_marks(self, finished: Path) -> None:
        with pytest.raises(UserError, match=r"^sample\.length should be 0, or 2 or more, got 1$"):
            open_run(finished, find).sample(length=1)


class TestConfigs:
    @pytest.mark.parametrize(
        ("word", "fault"),
        [
            ("data.grow=[50,25]", "[data] grow should rise, up to length = 200 at most, got [50, 25]"),
            ("data.grow=[25,400]", "[data] grow should rise, up to length = 200 at most, got [25, 400]"),
            ("data.grow=[1]", "data.grow[0] is 1; it must be at least 2"),
            ("data.length=100001", "data.length is 100001; it must be at most 100000"),
            ("model.chrono=2", "[model] chrono should be 0, or 3 or more, got 2"),
            ("model.rnn_rate=0", "model.rnn_rate is 0.0; it must be above 0"),
        ],
    )
    def test_an_impossible_setting_gets_one_line_and_status_2(
        self, word: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["train", "adding", word, f"run.dir={tmp_path / 'run'}"]) == 2
        assert capsys.readouterr().err == f"error: {fault}\n"
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("path", LONG, ids=lambda path: path.stem)
    def test_a_long_config_is_one_of_the_task(self, path: Path) -> None:
        config = read(path, (), find)
        task = find(config.task)(config)
        assert config.task == path.stem.split("-")[0]
        assert isinstance(task, Dependencies)
        assert task.length(config.train.steps - 1) == config.data.length
        assert max(task.growth.values()) == int(path.stem.split("-")[1])
