"""What an attention decoder is made of: its parameters, its state, and the parts of a step's derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.layers.attention.memory import Memory

PyTree = Any


class AttentionDecoderParams(NamedTuple):
    """The parameters of an `AttentionDecoder`, and what it attends to.

    Attributes:
      cell: those of the cell inside.
      attention: those of the attention.
      w_feed: (A, N), from what was fed to each sum in the cell.
      w_out: (H + M, A), from the cell's output and the context.
      memory: what `bind` made of an encoder's outputs; `init` leaves None.

    Example:
      >>> import jax, jaxgru
      >>> from jaxgru.layers.attention import Additive, AttentionDecoder
      >>> decoder = AttentionDecoder(jaxgru.GRU(3, 5), Additive(5, 4))
      >>> params = decoder.init(jax.random.key(0))
      >>> params.w_feed.shape, params.w_out.shape, params.memory
      ((5, 15), (9, 5), None)
    """

    cell: PyTree
    attention: PyTree
    w_feed: Array
    w_out: Array
    memory: Memory | None = None


class AttentionDecoderState(NamedTuple):
    """The state of an `AttentionDecoder`: feed (*B, A), its last output, and the state of the cell inside.

    Example:
      >>> import jaxgru
      >>> from jaxgru.layers.attention import Additive, AttentionDecoder
      >>> decoder = AttentionDecoder(jaxgru.GRU(3, 5), Additive(5, 4), output_size=2)
      >>> decoder.initial_state().feed
      Array([0., 0.], dtype=float32)
    """

    feed: Array
    cell: PyTree


class Gates(NamedTuple):
    """What one step computes on its way: the cell's own, where it looked (…, S), and what it read (…, M)."""

    cell: PyTree
    weights: Array
    context: Array


class Coefficients(NamedTuple):
    """The derivative of one step; the names are those in `AttentionDecoder.linearize`."""

    cell: PyTree
    prev: PyTree
    attention: PyTree
    slope: Array
    h: Array
    weights: Array
    context: Array
