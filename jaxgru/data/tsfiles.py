"""Time series of the UCR and UEA archives: .ts files, whose cases have a label and frames of several channels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.checks import did_you_mean
from jaxgru.data import DataError
from jaxgru.data import text as texts
from jaxgru.data.labelled import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MOST_CHANNELS = 4096
MOST_STEPS = 1 << 20
LARGEST = 1e15  # of a value: squares of differences, summed over a case, stay finite in 32 bits
NUMBERS = re.compile(r"[-+.\deE, \t]*", re.ASCII)  # and so no nan, no inf, no 1_000
FLAGS = ("timestamps", "missing", "univariate", "equallength")
COUNTS = ("dimensions", "serieslength")
KNOWN = {
    name.lower(): name
    for name in (
        *("problemName", "timeStamps", "missing", "univariate", "equalLength"),
        *("dimensions", "seriesLength", "classLabel", "targetLabel", "data"),
    )
}

Floats = npt.NDArray[np.float32]


class Case(NamedTuple):
    """One case of a data set: its label, and its frames (T, C)."""

    label: str
    frames: Floats


class Row(NamedTuple):
    """A case as it is written: its label, and its frames (T, C) in 64 bits."""

    label: str
    frames: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Header:
    """What the lines before `@data` say of the cases.

    Args:
      univariate: whether each case has one channel; None if nothing is said.
      equal: whether all cases have as many frames; None likewise.
      channels: how many each has, 0 where nothing is said.
      steps: how many frames each has, 0 likewise.
      classes: the labels there are; None where cases have none.
    """

    univariate: bool | None = None
    equal: bool | None = None
    channels: int = 0
    steps: int = 0
    classes: tuple[str, ...] | None = None


class FaultError(Exception):
    """What is wrong with a line, in words."""


def read(path: str | Path) -> list[Case]:
    """The cases of a .ts file, in its order.

    A line is a case: the values of a channel between commas, the channels between colons, the label last. What
    the header says of the channels, the frames and the labels has to be so.

    Args:
      path: a UTF-8 file, plain or gzip.

    Returns:
      One case for each line, one at least, all with as many channels. Where the header says that there are no
      labels, each is "".

    Raises:
      DataError: `jaxgru.data.text.read` refuses the file; it has time stamps, missing values or targets that are
        numbers; a line is not as said here; or 32 bits do not hold a channel. The message names the file, the
        line and the fault.

    Example:
      >>> read("no/such/file.ts")
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/file.ts: no such file

    References: Bagnall et al. 2018 (arXiv:1811.00075), whose archive has these files.
    """
    text = texts.read(path)
    lines = text.split(texts.line_end(text))
    tags: dict[str, list[str]] = {}
    rows: list[Row] = []
    head: Header | None = None
    for number, line in enumerate(lines, 1):
        try:
            if head is not None:
                rows += row(line, head, rows)
            elif "data" in (found := tag(line, tags)):
                head = header(tags)
            else:
                tags |= found
        except FaultError as fault:
            raise DataError(f"{path}: line {number}: {fault}") from None
    if head is None:
        raise DataError(
            f"{path}: {'it has no line @data' if tags else 'not a .ts file: no line begins with @'}"
        )
    if not rows:
        raise DataError(f"{path}: no case after the line @data")
    try:
        return narrowed(rows)
    except FaultError as fault:
        raise DataError(f"{path}: {fault}") from None


def tag(line: str, before: dict[str, list[str]]) -> dict[str, list[str]]:
    """The name of a line of the header, in lower case, with its words; nothing for a comment."""
    line = line.strip()
    if not line or line.startswith("#"):
        return {}
    if not line.startswith("@"):
        raise FaultError(f"a line before @data should begin with @ or #: {short(line)}")
    name, *words = line[1:].split() or [""]
    key = name.lower()
    if key not in KNOWN:
        raise FaultError(f"unknown tag {short('@' + name)}; {did_you_mean(name, [*KNOWN.values()])}")
    if key in before:
        raise FaultError(f"@{KNOWN[key]} stands there a second time")
    check_tag(key, words)
    return {key: words}


def check_tag(key: str, words: Sequence[str]) -> None:
    """Refuses words that a tag cannot have, and what is not read."""
    name, said = "@" + KNOWN[key], " ".join(words)
    if key == "targetlabel" and said.lower() != "false":
        raise FaultError(f"{name}: the targets are numbers, not classes")
    if key in FLAGS and said.lower() not in ("true", "false"):
        raise FaultError(f"{name} should be true or false, not {short(said)}")
    if key == "timestamps" and said.lower() == "true":
        raise FaultError(f"{name} true: values with time stamps are not read; the steps should be equal")
    if key in COUNTS and not (re.fullmatch("[0-9]{1,9}", said) and int(said)):
        raise FaultError(f"{name} should be a whole number of 1 or more, not {short(said)}")
    if key == "dimensions" and int(said) > MOST_CHANNELS:
        raise FaultError(f"{name} {said}: there can be {MOST_CHANNELS}")
    if key == "classlabel" and (not words or words[0].lower() not in ("true", "false")):
        raise FaultError(f"{name} should be false, or true and the labels, not {short(said)}")
    if key == "classlabel" and len({*words[1:]}) < len(words[1:]):
        raise FaultError(f"{name} has a label twice")
    if key == "classlabel" and (words[0].lower() == "true") != bool(words[1:]):
        raise FaultError(f"{name} {short(said)}: labels stand behind true, and behind true alone")


def header(tags: dict[str, list[str]]) -> Header:
    """What the tags say together.

    Raises:
      FaultError: one univariate, and several dimensions.
    """
    flags = {name: tags[name][0].lower() == "true" if name in tags else None for name in FLAGS}
    counts = {name: int(tags[name][0]) if name in tags else 0 for name in COUNTS}
    channels = counts["dimensions"]
    if flags["univariate"] and channels > 1:
        raise FaultError(f"@univariate true, but @dimensions {channels}")
    if flags["univariate"]:
        channels = 1
    labels = tags.get("classlabel", ["false"])
    classes = tuple(labels[1:]) if labels[0].lower() == "true" else None
    return Header(flags["univariate"], flags["equallength"], channels, counts["serieslength"], classes)


def row(line: str, head: Header, before: Sequence[Row]) -> list[Row]:
    """The case of a line; none of a comment, or of an empty line.

    Args:
      line: as it stands.
      head: what all cases are like.
      before: the cases of the lines before it.
    """
    line = line.strip()
    if not line or line.startswith("#"):
        return []
    *fields, label = line.split(":") if head.classes is not None else [*line.split(":"), ""]
    label = label.strip()
    if head.classes is not None and label not in head.classes:
        raise FaultError(f"the label {short(label)} is none of @classLabel")
    if not fields:
        raise FaultError(f"no values before the label {short(label)}")
    if len(fields) > MOST_CHANNELS:
        raise FaultError(f"{len(fields)} dimensions; there can be {MOST_CHANNELS}")
    channels = head.channels or (before[0].frames.shape[1] if before else len(fields))
    if len(fields) != channels:
        raise FaultError(f"{len(fields)} dimensions between colons, and not {channels}")
    columns = [values(field, f"dimension {i}") for i, field in enumerate(fields, 1)]
    steps = len(columns[0])
    for i, column in enumerate(columns, 1):
        if len(column) != steps:
            raise FaultError(f"dimension {i} has {len(column)} values, and dimension 1 has {steps}")
    if head.steps and head.equal is not False and steps != head.steps:
        raise FaultError(f"{steps} values of a dimension, but @seriesLength {head.steps}")
    if head.equal and before and steps != len(before[0].frames):
        raise FaultError(
            f"{steps} values of a dimension, but @equalLength true, and {len(before[0].frames)} above"
        )
    return [Row(label, np.stack(columns, 1))]


def values(field: str, name: str) -> npt.NDArray[np.float64]:
    """The numbers (T,) of a dimension."""
    words = field.split(",")
    if len(words) > MOST_STEPS:
        raise FaultError(f"{name} has {len(words)} values; there can be {MOST_STEPS}")
    try:
        found = np.array([float(word) for word in words]) if NUMBERS.fullmatch(field) else None
    except ValueError:
        found = None
    if found is None or (np.abs(found) > LARGEST).any():
        raise FaultError(f"{name}, {next(faults(words))}")
    return found


def narrowed(rows: Sequence[Row]) -> list[Case]:
    """Cases in 32 bits.

    Raises:
      FaultError: that takes more than a hundredth of what a channel's values differ by.
    """
    found = [Case(label, frames.astype(np.float32)) for label, frames in rows]
    low = np.min([frames.min(0) for _, frames in rows], 0)
    span = np.max([frames.max(0) for _, frames in rows], 0) - low
    pairs = zip(rows, found, strict=True)
    lost = np.max([np.abs(wide.frames - narrow.frames).max(0) for wide, narrow in pairs], 0)
    for i in np.flatnonzero((lost > 0.01 * span) & (span > 0))[:1]:
        mend = "take its mean off, or scale it, in all files"
        what = f"its values, about {low[i]:g}, differ by {span[i]:g} at most, which 32 bits do not hold"
        raise FaultError(f"dimension {i + 1}: {what}: {mend}")
    return found


def faults(words: Sequence[str]) -> Iterator[str]:
    """Which of the values of a dimension are wrong, and why."""
    for i, word in enumerate(words, 1):
        if word.strip() == "?":
            yield f"value {i} is missing (?): fill it in, or leave the case out"
        try:
            if not NUMBERS.fullmatch(word):
                yield f"value {i} is no number: {short(word)}"
            elif abs(float(word)) > LARGEST:
                yield f"value {i} is {short(word)}; values lie within ±{LARGEST:g}"
        except ValueError:
            yield f"value {i} is no number: {short(word)}"
