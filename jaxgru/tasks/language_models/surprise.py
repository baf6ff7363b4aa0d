"""A picture of surprise: the words of a text on grounds as dark as the bits that each reader paid for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxgru.tasks.pictures import CHARACTER, LINE, SIZE, clip, lay_out, new_figure, save, shade
from jaxgru.training.display import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

DARKEST = 12.0  # bits: one word of four thousand

LEGEND = (
    f"The test split's first words. The darker a word's ground, the less it was expected; {DARKEST:.0f} bits "
    "are the darkest."
)


def draw(path: Path, words: Sequence[str], readings: Mapping[str, npt.NDArray[np.float64]]) -> None:
    """Draws the words once for each reader, as many as have room.

    Args:
      path: of the PNG.
      words: N of them.
      readings: by the reader's name, the bits (N,) of each word.
    """
    where = lay_out(words)
    lines = where[-1][1] + 1
    height = 2.5 + len(readings) * (lines + 2.0)
    # A unit is a character wide and a line high.
    figure = new_figure((LINE + 4) * CHARACTER, height * 2.4 * CHARACTER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-2, LINE + 2), ylim=(height, 0))
    axes.axis("off")
    axes.text(0, 0.8, LEGEND, fontsize=SIZE, va="center")
    for i, (name, bits) in enumerate(readings.items()):
        top, mean = 2.5 + i * (lines + 2.0), bits[: len(where)].mean()
        title = f"{name}: {number(mean, 2)} bits for a word of these"
        axes.text(0, top, title, fontsize=SIZE, fontweight="bold", va="center", parse_math=False)
        for word, cost, (x, line) in zip(words, bits.tolist(), where, strict=False):
            share = cost / DARKEST if cost < DARKEST else 1.0  # nan is as dark as can be
            shade(axes, x, top + line + 1, clip(word, LINE), share)
    save(figure, path)
