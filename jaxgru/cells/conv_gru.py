"""The convolutional GRU, for sequences of images or of signals along a line."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxgru import checks
from jaxgru.cells.dense import Masked, accumulator, blocks, dense, dot, unmasked
from jaxgru.cells.gated import GatedUnit

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.cells.gated import Projected
    from jaxgru.cells.initializers import Initializer


class ConvGRUParams(NamedTuple):
    """The parameters of a `ConvGRU`, K the shape of its kernel; the last axis holds the blocks r | z | n.

    Attributes:
      w_x: (*K, I, 3H), from the input.
      w_h: (*K, H, 3H), from the state.
      b_x: (3H,), beside w_x; None in a cell without bias.
      b_h: (3H,), beside w_h; None in a cell without bias.

    Example:
      >>> import jax, jaxgru
      >>> params = jaxgru.ConvGRU(2, 5, spatial_shape=(8, 8)).init(jax.random.key(0))
      >>> params.w_x.shape, params.w_h.shape
      ((3, 3, 2, 15), (3, 3, 5, 15))
    """

    w_x: Array
    w_h: Array
    b_x: Array | None = None
    b_h: Array | None = None


@dataclass(frozen=True, init=False, repr=False)
class ConvGRU(GatedUnit):
    """A gated recurrent unit at each place of a grid, which sees the states around it.

        r = σ(x ∗ W_xr + b_xr + h ∗ W_r + b_r)        z = σ(x ∗ W_xz + b_xz + h ∗ W_z + b_z)
        n = tanh(x ∗ W_xn + b_xn + r ⊙ (h ∗ W_n + b_n))                    reset="after"
        n = tanh(x ∗ W_xn + b_xn + (r ⊙ h) ∗ W_n + b_n)                    reset="before"
        h' = (1 − z) ⊙ n + z ⊙ h                                           update="keeps"
        h' = (1 − z) ⊙ h + z ⊙ n                                           update="writes"

    ∗ is a convolution whose output has the grid of its input ("same" padding, with zeros). A sequence is
    (T, *B, *spatial_shape, I), and the state (*B, *spatial_shape, H).

    Args:
      input_size: I, the channels of one input.
      hidden_size: H, the channels of the state and of one output.
      spatial_shape: the grid, of one or two axes.
      kernel_size: K, odd or even, for each axis; an int is the same for all.
      dilation: how far apart a kernel's points stand, for each axis; an int is the same for all.
      reset: whether the reset gate acts "after" the recurrent convolution or "before" it.
      update: whether an open update gate "keeps" the old state or "writes" the new one.
      bias: whether there are b_x and b_h.
      dtype: of the convolutions and outputs; None means what inputs and parameters promote to. In half precision
        gates and state are float32.
      param_dtype: of the parameters that `init` draws.
      init: "uniform", "glorot_orthogonal", or a frozen initializer value such as `Chrono(100)`.

    Raises:
      TypeError, ValueError: an argument of another type, or outside its choices.

    Example:
      >>> import jax, jaxgru
      >>> cell = jaxgru.ConvGRU(2, 5, spatial_shape=(8, 8))
      >>> final, ys = jaxgru.scan(cell, cell.init(jax.random.key(0)), jnp.ones((7, 8, 8, 2)))
      >>> ys.shape
      (7, 8, 8, 5)

    Cost: that of a `GRU` of K·I inputs and K·H units, for each place of the grid. Its derivative keeps what the
      kernels see, K times inputs and states: `Chunked` keeps it for one chunk at a time.

    References: Ballas et al. 2016 (arXiv:1511.06432), whose units are reset="before", update="writes".

    Differs from: Flax's ConvLSTMCell, which is an LSTM.
    """

    kernel_size: int | tuple[int, ...]
    dilation: int | tuple[int, ...]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        spatial_shape: tuple[int, ...],
        kernel_size: int | tuple[int, ...] = 3,
        dilation: int | tuple[int, ...] = 1,
        reset: Literal["after", "before"] = "after",
        update: Literal["keeps", "writes"] = "keeps",
        bias: bool = True,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        init: str | Initializer = "uniform",
    ) -> None:
        axes = len(checks.sizes("spatial_shape", spatial_shape))
        if axes not in {1, 2}:
            raise ValueError(f"spatial_shape must have one or two axes, got {checks.axes(spatial_shape)}")
        self._set(
            kernel_size=_sizes("kernel_size", kernel_size, axes),
            dilation=_sizes("dilation", dilation, axes),
        )
        self._choose(reset, update, bias)
        super().__init__(
            input_size,
            hidden_size,
            dtype=dtype,
            param_dtype=param_dtype,
            init=init,
            spatial_shape=spatial_shape,
        )

    def init(self, key: Array) -> ConvGRUParams:
        """Draws the parameters.

        Args:
          key: a PRNG key.
        """
        kernel, hidden = self._each_axis(self.kernel_size), self.hidden_size
        w_x = ("input", (*kernel, self.input_size, 3 * hidden), 3)
        w_h = ("recurrent", (*kernel, hidden, 3 * hidden), 3)
        fan_in = hidden * math.prod(kernel)
        return ConvGRUParams(*self.draw(key, w_x, w_h, *self._biases(), fan_in=fan_in))

    def project(self, params: ConvGRUParams, xs: Array) -> Projected:
        """(a_r, a_z, a_n), each (…, *spatial_shape, H)."""
        return self.add_biases(params, blocks(3, self.product_over_time(xs, params.w_x)))

    def product(self, x: Array, w: Array | Masked) -> Array:
        """x ∗ W, whatever the leading axes are."""
        x, w = unmasked(x, w)
        lead = x.shape[: x.ndim - 1 - len(self.spatial_shape)]
        letters = "HW"[: len(self.spatial_shape)]
        y = lax.conv_general_dilated(
            x.astype(w.dtype).reshape(math.prod(lead), *x.shape[len(lead) :]),
            w,
            window_strides=(1,) * len(letters),
            padding="SAME",
            rhs_dilation=self._each_axis(self.dilation),
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
            preferred_element_type=accumulator(w.dtype),
        )
        return y.reshape(*lead, *y.shape[1:])

    def product_over_time(self, x: Array, w: Array) -> Array:
        """x ∗ W as one matmul of all that the kernel sees at each place.

        XLA's CPU backend is slow at a convolution's derivatives, and merges the axes of time and batch, which
        its partitioner could not share out.
        """
        return dense(self._patches(x), w.reshape(-1, w.shape[-1]))

    def product_of_change(self, x: Array, w: Array | Masked) -> Array:
        """Likewise, in the loop of the derivative."""
        x, w = unmasked(x, w)
        return dot(self._patches(x), w.reshape(-1, w.shape[-1]))

    def _patches(self, x: Array) -> Array:
        """What the kernel sees at each place, (…, *spatial_shape, K·channels)."""
        kernel, dilation = self._each_axis(self.kernel_size), self._each_axis(self.dilation)
        lead = x.ndim - 1 - len(kernel)
        spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        padding = [(0, 0)] * lead + [(span // 2, span - span // 2) for span in spans] + [(0, 0)]
        wide = jnp.pad(x, padding)
        views = []
        for point in itertools.product(*map(range, kernel)):
            starts = [p * d for p, d in zip(point, dilation, strict=True)]
            cut = tuple(slice(s, s + n) for s, n in zip(starts, self.spatial_shape, strict=True))
            views.append(wide[(..., *cut, slice(None))])
        return jnp.concatenate(views, -1)

    def _each_axis(self, value: int | tuple[int, ...]) -> tuple[int, ...]:
        return value if isinstance(value, tuple) else (value,) * len(self.spatial_shape)


def _sizes(name: str, value: Any, axes: int) -> int | tuple[int, ...]:
    """A size for each spatial axis, or one for all: the same choice is the same value."""
    if not isinstance(value, tuple):
        return checks.size(f"{name}, if it is no tuple,", value)
    if len(value) != axes:
        raise ValueError(f"{name} must have {axes} sizes, as spatial_shape has axes, got {value}")
    sizes = checks.sizes(name, value)
    return sizes[0] if len(set(sizes)) == 1 else sizes
