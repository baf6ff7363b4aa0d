"""Recurrent cells and layers as modules of nnx: Flax's own parameters, run by `jaxgru.scan`."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass
from functools import partial
from typing import Any, ClassVar

from flax import nnx
from flax.nnx.nn import dtypes
from jax import Array

from jaxgru import checks
from jaxgru.cells import gru, lstm, min_gru
from jaxgru.cells.base import Cell
from jaxgru.layers.stack import Stack
from jaxgru.nn import layers
from jaxgru.nn.common import BIAS, KERNEL, RECURRENT, Plain, Step, drawn, fused, named

PyTree = Any


class NnxCell(Step, nnx.Module):
    """What the cells of this module have in common: see `jaxgru.nn.common.Step`."""

    width = "hidden_features"

    # What linen calls the layers that Flax's cell is made of, gates as the core has them, and what nnx calls them.
    dense: ClassVar[Mapping[str, str]] = {"i": "dense_i", "h": "dense_h"}

    def __init__(self, in_features: int, hidden_features: int, **options: Any) -> None:
        checks.size("in_features", in_features)
        checks.size("hidden_features", hidden_features)
        super().__init__(in_features, hidden_features, **options)  # type: ignore[call-arg]
        self._check()
        self._only("promote_dtype", dtypes.promote_dtype)

    def weights(self, cell: Cell) -> Any:
        """The parameters as the core has them."""
        _fits(self, cell)
        dense = [(name, getattr(self, attribute)) for name, attribute in self.dense.items()]
        return fused(cell, {name: (one.kernel[...], one.bias and one.bias[...]) for name, one in dense})


class GRUCell(NnxCell, nnx.GRUCell):
    """One step of a GRU, with the arguments of `flax.nnx.GRUCell`: see `jaxgru.nn.common.Step`.

    Example:
      >>> import jax.numpy as jnp
      >>> cell = GRUCell(3, 5, rngs=nnx.Rngs(0))
      >>> carry, y = cell(jnp.zeros((2, 5)), jnp.ones((2, 3)))
      >>> y.shape
      (2, 5)
    """

    core = gru.GRU


class OptimizedLSTMCell(NnxCell, nnx.OptimizedLSTMCell):
    """One step of an LSTM, with the arguments of `flax.nnx.OptimizedLSTMCell`; its carry is (c, h)."""

    core = lstm.LSTM


class LSTMCell(NnxCell, nnx.LSTMCell):
    """One step of an LSTM, with the arguments of `flax.nnx.LSTMCell`; its carry is (c, h)."""

    core = lstm.LSTM
    dense: ClassVar[Mapping[str, str]] = {
        side + gate: "if_" if side + gate == "if" else side + gate for side in "ih" for gate in "ifgo"
    }


class SimpleCell(Plain, NnxCell, nnx.SimpleCell):
    """One step of a plain recurrent unit, with the arguments of `flax.nnx.SimpleCell`; activation_fn may be relu."""


@dataclass(eq=False, repr=False)
class NnxLayers(layers.Layers, nnx.Module):
    """What the layers of this module have in common, with all of `jaxgru.nn.layers.Layers`.

    Args:
      in_features: I, the width of the inputs.
      hidden_features: H, the width of each layer's state and, in each direction, of its outputs.
      kernel_init: draws each kernel for the inputs, as wide as they are: (I, …).
      recurrent_kernel_init: draws each kernel for the state, (H, …).
      bias_init: draws each vector.
      rngs: for the parameters and, with dropout, of its stream 'dropout' or the default one, for noise.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Differs from: `nnx.Dropout` drops until `eval()` is called; these layers do not until `train()` is.
    """

    in_features: int
    hidden_features: int
    _: KW_ONLY
    kernel_init: InitVar[Callable[..., Any]] = KERNEL
    recurrent_kernel_init: InitVar[Callable[..., Any]] = RECURRENT
    bias_init: InitVar[Callable[..., Any]] = BIAS
    rngs: InitVar[nnx.Rngs]

    width = "hidden_features"

    def __post_init__(self, kernel_init: Any, recurrent_kernel_init: Any, bias_init: Any, rngs: Any) -> None:
        """Draw the parameters."""
        checks.size("in_features", self.in_features)
        self._check()
        if not isinstance(rngs, nnx.Rngs):
            raise TypeError(f"rngs must be an nnx.Rngs such as nnx.Rngs(0), got {rngs!r}")
        inits = {
            "kernel_init": kernel_init,
            "recurrent_kernel_init": recurrent_kernel_init,
            "bias_init": bias_init,
        }
        model = self._model(self.in_features, (1,) * self._grid_axes())
        self._gather(model, lambda name, cell: setattr(self, name, self._hold(cell, inits, rngs)))
        # nnx.RNN has a stream of this name: with one here all of its state fits, not the parameters alone.
        self.noisy = self.dropout > 0 and self.num_layers > 1
        self.rngs = rngs.dropout.fork() if self.noisy else nnx.RngStream(0, tag="dropout")  # type: ignore[attr-defined]

    def weights(self, model: Stack) -> list[PyTree]:
        """The parameters as the core has them."""
        _fits(self, model)

        def read(name: str, cell: Cell) -> Any:
            held = getattr(self, name)
            if isinstance(held, NnxCell):
                return held.weights(cell)
            return named(cell, {name: value[...] for name, value in held.items()})

        return self._gather(model, read)

    def to_core(self, spatial_shape: tuple[int, ...] = ()) -> tuple[Stack, list[PyTree]]:
        """The model and the parameters with which `jaxgru.scan`, which is time-major, computes the same.

        The model is a `Stack`, also for one layer. `reverse` and `backend` stay arguments of `scan`.

        Args:
          spatial_shape: the inputs' grid, for a `ConvGRU`.

        Example:
          >>> import jax.numpy as jnp, jaxgru
          >>> layer, xs = GRU(3, 5, rngs=nnx.Rngs(0)), jnp.ones((2, 7, 3))
          >>> model, params = layer.to_core()
          >>> final, ys = jaxgru.scan(model, params, xs.swapaxes(0, 1))
          >>> bool((ys.swapaxes(0, 1) == layer(xs)).all())
          True
        """
        model = self._model(self.in_features, spatial_shape)
        return model, self.weights(model)

    def set_view(self, deterministic: bool | None = None) -> None:
        """What `nnx.view` calls; None leaves `deterministic` as it is."""
        self.deterministic = self._option("deterministic", deterministic)

    def _hold(self, cell: Cell, inits: Mapping[str, Any], rngs: nnx.Rngs) -> Any:
        """A module with one cell's parameters."""
        make = self._flax_cell()
        if make is None:
            return nnx.Dict(
                {name: nnx.Param(value) for name, value in drawn(cell, inits, rngs.params).items()}
            )
        return make(cell.input_size, cell.hidden_size, param_dtype=self.param_dtype, rngs=rngs, **inits)

    def _flax_cell(self) -> Callable[..., NnxCell] | None:
        """What makes a module with Flax's parameters, where Flax has the cell."""
        return None

    def _dropout_key(self) -> Array:
        if not self.noisy:
            raise ValueError(
                f"dropout must be given when the layers are built, for their noise: it became {self.dropout}"
            )
        return self.rngs()  # type: ignore[attr-defined]


def _fits(module: Any, model: Any) -> None:
    if model.input_size != module.in_features:
        raise ValueError(
            f"inputs must be as wide as in_features={module.in_features}, got {model.input_size}"
        )


@dataclass(eq=False, repr=False)
class GRU(NnxLayers):
    """GRU layers: stand where `nnx.RNN(nnx.GRUCell(…))` stood. For arguments and calls see `NnxLayers`.

    Example:
      >>> import jax.numpy as jnp
      >>> layer = GRU(3, 5, num_layers=2, dropout=0.1, rngs=nnx.Rngs(0))
      >>> layer.train()
      >>> layer(jnp.ones((2, 7, 3))).shape
      (2, 7, 5)
    """

    core = gru.GRU

    def _flax_cell(self) -> Callable[..., NnxCell]:
        return GRUCell


@dataclass(eq=False, repr=False)
class LSTM(NnxLayers):
    """LSTM layers: stand where `nnx.RNN` stood around `nnx.LSTMCell(…)` or `nnx.OptimizedLSTMCell(…)`.

    Args:
      optimized: whether the parameters are those of `nnx.OptimizedLSTMCell`, two kernels instead of eight.

    Example:
      >>> LSTM(3, 5, optimized=True, rngs=nnx.Rngs(0)).cell.dense_i.kernel.shape
      (3, 20)
    """

    _: KW_ONLY
    optimized: bool = False

    core = lstm.LSTM

    def _flax_cell(self) -> Callable[..., NnxCell]:
        checks.flag("optimized", self.optimized)
        return OptimizedLSTMCell if self.optimized else LSTMCell


@dataclass(eq=False, repr=False)
class RNN(layers.RNN, NnxLayers):
    """Plain recurrent layers: stand where `nnx.RNN(nnx.SimpleCell(…))` stood; see `jaxgru.nn.layers.RNN`."""

    def _flax_cell(self) -> Callable[..., NnxCell]:
        return partial(SimpleCell, activation_fn=self.activation_fn, dtype=self.dtype)


@dataclass(eq=False, repr=False)
class SRU(layers.SRU, NnxLayers):
    """Layers of simple recurrent units, with the parameters of `jaxgru.SRU`; see `jaxgru.nn.layers.SRU`.

    Example:
      >>> SRU(3, 5, variant="2018", rngs=nnx.Rngs(0)).cell.v.shape
      (10,)
    """


@dataclass(eq=False, repr=False)
class MinGRU(NnxLayers):
    """Layers of minimal GRUs, with the parameters of `jaxgru.MinGRU`."""

    core = min_gru.MinGRU


@dataclass(eq=False, repr=False)
class ConvGRU(layers.ConvGRU, NnxLayers):
    """Layers of convolutional GRUs, with the parameters of `jaxgru.ConvGRU`; see `jaxgru.nn.layers.ConvGRU`.

    Example:
      >>> import jax.numpy as jnp
      >>> ConvGRU(3, 5, kernel_size=(3,), rngs=nnx.Rngs(0))(jnp.ones((2, 7, 8, 3))).shape
      (2, 7, 8, 5)
    """
