"""What a model makes of images, to be looked at: its mistakes, and how its mind changes while it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.tasks.classification.verdicts import COUNTED
from jaxgru.tasks.pictures import new_figure, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

COLUMNS, ROWS = 8, 5  # of mistakes that are drawn, at most
PAIRS = 2  # images beside each other in the picture of how they are read

Floats = npt.NDArray[np.float32]


class Told(NamedTuple):
    """An image (H, W) of the test split with its number, its class, and the class that it was said to be of."""

    number: int
    pixels: Floats
    label: str
    said: str
    probability: float


def worst(told: Sequence[Told]) -> tuple[str, list[Told]]:
    """The images told wrongly, the surest first; where none is, those told rightly with the least probability.

    Returns:
      What they are, in words, and as many of them as are drawn.

    Example:
      >>> a, b = (Told(i, np.zeros((1, 1)), "7", "1", p) for i, p in enumerate((0.6, 0.9)))
      >>> worst([a, b])[0], worst([a, b])[1] == [b, a]
      ('2 of 2 images of the test split told wrongly, the surest first', True)
    """
    wrong = [each for each in told if each.said != each.label]
    if not wrong:
        title = f"All {len(told)} images of the test split are told rightly; these with the least probability"
        return title, sorted(told, key=lambda each: each.probability)[: COLUMNS * ROWS]
    shown = sorted(wrong, key=lambda each: -each.probability)[: COLUMNS * ROWS]
    some = f", {len(shown)} of them" if len(shown) < len(wrong) else ""
    return f"{len(wrong)} of {len(told)} images of the test split told wrongly{some}, the surest first", shown


def draw_mistakes(path: Path, told: Sequence[Told]) -> None:
    """Draws the images told wrongly, each with its number, what it is, what it was said to be, and how surely."""
    title, shown = worst(told)
    rows = -(-len(shown) // COLUMNS)
    figure = new_figure(1.35 * COLUMNS, 1.75 * rows + 0.4, "constrained")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, each in zip(grid.flat, shown, strict=False):
        axes.imshow(each.pixels, cmap="gray", interpolation="nearest")
        said = f"{each.label}, said {each.said}: {each.probability:.2f}"
        axes.set_title(f"image {each.number}\n{said}", fontsize=8, parse_math=False)
    save(figure, path)


def draw_reading(path: Path, shown: Sequence[Told], odds: Floats, classes: Sequence[str], order: str) -> None:
    """Draws images, and beside each, on the same scale from top to bottom, how likely each class was at each step.

    Args:
      path: of the PNG.
      shown: the images (H, W).
      odds: (N, T, classes), of each image after each of its steps.
      classes: their names.
      order: in which they were read, one of `ORDERS`.
    """
    rows = max(1, -(-len(shown) // PAIRS))
    figure = new_figure(5.6 * PAIRS, 2.6 * rows + 0.8, "constrained")
    # Between two pairs there is a narrow place that stays empty: an image and its odds stand closest.
    every = figure.subplots(rows, 3 * PAIRS, squeeze=False, width_ratios=[1, 1, 0.12] * PAIRS)
    grid = every[:, [column for column in range(3 * PAIRS) if column % 3 < 2]]
    down = {
        "rows": "row by row",
        "pixels": "pixel by pixel",
        "permuted": "pixel by pixel in the fixed jumbled order",
    }
    figure.suptitle(
        f"Images of the test split, read {down[order]}: the darker, the likelier the class by then",
        fontsize=11,
    )
    for axes in every.flat:
        axes.axis("off")
    image = None
    for place, (each, found) in enumerate(zip(shown, odds, strict=True)):
        left, right = grid.flat[2 * place : 2 * place + 2]
        left.axis("on")
        left.imshow(each.pixels, cmap="gray", interpolation="nearest")
        left.set(xticks=[], yticks=[])
        right.set_box_aspect(
            each.pixels.shape[0] / each.pixels.shape[1]
        )  # so that rows stand beside their odds
        taken = "" if each.said == each.label else f", taken for {each.said}"
        left.set_title(f"image {each.number}: {each.label}{taken}", fontsize=10, parse_math=False)
        image = draw_odds(right, found, classes, "row" if order == "rows" else "pixel")
    if image is not None:
        figure.colorbar(image, ax=every, label="probability", shrink=0.5)
    save(figure, path)


def draw_odds(axes: Axes, odds: Floats, classes: Sequence[str], step: str) -> AxesImage:
    """Draws the probability (T, classes) of each class after each step, from top to bottom."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 heavy, and of use only here

    axes.axis("on")
    count = len(odds)
    extent = (-0.5, len(classes) - 0.5, count + 0.5, 0.5)
    image = axes.imshow(
        odds, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest", extent=extent
    )
    if len(classes) <= COUNTED:
        names = [name.replace("$", r"\$") for name in classes]
        axes.set_xticks(range(len(classes)), names, fontsize=8 if len(classes) <= 12 else 5)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylabel(f"{step}s read", fontsize=8)
    axes.set_xlabel("class", fontsize=8)
    return image
