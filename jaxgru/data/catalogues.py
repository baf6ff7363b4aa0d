"""Message catalogues: the .mo files of gettext, with what a program says and how it is said elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxgru.data import DataError
from jaxgru.data.text import contents
from jaxgru.data.tokens import holes, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

MAX_BYTES = 1 << 26
ORDERS = {b"\xde\x12\x04\x95": "<u4", b"\x95\x04\x12\xde": ">u4"}
HEADER = 20  # bytes: the magic, the version, how many messages, where the ids stand, where the translations
CHARSET = re.compile(rb"charset=([\w.:-]+)")
READABLE = (
    b"utf-8",
    b"utf8",
    b"ascii",
    b"us-ascii",
    b"charset",
)  # the last is the template's, never filled in
CONTEXT = "\4"
LETTER = re.compile(r"[^\W\d_]")


class Message(NamedTuple):
    """What a program says, and its translation.

    Args:
      context: where it is said, if that was needed to translate it; else "".
      ids: the text, and that of the plural if it has one.
      forms: the translation, or one for each of the language's numbers, singular first.
    """

    context: str
    ids: tuple[str, ...]
    forms: tuple[str, ...]


def read(path: Path) -> list[Message]:
    """The messages of a catalogue, in its order, without its header.

    Nothing in the file is run: the standard library's reader compiles its rule of the plural, this one does
    not look at it. What it reads of a file is never more than the file.

    Args:
      path: a .mo file, of either byte order, in UTF-8.

    Raises:
      DataError: the file is missing, no regular file, unreadable, larger than 64 MiB, not a catalogue, in
        another charset, or damaged. The message names the file and the fault.

    References: the GNU gettext manual, The Format of GNU MO Files.
    """
    raw = contents(path, MAX_BYTES)
    order = ORDERS.get(raw[:4])
    if order is None:
        raise DataError(f"{path}: not a message catalogue: a .mo file starts with the bytes de 12 04 95")
    try:
        pairs = list(strings(raw, order))
        for id_, header in pairs:
            if not id_ and (named := CHARSET.search(header)) and named[1].lower() not in READABLE:
                mend = "make it anew: msgunfmt FILE.mo | msgconv -t UTF-8 | msgfmt -o FILE.mo -"
                raise DataError(f"{path}: its charset is {named[1].decode()}, not UTF-8; {mend}")
        return [message(id_.decode(), said.decode()) for id_, said in pairs if id_]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: a damaged message catalogue: not UTF-8: {error.object[:20]!r}") from None
    except DamageError as error:
        raise DataError(f"{path}: a damaged message catalogue: {error}") from None


class DamageError(Exception):
    """What is wrong with a catalogue, in words."""


def strings(raw: bytes, order: str) -> Iterator[tuple[bytes, bytes]]:
    """The ids and translations of a catalogue as they stand in it."""
    if len(raw) < HEADER:
        raise DamageError(f"it ends within its header, after {len(raw)} bytes")
    _, version, count, *starts = np.frombuffer(raw, order, HEADER // 4).tolist()
    if version >> 16 > 1:
        raise DamageError(f"its version is {version >> 16}; 0 and 1 are known")
    ids, forms = (table(raw, order, count, start) for start in starts)
    # Overlapping strings could unfold a small file to any size; no program writes them.
    if int(ids[:, 0].sum()) + int(forms[:, 0].sum()) > len(raw):
        raise DamageError("its strings overlap")
    for (id_length, id_start), (length, start) in zip(ids.tolist(), forms.tolist(), strict=True):
        yield raw[id_start : id_start + id_length], raw[start : start + length]


def table(raw: bytes, order: str, count: int, start: int) -> npt.NDArray[np.int64]:
    """The lengths and starts (count, 2) of some strings, all of which lie in the file."""
    if start + 8 * count > len(raw):
        raise DamageError(f"its table of {count} strings ends behind the file")
    found = np.frombuffer(raw, order, 2 * count, start).astype(np.int64).reshape(count, 2)
    if (beyond := found.sum(1) >= len(raw)).any():  # a NUL follows each string
        raise DamageError(f"string {int(beyond.argmax())} of {count} ends behind the file")
    return found


def message(id_: str, said: str) -> Message:
    """Takes apart the strings of a message: a context, a plural, the forms of the translation."""
    context, found, text = id_.rpartition(CONTEXT)
    return Message(context if found else "", tuple(text.split("\0")), tuple(said.split("\0")))


def usable(path: Path) -> list[tuple[str, str]]:
    """The messages of a catalogue that one can learn to translate, each with its translation, on one line.

    Left out are those that have a context, without which they cannot be translated; several lines; no letter in
    one of the languages; the same text in both; or other placeholders in one than in the other. Of a plural,
    both numbers count: the first id with the first form, the second with the last.

    Raises:
      DataError: `read` refuses the file.
    """
    found = []
    for context, ids, forms in read(path):
        both = [(ids[0], forms[0]), (ids[-1], forms[-1])]
        for number in dict.fromkeys(both if len(ids) == len(forms[:2]) else both[1:]):
            text, said = (" ".join(side.split()) for side in number)
            spoken = all(
                any(piece.is_word and LETTER.search(piece.text) for piece in pieces(side))
                for side in (text, said)
            )
            lines = "\n" in number[0].strip() + number[1].strip()
            if spoken and text != said and not context and not lines and holes(text) == holes(said):
                found.append((text, said))
    return found


def among(folder: Path) -> list[Path]:
    """The catalogues of a folder, of whatever languages."""
    return sorted([*folder.glob("*.mo"), *folder.glob("*/LC_MESSAGES/*.mo")])


def members(folder: Path, language: str) -> list[Path]:
    """The catalogues of a folder with translations into a language: LANGUAGE.mo, or LANGUAGE/LC_MESSAGES/*.mo.

    A country may follow the language, as in de_DE.

    Raises:
      DataError: there are such of several countries, and none without.
    """
    found: dict[str, list[Path]] = {}
    for path in among(folder):
        name = path.stem if path.parent == folder else path.parent.parent.name
        found.setdefault(name, []).append(path)
    if language in found:
        return found[language]
    names = [name for name in found if re.split("[_@-]", name)[0] == language]
    if len(names) > 1:
        raise DataError(f"{folder}: {language} could mean {names[0]} and {names[1]}; name one of them")
    return found[names[0]] if names else []
