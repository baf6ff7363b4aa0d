"""`python -m jaxgru results`: what it trains and what it does not, what it leaves, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jaxgru.cli import main
from jaxgru.results import command
from jaxgru.results.page import page
from jaxgru.results.record import read_rows
from jaxgru.training.errors import Interrupted, RunError
from tests.results.helpers import MACHINE, Place, Said


def test_it_trains_every_seed_and_writes_both_files(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert place.results() == 0
    runs, docs = place.path / "runs", place.path / "docs"
    assert place.calls("chars-1") == [f"chars seed=1 run.dir={runs}/chars-1 --resume"]
    assert place.calls("b-0") == [f"chars seed=0 run.dir={runs}/b-0 train.learning_rate=5 --resume"]
    rows = read_rows(docs / "results.json")
    assert place.means() == {"chars": 1.5, "b": 5.0}
    assert rows["chars"]["runs"][1]["machine"] == MACHINE
    assert (docs / "results.md").read_text() == page(rows)
    assert capfd.readouterr().out.splitlines() == [
        f"chars, seed 0: training, in {runs}/chars-0",
        f"chars, seed 1: training, in {runs}/chars-1",
        f"{docs}/results.md: chars",
        f"b, seed 0: training, in {runs}/b-0",
        f"{docs}/results.md: chars, b",
    ]


def test_what_is_finished_is_not_trained_again(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert place.results("chars", "--seeds", "1") == 0
    capfd.readouterr()
    assert place.results("chars") == 0
    assert len(place.calls("chars-0")) == len(place.calls("chars-1")) == 1
    assert capfd.readouterr().out.startswith(f"chars, seed 0: finished, in {place.path}/runs/chars-0\n")


def test_rows_that_are_not_named_keep_what_they_have(place: Place) -> None:
    assert place.results("b") == 0
    before = read_rows(place.path / "docs/results.json")["b"]
    (place.path / "runs/b-0/summary.json").unlink()
    assert place.results("chars") == 0
    rows = read_rows(place.path / "docs/results.json")
    assert list(rows) == ["chars", "b"]  # as in the plan
    assert rows["b"] == before
    assert place.results("c", plan='[c]\nconfig = "chars"') == 0
    assert list(read_rows(place.path / "docs/results.json")) == ["c", "chars", "b"]


def test_render_makes_the_page_anew(place: Place) -> None:
    assert place.results() == 0
    path = place.path / "docs/results.md"
    before = path.read_text()
    path.write_text("typed by hand")
    assert main(["results", "--render", "--out", f"{place.path}/docs"]) == 0
    assert path.read_text() == before


def test_list_shows_the_rows_and_trains_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.results("--seeds", "1", "chars") == 0
    capsys.readouterr()
    assert place.results("--list") == 0
    assert [line.split("  train ") for line in capsys.readouterr().out.splitlines()] == [
        ["chars  1 of 2 runs finished", "chars"],
        ["b      0 of 1 runs finished", "chars train.learning_rate=5"],
    ]
    assert place.calls("b-0") == []


@pytest.mark.parametrize(("order", "end"), [("exit 3", "with exit status 3"), ("die", "by signal 9")])
def test_a_run_that_fails_is_named(order: str, end: str, place: Place, error: Said) -> None:
    place.order("chars-1", order)
    assert place.results() == 1
    path = place.path / "runs/chars-1"
    assert error() == f"chars, seed 1: training ended {end}; the same command goes on from {path}"
    assert not (place.path / "docs/results.json").exists()


def test_an_interrupted_command_lets_the_run_save_and_goes_on(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    place.order("b-0", "interrupt")
    assert place.results() == 128 + signal.SIGINT
    assert (place.path / "runs/b-0/saved").exists()
    assert capfd.readouterr().out.endswith("stopped; finished runs stay, and the same command goes on\n")
    assert place.means() == {"chars": 1.5}
    place.order("b-0", "")
    assert place.results() == 0
    assert place.means() == {"chars": 1.5, "b": 5.0}
    assert [len(place.calls(run)) for run in ("chars-0", "chars-1", "b-0")] == [1, 1, 2]


def test_a_second_interrupt_does_not_wait(tmp_path: Path) -> None:
    deaf = (
        "import os, signal, time; signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGINT));"
        "os.kill(os.getppid(), signal.SIGINT)\nwhile True: time.sleep(60)"
    )
    with pytest.raises(KeyboardInterrupt):
        command.wait([sys.executable, "-c", deaf])
    with pytest.raises(ChildProcessError):  # none is left behind
        os.waitpid(-1, os.WNOHANG)


def test_a_signal_of_the_parent_is_its_exit_status() -> None:
    term = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    with pytest.raises(Interrupted) as raised:
        command.wait([sys.executable, "-c", term])
    assert raised.value.exit_status == 143


def test_the_machine_of_a_run_outlives_the_command(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.order("b-0", "orphan")

    def killed(words: Sequence[str]) -> int:
        subprocess.run(words, check=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "wait", killed)
        assert place.results("b") == 130
    monkeypatch.setattr(command, "machine", lambda: MACHINE | {"cpu": "another"})
    assert place.results("b") == 0
    assert read_rows(place.path / "docs/results.json")["b"]["runs"][0]["machine"] == MACHINE
    assert not (place.path / "runs/b-0.machine.json").exists()


def test_a_page_that_cannot_be_made_leaves_no_figures_either(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> str:
        raise RunError("no page")

    monkeypatch.setattr(command, "page", fail)
    assert place.results("b") == 1
    assert list((place.path / "docs").iterdir()) == []


def test_bytes_of_the_environment_that_are_no_text_are_noted_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.dumps(MACHINE | {"environment": {"XLA_FLAGS": "\udcff"}})
    monkeypatch.setattr(command, "FIND_MACHINE", f"print({said!r})")
    assert command.machine() == MACHINE | {"environment": {"XLA_FLAGS": "?"}}


def test_a_real_row_from_config_to_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat and that was that\n" * 40)
    config = tmp_path / "tiny.toml"  # beside the plan, and so named without a folder
    config.write_text(
        f'task = "chars"\n[train]\nsteps = 2\nbatch_size = 2\n[data]\npath = "{tmp_path / "text.txt"}"\n'
        'repeats = "keep"\nwindow = 4\n[model]\nembedding_size = 2\nhidden_size = 2\nlayers = 1\n[sample]\nlength = 2\n'
    )
    place = Place(tmp_path)
    assert place.results(plan=f'[tiny]\nseeds = 2\nconfig = "{config.name}"') == 0
    (row,) = read_rows(tmp_path / "docs/results.json").values()
    summaries = [json.loads((tmp_path / f"runs/tiny-{seed}/summary.json").read_text()) for seed in (0, 1)]
    assert [run["test"] for run in row["runs"]] == [summary["test"] for summary in summaries]
    assert row["mean"]["test"] == pytest.approx(sum(summary["test"] for summary in summaries) / 2)
    assert row["metric"] == "bits_per_character"
    assert row["facts"]["source"] == str(tmp_path / "text.txt")
    assert all(run["machine"]["cores"] > 0 for run in row["runs"])
    capfd.readouterr()
    assert place.results(plan=f'[tiny]\nseeds = 2\nconfig = "{config.name}"') == 0
    assert [line.split(", in")[0] for line in capfd.readouterr().out.splitlines()[:2]] == [
        "tiny, seed 0: finished",
        "tiny, seed 1: finished",
    ]
