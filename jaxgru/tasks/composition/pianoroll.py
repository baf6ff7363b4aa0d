"""Pictures of music: which keys sound when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxgru.data.rolls import KEYS, LOWEST, runs
from jaxgru.tasks.pictures import clip, new_figure, save

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxgru.data.rolls import Roll

OCTAVE = 12


def draw(path: Path, rolls: Mapping[str, Roll], grid: int, *, prompt: int) -> None:
    """Draws pieces below each other, pitch against time.

    Args:
      path: the PNG.
      rolls: (T, 88) each, by title.
      grid: steps in a quarter note.
      prompt: how many steps of the first piece the model was given; they have a colour of their own.
    """
    figure = new_figure(11, 0.8 + 2.8 * len(rolls), "constrained")
    panels = figure.subplots(len(rolls), sharex=True, sharey=True, squeeze=False)[:, 0]
    for i, (axes, (title, roll)) in enumerate(zip(panels, rolls.items(), strict=True)):
        given = 0 if i else prompt
        kinds = {"prompt": (0, given, "C7"), "continuation": (given, len(roll), "C0")}
        for label, (first, last, color) in kinds.items():
            for key, bars in by_key(roll[first:last]).items():
                spans = [((first + start) / grid, (end - start) / grid) for start, end in bars]
                axes.broken_barh(spans, (key - 0.5, 1), facecolor=color, edgecolor="white", linewidth=0.4)
            if given:
                axes.plot([], [], color=color, linewidth=5, label=label)
        if given:
            axes.axvline(given / grid, color="black", linewidth=0.8)
            axes.legend(loc="upper right", fontsize=8)
        axes.set_title(clip(title, 90), fontsize=10, loc="left", parse_math=False)
        axes.grid(alpha=0.3)
    low, high = bounds(np.concatenate([*rolls.values()]))
    cs = range(-LOWEST % OCTAVE, KEYS, OCTAVE)  # the keys called C
    panels[0].set_yticks(cs, [f"C{(key + LOWEST) // OCTAVE - 1}" for key in cs])
    panels[0].set(ylim=(low - 1.5, high + 1.5), xlim=(0, max(map(len, rolls.values())) / grid))
    panels[-1].set_xlabel("quarter notes")
    save(figure, path)


def by_key(roll: Roll) -> dict[int, list[tuple[int, int]]]:
    """The stretches (start, end) at which each key sounds."""
    found: dict[int, list[tuple[int, int]]] = {}
    for key, start, end in runs(roll):
        found.setdefault(key, []).append((start, end))
    return found


def bounds(roll: Roll) -> tuple[int, int]:
    """The lowest and the highest key that sounds, or of all where none does."""
    sounding = np.flatnonzero(roll.any(0))
    return (int(sounding[0]), int(sounding[-1])) if len(sounding) else (0, KEYS - 1)
