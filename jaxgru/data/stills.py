"""Pictures in files: PNG and JPEG, as grey ones. Needs Pillow, which comes with matplotlib."""

from __future__ import annotations

import struct
import warnings
import zlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError
from jaxgru.data.grey import Size, check_size
from jaxgru.data.text import opened

if TYPE_CHECKING:
    from pathlib import Path

STILLS = (".png", ".jpg", ".jpeg")
MAX_BYTES = 1 << 28
DEEP = 65535  # white, of 16 bits
# What Pillow raises for a damaged file, besides its own errors, which are OSErrors.
DAMAGES = (OSError, EOFError, ValueError, SyntaxError, LookupError, TypeError, struct.error, zlib.error)


def read(path: Path) -> npt.NDArray[np.float32]:
    """The picture in a file, (H, W), from 0 for black to 1 for white; what is transparent has its colour.

    Args:
      path: a PNG or JPEG file.

    Raises:
      DataError: the file is missing, no regular file, unreadable, larger than 256 MiB, no such picture, damaged, or too
        large a picture. The message names the file and the fault.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 heavy, and of use only here

    with opened(path) as file:
        if file.seek(0, 2) > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
        file.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # of what is odd in a file and does not matter, and of what is large
                with Image.open(file, formats=("PNG", "JPEG")) as picture:
                    check_size(Size(picture.height, picture.width))
                    if picture.mode.startswith("I"):  # 16 bits, of which convert would keep none but white
                        return np.asarray(picture, np.float32) / np.float32(DEEP)
                    return np.asarray(picture.convert("L"), np.float32) / np.float32(255)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        except (*DAMAGES, Image.DecompressionBombError) as error:
            what = "it is none" if isinstance(error, UnidentifiedImageError) else str(error)[:80]
            raise DataError(f"{path}: not a PNG or JPEG picture that can be read: {what}") from None
