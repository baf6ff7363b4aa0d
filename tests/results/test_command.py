"""`python -m jaxgru results`: what it trains and what it does not, what it leaves, and how it ends."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from jaxgru.cli import main
from jaxgru.results import command
from jaxgru.results.page import page
from jaxgru.results.record import read_rows
from jaxgru.tasks import find
from jaxgru.training.configfile import locate, read, to_toml
from jaxgru.training.errors import Interrupted
from tests.results.helpers import MACHINE, VERSIONS

# Stands for `train`: notes how it was called, and leaves the files of a finished run, or does as it is told.
FAKE = f"""\
import json, os, pathlib, signal, sys, time
words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
path, seed = pathlib.Path(words["run.dir"]), int(words["seed"])
path.mkdir(parents=True, exist_ok=True)
with (path / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + chr(10))
orders = path.parent / f"{{path.name}}.order"
order = orders.read_text() if orders.exists() else ""
if order.startswith("exit"):
    sys.exit(int(order.split()[1]))
if order == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if order == "interrupt":
    signal.signal(signal.SIGTERM, lambda *_: ((path / "saved").touch(), sys.exit(143)))
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
test = float(words.get("train.learning_rate", 1)) + seed
summary = dict(task="chars", metric="bits", higher_is_better=False, test=test, validation=2.0, baseline=3.0,
    published=None, parameters=10, steps=4, seconds=60.0, seed=seed, versions={VERSIONS!r}, also=dict(best_step=4))
(path / "data.json").write_text(json.dumps(dict(facts=dict(sha256="ab"))))
(path / "summary.json").write_text(json.dumps(summary))
"""
PLAN = """\
[chars]
seeds = 2
[b]
config = "chars"
seeds = 1
set = ["train.learning_rate=5"]
"""


Said = Callable[[], str]


class Place(NamedTuple):
    """Where everything of a test is."""

    path: Path

    def results(self, *words: str, plan: str = PLAN) -> int:
        (self.path / "plan.toml").write_text(plan)
        options = [
            "--runs",
            f"{self.path}/runs",
            "--out",
            f"{self.path}/docs",
            "--plan",
            f"{self.path}/plan.toml",
        ]
        return main(["results", *words, *options])

    def calls(self, run: str) -> list[str]:
        path = self.path / "runs" / run / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def order(self, run: str, word: str) -> None:
        (self.path / "runs").mkdir(exist_ok=True)
        (self.path / "runs" / f"{run}.order").write_text(word)

    def means(self) -> dict[str, float]:
        return {name: row["mean"]["test"] for name, row in read_rows(self.path / "docs/results.json").items()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(command, "TRAIN", (sys.executable, "-c", FAKE))
    monkeypatch.setattr(command, "machine", lambda: MACHINE)
    return Place(tmp_path)


@pytest.fixture
def error(capsys: pytest.CaptureFixture[str]) -> Said:
    """What was said on stderr, one line of it."""

    def said() -> str:
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        return text.removeprefix("error: ").rstrip("\n")

    return said


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
        ["chars               1 of 2 runs finished", "chars"],
        ["b                   0 of 1 runs finished", "chars train.learning_rate=5"],
    ]
    assert place.calls("b-0") == []


def test_a_run_with_other_settings_is_refused_before_anything_is_trained(place: Place, error: Said) -> None:
    path = place.path / "runs/b-0"
    path.mkdir(parents=True)
    other = read(locate("chars"), ["train.learning_rate=4", f"run.dir={path}", "mesh.cpu_devices=1"], find)
    (path / "config.toml").write_text(to_toml(other))
    assert place.results() == 2
    change = "train.learning_rate is 4.0 there, and 5.0 in the plan"
    mend = "delete that folder, or name another place with --runs"
    assert error() == f"{path} holds another run: {change}; {mend}"
    assert place.calls("chars-0") == []
    assert (
        place.results(plan=PLAN.replace("5", "4")) == 0
    )  # the devices that `auto` stood for are no other setting


@pytest.mark.parametrize(("setting", "same"), [("auto", True), ("2", True), ("3", True), ("5", False)])
def test_the_devices_of_a_run_are_those_its_words_mean(setting: str, same: bool) -> None:
    stored = read(locate("chars"), ["mesh.cpu_devices=2", "train.batch_size=10"], find)
    now = read(locate("chars"), [f"mesh.cpu_devices={setting}", "train.batch_size=10"], find)
    assert command.changed(stored, now) == ("" if same else "mesh.cpu_devices is 2 there, and 5")


def test_settings_of_sampling_make_another_run() -> None:
    """The score of a search depends on them."""
    stored, now = (read(locate("chars"), [f"sample.length={n}", f"run.dir={n}"], find) for n in (800, 900))
    assert command.changed(stored, now) == "sample.length is 800 there, and 900"


@pytest.mark.parametrize(("order", "end"), [("exit 3", "with exit status 3"), ("die", "by signal 9")])
def test_a_run_that_fails_is_named(order: str, end: str, place: Place, error: Said) -> None:
    place.order("chars-1", order)
    assert place.results() == 1
    path = place.path / "runs/chars-1"
    assert error() == f"chars, seed 1: training ended {end}; the same command goes on from {path}"
    assert not (path / "machine.json").exists()
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


MISTAKES = {
    ("wrds",): "{plan} has no row wrds; there are chars, b",
    ("charz",): "{plan} has no row charz; did you mean chars?",
    ("--seeds", "0"): "--seeds must be at least 1, got 0",
    ("--render",): "--render takes --out and nothing else: results.json is all it reads",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_status_2(words: tuple[str, ...], place: Place, error: Said) -> None:
    assert place.results(*words) == 2
    assert error() == MISTAKES[words].format(plan=place.path / "plan.toml")


def test_a_setting_that_train_refuses_is_refused_with_its_row(place: Place, error: Said) -> None:
    assert place.results(plan='[chars]\nset = ["model.attention=false"]') == 2
    fault = "unknown key model.attention; [model] has embedding_size, hidden_size, layers, dropout"
    assert error() == f"{place.path / 'plan.toml'}: row chars: {fault}"


def test_a_damaged_results_json_is_refused_before_anything_is_trained(place: Place, error: Said) -> None:
    path = place.path / "docs/results.json"
    path.parent.mkdir()
    path.write_text("{}")
    assert place.results() == 2
    assert error() == f"{path} is damaged: rows is missing"
    assert place.calls("chars-0") == []
    assert path.read_text() == "{}"


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_trained(
    place: Place, error: Said
) -> None:
    (place.path / "docs").touch()
    assert place.results() == 2
    assert error() == f"--out {place.path / 'docs'}: File exists"
    assert place.calls("chars-0") == []


def test_a_real_row_from_config_to_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat and that was that\n" * 40)
    config = tmp_path / "tiny.toml"
    config.write_text(
        f'task = "chars"\n[train]\nsteps = 2\nbatch_size = 2\n[data]\npath = "{tmp_path / "text.txt"}"\n'
        'repeats = "keep"\nwindow = 4\n[model]\nembedding_size = 2\nhidden_size = 2\nlayers = 1\n[sample]\nlength = 2\n'
    )
    place = Place(tmp_path)
    assert place.results(plan=f'[tiny]\nseeds = 2\nconfig = "{config}"') == 0
    (row,) = read_rows(tmp_path / "docs/results.json").values()
    summaries = [json.loads((tmp_path / f"runs/tiny-{seed}/summary.json").read_text()) for seed in (0, 1)]
    assert [run["test"] for run in row["runs"]] == [summary["test"] for summary in summaries]
    assert row["mean"]["test"] == pytest.approx(sum(summary["test"] for summary in summaries) / 2)
    assert row["metric"] == "bits_per_character"
    assert row["facts"]["source"] == str(tmp_path / "text.txt")
    assert all(run["machine"]["cores"] > 0 for run in row["runs"])
    capfd.readouterr()
    assert place.results(plan=f'[tiny]\nseeds = 2\nconfig = "{config}"') == 0
    assert [line.split(", in")[0] for line in capfd.readouterr().out.splitlines()[:2]] == [
        "tiny, seed 0: finished",
        "tiny, seed 1: finished",
    ]
