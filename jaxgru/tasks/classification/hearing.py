"""What the task `speech` listens to: its table [data], and the files that a trained model is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxgru.data import DataError, sound, tsfiles
from jaxgru.data import text as texts
from jaxgru.data.filenames import Pattern, Rule, Split
from jaxgru.data.mel import LogMel
from jaxgru.tasks.options import keep_path
from jaxgru.training.config import option
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from jaxgru.data.sound import Floats

NUMBER = "the number of an utterance of the test split"


@dataclass(frozen=True)
class Data:
    """The table [data]: which utterances, for what, and how sound becomes frames."""

    path: str = option("", "a folder of .wav files, or a pair of .ts files; empty: Japanese vowels")
    names: str = option("{label}/{take}", "how .wav files are named below the folder; fields in braces")
    validation: float = option(0.1, "the share of each class in training that chooses", above=0, below=1)
    validation_where: str = option("", "the .wav files that choose, such as speaker=ann; empty: a share")
    test: float = option(
        0.2, "the share that is scored once at the end, where no file is for that", above=0, below=1
    )
    test_where: str = option("", "the .wav files that are scored, such as take=0-4; empty: a share")
    apart: str = option("", "a field, such as speaker, of which no value stands in two parts")
    longest: int = option(
        1000, "frames of an utterance that are read, from its start", at_least=1, at_most=1 << 20
    )
    bands: int = option(40, "log-mel features of a frame of sound", at_least=1, at_most=512)
    window: float = option(0.025, "seconds of sound in a frame", at_least=0.001, at_most=1)
    hop: float = option(0.01, "seconds between the starts of two frames of sound", at_least=0.001, at_most=1)
    lowest: float = option(60.0, "Hz, where the lowest band of sound begins", at_least=0, at_most=100_000)
    highest: float = option(
        0.0, "Hz, where the highest one ends; 0: half the rate", at_least=0, at_most=200_000
    )
    depth: float = option(
        60.0, "dB below the loudest band of an utterance, where sound counts as silence", above=0, at_most=200
    )
    max_padding: float = option(0.2, "the share of padding in a batch to allow", at_least=0, below=1)
    max_shapes: int = option(6, "shapes of batches to allow, each of which compiles", at_least=1, at_most=64)

    def __post_init__(self) -> None:
        """Keep the path whole, for a run is opened from anywhere; refuse rules that are none."""
        keep_path(self)
        _ = self.pattern, self.split

    @property
    def pattern(self) -> Pattern:
        """How .wav files are named."""
        return Pattern(self.names)

    @property
    def split(self) -> Split:
        """Which utterances are for what."""
        chosen, scored = (
            Rule.of(text) if text else None for text in (self.validation_where, self.test_where)
        )
        return Split(self.validation, self.test, chosen, scored, self.apart)

    def features(self, rate: int) -> LogMel:
        """What makes frames of sound with so many samples in a second.

        Raises:
          UserError: the settings do not go together.
        """
        try:
            return LogMel(rate, self.bands, self.window, self.hop, self.lowest, self.highest, self.depth)
        except ValueError as error:
            raise UserError(f"[data] {error}") from None


@dataclass(frozen=True)
class Heard:
    """What was listened to.

    Args:
      name: what to call it.
      labels: the class of each utterance; "" where it is not known.
      frames: of each, (T, C).
      whole: how many frames each had before it was cut.
    """

    name: str
    labels: list[str]
    frames: list[Floats]
    whole: list[int]

    @property
    def cut(self) -> list[str]:
        """A line that says what was not read; none where all was."""
        longest = max(range(len(self.whole)), key=lambda i: self.whole[i])
        read, whole = len(self.frames[longest]), self.whole[longest]
        many = " of an utterance" * (len(self.whole) > 1)
        return [f"only the first {read} of {whole} frames{many} were read"] if read < whole else []


def hear(path: Path, features: LogMel | None, channels: int, longest: int) -> Heard:
    """Reads a file.

    Args:
      path: a .wav file, or a .ts file where the model has learnt from such.
      features: what makes frames of sound; None where the model has learnt from frames.
      channels: C.
      longest: frames of an utterance that are read, from its start.

    Raises:
      DataError: the file cannot be read, or is of another kind than what the model has learnt from.
    """
    kind = path.suffix.lower()
    wanted = ".ts" if features is None else ".wav"
    if kind not in (".ts", ".wav"):
        fault = f"{path}: not {wanted}"
        try:
            with texts.opened(path):
                pass
        except DataError as error:
            fault = str(error)
        raise DataError(f"{fault}; INPUT should be a {wanted} file, or {NUMBER}")
    if kind != wanted:
        learnt = (
            f"{channels} channels of .ts files, not sound" if features is None else "sound, not .ts files"
        )
        raise DataError(f"{path}: the model has learnt from {learnt}; give a {wanted} file, or {NUMBER}")
    if features is not None:
        samples, rate = sound.read(path)
        if rate != features.rate:
            raise DataError(f"{path}: {rate} samples a second, and the model has learnt from {features.rate}")
        return Heard(str(path), [""], [features(samples, longest)], [features.count(len(samples))])
    labels, frames = zip(*tsfiles.read(path), strict=True)
    if frames[0].shape[1] != channels:
        raise DataError(f"{path}: {frames[0].shape[1]} dimensions, and the model has learnt from {channels}")
    return Heard(str(path), [*labels], [each[:longest] for each in frames], [*map(len, frames)])
