"""What the tasks that tell classes do alike: labels as numbers, the loss, INPUTs that are numbers, checks of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import numpy.typing as npt
import optax

from jaxgru.data.labelled import short
from jaxgru.data.vocabulary import check_words
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Ints = npt.NDArray[np.int32]


def check_classes(vocabulary: Any, *others: str) -> None:
    """Refuses what is not the classes, and lists of words by other names, that a task leaves in its run folder.

    Raises:
      ValueError: it is no dictionary of just these lists of different strings, or there are fewer than two classes.

    Example:
      >>> check_classes({"classes": ["oil"]})
      Traceback (most recent call last):
      ValueError: vocabulary should have two classes or more
    """
    check_words(vocabulary, *others, "classes")
    if len(vocabulary["classes"]) < 2:
        raise ValueError("vocabulary should have two classes or more")


def numbered(labels: Iterable[str], classes: Sequence[str]) -> Ints:
    """The number (N,) of the class of each label.

    Example:
      >>> numbered(["tea", "oil"], ["oil", "tea"])
      array([1, 0], dtype=int32)
    """
    numbers = {label: number for number, label in enumerate(classes)}
    return np.array([numbers[label] for label in labels], np.int32)


def nats(logits: jax.Array, labels: Any, smoothing: float) -> jax.Array:
    """The cross entropy (B,) of logits (B, classes) and labels (B,), of which all classes share so much."""
    sure = jax.nn.one_hot(labels, logits.shape[-1])
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(sure, smoothing))


def place_of(name: str, count: int, what: str) -> int:
    """Which of the `count` things of the test split a decimal number names.

    Raises:
      UserError: there is none of that number.

    Example:
      >>> place_of("007", 10, "images")
      7
    """
    if len(name) > 9 or int(name) >= count:
        raise UserError(f"the test split has the {what} 0 to {count - 1}, and no {name}")
    return int(name)


def check_same(
    source: str, then: Sequence[str], now: Sequence[str], others: Mapping[str, tuple[Any, Any]]
) -> None:
    """Refuses data that is no longer of the kind that a run has learnt from.

    Args:
      source: where it is from.
      then: the classes of the run.
      now: those of the data.
      others: what else has to be equal, by what it is: as it is now, and as it was then.

    Raises:
      UserError: something has changed.
    """
    classes = tuple(short(", ".join(names)) for names in (now, then))
    for what, (is_now, was) in {**others, "classes": classes}.items():
        if is_now != was:
            raise UserError(f"{source}: changed since the run: {what}: {is_now}, and then {was}")
