"""What is told of an utterance without a recurrence: by its nearest neighbour, and by the averages of its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.data.channels import Scaler
from jaxgru.tasks.classification import dtw, logistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jax

    from jaxgru.tasks.classification.dtw import Floats

Ints = npt.NDArray[np.integer]


class Part(NamedTuple):
    """Utterances as their frames (T, C), and the number (N,) of the class of each."""

    frames: Sequence[Floats]
    labels: Ints


def summaries(frames: Sequence[Floats]) -> Floats:
    """The mean and the deviation of each channel over time (N, 2 C).

    Example:
      >>> summaries([np.array([[1.0, 4.0], [3.0, 4.0]])])
      array([[2., 4., 1., 0.]])
    """
    return np.stack([np.concatenate([each.mean(0), each.std(0)]) for each in frames])


def baselines(train: Part, validation: Part, test: Part, classes: int, scaler: Scaler) -> dict[str, Ints]:
    """The class (N,) of each utterance of the test, as three methods see it.

    Args:
      train: what the regression is fitted to.
      validation: what chooses how strongly it may lean on a number. The neighbours, where there is nothing to
        choose, are looked for here as well.
      test: the utterances; the labels are not looked at.
      classes: how many there are.
      scaler: of the channels of the training utterances.
    """
    frames, labels = [*train.frames, *validation.frames], np.concatenate([train.labels, validation.labels])
    asked = sum(map(len, test.frames))
    kept, stride = dtw.affordable(labels, np.array([*map(len, frames)]), asked)
    name = "1-NN DTW"
    if len(kept) < len(labels):
        name += f", {len(kept)} of {len(labels)} neighbours"
    if stride > 1:
        name += f", means of {stride} frames"
    found = {}
    for how, scaled in (("channels scaled", True), ("channels as they are", False)):
        references, queries = (
            [dtw.thinned(scaler(each) if scaled else each, stride) for each in part]
            for part in ([frames[row] for row in kept], test.frames)
        )
        found[f"{name}, {how}"] = labels[kept][dtw.nearest(queries, references)]
    found["logistic regression on means and deviations"] = regress(train, validation, test, classes)
    return found


def regress(train: Part, validation: Part, test: Part, classes: int) -> Ints:
    """The class (N,) of each utterance of the test, by a logistic regression on the scaled summaries."""
    scaler = Scaler.fit([summaries(train.frames)])

    def inputs(part: Part) -> jax.Array:
        scaled = scaler(summaries(part.frames))
        return jnp.concatenate([jnp.asarray(scaled), jnp.ones((len(scaled), 1))], 1)

    fitted, choosing = inputs(train), inputs(validation)
    shape = (fitted.shape[1], classes)
    w = logistic.fit(lambda w: fitted @ w, train.labels, lambda w: choosing @ w, validation.labels, shape)
    return np.asarray((inputs(test) @ w).argmax(1))
