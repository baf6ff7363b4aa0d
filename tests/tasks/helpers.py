"""What the tests of tasks have in common: a small config out of tables, a run of it, and what holds of every run."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgru.training.config import Config, RunConfig, TrainConfig
from jaxgru.training.display import Display
from jaxgru.training.loop import train
from jaxgru.training.run import RunFolder, claim
from jaxgru.training.task import Task

Tables = Mapping[str, Mapping[str, Any]]


def config_of(task: type[Task], default: Tables, tables: Tables, seed: int = 0) -> Config:
    """The config of a task whose tables are these, where they say something, or else the default ones."""
    kinds = {
        "run": RunConfig,
        "train": TrainConfig,
        "data": task.Data,
        "model": task.Model,
        "sample": task.Sample,
    }
    made = {name: kind(**{**default.get(name, {}), **tables.get(name, {})}) for name, kind in kinds.items()}
    return Config(task=task.name, seed=seed, **made)


def run(task: type[Task], path: Path, config: Config) -> dict[str, Any]:
    """Trains in a folder, from the start or from where it stopped, and returns the summary."""
    with claim(path, resume=True), Display(config.train.steps) as show:
        return train(task(config), config, RunFolder(path, config), show)


def drawn(init: Callable[..., Any], *inputs: Any, scale: float = 0.3) -> Any:
    """Parameters such as `init(key, *inputs)` makes, far from their start, for which nothing is compiled."""
    chance, like = np.random.default_rng(0), jax.eval_shape(init, jax.random.key(0), *inputs)
    return jax.tree.map(lambda leaf: chance.normal(0, scale, leaf.shape).astype(leaf.dtype), like)


def summary_of(path: Path) -> dict[str, Any]:
    """The summary of a finished run."""
    found: dict[str, Any] = json.loads((path / "summary.json").read_text())
    return found


def last_of(path: Path, config: Config) -> Path:
    """The last checkpoint of a finished run."""
    return path / "checkpoints" / f"{config.train.steps:08d}.safetensors"


def assert_resumed_alike(task: type[Task], finished: Path, path: Path, config: Config) -> None:
    """A finished run, copied without its end, is resumed there: it ends in the same bits, with the same scores."""
    shutil.copytree(finished, path)
    last = last_of(path, config)
    for file in (path / "summary.json", last, last.with_suffix(".json")):
        file.unlink()
    summary, before = run(task, path, config), summary_of(finished)
    assert last.read_bytes() == last_of(finished, config).read_bytes()
    assert (summary["test"], summary["also"]) == (before["test"], before["also"])


def assert_fitted_alike(task: Task, other: Task, params: Any, steps: int = 5) -> None:
    """Two tasks whose data differ in the test part have the same model, batches and validation."""
    assert other.vocabulary == task.vocabulary
    for step in range(steps):
        jax.tree.map(np.testing.assert_array_equal, other.batch(step), task.batch(step))
    assert other.evaluate(params, "validation") == task.evaluate(params, "validation")
