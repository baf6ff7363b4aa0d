"""What the language models over characters and over words have in common: one text, read from left to right."""

from __future__ import annotations

import abc
import math
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from jaxgru.data.windows import Windows
from jaxgru.training.errors import UserError
from jaxgru.training.task import PyTree, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxgru.data import text as texts
    from jaxgru.training.task import Split

CHUNK = 512  # symbols that one dispatch of the evaluation reads

Floats = npt.NDArray[np.float64]


class LanguageModel(Task):
    """Predict the next symbol of a text, with the state carried from window to window.

    Its `config` has `data.window` and `data.dynamic_rate`; its `model` takes ids (T, B) and the state before them
    to the state after them and the logits (T, B, symbols) of those that follow.
    """

    higher_is_better = False
    batch_axis = 1
    config: Any

    @property
    @abc.abstractmethod
    def split(self) -> texts.Split:
        """Which positions of the text are for what."""

    @property
    @abc.abstractmethod
    def ids(self) -> npt.NDArray[np.int32]:
        """The numbers (N,) of all symbols of the text."""

    def refuse_short(self, source: str, symbols: str) -> None:
        """Refuse a text with less to train on than one step takes."""
        rows, window = self.config.train.batch_size, self.config.data.window
        length = len(self.split.train)
        if length <= rows * window:
            raise UserError(
                f"{source}: too short: {length} {symbols} to train on, and a step takes "
                f"train.batch_size × data.window + 1 = {rows * window + 1}"
            )

    @cached_property
    def windows(self) -> Windows:
        """Which symbols a step sees; the last one has no next one, so it is no place to predict from."""
        config, length = self.config, len(self.split.train)
        return Windows(length - 1, config.train.batch_size, config.data.window, config.seed)

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters."""
        return self.model.init(key, jnp.zeros((1, 1), jnp.int32))

    def initial_carry(self) -> PyTree:
        """The state of every stream before its first symbol."""
        return self.blank(self.config.train.batch_size)

    def blank(self, rows: int) -> PyTree:
        """The state of so many streams that have read nothing."""
        ids = jnp.zeros((1, rows), jnp.int32)
        (carry, _), _ = jax.eval_shape(self.model.init_with_output, jax.random.key(0), ids)
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), carry)

    def batch(self, step: int) -> PyTree:
        """Inputs and targets (window, batch_size), and whether the streams start afresh."""
        positions, fresh = self.windows.at(step)
        return {"inputs": self.ids[positions], "targets": self.ids[positions + 1], "fresh": np.bool_(fresh)}

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """Nats per symbol of one batch, and the state after it."""
        carry = jax.tree.map(lambda leaf: jnp.where(batch["fresh"], 0, leaf), carry)
        training = {"deterministic": False, "rngs": {"dropout": key}}
        carry, logits = read(self.model, params, batch["inputs"], carry, **training)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"]).mean(), carry

    def chunks(self, part: range, most: int = CHUNK) -> Iterator[tuple[npt.NDArray[np.int32], int]]:
        """The text before and in each chunk of a part, ids (most + 1, 1), and how many of them are scored."""
        for start in part[::most]:
            size = min(most, part.stop - start)
            yield np.pad(self.ids[start - 1 : start + size], (0, most - size))[:, None], size

    @staticmethod
    @abc.abstractmethod
    def score(bits: Floats) -> float:
        """The metric of a split whose symbols take these bits (N,)."""

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """The metric of a split, and that of dynamic evaluation if there is a rate for it."""
        part: range = getattr(self.split, split)
        scores = {self.metric: self.score(self.bits(params, part))}
        if self.config.data.dynamic_rate:
            scores[f"dynamic_{self.metric}"] = self.score(self.dynamic_bits(params, part))
        return scores

    def bits(self, params: PyTree, part: range) -> Floats:
        """The bits (N,) that each symbol of a part of the text takes."""
        carry, found = self.blank(1), []
        for ids, size in self.chunks(part):
            carry, nats = _nats(self.model, params, carry, ids)
            found.append(np.asarray(nats, np.float64)[:size])
        return np.concatenate(found) / math.log(2)

    def dynamic_bits(self, params: PyTree, part: range) -> Floats:
        """The bits (N,) that each symbol of a part takes if the model goes on learning while it reads.

        After each window of `data.window` symbols, which has been scored by then, the parameters θ take a step
        along its gradient g, the mean over the window, with v the running mean of g² without its bias:

            θ ← θ − data.dynamic_rate · g / (√v + 1e-4)

        So each symbol is predicted from what stands before it alone, as in `bits`. The parameters that are
        given do not change.

        References: Krause et al. 2018, "Dynamic evaluation of neural sequence models" (arXiv:1709.07432), who
          take the mean of g² from the training text, and pull θ back to where it was.
        """
        data, found = self.config.data, []
        step = _optimizer(data.dynamic_rate)
        memory = (params, step.init(params), self.blank(1))
        for ids, size in self.chunks(part, data.window):
            memory, nats = _learn(self.model, data.dynamic_rate, memory, ids, size)
            found.append(np.asarray(nats, np.float64)[:size])
        return np.concatenate(found) / math.log(2)


def _optimizer(rate: float) -> optax.GradientTransformation:
    """Steps along a gradient divided by its usual size."""
    return optax.adam(rate, b1=0.0, b2=0.999, eps=1e-4)


@partial(jax.jit, static_argnums=0)
def _nats(model: Any, params: PyTree, carry: PyTree, ids: jax.Array) -> tuple[PyTree, jax.Array]:
    """What each (T,) of ids (T + 1, 1) but the first costs."""
    carry, logits = read(model, params, ids[:-1], carry)
    return carry, optax.softmax_cross_entropy_with_integer_labels(logits, ids[1:])[:, 0]


@partial(jax.jit, static_argnums=(0, 1))
def _learn(
    model: Any, rate: float, memory: tuple[PyTree, PyTree, PyTree], ids: jax.Array, size: int
) -> tuple[tuple[PyTree, PyTree, PyTree], jax.Array]:
    """What each (T,) of ids (T + 1, 1) but the first costs, and parameters that have learned from the first `size`."""
    params, state, carry = memory

    def mean(params: PyTree) -> tuple[jax.Array, tuple[PyTree, jax.Array]]:
        after, nats = _nats(model, params, carry, ids)
        return jnp.where(jnp.arange(len(nats)) < size, nats, 0).sum() / size, (after, nats)

    gradient, (carry, nats) = jax.grad(mean, has_aux=True)(params)
    change, state = _optimizer(rate).update(gradient, state)
    return (optax.apply_updates(params, change), state, carry), nats


def read(
    model: Any, params: PyTree, ids: jax.Array, carry: PyTree, **options: Any
) -> tuple[PyTree, jax.Array]:
    """The state after ids (T, B), and the logits (T, B, symbols) of the symbols that follow them."""
    return cast("tuple[PyTree, jax.Array]", model.apply(params, ids, carry, **options))
