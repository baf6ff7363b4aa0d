"""What the tasks of long dependencies share: a GRU and a tanh RNN that read the same sequences, side by side."""

from __future__ import annotations

import abc
import hashlib
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxgru.cells.initializers import Chrono
from jaxgru.tasks.memory.learning import curve, draw_learning, far, verdict
from jaxgru.tasks.memory.networks import Networks, Reader
from jaxgru.tasks.memory.settings import LONGEST, RIVAL
from jaxgru.tasks.recurrences import TITLES, fitting_units, layered, parameters
from jaxgru.training.metrics import Metrics
from jaxgru.training.task import PyTree, Split, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jaxgru.training.config import Config

STREAMS = {"train": 0, "validation": 1, "test": 2, "reach": 3}
STEPS = 250_000  # that one dispatch of the evaluation reads, of all its sequences together

Batch = dict[str, Any]


def generator(seed: int, stream: str, index: int) -> np.random.Generator:
    """The random numbers of a step's batch, or of a piece of a split: no two of them share any.

    The key of Philox says whose numbers they are, its counter, of which a batch uses the lower half, which batch's.

    Example:
      >>> float(generator(0, "train", 7).random()) == float(generator(0, "train", 7).random())
      True
    """
    return np.random.Generator(np.random.Philox(counter=[0, 0, index, 0], key=[seed, STREAMS[stream]]))


class Dependencies(Task):
    """Learn what lies far apart: a GRU, and beside it a tanh RNN on the same batches, which is the baseline.

    The two are trained in one run, for as many steps, on the same batches, by the same optimiser under the same
    schedule, of which the RNN may have a part: it bears smaller rates. They share no parameter, and each has its
    gradient clipped by itself, so that neither changes what becomes of the other. The checkpoint is the one that the
    GRU's validation score chose. Another recurrence may stand in its place, and may be alone.

    A batch is a function of seed and step. The sequences for validation and test come from streams of their own,
    and are the same for every seed.

    Attributes:
      networks: what each is called, by their names among the parameters, the RNN's last.
      inputs, outputs: how many numbers a network reads at each step, and says.
      last: whether it speaks only at the end.
      idle: what does nothing, and scores `level`.
      title: what the score is.
      telling, told: the score that tells most at other T, and what it is.
      untold: that score of what does nothing, whatever T.
    """

    higher_is_better = False
    batch_axis = 1
    inputs: ClassVar[int]
    outputs: ClassVar[int]
    last: ClassVar[bool]
    idle: ClassVar[str]
    title: ClassVar[str]
    telling: ClassVar[str]
    told: ClassVar[str]
    untold: ClassVar[float]

    def __init__(self, config: Config) -> None:
        self.config = config
        model = config.model
        init: Any = Chrono(model.chrono, model.init) if model.chrono else model.init
        cells = {model.cell: layered(model.cell, self.inputs, model.hidden_size, model.layers, init)}
        self.apart = {model.cell: 1.0}
        if model.rival == RIVAL:
            budget = self.size(model.cell, model.hidden_size, model.layers)
            units = fitting_units(lambda units: self.size(RIVAL, units, model.layers), budget)
            cells[RIVAL] = layered(RIVAL, self.inputs, units, model.layers, model.init)
            self.apart[RIVAL] = model.rnn_rate
            self.rival = f"{RIVAL}_{self.metric}"
        self.networks = {name: TITLES[name] for name in cells}
        self.model = Networks(tuple(cells.items()), self.outputs, self.last)

    @classmethod
    def size(cls, cell: str, units: int, layers: int) -> int:
        """How many parameters a network has."""
        network = Reader(layered(cell, cls.inputs, units, layers), cls.outputs, cls.last)
        return parameters(lambda key: network.init(key, jnp.zeros((1, 1, cls.inputs))))

    @abc.abstractmethod
    def draw(self, random: np.random.Generator, length: int, rows: int) -> Batch:
        """So many sequences of a length T, and the answers."""

    @staticmethod
    @abc.abstractmethod
    def encode(batch: Batch) -> jax.Array:
        """What a network reads of a batch, (T, B, inputs)."""

    @staticmethod
    @abc.abstractmethod
    def measure(said: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """The scores of what one network says; that in `metric` is the loss."""

    @abc.abstractmethod
    def level(self, split: Split) -> float:
        """What whoever remembers nothing scores on a split."""

    @cached_property
    def growth(self) -> dict[int, int]:
        """The steps from which on T is another one, and which."""
        data, count = self.config.data, len(self.config.data.grow)
        steps = self.config.train.steps * data.grow_share if count else 0
        starts: dict[int, int] = {}
        for i, T in enumerate([*data.grow, data.length]):
            if T not in starts.values():  # else it goes on, for lengths never fall
                starts[math.ceil(steps * i / max(count, 1))] = T
        return starts

    def length(self, step: int) -> int:
        """T of a step."""
        return self.growth[max(start for start in self.growth if start <= step)]

    def batch(self, step: int) -> Batch:
        """Sequences that no other step has, all of one T."""
        random = generator(self.config.seed, "train", step)
        return self.draw(random, self.length(step), self.config.train.batch_size)

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters of each network."""
        return self.model.init(key, jnp.zeros((1, 1, self.inputs)))

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """The first network's score of one batch; its gradient is that of each, by its own parameters."""
        del key
        first, *rest = (
            self.measure(said, batch)[self.metric] for said in self.answers(params, batch).values()
        )
        return first + sum(score - jax.lax.stop_gradient(score) for score in rest), carry

    def answers(self, params: PyTree, batch: Batch) -> dict[str, jax.Array]:
        """What each network says of a batch."""
        return cast("dict[str, jax.Array]", self.model.apply(params, self.encode(batch)))

    def pieces(self, split: Split) -> Iterator[Batch]:
        """The sequences of a split, a few at a time."""
        count, length = getattr(self.config.data, split), self.config.data.length
        most = piece(length)
        for index, start in enumerate(range(0, count, most)):
            yield self.draw(generator(0, split, index), length, min(most, count - start))

    @cached_property
    def _say(self) -> Callable[..., dict[str, jax.Array]]:
        return jax.jit(self.answers)

    @cached_property
    def _score(self) -> Callable[..., dict[str, dict[str, jax.Array]]]:
        def score(params: PyTree, batch: Batch) -> dict[str, dict[str, jax.Array]]:
            return {name: self.measure(said, batch) for name, said in self.answers(params, batch).items()}

        return jax.jit(score)

    def say(self, params: PyTree, batch: Batch, end: int = 0) -> dict[str, Any]:
        """What each network says of a batch, or of so many steps at its end; a few rows are read at a time."""
        inputs = batch["inputs"]
        most = piece(len(inputs))
        said = []
        for start in range(0, inputs.shape[1], most):
            found = jax.device_get(self._say(params, {"inputs": inputs[:, start : start + most]}))
            said.append({name: of[-end:] if end else of for name, of in found.items()})
        return {
            name: np.concatenate([each[name] for each in said], 0 if self.last else 1)
            for name in self.networks
        }

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """The first network's scores, and the rival's, whose names begin with rnn."""
        totals: dict[str, float] = {}
        for batch in self.pieces(split):
            share = batch["inputs"].shape[1] / getattr(self.config.data, split)
            for name, score in self.score(params, batch).items():
                totals[name] = totals.get(name, 0.0) + score * share
        return totals

    def score(self, params: PyTree, batch: Batch) -> dict[str, float]:
        """The scores of each network on some sequences."""
        found = jax.device_get(self._score(params, batch))
        return {
            self.scored(network, name): float(score)
            for network in found
            for name, score in found[network].items()
        }

    def scored(self, network: str, name: str) -> str:
        """What a score of a network is called."""
        return name if network == self.config.model.cell else f"{network}_{name}"

    def reach(self, params: PyTree) -> dict[int, dict[str, float]]:
        """The scores of each for a quarter of the T that they have learned to four times it, and close beside it.

        A network that counts steps is right at its own T only, one that remembers at others, too.
        """
        length = self.config.data.length
        lengths = [T for T in (length // 4, length - 1, length, length + 1, 4 * length) if 2 <= T <= LONGEST]
        return {T: self.score(params, self.draw(generator(0, "reach", T), T, piece(T))) for T in lengths}

    def baseline(self) -> dict[str, float]:
        """What doing nothing scores, which is the baseline where there is no rival; that is scored at the end."""
        return {f"{self.idle}_{self.metric}" if self.rival else self.metric: self.level("test")}

    def facts(self) -> dict[str, Any]:
        """T, how many sequences are for what, and their SHA-256."""
        data, digest = self.config.data, hashlib.sha256()
        for split in ("validation", "test"):
            for batch in self.pieces(split):
                for name in sorted(batch):
                    digest.update(np.ascontiguousarray(batch[name]).tobytes())
        sizes = {"length": data.length, "validation": data.validation, "test": data.test}
        return {"source": "generated", "sha256": digest.hexdigest(), **sizes}

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write report.txt, learning.png, and a picture of what the networks say."""
        scores, rows = self.evaluate(params, "test"), Metrics(run_dir / "metrics.jsonl").rows()
        keys = {title: self.scored(name, self.metric) for name, title in self.networks.items()}
        curves = {title: curve(rows, f"validation_{key}") for title, key in keys.items()}
        idle = self.idle.replace("_", " ")
        tested = {title: scores[key] for title, key in keys.items()} | {idle: self.level("test")}
        told = {title: self.scored(name, self.telling) for name, title in self.networks.items()}
        reached = self.reach(params)
        parts = (
            verdict(f"{self.title}, on the test split", tested, curves),
            far(
                self.told,
                {title: {T: reached[T][key] for T in reached} for title, key in told.items()}
                | {idle: dict.fromkeys(reached, self.untold)},
                {T: piece(T) for T in reached},
            ),
            self.sample(params, None, key, self.config.sample),
        )
        report, learning = run_dir / "report.txt", run_dir / "learning.png"
        report.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        level = idle, self.level("validation")
        draw_learning(learning, curves, f"{self.title}, validation", level, self.growth)
        return [report, learning, self.draw_answers(params, run_dir)]

    @abc.abstractmethod
    def draw_answers(self, params: PyTree, run_dir: Path) -> Path:
        """Draws what the networks say of the test split."""


def piece(length: int) -> int:
    """How many sequences of a length are read at once."""
    return min(max(STEPS // length, 1), 250)


def random_of(key: jax.Array) -> np.random.Generator:
    """The random numbers of a key, for sequences to look at."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))
