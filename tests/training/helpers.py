"""Short ways to a config and to a finished run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jaxgru.training.config import Config, RunConfig, TrainConfig
from jaxgru.training.display import Display
from jaxgru.training.loop import train
from jaxgru.training.run import RunFolder, claim
from tests.training.linear import Data, Linear, Model, Sample

if TYPE_CHECKING:
    from pathlib import Path


def make_config(seed: int = 3, run: Any = (), data: Any = (), **settings: Any) -> Config:
    """A run of 30 steps with a row every 5, an evaluation every 10 and a checkpoint every 7."""
    rhythm = {"log_every": 5, "evaluate_every": 10, "save_every": 7}
    default = {"steps": 30, "batch_size": 4, "steps_per_call": 4, "warmup_steps": 3, "learning_rate": 0.05}
    return Config(
        task="linear",
        seed=seed,
        run=RunConfig(**rhythm | dict(run)),
        train=TrainConfig(**default | settings),
        data=Data(**dict(data)),
        model=Model(),
        sample=Sample(),
    )


def train_in(path: Path, config: Config, task: Linear | None = None) -> dict[str, Any]:
    with claim(path, resume=True), Display(config.train.steps) as show:
        return train(task or Linear(config), config, RunFolder(path, config), show)


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a run without their times, which no two runs share."""
    found = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def checkpoint(path: Path, step: int) -> bytes:
    return (path / "checkpoints" / f"{step:08d}.safetensors").read_bytes()


def saved_steps(path: Path) -> list[int]:
    return sorted(int(file.stem) for file in (path / "checkpoints").glob("*.safetensors"))
