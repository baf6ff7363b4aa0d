"""The task `compare`: GRU, LSTM, tanh RNN and others, all of one size, on music and on the adding problem."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any

from jaxgru import tasks
from jaxgru.tasks.comparison import report
from jaxgru.tasks.comparison.figure import draw
from jaxgru.tasks.comparison.plan import FIRST, PLAIN, PROBLEMS, Data, Model, Plan, Trial
from jaxgru.tasks.music import Compose
from jaxgru.training.errors import RunError
from jaxgru.training.grid import Grid
from jaxgru.weights import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxgru.training.config import Config
    from jaxgru.training.grid import Summary
    from jaxgru.training.task import Task


@dataclass(frozen=True)
class Sample:
    """The table [sample], which is empty: a comparison says nothing."""


class Compare(Grid):
    """Compare recurrences as Chung et al. 2014 did: as many parameters each, the same data, steps and optimiser.

    For each problem and recurrence the first seed is trained at every learning rate; the one that is best on validation
    is that of all seeds. Each run is scored on its test split once, at the checkpoint that its validation chose. The
    task's score is the GRU's mean on music, its baseline the tanh RNN's.

    Args:
      config: a run whose tables [data] and [model] are `Data` and `Model`.
    """

    name = "compare"
    metric = "nll"
    higher_is_better = False
    ragged = True
    left = "comparison.txt"
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config) -> None:
        self.config = config
        self.plan = Plan(config)

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Compare:
        """Rebuild the task of a run folder."""
        del vocabulary
        return cls(config)

    @cached_property
    def problems(self) -> dict[str, Task]:
        """A task of each problem, with the first recurrence."""
        first = {problem: Trial(problem, FIRST, 1.0, self.config.seed) for problem in self.plan.own}
        return {problem: tasks.find(problem)(self.plan.of(trial)) for problem, trial in first.items()}

    def task(self, config: Config) -> Task:
        """The task of a run; the music is read once for all."""
        problem = self.problems[config.task]
        return Compose(config, music=problem.music) if isinstance(problem, Compose) else type(problem)(config)

    def facts(self) -> dict[str, Any]:
        """The SHA-256 of the problems' data together, and what is known of each."""
        each = {problem: task.facts() for problem, task in self.problems.items()}
        digest = hashlib.sha256("".join(facts["sha256"] for facts in each.values()).encode()).hexdigest()
        source = "; ".join(f"{problem}: {facts['source']}" for problem, facts in each.items())
        return {"source": source, "sha256": digest, "problems": each}

    @property
    def count(self) -> int:
        """How many steps all runs have together."""
        return sum(self.plan.steps(problem) * self.plan.tries for problem, _ in self.plan.pairs)

    def runs(self, found: Mapping[str, Summary]) -> dict[str, Config]:
        """The runs that choose the learning rates, then the other seeds."""
        return {trial.name: self.plan.of(trial) for trial in self.plan.missing(found)}

    def conclude(self, found: Mapping[str, Summary]) -> Summary:
        """The GRU's means on music and the tanh RNN's, and of the others those on the test split."""
        plan, (music, *_) = self.plan, PROBLEMS
        for trial in (trial for pair in plan.pairs for trial in plan.final(*pair, found)):
            if None in {found[trial.name]["test"], found[trial.name]["validation"]}:
                mend = "a lower train.learning_rate, or a lower one of data.rates, may help"
                raise RunError(f"{trial.name}: its score is not finite; {mend}")

        def runs(problem: str, cell: str) -> list[Summary]:
            return [found[trial.name] for trial in plan.final(problem, cell, found)]

        def mean(problem: str, cell: str, split: str = "test") -> float:
            return fmean(run[split] for run in runs(problem, cell))

        own = runs(music, FIRST)
        others = [pair for pair in plan.pairs if pair not in {(music, FIRST), (music, PLAIN)}]
        return {
            "test": mean(music, FIRST),
            "validation": mean(music, FIRST, "validation"),
            "baseline": mean(music, PLAIN) if PLAIN in self.config.data.cells else None,
            "parameters": own[0]["parameters"],
            "steps": self.count,
            "also": {"best_step": max(run["also"]["best_step"] for run in own)}
            | {
                f"test_{problem}_{cell.replace('-', '_')}_{own_metric(problem)}": mean(problem, cell)
                for problem, cell in others
            },
        }

    def leave(self, found: Mapping[str, Summary], run_dir: Path) -> list[Path]:
        """Write comparison.txt, comparison.md with its figure, and comparison.json."""
        results = report.gather(self.plan, found, run_dir)
        paths = [run_dir / f"comparison.{ending}" for ending in ("txt", "md", "json", "png")]
        texts = report.plain(results), report.markdown(results), report.as_json(results)
        for path, text in zip(paths, texts, strict=False):
            write_whole(path, text.encode())
        draw(paths[-1], results)
        return paths


def own_metric(problem: str) -> str:
    """The name of a problem's score."""
    return str(tasks.find(problem).metric)
