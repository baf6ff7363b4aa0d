"""A sequence of outputs as one vector: heads for classification and regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from jaxgru import checks
from jaxgru.cells.dense import accumulator
from jaxgru.recurrence.marks import along, valid_steps

if TYPE_CHECKING:
    from jax import Array


def last(ys: Array, lengths: Array | None = None) -> Array:
    """The output of each row's last real step; zero for a row without steps.

    Of a `Bidirectional`'s outputs the backward half has then seen one step only: `mean` and `max` see both whole.

    Args:
      ys: (T, *B, …), as `scan` gives them.
      lengths: (*B,) int in [0, T]; None means T.

    Returns:
      (*B, …).

    Raises:
      TypeError, ValueError: an argument of another dtype or shape.

    Example:
      >>> last(jnp.arange(6.0).reshape(3, 2, 1), jnp.array([3, 1]))[:, 0]
      Array([4., 1.], dtype=float32)
    """
    ys, valid = _checked(ys, lengths)
    if not len(ys):
        return jnp.zeros(ys.shape[1:], ys.dtype)
    if valid is None:
        return ys[-1]
    following = jnp.concatenate([valid[1:], jnp.zeros_like(valid[:1])])
    return jnp.where(along(valid & ~following, ys), ys, 0).sum(0)


def mean(ys: Array, lengths: Array | None = None) -> Array:
    """The mean over each row's real steps; zero for a row without steps. Arguments as in `last`.

    Example:
      >>> mean(jnp.arange(6.0).reshape(3, 2, 1), jnp.array([3, 1]))[:, 0]
      Array([2., 1.], dtype=float32)
    """
    ys, valid = _checked(ys, lengths)
    wide = ys.astype(accumulator(ys.dtype))
    if valid is None:
        return (wide.sum(0) / (len(ys) or 1)).astype(ys.dtype)
    count = along(jnp.maximum(valid.sum(0), 1)[None], ys)[0]
    return (jnp.where(along(valid, ys), wide, 0).sum(0) / count).astype(ys.dtype)


def max(ys: Array, lengths: Array | None = None) -> Array:  # noqa: A001 - pooling.max, as in numpy.max
    """The largest of each unit over each row's real steps; zero for a row without steps. Arguments as in `last`.

    Example:
      >>> max(jnp.arange(6.0).reshape(3, 2, 1), jnp.array([3, 1]))[:, 0]
      Array([4., 1.], dtype=float32)
    """
    ys, valid = _checked(ys, lengths)
    if not len(ys):
        return jnp.zeros(ys.shape[1:], ys.dtype)
    if valid is None:
        return ys.max(0)
    valid = along(valid, ys)
    first = jnp.where(valid[0], ys[0], 0)  # where there is no step, this is the result; else no new one
    return jnp.where(valid, ys, first).max(0)


def _checked(ys: Array, lengths: Array | None) -> tuple[Array, Array | None]:
    """The outputs, and which steps are real."""
    ys = checks.floating("ys", ys)
    if ys.ndim < 2:
        raise ValueError(f"ys must have shape (T, *B, H), got {checks.axes(ys.shape)}")
    if lengths is None:
        return ys, None
    lengths = checks.array("lengths", lengths)
    if lengths.ndim > ys.ndim - 2:
        raise ValueError(
            f"lengths must have the batch axes of ys {checks.axes(ys.shape)}, got {checks.axes(lengths.shape)}"
        )
    lengths = checks.lengths(lengths, len(ys), ys.shape[1 : 1 + lengths.ndim], " like the batch axes of ys")
    return ys, valid_steps(lengths, len(ys))
