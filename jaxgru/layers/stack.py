"""Layers above one another."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgru import checks

if TYPE_CHECKING:
    from jaxgru.recurrence.context import Context
    from jaxgru.recurrence.scan import Model

PyTree = Any


@dataclass(frozen=True, init=False, repr=False)
class Stack:
    """Layers above one another, each reading the outputs of the one below.

        y = layer_n(… dropout(layer_1(dropout(layer_0(x)))) …)
        layer_i(x) ↦ x + layer_i(x), the latter after its dropout                         residual

    Args:
      layers: models; each one's input_size is the output_size of the one below. Kept as a tuple.
      dropout: the rate at which outputs of every layer but the last are zeroed, and the rest scaled by
        1 / (1 − rate), when a key is given. Layer i draws with fold_in(key, i).
      residual: whether each layer's input is added to its output: True asks that all have the same width,
        "where_equal" leaves out layers whose output is not as wide as their input.

    Raises:
      TypeError, ValueError: no layers, something that is no model, or widths that do not meet.

    Example:
      >>> import jaxgru
      >>> net = Stack([jaxgru.Bidirectional(jaxgru.GRU(3, 5)), jaxgru.GRU(10, 4)], dropout=0.1)
      >>> params = net.init(jax.random.key(0))
      >>> final, ys = jaxgru.scan(net, params, jnp.ones((7, 2, 3)), key=jax.random.key(1))
      >>> ys.shape
      (7, 2, 4)

    Cost: the sum of its layers'.

    Differs from: PyTorch's num_layers, which has one hidden size for all layers; here each is its own model.
    """

    layers: tuple[Model, ...]
    dropout: float
    residual: bool | str

    def __init__(
        self,
        layers: Iterable[Model],
        dropout: float = 0.0,
        residual: bool | Literal["where_equal"] = False,
    ) -> None:
        if not isinstance(layers, Iterable):
            raise TypeError(f"layers must be a sequence of models, got {layers!r}")
        layers = tuple(layers)
        if not layers:
            raise ValueError("layers must hold at least one model, got none")
        for i, layer in enumerate(layers):
            checks.model(f"layers[{i}]", layer)
        for i, (below, above) in enumerate(itertools.pairwise(layers)):
            if below.output_size != above.input_size:
                raise ValueError(
                    f"layers[{i + 1}] must have input_size {below.output_size}, the output_size of the layer "
                    f"below it, got {above.input_size}"
                )
            here, there = checks.spatial_shape(above), checks.spatial_shape(below)
            if here != there:
                raise ValueError(
                    f"layers[{i + 1}] must have spatial_shape {checks.axes(there)}, as the layer below it, "
                    f"got {checks.axes(here)}"
                )
        checks.static("residual", residual)
        if not isinstance(residual, bool | np.bool_) and residual != "where_equal":
            raise ValueError(f"residual must be True, False or 'where_equal', got {residual!r}")
        equal = bool(residual) and residual != "where_equal"
        for i, layer in enumerate(layers):
            if equal and layer.input_size != layer.output_size:
                raise ValueError(
                    f"layers[{i}] must have an output as wide as its input for residual=True, got "
                    f"{layer.output_size} and {layer.input_size}; residual='where_equal' leaves it out"
                )
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "dropout", checks.rate("dropout", dropout))
        object.__setattr__(self, "residual", residual if isinstance(residual, str) else bool(residual))

    def __repr__(self) -> str:
        """The call that makes this stack."""
        words = [repr(list(self.layers))]
        words += [f"{name}={value!r}" for name in ("dropout", "residual") if (value := getattr(self, name))]
        return f"Stack({', '.join(words)})"

    @property
    def input_size(self) -> int:
        """The width of one input: the first layer's."""
        return self.layers[0].input_size

    @property
    def output_size(self) -> int:
        """The width of one output: the last layer's."""
        return self.layers[-1].output_size

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """The axes of inputs and outputs between the batch and the channels, the same for all layers."""
        return checks.spatial_shape(self.layers[0])

    def init(self, key: Array) -> list[PyTree]:
        """Draws the parameters, a list with each layer's.

        Args:
          key: a PRNG key.
        """
        checks.key("key", key)
        return [
            layer.init(k)
            for layer, k in zip(self.layers, jax.random.split(key, len(self.layers)), strict=True)
        ]

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: PyTree = None) -> tuple[PyTree, ...]:
        """The state before the first step, a tuple with each layer's."""
        each = [None] * len(self.layers) if params is None else params
        checks.length("params", each, len(self.layers), f" for {self}")
        return tuple(layer.initial_state(batch_shape, p) for layer, p in zip(self.layers, each, strict=True))

    def step(self, params: PyTree, state: PyTree, x: Array, key: Array | None = None) -> tuple[PyTree, Array]:
        """One raw input through every layer; see `Cell.step`."""
        checks.length("params", params, len(self.layers), f" for {self}")
        checks.length("state", state, len(self.layers), f" for {self}")
        x = checks.floating("x", x)
        new = []
        for i, layer in enumerate(self.layers):
            layer_key = None if key is None else jax.random.fold_in(key, i)
            after, y = layer.step(params[i], state[i], x, layer_key)
            x = self._above(i, x, y, layer_key)
            new.append(after)
        return tuple(new), x

    def scan_over(
        self, params: PyTree, xs: Array, state: PyTree, context: Context
    ) -> tuple[PyTree, Array, PyTree]:
        """Scans each layer over the outputs of the one below; `scan` calls this."""
        final, states = [], []
        for i, layer in enumerate(self.layers):
            part = context.for_part(i)
            last, ys, every = part.scan(layer, params[i], xs, state[i])
            xs = self._above(i, xs, ys, part.key)
            final.append(last)
            states.append(every)
        return tuple(final), xs, tuple(states)

    def _above(self, i: int, xs: Array, ys: Array, key: Array | None) -> Array:
        """What the layer above reads: the outputs with dropout, and the inputs where they are added."""
        if key is not None and self.dropout and i < len(self.layers) - 1:
            kept = jax.random.bernoulli(key, 1 - self.dropout, ys.shape)
            ys = jnp.where(kept, ys / (1 - self.dropout), 0)
        added = self.residual and self.layers[i].input_size == self.layers[i].output_size
        return xs.astype(ys.dtype) + ys if added else ys
