"""Channels brought to one scale: each minus its mean over the training frames, divided by its deviation there."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float32]
SHAPE = "means and scales, each a list of as many numbers, and no scale 0"


@dataclass(frozen=True)
class Scaler:
    """The mean and the deviation of each channel.

        scaled = (frames − means) / scales

    Args:
      means: (C,).
      scales: (C,), 1 where a channel never changes.

    Example:
      >>> scaler = Scaler.fit([np.array([[1.0, 5.0], [3.0, 5.0]])])
      >>> scaler(np.array([[3.0, 6.0]], np.float32))
      array([[1., 1.]], dtype=float32)
    """

    means: tuple[float, ...]
    scales: tuple[float, ...]

    @classmethod
    def fit(cls, sequences: Sequence[npt.NDArray[np.floating[Any]]]) -> Self:
        """Of all the frames of some sequences, each (T, C), in float64."""
        count = sum(map(len, sequences))
        means = sum(each.sum(0, dtype=np.float64) for each in sequences) / count
        squares = sum(((each - means) ** 2).sum(0) for each in sequences) / count
        scales = np.sqrt(squares)
        # Rounding leaves a little of a channel that is one number throughout.
        scales = np.where(scales > 1e-9 * np.abs(means), scales, 1.0)
        return cls(tuple(means.tolist()), tuple(scales.tolist()))

    def __call__(self, frames: npt.NDArray[np.floating[Any]]) -> Floats:
        """The scaled frames (T, C).

        Raises:
          ValueError: they have another number of channels.
        """
        if frames.shape[-1] != len(self.means):
            raise ValueError(f"frames of {frames.shape[-1]} channels, and the scaler has {len(self.means)}")
        return ((frames - np.array(self.means)) / np.array(self.scales)).astype(np.float32)

    def to_json(self) -> dict[str, list[float]]:
        """What `from_json` takes, as JSON can hold it."""
        return {"means": [*self.means], "scales": [*self.scales]}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The scaler that a run folder holds.

        Raises:
          ValueError: it is none.
        """
        if not (isinstance(value, dict) and value.keys() == {"means", "scales"}):
            raise ValueError(f"the scaler should be {SHAPE}")
        parts = value["means"], value["scales"]
        if not (
            all(isinstance(part, list) and part for part in parts)
            and all(
                type(number) in (int, float) and abs(number) <= sys.float_info.max
                for part in parts
                for number in part
            )
            and len(parts[0]) == len(parts[1])
            and all(parts[1])
        ):
            raise ValueError(f"the scaler should be {SHAPE}")
        return cls(*(tuple(map(float, part)) for part in parts))
