"""A run that is made of other runs, each in a folder of its own within it."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from jaxgru.training.config import FREE_ON_RESUME, flat, flatten
from jaxgru.training.configfile import parse
from jaxgru.training.display import Part, clock, number, show_file, words
from jaxgru.training.errors import RunError, UserError
from jaxgru.training.interrupts import Interrupts
from jaxgru.training.loop import train
from jaxgru.training.metrics import finite
from jaxgru.training.run import RunFolder, claim, versions
from jaxgru.training.task import PyTree, Split, Task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import jax

    from jaxgru.training.config import Config
    from jaxgru.training.display import Display

Summary = dict[str, Any]


class Grid(Task):
    """A task whose training is that of other runs: it says which, and what they show together.

    Each is a run like any other, in the folder of its name: it can be looked at by itself, a finished one is used as
    it stands, and a stopped one goes on.

    Attributes:
      left: the .txt file of what its runs show together.
    """

    left: ClassVar[str]

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many steps all its runs have together."""

    @abc.abstractmethod
    def runs(self, found: Mapping[str, Summary]) -> dict[str, Config]:
        """The runs to train next, by name.

        Args:
          found: the summary.json of each that is finished, by name.

        Returns:
          Their configs, `run.dir` aside; none where nothing is left to train.
        """

    @abc.abstractmethod
    def task(self, config: Config) -> Task:
        """The task of one of the runs."""

    @abc.abstractmethod
    def conclude(self, found: Mapping[str, Summary]) -> Summary:
        """What summary.json says of all runs: its scores, `parameters`, `steps` and `also`."""

    @abc.abstractmethod
    def leave(self, found: Mapping[str, Summary], run_dir: Path) -> list[Path]:
        """Writes the tables and pictures people look at first; a .txt among them is printed."""

    def init(self, key: jax.Array) -> PyTree:
        """Refuses: there is no model of its own."""
        del key
        return self.refuse()

    def batch(self, step: int) -> PyTree:
        """Refuses: there are no steps of its own."""
        del step
        return self.refuse()

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """Refuses, as `init`."""
        del params, carry, batch, key
        return self.refuse()

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """Refuses, as `init`."""
        del params, split
        return self.refuse()

    def refuse(self) -> NoReturn:
        """Says where to look.

        Raises:
          UserError: always.
        """
        raise UserError(f"{self.name} trains other runs and has no model of its own: look at one of its runs")


def train_grid(grid: Grid, config: Config, run: RunFolder, show: Display) -> Summary:
    """Trains what is missing of a grid's runs, one after the other, and leaves what they show together.

    Args:
      grid: the task.
      config: the configuration that it was built from.
      run: the folder, claimed.
      show: where people see the progress.

    Returns:
      The contents of summary.json; its seconds are those of the runs.

    Raises:
      RunError, Interrupted, OSError: as `train` does.
    """
    with Interrupts() as interrupts, interrupts.at_once():
        run.record(grid)
        show.steps, steps = grid.count, 0
        found: dict[str, Summary] = {}
        while missing := grid.runs(found):
            for name, each in missing.items():
                found[name] = finite(complete(grid, run.path / name, each, Part(show, steps)))
                steps += each.train.steps
                score, took = found[name]["test"], clock(found[name]["seconds"])
                test = "that is not finite" if score is None else number(score)
                show.say(f"{name}: {words(found[name]['metric'])} {test} on the test split, in {took}")
        seconds = round(sum(of["seconds"] for of in found.values()), 3)
        summary = {
            "task": grid.name,
            "metric": grid.metric,
            "higher_is_better": grid.higher_is_better,
            "published": grid.published,
            "seconds": seconds,
            "seed": config.seed,
            "versions": versions(),
        } | grid.conclude(found)
        written = grid.leave(found, run.path)
        run.finish(summary)
        for path in written:
            show.say(show_file(path))
        return summary


def complete(grid: Grid, path: Path, config: Config, show: Display) -> Summary:
    """The summary of a run, which is trained to its end unless it is there; it leaves scores, curves and a model.

    Raises:
      UserError: a run of another config stands there.
      RunError: its summary is damaged, or as `train` does.
    """
    with claim(path, resume=True):
        refuse_another(path, config)
        folder = RunFolder(path, config)
        if (path / "summary.json").exists():
            summary = folder.summary()
            if summary["task"] != config.task:
                raise RunError(f"{path / 'summary.json'} is damaged: task should be {config.task}")
            return summary
        try:
            return train(grid.task(config), config, folder, show, pictures=False)
        except RunError as error:
            raise RunError(f"{path.name}: {error}") from error


def refuse_another(path: Path, config: Config) -> None:
    """Refuses a folder whose run has another config than it should: it would count as what it is not.

    Raises:
      UserError: it has, or its config.toml is damaged or gone.
    """
    file, mend = path / "config.toml", "remove that folder, or choose another run.dir"
    if not file.exists():
        if (path / "summary.json").exists():
            raise UserError(f"{path} holds a summary.json and no config.toml; {mend}")
        return
    was = dict(flatten(parse(file)[1]))
    for name, value in flat(config).items():
        now = list(value) if isinstance(value, tuple) else value
        if name not in FREE_ON_RESUME and not name.startswith("sample.") and was.get(name) != now:
            change = f"{name} is {was.get(name)!r} there, and should be {now!r}"
            raise UserError(f"{file}: another run stands there: {change}; {mend}")
