"""Text as words: how it is cut into them and put together again, and which of them are for what."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from jaxgru.data import DataError
from jaxgru.data import text as texts
from jaxgru.data.text import Split
from jaxgru.data.vocabulary import Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

END, UNKNOWN = "<eos>", "<unk>"
WORD = re.compile(r"\w+(?:['’]\w+)*|([^\w\s()\[\]{}])\1+|\(\)|\[\]|{}|[^\w\s]")
BLANK_LINE = re.compile(r"\n\s*\n")
PARTS = {"train": ("train",), "validation": ("valid", "validation", "dev"), "test": ("test",)}
SUFFIXES = (".txt", ".tokens")
CLOSING = frozenset([*".,;:!?)]}%", "()", "[]", "..."])  # no blank before these,
OPENING = frozenset("([{")  # after these,
JOINING = frozenset("-/")  # on either side,
QUOTES = frozenset(["'", '"', "`", "``", "*", "**"])  # within a pair of these


class Tokens(Protocol):
    """A way to cut a text into words, and to write words as a text.

    Attributes:
      end: what `END` stands for in a text.
    """

    end: ClassVar[str]

    def split(self, text: str) -> list[str]:
        """The words of a text, `END` among them."""

    def join(self, words: Iterable[str]) -> str:
        """The text of some words. That of the first of them is its start."""


@dataclass(frozen=True)
class Prose:
    r"""Words, and marks that belong to none; `<eos>` ends a paragraph, and a line break is but a blank.

    Capitals stay. Equal marks beside each other are one word, of three where there are more, such as the line
    below a title; but brackets are not, if not around nothing.

    Example:
      >>> words = Prose().split('It\'s "a" (b-c)\nd.\n\n======')
      >>> " ".join(words)
      'It\'s " a " ( b - c ) d . <eos> === <eos>'
      >>> Prose().join(words)
      'It\'s "a" (b-c) d.\n\n===\n\n'
    """

    end: ClassVar[str] = "\n\n"

    def split(self, text: str) -> list[str]:
        """The words of a text; a paragraph without words is none."""
        words: list[str] = []
        for paragraph in BLANK_LINE.split(text):
            found = [match[0][:3] if match[1] else match[0] for match in WORD.finditer(paragraph)]
            words += [*found, END] if found else []
        return words

    def join(self, words: Iterable[str]) -> str:
        """A text that reads well: blanks stand where marks want them, whatever they were like at first."""
        pieces, last, within, glued = [], "", set[str](), True
        for word in words:
            if word == END:
                pieces.append(self.end)
                within, glued = set(), True
            else:
                closes = word in CLOSING or word in JOINING or word in within
                path = last == "." and (word[0].islower() or word[0] == "_")  # of an attribute, mostly
                call = word == "(" and "_" in last
                pieces.append(word if glued or closes or path or call else " " + word)
                glued = word in OPENING or word in JOINING or (word in QUOTES and word not in within)
                within ^= {word} & QUOTES
            last = word
        return "".join(pieces)


@dataclass(frozen=True)
class Lines:
    r"""What blanks separate, as it stands; `<eos>` ends a line: how files of the Penn Treebank are read.

    Example:
      >>> words = Lines().split(" no it was n't \n <unk> n mr. \n")
      >>> words
      ['no', 'it', 'was', "n't", '<eos>', '<unk>', 'n', 'mr.', '<eos>']
      >>> Lines().join(words)
      "no it was n't\n<unk> n mr.\n"
    """

    end: ClassVar[str] = "\n"

    def split(self, text: str) -> list[str]:
        """The words of a text; an empty line has its `<eos>` as well."""
        return [word for line in text.removesuffix("\n").split("\n") for word in (*line.split(), END)]

    def join(self, words: Iterable[str]) -> str:
        """Words with blanks between them, and lines."""
        pieces, last = [], END
        for word in words:
            pieces.append(self.end if word == END else word if last == END else " " + word)
            last = word
        return "".join(pieces)


def frequent(words: Sequence[str], at_least: int) -> list[str]:
    """`<eos>`, and every word that occurs so often, the most frequent first.

    Args:
      words: those of the training split.
      at_least: how often. `<unk>` is left out: it stands for what is.

    Example:
      >>> frequent(["a", "b", "<eos>", "b", "<unk>", "<unk>", "a", "c"], at_least=2)
      ['<eos>', 'a', 'b']
    """
    return [END, *(word for word in Words.of([words], at_least).words if word not in {END, UNKNOWN})]


def members(folder: Path) -> dict[str, Path]:
    """The files of a folder by what they are for: "train", "validation" and "test".

    Files of characters, which the Penn Treebank has in the same folder, are passed over.

    Raises:
      DataError: there is none for one of them, or more than one.
    """
    entries = [path for path in texts.entries(folder) if path.suffix in SUFFIXES]
    found = {}
    for part, names in PARTS.items():
        files = [path for path in entries if path.stem.endswith(names) and "char" not in path.stem.split(".")]
        file = texts.only(folder, files, part)
        if not file:
            raise DataError(f"{folder}: no file for {part}: its name should end in {names[0]}.txt")
        found[part] = file
    return found


@dataclass(frozen=True)
class WordText:
    """A text as words, where it is from, how it was cut, and its split."""

    source: str
    tokens: Tokens
    words: list[str]
    split: Split

    @classmethod
    def load(cls, path: str, *, repeats: str, validation: float, test: float) -> Self:
        """Reads a text and splits it, by position or as its files are.

        Args:
          path: a file, which is `Prose`; a folder of three files, which are `Lines`; or "" for Python's language
            reference.
          repeats: as in `jaxgru.data.text.Corpus.load`; nothing is dropped from a folder.
          validation: the fraction of a single text's words that is for validation, as in `jaxgru.data.text.split`.
          test: the fraction for test.

        Raises:
          DataError: a file that `jaxgru.data.text.read` refuses or that has no word, a folder that `members`
            refuses, or a text too short for three parts. The message names file and fault.
        """
        if path and texts.is_folder(path):
            return cls.of_folder(Path(path))
        text = texts.read(path) if path else texts.language_reference()
        source = path or "the Python language reference"
        if repeats == "drop" or (repeats == "auto" and not path):
            text = texts.drop_repeats(text)
        words = _words(Prose(), text, source)
        parts = texts.split(len(words), validation, test)
        for name, part in parts._asdict().items():
            if not part:
                raise DataError(f"{source}: too short: {len(words)} words leave none for {name}")
        return cls(source, Prose(), words, parts)

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """Reads a folder of three files."""
        words: list[str] = []
        ranges: list[range] = []
        for path in members(folder).values():
            start = len(words)
            words += _words(Lines(), texts.read(path), path)
            ranges.append(range(start, len(words)))
        return cls(str(folder), Lines(), words, Split(*ranges))

    @property
    def sha256(self) -> str:
        """The SHA-256 of the words with blanks between, in hexadecimal: it tells which text a run saw."""
        return hashlib.sha256(" ".join(self.words).encode()).hexdigest()


def _words(tokens: Tokens, text: str, source: str | Path) -> list[str]:
    words = tokens.split(text)
    if {*words} <= {END}:
        raise DataError(f"{source}: no word at all")
    return words
