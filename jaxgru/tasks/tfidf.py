"""TF-IDF: what counting words alone tells of a text's class; the baselines of the classifier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

if TYPE_CHECKING:
    from collections.abc import Sequence

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]
STRENGTHS = (1.0, 10.0, 100.0)
ITERATIONS = 30  # of L-BFGS at each strength; each goes on from what the one before has found


class Sparse(NamedTuple):
    """The entries of a matrix (rows, columns) that are not zero, row by row.

    Args:
      rows: (E,) ascending.
      columns: (E,).
      values: (E,).
      height: how many rows there are.
    """

    rows: Ints
    columns: Ints
    values: Floats
    height: int


@dataclass(frozen=True)
class TFIDF:
    """Texts as rows of unit length: how often each word stands in it, weighed by how few texts have the word.

        value(text, word) ∝ n(word in text) · (1 + log((1 + N) / (1 + N(word))))

    of N texts, N(word) of which have the word.

    Args:
      weights: (words,), the second factor.

    Example:
      >>> texts = [np.array([0, 0, 1]), np.array([0, 2])]
      >>> TFIDF.fit(texts, words=3)(texts).values.round(2)
      array([0.82, 0.57, 0.58, 0.81], dtype=float32)

    References: Salton and Buckley 1988; the smoothing is scikit-learn's.
    """

    weights: Floats

    @classmethod
    def fit(cls, texts: Sequence[Ints], words: int) -> Self:
        """Counts in how many texts (L,) each of the words stands."""
        counts = np.bincount(np.concatenate([np.unique(text) for text in texts]), minlength=words)
        return cls((1 + np.log((1 + len(texts)) / (1 + counts))).astype(np.float32))

    def __call__(self, texts: Sequence[Ints]) -> Sparse:
        """The row of each text; words past the last weight are left out."""
        found = [np.unique(text[text < len(self.weights)], return_counts=True) for text in texts]
        rows = np.repeat(np.arange(len(texts)), [len(columns) for columns, _ in found])
        columns = np.concatenate([columns for columns, _ in found])
        values = np.concatenate([counts for _, counts in found]) * self.weights[columns]
        lengths = np.sqrt(np.bincount(rows, values**2, minlength=len(texts)))
        return Sparse(rows, columns, (values / lengths[rows]).astype(np.float32), len(texts))


class Texts(NamedTuple):
    """Texts as the numbers (L,) of their words, and the number (N,) of the class of each."""

    texts: Sequence[Ints]
    labels: Ints


def baselines(train: Texts, validation: Texts, test: Texts, classes: int, words: int) -> dict[str, Ints]:
    """The class (N,) of each text of the test, as two methods see it that only count words.

    Args:
      train: what both are fitted to.
      validation: what chooses how strongly the regression may lean on a word.
      test: the texts; the labels are not looked at.
      classes: how many there are.
      words: how many numbers stand for a word; greater ones are unknown.
    """
    counts = TFIDF.fit(train.texts, words)
    rows, chosen = counts(train.texts), (counts(validation.texts), validation.labels)
    models = {
        "TF-IDF + nearest centroid": nearest_centroid(rows, train.labels, classes, words),
        "TF-IDF + logistic regression": logistic(rows, train.labels, *chosen, classes, words),
    }
    return {name: predict(counts(test.texts), model) for name, model in models.items()}


def nearest_centroid(train: Sparse, labels: Ints, classes: int, words: int) -> Floats:
    """The directions (words, classes) to the centroids of the classes, each of length one.

    A text's class is the one whose centroid has the largest cosine with it.
    """
    centroids = np.zeros((words, classes), np.float32)
    np.add.at(centroids, (train.columns, labels[train.rows]), train.values)
    return centroids / np.maximum(np.linalg.norm(centroids, axis=0), 1e-30)


def logistic(
    train: Sparse, labels: Ints, validation: Sparse, chosen: Ints, classes: int, words: int
) -> Floats:
    """The weights (words, classes) of a logistic regression.

        min over W of Σ −log softmax(x W)[label] / N + ‖W‖² / (2 C N)

    Args:
      train: N texts to learn from.
      labels: (N,).
      validation: texts that choose C among `STRENGTHS`, by the nats that they cost.
      chosen: their labels.
      classes: how many there are.
      words: how many there are.
    """
    solver = optax.lbfgs()

    def nats(texts: Sparse, labels: Ints, w: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(product(texts, w), jnp.asarray(labels)).mean()

    def loss(w: jax.Array, strength: float) -> jax.Array:
        return nats(train, labels, w) + (w**2).sum() / (2 * strength * train.height)

    @jax.jit
    def fit(w: jax.Array, strength: float) -> tuple[jax.Array, jax.Array]:
        penalised = partial(loss, strength=strength)

        def step(_: int, found: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
            w, state = found
            value, grad = optax.value_and_grad_from_state(penalised)(w, state=state)
            updates, state = solver.update(grad, state, w, value=value, grad=grad, value_fn=penalised)
            return optax.apply_updates(w, updates), state

        w, _ = jax.lax.fori_loop(0, ITERATIONS, step, (w, solver.init(w)))
        return w, nats(validation, chosen, w)

    found, w = [], jnp.zeros((words, classes))
    for strength in STRENGTHS:
        w, cost = fit(w, strength)
        found.append((float(cost), np.asarray(w)))
    return min(found, key=lambda each: each[0])[1]


def product(texts: Sparse, w: jax.Array) -> jax.Array:
    """Texts (N, words) times w (words, classes)."""
    terms = texts.values[:, None] * w[texts.columns]
    return jax.ops.segment_sum(terms, texts.rows, texts.height, indices_are_sorted=True)


def predict(texts: Sparse, w: Floats) -> Ints:
    """The class (N,) that scores highest for each text."""
    return np.asarray(product(texts, jnp.asarray(w)).argmax(1))
