"""Labelled utterances: frames of several channels with a class, from .ts or .wav files, and which are for what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError, sound, tsfiles
from jaxgru.data import text as texts
from jaxgru.data.filenames import Record
from jaxgru.data.labelled import MOST, drawn, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jaxgru.data.filenames import Pattern, Split
    from jaxgru.data.mel import LogMel

MOST_FILES = 200_000
TRAIN, TEST = "_TRAIN.ts", "_TEST.ts"

Floats = npt.NDArray[np.float32]


class Utterance(NamedTuple):
    """One utterance: where it stands, its class, and its frames (T, C)."""

    name: str
    label: str
    frames: Floats


@dataclass(frozen=True)
class Utterances:
    """The utterances of a data set, by what they are for.

    Args:
      source: where they are from.
      rate: samples in a second of the sound they are of; 0 where they came as frames.
      train: what a model learns from.
      validation: what chooses.
      test: what is scored once.
      repeated: how many were left out of the first two, as their frames had come before.
      leaked: how many were left out of the test, as their frames stand in the other two.
    """

    source: str
    rate: int
    train: list[Utterance]
    validation: list[Utterance] = field(default_factory=list)
    test: list[Utterance] = field(default_factory=list)
    repeated: int = 0
    leaked: int = 0

    @classmethod
    def of(cls, source: str, rate: int, parts: dict[str, list[Utterance]]) -> Self:
        """Leaves out what stands twice, and refuses parts of which nothing can be learnt or scored.

        Of utterances with the same frames the first stays, whatever their labels.

        Raises:
          DataError: a part has no utterance, or no class to know.
        """
        seen: set[bytes] = set()
        train, validation, test = (distinct(parts[name], seen) for name in ("train", "validation", "test"))
        counts = {name: len(part) for name, part in parts.items()}
        repeated = counts["train"] + counts["validation"] - len(train) - len(validation)
        data = cls(source, rate, train, validation, test, repeated, counts["test"] - len(test))
        if fault := data.fault():
            raise DataError(f"{source}: {fault}")
        return data

    def fault(self) -> str:
        """Why nothing can be learnt or scored, in words; "" if it can."""
        classes = self.classes
        for name in ("train", "validation", "test"):
            if not (part := getattr(self, name)):
                mend = f": raise data.{name}, or have more of each class" * (name != "train")
                return f"no utterance is left for {name}{mend}"
            for each in part:
                if each.label not in classes:
                    return f"{name} has the class {short(each.label)}, and no utterance to train on is of it"
        if len(classes) < 2:
            return f"one class only, {short(classes[0])}: there is nothing to tell apart"
        if len(classes) > MOST:
            return f"{len(classes)} classes; there can be {MOST}"
        if len(self.train) < 2 * len(classes):
            return (
                f"{len(classes)} classes and {len(self.train)} utterances to train on: a class needs several"
            )
        return ""

    @property
    def classes(self) -> list[str]:
        """The labels of the training utterances, in order: numbers by their size."""
        labels = {each.label for each in self.train}
        return sorted(labels, key=lambda label: (len(label) if label.isdecimal() else 0, label))

    @property
    def sha256(self) -> str:
        """The SHA-256 of all utterances as they were split, in hexadecimal: it tells what a run saw."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            digest.update(f"{len(part)}\n".encode())
            for each in part:
                digest.update(f"{each.label}\n{each.frames.shape}\n".encode() + each.frames.tobytes())
        return digest.hexdigest()


def distinct(utterances: Iterable[Utterance], seen: set[bytes]) -> list[Utterance]:
    """The first of the utterances with the same frames, without those seen before; what they are is added to it."""
    found = []
    for each in utterances:
        key = hashlib.sha256(repr(each.frames.shape).encode() + each.frames.tobytes()).digest()
        if key not in seen:
            seen.add(key)
            found.append(each)
    return found


def load(
    path: Path, source: str, split: Split, pattern: Pattern, longest: int, features: Callable[[int], LogMel]
) -> Utterances:
    """Reads a file or a folder, and splits it by rule.

    Args:
      path: a .ts file; either of a pair whose names end in _TRAIN.ts and _TEST.ts; a folder with such a pair; or a
        folder of .wav files.
      source: what to call it.
      split: how; a pair has its test.
      pattern: how .wav files are named.
      longest: frames of an utterance that are read, from its start.
      features: makes frames of sound, given the samples in a second.

    Raises:
      DataError: the files are not as said here, or a part has no utterance.
    """
    if texts.is_folder(path):
        entries = texts.entries(path)
        trained = texts.only(path, [entry for entry in entries if entry.name.endswith(TRAIN)], "train")
        if trained is None and any(entry.suffix == ".ts" for entry in entries):
            raise DataError(f"{path}: no file for train: its name should end in {TRAIN}")
        if trained is None:
            return load_sounds(path, source, split, pattern, longest, features)
        path = trained
    elif path.suffix.lower() == ".wav":
        raise DataError(f"{path}: one .wav file; there should be a folder of them")
    if asked := split.rules():
        raise DataError(f"{path}: data.{next(iter(asked))} asks for what the names of .wav files say")
    return load_series(path, source, split, longest)


def load_series(path: Path, source: str, split: Split, longest: int) -> Utterances:
    """Reads a .ts file, and the other of its pair if its name says that there is one."""
    if path.name.endswith((TRAIN, TEST)):
        name = path.name.removesuffix(TRAIN).removesuffix(TEST)
        first, second = path.with_name(name + TRAIN), path.with_name(name + TEST)
        train, test = cases(first, longest), cases(second, longest)
        channels = [part[0].frames.shape[1] for part in (train, test)]
        if channels[0] != channels[1]:
            raise DataError(f"{second}: {channels[1]} dimensions, and {first.name} has {channels[0]}")
    else:
        train, test = drawn(cases(path, longest), split.test)
    train, validation = drawn(train, split.validation)
    return Utterances.of(source, 0, {"train": train, "validation": validation, "test": test})


def cases(path: Path, longest: int) -> list[Utterance]:
    """The cases of a .ts file, which have labels."""
    found = [
        Utterance(f"case {number} of {path.name}", label, frames[:longest])
        for number, (label, frames) in enumerate(tsfiles.read(path))
    ]
    if not found[0].label:
        raise DataError(f"{path}: its cases have no labels: @classLabel should be true, with their names")
    return found


def load_sounds(
    path: Path, source: str, split: Split, pattern: Pattern, longest: int, features: Callable[[int], LogMel]
) -> Utterances:
    """Reads a folder of .wav files, all of one rate."""
    found = records(path, pattern)
    for name, asked in split.rules().items():
        if asked not in pattern.names:
            mend = f"data.names has {', '.join(pattern.names)}"
            raise DataError(f"data.{name} asks for the field {asked}, and {mend}")
    try:
        divided = split(found)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    first = found[0].path
    rate = sound.read(first).rate
    to_frames = features(rate)
    parts: dict[str, list[Utterance]] = {}
    for name, part in divided.items():
        parts[name] = []
        for record in part:
            samples, own = sound.read(record.path)
            if own != rate:
                mend = "resample them to one rate"
                raise DataError(f"{record.path}: {own} samples a second, and {first} has {rate}; {mend}")
            where = record.path.relative_to(path).as_posix()
            parts[name].append(Utterance(where, record.label, to_frames(samples, longest)))
    return Utterances.of(source, rate, parts)


def records(path: Path, pattern: Pattern) -> list[Record]:
    """The .wav files below a folder, in order, with what their names say."""
    found = []
    for file in texts.below(path):
        if file.suffix.lower() != ".wav":
            continue
        name = file.relative_to(path).with_suffix("").as_posix()
        fields = pattern.fields(name)
        if fields is None:
            example = "{label}_{take}" if "_" in name else "{label}-{take}"
            mend = f"say in data.names how files are named, such as data.names={example}"
            raise DataError(f"{file}: its name is not {pattern.text} below {path}; {mend}")
        found.append(Record(file, fields))
        if len(found) > MOST_FILES:
            raise DataError(f"{path}: more than {MOST_FILES} .wav files")
    if not found:
        raise DataError(f"{path}: neither a pair of .ts files, *{TRAIN} and *{TEST}, nor .wav files")
    return sorted(found, key=lambda record: record.path)
