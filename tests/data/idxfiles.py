"""Idx files, and folders of them, as small as can be."""

import gzip
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

KINDS = {"images": 3, "labels": 1}


def idx(values: npt.ArrayLike, kind: int = 8) -> bytes:
    """The bytes of an idx file."""
    array = np.asarray(values, np.uint8)
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def write(
    folder: Path, parts: dict[str, tuple[npt.ArrayLike, npt.ArrayLike]], form: str = "{}-{}-idx{}-ubyte"
) -> Path:
    """A folder with images and labels of each part, named by a form of part, what and axes."""
    folder.mkdir(exist_ok=True)
    for part, arrays in parts.items():
        for (what, axes), values in zip(KINDS.items(), arrays, strict=True):
            raw = idx(values)
            path = folder / form.format(part, what, axes)
            path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return folder
