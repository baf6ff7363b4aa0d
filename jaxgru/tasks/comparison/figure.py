"""The figure of a comparison: validation scores against steps, and against time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxgru.tasks.comparison.report import SIMPLE
from jaxgru.tasks.pictures import new_figure, save
from jaxgru.training.display import words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxgru.tasks.comparison.report import Problem

FAR = 30  # a score that falls so many times is shown on a logarithmic scale


def draw(path: Path, problems: Sequence[Problem]) -> None:
    """Draws a row for each problem: the mean over the seeds of each recurrence, and from the least to the most.

    Args:
      path: of the PNG.
      problems: what was reached.
    """
    figure = new_figure(10, 3.8 * len(problems), "constrained")
    panels = figure.subplots(len(problems), 2, sharey="row", squeeze=False)
    for (left, right), problem in zip(panels, problems, strict=True):
        for i, (title, entry) in enumerate(problem.entries.items()):
            steps, mean = np.array(entry.steps), entry.curves.mean(0)
            for axes, xs in ((left, steps), (right, steps * entry.step_seconds)):
                axes.plot(xs, mean, color=f"C{i}", linewidth=1.5, marker=".", label=title)
                axes.fill_between(xs, entry.curves.min(0), entry.curves.max(0), color=f"C{i}", alpha=0.15)
        score = words(problem.metric)
        left.set(xlabel="step", ylabel=f"{problem.name}: {score}, validation")
        right.set_xlabel("seconds of training")
        for axes in (left, right):
            axes.axhline(
                problem.baseline,
                color="0.4",
                linestyle="--",
                linewidth=1,
                label=f"{SIMPLE[problem.name]} (test split)",
            )
            axes.grid(alpha=0.3)
            axes.set_xlim(left=0)
        highest, lowest = (
            choose([choose(entry.curves.mean(0)) for entry in problem.entries.values()])
            for choose in (np.max, np.min)
        )
        if highest > FAR * lowest:
            left.set_yscale("log")
        left.legend(fontsize=8)
    save(figure, path)
