"""What is told of images without a recurrence: by their nearest neighbour, and by weighing each pixel."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.tasks.classification import logistic

BLOCK = 256  # images whose neighbours are looked for at a time

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.integer]


class Scaled(NamedTuple):
    """Images (N, H, W), scaled, and the number (N,) of the class of each."""

    pixels: Floats
    labels: Ints


def baselines(train: Scaled, validation: Scaled, test: Scaled, classes: int) -> dict[str, Ints]:
    """The class (N,) of each image of the test, as two methods see it.

    Args:
      train: what the regression is fitted to.
      validation: what chooses how strongly it may lean on a pixel. The neighbours, where there is nothing to choose,
        are looked for here as well.
      test: the images; the labels are not looked at.
      classes: how many there are.
    """
    known = np.concatenate([train.pixels, validation.pixels])
    labels = np.concatenate([train.labels, validation.labels])
    return {
        "1-NN on pixels": labels[nearest(test.pixels, known)],
        "logistic regression on pixels": regress(train, validation, test, classes),
    }


def nearest(queries: Floats, references: Floats) -> Ints:
    """The reference (N,) at the least Euclidean distance from each query; of several the first.

    Example:
      >>> nearest(np.array([[2.0], [9.0]]), np.array([[0.0], [3.0], [8.0]]))
      array([1, 2])
    """
    flat = references.reshape(len(references), -1).astype(np.float64)
    squares = (flat**2).sum(1)
    asked = queries.reshape(len(queries), -1).astype(np.float64)
    blocks = [asked[start : start + BLOCK] for start in range(0, len(asked), BLOCK)]
    return np.concatenate([(squares - 2 * block @ flat.T).argmin(1) for block in blocks])


def regress(train: Scaled, validation: Scaled, test: Scaled, classes: int) -> Ints:
    """The class (N,) of each image of the test, by a logistic regression on its pixels."""

    def inputs(part: Scaled) -> jax.Array:
        flat = part.pixels.reshape(len(part.pixels), -1)
        return jnp.concatenate([jnp.asarray(flat), jnp.ones((len(flat), 1))], 1)

    fitted, choosing = inputs(train), inputs(validation)
    shape = (fitted.shape[1], classes)
    w = logistic.fit(lambda w: fitted @ w, train.labels, lambda w: choosing @ w, validation.labels, shape)
    return np.asarray((inputs(test) @ w).argmax(1))
