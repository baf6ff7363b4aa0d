"""What attention looks at, and how it looks: a softmax that knows of padding, and the sum under its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxgru import checks
from jaxgru.cells.dense import accumulator
from jaxgru.recurrence.marks import along, valid_steps

if TYPE_CHECKING:
    from typing import Any

    from jax import Array


class Memory(NamedTuple):
    """What there is to attend to, with all of its part in the scores that no query changes.

    Batch axes come first, for each row is a matrix of its own in every product. Without them, it is one
    memory for all rows.

    Attributes:
      keys: (*B, S, K), what scores are computed from.
      values: (*B, S, M), zero in the padding.
      valid: (*B, S), which entries are real; None if all are.
    """

    keys: Array
    values: Array
    valid: Array | None = None

    @property
    def is_given(self) -> bool:
        """Among parameters, it is handed in with a call, not drawn by `init`."""
        return True


def values_of(
    values: Any, size: int, lengths: Any = None, mask: Any = None, *, name: str = "values", axis: str = "S"
) -> tuple[Array, Array | None]:
    """The values (*B, S, M) of (S, *B, M), zero where they are no part of the memory, and which are (*B, S)."""
    values = checks.floating(name, values)
    if values.ndim < 2 or values.shape[-1] != size:
        expected = checks.axes((axis, "*B", size))
        raise ValueError(f"{name} must have shape {expected}, got {checks.axes(values.shape)}")
    lead, valid = values.shape[:-1], None
    if lengths is not None:
        lengths = checks.lengths(lengths, len(values), lead[1:], f" like the batch axes of {name}")
        valid = valid_steps(lengths, len(values))
    if mask is not None:
        mask = checks.array("mask", mask)
        if mask.dtype != bool:
            raise TypeError(f"mask must be bool, got {mask.dtype}; compare, e.g. mask != 0")
        checks.shape("mask", mask, lead, f" like the leading axes of {name}")
        valid = mask if valid is None else valid & mask
    if valid is not None:
        values = jnp.where(along(valid, values), values, 0)
        valid = jnp.moveaxis(valid, 0, -1)
    return jnp.moveaxis(values, 0, -2), valid


def softmax(scores: Array, valid: Array | None) -> Array:
    """Weights (…, S): exp(score) / Σ exp(score) over what is valid, exactly 0 elsewhere.

    A row in which nothing is valid has no weights but 0.
    """
    if valid is not None:
        scores = jnp.where(valid, scores, 0)
    at = jnp.ones((), bool) if valid is None else valid
    top = jnp.max(scores, axis=-1, keepdims=True, initial=-jnp.inf, where=at)
    top = lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0))
    parts = jnp.where(at, jnp.exp(jnp.where(at, scores - top, 0)), 0)
    total = parts.sum(-1, keepdims=True)
    return parts / jnp.where(total > 0, total, 1)


def weighted_sum(weights: Array, values: Array) -> Array:
    """Σ_s α_s v_s: (…, S) and (*B, S, M) to (…, M), with the product in the dtype of the values."""
    wide = accumulator(values.dtype)
    product = jnp.einsum(
        "...s,...sm->...m", weights.astype(values.dtype), values, preferred_element_type=wide
    )
    return product.astype(wide)
