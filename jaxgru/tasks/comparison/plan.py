"""Which runs a comparison is made of: recurrences, problems, learning rates and seeds, and their configs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp

from jaxgru import tasks
from jaxgru.data.rolls import KEYS
from jaxgru.tasks.adding import Adding
from jaxgru.tasks.composition.rollmodel import RollModel
from jaxgru.tasks.recurrences import TITLES, fitting_units, parameters
from jaxgru.training.config import Config, Key, RunConfig, check, flat, keys, option
from jaxgru.training.configfile import from_word, locate, read, split
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBLEMS = ("music", "adding")
FIRST, PLAIN = "gru", "rnn"  # whose scores on music are the task's and its baseline's
SET_HERE = tuple(f"model.{name}" for name in ("cell", "hidden_size", "layers", "rival", "rnn_rate"))
PATH = Key(str, "", {})


@dataclass(frozen=True)
class Data:
    """The table [data]: what is compared, on what, and how often."""

    cells: tuple[str, ...] = option(
        tuple(TITLES),
        "the recurrences; gru must be one: its mean on music is the score",
        choices=tuple(TITLES),
    )
    problems: tuple[str, ...] = option(PROBLEMS, "what they learn; music must be one", choices=PROBLEMS)
    seeds: int = option(3, "runs of each, with seeds from that of the config on", at_least=1, at_most=1000)
    rates: tuple[float, ...] = option(
        (1.0,),
        "parts of train.learning_rate, of which each recurrence has the one that is best on validation with the "
        "first seed",
        above=0,
        at_most=1e6,
    )
    longer: int = option(
        6,
        "steps of adding for each step of music, which is a longer one",
        at_least=1,
        at_most=10_000,
    )
    music: tuple[str, ...] = option((), "settings of music's tables [data] and [model]")
    adding: tuple[str, ...] = option((), "settings of adding's tables [data] and [model]")

    def __post_init__(self) -> None:
        """Refuse what names a thing twice, or leaves out what the score is of."""
        for name, needed in (("cells", FIRST), ("problems", PROBLEMS[0]), ("rates", None)):
            values = getattr(self, name)
            if len({*values}) < len(values) or not values:
                raise ValueError(
                    f"{name} should hold one thing or more, none of them twice, got {list(values)}"
                )
            if needed and needed not in values:
                raise ValueError(
                    f"{name} should hold {needed}, whose score is the task's, got {list(values)}"
                )
        if len({part(rate) for rate in self.rates}) < len(self.rates):
            raise ValueError(f"rates should differ in their first six digits, got {list(self.rates)}")
        for problem in PROBLEMS:
            # Paths whole, for a run is gone on with from anywhere.
            settings = tuple(whole(setting) for setting in getattr(self, problem))
            object.__setattr__(self, problem, settings)
            for setting in settings:
                key = setting.partition("=")[0].strip()
                if not key.startswith(("data.", "model.")) or key in SET_HERE:
                    free = "a setting of [data] or [model], and neither cell, hidden_size, layers nor rival"
                    raise ValueError(f"{problem} should hold settings, each {free}, got {setting!r}")


@dataclass(frozen=True)
class Model:
    """The table [model]: how large each network is."""

    layers: int = option(1, "layers of each, one above the other", at_least=1, at_most=64)
    music: int = option(
        20_000,
        "parameters of each network on music, as nearly as whole units allow",
        at_least=100,
        at_most=1 << 30,
    )
    adding: int = option(5000, "the same on the adding problem", at_least=100, at_most=1 << 30)


def whole(setting: str) -> str:
    """A setting of data.path with its whole path, any other as it is."""
    key, _, word = setting.partition("=")
    if key.strip() != "data.path":
        return setting
    path = from_word(word.strip(), PATH)
    return f"{key}={Path(path).absolute()}" if isinstance(path, str) and path else setting


def part(rate: float) -> str:
    """A part of the learning rate as the names of runs have it."""
    return f"{rate:g}"


class Trial(NamedTuple):
    """One run of a comparison."""

    problem: str
    cell: str
    rate: float
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.problem}-{self.cell}-{part(self.rate)}-{self.seed}"


class Plan:
    """The runs of a comparison.

    For each problem and recurrence the first seed is run at each rate; the rate whose validation score was best
    is that of the other seeds, too.

    Args:
      config: of the task `compare`.

    Raises:
      UserError: for a setting that the problem's task refuses, or that no run of the comparison could have.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.pairs = [(problem, cell) for problem in config.data.problems for cell in config.data.cells]
        self.own = {problem: self.read(problem) for problem in config.data.problems}
        if config.train.patience:
            patience = f"train.patience is {config.train.patience}"
            raise UserError(f"{patience}; it must be 0, for all runs of a comparison have as many steps")
        self.units = {pair: self.fitting(*pair) for pair in self.pairs}
        for pair in self.pairs:
            for rate in config.data.rates:
                self.check(Trial(*pair, rate, config.seed + config.data.seeds - 1))

    def read(self, problem: str) -> Config:
        """The config of a problem, with the settings that all its runs share."""
        settings = [f"{key}={word}" for key, word in map(split, getattr(self.config.data, problem))]
        alone = ["model.rival=none"] if problem == "adding" else []
        try:
            return read(locate(problem), [*settings, *alone], tasks.find)
        except UserError as error:
            raise UserError(f"data.{problem}: {error}") from None

    def fitting(self, problem: str, cell: str) -> int:
        """How many units a recurrence may have."""
        model, layers = self.own[problem].model, self.config.model.layers

        def count(units: int) -> int:
            if problem == "adding":
                return Adding.size(cell, units, layers)
            network = RollModel(KEYS, dataclasses.replace(model, cell=cell, hidden_size=units, layers=layers))
            return parameters(lambda key: network.init(key, jnp.zeros((1, 1, KEYS))))

        return fitting_units(count, getattr(self.config.model, problem))

    def check(self, trial: Trial) -> None:
        """Refuses what the config of a run, written down, could not be read from again."""
        known, values = keys(tasks.find(trial.problem)), flat(self.of(trial))
        for name in ("seed", "train.steps", "train.warmup_steps", "train.learning_rate"):
            check(name, values[name], known[name], f"the run {trial.name}: ")

    @property
    def tries(self) -> int:
        """Runs of each recurrence on each problem."""
        return len(self.config.data.rates) + self.config.data.seeds - 1

    def steps(self, problem: str) -> int:
        """Steps of each run on a problem."""
        return self.config.train.steps * self.longer(problem)

    def longer(self, problem: str) -> int:
        """How many steps a problem has for each of music's."""
        return self.config.data.longer if problem == "adding" else 1

    def trials(self, problem: str, cell: str) -> list[Trial]:
        """The runs that choose the rate: those of the first seed."""
        return [Trial(problem, cell, rate, self.config.seed) for rate in self.config.data.rates]

    def chosen(self, problem: str, cell: str, found: Mapping[str, Mapping[str, Any]]) -> float:
        """The rate that was best on validation; the scores of both problems are better when lower."""

        def score(trial: Trial) -> float:
            validation = found[trial.name]["validation"]
            return math.inf if validation is None else float(validation)

        return min(self.trials(problem, cell), key=score).rate

    def final(self, problem: str, cell: str, found: Mapping[str, Mapping[str, Any]]) -> list[Trial]:
        """The runs that count: every seed at the chosen rate."""
        rate, first = self.chosen(problem, cell, found), self.config.seed
        return [Trial(problem, cell, rate, first + i) for i in range(self.config.data.seeds)]

    def missing(self, found: Mapping[str, Mapping[str, Any]]) -> list[Trial]:
        """The runs to train next: those that choose, then a seed of each pair after the other."""
        trials = [trial for pair in self.pairs for trial in self.trials(*pair)]
        if all(trial.name in found for trial in trials):
            finals = [self.final(*pair, found) for pair in self.pairs]
            trials = [trial for seed in zip(*finals, strict=True) for trial in seed]
        return [trial for trial in trials if trial.name not in found]

    def of(self, trial: Trial) -> Config:
        """The config of a run."""
        problem, longer = trial.problem, self.longer(trial.problem)
        run, train, own = self.config.run, self.config.train, self.own[problem]
        shape = {"hidden_size": self.units[problem, trial.cell], "layers": self.config.model.layers}
        model = dataclasses.replace(own.model, cell=trial.cell, **shape)
        rate, steps = train.learning_rate * trial.rate, self.steps(problem)
        log_every = min(run.log_every, steps)  # so that there is a row of some step
        return dataclasses.replace(
            own,
            seed=trial.seed,
            mesh=self.config.mesh,
            model=model,
            run=RunConfig("", log_every, run.evaluate_every * longer, run.save_every * longer, keep=1),
            train=dataclasses.replace(
                train,
                steps=steps,
                warmup_steps=train.warmup_steps * longer,
                learning_rate=rate,
            ),
        )
