"""Real processes, killed and crowded: what a run loses is at most the steps since its last checkpoint."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.training.helpers import checkpoint, rows, saved_steps

ROOT = Path(__file__).parents[2]
CONFIG = """\
task = "linear"
seed = 5
[run]
log_every = 3
evaluate_every = 20
save_every = 10
[train]
batch_size = 4
steps = 60
steps_per_call = 4
[data]
seconds = 0.03
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "linear.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def start(config):
    """Starts a training process, its run in the folder given; whatever still runs at the end is killed."""
    with contextlib.ExitStack() as processes:

        def start(path, *words, before=(), **options):
            train = [sys.executable, "-m", "tests.training.linear", "train", config, f"run.dir={path}"]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            process = subprocess.Popen([*before, *train, *words], cwd=ROOT, **pipes | options)
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield start


def wait_for(process, condition):
    """Waits until something is so; fails if the process ends before."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def end(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def undisturbed(start, tmp_path_factory):
    """A run that nothing disturbs."""
    path = tmp_path_factory.mktemp("runs") / "a"
    status, _, err = end(start(path))
    assert (status, err) == (0, "")
    return path


def assert_equal_runs(path, other, step):
    assert checkpoint(path, step) == checkpoint(other, step)
    assert rows(path) == rows(other)
    due = [row["step"] for row in rows(path) if "loss" in row]
    assert due == list(range(3, step + 1, 3))


def test_a_run_killed_twice_ends_as_if_it_had_not_been(start, undisturbed, tmp_path):
    """kill -9 after a first and after a second checkpoint, then to the end, always by the same command."""
    path = tmp_path / "a"
    words: list[str] = []
    for reached in (10, 40):
        process = start(path, *words)
        wait_for(
            process, lambda step=reached: (path / "checkpoints").exists() and saved_steps(path)[-1:] >= [step]
        )
        process.kill()
        assert end(process)[0] == -signal.SIGKILL
        assert not (path / "summary.json").exists()
        words = ["--resume"]
    status, out, err = end(start(path, *words))
    assert (status, err) == (0, "")
    assert "going on from step" in out
    assert_equal_runs(path, undisturbed, 60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends(start, tmp_path, number):
    path = tmp_path / "a"
    process = start(path, "train.steps=1000")
    wait_for(process, lambda: (path / "metrics.jsonl").exists() and len(rows(path)) >= 2)
    process.send_signal(number)
    status, out, err = end(process)
    assert (status, err) == (128 + number, "")
    assert f"go on with: python train.py --resume run.dir={path}" in out
    assert saved_steps(path)[-1] >= rows(path)[-1]["step"]


def test_two_processes_do_not_share_a_folder(start, tmp_path):
    path = tmp_path / "a"
    first = start(path, "train.steps=1000")
    wait_for(first, (path / "config.toml").exists)
    status, _, err = end(start(path, "train.steps=1000", "--resume"))
    message = f"{path} is in use by process {first.pid}; wait for it or choose another run.dir"
    assert (status, err) == (2, f"error: {message}\n")
    first.kill()
    end(first)
    again = start(path, "train.steps=1000", "--resume")
    wait_for(again, lambda: (path / "lock").read_text() == f"{again.pid}\n")
    again.kill()
    end(again)


def test_a_full_disk_is_one_line_and_leaves_a_run_that_goes_on(start, undisturbed, tmp_path):
    """No file may grow past 3 kB, which metrics.jsonl reaches after the first checkpoint."""
    path = tmp_path / "a"
    status, _, err = end(start(path, before=["bash", "-c", 'ulimit -f 3; exec "$@"', "bash"]))
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(f"error: {path}/")
    assert "File too large; the last good checkpoint is of step " in err
    assert end(start(path, "--resume"))[0] == 0
    assert_equal_runs(path, undisturbed, 60)


def test_a_terminal_gets_a_bar(start, tmp_path):
    ours, theirs = os.openpty()
    process = start(tmp_path / "a", stdout=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # which is how a terminal ends
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert end(process)[0] == 0
    assert b"step 60/60" in shown
    assert b"linear: mse, lower is better" in shown


@pytest.mark.faults
def test_chars_killed_twice_ends_as_if_it_had_not_been(tmp_path):
    """train.py itself, on a text of its own, with a model that is quick to train."""
    text = tmp_path / "text.txt"
    text.write_text("".join(f"{n} green bottles standing on the wall\n\n" for n in range(400)))
    model = ["model.hidden_size=16", "model.embedding_size=8", "data.window=16", f"data.path={text}"]
    rhythm = ["train.steps=300", "run.save_every=20", "run.evaluate_every=100", "sample.length=20"]

    def start(path, *words):
        command = [sys.executable, "train.py", *model, *rhythm, f"run.dir={path}", *words]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    alone, path = tmp_path / "alone", tmp_path / "a"
    assert end(start(alone))[0] == 0
    for words, reached in (([], 60), (["--resume"], 160)):
        process = start(path, *words)
        wait_for(process, lambda step=reached: path.exists() and max(saved_steps(path), default=0) >= step)
        process.kill()
        assert end(process)[0] == -signal.SIGKILL
    status, _, err = end(start(path, "--resume"))
    assert (status, err) == (0, "")
    assert checkpoint(path, 300) == checkpoint(alone, 300)
    assert rows(path) == rows(alone)
    assert [row["step"] for row in rows(path) if "loss" in row] == list(range(10, 301, 10))


@pytest.mark.faults
def test_twenty_kills_at_random_moments(start, tmp_path):
    """The run is killed over and over, inside saves too, until it gets through."""
    alone, path = tmp_path / "alone", tmp_path / "a"
    words = ["train.steps=600", "run.save_every=2", "data.seconds=0.002"]
    assert end(start(alone, *words))[0] == 0
    moments = np.random.default_rng(0)
    killed = 0
    for _ in range(20):
        process = start(path, *words, "--resume")
        reached = max(saved_steps(path), default=0) if path.exists() else 0
        with contextlib.suppress(AssertionError):
            goal = reached + moments.integers(1, 26)
            wait_for(process, lambda step=goal: path.exists() and max(saved_steps(path), default=0) >= step)
        time.sleep(moments.random() * 0.01)
        process.kill()
        status, _, err = end(process)
        assert status in (0, -signal.SIGKILL), err
        killed += status == -signal.SIGKILL
    status, _, err = end(start(path, *words, "--resume"))
    assert status == 0, err
    assert_equal_runs(path, alone, 600)
    assert killed == 20
    sys.stdout.write(f"\n{killed} kills survived, the last checkpoint identical\n")
