"""Labelled images: pixels with a class, from idx files or a table, and which of them are for what."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError, idx, tables
from jaxgru.data import text as texts
from jaxgru.data.labelled import short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME = re.compile(r"(?:.+[-_])?(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(?:\.gz)?")
LABEL = ("label", "class", "target", "digit")  # what a table calls the column of the classes
SCALES = 1, 16, 255  # what a pixel of full strength is in tables and files
SPLIT = 20_260_301  # what the split of a table is drawn from, whatever the seed of a run

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.integer]


class Part(NamedTuple):
    """Images (N, H, W), and the class (N,) of each."""

    pixels: Pixels
    labels: Labels

    def take(self, rows: Ints | npt.NDArray[np.bool_]) -> Part:
        """Some of the images."""
        return Part(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class Images:
    """The images of a data set, by what they are for.

    Args:
      source: where they are from.
      train: what a model learns from.
      validation: what chooses.
      test: what is scored once.
      repeated: how many were left out, as their pixels had come before.
      leaked: how many were left out of the training images, as their pixels stand in the test, which stays whole.
    """

    source: str
    train: Part
    validation: Part
    test: Part
    repeated: int = 0
    leaked: int = 0

    @classmethod
    def of(cls, source: str, train: Part, test: Part | float, validation: float) -> Self:
        """Leaves out what stands twice, and splits.

        Of training images with the same pixels the first stays, whatever their labels.

        Args:
          source: where they are from.
          train: the images that are not for the test.
          test: those that are; or the share of each class that is to be drawn from the others.
          validation: the share of each class of the training images that chooses, drawn as well.

        Raises:
          DataError: a part has no image, or no class to know.
        """
        keys = [image.tobytes() for image in train.pixels]
        first = {key: row for row, key in reversed([*enumerate(keys)])}
        kept = sorted(first.values())
        repeated, leaked = len(keys) - len(kept), 0
        if isinstance(test, Part):
            scored = {image.tobytes() for image in test.pixels}
            apart = [row for row in kept if keys[row] not in scored]
            kept, leaked = apart, len(kept) - len(apart)
            rest = train.take(np.array(kept, np.int64))
        else:
            rest, test = drawn(train.take(np.array(kept, np.int64)), test)
        data = cls(source, *drawn(rest, validation), test, repeated, leaked)
        if fault := data.fault():
            raise DataError(f"{source}: {fault}")
        return data

    def fault(self) -> str:
        """Why nothing can be learnt or scored, in words; "" if it can."""
        known = {*self.train.labels.tolist()}
        for name in ("train", "validation", "test"):
            part: Part = getattr(self, name)
            if not len(part.labels):
                mend = f": raise data.{name}, or have more of each class" * (name != "train")
                return f"no image is left for {name}{mend}"
            if unknown := {*part.labels.tolist()} - known:
                return f"{name} has the class {min(unknown)}, and no image to train on is of it"
        if len(known) < 2:
            return f"one class only, {min(known)}: there is nothing to tell apart"
        if len(self.train.labels) < 2 * len(known):
            return (
                f"{len(known)} classes and {len(self.train.labels)} images to train on: a class needs several"
            )
        return ""

    @property
    def classes(self) -> list[str]:
        """The labels of the training images, in order."""
        return [str(label) for label in np.unique(self.train.labels)]

    @property
    def highest(self) -> int:
        """What a pixel of full strength is: the first of 1, 16 and 255 that no training pixel is above."""
        return next(scale for scale in SCALES if self.train.pixels.max() <= scale)

    @property
    def sha256(self) -> str:
        """The SHA-256 of all images as they were split, in hexadecimal: it tells what a run saw."""
        digest = hashlib.sha256()
        for pixels, labels in (self.train, self.validation, self.test):
            digest.update(f"{pixels.shape}\n".encode() + pixels.tobytes() + labels.tobytes())
        return digest.hexdigest()


def drawn(part: Part, share: float) -> tuple[Part, Part]:
    """Takes a share of each class, at random and always the same.

    Args:
      part: the images.
      share: of each class, rounded to whole images.

    Returns:
      What is left, and what was taken; both keep their order.

    Example:
      >>> part = Part(np.arange(40, dtype=np.uint8).reshape(10, 2, 2), np.arange(10, dtype=np.uint8) % 2)
      >>> [found.labels.tolist() for found in drawn(part, 0.4)]
      [[0, 1, 1, 0, 1, 0], [0, 1, 0, 1]]
    """
    random = np.random.default_rng(SPLIT)
    taken = np.zeros(len(part.labels), bool)
    for label in np.unique(part.labels):
        rows = random.permutation(np.flatnonzero(part.labels == label))
        taken[rows[: round(share * len(rows))]] = True
    return part.take(~taken), part.take(taken)


def load(
    path: Path, source: str = "", *, validation: float, test: float, label: str = "auto", width: int = 0
) -> Images:
    """Reads a folder of idx files, which has its test, or a table, of which a share is the test.

    Args:
      path: a folder with the four files of MNIST; or a table of pixels, a row for each image.
      source: what to call it; by default its path.
      validation: the share of each class of the training images that chooses.
      test: the share of each class of a table that is scored.
      label: which column of a table has the classes, see `table`.
      width: pixels in a row of an image of a table, see `table`.

    Raises:
      DataError: the files are not as said here, or a part has no image.

    Example:
      >>> from pathlib import Path
      >>> load(Path("no/such/mnist.csv"), validation=0.1, test=0.2)
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/mnist.csv: no such file
    """
    source = source or str(path)
    if not texts.is_folder(path):
        if NAME.fullmatch(path.name):
            raise DataError(f"{path}: one of four idx files; give the folder they stand in")
        return Images.of(source, table(path, label, width), test, validation)
    files = members(path)
    train, scored = (pair(files[name, "images"], files[name, "labels"]) for name in ("train", "t10k"))
    sizes = ["{} × {}".format(*part.pixels.shape[:0:-1]) for part in (train, scored)]
    if sizes[0] != sizes[1]:
        theirs = files["train", "images"].name
        raise DataError(
            f"{files['t10k', 'images']}: images of {sizes[1]} pixels, and those of {theirs} have {sizes[0]}"
        )
    return Images.of(source, train, scored, validation)


def members(folder: Path) -> dict[tuple[str, str], Path]:
    """The idx files of a folder, by ("train" or "t10k", "images" or "labels").

    Raises:
      DataError: one of the four is not there, or more than once.
    """
    found: dict[tuple[str, str], list[Path]] = {}
    for entry in texts.entries(folder):
        if name := NAME.fullmatch(entry.name):
            found.setdefault(("train" if name[1] == "train" else "t10k", name[2]), []).append(entry)
    files = {}
    for part in ("train", "t10k"):
        for what, axes in (("images", 3), ("labels", 1)):
            file = texts.only(folder, found.get((part, what), []), f"the {what} of {part}")
            if file is None:
                wanted = f"{part}-{what}-idx{axes}-ubyte"
                raise DataError(
                    f"{folder}: no file of the {what} of {part}: it should be {wanted} or {wanted}.gz"
                )
            files[part, what] = file
    return files


def pair(images: Path, labels: Path) -> Part:
    """The images of one idx file with the labels of another."""
    part = Part(idx.read(images, 3), idx.read(labels, 1))
    counts = idx.many(len(part.labels), "label"), idx.many(len(part.pixels), "image")
    if len(part.labels) != len(part.pixels):
        raise DataError(f"{labels}: {counts[0]}, and {images.name} has {counts[1]}")
    return part


def table(path: Path, label: str = "auto", width: int = 0) -> Part:
    """The images of a table: a row for each, with its class and its pixels, line by line, from 0 to 255.

    Args:
      path: a UTF-8 file, plain or gzip, whose cells commas, semicolons, tabs or bars part. Its first row may name the
        columns.
      label: where the class stands, "first" or "last"; "auto" is the column that is named label, class, target or
        digit, or else the last.
      width: W; 0 if the images are square.

    Raises:
      DataError: `jaxgru.data.text.read` refuses the file, or a row is not as said here. The message names the file,
        the line and the fault.
    """
    text = texts.read(path)
    mark = tables.delimiter(text)
    rows: list[bytes] = []
    names: list[str] = []
    for number, line in enumerate(text.split(texts.line_end(text)), 1):
        if not line.strip():
            continue
        cells = line.split(mark)
        before = len(rows[0]) if rows else len(names)
        if before and len(cells) != before:
            raise DataError(f"{path}: line {number}: {tables.cells(len(cells))}, and {before} before it")
        if not before and (names := header(cells)):
            continue
        rows.append(numbers(path, number, cells))
    if not rows:
        raise DataError(f"{path}: no row with an image")
    values = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
    count = values.shape[1] - 1
    wide = width or math.isqrt(count)
    if not count or count % wide or (not width and wide**2 != count):
        fault = (
            f"no whole number of rows of {width}"
            if width
            else "no square: say in data.width how many are in a row"
        )
        raise DataError(f"{path}: {tables.cells(count + 1)} in a row: a class, and {count} pixels, {fault}")
    place = named(path, names) if label == "auto" else {"first": 0, "last": count}[label]
    pixels = np.delete(values, place, axis=1).reshape(len(rows), -1, wide)
    return Part(pixels, values[:, place].copy())


def header(cells: Sequence[str]) -> list[str]:
    """The names of the columns where a row has them: none is a number, or one is a name that classes have.

    Example:
      >>> header(["label", "0", "1"]), header(["7", "0", "1"])
      (['label', '0', '1'], [])
    """
    names = [cell.strip().strip('"').lower() for cell in cells]
    return names if any(name in LABEL for name in names) or not any(map(tables.is_value, cells)) else []


def numbers(path: Path, number: int, cells: Sequence[str]) -> bytes:
    """A row of a table as bytes."""
    try:
        if all(map(str.isascii, cells)) and not any("_" in cell for cell in cells):
            return bytes(map(int, cells))
    except (ValueError, OverflowError):
        pass  # said below
    place, cell = next((i, cell) for i, cell in enumerate(cells, 1) if not is_byte(cell))
    raise DataError(f"{path}: line {number}, cell {place}: {short(cell)} is no whole number from 0 to 255")


def is_byte(cell: str) -> bool:
    """Whether a cell is a whole number from 0 to 255.

    Example:
      >>> [is_byte(cell) for cell in (" 7", "255", "256", "1.5", "")]
      [True, True, False, False, False]
    """
    return bool(re.fullmatch(r"\s*\+?0{0,9}\d{1,3}\s*", cell, re.ASCII)) and int(cell) < 256


def named(path: Path, names: Sequence[str]) -> int:
    """Which column has the classes, by its name; the last where none is named so."""
    found = [place for place, name in enumerate(names) if name in LABEL]
    if len(found) > 1:
        raise DataError(
            f"{path}: two columns could have the classes, {names[found[0]]} and {names[found[1]]}"
        )
    return found[0] if found else -1
