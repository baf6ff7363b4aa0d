"""What the language models over characters and over words have in common: one text, read from left to right."""

from __future__ import annotations

import abc
from functools import cached_property
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

    from jaxgru.data.text import Split

CHUNK = 512  # symbols that one dispatch of the evaluation reads


class LanguageModel(Task):
    """Predict the next symbol of a text, with the state carried from window to window.

    Its `config` has `data.window`; its `model` takes ids (T, B) and the state before them to the state after them
    and the logits (T, B, symbols) of those that follow.
    """

    higher_is_better = False
    batch_axis = 1
    config: Any

    @property
    @abc.abstractmethod
    def split(self) -> Split:
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

    def chunks(self, part: range) -> Iterator[tuple[npt.NDArray[np.int32], int]]:
        """The text before and in each chunk of a part, ids (CHUNK + 1, 1), and how many of them are scored."""
        for start in part[::CHUNK]:
            size = min(CHUNK, part.stop - start)
            yield np.pad(self.ids[start - 1 : start + size], (0, CHUNK - size))[:, None], size


def read(
    model: Any, params: PyTree, ids: jax.Array, carry: PyTree, **options: Any
) -> tuple[PyTree, jax.Array]:
    """The state after ids (T, B), and the logits (T, B, symbols) of the symbols that follow them."""
    return cast("tuple[PyTree, jax.Array]", model.apply(params, ids, carry, **options))
