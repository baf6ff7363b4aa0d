"""GRU layers as a Flax module: Flax's own parameters, run by `jaxgru.scan`."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import unfreeze
from flax.linen.recurrent import flip_sequences
from jax import Array

from jaxgru import checks
from jaxgru.cells import gru as core
from jaxgru.layers.bidirectional import Bidirectional, Both
from jaxgru.layers.stack import Stack
from jaxgru.nn.linen_cell import GRUCell, fused, input_size, shapes
from jaxgru.recurrence.scan import scan
from jaxgru.recurrence.select import AUTO, Backend

__all__ = ["GRU", "GRUCell"]

PyTree = Any


class GRU(nn.Module):
    """GRU layers over whole sequences: stands where `nn.RNN(nn.GRUCell(features))` stood.

    The parameters are Flax's own: {'cell': {'ir': …}} for the first layer, 'cell_1', 'cell_2', … for those
    above it, and each name with '_reverse' for its backward direction. So one layer takes the variables of
    `nn.RNN(nn.GRUCell(features))` as they are, and gives the same numbers.

    The carry is an array (*B, H) for one layer and a tuple of such for several; in a bidirectional layer, a
    pair (forward, backward) stands for the array.

    Args:
      features: H, the width of each layer's state and, in each direction, of its outputs.
      num_layers: how many layers stand above one another.
      bidirectional: whether each layer runs in both directions, with their outputs side by side.
      dropout: the rate at which outputs of every layer but the last are zeroed unless `deterministic`.
      deterministic: whether there is no dropout; else it draws from the rng 'dropout'.
      time_major: whether sequences are (T, *B, …) instead of (*B, T, …).
      reverse: whether each row's valid part is processed from its end to its start.
      keep_order: whether `reverse` returns outputs in the order of the inputs, instead of as processed.
      return_carry: whether to return (carry, outputs) instead of the outputs alone.
      kernel_init: draws each kernel (I, H).
      recurrent_kernel_init: draws each kernel (H, H).
      bias_init: draws each bias (H,).
      dtype: of the matmuls and outputs; None means what inputs and parameters promote to. In half precision
        gates and carry are float32.
      param_dtype: of the parameters.
      backend: how the recurrence is computed, e.g. `jaxgru.Chunked(32)`.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> layer = GRU(5, num_layers=2, dropout=0.1)
      >>> xs = jnp.ones((2, 7, 3))
      >>> variables = layer.init(jax.random.key(0), xs)
      >>> layer.apply(variables, xs, deterministic=False, rngs={"dropout": jax.random.key(1)}).shape
      (2, 7, 5)

    Cost: that of `jaxgru.scan` over the same layers.

    Differs from: `nn.RNN` calls `lengths` seq_lengths and leaves what it computed in the padding, where these
      outputs are zero; its carry has the dtype of the parameters, and in half precision its outputs too.
      `nn.Bidirectional` ignores `reverse`; here it flips the sequence for both directions.
    """

    features: int
    _: KW_ONLY
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    deterministic: bool = True
    time_major: bool = False
    reverse: bool = False
    keep_order: bool = False
    return_carry: bool = False
    kernel_init: Callable[..., Any] = nn.initializers.lecun_normal()
    recurrent_kernel_init: Callable[..., Any] = nn.initializers.orthogonal()
    bias_init: Callable[..., Any] = nn.initializers.zeros_init()
    dtype: Any = None
    param_dtype: Any = jnp.float32
    backend: Backend = AUTO

    def __post_init__(self) -> None:
        """Refuse wrong arguments before there are inputs."""
        checks.size("features", self.features)
        checks.size("num_layers", self.num_layers)
        checks.flag("bidirectional", self.bidirectional)
        checks.rate("dropout", self.dropout)
        super().__post_init__()

    @nn.compact
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
          inputs: (*B, T, I), or (T, *B, I) if time_major; any number of batch axes, none included.
          initial_carry: the carry before the first step, formed like the one that is returned; None: zeros.
          lengths: (*B,) int in [0, T]. Steps past a row's length leave its carry alone, their outputs are
            zero, and whatever stands there, NaN included, touches nothing.
          resets: (*B, T) bool, or (T, *B) if time_major. Where True, the carry is zero before the step acts.
          deterministic: overrides the field of this name, if given.
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
        xs, resets = _time_first(inputs, lengths, resets, time_major=time_major)
        model = self._model(xs.shape[-1])
        params = self._gather(model, lambda name, width: self._cell(name).weights(width))
        h0 = None if initial_carry is None else self._initial_state(model, params, xs, initial_carry)
        noisy = not deterministic and self.dropout > 0 and self.num_layers > 1
        key = self.make_rng("dropout") if noisy else None
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
        )[:2]
        if reverse and not keep_order:
            ys = _as_processed(ys, lengths)
        ys = ys if time_major else jnp.moveaxis(ys, 0, -2)
        carry = final[0] if self.num_layers == 1 else final
        return (carry, ys) if return_carry else ys

    @nn.nowrap
    def to_core(self, variables: Mapping[str, Any]) -> tuple[Stack, list[PyTree]]:
        """The model and the parameters with which `jaxgru.scan`, which is time-major, computes the same.

        The model is a `Stack`, also for one layer. `reverse` and `backend` stay arguments of `scan`.

        Args:
          variables: this layer's, as `init` gives them; out of a larger model's, {'params': its part}.

        Returns:
          A `Stack` of `jaxgru.GRU` or of `jaxgru.Bidirectional`, and its parameters.

        Raises:
          ValueError: variables of another structure, or shape, than this layer's.

        Example:
          >>> layer, xs = GRU(5), jnp.ones((2, 7, 3))
          >>> variables = layer.init(jax.random.key(0), xs)
          >>> model, params = layer.to_core(variables)
          >>> final, ys = scan(model, params, xs.swapaxes(0, 1))
          >>> bool((ys.swapaxes(0, 1) == layer.apply(variables, xs)).all())
          True
        """
        tree: Any = unfreeze(nn.meta.unbox(variables))
        cells = tree.get("params") if isinstance(tree, Mapping) else None
        names = sorted(name for layer in self._names() for name in layer)
        if not isinstance(cells, Mapping) or sorted(cells) != names:
            got = (
                sorted(cells) if isinstance(cells, Mapping) else f"a {type(variables).__name__} without them"
            )
            raise ValueError(
                f"variables must hold under 'params' this layer's cells {names}, got {got}; "
                "out of a larger model's, give {'params': this layer's part}"
            )

        def read(name: str, width: int) -> core.GRUParams:
            checks.same_tree(f"variables['params'][{name!r}]", cells[name], shapes(width, self.features))
            return fused(cells[name])

        model = self._model(input_size("variables['params']['cell']", cells["cell"]))
        return model, self._gather(model, read)

    @nn.nowrap
    def _option(self, name: str, given: bool | None) -> bool:
        """What the call says, or else the field."""
        value = getattr(self, name) if given is None else given
        checks.flag(name, value)
        return bool(value)

    @nn.nowrap
    def _names(self) -> list[list[str]]:
        """The names of each layer's cells, one for each direction."""
        stems = ["cell", *(f"cell_{i}" for i in range(1, self.num_layers))]
        ends = ["", "_reverse"] if self.bidirectional else [""]
        return [[stem + end for end in ends] for stem in stems]

    @nn.nowrap
    def _cell(self, name: str) -> GRUCell:
        return GRUCell(
            self.features,
            kernel_init=self.kernel_init,
            recurrent_kernel_init=self.recurrent_kernel_init,
            bias_init=self.bias_init,
            param_dtype=self.param_dtype,
            name=name,
        )

    @nn.nowrap
    def _core(self, input_size: int) -> core.GRU:
        return core.GRU(input_size, self.features, dtype=self.dtype, param_dtype=self.param_dtype)

    @nn.nowrap
    def _model(self, input_size: int) -> Stack:
        layers: list[core.GRU | Bidirectional] = []
        for _ in range(self.num_layers):
            cell = self._core(layers[-1].output_size if layers else input_size)
            layers.append(Bidirectional(cell) if self.bidirectional else cell)
        return Stack(layers, self.dropout)

    @nn.nowrap
    def _gather(self, model: Stack, read: Callable[[str, int], core.GRUParams]) -> list[PyTree]:
        """The model's parameters; `read` gives one cell's, from its name and the width of its inputs."""
        params: list[PyTree] = []
        for names, layer in zip(self._names(), model.layers, strict=True):
            each = [read(name, layer.input_size) for name in names]
            params.append(Both(*each) if self.bidirectional else each[0])
        return params

    @nn.nowrap
    def _initial_state(self, model: Stack, params: PyTree, xs: Array, carry: PyTree) -> PyTree:
        """The model's state from an initial carry, in which a pair may be a plain tuple."""

        def plain(tree: PyTree) -> PyTree:
            return jax.tree.map(
                lambda node: tuple(node) if isinstance(node, Both) else node,
                tree,
                is_leaf=lambda node: isinstance(node, Both),
            )

        like = model.initial_state(xs.shape[1:-1])
        expected = like[0] if self.num_layers == 1 else like
        checks.same_tree("initial_carry", plain(carry), plain(expected), " for this layer and these inputs")
        cell = self._core(xs.shape[-1])
        carry = cell.cast_state(carry, cell.compute_dtype(params, xs), "initial_carry")
        return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(carry))


def _time_first(
    inputs: Array, lengths: Array | None, resets: Array | None, *, time_major: bool
) -> tuple[Array, Array | None]:
    """Inputs and resets as `scan` wants them, and errors that name axes as the caller sees them."""
    inputs = checks.floating("inputs", inputs)
    if inputs.ndim < 2:
        axes = "(T, *B, I)" if time_major else "(*B, T, I)"
        raise ValueError(f"inputs must have shape {axes}, got {checks.axes(inputs.shape)}")
    xs = inputs if time_major else jnp.moveaxis(inputs, -2, 0)
    if lengths is not None:
        lengths = checks.array("lengths", lengths)
        checks.shape("lengths", lengths, xs.shape[1:-1], " like the batch axes of inputs")
    if resets is not None:
        resets = checks.array("resets", resets)
        checks.shape("resets", resets, inputs.shape[:-1], " like the leading axes of inputs")
        resets = resets if time_major else jnp.moveaxis(resets, -1, 0)
    return xs, resets


def _as_processed(ys: Array, lengths: Array | None) -> Array:
    """Outputs that stand in the order of the inputs, in the order in which reversed time went."""
    if lengths is not None:
        lengths = jnp.clip(jnp.asarray(lengths).astype(jnp.int32), 0, len(ys))
    return flip_sequences(ys, lengths, num_batch_dims=ys.ndim - 2, time_major=True)
