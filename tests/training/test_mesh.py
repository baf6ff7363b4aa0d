"""A batch over several devices: the same run up to the order of sums, repeatable, and said where it cannot be."""

import os
import re
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru.cli import main
from jaxgru.training.errors import UserError
from jaxgru.training.mesh import claim_devices, fitting
from jaxgru.training.profile import loops_of
from tests.training.helpers import checkpoint, rows

CONFIG = """\
task = "linear"
run = { log_every = 5, save_every = 6 }
train = { steps = 20, batch_size = 6, steps_per_call = 4 }
"""


def train(path, *words, devices=None, log=False):
    """Runs the command line in a process of its own; returns what it printed."""
    environment = (
        os.environ
        | ({"JAX_LOG_COMPILES": "1"} if log else {})
        | ({"JAX_NUM_CPU_DEVICES": str(devices)} if devices else {})
    )
    command = [sys.executable, "-m", "tests.training.linear", "train", *words, f"run.dir={path}"]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "linear.toml"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture(scope="module")
def three(config, tmp_path_factory):
    """A run on three devices, where four were asked for."""
    path = tmp_path_factory.mktemp("runs") / "three"
    done = train(path, config, "mesh.cpu_devices=4", log=True)
    assert done.returncode == 0, done.stderr
    said = "mesh.cpu_devices=4: 3 of them share the 6 rows of a batch equally, and are used\n"
    assert done.stdout.startswith(said)
    assert len(re.findall(r"Finished XLA compilation of jit\(train_steps\)", done.stderr)) == 1
    return path


def test_several_devices_take_the_steps_of_one(three, config, tmp_path):
    assert train(tmp_path / "one", config, "mesh.cpu_devices=1").returncode == 0
    losses = [[row["loss"] for row in rows(path) if "loss" in row] for path in (three, tmp_path / "one")]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_it_is_stored_resolved_and_resumes_to_the_same_bits(three, config, tmp_path):
    """Asked for by the same words or by none, and where there are more of them."""
    assert "[mesh]\ncpu_devices = 3\n" in (three / "config.toml").read_text()
    path = shutil.copytree(three, tmp_path / "again")
    words = [[config, "mesh.cpu_devices=4"], [config], []]
    for asked in words:
        for name in ("summary.json", "checkpoints/00000020.json", "checkpoints/00000020.safetensors"):
            (path / name).unlink()
        done = train(path, "--resume", *asked, devices=5)
        assert done.returncode == 0, done.stderr
        assert "going on from step 18\n" in done.stdout
        assert checkpoint(path, 20) == checkpoint(three, 20)


def test_another_number_cannot_go_on(three):
    done = train(three, "--resume", "mesh.cpu_devices=2")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--resume cannot change mesh.cpu_devices from 3 to 2: it decides how the run goes" in done.stderr


def test_more_than_there_are_is_one_line(config, tmp_path):
    done = train(tmp_path / "a", config, "mesh.cpu_devices=6", devices=2)
    assert done.returncode == 2
    assert done.stderr == (
        "error: mesh.cpu_devices is 6, and JAX has 2 of them; JAX_NUM_CPU_DEVICES and XLA_FLAGS, where set, "
        "decide that\n"
    )


def test_auto_keeps_sixteen_rows_together(monkeypatch):
    monkeypatch.setattr("jax.device_count", lambda: 6)
    assert [claim_devices("auto", rows) for rows in (1, 16, 31, 32, 48, 64, 96, 1000)] == [
        1,
        1,
        1,
        2,
        3,
        4,
        6,
        5,
    ]
    assert [fitting(6, rows) for rows in (1, 7, 12)] == [1, 1, 6]


@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mesh.cpu_devices=0", "mesh.cpu_devices is 0; it must be at least 1"),
        ("mesh.cpu_devices=all", "mesh.cpu_devices is 'all'; it must be auto or a whole number"),
        ("mesh.cpu_devices=1.5", "mesh.cpu_devices must be a string or a whole number, not 1.5"),
    ],
)
def test_an_impossible_number_is_one_line(config, capsys, word, message):
    assert main(["train", config, word]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.usefixtures("linear")
def test_profile_says_where_the_time_goes_and_leaves_a_trace(config, tmp_path, capsys):
    assert main(["train", config, "--profile", f"run.dir={tmp_path / 'a'}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("linear: 6 rows a step, on 1 device\na step takes ")
    shares = [int(share) for share in re.findall(r" ms +(\d+) %$", out, re.MULTILINE)]
    assert len(shares) == 4
    assert shares[0] == 0  # a linear model has no loop
    assert list((tmp_path / "a" / "profile").rglob("*.xplane.pb"))
    assert not (tmp_path / "a" / "summary.json").exists()


def test_the_loops_of_a_gradient_are_found():
    cell = jaxgru.GRU(3, 4)

    def loss(params):
        return jaxgru.scan(cell, params, jnp.ones((5, 2, 3)))[1].sum()

    loops = loops_of(jax.grad(loss), cell.init(jax.random.key(0)))
    assert len(loops) == 2  # forward and backward
    assert all(jax.tree.leaves(loop()) for loop in loops)


def test_batches_of_several_shapes_stay_on_one_device():
    assert claim_devices("auto", 64, ragged=True) == 1
    assert claim_devices(1, 64, ragged=True) == 1
    with pytest.raises(UserError) as caught:
        claim_devices(2, 64, ragged=True)
    assert str(caught.value) == "mesh.cpu_devices is 2, and batches of several shapes stay on 1"
