"""The door: a model over a sequence, with everything a sequence can ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks
from jaxgru.recurrence.context import Context
from jaxgru.recurrence.marks import along, valid_steps
from jaxgru.recurrence.select import AUTO

if TYPE_CHECKING:
    from jaxgru.recurrence.backend import Backend

PyTree = Any


class Model(Protocol):
    """What `scan` asks of a cell or a composition: a frozen value with these."""

    @property
    def input_size(self) -> int:
        """The width of one input."""
        ...

    @property
    def output_size(self) -> int:
        """The width of one output."""
        ...

    def init(self, key: Array) -> PyTree:
        """Draws the parameters."""
        ...

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: PyTree = None) -> PyTree:
        """The state before the first step."""
        ...

    def step(self, params: PyTree, state: PyTree, x: Array, key: Array | None = None) -> tuple[PyTree, Array]:
        """One input in, one output out."""
        ...


def scan(
    model: Model,
    params: PyTree,
    xs: Array,
    h0: PyTree = None,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    key: Array | None = None,
    backend: Backend = AUTO,
    truncate: int | None = None,
    states: bool = False,
) -> tuple[Any, ...]:
    """Runs a model over a sequence: h_t, y_t = step(h_{t−1}, x_t) for t = 0 … T−1.

    Time is the first axis, any number of batch axes follow, and every keyword composes with every other, with
    every layer and with every transformation of JAX. Called eagerly it compiles once for each model value,
    shapes and backend.

    Args:
      model: a cell such as `GRU`, or a composition such as `Stack`.
      params: its parameters, as `model.init` draws them.
      xs: (T, *B, I), floating; (T, *B, *spatial_shape, I) for a convolutional model.
      h0: the state before the first step, as `model.initial_state(B)` is built; None means just that.
      lengths: (*B,) int in [0, T]. Steps at and past a row's length leave its state alone, their ys are zero,
        and whatever stands in xs there, NaN included, touches neither values nor gradients. Traced lengths
        cannot be checked; they act as if clipped.
      resets: (T, *B) bool. Where True, the state returns to the model's initial state (not to h0) before the
        step acts. Ignored in the padding.
      reverse: run from the last step to the first. Outputs stay aligned with inputs, padding at the end.
      key: a PRNG key for the model's noise; None means evaluation. A model without randomness ignores it.
      backend: how the recurrence is computed, e.g. `Sequential(save="states")` or `Chunked(45)`.
      truncate: no gradient passes from a step to the one before it every `truncate` steps, counted as they are
        processed: what carrying the state by hand from window to window gives.
      states: also return the state after each step.

    Returns:
      final: the state after each row's last real step (h0 at length 0), structured like h0.
      ys: (T, *B, output_size), with spatial axes like xs.
      states: only with states=True; leaves (T, *B, …). Padding repeats the state it leaves alone.

    Raises:
      TypeError, ValueError: an argument of another type, dtype or shape than said here.
      NotImplementedError: a backend that cannot run this model.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.GRU(3, 5)
      >>> params = cell.init(jax.random.key(0))
      >>> final, ys = jaxgru.scan(cell, params, jnp.ones((7, 2, 3)), lengths=jnp.array([7, 4]))
      >>> bool((final[1] == ys[3, 1]).all()), bool((ys[4:, 1] == 0).all())
      (True, True)

    Cost: the cell's, T times; its derivative is one more recurrence of the same length.

    Differs from: `flax.linen.RNN` and Keras are batch-major by default; PyTorch takes ragged batches as
      `PackedSequence`. In all three, reset states in mid-sequence are the caller's business.
    """
    xs, lengths, resets, truncate = checked(model, params, xs, h0, lengths, resets, reverse, key, truncate)
    checks.flag("states", states)
    if not callable(getattr(backend, "run", None)) or isinstance(backend, type):
        raise TypeError(f"backend must be a value such as Sequential() or Chunked(32), got {backend!r}")
    checks.hashable("backend", backend)
    final, ys, every = _scan(
        model, bool(reverse), backend, truncate, bool(states), params, xs, h0, lengths, resets, key
    )
    return (final, ys, every) if states else (final, ys)


def checked(
    model: Model,
    params: PyTree,
    xs: Any,
    h0: PyTree,
    lengths: Any,
    resets: Any,
    reverse: bool,
    key: Any,
    truncate: int | None,
) -> tuple[Array, Array | None, Array | None, int | None]:
    """xs, lengths and resets as arrays, and truncate; unless an argument of `scan` is to be refused."""
    checks.model("model", model)
    xs = checks.floating("xs", xs)
    event = checks.event_shape(model)
    if xs.ndim < 1 + len(event) or xs.shape[xs.ndim - len(event) :] != event:
        expected = checks.axes(("T", "*B", *event))
        raise ValueError(f"xs must have shape {expected} for {model}, got {checks.axes(xs.shape)}")
    checks.arrays("params", params)
    checks.arrays("h0", h0)
    lead = xs.shape[: xs.ndim - len(event)]
    if lengths is not None:
        lengths = checks.lengths(lengths, len(xs), lead[1:], " like the batch axes of xs")
    if resets is not None:
        resets = checks.array("resets", resets)
        if resets.dtype != bool:
            raise TypeError(f"resets must be bool, got {resets.dtype}; compare, e.g. resets != 0")
        checks.shape("resets", resets, lead, " like the leading axes of xs")
    checks.flag("reverse", reverse)
    if key is not None:
        checks.key("key", key)
    if truncate is not None:
        truncate = checks.size("truncate", truncate)
    return xs, lengths, resets, truncate


def over_sequence(
    model: Model,
    reverse: bool,
    backend: Backend,
    truncate: int | None,
    states: bool,
    params: PyTree,
    xs: Array,
    h0: PyTree,
    lengths: Array | None,
    resets: Array | None,
    key: Array | None,
) -> tuple[PyTree, Array, PyTree]:
    """What `scan` compiles, for arguments that it has checked: a backend runs each cell of the model in turn."""
    checks.same_params(params, model)
    initial = model.initial_state(checks.batch_shape(model, xs), params)
    if h0 is not None:
        checks.same_tree("h0", h0, initial, f" for {model}")
    valid = None
    if lengths is not None:
        lengths = jnp.clip(lengths, 0, len(xs)).astype(jnp.int32)
        valid = valid_steps(lengths, len(xs))
        xs = jnp.where(along(valid, xs), xs, 0)
        resets = None if resets is None else resets & valid
    context = Context(lengths, valid, resets, reverse, key, backend, truncate)
    final, ys, every = context.scan(model, params, xs, initial if h0 is None else h0)
    return final, ys, every if states else None


_scan = jax.jit(over_sequence, static_argnums=(0, 1, 2, 3, 4))
