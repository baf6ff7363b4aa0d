"""Turns jaxgru's docstrings into reStructuredText.

They are written to be read as plain text: equations stand indented, shapes are spelt (T, *B, I), absolute
values |w|, and a section may begin on the line of its heading ("Cost: T·B·H"). Napoleon, made for the same
sections, takes the first colon of a sentence for a type and knows nothing of equations.
"""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

SECTIONS = "Args|Attributes|Returns|Raises|Example|Cost|References|Differs from"
HEADING = re.compile(rf"({SECTIONS}):(?: (.+))?")
ENTRY = re.compile(r"(\*{0,2}[\w.]+(?:, [\w.]+)*): (.+)")
LITERAL = re.compile(r"(`[^`]+`)")
FIELDS = {"Args": ":param {}:", "Raises": ":raises {}:"}
BULLET = "* `{}`:"
MARKUP = re.compile(r"(?<!\\)[*|]|(?<=\w)_(?!\w)")


def convert(lines: list[str]) -> list[str]:
    r"""The same docstring in reStructuredText.

    >>> docstring = ["Runs.", "", "    h' = z * h", "", "Args:", "  xs: (T, *B).", "Cost: T", "  steps."]
    >>> print("/".join(convert(docstring)))
    Runs.//:://    h' = z * h//:param xs: (T, \*B).//.. rubric:: Cost//T/steps./
    """
    out: list[str] = []
    for name, body in split(lines):
        if name is None:
            out += prose(body)
        elif name in FIELDS:
            out += listed(FIELDS[name], body)
        else:
            out += [f".. rubric:: {name}", "", *(listed(BULLET, body) if is_list(body) else prose(body))]
        out.append("")
    return out


def split(lines: list[str]) -> Iterator[tuple[str | None, list[str]]]:
    """Sections, each a heading and its dedented body; None heads what stands outside of them."""
    name, body = None, []
    for line in lines:
        heading = HEADING.fullmatch(line)
        if heading or (name and line and not line.startswith(" ")):
            yield name, dedent(body)
            name, body = (
                (heading[1], [f"  {heading[2]}"] if heading[2] else []) if heading else (None, [line])
            )
        else:
            body.append(line)
    yield name, dedent(body)


def dedent(body: list[str]) -> list[str]:
    """The body without its common indentation and the blank lines after it."""
    return textwrap.dedent("\n".join(body)).rstrip().split("\n")


def is_list(body: list[str]) -> bool:
    """Whether every line that is not indented begins with a name and a colon."""
    return all(ENTRY.fullmatch(line) for line in body if not line.startswith(" "))


def listed(item: str, body: list[str]) -> list[str]:
    """A field or a bullet for each `name: text`, with its continuation lines."""
    out = []
    for line in body:
        entry = ENTRY.fullmatch(line)
        out.append(f"{item.format(escape(entry[1]))} {escape(entry[2])}" if entry else escape(line))
    return out


def prose(body: list[str]) -> list[str]:
    """Paragraphs escaped, equations as literal blocks, examples as they are."""
    out: list[str] = []
    equation = example = False
    for line in body:
        example = line.startswith(">>>") or (example and bool(line))
        starts = line.startswith(" ") and not (equation or example)
        equation = line.startswith(" ") or (equation and not line)
        if starts:
            out += ["::", ""]
        out.append(line if equation or example else escape(line))
    return out


def escape(line: str) -> str:
    r"""Escape mark-up outside of literals, and let a literal end inside a word.

    >>> print(escape("`Stack` of `GRU`s, xs (T, *B)"))
    `Stack` of `GRU`\ s, xs (T, \*B)
    """
    parts = LITERAL.split(line)
    parts[::2] = [MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
    parts[2::2] = [rf"\ {part}" if re.match(r"\w", part) else part for part in parts[2::2]]
    return "".join(parts)


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""

    def prepare(*event: Any) -> None:
        lines = event[-1]
        lines[:] = convert(lines)

    app.connect("autodoc-process-docstring", prepare)
    return {"parallel_read_safe": True}
