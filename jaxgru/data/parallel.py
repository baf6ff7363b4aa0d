"""Parallel texts: pairs of a text and its translation, and which of them are for what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from jaxgru.data import DataError, catalogues, fetch
from jaxgru.data import text as texts
from jaxgru.data.tokens import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PARTS = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
ENDS = ("", ".txt", ".gz", ".txt.gz")
FETCHED = ("gramps", "indico")
ENGLISH, OTHERS = "en", ("de", "fr", "es")  # of the ids in what is fetched, and of the translations


class Pair(NamedTuple):
    """A text and its translation, each one line with single spaces."""

    source: str
    target: str


def key(text: str) -> str:
    """What texts have in common that are too much alike to be in two parts: words, whatever stands between.

    Example:
      >>> key("_Save  <b>%(name)s</b> as…"), key("...")
      ('save as', '...')
    """
    found = pieces(text.casefold().replace("_", ""))
    return " ".join(piece.text for piece in found if piece.begins_word) or text


def part(text: str, validation: float, test: float) -> str:
    """What a text is for, drawn by the SHA-256 of its key: whatever else there is, and in whatever order.

    Example:
      >>> [part(text, validation=0.2, test=0.3) for text in ("Save", "_save:", "Quit")]
      ['test', 'test', 'train']
    """
    drawn = int.from_bytes(hashlib.sha256(key(text).encode()).digest()[:6], "big") / 2**48
    return "test" if drawn < test else "validation" if drawn < test + validation else "train"


def unlike(pairs: Iterable[Pair], besides: Iterable[Pair]) -> list[Pair]:
    """The first of the pairs whose sources have the same key, without those whose source is among `besides`.

    Example:
      >>> unlike([Pair("Save", "Sichern"), Pair("save:", "sichern:"), Pair("No", "Nein")], [Pair("no", "nicht")])
      [Pair(source='Save', target='Sichern')]
    """
    seen = {key(source) for source, _ in besides}
    found: dict[str, Pair] = {}
    for pair in pairs:
        if (name := key(pair.source)) not in seen:
            found.setdefault(name, pair)
    return list(found.values())


def members(folder: Path, languages: tuple[str, str]) -> dict[str, list[Path]]:
    """The two files of parallel text for "train", and perhaps those for "validation" and "test".

    Raises:
      DataError: there are none for the first, one stands alone, or one part has several.
    """
    entries = [path for path in texts.entries(folder) if path.is_file()]
    found = {}
    for name, starts in PARTS.items():
        sides: list[Path] = []
        for language in languages:
            ends = tuple(mark + language + end for mark in "._-" for end in ENDS)
            files = [path for path in entries if path.name.startswith(starts) and path.name.endswith(ends)]
            if file := texts.only(folder, files, name):
                sides.append(file)
        if len(sides) == 1:
            raise DataError(
                f"{folder}: {sides[0].name} is there for {name}, but not in both {' and '.join(languages)}"
            )
        if sides:
            found[name] = sides
    if "train" not in found:
        wanted = " and ".join(f"train.{language}" for language in languages)
        raise DataError(
            f"{folder}: no texts for train: there should be {wanted}, plain or .gz, or catalogues, .mo"
        )
    return found


def aligned(files: Sequence[Path]) -> list[Pair]:
    """The pairs of two files, line by line; a line that is empty in either is left out.

    Where a file has no line feed, carriage returns end its lines; elsewhere they are white space.

    Raises:
      DataError: `jaxgru.data.text.read` refuses a file, or they have different numbers of lines.
    """
    sides = []
    for path in files:
        text = texts.read(path)
        end = texts.line_end(text)
        sides.append([" ".join(line.split()) for line in text.removesuffix(end).split(end)])
    sources, targets = sides
    if len(sources) != len(targets):
        what = f"{len(sources)} lines, {files[1].name} has {len(targets)}; each should translate one of the other"
        raise DataError(f"{files[0]}: {what}")
    return [Pair(*pair) for pair in zip(sources, targets, strict=True) if all(pair)]


def translated(folders: Sequence[Path], languages: tuple[str, str]) -> tuple[int, list[Pair]]:
    """The pairs that catalogues hold, and which of the languages, 0 or 1, their ids are in.

    Raises:
      DataError: there are catalogues of both languages, none of them English, or of none; or one cannot be read.
    """
    pairs = []
    for folder in folders:
        found = [catalogues.members(folder, language) for language in languages]
        if all(found) and ENGLISH in languages:
            found[languages.index(ENGLISH)] = []
        if bool(found[0]) == bool(found[1]):
            which = " and ".join(languages) if found[0] else f"neither {' nor '.join(languages)}"
            raise DataError(
                f"{folder}: catalogues of {which}; there should be those of one, with ids in the other"
            )
        pairs += [pair for path in found[0] or found[1] for pair in catalogues.usable(path)]
        ids = 1 if found[0] else 0
    return ids, [Pair(*pair) if ids == 0 else Pair(*pair[::-1]) for pair in pairs]


def read(path: Path | None, languages: tuple[str, str]) -> tuple[int, dict[str, list[Pair]]]:
    """Which of the languages decides what a pair is for, and the pairs of the files for each part."""
    if path is None:
        if sorted(languages) not in [sorted([ENGLISH, other]) for other in OTHERS]:
            known = f"{ENGLISH} and one of {', '.join(OTHERS)}"
            raise DataError(f"{' and '.join(FETCHED)} have {known}, not {' and '.join(languages)}")
        ids, pairs = translated([fetch(name) for name in FETCHED], languages)
        return ids, {"train": pairs}
    if not texts.is_folder(path):
        raise DataError(f"{path}: {'a file, not a folder' if path.exists() else 'no such folder'}")
    if catalogues.among(path):
        ids, pairs = translated([path], languages)
        return ids, {"train": pairs}
    first = ENGLISH if ENGLISH in languages else min(languages)
    return languages.index(first), {name: aligned(files) for name, files in members(path, languages).items()}


@dataclass(frozen=True)
class Parallel:
    """The pairs of a data set, by what they are for.

    Args:
      source: where they are from.
      train: what a model learns from.
      validation: what chooses.
      test: what is scored once.
      repeated: how many were left out, as they or their sources had come before.
      leaked: how many sources of the test stand in training or validation, whatever their case and marks; only
        files for the test can bring such, for they are taken as they are.
    """

    source: str
    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]
    repeated: int
    leaked: int

    @classmethod
    def load(cls, path: Path | None, *, languages: tuple[str, str], validation: float, test: float) -> Self:
        """Reads a folder, and splits it by rule.

        Parts without files of their own are drawn by `part` from the text in one language: that of the ids in
        catalogues; else English; else the first in the alphabet. So both directions are split alike. Equal
        pairs to train on count once; those drawn for validation and test are of different sources, none of
        which stands in a part before. Files for validation and test are taken as they are, so that scores
        can be compared with others.

        Args:
          path: a folder of parallel text, with train.LANGUAGE, perhaps val.LANGUAGE and test.LANGUAGE, plain or
            .gz, in both languages; or of catalogues, with LANGUAGE.mo or LANGUAGE/LC_MESSAGES/*.mo in one of
            them; None for the messages of gramps and indico.
          languages: of the sources and of the targets.
          validation: the share of the texts that is for validation.
          test: the share of the texts that is for the test.

        Raises:
          DataError: the files are not as said here, or a part has no pair.

        Example:
          >>> from pathlib import Path
          >>> Parallel.load(Path("no/such/folder"), languages=("en", "de"), validation=0.05, test=0.1)
          Traceback (most recent call last):
          jaxgru.data.DataError: no/such/folder: no such folder
        """
        side, parts = read(path, languages)
        shares = 0 if "validation" in parts else validation, 0 if "test" in parts else test
        drawn: dict[str, list[Pair]] = {name: [] for name in PARTS}
        for pair in dict.fromkeys(parts["train"]):
            drawn[part(pair[side], *shares)].append(pair)
        train = drawn["train"]
        chosen = unlike(drawn["validation"], besides=train)
        # Of what is drawn nothing may stand in a part before, be it a file or drawn as well.
        scored = unlike(drawn["test"], besides=train + parts.get("validation", chosen))
        repeated = len(parts["train"]) - len(train) - len(chosen) - len(scored)
        chosen, scored = parts.get("validation", chosen), parts.get("test", scored)
        known = {key(source) for source, _ in train + chosen}
        leaked = sum(key(source) in known for source, _ in scored)
        data = cls(str(path or " and ".join(FETCHED)), train, chosen, scored, repeated, leaked)
        if fault := data.fault():
            raise DataError(f"{data.source}: {fault}")
        return data

    def fault(self) -> str:
        """Why nothing can be learnt or scored, in words; "" if it can."""
        for name in PARTS:
            if not getattr(self, name):
                total = len(self.train) + len(self.validation) + len(self.test)
                return f"too few pairs: {total} to be had, and none of them for {name}"
        return ""

    @property
    def sha256(self) -> str:
        """The SHA-256 of all pairs as they were split, in hexadecimal: it tells what a run saw."""
        parts = (self.train, self.validation, self.test)
        return texts.digest([f"{source}\t{target}" for source, target in pairs] for pairs in parts)
