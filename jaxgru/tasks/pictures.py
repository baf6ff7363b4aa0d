"""What pictures of texts have in common: figures, PNGs written whole, words in lines on shaded grounds."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Literal

from jaxgru.weights import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE, LINES = 96, 5  # characters in a line of a shaded text, and lines of a text, at most
SIZE = 9  # of its letters, in points
CHARACTER = 0.602 * SIZE / 72  # the width in inches of one of DejaVu Sans Mono


def lay_out(words: Sequence[str]) -> list[tuple[int, int]]:
    """Where the words of a text stand, (character, line) of each that has room.

    Example:
      >>> lay_out(["a" * 60, "b" * 30, "c" * 30])
      [(0, 0), (61, 0), (0, 1)]
    """
    places, x, line = [], 0, 0
    for word in (clip(word, LINE) for word in words):
        if x + len(word) > LINE:
            x, line = 0, line + 1
        if line == LINES:
            break
        places.append((x, line))
        x += len(word) + 1
    return places


def shade(axes: Axes, x: float, y: float, word: str, share: float) -> None:
    """Writes a word on a ground as dark as its share."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 heavy, and of use only here

    axes.add_patch(Rectangle((x - 0.4, y - 0.45), len(word) + 0.8, 0.9, color="C1", alpha=share, linewidth=0))
    axes.text(x, y, word, family="monospace", fontsize=SIZE, va="center", parse_math=False)


def clip(text: str, most: int) -> str:
    """The start of a text that is too long."""
    return text if len(text) <= most else text[: most - 1] + "…"


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = None) -> Figure:
    """A figure that belongs to no window, of a size in inches."""
    from matplotlib.figure import Figure  # noqa: PLC0415 heavy, and of use only here

    return Figure(figsize=(width, height), layout=layout)


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all; a sign that the font lacks is a box."""
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(picture, format="png", dpi=120)
    write_whole(path, picture.getvalue())


def unused(path: Path) -> Path:
    """The path, with a number behind its name where a file or a picture of that name is there."""
    number, name = 1, path
    while name.exists() or name.with_suffix(".png").exists():
        number += 1
        name = path.with_stem(f"{path.stem}-{number}")
    return name
