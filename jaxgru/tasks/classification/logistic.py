"""Logistic regression: what a model without any layers tells; beside several tasks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

if TYPE_CHECKING:
    from collections.abc import Callable

    Product = Callable[[jax.Array], jax.Array]

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]
STRENGTHS = (1.0, 10.0, 100.0)
ITERATIONS = 30  # of L-BFGS at each strength; each goes on from what the one before has found


def fit(train: Product, labels: Ints, validation: Product, chosen: Ints, shape: tuple[int, int]) -> Floats:
    """The weights (inputs, classes) of a logistic regression.

        min over W of Σ −log softmax(x W)[label] / N + ‖W‖² / (2 C N)

    Args:
      train: takes weights to the logits (N, classes) of the examples to learn from.
      labels: (N,), their classes.
      validation: likewise, of examples that choose C among `STRENGTHS`, by the nats that they cost.
      chosen: their classes.
      shape: (inputs, classes).

    Example:
      >>> xs, labels = jnp.array([[1.0, 0.2], [0.1, 1.0], [1.2, 0.0]]), np.array([0, 1, 0])
      >>> w = fit(lambda w: xs @ w, labels, lambda w: xs @ w, labels, (2, 2))
      >>> (xs @ w).argmax(1)
      Array([0, 1, 0], dtype=int32)
    """
    solver = optax.lbfgs()

    def nats(product: Product, labels: Ints, w: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(product(w), jnp.asarray(labels)).mean()

    def loss(w: jax.Array, strength: float) -> jax.Array:
        return nats(train, labels, w) + (w**2).sum() / (2 * strength * len(labels))

    @jax.jit
    def descend(w: jax.Array, strength: float) -> tuple[jax.Array, jax.Array]:
        penalised = partial(loss, strength=strength)

        def step(_: int, found: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
            w, state = found
            value, grad = optax.value_and_grad_from_state(penalised)(w, state=state)
            updates, state = solver.update(grad, state, w, value=value, grad=grad, value_fn=penalised)
            return optax.apply_updates(w, updates), state

        w, _ = jax.lax.fori_loop(0, ITERATIONS, step, (w, solver.init(w)))
        return w, nats(validation, chosen, w)

    found, w = [], jnp.zeros(shape)
    for strength in STRENGTHS:
        w, cost = descend(w, strength)
        found.append((float(cost), np.asarray(w)))
    return min(found, key=lambda each: each[0])[1]
