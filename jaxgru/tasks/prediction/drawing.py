"""Pictures of predicted frames: beside those that came, with the difference; and how errors grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jaxgru.tasks.pictures import new_figure, save
from jaxgru.tasks.prediction.outlook import by_step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxgru.tasks.prediction.outlook import Outlook

Floats = npt.NDArray[np.float32]

SHOWN = 5  # frames of a picture
FURTHEST = 8  # steps of a horizon that have room beside each other
SPREAD = 0.995  # the share of the differences that the shades of a picture tell apart
INCHES = 1.9  # the width of a frame


def draw_frames(path: Path, found: Outlook) -> None:
    """Draws next frames, evenly spread over the windows: the last one read, what came, what was said, differences."""
    windows = found.windows
    shown = np.unique(np.linspace(0, len(found.said) - 1, SHOWN).round().astype(int))
    truth, said, copies = (each[shown, 0] for each in (windows.truth, found.said, windows.copies))
    rows = {"read last": copies} | compared(truth, said, copies)
    draw_rows(path, rows, [f"test frame {i + 1}" for i in shown])


def draw_horizon(path: Path, found: Outlook) -> None:
    """Draws the steps of a closed loop from the middle window: what came, what was said, differences."""
    windows, middle = found.windows, len(found.said) // 2
    steps = found.said.shape[1]
    shown = np.unique(np.linspace(0, steps - 1, min(steps, FURTHEST)).round().astype(int))
    truth, said, copies = (each[middle, shown] for each in (windows.truth, found.said, windows.copies))
    draw_rows(path, compared(truth, said, copies), [f"step {i + 1}" for i in shown])


def compared(truth: Floats, said: Floats, copies: Floats) -> dict[str, Floats]:
    """Rows of frames (N, H, W) with what they are: what came, what was said, and by how much it and a copy differ."""
    gain = gain_of(copies - truth)
    return {
        "what came": truth,
        "predicted": said,
        f"predicted\n− came\n× {gain:g}": gain * (said - truth),
        f"read last\n− came\n× {gain:g}": gain * (copies - truth),
    }


def draw_rows(path: Path, rows: dict[str, Floats], titles: Sequence[str]) -> None:
    """Draws rows of frames (N, H, W) with what they are, those of differences around grey."""
    shape = next(iter(rows.values())).shape
    high = INCHES * shape[1] / shape[2] + 0.1
    figure = new_figure(INCHES * len(titles) + 0.6, high * len(rows) + 0.3, "constrained")
    grid = figure.subplots(len(rows), len(titles), squeeze=False)
    for line, (name, frames) in zip(grid, rows.items(), strict=True):
        shades = {"cmap": "RdBu_r", "vmin": -1} if "−" in name else {"cmap": "gray", "vmin": 0}
        for axes, frame in zip(line, frames, strict=True):
            axes.imshow(frame, vmax=1, **shades)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, fontsize=8)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=8)
    save(figure, path)


def draw_errors(path: Path, found: Outlook) -> None:
    """Draws the mean squared error of each step of a closed loop, over all windows, the model's beside a copy's."""
    windows = found.windows
    figure = new_figure(6, 3.4, "constrained")
    axes = figure.subplots()
    for name, said in {"this model": found.said, "copy of the last frame": windows.copies}.items():
        line = [each.mse for each in by_step(said, windows.truth)]
        axes.plot(range(1, len(line) + 1), line, marker=".", label=name)
    axes.set(xlabel="step of the closed loop", ylabel="mean squared error", ylim=(0, None))
    axes.locator_params(axis="x", integer=True)
    axes.legend()
    save(figure, path)


def gain_of(differences: Floats) -> float:
    """By what differences are to be multiplied so that nearly all lie within ±1: 1, 2, 5, 10, ….

    Example:
      >>> gain_of(np.full(9, 0.04)), gain_of(np.zeros(9))
      (20, 100)
    """
    widest = float(np.quantile(np.abs(differences), SPREAD))
    return next((gain for gain in (100, 50, 20, 10, 5, 2) if widest * gain <= 1), 1)
