"""What a step does to a change of the state before it, as a matrix."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from jaxgru.probe.record import Record, one

PyTree = Any


def jacobians(record: Record) -> Array:
    """The Jacobian of every step.

        A_t = ∂h_t/∂h_{t−1},  A_t[i, j] = ∂h_t[i]/∂h_{t−1}[j]

    All of them at once, by the cell's `tangent` of the D unit vectors. Padding gives the identity, as it leaves
    the state alone; a reset or a truncation before the step gives zero, as in the derivative of `scan`.

    Args:
      record: of one cell, from `record`.

    Returns:
      (T, *B, D, D), where D counts all parts of the state, flattened and joined: h | c of an LSTM.

    Raises:
      TypeError: something that is no record.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.LSTM(3, 5)
      >>> (of_cell,) = jaxgru.probe.record(cell, cell.init(jax.random.key(0)), jnp.ones((7, 2, 3)))
      >>> jacobians(of_cell).shape
      (7, 2, 10, 10)

    Cost: T·B·D² numbers, and D tangents of each step.
    """
    one(record)
    return _jacobians(record)


@jax.jit
def _jacobians(record: Record) -> Array:
    lead = (record.steps, *record.batch_shape)

    def column(unit: PyTree) -> Array:
        dprev = jax.tree.map(lambda u: jnp.broadcast_to(u, (*lead, *u.shape)), unit)
        return flat(record.act(record.coef, record.marks, dprev), len(lead))

    return jax.vmap(column, out_axes=-1)(basis(record))


def basis(record: Record) -> PyTree:
    """The D unit vectors of one row's state, leaves (D, …)."""
    zero, state = ravel_pytree(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), record.row))
    return jax.vmap(state)(jnp.eye(zero.size, dtype=zero.dtype))


def flat(states: PyTree, lead: int) -> Array:
    """(…, D), all parts of states joined, from leaves with so many leading axes."""
    leaves = jax.tree.leaves(states)
    return jnp.concatenate([s.reshape(*s.shape[:lead], math.prod(s.shape[lead:])) for s in leaves], -1)


def euclidean(x: Array, axes: int) -> Array:
    """√(Σ x²) over the last axes, without squares that under- or overflow."""
    over, tiny = tuple(range(-axes, 0)), jnp.finfo(x.dtype).tiny
    largest = jnp.clip(jnp.max(jnp.abs(x), over, keepdims=True), tiny, 1 / tiny)
    return largest.squeeze(over) * jnp.sqrt(jnp.sum((x / largest) ** 2, over))
