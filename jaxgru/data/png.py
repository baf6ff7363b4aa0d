"""Pictures: one PNG as grey pixels, brought to the size that a model reads."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError
from jaxgru.data.text import opened

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_BYTES = 1 << 26
MAX_PIXELS = 1 << 24
DEEP = "I", "I;16"  # what Pillow calls grey of 16 bits
# What Pillow raises for a damaged file, besides the error of its own for one that is too large.
DAMAGES = (EOFError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error, zlib.error)

Floats = npt.NDArray[np.float32]


def read(path: Path) -> Floats:
    """How bright the pixels (H, W) of a PNG are, from 0, black, to 1, white; colours become grey.

    Args:
      path: the file.

    Raises:
      DataError: the file is missing, no regular file, unreadable, no PNG, damaged, larger than 64 MiB or than 2²⁴
        pixels, or transparent in places. The message names the file and the fault.

    Example:
      >>> from pathlib import Path
      >>> read(Path("no/such/seven.png"))
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/seven.png: no such file
    """
    with opened(path) as file:
        raw = file.read(MAX_BYTES + 1)
    if not raw:
        raise DataError(f"{path}: the file is empty")
    if not raw.startswith(MAGIC):
        raise DataError(f"{path}: not a PNG file: it does not begin as one")
    if len(raw) > MAX_BYTES:
        raise DataError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    if raw[12:16] == b"IHDR" and len(raw) >= 24:
        check_size(path, *struct.unpack_from(">II", raw, 16))  # said before anything is unfolded
    from PIL import Image  # noqa: PLC0415 of use only here

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damage that leaves the pixels alone, and of what is large
        try:
            with Image.open(io.BytesIO(raw), formats=["PNG"]) as image:
                check_size(path, *image.size)  # a second head may have said another one
                image.load()
                found = image.copy()
        except DataError:
            raise
        except (*DAMAGES, Image.DecompressionBombError) as error:
            what = " ".join(str(error).partition("<")[0].split())  # no address of a buffer
            raise DataError(f"{path}: a damaged PNG file: {what or type(error).__name__}") from None
        return grey(path, found)


def check_size(path: Path, width: int, height: int) -> None:
    """Refuses a picture of more pixels than are read."""
    if width * height > MAX_PIXELS:
        raise DataError(f"{path}: {width} × {height} pixels, more than {MAX_PIXELS:,}")


def grey(path: Path, image: Image) -> Floats:
    """The brightness of the pixels of an open picture."""
    if image.mode in DEEP:
        return np.asarray(image, np.float32) / np.float32(65535)
    if image.has_transparency_data:
        if image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            raise DataError(f"{path}: it is transparent in places; save it without transparency")
        image = image.convert("RGB")
    return np.asarray(image.convert("L"), np.float32) / np.float32(255)


def fitted(path: Path, pixels: Floats, height: int, width: int) -> Floats:
    """The pixels (H, W) of a picture in the size that is wanted, each the mean of a square of them.

    Args:
      path: the file, for the message.
      pixels: (k H, k W) for a whole k.
      height: H.
      width: W.

    Raises:
      DataError: they are of another size.

    Example:
      >>> from pathlib import Path
      >>> fitted(Path("seven.png"), np.array([[0, 1, 1, 1], [0, 1, 1, 1]], np.float32), 1, 2)
      array([[0.5, 1. ]], dtype=float32)
    """
    times = pixels.shape[0] // height
    if not times or pixels.shape != (times * height, times * width):
        has = f"{pixels.shape[1]} × {pixels.shape[0]} pixels"
        mend = f"crop it, and bring it to that or to a multiple, such as {10 * width} × {10 * height}"
        raise DataError(f"{path}: {has}, and the model reads {width} × {height}: {mend}")
    return pixels.reshape(height, times, width, times).mean((1, 3))
