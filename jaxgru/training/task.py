"""What the training loop asks of an application: the one interface between `training` and `tasks`."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import jax

    from jaxgru.training.config import Config

Split = Literal["validation", "test"]
PyTree = Any


class Task(abc.ABC):
    """One application: its data, its model, its score, what it leaves for people to look at.

    A task is built from a config alone. Everything random in it is a function of the config, of the step or
    of the key it is given, so that a run can be stopped anywhere and go on exactly.

    Attributes:
      name: the name that stands in `task = "…"` of a config.
      metric: the name of the one score that decides, a key of what `evaluate` returns.
      higher_is_better: whether a larger score is the better one.
      published: the score of the literature under the same protocol, None if there is none.
      Data, Model, Sample: frozen dataclasses of `option` fields, the tables [data], [model] and [sample].
      model: the Flax module.
      batch_axis: which axis of its batches' leaves has batch_size rows; of its carry's leaves the first has.
      ragged: whether its batches have several shapes, with other numbers of rows; they stay on one device.
      apart: where several models that share nothing are trained side by side, entries of params["params"]: which
        part of the learning rate each has. Each has its gradient clipped by its own norm. None elsewhere.
      rival: the key of what `evaluate` returns that is the baseline's score, where the baseline is one of these
        models; None elsewhere.
      vocabulary: what `restore` needs besides the config, as JSON can hold it; None if nothing.
    """

    name: ClassVar[str]
    metric: ClassVar[str]
    higher_is_better: ClassVar[bool]
    published: float | None = None
    Data: ClassVar[type]
    Model: ClassVar[type]
    Sample: ClassVar[type]
    batch_axis: ClassVar[int] = 0
    ragged: ClassVar[bool] = False
    apart: Mapping[str, float] | None = None
    rival: str | None = None
    model: Any = None
    vocabulary: Any = None

    @abc.abstractmethod
    def __init__(self, config: Config) -> None:
        """Reads the data, builds the vocabulary from the training split alone, and the module.

        Raises:
          UserError: for data that is missing, damaged or too small.
        """

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuilds the task from a run folder, without reading its data where `vocabulary` suffices.

        Raises:
          ValueError: for a vocabulary that the task never leaves in a run folder.
        """
        del vocabulary
        return cls(config)

    @abc.abstractmethod
    def init(self, key: jax.Array) -> PyTree:
        """Draws the initial parameters. Traceable, so that their shapes can be had for nothing."""

    def initial_carry(self) -> PyTree:
        """The state carried from one training batch to the next at step 0; () if none."""
        return ()

    @abc.abstractmethod
    def batch(self, step: int) -> PyTree:
        """The batch of NumPy arrays of step 0, 1, …: a pure function of config and step.

        All batches have one shape, or one of few, each of which compiles once.
        """

    @abc.abstractmethod
    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """The loss of one batch, a float32 scalar, and the carry for the next one. Traced."""

    @abc.abstractmethod
    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """Scores a whole split; `metric` is among the keys."""

    def baseline(self) -> dict[str, float]:
        """The scores of a simple method on the test split, under the names `evaluate` uses; {} if none."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What a run records about its data (sizes, SHA-256): a resumed run must find the same."""
        return {}

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """Lets the model speak, `options` being a `Sample`; for a task that generates nothing, refuses."""
        del params, prompt, key, options
        raise UserError(f"the task {self.name} has nothing to sample")

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Writes the pictures and samples people look at first; a .txt among them is printed."""
        del params, run_dir, key
        return []
