"""What a person sees while a model trains: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections import deque
from statistics import fmean
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LINE_EVERY = 5.0  # seconds between two plain lines of progress
FEW, RECENT = 5, 100  # dispatches whose speed counts, at least and at most,
UNUSUAL = 8  # but for those that took so many times as long as the quickest: they compiled or scored
LINES_SHOWN = 40  # of a text that a run left
SMALL = 1e-3  # a score below it has too few decimals to be read
HUGE = 1e6  # a score or loss from here on is that of a run that went wrong, mostly


class Display:
    """Plain lines on stdout: one every few seconds, and one for each evaluation.

    Args:
      steps: the steps of the whole run.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.last_line = -LINE_EVERY
        self.last: tuple[int, float] | None = None
        self.seconds: deque[float] = deque(maxlen=RECENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends the display."""

    def say(self, text: str) -> None:
        """Prints some text."""
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()

    def advance(self, step: int, loss: float, *, timed: bool = True) -> None:
        """Shows the progress, and how long the rest takes where its steps take as long."""
        now = time.monotonic()
        pace = self.pace(step, now) if timed else ""
        if now - self.last_line >= LINE_EVERY:
            self.last_line = now
            self.say(f"step {step}/{self.steps}  loss {number(loss)}{pace}")

    def pace(self, step: int, now: float) -> str:
        """The speed of late and the time left at that speed, without the rare dispatches that compiled."""
        before, self.last = self.last, (step, now)
        if before is not None and step > before[0]:
            self.seconds.append((now - before[1]) / (step - before[0]))
        if len(self.seconds) < FEW or not min(self.seconds):
            return ""
        pace = fmean(each for each in self.seconds if each <= UNUSUAL * min(self.seconds))
        return f"  {1 / pace:.1f} steps/s  {clock((self.steps - step) * pace)} left"

    def evaluation(self, step: int, scores: Mapping[str, float], *, is_best: bool) -> None:
        """Shows the scores on the validation split."""
        found = ", ".join(f"{words(metric)} {number(score)}" for metric, score in scores.items())
        self.say(f"step {step}  validation: {found}{' (the best so far)' * is_best}")


class Bar(Display):
    """A progress bar on a terminal."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps)
        from rich import progress  # noqa: PLC0415 only a terminal needs it

        self.progress = progress.Progress(
            progress.TextColumn("step {task.completed}/{task.total}"),
            progress.BarColumn(bar_width=None),
            progress.TextColumn("{task.description}", markup=False),
            transient=True,
        )
        self.bar = self.progress.add_task("", total=steps)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()

    def say(self, text: str) -> None:
        """Prints some text above the bar."""
        self.progress.console.print(text.rstrip("\n"), markup=False, highlight=False, soft_wrap=True)

    def advance(self, step: int, loss: float, *, timed: bool = True) -> None:
        """Moves the bar."""
        pace = self.pace(step, time.monotonic()) if timed else ""
        description = f"loss {number(loss)}{pace}"
        self.progress.update(self.bar, completed=step, total=self.steps, description=description)


class Part(Display):
    """The progress of one run of several: no more than how far all of them are.

    Args:
      whole: the display of all of them.
      before: the steps of those before this one.
    """

    def __init__(self, whole: Display, before: int) -> None:
        super().__init__(whole.steps)
        self.whole, self.before = whole, before

    def say(self, text: str) -> None:
        """Leaves out what the run by itself would say."""

    def advance(self, step: int, loss: float, *, timed: bool = True) -> None:
        """Shows the progress of the whole, whose steps are of several lengths."""
        del timed
        self.whole.advance(self.before + step, loss, timed=False)

    def evaluation(self, step: int, scores: Mapping[str, float], *, is_best: bool) -> None:
        """Leaves the scores to metrics.jsonl."""


def display(steps: int) -> Display:
    """The display that suits where stdout goes."""
    return Bar(steps) if sys.stdout.isatty() else Display(steps)


def words(name: str) -> str:
    """A metric's name as people read it."""
    return name.replace("_", " ")


def number(score: float, decimals: int = 4) -> str:
    """A score as people read it: with an exponent where it has lost all measure, and never rounded to nothing.

    Example:
      >>> number(117.25), number(2.0**1023), number(0.000046)
      ('117.2500', '8.988e+307', '4.6e-05')
    """
    if 0 < abs(score) < SMALL:
        return f"{score:.3g}"
    return f"{score:.4g}" if abs(score) >= HUGE else f"{score:.{decimals}f}"


def table(summary: Mapping[str, Any]) -> str:
    """The scores of a finished run, a line each.

    Example:
      >>> print(table({"task": "chars", "metric": "bits_per_character", "higher_is_better": False,
      ...     "test": 1.78, "validation": 1.75, "baseline": 2.04, "published": None, "parameters": 500000,
      ...     "steps": 900, "seconds": 185.2, "also": {"best_step": 800, "test_nats": 1.23}}))
      chars: bits per character, lower is better
        test        1.7800
        baseline    2.0400
        validation  1.7500
      also test nats 1.2300
      900 steps in 3:05, the best at 800; 500,000 parameters
    """
    better = "higher" if summary["higher_is_better"] else "lower"
    lines = [f"{summary['task']}: {words(summary['metric'])}, {better} is better"]
    scores = {name: summary[name] for name in ("test", "baseline", "published", "validation")}
    lines += [f"  {name:<10}  {number(score)}" for name, score in scores.items() if score is not None]
    also = [
        f"{words(name)} {number(score)}" for name, score in summary["also"].items() if name != "best_step"
    ]
    lines += ["also " + ", ".join(also)] if also else []
    took, best = clock(summary["seconds"]), summary["also"]["best_step"]
    size = f"{summary['parameters']:,} parameters"
    return "\n".join([*lines, f"{summary['steps']} steps in {took}, the best at {best}; {size}"])


def clock(seconds: float) -> str:
    """Minutes and seconds, 3:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def show_file(path: Path) -> str:
    """A file a run left: the text of a .txt, or its first lines if it is long; the name of anything else."""
    if path.suffix != ".txt":
        return str(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > LINES_SHOWN:
        lines[LINES_SHOWN:] = [f"… {len(lines) - LINES_SHOWN} lines more in {path}"]
    return "\n".join(lines)


def sizes(facts: Mapping[str, Any]) -> str:
    """The whole numbers among what a run knows of its data, in a line.

    Example:
      >>> sizes({"source": "book.txt", "train": 900, "test": 100})
      'train 900, test 100'
    """
    return ", ".join(f"{words(name)} {fact}" for name, fact in facts.items() if type(fact) is int)
