"""Labelled texts: files of `label<TAB>text` lines, their words, and which of them are for what."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, TypeVar

from jaxgru.data import DataError
from jaxgru.data import text as texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
TABLE = ["Category\tText", "d\tstring", "class\t"]  # the header of Orange's tables
MOST = 1000  # classes, each of which has a row in a confusion matrix
SUFFIXES = (".txt", ".tsv", ".tab")
VALIDATION = ("validation", "valid", "dev")


class Example(NamedTuple):
    """A text as its words, and the class it belongs to."""

    label: str
    words: tuple[str, ...]


class HasLabel(Protocol):
    """What belongs to a class."""

    @property
    def label(self) -> str:
        """The class."""


Each = TypeVar("Each", bound=HasLabel)


def tokenise(text: str) -> tuple[str, ...]:
    """The words of a text in lower case; a mark that belongs to no word stands for itself.

    Example:
      >>> tokenise("The bank's rate: 5 pct!")
      ('the', "bank's", 'rate', ':', '5', 'pct', '!')
    """
    return tuple(WORD.findall(text.lower()))


def read(path: str | Path) -> list[Example]:
    """The examples of a file, in its order.

    A line is a label, a tab and a text; empty lines are left out, and so are the three header lines of one
    of Orange's tables.

    Args:
      path: a UTF-8 file, plain or gzip.

    Returns:
      One example for each line, one at least; none is without words.

    Raises:
      DataError: `jaxgru.data.text.read` refuses the file, or a line is not as said here. The message names the
        file, the line and the fault.

    Example:
      >>> read("no/such/file.tsv")
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/file.tsv: no such file
    """
    lines = texts.read(path).split("\n")
    start = len(TABLE) if [line.rstrip("\r") for line in lines[: len(TABLE)]] == TABLE else 0
    examples = []
    for number, line in enumerate(lines[start:], start + 1):
        label, tab, text = line.partition("\t")
        if fault := line_fault(line):
            raise DataError(f"{path}: line {number}: {fault}")
        if tab:
            examples.append(Example(label.strip(), tokenise(text)))
    if not examples:
        raise DataError(f"{path}: no line with a label, a tab and a text")
    return examples


def line_fault(line: str) -> str:
    """What is wrong with a line, in words; "" for nothing, and for a line without anything."""
    label, tab, text = line.partition("\t")
    if tab and not label.strip():
        return "no label before the tab"
    if tab and not text.strip():
        return f"no text behind the label {short(label)}"
    if not tab and line.strip():
        return f"no tab between a label and a text: {short(line)}"
    return ""


def short(text: str, most: int = 40) -> str:
    """The start of a text in quotes, for a message."""
    text = text.strip()
    return repr(text if len(text) <= most else text[: most - 1] + "…")


def drawn(examples: Sequence[Each], share: float) -> tuple[list[Each], list[Each]]:
    """Takes a share of each class by rule: where it is a tenth, every tenth one of the class.

    Args:
      examples: in the order of their file.
      share: of each class, rounded down to whole examples.

    Returns:
      What is left, and what was taken; both keep their order.

    Example:
      >>> rest, taken = drawn([Example(label, (str(i),)) for i, label in enumerate("aabaab")], 0.5)
      >>> [words[0] for _, words in taken]
      ['1', '4', '5']
    """
    seen: Counter[str] = Counter()
    parts: tuple[list[Each], list[Each]] = [], []
    for example in examples:
        before, seen[example.label] = seen[example.label], seen[example.label] + 1
        # A product that should be whole may lie a little below.
        parts[int((before + 1) * share + 1e-9) > int(before * share + 1e-9)].append(example)
    return parts


def distinct(examples: Sequence[Example], besides: Iterable[Example] = ()) -> list[Example]:
    """The first of the examples with the same words, without those whose words are among `besides`.

    Example:
      >>> distinct([Example("a", ("x", "y")), Example("b", ("x", "y")), Example("b", ("y",))])
      [Example(label='a', words=('x', 'y')), Example(label='b', words=('y',))]
    """
    seen = {words for _, words in besides}
    first: dict[tuple[str, ...], Example] = {}
    for example in examples:
        if example.words not in seen:
            first.setdefault(example.words, example)
    return list(first.values())


def members(folder: Path) -> dict[str, Path]:
    """The files of a folder by what they are for: "train", "test" and perhaps "validation".

    Raises:
      DataError: there is none for one of the first two, or more than one.
    """
    entries = [path for path in texts.entries(folder) if path.suffix in SUFFIXES]
    found = {}
    for part, names in {"train": ("train",), "test": ("test",), "validation": VALIDATION}.items():
        file = texts.only(folder, [path for path in entries if path.stem.endswith(names)], part)
        if file:
            found[part] = file
        elif part != "validation":
            wanted = " or ".join(names[0] + suffix for suffix in SUFFIXES)
            raise DataError(f"{folder}: no file for {part}: its name should end in {wanted}")
    return found


@dataclass(frozen=True)
class Labelled:
    """The examples of a data set, by what they are for.

    Args:
      source: where they are from.
      train: what a model learns from.
      validation: what chooses.
      test: what is scored once.
      repeated: how many were left out of the first two, as their words had come before.
      leaked: how many were left out of the test, as their words stand in the other two.
    """

    source: str
    train: list[Example]
    validation: list[Example]
    test: list[Example]
    repeated: int
    leaked: int

    @classmethod
    def load(cls, path: Path, *, validation: float, test: float, source: str = "") -> Self:
        """Reads a file or a folder, and splits it by rule.

        Of texts with the same words the first stays, whatever their labels; of those in a file for the test,
        the ones go whose words stand in training or validation. Parts without a file of their own are drawn
        from the training texts, class by class.

        Args:
          path: a file; or a folder with one whose name ends in train, one in test and at most one in validation,
            valid or dev, before .txt, .tsv or .tab.
          validation: the share of the training texts that is for validation.
          test: the share of the texts that is for the test, before that.
          source: what to call it; by default its path.

        Raises:
          DataError: `read` or `members` refuses the files, or a part has no text, or no class to know.
        """
        parts = {
            name: read(file)
            for name, file in (members(path) if texts.is_folder(path) else {"train": path}).items()
        }
        train = distinct(parts["train"])
        repeated = len(parts["train"]) - len(train)
        train, scored = (train, parts["test"]) if "test" in parts else drawn(train, test)
        if "validation" in parts:
            chosen = distinct(parts["validation"], besides=train)
            repeated += len(parts["validation"]) - len(chosen)
        else:
            train, chosen = drawn(train, validation)
        known = {words for _, words in train + chosen}
        kept = [example for example in scored if example.words not in known]
        data = cls(source or str(path), train, chosen, kept, repeated, len(scored) - len(kept))
        if fault := data.fault():
            raise DataError(f"{path}: {fault}")
        return data

    def fault(self) -> str:
        """Why nothing can be learnt or scored, in words; "" if it can."""
        classes = self.classes
        if len(classes) < 2:
            return f"one class only, {short(classes[0])}: there is nothing to tell apart"
        if len(self.train) < 2 * len(classes):
            mend = "the label comes first, label<TAB>text, and a class has several texts"
            return f"{len(classes)} different labels on {len(self.train)} texts to train on; {mend}"
        if len(classes) > MOST:
            return f"{len(classes)} classes; there can be {MOST}"
        for name, part in (("validation", self.validation), ("test", self.test)):
            if not part:
                return f"too few texts: {len(self.train)} to train on, and none for {name}"
            for label, _ in part:
                if label not in classes:
                    return f"{name} has the class {short(label)}, and none of the texts to train on is of it"
        return ""

    @property
    def classes(self) -> list[str]:
        """The labels of the training texts, in order."""
        return sorted({label for label, _ in self.train})

    @property
    def unscored(self) -> list[str]:
        """The classes to train on that validation or test has no text of."""
        parts = [{label for label, _ in part} for part in (self.validation, self.test)]
        return [label for label in self.classes if not all(label in part for part in parts)]

    @property
    def sha256(self) -> str:
        """The SHA-256 of all examples as they were split, in hexadecimal: it tells what a run saw."""
        parts = (self.train, self.validation, self.test)
        return texts.digest([f"{label}\t{' '.join(words)}" for label, words in part] for part in parts)
