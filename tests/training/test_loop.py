"""A run from its first step to summary.json, stopped anywhere and gone on with."""

import json
import signal

import numpy as np
import pytest

from jaxgru.training.errors import Interrupted, RunError
from jaxgru.training.saved import open_run
from tests.training.helpers import checkpoint, make_config, rows, saved_steps, train_in
from tests.training.linear import Linear


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    train_in(path, make_config())
    return path


@pytest.fixture(autouse=True)
def no_picture(whole, monkeypatch):
    """One run draws its curves; for the others that would only take time."""
    monkeypatch.setattr("jaxgru.training.loop.draw_curves", lambda *arguments: None)


class Signalled(Linear):
    """Gets a signal while it makes a batch, or while it is evaluated."""

    at_step, at_evaluation, number = -1, 0, signal.SIGTERM

    def batch(self, step):
        if step == self.at_step:
            signal.raise_signal(self.number)
        return super().batch(step)

    def evaluate(self, params, split):
        found = super().evaluate(params, split)
        if len(self.evaluated) == self.at_evaluation:
            signal.raise_signal(self.number)
        return found


def stop(path, config, **when):
    """Trains until the signal; returns the exit status."""
    task = Signalled(config)
    for name, value in when.items():
        setattr(task, name, value)
    with pytest.raises(Interrupted) as error:
        train_in(path, config, task)
    assert not (path / "summary.json").exists()
    return error.value.exit_status


def test_a_run_leaves_what_a_reader_wants(whole, capsys):
    left = {path.name for path in whole.iterdir()} - {"lock"}
    assert left == {
        "config.toml",
        "data.json",
        "metrics.jsonl",
        "checkpoints",
        "summary.json",
        "curves.png",
        "sample.txt",
    }
    assert (whole / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert json.loads((whole / "data.json").read_text()) == {
        "facts": {"inputs": 3},
        "baseline": {"mse": pytest.approx(2 / 3), "mae": 0.5},
        "vocabulary": ["a", "b"],
    }


def test_each_step_due_has_one_row(whole):
    found = rows(whole)
    training = [row for row in found if "loss" in row]
    assert [row["step"] for row in training] == [5, 10, 15, 20, 25, 30]
    assert all(set(row) == {"step", "loss", "grad_norm", "learning_rate"} for row in training)
    assert [row["learning_rate"] for row in training][-1] == pytest.approx(0.05 * 0.1, rel=0.1)
    evaluations = [row for row in found if "loss" not in row]
    assert [row["step"] for row in evaluations] == [10, 20, 30]
    assert all(set(row) == {"step", "validation_mse", "validation_mae"} for row in evaluations)
    assert len(training) + len(evaluations) == len(found)


def test_the_test_split_is_scored_once_at_the_best_checkpoint(tmp_path):
    config = make_config(data={"scores": (3.0, 1.0, 2.0)}, run={"keep": 1})
    task = Linear(config)
    summary = train_in(tmp_path / "a", config, task)
    assert task.evaluated.count("test") == 1
    assert saved_steps(tmp_path / "a") == [20, 30]
    assert json.loads((tmp_path / "a/checkpoints/best.json").read_text()) == {"step": 20, "validation": 1.0}
    run = open_run(tmp_path / "a", lambda name: Linear)
    assert run.step == summary["also"]["best_step"] == 20
    assert run.evaluate()["test"]["mse"] == summary["test"]


def test_summary_holds_what_is_promised(whole):
    summary = json.loads((whole / "summary.json").read_text())
    keys = "task metric higher_is_better test validation baseline published parameters steps seconds seed"
    assert list(summary) == [*keys.split(), "versions", "also"]
    assert summary["task"] == "linear"
    assert summary["test"] == pytest.approx(summary["validation"] + 1)
    assert (summary["published"], summary["parameters"], summary["steps"], summary["seed"]) == (
        None,
        4,
        30,
        3,
    )
    assert summary["baseline"] == pytest.approx(2 / 3)
    assert set(summary["versions"]) >= {"python", "jax", "flax", "optax", "numpy"}
    assert set(summary["also"]) == {"best_step", "test_mae", "validation_mae", "baseline_mae"}


def test_equal_runs_are_equal(whole, tmp_path):
    train_in(tmp_path / "again", make_config())
    assert checkpoint(tmp_path / "again", 30) == checkpoint(whole, 30)
    assert rows(tmp_path / "again") == rows(whole)


@pytest.mark.parametrize(
    ("at_step", "number"),
    [(1, signal.SIGTERM), (7, signal.SIGINT), (20, signal.SIGTERM), (29, signal.SIGINT)],
)
def test_a_stopped_run_goes_on_exactly(whole, tmp_path, at_step, number):
    path = tmp_path / "a"
    assert stop(path, make_config(), at_step=at_step, number=number) == 128 + number
    assert saved_steps(path)[-1] > at_step, "the dispatch was finished, and saved"
    train_in(path, make_config())
    assert checkpoint(path, 30) == checkpoint(whole, 30)
    assert rows(path) == rows(whole)


def test_a_signal_cuts_an_evaluation_short_and_it_is_made_up_for(whole, tmp_path):
    assert stop(tmp_path / "a", make_config(), at_evaluation=2) == 143
    assert saved_steps(tmp_path / "a")[-1] == 20
    assert [row["step"] for row in rows(tmp_path / "a") if "loss" not in row] == [10]
    train_in(tmp_path / "a", make_config())
    assert checkpoint(tmp_path / "a", 30) == checkpoint(whole, 30)
    assert rows(tmp_path / "a") == rows(whole)


def test_a_signal_while_the_test_split_is_scored_loses_nothing(whole, tmp_path):
    stop(tmp_path / "a", make_config(), at_evaluation=4)
    summary = train_in(tmp_path / "a", make_config())
    assert checkpoint(tmp_path / "a", 30) == checkpoint(whole, 30)
    assert summary["test"] == json.loads((whole / "summary.json").read_text())["test"]


def test_signals_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    stop(tmp_path / "a", make_config(), at_step=1)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(whole, tmp_path, capsys):
    path = tmp_path / "a"
    stop(path, make_config(), at_step=22)
    steps = saved_steps(path)
    newest = path / "checkpoints" / f"{steps[-1]:08d}.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1] + b"\x01")
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 25, "lo')
    train_in(path, make_config())
    assert f"{newest} is damaged" in capsys.readouterr().err
    assert checkpoint(path, 30) == checkpoint(whole, 30)
    assert rows(path) == rows(whole)


def test_without_a_checkpoint_a_run_starts_at_zero(whole, tmp_path):
    path = tmp_path / "a"
    stop(path, make_config(), at_step=1)
    for file in (path / "checkpoints").iterdir():
        file.unlink()
    train_in(path, make_config())
    assert checkpoint(path, 30) == checkpoint(whole, 30)


def test_patience_ends_a_run(tmp_path):
    config = make_config(patience=2, steps=100, data={"scores": (1.0, 2.0, 3.0, 0.0)})
    summary = train_in(tmp_path / "a", config)
    assert (summary["steps"], summary["also"]["best_step"]) == (30, 10)
    assert 30 in saved_steps(tmp_path / "a")


def test_patience_is_remembered(tmp_path):
    config = make_config(patience=2, steps=100, data={"scores": (1.0, 2.0)})
    stop(tmp_path / "a", config, at_step=22)
    summary = train_in(tmp_path / "a", make_config(patience=2, steps=100, data={"scores": (3.0,)}))
    assert summary["steps"] == 30


def test_a_loss_that_is_nan_ends_a_run(tmp_path):
    with pytest.raises(RunError) as error:
        train_in(tmp_path / "a", make_config(data={"bad_steps": (17,)}))
    assert str(error.value) == (
        "loss nan, gradient norm nan at step 18; the last good checkpoint is of step 14; "
        'a lower train.learning_rate may help, or train.nonfinite="skip"'
    )
    assert [row["step"] for row in rows(tmp_path / "a") if "loss" in row] == [5, 10, 15]


def test_a_skipped_update_is_said_and_has_its_row(tmp_path, capsys):
    summary = train_in(tmp_path / "a", make_config(nonfinite="skip", data={"bad_steps": (14,)}))
    warning = "warning: loss nan, gradient norm nan at step 15; the update is skipped\n"
    assert capsys.readouterr().err == warning
    bad = {row["step"]: row for row in rows(tmp_path / "a") if "loss" in row}[15]
    assert bad["loss"] is None
    assert np.isfinite(summary["test"])


def test_ignored_nan_goes_to_the_end(tmp_path):
    summary = train_in(tmp_path / "a", make_config(nonfinite="ignore", data={"bad_steps": (14,)}))
    assert (summary["steps"], summary["also"]["best_step"]) == (30, 10)
    assert json.loads((tmp_path / "a/summary.json").read_text())["validation"] is not None


def test_a_run_that_was_never_scored_well_is_summed_up(tmp_path):
    train_in(tmp_path / "a", make_config(nonfinite="ignore", data={"bad_steps": (1,)}))
    summary = json.loads((tmp_path / "a/summary.json").read_text())
    assert (summary["test"], summary["validation"], summary["also"]["best_step"]) == (None, None, 30)


def test_changed_data_is_refused(tmp_path):
    class Wider(Linear):
        def facts(self):
            return {"inputs": 4}

    stop(tmp_path / "a", make_config(), at_step=6)
    with pytest.raises(RunError, match="the data changed since this run began: inputs was 3, it is 4"):
        train_in(tmp_path / "a", make_config(), Wider(make_config()))


def test_a_vanished_folder_is_said(tmp_path):
    class Vanishing(Linear):
        def batch(self, step):
            if step == 8:
                (tmp_path / "a").rename(tmp_path / "b")
            return super().batch(step)

    with pytest.raises(OSError, match="No such file or directory") as error:
        train_in(tmp_path / "a", make_config(), Vanishing(make_config()))
    assert error.value.filename.startswith(str(tmp_path / "a"))
