"""What the task `video` knows of its clips before it trains: size and scale; and what training sees of a window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from jaxgru.data.grey import LEAST
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from jaxgru.data.clips import Footage

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fitted:
    """What was taken from the frames to train on.

    Args:
      height, width: of every frame, in pixels.
      mean, deviation: of the pixels.
      change: by how much one differs from the frame before, root mean square.
    """

    height: int
    width: int
    mean: float
    deviation: float
    change: float

    @classmethod
    def restore(cls, found: Any, patch: int) -> Self:
        """The same out of JSON, of a run whose [model] has patches of that side.

        Raises:
          ValueError: for what no run leaves.
        """
        kinds = {"height": int, "width": int, "mean": float, "deviation": float, "change": float}
        if not isinstance(found, dict) or {*found} != {*kinds}:
            raise ValueError("vocabulary should be what a run of video leaves")
        for name, kind in kinds.items():
            if type(found[name]) is not kind or not math.isfinite(found[name]):
                raise ValueError(f"vocabulary should have {name} of type {kind.__name__}")
        fitted = cls(**found)
        if min(fitted.height, fitted.width) < LEAST or fitted.height % patch or fitted.width % patch:
            raise ValueError(f"vocabulary should have sides of {LEAST} or more, multiples of {patch}")
        if min(fitted.deviation, fitted.change) <= 0:
            raise ValueError("vocabulary should have a deviation and a change above 0")
        return fitted


def fit(data: Any, model: Any, footage: Footage) -> Fitted:
    """Measures the frames to train on, and refuses what cannot be learnt or scored.

    Raises:
      UserError: the frames do not fit [data] and [model], or are too few, or nothing moves in them.
    """
    height, width = footage.frames.shape[1:]
    check_sides(data, model.patch, height, width)
    need = {
        "train": ("data.context and model.closed", data.context + model.closed),
        "validation": ("data.context and one to predict", data.context + 1),
        "test": ("data.context and data.horizon", data.context + data.horizon),
    }
    for part, (what, length) in need.items():
        scenes = footage.parts[part]
        starts = footage.windows(part, length)
        if not len(starts):
            longest = max(map(len, scenes), default=0)
            has = f"no scene of the part for {part} has the {length} frames of {what}"
            raise UserError(f"{footage.source}: {has}; the longest has {longest}")
        at = np.unique(starts[:, None] + np.arange(data.context, length))
        if (footage.frames[at] == footage.frames[at - 1]).all():
            raise UserError(f"{footage.source}: nothing moves in the part for {part}")
    frames = np.concatenate([footage.frames[scene.start : scene.stop] for scene in footage.parts["train"]])
    mean, deviation = (
        float(value) for value in (frames.mean(dtype=np.float64), frames.std(dtype=np.float64))
    )
    return Fitted(height, width, mean, deviation, change(footage, need["train"][1]))


def change(footage: Footage, length: int) -> float:
    """By how much a pixel to train on differs from the frame before, in the scenes that have so many frames."""
    found = [
        np.square(np.diff(footage.frames[scene.start : scene.stop], axis=0), dtype=np.float64).mean((1, 2))
        for scene in footage.parts["train"]
        if len(scene) >= length
    ]
    return math.sqrt(np.concatenate(found).mean())


def check_sides(data: Any, patch: int, height: int, width: int) -> None:
    """Refuses sides that patches do not fill, and squares that are no part of a frame."""
    for name, side in {"height": height, "width": width, "crop": data.crop}.items():
        if side % patch:
            raise UserError(f"data.{name}={side} is no multiple of model.patch={patch}")
    if data.crop > min(height, width):
        raise UserError(f"data.crop={data.crop} is more than a side of the frames, {width} × {height}")


def varied(window: Floats, data: Any, chance: np.random.Generator) -> Floats:
    """A window (T, H, W) as training sees it: a square of it, perhaps backwards, perhaps from left to right."""
    backwards, mirrored = chance.random(2) < 0.5
    if data.reverse and backwards:
        window = window[::-1]
    if data.flip and mirrored:
        window = window[:, :, ::-1]
    if data.crop:
        top, left = (int(chance.integers(side - data.crop + 1)) for side in window.shape[1:])
        window = window[:, top : top + data.crop, left : left + data.crop]
    return window
