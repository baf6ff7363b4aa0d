"""Recurrent cells and layers as modules of linen: Flax's own parameters, run by `jaxgru.scan`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import unfreeze
from flax.linen.recurrent import DenseParams
from jax import Array

from jaxgru import checks
from jaxgru.cells import gru, lstm, min_gru
from jaxgru.cells.base import Cell
from jaxgru.layers.stack import Stack
from jaxgru.nn import layers
from jaxgru.nn.common import BIAS, KERNEL, RECURRENT, Plain, Step, drawn, fused, named

PyTree = Any


class LinenCell(Step, nn.Module):
    """What the cells of this module have in common: see `jaxgru.nn.common.Step`."""

    # The layers that Flax's cell is made of are called 'i' + gate and 'h' + gate; gates stand as the core has them.
    gates: ClassVar[Sequence[str]]
    biased: ClassVar[Sequence[str]]

    def __post_init__(self) -> None:
        """Refuse what the recurrence does not compute."""
        self._check()
        super().__post_init__()

    __call__ = Step.__call__

    @nn.compact
    def weights(self: Any, cell: Cell) -> Any:
        """The parameters as the core has them."""
        sides = {"i": (cell.input_size, self.kernel_init), "h": (self.features, self.recurrent_kernel_init)}
        dense = {}
        for side, (width, init) in sides.items():
            for name in (side + gate for gate in self.gates):
                fields = {"use_bias": name in self.biased, "param_dtype": self.param_dtype, "name": name}
                layer = DenseParams(self.features, kernel_init=init, bias_init=self.bias_init, **fields)
                dense[name] = layer(jnp.zeros(width))
        return fused(cell, dense)


class GRUCell(LinenCell, nn.GRUCell):
    """One step of a GRU, with the fields of `flax.linen.GRUCell`: see `jaxgru.nn.common.Step`.

    Example:
      >>> cell, x = GRUCell(features=5), jnp.ones((2, 3))
      >>> carry = cell.initialize_carry(jax.random.key(0), x.shape)
      >>> variables = cell.init(jax.random.key(1), carry, x)
      >>> carry, y = cell.apply(variables, carry, x)
      >>> y.shape
      (2, 5)
    """

    core = gru.GRU
    gates, biased = "rzn", ("ir", "iz", "in", "hn")


class LSTMCell(LinenCell, nn.LSTMCell):
    """One step of an LSTM, with the fields of `flax.linen.LSTMCell` and `OptimizedLSTMCell`; its carry is (c, h)."""

    core = lstm.LSTM
    gates, biased = "ifgo", ("hi", "hf", "hg", "ho")


class SimpleCell(Plain, LinenCell, nn.SimpleCell):
    """One step of a plain recurrent unit, with the fields of `flax.linen.SimpleCell`; activation_fn may be relu."""

    gates, biased = ("",), ("i",)


class LinenLayers(layers.Layers, nn.Module):
    """What the layers of this module have in common, with all of `jaxgru.nn.layers.Layers`.

    Args:
      features: H, the width of each layer's state and, in each direction, of its outputs.
      kernel_init: draws each kernel for the inputs, as wide as they are: (I, …).
      recurrent_kernel_init: draws each kernel for the state, (H, …).
      bias_init: draws each vector.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.
    """

    features: int
    _: KW_ONLY
    kernel_init: Callable[..., Any] = KERNEL
    recurrent_kernel_init: Callable[..., Any] = RECURRENT
    bias_init: Callable[..., Any] = BIAS

    # The module with Flax's parameters of one cell, where Flax has the cell.
    flax_cell: ClassVar[Callable[..., Any] | None] = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments before there are inputs."""
        self._check()
        super().__post_init__()

    __call__ = layers.Layers.__call__

    @nn.compact
    def weights(self, model: Stack) -> list[PyTree]:
        """The parameters as the core has them."""
        inits = {name: getattr(self, name) for name in ("kernel_init", "recurrent_kernel_init", "bias_init")}

        def read(name: str, cell: Cell) -> Any:
            if self.flax_cell is not None:
                held = self.flax_cell(self.features, param_dtype=self.param_dtype, name=name, **inits)
                return held.weights(cell)
            return named(
                cell,
                self.param(name, lambda key: drawn(cell, inits, iter(jax.random.split(key, 4)).__next__)),
            )

        return self._gather(model, read)

    @nn.nowrap
    def to_core(
        self, variables: Mapping[str, Any], spatial_shape: tuple[int, ...] = ()
    ) -> tuple[Stack, list[PyTree]]:
        """The model and the parameters with which `jaxgru.scan`, which is time-major, computes the same.

        The model is a `Stack`, also for one layer. `reverse` and `backend` stay arguments of `scan`.

        Args:
          variables: this layer's, as `init` gives them; out of a larger model's, {'params': its part}.
          spatial_shape: the inputs' grid, for a `ConvGRU`.

        Returns:
          A `Stack` of cells or of `jaxgru.Bidirectional`, and its parameters.

        Raises:
          ValueError: variables of another structure, or shape, than this layer's.

        Example:
          >>> import jaxgru
          >>> layer, xs = GRU(5), jnp.ones((2, 7, 3))
          >>> variables = layer.init(jax.random.key(0), xs)
          >>> model, params = layer.to_core(variables)
          >>> final, ys = jaxgru.scan(model, params, xs.swapaxes(0, 1))
          >>> bool((ys.swapaxes(0, 1) == layer.apply(variables, xs)).all())
          True
        """
        tree: Any = unfreeze(nn.meta.unbox(variables))
        try:
            cell = tree["params"]["cell"]
            # The kernels for the inputs are those that begin with i; each has a row for each of their units.
            kernel = cell["w_x"] if "w_x" in cell else next(cell[k]["kernel"] for k in cell if k[0] == "i")
            model = self._model(kernel.shape[-2], spatial_shape)
        except (AttributeError, IndexError, KeyError, StopIteration, TypeError) as error:
            raise ValueError(
                "variables must be this layer's, {'params': {'cell': …}}, got shapes "
                f"{jax.tree.map(jnp.shape, tree)}; out of a larger model's, give {{'params': this layer's part}}"
            ) from error
        own = jax.eval_shape(lambda: nn.meta.unbox(self.init(jax.random.key(0), model, method="weights")))
        checks.same_tree("variables['params']", tree["params"], own["params"])
        params: Any = self.apply({"params": tree["params"]}, model, method="weights")
        return model, params

    @nn.nowrap
    def _dropout_key(self) -> Array:
        return self.make_rng("dropout")


class GRU(LinenLayers):
    """GRU layers: stand where `nn.RNN(nn.GRUCell(features))` stood. For fields and calls see `LinenLayers`.

    Example:
      >>> layer, xs = GRU(5, num_layers=2, dropout=0.1), jnp.ones((2, 7, 3))
      >>> variables = layer.init(jax.random.key(0), xs)
      >>> layer.apply(variables, xs, deterministic=False, rngs={"dropout": jax.random.key(1)}).shape
      (2, 7, 5)
    """

    core = gru.GRU
    flax_cell = GRUCell


class LSTM(LinenLayers):
    """LSTM layers: stand where `nn.RNN` stood around `nn.LSTMCell(features)` or `nn.OptimizedLSTMCell(features)`.

    Example:
      >>> layer, xs = LSTM(5, return_carry=True), jnp.ones((2, 7, 3))
      >>> (c, h), ys = layer.apply(layer.init(jax.random.key(0), xs), xs)
      >>> bool((h == ys[:, -1]).all())
      True
    """

    core = lstm.LSTM
    flax_cell = LSTMCell


class RNN(layers.RNN, LinenLayers):
    """Plain recurrent layers: stand where `nn.RNN(nn.SimpleCell(features))` stood; see `jaxgru.nn.layers.RNN`."""

    flax_cell = SimpleCell


class SRU(layers.SRU, LinenLayers):
    """Layers of simple recurrent units, with the parameters of `jaxgru.SRU`; see `jaxgru.nn.layers.SRU`.

    Example:
      >>> layer = SRU(5, variant="2018")
      >>> jax.tree.map(jnp.shape, layer.init(jax.random.key(0), jnp.ones((2, 7, 3))))
      {'params': {'cell': {'b_x': (10,), 'v': (10,), 'w_x': (3, 20)}}}
    """


class MinGRU(LinenLayers):
    """Layers of minimal GRUs, with the parameters of `jaxgru.MinGRU`."""

    core = min_gru.MinGRU


class ConvGRU(layers.ConvGRU, LinenLayers):
    """Layers of convolutional GRUs, with the parameters of `jaxgru.ConvGRU`; see `jaxgru.nn.layers.ConvGRU`.

    Example:
      >>> layer, xs = ConvGRU(5), jnp.ones((2, 7, 8, 8, 3))
      >>> layer.apply(layer.init(jax.random.key(0), xs), xs).shape
      (2, 7, 8, 8, 5)
    """
