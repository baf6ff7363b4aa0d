"""What the task `digits` looks at: its table [data], and the files that a trained model is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError, stills
from jaxgru.data.grey import Size, fitted
from jaxgru.tasks.classification.imagereader import ORDERS
from jaxgru.tasks.options import keep_path
from jaxgru.training.config import option

if TYPE_CHECKING:
    from pathlib import Path

    from jaxgru.data.grey import Floats

TABLES = {"digits": "digits of 8 × 8 pixels (UCI)", "mnist-5k": "5000 digits of MNIST"}
PICTURE = "a .png or .jpg file"
NUMBER = "the number of an image of the test split"
GROUNDS = {True: "dark on light", False: "light on dark"}  # by whether the ground is bright


@dataclass(frozen=True)
class Data:
    """The table [data]: which images, for what, and in which order they are read."""

    source: str = option("digits", "the images to fetch where no path is given", choices=tuple(TABLES))
    path: str = option("", "a folder of idx files as MNIST has them, or a table of pixels; empty: the source")
    order: str = option(
        "rows", "what a step reads: a row, a pixel, or a pixel in a fixed jumbled order", choices=ORDERS
    )
    label: str = option(
        "auto",
        "a table's column of classes; auto: by its name, or else the last",
        choices=("auto", "first", "last"),
    )
    width: int = option(
        0, "pixels in a row of an image of a table; 0: images are square", at_least=0, at_most=1 << 16
    )
    validation: float = option(0.1, "the share of each class in training that chooses", above=0, below=1)
    test: float = option(
        0.2, "the share of each class of a table that is scored once at the end", above=0, below=1
    )

    def __post_init__(self) -> None:
        """Keep the path whole, for a run is opened from anywhere."""
        keep_path(self)


def rim(of: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The outermost pixels of images (N, H, W)."""
    return np.concatenate(
        [of[:, edge].ravel() for edge in (0, -1)] + [of[:, :, edge].ravel() for edge in (0, -1)]
    )


def look(path: Path, size: tuple[int, int], exchange: str, *, bright: bool) -> tuple[str, Floats]:
    """Reads a picture as images of training are.

    Args:
      path: a PNG or JPEG file.
      size: H and W of images of training.
      exchange: "yes" or "no", whether light and dark change places; "auto", if the picture's ground is not as theirs.
      bright: whether the ground of images of training is bright.

    Returns:
      What to call it, with what was done to it, and its pixels (H, W) from 0 to 1.

    Raises:
      DataError: it is none, damaged, transparent, or of another size.
    """
    if path.suffix.lower() not in stills.STILLS:
        raise DataError(f"{path}: INPUT should be {PICTURE}, or {NUMBER}")
    picture = stills.read(path)
    try:
        found = fitted(picture, Size(*size))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    own = bool(rim(found[None]).mean() > 0.5)
    title = f"{path}, {GROUNDS[own]} as images of training are"
    if own != bright:
        title = f"{path}, {GROUNDS[own]}; images of training are {GROUNDS[bright]}"
    if exchange == "yes" or (exchange == "auto" and own != bright):
        return f"{title}: light and dark change places", 1 - found
    return title, found
