"""What the runs of a comparison show together: a table, what its figures allow to say, and all of them as JSON."""

from __future__ import annotations

import json
from itertools import pairwise
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxgru import tasks
from jaxgru.tasks.recurrences import TITLES
from jaxgru.training.dispatch import is_due
from jaxgru.training.display import UNUSUAL, number, words
from jaxgru.training.errors import RunError
from jaxgru.training.metrics import Metrics, finite
from jaxgru.training.run import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from jaxgru.tasks.comparison.plan import Plan
    from jaxgru.training.config import Config

SIMPLE = {"music": "a Markov model of each note", "adding": "to say 1 always"}
THOUSAND = 1000  # steps that stand for an epoch where every sequence is new


class Entry(NamedTuple):
    """What one recurrence reached on one problem.

    Args:
      units: of the recurrence.
      parameters: of the whole network.
      rate: its learning rate.
      tests: the score on the test split of each seed.
      step_seconds: what one step of training takes, the mean.
      steps: at which the validation split was scored.
      curves: (seeds, steps), what it scored then.
    """

    units: int
    parameters: int
    rate: float
    tests: list[float]
    step_seconds: float
    steps: list[int]
    curves: npt.NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.tests)

    @property
    def score(self) -> str:
        """The mean over the seeds, and the standard deviation of the sample."""
        return number(self.mean) + (f" ± {number(stdev(self.tests))}" if len(self.tests) > 1 else "")


class Problem(NamedTuple):
    """What all recurrences reached on one problem.

    Args:
      name: of its task.
      metric: of its score, which is better when lower.
      baseline: what a simple method scores.
      epoch: steps that go once through what there is to train on, or a thousand.
      epoch_name: what so many steps are called.
      entries: by the titles of the recurrences.
    """

    name: str
    metric: str
    baseline: float
    epoch: float
    epoch_name: str
    entries: dict[str, Entry]

    @property
    def ranked(self) -> list[tuple[str, Entry]]:
        """The best mean first."""
        return sorted(self.entries.items(), key=lambda each: each[1].mean)


def gather(plan: Plan, found: Mapping[str, Mapping[str, Any]], run_dir: Path) -> list[Problem]:
    """What the runs in a folder reached.

    Args:
      plan: which runs there are.
      found: their summaries by name.
      run_dir: where their folders are.

    Raises:
      RunError: a run's data.json or metrics.jsonl is damaged.
    """
    problems = []
    for problem in plan.own:
        entries, metric = {}, tasks.find(problem).metric
        for cell in plan.config.data.cells:
            trials = plan.final(problem, cell, found)
            summaries = [found[trial.name] for trial in trials]
            config = plan.of(trials[0])
            logs = [log(run_dir / trial.name, config, metric) for trial in trials]
            scored = [[row for row in rows if f"validation_{metric}" in row] for rows in logs]
            entries[TITLES[cell]] = Entry(
                plan.units[problem, cell],
                summaries[0]["parameters"],
                config.train.learning_rate,
                [summary["test"] for summary in summaries],
                fmean(each for rows in logs for each in step_seconds(rows, config)),
                [row["step"] for row in scored[0]],
                np.array([[row[f"validation_{metric}"] for row in rows] for rows in scored], np.float64),
            )
        noted = read_json(run_dir / trials[0].name / "data.json", facts="an object")
        pieces = noted["facts"].get("train")
        epoch = pieces / plan.config.train.batch_size if pieces else THOUSAND
        name = "epoch" if pieces else f"{THOUSAND} steps"
        problems.append(Problem(problem, metric, summaries[0]["baseline"], epoch, name, entries))
    return problems


def log(path: Path, config: Config, metric: str) -> list[dict[str, Any]]:
    """The rows of a finished run, which has those of all its evaluations and of a step.

    Raises:
      RunError: it lacks some.
    """
    file = Metrics(path / "metrics.jsonl")
    rows, last = file.rows(), config.train.steps
    found = [row["step"] for row in rows if f"validation_{metric}" in row]
    due = [step for step in range(1, last + 1) if is_due(step, config.run.evaluate_every, config)]
    if found != due or not any(row.get("seconds") for row in rows):
        mend = f"remove the folder {path}, and its run is trained anew"
        raise RunError(f"{file.path} is damaged: it should hold each evaluation and a step; {mend}")
    return rows


def step_seconds(rows: Sequence[Mapping[str, Any]], config: Config) -> list[float]:
    """What a step took, between rows of metrics.jsonl with no evaluation and no checkpoint between them.

    Intervals that took many times as long as the quickest are left out: they compiled. Where each has an
    evaluation between, the quickest counts; where there is one row, all that was before it.
    """
    logged = [(row["step"], row["seconds"]) for row in rows if row.get("seconds")]
    every = config.run.evaluate_every, config.run.save_every
    took: list[float] = []
    more: list[float] = []
    for (start, before), (end, after) in pairwise(logged):
        interrupted = any((end - 1) // each > (start - 1) // each for each in every)
        (more if interrupted else took).append((after - before) / (end - start))
    if not took:
        return [min(more)] if more else [logged[-1][1] / logged[-1][0]]
    return [each for each in took if each <= UNUSUAL * min(took)]


def verdict(problem: Problem) -> str:
    """What the scores of a problem allow to say, and no more.

    Two recurrences are told apart where every run of one is better than every run of the other.
    """
    (title, best), *others = problem.ranked
    behind = [name for name, entry in others if max(best.tests) < min(entry.tests)]
    level = [name for name, _ in others if name not in behind]
    said = f"{title} has the lowest mean, {best.score}."
    if len(best.tests) == 1:
        return f"{said} One seed tells none of them apart."
    if behind:
        said += f" Each of its {len(best.tests)} runs is better than each run of {listed(behind)}."
    if level:
        said += f" These seeds do not tell it apart from {listed(level)}."
    return said


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    Example:
      >>> listed(["GRU", "LSTM", "tanh RNN"])
      'GRU, LSTM and tanh RNN'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


COLUMNS = ("recurrence", "units", "parameters", "learning rate", "test")


def table(problem: Problem) -> list[list[str]]:
    """The rows of a problem's table, its head first, the best mean first."""
    rows = [[*COLUMNS, f"seconds per {problem.epoch_name}"]]
    for title, entry in problem.ranked:
        size = [str(entry.units), f"{entry.parameters:,}", f"{entry.rate:g}", entry.score]
        rows.append([title, *size, f"{entry.step_seconds * problem.epoch:.2f}"])
    return rows


def heading(problem: Problem) -> str:
    """What the scores of a table are."""
    simple = f"{SIMPLE[problem.name]} has {number(problem.baseline)}"
    epoch = f"; {problem.epoch_name}: {problem.epoch:.4g} steps" * (problem.epoch != THOUSAND)
    return f"{words(problem.metric)} on the test split, lower is better; {simple}{epoch}"


def plain(problems: Sequence[Problem]) -> str:
    """The tables in columns, and what they allow to say."""
    blocks = []
    for problem in problems:
        rows = table(problem)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{problem.name}: {heading(problem)}"]
        for name, *row in rows:
            cells = [f"{cell:>{width}}" for cell, width in zip(row, widths[1:], strict=True)]
            lines.append("  ".join([f"  {name:<{widths[0]}}", *cells]))
        blocks.append("\n".join([*lines, verdict(problem)]))
    return "\n\n".join(blocks) + "\n"


def markdown(problems: Sequence[Problem]) -> str:
    """The same for a page, with the figure."""
    blocks = []
    for problem in problems:
        head, *rows = (f"| {' | '.join(row)} |" for row in table(problem))
        line = "| --- " + "| --: " * len(COLUMNS) + "|"
        caption = f"**{problem.name.capitalize()}**: {heading(problem)}."
        blocks += [caption, "\n".join([head, line, *rows]), verdict(problem)]
    return (
        "\n\n".join([*blocks, "![Validation scores against steps and against time](comparison.png)"]) + "\n"
    )


def as_json(problems: Sequence[Problem]) -> str:
    """Every figure of the table and of the curves."""
    found = {
        problem.name: problem._asdict()
        | {
            "entries": {
                title: entry._asdict()
                | {"curves": [[*map(finite, curve)] for curve in entry.curves.tolist()]}
                for title, entry in problem.entries.items()
            }
        }
        for problem in problems
    }
    return json.dumps(found, indent=1) + "\n"
