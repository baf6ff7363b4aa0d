"""TF-IDF: what counting words alone tells of a text's class; the baselines of the classifier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.tasks.classification import logistic

if TYPE_CHECKING:
    from collections.abc import Sequence

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]


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
    rows, held = counts(train.texts), counts(validation.texts)
    models = {
        "TF-IDF + nearest centroid": nearest_centroid(rows, train.labels, classes, words),
        "TF-IDF + logistic regression": logistic.fit(
            partial(product, rows), train.labels, partial(product, held), validation.labels, (words, classes)
        ),
    }
    return {name: predict(counts(test.texts), model) for name, model in models.items()}


def nearest_centroid(train: Sparse, labels: Ints, classes: int, words: int) -> Floats:
    """The directions (words, classes) to the centroids of the classes, each of length one.

    A text's class is the one whose centroid has the largest cosine with it.
    """
    centroids = np.zeros((words, classes), np.float32)
    np.add.at(centroids, (train.columns, labels[train.rows]), train.values)
    return centroids / np.maximum(np.linalg.norm(centroids, axis=0), 1e-30)


def product(texts: Sparse, w: jax.Array) -> jax.Array:
    """Texts (N, words) times w (words, classes)."""
    terms = texts.values[:, None] * w[texts.columns]
    return jax.ops.segment_sum(terms, texts.rows, texts.height, indices_are_sorted=True)


def predict(texts: Sparse, w: Floats) -> Ints:
    """The class (N,) that scores highest for each text."""
    return np.asarray(product(texts, jnp.asarray(w)).argmax(1))
