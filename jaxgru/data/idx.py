"""Idx files: arrays of unsigned bytes, as MNIST and the data sets that look like it keep images and labels."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError
from jaxgru.data.text import GZIP_MAGIC, opened

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 30
BYTE = 0x08
OTHERS = {
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}

Bytes = npt.NDArray[np.uint8]


class DamageError(Exception):
    """What is wrong with a file, in words."""


def read(path: Path, axes: int) -> Bytes:
    """The array of an idx file of unsigned bytes.

        0 0 8 axes | the size of each axis, 4 bytes, the highest first | as many bytes as the sizes say

    Args:
      path: the file, plain or gzip. Its first two bytes tell which, not its name.
      axes: how many axes it should have: 1 for labels, 3 for images.

    Returns:
      The bytes in their shape; no axis is of size 0.

    Raises:
      DataError: the file is missing, no regular file, unreadable, damaged, of another kind, larger than 1 GiB, or has
        fewer bytes than it says, or more. The message names the file and the fault.

    Example:
      >>> from pathlib import Path
      >>> read(Path("no/such/train-images-idx3-ubyte"), axes=3)
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/train-images-idx3-ubyte: no such file
    """
    with opened(path) as file:
        is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        try:
            return _array(gzip.GzipFile(fileobj=file) if is_gzip else file, axes)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: a damaged gzip file: {error}") from None
        except DamageError as error:
            raise DataError(f"{path}: {error}") from None


def _array(file: BinaryIO | gzip.GzipFile, axes: int) -> Bytes:
    """The array of an open file, which is read no further than a byte beyond what its sizes say."""
    head = file.read(4)
    if not head:
        raise DamageError("the file is empty")
    if len(head) < 4 or head[:2] != b"\0\0":
        raise DamageError(f"not an idx file: it begins with {head.hex(' ')}, not with 00 00")
    if head[2] != BYTE:
        kind = OTHERS.get(head[2], f"of the unknown kind {head[2]:#04x}")
        raise DamageError(f"an idx file whose values are {kind}, not unsigned bytes")
    if head[3] != axes:
        raise DamageError(f"an idx file of {many(head[3], 'axis', 'axes')}; it should have {axes}")
    rest = file.read(4 * axes)
    if len(rest) < 4 * axes:
        raise DamageError(f"cut short: its head should have {4 + 4 * axes} bytes, and has {4 + len(rest)}")
    shape = struct.unpack(f">{axes}I", rest)
    size, sizes = math.prod(shape), " × ".join(map(str, shape))
    if not size:
        raise DamageError(f"it holds nothing: its size is {sizes}")
    if size > MAX_BYTES:
        raise DamageError(f"its size is {sizes}, more than {MAX_BYTES >> 20} MiB")
    body = file.read(size + 1)
    if len(body) < size:
        raise DamageError(
            f"cut short: its size is {sizes}, and only {many(len(body), 'byte')} of {size} are there"
        )
    if len(body) > size:
        raise DamageError(f"its size is {sizes}, and more than these {many(size, 'byte')} are there")
    return np.frombuffer(body, np.uint8).reshape(shape)


def many(count: int, one: str, several: str = "") -> str:
    """A number of things in words.

    Example:
      >>> many(1, "byte"), many(3, "byte"), many(3, "axis", "axes")
      ('1 byte', '3 bytes', '3 axes')
    """
    return f"{count} {one if count == 1 else several or one + 's'}"
