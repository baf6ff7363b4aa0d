"""Grey pictures, brought to one size by area."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError

LARGEST = 1 << 25  # pixels of a picture that is read, those of 8K
LEAST = 16  # pixels of a side that is asked for: SSIM looks at windows of 11

# Grey values are told apart as finely as float32 does; 65535 makes those of 8 and of 16 bits whole numbers.
WHOLE = 65535 << 8

Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.float64]  # of which sums are exact, in whatever order


class Size(NamedTuple):
    """How high and how wide a picture is, in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width} × {self.height}"


@dataclass(frozen=True)
class Shrink:
    """Makes a picture smaller: each new pixel is the mean of what it covers, parts of pixels by their share.

    Sums are of whole numbers below 2⁵³, which makes them the same on every machine: a run goes on with the same frames.

    Args:
      before: the size of the pictures.
      after: the size they get, in neither direction a larger one.

    Raises:
      DataError: the pictures are smaller than they should become, or too large to be read.

    Example:
      >>> Shrink(Size(2, 3), Size(1, 2))(np.array([[0, 3, 6], [0, 3, 6]]))
      array([[1., 5.]], dtype=float32)
    """

    before: Size
    after: Size

    def __post_init__(self) -> None:
        """Refuses what cannot be shrunk."""
        check_size(self.before)
        if self.before.height < self.after.height or self.before.width < self.after.width:
            raise DataError(f"pictures of {self.before}, and {self.after} are asked for")

    @cached_property
    def weights(self) -> tuple[Whole, Whole]:
        """What rows and columns of the new picture take of the old ones."""
        return shares(self.before.height, self.after.height), shares(self.before.width, self.after.width)

    def __call__(self, picture: npt.NDArray[np.number]) -> Floats:
        """The small picture."""
        rows, columns = self.weights
        levels = np.rint(picture.astype(np.float64) * WHOLE)
        sums = rows @ (levels @ columns.T)
        return (sums / (self.before.height * self.before.width * WHOLE)).astype(np.float32)


def fitted(picture: Floats, size: Size) -> Floats:
    """A picture in the size that is read, which it has or is a whole multiple of.

    Args:
      picture: (k H, k W) for a whole k.
      size: H and W.

    Raises:
      DataError: it is of another size. The message says what to do about it.

    Example:
      >>> fitted(np.array([[0, 1, 1, 1], [0, 1, 1, 1]], np.float32), Size(1, 2))
      array([[0.5, 1. ]], dtype=float32)
    """
    before, times = Size(*picture.shape), len(picture) // size.height
    if not times or before != (times * size.height, times * size.width):
        tenfold = Size(10 * size.height, 10 * size.width)
        mend = f"crop it, and bring it to that or to a multiple, such as {tenfold}"
        raise DataError(f"{before} pixels, and the model reads {size}: {mend}")
    return Shrink(before, size)(picture)


def shares(before: int, after: int) -> Whole:
    """What each new pixel takes of each of the old ones, (after, before), along one axis; `before` in all.

    Example:
      >>> shares(3, 2)
      array([[2., 1., 0.],
             [0., 1., 2.]])
    """
    new, old = np.arange(after)[:, None], np.arange(before)
    covered = np.minimum((new + 1) * before, (old + 1) * after) - np.maximum(new * before, old * after)
    return np.clip(covered, 0, None).astype(np.float64)


def check_size(size: Size) -> None:
    """Refuses a picture that is too large, or has no pixel."""
    if not 0 < size.height * size.width <= LARGEST:
        raise DataError(f"pictures of {size}; there can be {LARGEST} pixels, and one at least")


def size_for(picture: Size, height: int, width: int, multiple: int) -> Size:
    """The size that pictures get: as asked, a side for which 0 is asked as their shape says.

    Args:
      picture: the size they have.
      height: what is asked for, in pixels.
      width: likewise; not both are 0.
      multiple: what the side for which 0 is asked is a multiple of.

    Raises:
      DataError: that side is too small.

    Example:
      >>> size_for(Size(144, 176), 48, 0, 2)
      Size(height=48, width=58)
    """

    def fitted(side: float) -> int:
        return round(side / multiple) * multiple

    size = Size(
        height or fitted(width * picture.height / picture.width),
        width or fitted(height * picture.width / picture.height),
    )
    if min(size) < LEAST:
        raise DataError(f"pictures of {picture} would become {size}; a side needs {LEAST} pixels")
    return size
