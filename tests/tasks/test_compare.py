"""The task compare: recurrences of one size, runs that are like any other, no more said than figures allow."""

import json
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import jax
import numpy as np
import pytest

from jaxgru.cli import main
from jaxgru.tasks import find
from jaxgru.tasks.adding import Adding
from jaxgru.tasks.compare import Compare
from jaxgru.tasks.comparison.figure import draw
from jaxgru.tasks.comparison.report import Entry, Problem, plain, step_seconds, verdict
from jaxgru.tasks.recurrences import TITLES, fitting_units, layered, parameters
from jaxgru.training.config import Config, RunConfig
from jaxgru.training.configfile import locate, read
from jaxgru.training.display import Display
from jaxgru.training.errors import Interrupted, RunError, UserError
from jaxgru.training.grid import train_grid
from jaxgru.training.run import RunFolder, claim
from jaxgru.training.saved import open_run
from tests.tasks.helpers import config_of
from tests.tasks.test_music import make_rolls

RUNS = [
    "adding-gru-0.5-3",
    "adding-gru-1-3",
    "adding-rnn-0.5-3",
    "adding-rnn-1-3",
    "music-gru-0.5-3",
    "music-gru-1-3",
    "music-rnn-0.5-3",
    "music-rnn-1-3",
]


FREE = "a setting of [data] or [model], and neither cell, hidden_size, layers nor rival"


def make_config(rolls: Path, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 1, "evaluate_every": 2, "save_every": 3},
        "train": {"steps": 4, "batch_size": 6, "steps_per_call": 2, "warmup_steps": 0, "learning_rate": 0.02},
        "data": {
            "cells": ("gru", "rnn"),
            "seeds": 2,
            "rates": (0.5, 1.0),
            "longer": 2,
            "music": (f"data.path={rolls}", "data.max_shapes=1", "data.max_padding=0.9", "model.clock=0"),
            "adding": ("data.length=4", "data.grow=[]", "data.validation=20", "data.test=30"),
        },
        "model": {"music": 1500, "adding": 300},
    }
    return config_of(Compare, default, tables, seed=3)


def run(path: Path, config: Config) -> dict[str, Any]:
    with claim(path, resume=True), Display(config.train.steps) as show:
        return train_grid(Compare(config), config, RunFolder(path, config), show)


@pytest.fixture(scope="module")
def rolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rolls(tmp_path_factory.mktemp("music") / "rolls.mat")


@pytest.fixture(scope="module")
def finished(rolls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "whole"
    run(path, make_config(rolls))
    return path


def summary_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "summary.json").read_bytes())
    return found


class TestSizes:
    @pytest.mark.parametrize("cell", TITLES)
    @pytest.mark.parametrize("problem", ["music", "adding"])
    def test_every_network_has_about_as_many_parameters(self, problem: str, cell: str) -> None:
        """One unit more or less would be no nearer: that is what `fitting_units` says, here of whole networks."""
        plan = Compare(read(locate("compare"), [], find)).plan
        units = plan.units[problem, cell]
        if problem == "adding":
            sizes, budget = [Adding.size(cell, units + more, 1) for more in (-1, 0, 1)], 5000
        else:
            # 88 keys and 8 of the clock in, 88 keys out
            sizes = [
                parameters(layered(cell, 96, units + more, 1).init) + 88 * (units + more + 1)
                for more in (-1, 0, 1)
            ]
            budget = 20_000
        away = [abs(size - budget) for size in sizes]
        assert away[1] == min(away)
        assert away[1] < 0.02 * budget

    def test_what_is_planned_is_what_is_trained(self, rolls: Path) -> None:
        task = Compare(make_config(rolls))
        for name, config in task.runs({}).items():
            of = task.task(config)
            size = parameters(of.init)
            problem, cell = name.split("-")[:2]
            assert size == pytest.approx({"music": 1500, "adding": 300}[problem], rel=0.1)
            assert config.model.hidden_size == task.plan.units[problem, cell]

    def test_the_least_network_has_one_unit(self) -> None:
        assert fitting_units(lambda units: 100 * units, 10) == 1
        assert [fitting_units(lambda units: 100 * units, n) for n in (149, 151, 250, 6_000_000)] == [
            1,
            2,
            2,
            60_000,
        ]
        assert fitting_units(lambda units: units, 1 << 30) == 1 << 16


class TestRuns:
    def test_the_rate_is_the_one_that_is_best_on_validation(self, finished: Path, rolls: Path) -> None:
        plan = Compare(make_config(rolls)).plan
        names = sorted(path.parent.name for path in finished.glob("*/summary.json"))
        assert len(names) == 2 * 2 * (2 + 1)
        assert [name for name in names if name.endswith("-3")] == RUNS
        found = {name: summary_of(finished / name) for name in names}
        for problem, cell in plan.pairs:
            trials = {rate: found[f"{problem}-{cell}-{rate}-3"]["validation"] for rate in ("0.5", "1")}
            best = min(trials, key=lambda rate: trials[rate])
            assert f"{problem}-{cell}-{best}-4" in names
            finals = [trial.name for trial in plan.final(problem, cell, found)]
            assert finals == [f"{problem}-{cell}-{best}-{seed}" for seed in (3, 4)]

    def test_nothing_is_chosen_by_the_test_split(self, rolls: Path) -> None:
        plan = Compare(make_config(rolls)).plan
        found = {name: {"validation": i, "test": -i} for i, name in enumerate(RUNS)}
        other = {name: {"validation": i, "test": 7 * i} for i, name in enumerate(RUNS)}
        assert plan.missing(found) == plan.missing(other)
        assert {trial.rate for trial in plan.missing(found)} == {0.5}
        assert plan.chosen("music", "gru", {name: {"validation": -i} for i, name in enumerate(RUNS)}) == 1.0

    def test_each_run_is_that_of_the_task_alone(self, finished: Path, tmp_path: Path) -> None:
        """What stands in a run's config.toml trains the same network to the bit."""
        for name in ("music-rnn-1-3", "adding-gru-0.5-3"):
            config = str(finished / name / "config.toml")
            assert main(["train", config, f"run.dir={tmp_path / name}"]) == 0
            before, after = summary_of(finished / name), summary_of(tmp_path / name)
            for key in ("test", "validation", "baseline", "parameters"):
                assert after[key] == before[key]

    def test_the_summary_has_the_means(self, finished: Path, rolls: Path) -> None:
        plan, summary = Compare(make_config(rolls)).plan, summary_of(finished)
        found = {path.parent.name: summary_of(path.parent) for path in finished.glob("*/summary.json")}

        def mean(problem: str, cell: str, split: str = "test") -> float:
            return fmean(found[trial.name][split] for trial in plan.final(problem, cell, found))

        assert summary["metric"] == "nll"
        assert summary["test"] == mean("music", "gru")
        assert summary["validation"] == mean("music", "gru", "validation")
        assert summary["baseline"] == mean("music", "rnn")
        also = {key: value for key, value in summary["also"].items() if key != "best_step"}
        assert also == {
            "test_adding_gru_mse": mean("adding", "gru"),
            "test_adding_rnn_mse": mean("adding", "rnn"),
        }
        assert summary["seconds"] == pytest.approx(sum(of["seconds"] for of in found.values()))
        assert summary["steps"] == 2 * 3 * (4 + 8)

    def test_it_goes_on_where_it_stopped(
        self, finished: Path, rolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the midst of a run, and between two: finished runs are used as they stand."""
        path, config = tmp_path / "stopped", make_config(rolls)
        shutil.copytree(finished, path)
        (path / "summary.json").unlink()
        shutil.rmtree(path / "adding-rnn-1-3")
        kept = (path / "music-gru-1-3" / "summary.json").stat().st_mtime_ns
        evaluate, calls = Adding.evaluate, []

        def stop(self: Adding, *arguments: Any) -> dict[str, float]:
            calls.append(1)
            if len(calls) == 2:
                raise Interrupted(15)
            return evaluate(self, *arguments)

        monkeypatch.setattr(Adding, "evaluate", stop)
        with pytest.raises(Interrupted):
            run(path, config)
        monkeypatch.setattr(Adding, "evaluate", evaluate)
        assert not (path / "summary.json").exists()
        assert not (path / "adding-rnn-1-3" / "summary.json").exists()
        before, after = summary_of(finished), run(path, config)
        assert {k: v for k, v in after.items() if k != "seconds"} == {
            k: v for k, v in before.items() if k != "seconds"
        }
        assert (path / "music-gru-1-3" / "summary.json").stat().st_mtime_ns == kept

    def test_the_music_is_read_once(self, rolls: Path) -> None:
        task = Compare(make_config(rolls))
        configs = [config for name, config in task.runs({}).items() if name.startswith("music")]
        one, other = (task.task(config) for config in configs[:2])
        assert one.music is other.music  # type: ignore[attr-defined]


class TestDamage:
    """What becomes of a comparison whose runs are finished and are not what they were."""

    @pytest.fixture
    def path(self, finished: Path, tmp_path: Path) -> Path:
        shutil.copytree(finished, tmp_path / "runs")
        (tmp_path / "runs" / "summary.json").unlink()
        return tmp_path / "runs"

    @pytest.mark.parametrize(
        ("name", "old", "new", "fault"),
        [
            (
                "config.toml",
                "learning_rate = 0.02",
                "learning_rate = 0.01",
                "train.learning_rate is 0.01 there",
            ),
            (
                "config.toml",
                'task = "adding"',
                'task = "copy"',
                "task is 'copy' there, and should be 'adding'",
            ),
            ("config.toml", "", None, "holds a summary.json and no config.toml"),
            ("config.toml", "task", "[[", "config.toml:1: "),
            ("summary.json", '"adding"', '"music"', "is damaged: task should be adding"),
            (
                "summary.json",
                '"best_step": ',
                '"best_step": null, "best": ',
                "also should hold best_step, a number",
            ),
            (
                "metrics.jsonl",
                '{"step": 4, "val',
                "{",
                "is damaged: it should hold each evaluation and a step",
            ),
            ("metrics.jsonl", "", None, "is damaged: it should hold each evaluation and a step"),
            ("data.json", "", None, "No such file or directory"),
            ("data.json", "facts", "fact", "is damaged: it should hold facts"),
        ],
    )
    def test_a_run_that_is_another_one_is_refused(
        self, path: Path, rolls: Path, name: str, old: str, new: str | None, fault: str
    ) -> None:
        config = make_config(rolls)
        found = {each.parent.name: summary_of(each.parent) for each in path.glob("*/summary.json")}
        trial = Compare(config).plan.final("adding", "rnn", found)[0]
        file = path / trial.name / name
        text = file.read_text()
        assert old in text
        file.unlink() if new is None else file.write_text(text.replace(old, new, 1))
        with pytest.raises((RunError, UserError, OSError)) as caught:
            run(path, config)
        assert trial.name in str(caught.value)
        assert fault in str(caught.value)
        assert not (path / "summary.json").exists()

    def test_a_score_that_is_not_finite_wins_nothing_and_is_no_result(self, path: Path, rolls: Path) -> None:
        config = make_config(rolls)
        for name in ("adding-gru-0.5-3", "adding-gru-1-3"):
            file = path / name / "summary.json"
            file.write_text(json.dumps(summary_of(path / name) | {"validation": None, "test": None}))
            found = {each.parent.name: summary_of(each.parent) for each in path.glob("*/summary.json")}
            chosen = Compare(config).plan.chosen("adding", "gru", found)
            assert f"adding-gru-{chosen:g}-3" != "adding-gru-0.5-3" or name != "adding-gru-0.5-3"
        with pytest.raises(RunError, match=r"^adding-gru-0.5-3: its score is not finite; a lower train"):
            run(path, config)

    def test_an_evaluation_that_was_not_finite_is_a_gap(self, path: Path, rolls: Path) -> None:
        config = make_config(rolls)
        found = {each.parent.name: summary_of(each.parent) for each in path.glob("*/summary.json")}
        file = path / Compare(config).plan.final("adding", "gru", found)[0].name / "metrics.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        next(row for row in rows if "validation_mse" in row)["validation_mse"] = None
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run(path, config)
        results = json.loads((path / "comparison.json").read_text(), parse_constant=pytest.fail)
        assert results["adding"]["entries"]["GRU"]["curves"][0][0] is None


def test_runs_shorter_than_what_is_logged_are_timed(rolls: Path, tmp_path: Path) -> None:
    data = {"cells": ("gru",), "problems": ("music",), "seeds": 1, "rates": (1.0,)}
    config = make_config(rolls, run={"log_every": 10, "evaluate_every": 10}, data=data, train={"steps": 3})
    assert run(tmp_path / "runs", config)["steps"] == 3
    results = json.loads((tmp_path / "runs" / "comparison.json").read_bytes())
    assert results["music"]["entries"]["GRU"]["step_seconds"] > 0


def test_a_path_may_stand_in_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = read(locate("compare"), ['data.music=["data.path = \'my music\'", "model.clock=0"]'], find)
    assert config.data.music == (f"data.path ={tmp_path / 'my music'}", "model.clock=0")
    assert Compare(config).plan.own["music"].data.path == str(tmp_path / "my music")


class TestReport:
    def test_the_files_say_what_the_runs_reached(self, finished: Path) -> None:
        text = (finished / "comparison.txt").read_text()
        page = (finished / "comparison.md").read_text()
        found = json.loads((finished / "comparison.json").read_bytes())
        assert [*found] == ["music", "adding"]
        for problem in found.values():
            for title, entry in problem["entries"].items():
                mean = f"{fmean(entry['tests']):.4f} ± "
                assert f"| {title} | {entry['units']} |" in page
                assert mean in text
                assert mean in page
                assert entry["steps"] == ([2, 4] if problem["name"] == "music" else [4, 8])
                assert np.shape(entry["curves"]) == (2, 2)
                assert entry["step_seconds"] >= 0  # of milliseconds, where a step has less
        assert (finished / "comparison.png").read_bytes()[1:4] == b"PNG"

    def test_a_step_is_timed_between_evaluations(self, rolls: Path) -> None:
        config = Compare(make_config(rolls)).runs({})["music-gru-0.5-3"]
        config = Config(**{**vars(config), "run": RunConfig("", 1, 4, 6)})
        seconds = [10, 11, 12.5, 14, 99, 100, 150, 151, 190]  # after steps 4, 6 and 8 there is more to do
        rows = [{"step": i, "loss": 1.0, "seconds": s} for i, s in enumerate(seconds, 1)]
        assert step_seconds(rows, config) == [1, 1.5, 1.5, 1, 1]
        assert step_seconds(rows[:1], config) == [10]
        compiled = [{"step": i, "seconds": s} for i, s in enumerate([10.0, 11.0, 90.0, 91.0], 1)]
        assert step_seconds(compiled, config) == [1, 1]
        often = Config(**{**vars(config), "run": RunConfig("", 1, 3, 2)})
        rows = [{"step": i, "seconds": s} for i, s in ((2, 9.0), (4, 12.0), (6, 14.0))]
        assert step_seconds(rows, often) == [1]  # an evaluation in each interval: the quickest

    def test_no_more_is_said_than_the_seeds_allow(self) -> None:
        def entry(*tests: float) -> Entry:
            return Entry(3, 10, 0.1, [*tests], 0.1, [1, 2], np.ones((len(tests), 2)))

        entries = {"LSTM": entry(1.0, 1.2), "GRU": entry(1.1, 1.3), "tanh RNN": entry(1.21, 5)}
        problem = Problem("music", "nll", 2.0, 3, "epoch", entries)
        assert verdict(problem) == (
            "LSTM has the lowest mean, 1.1000 ± 0.1414. Each of its 2 runs is better than each run of tanh RNN. "
            "These seeds do not tell it apart from GRU."
        )
        alone = problem._replace(entries={"GRU": entry(2.0), "LSTM": entry(1.0)})
        assert verdict(alone) == "LSTM has the lowest mean, 1.0000. One seed tells none of them apart."
        assert plain([problem]).splitlines()[2].split()[:2] == ["LSTM", "3"]

    def test_a_fall_over_magnitudes_is_drawn_on_a_logarithm(self, tmp_path: Path) -> None:
        curves = np.array([[1.0, 0.5], [1.0, 0.01]])
        steep = Problem(
            "adding", "mse", 0.2, 1, "epoch", {"GRU": Entry(3, 10, 0.1, [1, 2], 0.1, [1, 2], curves)}
        )
        flat = steep._replace(entries={"GRU": Entry(3, 10, 0.1, [1, 2], 0.1, [1, 2], curves[:, :1])})
        flat.entries["GRU"].steps.pop()
        draw(tmp_path / "steep.png", [steep])
        draw(tmp_path / "flat.png", [flat])
        assert (tmp_path / "steep.png").read_bytes() != (tmp_path / "flat.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["data.cells=[]"],
            "[data] cells should hold one thing or more, none of them twice, got []",
        ),
        (
            ['data.cells=["gru", "gru"]'],
            "[data] cells should hold one thing or more, none of them twice, got ['gru', 'gru']",
        ),
        (
            ['data.cells=["lstm", "rnn"]'],
            "[data] cells should hold gru, whose score is the task's, got ['lstm', 'rnn']",
        ),
        (
            ['data.problems=["adding"]'],
            "[data] problems should hold music, whose score is the task's, got ['adding']",
        ),
        (
            ['data.cells=["gru", "gur"]'],
            "data.cells[1] is 'gur'; it must be one of gru, gru-before, lstm, rnn, sru, mingru",
        ),
        (
            ['data.music=["train.steps=3"]'],
            f"[data] music should hold settings, each {FREE}, got 'train.steps=3'",
        ),
        (["data.rates=[0]"], "data.rates[0] is 0.0; it must be above 0"),
        (
            ['data.adding=["data.lenght=3"]'],
            "data.adding: unknown key data.lenght; did you mean data.length?",
        ),
        (['data.music=["data.path=no/such"]'], "no/such: no such file"),
        (
            ["data.rates=[1.0, 1.0000001]"],
            "[data] rates should differ in their first six digits, got [1.0, 1.0000001]",
        ),
        (
            ["train.patience=2"],
            "train.patience is 2; it must be 0, for all runs of a comparison have as many steps",
        ),
        (
            ["seed=4294967295"],
            "the run music-gru-0.3-4294967296: seed is 4294967296; it must be at most 4294967295",
        ),
        (
            ["data.rates=[1e6]", "train.learning_rate=1e6"],
            "the run music-gru-1e+06-1: train.learning_rate is 1000000000000.0; it must be at most 1000000.0",
        ),
        (
            ["data.rates=[1e-300]", "train.learning_rate=1e-300"],
            "the run music-gru-1e-300-1: train.learning_rate is 0.0; it must be above 0",
        ),
        (
            ["train.steps=90000000"],
            "the run adding-gru-0.3-1: train.steps is 540000000; it must be at most 99999999",
        ),
        (["--profile"], "compare trains other runs and has no model of its own: look at one of its runs"),
    ],
)
def test_mistakes(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "compare", "run.dir=here", *words]) == 2
    error = capsys.readouterr().err
    assert error.replace(f"{tmp_path}/", "") == f"error: {message}\n"


def test_a_comparison_is_opened_run_by_run(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError) as caught:
        open_run(finished, find)
    first = finished / RUNS[0]
    assert str(caught.value) == f"{finished} is made of other runs; open one of them, such as {first}"
    assert main(["evaluate", str(first)]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["mse"] == summary_of(first)["test"]


@pytest.mark.parametrize("cell", [cell for cell in TITLES if cell != "gru"])
def test_a_recurrence_may_be_alone(cell: str) -> None:
    tables = {"model": {"cell": cell, "rival": "none", "hidden_size": 5, "layers": 2}, "data": {"length": 6}}
    task = Adding(config_of(Adding, {}, tables))
    params = jax.jit(task.init)(jax.random.key(0))
    assert [*params["params"]] == [cell]
    assert task.evaluate(params, "validation").keys() == {"mse"}
    assert task.baseline().keys() == {"mse"}
    assert task.rival is None


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ({"cell": "rnn"}, "rival should be none with cell = rnn, got rnn"),
        (
            {"cell": "rnn", "rival": "none", "chrono": 9},
            "chrono should be 0 with cell = rnn, .*, got 9",
        ),
    ],
)
def test_what_a_network_cannot_be(model: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{fault}$"):
        Adding.Model(**model)


def test_the_short_config_keeps_its_name() -> None:
    assert locate("compare").parent.name == "configs"
