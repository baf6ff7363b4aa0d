"""Tokens: a text as words, marks and placeholders, which together say where its spaces were."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

JOINER = "￭"
JOINER_ITSELF = JOINER * 2  # the token of a text that has the sign

LETTER = r"[^\W_]"
SIZE = (
    r"[-+0\#]*+ \d*+ (?:\.\d+)?"  # possessive: 0 is a flag and a digit, and a run of it could be cut anywhere
)
PLACEHOLDER = rf"""
    % \(\w[^()%\s]*\) {SIZE} [a-zA-Z]                         # %(name)s
  | % (?:\d+\$)? {SIZE} [sdifrxXgGeEuc] (?!{LETTER})          # %s, %.2f, %1$s
  | %%
  | [$\#]? \{{ [\w.\-\[\]!]* (?: : [^{{}}]* )? \}}                # {{}}, {{name}}, {{0:%d}}, ${{name}}
"""
MARKUP = r"""
    </? [A-Za-z] [^<>]* >                                     # <a href="…">, </b>
  | & (?: [A-Za-z]\w* | \#\w+ ) ;                             # &amp;
"""
ELISION = rf"(?i: [cdjlmnst] | {LETTER}*qu | {LETTER}*[aeo]ll ) ['’] (?={LETTER})"
WORD = rf"\d+ (?:[.,]\d+)+ (?!\w) | (?:{LETTER}|[\u0300-\u036f])+ (?: ['’-] {LETTER}+ )*"
TOKEN = re.compile(
    rf"(?P<mark>{PLACEHOLDER}|{MARKUP}) | (?P<elision>{ELISION}) | (?P<word>{WORD}) | \S", re.VERBOSE
)
HOLE = re.compile(PLACEHOLDER, re.VERBOSE)


class Piece(NamedTuple):
    """A part of a text that will be one token."""

    text: str
    begins_word: bool
    is_word: bool
    glued: bool  # to the piece before


def tokens(text: str, *, lowercase: bool = False) -> tuple[str, ...]:
    """The tokens of a text: words, and between them marks, placeholders and tags, each of which is one.

    Where no space stands between two tokens, one carries the joiner ￭: a mark before a word behind it, any
    other token in front. So a word looks the same wherever it stands, and `text_of` can put back the spaces.
    A word may have apostrophes and hyphens inside; an article that has lost its vowel (l', qu') stands alone.
    The sign ￭ of a text itself becomes ￭￭.

    Args:
      text: any; runs of white space count as one space.
      lowercase: whether words are written in lower case; placeholders and tags stay.

    Returns:
      Tokens t with text_of(t) == " ".join(text.split()), but for the case of letters.

    Example:
      >>> tokens('See "<b>%s</b>" (l’année)!')
      ('See', '"', '￭<b>', '￭%s', '￭</b>', '￭"', '(￭', 'l’￭', 'année', '￭)', '￭!')

    Differs from: OpenNMT's tokenizer, which has joiners as well, cuts at apostrophes and hyphens, knows no
      placeholders, and writes a text's own ￭ as ■.
    """
    found: list[str] = []
    before = None
    for piece in pieces(text):
        token = piece.text.lower() if lowercase and piece.begins_word else piece.text
        if token == JOINER:
            token = JOINER_ITSELF
        if before is not None and piece.glued:
            if piece.begins_word and not before.is_word:
                found[-1] += JOINER
            else:
                token = JOINER + token
        found.append(token)
        before = piece
    return tuple(found)


def pieces(text: str) -> list[Piece]:
    """The parts of a text, without joiners."""
    found: list[Piece] = []
    end = -1
    for match in TOKEN.finditer(" ".join(text.split())):
        kind = match.lastgroup
        is_word = (
            kind == "word" or match[0] == JOINER
        )  # ￭￭ has no joiner behind it, where it could not be told
        found.append(Piece(match[0], is_word or kind == "elision", is_word, match.start() == end))
        end = match.end()
    return found


def text_of(tokens: Iterable[str]) -> str:
    """The text of some tokens, with a space between any two of which none carries a joiner there.

    Example:
      >>> text_of(("Save", '"￭', "{name}", '￭"', "￭?"))
      'Save "{name}"?'
    """
    parts: list[str] = []
    glued = True
    for token in tokens:
        behind = token.endswith(JOINER) and not token.endswith(JOINER_ITSELF)
        core = token[:-1] if behind else token
        ahead = core.startswith(JOINER) and core != JOINER_ITSELF
        core = core[1:] if ahead else core
        parts += [] if glued or ahead else [" "]
        parts.append(JOINER if core == JOINER_ITSELF else core)
        glued = behind
    return "".join(parts)


def holes(text: str) -> list[str]:
    """The placeholders of a text, in order of their names; a translation has the same.

    Example:
      >>> holes("%(n)s of {total}, 100 %")
      ['%(n)s', '{total}']
    """
    return sorted(match[0] for match in HOLE.finditer(text))
