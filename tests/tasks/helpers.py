"""What the tests of tasks have in common: a small config out of tables, and a run of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
