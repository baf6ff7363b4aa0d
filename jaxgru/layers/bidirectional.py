"""One layer in each direction of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks

if TYPE_CHECKING:
    from jaxgru.recurrence.context import Context
    from jaxgru.recurrence.scan import Model

PyTree = Any


class Both(NamedTuple):
    """Parameters or states of the two directions of a `Bidirectional`."""

    forward: PyTree
    backward: PyTree


@dataclass(frozen=True, repr=False)
class Bidirectional:
    """A model read in both directions: at each step what came before it and what comes after.

        y_t = merge(→y_t, ←y_t)

    Args:
      forward: the model that runs from the first step to the last.
      backward: the one that runs from the last to the first; None means one like `forward`, with its own
        parameters.
      merge: "concat" (→y beside ←y), "sum" or "mean".

    Raises:
      TypeError, ValueError: something that is no model, an unknown merge, or widths that do not meet.

    Example:
      >>> import jaxgru
      >>> net = Bidirectional(jaxgru.GRU(3, 5))
      >>> final, ys = jaxgru.scan(net, net.init(jax.random.key(0)), jnp.ones((7, 2, 3)))
      >>> ys.shape, final.backward.shape
      ((7, 2, 10), (2, 5))

    Cost: the sum of its two directions'.

    References: Schuster & Paliwal 1997, "Bidirectional recurrent neural networks".

    Differs from: nothing; segments cut by `resets` are kept apart in both directions.
    """

    forward: Model
    backward: Model | None = None
    merge: Literal["concat", "sum", "mean"] = "concat"

    def __post_init__(self) -> None:
        checks.model("forward", self.forward)
        if self.backward is None:
            object.__setattr__(self, "backward", self.forward)
        checks.model("backward", self.backward)
        checks.choice("merge", self.merge, ("concat", "sum", "mean"))
        forward, backward = self.directions
        if forward.input_size != backward.input_size:
            raise ValueError(
                f"backward must have forward's input_size {forward.input_size}, got {backward.input_size}"
            )
        here, there = checks.spatial_shape(backward), checks.spatial_shape(forward)
        if here != there:
            raise ValueError(
                f"backward must have forward's spatial_shape {checks.axes(there)}, got {checks.axes(here)}"
            )
        if self.merge != "concat" and forward.output_size != backward.output_size:
            raise ValueError(
                f"backward must have forward's output_size {forward.output_size} for merge={self.merge!r}, "
                f"got {backward.output_size}"
            )

    def __repr__(self) -> str:
        """The call that makes this layer."""
        words = [repr(self.forward)]
        if self.backward != self.forward:
            words.append(repr(self.backward))
        if self.merge != "concat":
            words.append(f"merge={self.merge!r}")
        return f"Bidirectional({', '.join(words)})"

    @property
    def directions(self) -> tuple[Model, Model]:
        """The forward and the backward model."""
        return self.forward, self.backward or self.forward

    @property
    def input_size(self) -> int:
        """The width of one input."""
        return self.forward.input_size

    @property
    def output_size(self) -> int:
        """The width of one output: both directions' together if they are concatenated."""
        sizes = [model.output_size for model in self.directions]
        return sum(sizes) if self.merge == "concat" else sizes[0]

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """The axes of inputs and outputs between the batch and the channels."""
        return checks.spatial_shape(self.forward)

    def init(self, key: Array) -> Both:
        """Draws the parameters of both directions.

        Args:
          key: a PRNG key.
        """
        checks.key("key", key)
        return Both(*(model.init(k) for model, k in zip(self.directions, jax.random.split(key), strict=True)))

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: PyTree = None) -> Both:
        """The states before each direction's first step."""
        each = (None, None) if params is None else params
        return Both(
            *(model.initial_state(batch_shape, p) for model, p in zip(self.directions, each, strict=True))
        )

    def step(self, params: PyTree, state: PyTree, x: Array, key: Array | None = None) -> NoReturn:
        """Refuses: the backward direction begins at a sequence's end.

        Raises:
          NotImplementedError: always.
        """
        del params, state, x, key
        raise NotImplementedError(
            "Bidirectional has no step: its backward direction needs the inputs still to come; use scan on the "
            "whole sequence, or a forward model for streaming"
        )

    def scan_over(self, params: Both, xs: Array, state: Both, context: Context) -> tuple[Both, Array, Both]:
        """Scans both directions and merges their outputs; `scan` calls this."""
        contexts = (context.for_part(0), context.backward().for_part(1))
        (final, ys, states), (final_b, ys_b, states_b) = (
            part.scan(model, p, xs, s)
            for part, model, p, s in zip(contexts, self.directions, params, state, strict=True)
        )
        return Both(final, final_b), self._merge(ys, ys_b), Both(states, states_b)

    def _merge(self, ys: Array, ys_b: Array) -> Array:
        if self.merge == "concat":
            return jnp.concatenate([ys, ys_b], -1)
        return ys + ys_b if self.merge == "sum" else (ys + ys_b) / 2
