"""A run folder opened to read: its best parameters, its scores, its voice."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax

from jaxgru.training.checkpoint import Snapshot, Store
from jaxgru.training.config import Config, Key, check, lookup, table_keys
from jaxgru.training.configfile import read
from jaxgru.training.errors import RunError, UserError
from jaxgru.training.grid import Grid
from jaxgru.training.run import check_facts, read_json
from jaxgru.training.step import state_shapes
from jaxgru.training.stopping import Best

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jaxgru.training.task import Task


@dataclass(frozen=True)
class Run:
    """What a run folder holds, at its best checkpoint.

    Args:
      path: the folder.
      config: its configuration.
      task: the task, rebuilt without reading its data where it can be.
      params: the parameters of the best checkpoint.
      step: the step they are of.
    """

    path: Path
    config: Config
    task: Task
    params: Any
    step: int

    @property
    def model(self) -> Any:
        """The Flax module: `run.model.apply(run.params, …)`."""
        return self.task.model

    @property
    def vocabulary(self) -> Any:
        """The vocabulary of the training split; None for a task without one."""
        return self.task.vocabulary

    def sample(self, prompt: str | None = None, /, seed: int = 0, **options: Any) -> str:
        """Generates with the model.

        Args:
          prompt: what to go on from, in place of the first key of the config's table [sample].
          seed: decides what is drawn.
          **options: the keys of the config's table [sample], which holds their defaults.

        Raises:
          UserError: for an option the task does not know, or an impossible value; for what to go on from given
            twice.
        """
        known = self.sample_keys()
        own = next(iter(known))
        if prompt is not None and own in options:
            raise UserError(f"what to go on from is given twice: as the INPUT, and as {own}=; leave one out")
        checked = {name: check(name, value, lookup(name, known)) for name, value in options.items()}
        check("seed", seed, known["seed"])
        options_ = dataclasses.replace(self.config.sample, **checked)
        return self.task.sample(self.params, prompt, jax.random.key(seed), options_)

    def sample_keys(self) -> dict[str, Key]:
        """What `sample` can be told, besides the prompt."""
        return table_keys(type(self.config.sample)) | {"seed": table_keys(Config)["seed"]}

    def evaluate(self) -> dict[str, dict[str, float]]:
        """Scores the validation and the test split, reading the data anew."""
        task = type(self.task)(self.config)
        check_facts(task, read_json(self.path / "data.json", facts="an object")["facts"])
        return {
            "validation": task.evaluate(self.params, "validation"),
            "test": task.evaluate(self.params, "test"),
        }


def open_run(path: Path, find: Callable[[str], type[Task]]) -> Run:
    """Opens a run folder at its best checkpoint; `find` gives the task class of a name."""
    if not (path / "config.toml").is_file():
        raise UserError(f"{path} is no run folder: it holds no config.toml")
    config = read(path / "config.toml", (), find)
    if issubclass(find(config.task), Grid):
        inside = sorted(each.parent for each in path.glob("*/config.toml")) or [path / "…"]
        raise UserError(f"{path} is made of other runs; open one of them, such as {inside[0]}")
    vocabulary = read_json(path / "data.json", "vocabulary")["vocabulary"]
    try:
        task = find(config.task).restore(config, vocabulary)
    except (TypeError, ValueError) as error:
        raise RunError(f"{path / 'data.json'} is damaged: {error}") from error
    like = Snapshot(state_shapes(task, config.train, config.seed), Best.none())
    store = Store(path / "checkpoints")
    found = store.restore_best(like)
    if found is None and store.steps():
        raise RunError(f"{path} holds no checkpoint that is whole")
    if found is None:
        raise UserError(f"{path} holds no checkpoint yet")
    state = found[0].state
    return Run(path, config, task, state.params, int(state.step))
