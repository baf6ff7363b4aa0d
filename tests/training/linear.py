"""A task small enough to train in milliseconds, and the command line that knows it.

`python -m tests.training.linear train …` is `python -m jaxgru train …` with the task `linear` added.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgru.training.config import option
from jaxgru.training.errors import UserError
from jaxgru.training.task import Task

if TYPE_CHECKING:
    from pathlib import Path

    from jaxgru.training.config import Config


@dataclass(frozen=True)
class Data:
    noise: float = option(0.1, "standard deviation of the targets' noise", at_least=0)
    path: str = option("", "a file that must exist, if named")
    bad_steps: tuple[int, ...] = option((), "steps (from 0) whose batch holds a nan")
    seconds: float = option(0.0, "how long a batch takes to make", at_least=0)
    rows: tuple[int, ...] = option((), "rows of each batch in turn, in place of train.batch_size")
    scores: tuple[float, ...] = option((), "what evaluate says instead of the truth, one after the other")


@dataclass(frozen=True)
class Model:
    inputs: int = option(3, "width of an input", at_least=1)


@dataclass(frozen=True)
class Sample:
    temperature: float = option(1.0, "how far a sample strays", above=0)
    length: int = option(4, "numbers in a sample", at_least=1)


class Linear(Task):
    name = "linear"
    metric = "mse"
    higher_is_better = False
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config) -> None:
        if config.data.path == "missing":
            raise UserError("missing: no such file")
        self.config = config
        self.vocabulary = ["a", "b"]
        self.evaluations = 0
        self.truth = np.linspace(-1, 1, config.model.inputs).astype(np.float32)
        self.evaluated: list[str] = []

    def init(self, key: jax.Array) -> Any:
        return {"w": jax.random.normal(key, (self.config.model.inputs, 1)), "b": jnp.zeros(1)}

    def initial_carry(self) -> Any:
        return jnp.zeros((), jnp.int32)

    def batch(self, step: int) -> Any:
        time.sleep(self.config.data.seconds)
        rng = np.random.default_rng((self.config.seed, step))
        rows = self.config.data.rows or (self.config.train.batch_size,)
        xs = rng.normal(size=(rows[step % len(rows)], self.config.model.inputs)).astype(np.float32)
        ys = xs @ self.truth + np.float32(self.config.data.noise) * rng.normal(size=len(xs)).astype(
            np.float32
        )
        return {"xs": np.full_like(xs, np.nan) if step in self.config.data.bad_steps else xs, "ys": ys}

    def loss(self, params: Any, carry: Any, batch: Any, key: jax.Array) -> Any:
        chance = jax.random.key_data(key)[0] / 2.0**32  # of the key, and quick to compile
        error = (batch["xs"] @ params["w"] + params["b"])[:, 0] - batch["ys"] + chance
        return jnp.mean(error**2), carry + 1

    def evaluate(self, params: Any, split: str) -> dict[str, float]:
        self.evaluated.append(split)
        if split == "validation" and self.evaluations < len(self.config.data.scores):
            self.evaluations += 1
            return {"mse": self.config.data.scores[self.evaluations - 1]}
        error = np.asarray(params["w"])[:, 0] - self.truth
        return {"mse": float(np.mean(error**2)) + (split == "test"), "mae": float(np.mean(np.abs(error)))}

    def baseline(self) -> dict[str, float]:
        return {"mse": float(np.mean(self.truth**2)), "mae": 0.5}

    def facts(self) -> dict[str, Any]:
        return {"inputs": self.config.model.inputs}

    def sample(self, params: Any, prompt: str | None, key: jax.Array, options: Any) -> str:
        noise = jax.random.normal(key, (options.length,)) * options.temperature
        return f"{prompt or ''}{params['w'].sum() + noise}"

    def finish(self, params: Any, run_dir: Path, key: jax.Array) -> list[Path]:
        path = run_dir / "sample.txt"
        path.write_text(self.sample(params, "said: ", key, self.config.sample))
        return [path]


if __name__ == "__main__":
    from jaxgru.cli import main
    from jaxgru.tasks import TASKS

    TASKS["linear"] = "tests.training.linear:Linear"
    sys.exit(main())
