"""Piano rolls in MATLAB's files: the cells of matrices in a .mat of level 5, read within bounds."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxgru.data import DataError
from jaxgru.data.text import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

MAX_BYTES = 1 << 28  # of a file, and of what is unpacked of it
ELEMENTS = 1 << 18  # beside each other
HEADER = 128
ORDERS = {b"IM": "<", b"MI": ">"}
HDF5 = b"\x89HDF\r\n\x1a\n"
MATRIX, COMPRESSED = 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CELL, NUMERIC = 1, range(6, 16)  # classes of arrays
SHAPE = 5  # what kind the numbers of a shape are of
COMPLEX = 0x800


class DamageError(Exception):
    """What is wrong with a file, in words."""


class Element(NamedTuple):
    """A part of a file: what kind it is of, and its bytes."""

    kind: int
    body: memoryview


class Array(NamedTuple):
    """The head of an array, and the elements behind it."""

    name: str
    kind: int
    shape: tuple[int, ...]
    rest: list[Element]


def read(path: Path, names: Sequence[str]) -> dict[str, list[npt.NDArray[Any]]]:
    """The matrices in some cells of a file; what else the file holds is not looked at.

    `scipy.io.loadmat` sets aside what a file announces before it looks whether it is there, and goes as deep as
    arrays stand in each other: a small file takes gigabytes, or ends the process. Here nothing is larger than
    the bytes that are there, and the only arrays within an array are the matrices in a cell.

    Args:
      path: a .mat file of level 5, which is what MATLAB writes with -v6 and -v7, and scipy.
      names: of the variables to read, each a cell of real matrices.

    Returns:
      The matrices of each of these variables.

    Raises:
      DataError: the file is missing, no regular file, unreadable, larger than 256 MiB or unpacked so; not of level 5;
        damaged; or lacks a variable, or has one that is something else. The message names the file and the fault.

    References: MAT-File Format, The MathWorks.
    """
    with opened(path) as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        return variables(raw, names)
    except DamageError as error:
        raise DataError(f"{path}: {error}") from None


def variables(raw: bytes, names: Sequence[str]) -> dict[str, list[npt.NDArray[Any]]]:
    """The matrices in some cells of a file's bytes."""
    if len(raw) > MAX_BYTES:
        raise DamageError(f"larger than {MAX_BYTES >> 20} MiB")
    order = byte_order(raw)
    found: dict[str, list[npt.NDArray[Any]]] = {}
    for element in unpacked(elements(memoryview(raw)[HEADER:], order), order):
        if element.kind == MATRIX and (array := head(element, order)).name in names:
            found[array.name] = [matrix(each, order, array.name) for each in cells(array)]
    for name in names:
        if name not in found:
            raise DamageError(f"it holds no {name}; it should hold {', '.join(names)}")
    return found


def byte_order(raw: bytes) -> str:
    """How numbers stand in a file of level 5; everything else is refused."""
    if not raw:
        raise DamageError("the file is empty")
    if raw.startswith(HDF5) or raw[:10] == b"MATLAB 7.3":
        raise DamageError("a .mat file of version 7.3, which is not read; save it again with -v7")
    if len(raw) < HEADER or (order := ORDERS.get(raw[126:128])) is None:
        raise DamageError("not a .mat file of level 5, whose header ends in IM or MI after 126 bytes")
    return order


def elements(raw: memoryview, order: str) -> list[Element]:
    """The elements that stand one after the other in some bytes, the whole of them."""
    found: list[Element] = []
    at = 0
    while at < len(raw):
        if len(found) == ELEMENTS:
            raise DamageError(f"more than {ELEMENTS} elements in one")
        if len(raw) - at < 8:
            raise DamageError("damaged: it ends within the head of an element")
        kind, size = np.frombuffer(raw, f"{order}u4", 2, at).tolist()
        start = at + 8
        if kind >> 16:  # up to four bytes stand in the head itself
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise DamageError(f"damaged: a short element of {size} bytes")
        if start + size > len(raw):
            raise DamageError(f"damaged or cut short: an element of {size} bytes ends behind the file")
        found.append(Element(kind, raw[start : start + size]))
        packed = kind == COMPRESSED or start == at + 4
        at = max(at + 8, start + size if packed else start + -(-size // 8) * 8)
    return found


def unpacked(found: list[Element], order: str) -> Iterator[Element]:
    """The elements with those that are compressed unfolded, together no more than a file may have."""
    room = MAX_BYTES
    for element in found:
        if element.kind != COMPRESSED:
            yield element
            continue
        stream = zlib.decompressobj()
        try:
            raw = stream.decompress(element.body, room + 1)  # 0 would mean without end
        except zlib.error as error:
            raise DamageError(f"damaged: {error}") from None
        if len(raw) > room:
            raise DamageError(f"it unfolds to more than {MAX_BYTES >> 20} MiB")
        if not stream.eof:
            raise DamageError("damaged: a compressed element is cut short")
        room -= len(raw)
        yield from elements(memoryview(raw), order)


def head(element: Element, order: str) -> Array:
    """What stands in front of an array: its class, its shape, its name."""
    parts = elements(element.body, order)
    if len(parts) < 3 or len(parts[0].body) < 4:
        raise DamageError("damaged: an array without class, shape and name")
    flags = int(values(Element(6, parts[0].body[:4]), order)[0])
    kind = flags & 0xFF if not flags & COMPLEX else 0
    if parts[1].kind != SHAPE:
        raise DamageError(f"damaged: an array whose shape is of kind {parts[1].kind}, and not {SHAPE}")
    shape = tuple(values(parts[1], order).tolist())
    if min(shape, default=-1) < 0:
        raise DamageError(f"damaged: an array whose shape is {shape}")
    name = bytes(parts[2].body).decode("latin-1")
    return Array(name, kind, shape, parts[3:])


def cells(array: Array) -> list[Element]:
    """The arrays in a cell, as many as its shape says."""
    if array.kind != CELL:
        raise DamageError(f"{array.name} is no cell of matrices (of Python: a NumPy array of dtype object)")
    if math.prod(array.shape) != len(array.rest):
        raise DamageError(
            f"damaged: {array.name} has {len(array.rest)} cells, and its shape is {array.shape}"
        )
    return array.rest


def matrix(element: Element, order: str, name: str) -> npt.NDArray[Any]:
    """A real matrix, as it stands in a cell."""
    if element.kind != MATRIX:
        raise DamageError(f"damaged: a cell of {name} is no array")
    array = head(element, order)
    if array.kind not in NUMERIC or len(array.shape) != 2 or len(array.rest) != 1:
        raise DamageError(f"{name} has a cell that is no matrix of real numbers")
    found = values(array.rest[0], order)
    if math.prod(array.shape) != len(found):
        raise DamageError(
            f"damaged: a matrix of {name} has {len(found)} numbers, and its shape is {array.shape}"
        )
    return found.reshape(array.shape, order="F")


def values(element: Element, order: str) -> npt.NDArray[Any]:
    """The numbers of an element."""
    form = NUMBERS.get(element.kind)
    if form is None:
        raise DamageError(f"damaged: an element of kind {element.kind} where numbers should stand")
    if len(element.body) % int(form[1]):
        raise DamageError(f"damaged: {len(element.body)} bytes are no whole {form[1]}-byte numbers")
    return np.frombuffer(element.body, order + form)
