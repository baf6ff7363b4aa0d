"""Layers over whole sequences, as linen and nnx have them alike: options, axes and what `jaxgru.scan` runs."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 a dataclass reads its annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from flax.linen.recurrent import flip_sequences

from jaxgru import checks
from jaxgru.cells import conv_gru, sru
from jaxgru.layers.bidirectional import Bidirectional, Both
from jaxgru.layers.stack import Stack
from jaxgru.nn.common import Plain, Recurrent, inward, outward
from jaxgru.recurrence.backend import Backend  # noqa: TC001 a dataclass reads its annotations
from jaxgru.recurrence.scan import scan
from jaxgru.recurrence.select import AUTO

if TYPE_CHECKING:
    from jax import Array

PyTree = Any


@dataclass(kw_only=True, eq=False, repr=False)
class Layers(Recurrent):
    """Recurrent layers above one another, whichever library holds their parameters.

    The first layer's parameters stand under 'cell', those of further ones under 'cell_1', 'cell_2', …, and each
    name with '_reverse' is for the layer's backward direction. Where Flax has the cell they are as Flax has them,
    so that one layer takes those of Flax's RNN around it as they are, and gives the same numbers; else they are
    the core's own: w_x, b_x, ….

    The carry is an array (*B, H) for one layer, an LSTM's the pair (c, h) and an SRU's the pair (h, c), and a
    tuple of such for several; in a bidirectional layer, a pair (forward, backward) stands for it.

    Args:
      num_layers: how many layers stand above one another.
      bidirectional: whether each layer runs in both directions, with their outputs side by side.
      dropout: the rate at which outputs of every layer but the last are zeroed unless `deterministic`.
      deterministic: whether there is no dropout; else it draws from the rng 'dropout'.
      time_major: whether sequences are (T, *B, …) instead of (*B, T, …).
      reverse: whether each row's valid part is processed from its end to its start.
      keep_order: whether `reverse` returns outputs in the order of the inputs, instead of as processed.
      return_carry: whether to return (carry, outputs) instead of the outputs alone.
      dtype: of the matmuls and outputs; None means what inputs and parameters promote to. In half precision
        gates and carry are float32.
      param_dtype: of the parameters.
      backend: how the recurrence is computed, e.g. `jaxgru.Chunked(32)`.

    Cost: that of `jaxgru.scan` over the same layers.

    Differs from: Flax's RNN calls `lengths` seq_lengths and leaves what it computed in the padding, where these
      outputs are zero; its carry has the dtype of the parameters, and in half precision its outputs too.
      Flax's Bidirectional ignores `reverse`; here it flips the sequence for both directions.
    """

    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    deterministic: bool = True
    time_major: bool = False
    reverse: bool = False
    keep_order: bool = False
    return_carry: bool = False
    dtype: Any = None
    param_dtype: Any = jnp.float32
    backend: Backend = AUTO

    def __call__(
        self,
        inputs: Array,
        initial_carry: PyTree = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        deterministic: bool | None = None,
        time_major: bool | None = None,
        reverse: bool | None = None,
        keep_order: bool | None = None,
        return_carry: bool | None = None,
    ) -> Any:
        """Runs the layers over sequences.

        Args:
          inputs: (*B, T, I), or (T, *B, I) if time_major; any number of batch axes, none included. A `ConvGRU`'s
            have their grid before I.
          initial_carry: the carry before the first step, formed like the one that is returned; None: zeros.
          lengths: (*B,) int in [0, T]. Steps past a row's length leave its carry alone, their outputs are
            zero, and whatever stands there, NaN included, touches nothing.
          resets: (*B, T) bool, or (T, *B) if time_major. Where True, the carry is zero before the step acts.
          deterministic: overrides the layers' own, if given.
          time_major: likewise.
          reverse: likewise.
          keep_order: likewise.
          return_carry: likewise.

        Returns:
          outputs (*B, T, H), or (T, *B, H) if time_major; 2 H wide if bidirectional. With return_carry,
          (carry, outputs), where the carry is the one after each row's last processed step.

        Raises:
          TypeError, ValueError: an argument of another type, dtype or shape.
        """
        deterministic = self._option("deterministic", deterministic)
        time_major = self._option("time_major", time_major)
        reverse = self._option("reverse", reverse)
        keep_order = self._option("keep_order", keep_order)
        return_carry = self._option("return_carry", return_carry)
        grid = self._grid_axes()
        xs, resets = _time_first(inputs, lengths, resets, grid, time_major=time_major)
        model = self._model(xs.shape[-1], xs.shape[xs.ndim - 1 - grid : -1])
        params = self.weights(model)
        h0 = None if initial_carry is None else self._initial_state(model, params, xs, initial_carry)
        noisy = not deterministic and self.dropout > 0 and self.num_layers > 1
        key = self._dropout_key() if noisy else None
        final, ys = scan(
            model,
            params,
            xs,
            h0,
            lengths=lengths,
            resets=resets,
            reverse=reverse,
            key=key,
            backend=self.backend,
        )
        if reverse and not keep_order:
            ys = _as_processed(ys, lengths, grid)
        ys = ys if time_major else jnp.moveaxis(ys, 0, -2 - grid)
        carry = outward(final[0] if self.num_layers == 1 else final)
        return (carry, ys) if return_carry else ys

    def _dropout_key(self) -> Array:
        """A key for the dropout of one call."""
        raise NotImplementedError

    def _grid_axes(self) -> int:
        """How many axes of the inputs stand between those of batch and time and I."""
        return 0

    def _check(self) -> None:
        super()._check()
        checks.size("num_layers", self.num_layers)
        checks.flag("bidirectional", self.bidirectional)
        checks.rate("dropout", self.dropout)

    def _model(self, input_size: int, spatial_shape: tuple[int, ...]) -> Stack:
        """What `jaxgru.scan` runs, for inputs of this width and grid."""
        grid = {"spatial_shape": spatial_shape} if self._grid_axes() else {}
        layers: list[Any] = []
        for _ in range(self.num_layers):
            width = layers[-1].output_size if layers else input_size
            cell = self._cell(width, param_dtype=self.param_dtype, **grid)
            layers.append(Bidirectional(cell) if self.bidirectional else cell)
        return Stack(layers, self.dropout)

    def _gather(self, model: Stack, read: Callable[[str, Any], PyTree]) -> list[PyTree]:
        """The model's parameters; `read` gives one cell's, from its name and the core's cell."""
        params: list[PyTree] = []
        for i, layer in enumerate(model.layers):
            name = f"cell_{i}" if i else "cell"
            if isinstance(layer, Bidirectional):
                params.append(Both(read(name, layer.forward), read(name + "_reverse", layer.forward)))
            else:
                params.append(read(name, layer))
        return params

    def _option(self, name: str, given: bool | None) -> bool:
        """What the call says, or else the layers."""
        value = getattr(self, name) if given is None else given
        checks.flag(name, value)
        return bool(value)

    def _initial_state(self, model: Stack, params: PyTree, xs: Array, carry: PyTree) -> PyTree:
        like = model.initial_state(xs.shape[1 : xs.ndim - 1 - self._grid_axes()])
        expected = like[0] if self.num_layers == 1 else like
        state = inward("initial_carry", carry, expected, " for this layer and these inputs")
        layer: Any = model.layers[0]
        cell = layer.forward if self.bidirectional else layer
        state = cell.cast_state(state, cell.compute_dtype(params, xs), "initial_carry")
        return (state,) if self.num_layers == 1 else state


def _time_first(
    inputs: Array, lengths: Array | None, resets: Array | None, grid: int, *, time_major: bool
) -> tuple[Array, Array | None]:
    """Inputs and resets as `scan` wants them, and errors that name axes as the caller sees them."""
    inputs = checks.floating("inputs", inputs)
    end = inputs.ndim - 1 - grid
    if end < 1:
        axes = (*(("T", "*B") if time_major else ("*B", "T")), *("S1", "S2")[:grid], "I")
        raise ValueError(f"inputs must have shape {checks.axes(axes)}, got {checks.axes(inputs.shape)}")
    xs = inputs if time_major else jnp.moveaxis(inputs, end - 1, 0)
    if lengths is not None:
        lengths = checks.array("lengths", lengths)
        checks.shape("lengths", lengths, xs.shape[1:end], " like the batch axes of inputs")
    if resets is not None:
        resets = checks.array("resets", resets)
        checks.shape("resets", resets, inputs.shape[:end], " like the leading axes of inputs")
        resets = resets if time_major else jnp.moveaxis(resets, -1, 0)
    return xs, resets


def _as_processed(ys: Array, lengths: Array | None, grid: int) -> Array:
    """Outputs that stand in the order of the inputs, in the order in which reversed time went."""
    if lengths is not None:
        lengths = jnp.clip(jnp.asarray(lengths).astype(jnp.int32), 0, len(ys))
    return flip_sequences(ys, lengths, num_batch_dims=ys.ndim - 2 - grid, time_major=True)


@dataclass(kw_only=True, eq=False, repr=False)
class RNN(Plain, Layers):
    """Plain recurrent layers.

    Args:
      activation_fn: Flax's tanh or relu.
    """

    activation_fn: Callable[..., Any] = jnp.tanh


@dataclass(kw_only=True, eq=False, repr=False)
class SRU(Layers):
    """Layers of simple recurrent units.

    Args:
      variant: "2017" or "2018", as in `jaxgru.SRU`.
    """

    core = sru.SRU
    choices = ("variant",)
    variant: str = "2017"


@dataclass(kw_only=True, eq=False, repr=False)
class ConvGRU(Layers):
    """Layers of convolutional GRUs, over sequences (*B, T, *S, I) of signals or images on a grid S.

    Args:
      kernel_size: one number for each axis of the grid, of which there are one or two.
      dilation: how far apart a kernel's points stand, as in `jaxgru.ConvGRU`.
      reset: "after" or "before", likewise.
      update: "keeps" or "writes", likewise.
    """

    core = conv_gru.ConvGRU
    choices = ("kernel_size", "dilation", "reset", "update")
    kernel_size: tuple[int, ...] = (3, 3)
    dilation: int | tuple[int, ...] = 1
    reset: str = "after"
    update: str = "keeps"

    def _grid_axes(self) -> int:
        return len(checks.sizes("kernel_size", self.kernel_size))
