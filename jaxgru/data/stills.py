"""Pictures in files: PNG and JPEG, as grey ones. Needs Pillow, which comes with matplotlib."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError
from jaxgru.data.grey import LARGEST, Size, check_size
from jaxgru.data.text import contents

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

STILLS = (".png", ".jpg", ".jpeg")
STARTS = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff"}  # how the files begin, whatever their names
MAX_BYTES = 1 << 28
DEEP = 65535  # white, of 16 bits
# What Pillow raises for a damaged file, besides its own errors, which are OSErrors.
DAMAGES = (OSError, EOFError, ValueError, SyntaxError, LookupError, TypeError, struct.error, zlib.error)

Floats = npt.NDArray[np.float32]


def read(path: Path) -> Floats:
    """How bright the pixels (H, W) of a picture are, from 0 for black to 1 for white; colours become grey.

    Args:
      path: a PNG or JPEG file.

    Raises:
      DataError: the file is missing, no regular file, unreadable, empty, larger than 256 MiB, neither PNG nor JPEG,
        damaged, too large a picture, which is said before it is unfolded, or transparent in places. The message names
        the file and the fault.

    Example:
      >>> from pathlib import Path
      >>> read(Path("no/such/seven.png"))
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/seven.png: no such file
    """
    raw = contents(path, MAX_BYTES)
    if not raw:
        raise DataError(f"{path}: the file is empty")
    kind = next((kind for kind, start in STARTS.items() if raw.startswith(start)), None)
    if kind is None:
        raise DataError(f"{path}: not a PNG or JPEG file: it does not begin as one")
    from PIL import Image  # noqa: PLC0415 heavy, and of use only here

    try:
        # What is odd in a file and does not matter, or is large and refused below, is no warning.
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(raw), formats=[kind]) as picture,
        ):
            check_size(Size(picture.height, picture.width))
            return grey(picture)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path}: far more than the {LARGEST} pixels that there can be") from None
    except DAMAGES as error:
        what = " ".join(str(error).partition("<")[0].split())[:80]  # without the address of a buffer
        raise DataError(f"{path}: a damaged {kind} file: {what or type(error).__name__}") from None


def grey(picture: Image) -> Floats:
    """The brightness of the pixels of an open picture."""
    clear = False
    if picture.mode.startswith("I"):  # 16 bits, of which convert would keep none but white
        found = np.asarray(picture, np.float32)
        if picture.has_transparency_data:
            clear = bool((found == picture.info["transparency"]).any())
        found /= np.float32(DEEP)
    else:
        if picture.has_transparency_data:
            clear = picture.convert("RGBA").getchannel("A").getextrema() != (255, 255)
            picture = picture.convert("RGB")
        found = np.asarray(picture.convert("L"), np.float32) / np.float32(255)
    if clear:
        raise DataError("it is transparent in places; save it without transparency")
    return found
