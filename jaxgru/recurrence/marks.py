"""Marks on steps: which act, reset, and stop gradients; and how data sets and environments say so."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgru import checks


class Marks(NamedTuple):
    """Boolean marks on steps, (T, *B) or broadcastable to it; None where no step has one.

    Attributes:
      valid: the step acts; where it does not, the state stays as it is.
      reset: the state returns to the initial one before the step acts.
      cut: no gradient passes to the step before; one to the state that a reset returns to does.
    """

    valid: Array | None = None
    reset: Array | None = None
    cut: Array | None = None


def valid_steps(lengths: Array, steps: int) -> Array:
    """Which steps of rows of these lengths are real, (T, *B)."""
    return jnp.arange(steps).reshape(-1, *(1,) * lengths.ndim) < lengths


def along(mark: Array, x: Array) -> Array:
    """A mark of steps, with axes for what an array (T, *B, …) has beyond them."""
    return mark.reshape(mark.shape + (1,) * (x.ndim - mark.ndim))


def lengths_from_mask(mask: Array) -> Array:
    """The lengths of rows whose real steps a mask marks.

    Args:
      mask: (T, *B) bool, concrete; each row True … True False … False.

    Returns:
      (*B,) int32.

    Raises:
      TypeError: the mask is no bool array, or is traced.
      ValueError: a row has a real step after padding; the row is named.

    Example:
      >>> lengths_from_mask(jnp.array([[True, True], [True, False], [False, False]]))
      Array([2, 1], dtype=int32)
    """
    mask = _bools("mask", mask)
    if isinstance(mask, jax.core.Tracer):
        raise TypeError("mask is traced, and its rows cannot be checked: call lengths_from_mask outside jit")
    marks = np.asarray(mask)
    wrong = np.argwhere((marks[1:] & ~marks[:-1]).any(0))
    if len(wrong):
        row = tuple(map(int, wrong[0]))
        raise ValueError(f"mask must be True up to a row's length and False after it; row {list(row)} is not")
    return jnp.asarray(marks.sum(0), jnp.int32)


def resets_from_done(done: Array) -> Array:
    """Resets for a sequence of episodes, from the marks of each episode's last step.

        resets[t] = done[t − 1],  resets[0] = False

    Args:
      done: (T, *B) bool, True at an episode's last step.

    Returns:
      (T, *B) bool, True at the first step of every episode but the first.

    Raises:
      TypeError: `done` is no bool array.

    Example:
      >>> resets_from_done(jnp.array([False, True, False]))
      Array([False, False,  True], dtype=bool)
    """
    done = _bools("done", done)
    return jnp.concatenate([jnp.zeros_like(done[:1]), done[:-1]])


def _bools(name: str, value: Array) -> Array:
    value = checks.array(name, value)
    if value.dtype != bool:
        raise TypeError(f"{name} must be bool, got {value.dtype}")
    if value.ndim == 0:
        raise ValueError(f"{name} must have shape (T, *B), got ()")
    return value
