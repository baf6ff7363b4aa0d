"""The task `adding`: the sum of two numbers that are marked in a long sequence of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.data.labelled import short
from jaxgru.tasks.memory import settings
from jaxgru.tasks.memory.dependencies import Batch, Dependencies, random_of
from jaxgru.tasks.memory.settings import LONGEST, Model
from jaxgru.tasks.pictures import new_figure, save
from jaxgru.training.config import option
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from jaxgru.training.task import PyTree, Split

Numbers = npt.NDArray[np.float32]

EXAMPLE = '"0.3 0.5* 0.1 0.9*"'


@dataclass(frozen=True)
class Data(settings.Data):
    """The table [data]: how long the sequences are, and how many of them score."""

    length: int = option(200, "T: numbers in a sequence", at_least=2, at_most=LONGEST)


@dataclass(frozen=True)
class Sample:
    """The table [sample]: which sequences are shown."""

    numbers: str = option("", f"numbers from 0 to 1, two of them marked: {EXAMPLE}; empty: drawn ones")
    count: int = option(6, "how many are drawn", at_least=1, at_most=1000)
    length: int = option(
        0,
        "T, up to which drawn numbers are put between the marks; 0: data.length",
        at_least=0,
        at_most=LONGEST,
    )


class Adding(Dependencies):
    """Add the two marked numbers of a sequence (Hochreiter & Schmidhuber 1997).

    At each of T steps there is a number, uniform in [0, 1), and a mark, which is 1 at one step of the first half and
    at one of the second, and 0 elsewhere. After the last step the network says the sum of the two marked
    numbers. Always to say 1, the mean, has a squared error of 1/6 = 0.167: the variance of the sum.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
    """

    name = "adding"
    metric = "mse"
    title = told = "mean squared error"
    telling, untold = "mse", 1 / 6
    inputs, outputs, last = 2, 1, True
    idle = "always_one"
    Data, Model, Sample = Data, Model, Sample

    def draw(self, random: np.random.Generator, length: int, rows: int) -> Batch:
        """Numbers and marks (T, B, 2), and the sums (B,)."""
        inputs = np.zeros((length, rows, 2), np.float32)
        inputs[..., 0] = random.random((length, rows), np.float32)
        row = np.arange(rows)
        first = random.integers(0, length // 2, rows)
        second = random.integers(length // 2, length, rows)
        inputs[first, row, 1] = inputs[second, row, 1] = 1
        return {"inputs": inputs, "answers": inputs.prod(2).sum(0)}

    @staticmethod
    def encode(batch: Batch) -> Any:
        """The numbers and marks as they are."""
        return batch["inputs"]

    @staticmethod
    def measure(said: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """The mean squared error of what is said (B, 1)."""
        return {"mse": jnp.mean((said[:, 0] - batch["answers"]) ** 2)}

    def level(self, split: Split) -> float:
        """The error of whoever always says 1."""
        sums = np.concatenate([batch["answers"] for batch in self.pieces(split)])
        return float(np.mean((sums.astype(np.float64) - 1) ** 2))

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """The marked numbers, where they stand, their sum, and what each network says it is."""
        text = options.numbers if prompt is None else prompt
        random, length = random_of(key), options.length or self.config.data.length
        if prompt is not None or text:
            batch = stretch(parse(text), length, random)
        elif length < 2:
            raise UserError(f"sample.length should be 0, or 2 or more, got {length}")
        else:
            batch = self.draw(random, length, options.count)
        said = self.say(params, batch)
        lines = [f"of {len(batch['inputs'])} numbers two are marked"]
        for row, answer in enumerate(batch["answers"].tolist()):
            one, other = np.flatnonzero(batch["inputs"][:, row, 1])
            terms = (f"{batch['inputs'][i, row, 0]:.4f} at step {i + 1:<4}" for i in (one, other))
            guesses = (f"{title} {said[name][row, 0]:.4f}" for name, title in self.networks.items())
            lines.append(f"  {' + '.join(terms)} = {answer:.4f}   {'   '.join(guesses)}")
        return "\n".join(lines)

    def draw_answers(self, params: PyTree, run_dir: Path) -> Path:
        """Draws what each network says of the test split's first sequences against the true sums: sums.png."""
        batch = next(self.pieces("test"))
        said = self.say(params, batch)
        figure = new_figure(8.4, 4.4, "constrained")
        panels = figure.subplots(1, len(self.networks), sharex=True, sharey=True, squeeze=False)[0]
        values = np.concatenate([of[:, 0] for of in said.values()])
        lowest, highest = min(-0.1, float(values.min()) - 0.1), max(2.1, float(values.max()) + 0.1)
        for axes, (name, title) in zip(panels, self.networks.items(), strict=True):
            axes.plot([0, 2], [0, 2], color="0.6", linewidth=1)
            axes.plot(batch["answers"], said[name][:, 0], ".", color="C0", alpha=0.7)
            axes.set(xlabel="true sum", title=title, xlim=(0, 2), ylim=(lowest, highest), aspect="equal")
            axes.grid(alpha=0.3)
        panels[0].set_ylabel("said to be")
        save(figure, run_dir / "sums.png")
        return run_dir / "sums.png"


def stretch(inputs: Numbers, length: int, random: np.random.Generator) -> Batch:
    """One sequence of numbers and marks (N, 2), with drawn numbers between the marks up to a length.

    Example:
      >>> batch = stretch(parse("0.25* 0.125 0.5*"), 100, np.random.default_rng(0))
      >>> np.flatnonzero(batch["inputs"][:, 0, 1]), batch["answers"]
      (array([ 0, 99]), array([0.75], dtype=float32))
    """
    after = int(inputs[:, 1].argmax()) + 1
    more = np.zeros((max(length - len(inputs), 0), 2), np.float32)
    more[:, 0] = random.random(len(more), np.float32)
    whole = np.concatenate([inputs[:after], more, inputs[after:]])[:, None]
    return {"inputs": whole, "answers": whole.prod(2).sum(0)}


def parse(text: str) -> Numbers:
    """Numbers, two of them with marks, as (N, 2).

    Example:
      >>> parse("0.25 0.5* 0.25*").tolist()
      [[0.25, 0.0], [0.5, 1.0], [0.25, 1.0]]
    """
    words = text.split()
    if len(words) > LONGEST:
        raise UserError(f"{len(words)} numbers are too many; {LONGEST} are the most")
    numbers = [number(word) for word in words]
    marks = [word.endswith("*") for word in words]
    if sum(marks) != 2:
        raise UserError(f"two numbers should be marked, such as in {EXAMPLE}, and {sum(marks)} are")
    return np.array([numbers, marks], np.float32).T


def number(word: str) -> float:
    """The number in a word, whatever its mark."""
    try:
        value = float(word.removesuffix("*"))
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise UserError(
            f"{short(word)} is no number from 0 to 1; write them with two marks, such as {EXAMPLE}"
        )
    return value
