"""Text: where it comes from, what is wrong with it, and which part of it is for what."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from jaxgru.data import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_BYTES = 1 << 30
PARAGRAPH = "\n\n"
GZIP_MAGIC = b"\x1f\x8b"


def language_reference() -> str:
    r"""The Python language reference as the standard library carries it, its topics in alphabetical order.

    Many topics quote the same paragraphs: without `drop_repeats` a twelfth of the text's tail stands, word
    for word, in its head.

    Returns:
      About 465,000 characters; the number depends on the version of Python.

    Example:
      >>> language_reference().startswith('The "assert" statement\n')
      True
    """
    return PARAGRAPH.join(topics[name].strip("\n") for name in sorted(topics))


def read(path: str | Path) -> str:
    r"""The characters of a UTF-8 file, plain or gzip, as they stand, but for a byte order mark.

    Args:
      path: the file. Its first two bytes tell whether it is compressed, not its name.

    Returns:
      The text, never empty.

    Raises:
      DataError: the file is missing, no regular file, unreadable, empty, larger than 1 GiB, a damaged gzip
        file, not UTF-8, or holds NUL. The message names the file and the fault.

    Example:
      >>> read("no/such/file.txt")
      Traceback (most recent call last):
      jaxgru.data.DataError: no/such/file.txt: no such file
    """
    raw = _read_bytes(Path(path))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise DataError(f"{path}: not UTF-8 text: {where}") from None
    text = text.removeprefix("\ufeff")
    if not text:
        raise DataError(f"{path}: the file is empty")
    if (at := text.find("\0")) >= 0:
        line = text.count(line_end(text), 0, at) + 1
        raise DataError(f"{path}: line {line}: it holds NUL, as text does not")
    return text


def line_end(text: str) -> str:
    r"""What the lines of a text end with: a line feed, or a carriage return where the text has no line feed.

    So the carriage return of Windows, or one within a line, ends none.

    Example:
      >>> line_end("one\r\ntwo\r\n"), line_end("one\rtwo\r")
      ('\n', '\r')
    """
    return "\r" if "\r" in text and "\n" not in text else "\n"


def is_folder(path: str | Path) -> bool:
    """Whether there is a folder of that name.

    Raises:
      DataError: there is no telling, as the name is too long or the folder around it is closed.
    """
    try:
        return Path(path).is_dir()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def entries(folder: Path) -> list[Path]:
    """What a folder holds, in order.

    Raises:
      DataError: it cannot be read, or a name in it is not UTF-8.
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from None
    for entry in found:
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            name = os.fsencode(entry.name)
            raise DataError(f"{folder}: a name in it is not UTF-8: {name!r}; rename it") from None
    return found


def below(folder: Path) -> Iterator[Path]:
    """What stands in a folder and in the folders in it, but for folders; links to folders are not followed.

    Raises:
      DataError: one of the folders cannot be read.
    """
    seen = [folder]
    while seen:
        for entry in entries(seen.pop()):
            if not is_folder(entry):
                yield entry
            elif not entry.is_symlink():
                seen.append(entry)


def only(folder: Path, files: Sequence[Path], part: str) -> Path | None:
    """The one file of a folder that could be for a part; None if there is none.

    Raises:
      DataError: there are several.
    """
    if len(files) > 1:
        raise DataError(f"{folder}: {files[0].name} and {files[1].name} could both be for {part}")
    return files[0] if files else None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file, open to be read.

    Raises:
      DataError: it is missing, no regular file, or cannot be read, now or later. The message names the file.
    """
    if "\0" in str(path):
        raise DataError(f"{str(path)!r}: no file has such a name")
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: not a regular file")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def contents(path: Path, most: int) -> bytes:
    """All of a file, of so many bytes at most; of a larger one no more than one byte too many is read.

    Raises:
      DataError: it is larger, missing, no regular file, or cannot be read. The message names the file.
    """
    with opened(path) as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise DataError(f"{path}: larger than {most >> 20} MiB")
    return raw


def _read_bytes(path: Path) -> bytes:
    if "\0" not in str(path) and is_folder(path):
        raise DataError(f"{path}: a folder, not a text file")
    with opened(path) as file:
        is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        try:
            raw = (gzip.GzipFile(fileobj=file) if is_gzip else file).read(MAX_BYTES + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: a damaged gzip file: {error}") from None
    if len(raw) > MAX_BYTES:
        raise DataError(f"{path}: larger than {MAX_BYTES >> 20} MiB; train on a part of it")
    return raw


def drop_repeats(text: str) -> str:
    r"""Keep the first of equal paragraphs; paragraphs are what blank lines separate.

    Example:
      >>> drop_repeats("one\n\ntwo\n\none\n\nthree")
      'one\n\ntwo\n\nthree'
    """
    return PARAGRAPH.join(dict.fromkeys(text.split(PARAGRAPH)))


def digest(parts: Iterable[Iterable[str]]) -> str:
    r"""The SHA-256 of the lines of some parts, in hexadecimal; an empty line ends each.

    Example:
      >>> digest([["one", "two"], ["three"]]) == hashlib.sha256(b"one\ntwo\n\nthree\n\n").hexdigest()
      True
    """
    found = hashlib.sha256()
    for lines in parts:
        found.update("".join(f"{line}\n" for line in lines).encode() + b"\n")
    return found.hexdigest()


class Split(NamedTuple):
    """Which positions are for training, which for validation and which for test."""

    train: range
    validation: range
    test: range


def split(length: int, validation: float, test: float) -> Split:
    """Split positions by rule: the last part is for test, the part before it for validation.

    Args:
      length: how many positions there are.
      validation: the fraction of them that is for validation, rounded down to whole positions.
      test: the fraction of them that is for test, likewise.

    Returns:
      Three ranges, one after the other, that cover every position.

    Example:
      >>> split(100, validation=0.05, test=0.1)
      Split(train=range(0, 85), validation=range(85, 90), test=range(90, 100))
    """
    test_start = length - int(length * test)
    validation_start = test_start - int(length * validation)
    return Split(range(validation_start), range(validation_start, test_start), range(test_start, length))


@dataclass(frozen=True)
class Corpus:
    """A text, where it is from, and its split."""

    source: str
    text: str
    split: Split

    @classmethod
    def load(cls, path: str, *, repeats: str, validation: float, test: float) -> Self:
        """Read and split a text.

        Args:
          path: a file, or "" for the language reference.
          repeats: what becomes of repeated paragraphs: "drop", "keep", or "auto", which drops them from the
            language reference and keeps those of a file.
          validation: the fraction for validation, as in `split`.
          test: the fraction for test.

        Raises:
          DataError: `read` refuses the file, or the text is too short for three parts.
        """
        text = read(path) if path else language_reference()
        source = path or "the Python language reference"
        if repeats == "drop" or (repeats == "auto" and not path):
            text = drop_repeats(text)
        parts = split(len(text), validation, test)
        for name, part in parts._asdict().items():
            if not part:
                raise DataError(f"{source}: too short: {len(text)} characters leave none for {name}")
        return cls(source, text, parts)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the text's UTF-8 bytes, in hexadecimal: it tells which text a run saw."""
        return hashlib.sha256(self.text.encode()).hexdigest()
