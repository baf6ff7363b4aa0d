"""Which tokens may be drawn: the k likeliest, or the likeliest that have a share together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxgru import checks
from jaxgru.cells.dense import accumulator
from jaxgru.decode import arguments

if TYPE_CHECKING:
    from jax import Array


def restrict(logits: Array, *, top_k: int | Array | None = None, top_p: float | Array | None = None) -> Array:
    """The logits, with −inf at the tokens that are excluded.

        kept = the top_k largest; of these, the fewest of the largest whose softmax together reaches top_p

    Of equal logits the lower token counts as the larger one. The shares of top_p are those among what top_k leaves.

    Args:
      logits: (…, V), floating.
      top_k: how many are kept, an int of at least 1; at V and above, and with None, all are.
      top_p: a number in (0, 1]; 1, like None, keeps all. At least one token is kept.
        Both may be traced, and other values compile nothing; traced ones cannot be checked, and act as if clipped.

    Returns:
      (…, V), in the dtype of logits.

    Raises:
      TypeError, ValueError: an argument of another type, dtype or shape, or outside its range.

    Example:
      >>> restrict(jnp.array([1.0, 4.0, 2.0, 3.0]), top_k=2)
      Array([-inf,   4., -inf,   3.], dtype=float32)
      >>> restrict(jnp.array([1.0, 4.0, 2.0, 3.0]), top_p=0.9)  # 0.64 + 0.24 + 0.09
      Array([-inf,   4.,   2.,   3.], dtype=float32)

    Cost: one sort of V per row; nothing if both are None.

    References: Fan et al. 2018 (arXiv:1805.04833) for top_k; Holtzman et al. 2020 (arXiv:1904.09751) for top_p.

    Differs from: a threshold on the k-th logit, which keeps more than k where that one is tied.
    """
    logits = checks.floating("logits", logits)
    if not logits.ndim:
        raise ValueError("logits must have shape (…, V), got ()")
    return restricted(logits, arguments.top_k(top_k), arguments.top_p(top_p))


@partial(jax.jit, inline=True)
def restricted(logits: Array, top_k: Any, top_p: Any) -> Array:
    """`restrict` of what is checked."""
    if top_k is None and top_p is None:
        return logits
    order = jnp.argsort(-logits, axis=-1, stable=True)
    ranked = jnp.take_along_axis(logits, order, -1).astype(accumulator(logits.dtype))
    rank = jnp.arange(logits.shape[-1])
    kept = jnp.broadcast_to((rank < (len(rank) if top_k is None else top_k)) | (rank == 0), logits.shape)
    if top_p is not None:
        shares = jax.nn.softmax(jnp.where(kept, ranked, -jnp.inf))
        # The share before a token; a sum that rounding takes to 1 too early excludes nothing at top_p = 1.
        kept &= (rank == 0) | (jnp.cumsum(shares, -1) - shares < top_p) | (top_p >= 1)
    kept = jnp.put_along_axis(jnp.zeros_like(kept), order, kept, -1, inplace=False)
    return jnp.where(kept, logits, -jnp.inf)
