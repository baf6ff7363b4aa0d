"""Configuration as frozen dataclasses, whose fields know what they mean and which values they may have.

`Config` is a run, whole: `task` and `seed`, then the tables [run], [train], [mesh], [data], [model] and [sample],
of which the last three are the task's own. `configfile` reads and writes it.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import operator
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from jaxgru.training.task import Task

LARGEST = 2**31 - 1
LAST_STEP = 10**8 - 1  # a checkpoint is named by eight digits
SECTIONS = ("run", "train", "mesh", "data", "model", "sample")
# What a resumed run may change: none of it decides a number that the run writes.
FREE_ON_RESUME = ("run.dir", "run.save_every", "run.keep")
BROKEN = {"at_least": operator.lt, "above": operator.le, "at_most": operator.gt, "below": operator.ge}


def option(
    default: Any,
    meaning: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
) -> Any:
    """A field of a configuration dataclass, with what it means and which values it may have.

    Args:
      default: the value where a config says nothing: a bool, int, float, str, or a tuple of one of them.
      meaning: one line for `--keys`.
      at_least: the least number, of a number or of each one in a tuple.
      above: a number that is itself too small.
      at_most: the largest number.
      below: a number that is itself too large.
      choices: the words a str may be.

    Example:
      >>> @dataclasses.dataclass(frozen=True)
      ... class Model:
      ...     hidden_size: int = option(128, "units of each layer", at_least=1)
      >>> Model().hidden_size
      128
    """
    bounds = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    metadata = {name: bound for name, bound in bounds.items() if bound is not None}
    return dataclasses.field(
        default=default, metadata={"help": meaning, "choices": tuple(choices), **metadata}
    )


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The table [run]: where a run is kept, and what it writes when."""

    dir: str = option("", "the run folder; empty means runs/<task>-<time>")
    log_every: int = option(10, "steps between two rows of metrics.jsonl", at_least=1)
    evaluate_every: int = option(100, "steps between two evaluations on the validation split", at_least=1)
    save_every: int = option(100, "steps between two checkpoints", at_least=1)
    keep: int = option(2, "newest checkpoints kept, besides the best", at_least=1)

    def __post_init__(self) -> None:
        """Refuses a name that no folder can have."""
        if "\0" in self.dir:
            raise ValueError(f"dir is {self.dir!r}; a folder's name cannot hold NUL")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The table [train]: AdamW under a schedule, for so many steps. All of it decides the trajectory."""

    steps: int = option(1000, "optimiser steps of the whole run", at_least=1, at_most=LAST_STEP)
    batch_size: int = option(32, "sequences per batch", at_least=1, at_most=LARGEST)
    steps_per_call: int = option(10, "most steps in one dispatch to the device", at_least=1, at_most=10_000)
    learning_rate: float = option(
        2e-3, "the highest learning rate, reached after the warm-up", above=0, at_most=1e6
    )
    warmup_steps: int = option(100, "steps of linear warm-up", at_least=0, at_most=LARGEST)
    schedule: str = option(
        "cosine", "how the rate falls after the warm-up", choices=("cosine", "linear", "constant")
    )
    final_fraction: float = option(0.1, "the last rate as a fraction of the highest", at_least=0, at_most=1)
    weight_decay: float = option(0.01, "AdamW's decay of matrices (never of vectors)", at_least=0)
    beta1: float = option(0.9, "AdamW's memory of the gradient", at_least=0, below=1)
    beta2: float = option(0.999, "AdamW's memory of the squared gradient", at_least=0, below=1)
    clip_norm: float = option(1.0, "the gradient's largest global norm; 0 never clips", at_least=0)
    patience: int = option(0, "evaluations without improvement before stopping early; 0: never", at_least=0)
    nonfinite: str = option(
        "raise",
        "a loss or gradient that is nan or inf stops the run, skips the update, or is ignored",
        choices=("raise", "skip", "ignore"),
    )


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """The table [mesh]: what a step is spread over. It decides in which order sums are taken."""

    cpu_devices: str | int = option(
        "auto",
        "devices of the CPU that share a batch; auto: one a core where it pays",
        at_least=1,
        at_most=256,
        choices=("auto",),
    )


@dataclasses.dataclass(frozen=True)
class Config:
    """A run, whole: which task, and every number that decides how it ends."""

    task: str = option("", "the application to train")
    seed: int = option(0, "decides everything random", at_least=0, at_most=2**32 - 1)
    run: RunConfig = dataclasses.field(default_factory=RunConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)
    data: Any = None
    model: Any = None
    sample: Any = None


class Key(typing.NamedTuple):
    """One key a config may hold."""

    type: Any
    default: Any
    metadata: Mapping[str, Any]


def tables(task: type[Task]) -> dict[str, type]:
    """The dataclass of each table of a config for `task`."""
    return dict(
        zip(SECTIONS, (RunConfig, TrainConfig, MeshConfig, task.Data, task.Model, task.Sample), strict=True)
    )


def keys(task: type[Task]) -> dict[str, Key]:
    """Every key of a config for `task`, by dotted name, in the order of the file."""
    found = {name: key for name, key in table_keys(Config).items() if name not in SECTIONS}
    for section, table in tables(task).items():
        found |= {f"{section}.{name}": key for name, key in table_keys(table).items()}
    return found


def table_keys(table: type) -> dict[str, Key]:
    """The keys of one table, by name."""
    types = typing.get_type_hints(table)
    return {f.name: Key(types[f.name], f.default, f.metadata) for f in dataclasses.fields(table)}


def build(values: Mapping[str, Any], task: type[Task]) -> Config:
    """Puts checked values, by dotted name, into a `Config`; what is not named has its default."""
    made: dict[str, Any] = {"task": task.name} | {k: v for k, v in values.items() if "." not in k}
    for section, table in tables(task).items():
        inside = {k.partition(".")[2]: v for k, v in values.items() if k.startswith(section + ".")}
        try:
            made[section] = table(**inside)
        except ValueError as error:
            raise UserError(f"[{section}] {error}") from error
    return Config(**made)


def flatten(table: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """(dotted name, value) of everything in a table of tables."""
    for key, value in table.items():
        if key in SECTIONS and isinstance(value, Mapping):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            yield key, value


def flat(config: Config) -> dict[str, Any]:
    """Every value of a config by dotted name, in the order of the file."""
    return dict(flatten(dataclasses.asdict(config)))


def lookup(name: str, known: Mapping[str, Key], where: str = "") -> Key:
    """The key of that name, or a refusal that says the nearest. `where` is `file:line: ` or nothing."""
    if name in known:
        return known[name]
    if name in SECTIONS:
        raise UserError(f"{where}{name} is a table; write [{name}] above its keys")
    section, _, ending = name.rpartition(".")
    near = difflib.get_close_matches(name, known if section else [*known, *SECTIONS], n=1, cutoff=0.7)
    if not near:
        endings = {key.rpartition(".")[2]: key for key in known}
        near = [endings[e] for e in difflib.get_close_matches(ending, endings, n=1, cutoff=0.7)]
    if near:
        raise UserError(f"{where}unknown key {name}; did you mean {near[0]}?")
    inside = [key.partition(".")[2] for key in known if section and key.startswith(section + ".")]
    tables_or_keys = (
        f"the tables are {', '.join(SECTIONS)}" if "task" in known else f"there are {', '.join(known)}"
    )
    mend = f"[{section}] has {', '.join(inside)}" if inside else tables_or_keys
    raise UserError(f"{where}unknown key {name}; {mend}")


def check(name: str, value: Any, key: Key, where: str = "") -> Any:
    """The value in its field's type and range; an int is taken for a float, nothing else is cast."""
    if typing.get_origin(key.type) is tuple:
        if not isinstance(value, list):
            raise UserError(f"{where}{name} must be a list, not {value!r}")
        element = key._replace(type=typing.get_args(key.type)[0])
        return tuple(check(f"{name}[{i}]", item, element, where) for i, item in enumerate(value))
    if key.type is float and type(value) is int:
        value = float(value) if abs(value) < 2**1000 else math.inf
    types = typing.get_args(key.type) or (key.type,)
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
    if type(value) not in types:
        raise UserError(f"{where}{name} must be {' or '.join(kinds[t] for t in types)}, not {value!r}")
    others = [kinds[t] for t in types if t is not type(value)]
    if fault := out_of_range(value, key.metadata, others):
        raise UserError(f"{where}{name} is {value!r}; it must be {fault}")
    return value


def changes(before: Config, now: Config) -> Iterator[tuple[str, Any, Any]]:
    """The settings that decide what a run leaves and are others now: name, value before, value now."""
    was = flat(before)
    for name, value in flat(now).items():
        if name not in FREE_ON_RESUME and value != was.get(name):
            yield name, was.get(name), value


def out_of_range(value: Any, rules: Mapping[str, Any], others: Sequence[str] = ()) -> str | None:
    """What the value should be and is not, in words; a word that is no choice could be one of the others."""
    if isinstance(value, float) and not math.isfinite(value):
        return "finite"
    if isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            return "valid UTF-8"
        choices = rules.get("choices") or (value,)
        if value in choices:
            return None
        known = ", ".join(choices)
        return " or ".join([known, *others]) if others else f"one of {known}"
    for rule, broken in BROKEN.items():
        if rule in rules and broken(value, rules[rule]):
            return f"{rule.replace('_', ' ')} {rules[rule]}"
    return None
