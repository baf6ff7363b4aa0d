"""metrics.jsonl: one JSON object per line; and the curves drawn from it."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxgru.weights import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes


LOGARITHMIC = 1e6  # an axis that reaches as far has a logarithmic scale,
TALLEST = 1e100  # and ends here at the latest: with margins, higher ones are beyond what a float can be


@dataclass(frozen=True)
class Metrics:
    """The rows of a run: `{step, loss, …}` for each step due, `{step, validation_…}` for each evaluation.

    Args:
      path: the file. It is opened for each row, so that a folder that vanished is noticed.
    """

    path: Path

    def log(self, row: Mapping[str, Any]) -> None:
        """Appends a row."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(finite(row)) + "\n")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def rows(self) -> list[dict[str, Any]]:
        """The rows that were written whole."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [row for row in map(parse, lines) if row is not None]

    def cut_after(self, step: int) -> None:
        """Drops the rows past a step, and a last one that a kill left unfinished."""
        kept = [row for row in self.rows() if row["step"] <= step]
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in kept).encode())

    def sync(self) -> None:
        """Makes the rows last through a power cut, before a checkpoint that stands past them."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())


def finite(value: Any) -> Any:
    """The value with null for every float that JSON has no word for.

    Example:
      >>> finite({"loss": float("nan"), "step": 3})
      {'loss': None, 'step': 3}
    """
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def parse(line: str) -> dict[str, Any] | None:
    """A row, or None for a line that is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return None
    return row if all(value is None or is_number(value) for value in row.values()) else None


def is_number(value: Any) -> bool:
    """Whether a value from a JSON file is a number that a float can be."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def draw_curves(path: Path, rows: list[dict[str, Any]], summary: Mapping[str, Any]) -> None:
    """Draws the training loss over the validation score, with the baseline and the best step.

    Args:
      path: the PNG file.
      rows: the rows of metrics.jsonl.
      summary: the contents of summary.json.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 heavy, and of use only here

    figure = Figure(figsize=(7, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    plot(upper, rows, "loss", color="C0", linewidth=0.8)
    upper.set(ylabel="training loss", title=f"{summary['task']}, {summary['parameters']:,} parameters")
    name = summary["metric"]
    plot(lower, rows, f"validation_{name}", color="C1", marker=".", label="validation")
    if summary["validation"] is not None:
        best = shown(summary["validation"])
        lower.plot(summary["also"]["best_step"], best, "o", color="C1", label="best")
    if summary["baseline"] is not None:
        lower.axhline(shown(summary["baseline"]), color="0.4", linestyle="--", label="baseline (test split)")
    lower.set(xlabel="step", ylabel=name.replace("_", " "))
    if lower.get_legend_handles_labels()[0]:
        lower.legend()
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        if LOGARITHMIC <= max(map(abs, axes.dataLim.intervaly)) < math.inf:  # inf is that of an empty one
            axes.set_yscale("symlog")
            axes.autoscale(axis="y")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_whole(path, picture.getvalue())


def plot(axes: Axes, rows: list[dict[str, Any]], key: str, **style: Any) -> None:
    """Draws one key of the rows against their steps."""
    points = [(row["step"], shown(row[key])) for row in rows if row.get(key) is not None]
    if points:
        axes.plot(*zip(*points, strict=True), **style)


def shown(value: float) -> float:
    """The value, or what stands in for it where it is beyond any picture."""
    return min(max(value, -TALLEST), TALLEST)
