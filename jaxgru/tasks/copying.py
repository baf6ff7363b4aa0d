"""The task `copy`: ten symbols to be said again after a long pause."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

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

Ints = npt.NDArray[np.int32]

SYMBOLS, MEMORY = 8, 10  # how many there are, and how many are to be remembered
BLANK, DELIMITER = SYMBOLS, SYMBOLS + 1
START, END = 14, 24  # steps that a picture shows of a sequence, where the whole is long


@dataclass(frozen=True)
class Data(settings.Data):
    """The table [data]: how long the pause is, and how many sequences score."""

    length: int = option(100, "T: a sequence has T + 20 steps", at_least=1, at_most=LONGEST)
    grow: tuple[int, ...] = option(
        (), "shorter T to begin with, in this order; []: none", at_least=1, at_most=LONGEST
    )


@dataclass(frozen=True)
class Sample:
    """The table [sample]: which sequences are shown."""

    symbols: str = option("", "ten digits from 0 to 7; empty: drawn ones")
    count: int = option(3, "how many are drawn", at_least=1, at_most=1000)
    length: int = option(0, "T of what is shown; 0: data.length", at_least=0, at_most=LONGEST)


class Copy(Dependencies):
    """Say ten symbols again after a pause: the copy memory problem (Arjovsky et al. 2016).

    A sequence is ten symbols of eight, T − 1 blanks, a delimiter, and ten blanks. A network says blank at every step
    but the last ten, and there the ten symbols, in order. Whoever remembers nothing can do no better than blanks and
    then a guess of one in eight, which costs 10 ln 8 / (T + 20) nats per step.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
    """

    name = "copy"
    metric = "nats_per_step"
    title = "nats per step"
    telling, told, untold = "recall", "share of the symbols that are said rightly", 1 / SYMBOLS
    inputs, outputs, last = SYMBOLS + 2, SYMBOLS + 1, False
    idle = "memoryless"
    Data, Model, Sample = Data, Model, Sample

    def draw(self, random: np.random.Generator, length: int, rows: int) -> Batch:
        """What is read (T + 20, B), and the symbols to remember (10, B)."""
        return sequences(random.integers(0, SYMBOLS, (MEMORY, rows), np.int32), length)

    @staticmethod
    def encode(batch: Batch) -> jax.Array:
        """One number for each thing that can be read, 1 for what is."""
        return jax.nn.one_hot(batch["inputs"], SYMBOLS + 2)

    @staticmethod
    def measure(said: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Nats per step of logits (T + 20, B, 9), and the share of the symbols that are said rightly."""
        symbols = batch["answers"]
        blanks = jnp.full((len(said) - MEMORY, symbols.shape[1]), BLANK, symbols.dtype)
        nats = optax.softmax_cross_entropy_with_integer_labels(said, jnp.concatenate([blanks, symbols]))
        return {"nats_per_step": nats.mean(), "recall": (said[-MEMORY:].argmax(-1) == symbols).mean()}

    def level(self, split: Split) -> float:
        """10 ln 8 / (T + 20), whatever the split."""
        del split
        return MEMORY * math.log(SYMBOLS) / (self.config.data.length + 2 * MEMORY)

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """The symbols, and what each network says when it is time to."""
        length = options.length or self.config.data.length
        text = options.symbols if prompt is None else prompt
        if prompt is not None or text:
            batch = sequences(parse(text), length)
        else:
            batch = self.draw(random_of(key), length, options.count)
        said = {name: of.argmax(-1) for name, of in self.say(params, batch, end=MEMORY).items()}
        width = max(map(len, self.networks.values()))
        lines = [f"after a pause of T = {length}; . is a blank"]
        for row, symbols in enumerate(batch["answers"].T):
            lines.append(f"\n  {'read':<{width}}  {spell(symbols)}")
            for name, title in self.networks.items():
                right = int((said[name][:, row] == symbols).sum())
                lines.append(f"  {title:<{width}}  {spell(said[name][:, row])}   {right} of {MEMORY} right")
        return "\n".join(lines)

    def draw_answers(self, params: PyTree, run_dir: Path) -> Path:
        """Draws one sequence of the test split: what is read, what is to be said, and what each network says."""
        batch = next(self.pieces("test"))
        steps = len(batch["inputs"])
        right = np.full(steps, BLANK)
        right[-MEMORY:] = batch["answers"][:, 0]
        rows = {"read": np.eye(DELIMITER + 1)[batch["inputs"][:, 0]], "to be said": np.eye(BLANK + 1)[right]}
        for name, logits in self.say(params, batch).items():
            rows[f"{self.networks[name]} says"] = np.asarray(jax.nn.softmax(logits[:, 0]))
        shown = np.arange(steps)
        if steps > 3 * (START + END):
            shown = np.concatenate([shown[:START], shown[-END:]])
        figure = new_figure(9, 6.4, "constrained")
        for axes, (title, shares) in zip(
            figure.subplots(len(rows), 1, sharex=True), rows.items(), strict=True
        ):
            axes.imshow(shares[shown].T, aspect="auto", cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
            names = [*map(str, range(SYMBOLS)), "blank", "delimiter"][: shares.shape[1]]
            axes.set_yticks(range(len(names)), names, fontsize=6)
            axes.set_ylabel(title)
            if len(shown) < steps:
                axes.axvline(START - 0.5, color="C1", linewidth=2)
        places = np.linspace(0, len(shown) - 1, 9).astype(int)
        axes.set_xticks(places, [str(shown[place] + 1) for place in places])
        left_out = f"; at the line {steps - len(shown)} steps are left out" if len(shown) < steps else ""
        axes.set_xlabel(f"step{left_out}")
        figure.suptitle(f"T = {self.config.data.length}; the darker, the likelier")
        save(figure, run_dir / "recall.png")
        return run_dir / "recall.png"


def sequences(symbols: Ints, length: int) -> Batch:
    """What is read where symbols (10, B) are to be remembered over T.

    Example:
      >>> sequences(np.arange(10, dtype=np.int32)[:, None] % 8, 3)["inputs"][:, 0]
      array([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 8, 8, 9, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8], dtype=int32)
    """
    inputs = np.full((length + 2 * MEMORY, symbols.shape[1]), BLANK, np.int32)
    inputs[:MEMORY] = symbols
    inputs[length + MEMORY - 1] = DELIMITER
    return {"inputs": inputs, "answers": symbols}


def parse(text: str) -> Ints:
    """The symbols (10, 1) in ten digits, with or without spaces."""
    digits = "".join(text.split())
    if not re.fullmatch(f"[0-{SYMBOLS - 1}]{{{MEMORY}}}", digits):
        raise UserError(f'write ten digits from 0 to 7, such as "3141526535", not {short(text)}')
    return np.array([*map(int, digits)], np.int32)[:, None]


def spell(symbols: npt.NDArray[np.integer]) -> str:
    """Symbols with a space between.

    Example:
      >>> spell(np.array([3, 8, 1]))
      '3 . 1'
    """
    return " ".join("." if symbol == BLANK else str(symbol) for symbol in symbols.tolist())
