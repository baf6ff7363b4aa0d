"""What the tables [data] of several tasks do once they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jaxgru.data import Buckets
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxgru.training.config import Config


def keep_path(table: Any, name: str = "path") -> None:
    """Makes a table's path a whole one, for a run is opened from anywhere; it is empty where nothing is named."""
    if path := getattr(table, name):
        object.__setattr__(table, name, str(Path(path).absolute()))


def check_shares(data: Any) -> None:
    """Refuses parts for validation and test that leave nothing to train on."""
    if data.validation + data.test >= 1:
        raise ValueError("validation + test must be below 1, so that some of the text is left to train on")


def turns(step: int, size: int, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Which (size,) of `count` things a step sees: each once an epoch, in an order of its own; no epoch has a gap.

    Example:
      >>> sorted(turns(0, 2, 3, seed=0).tolist() + turns(1, 2, 3, seed=0).tolist()[:1])
      [0, 1, 2]
    """
    epochs, places = np.divmod(np.arange(step * size, (step + 1) * size), count)
    chosen = np.empty(size, np.int64)
    for epoch in np.unique(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(count)
        chosen[epochs == epoch] = order[places[epochs == epoch]]
    return chosen


def buckets(config: Config, lengths: Sequence[int]) -> Buckets:
    """Which of the sequences to train on a step sees, within the padding and the shapes that [data] allows."""
    data, train = config.data, config.train
    try:
        return Buckets(
            lengths,
            batch_size=train.batch_size,
            max_padding=data.max_padding,
            max_shapes=data.max_shapes,
            seed=config.seed,
        )
    except ValueError as error:
        raise UserError(f"[data] {error}") from None
