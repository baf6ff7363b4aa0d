"""Pictures of music: which keys sound when."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from jaxgru.data.rolls import KEYS, LOWEST, runs
from jaxgru.tasks.pictures import clip, new_figure, save

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxgru.data.rolls import Roll

OCTAVE = 12
PROMPT_COLOR = "C7"


def draw(path: Path, rolls: Mapping[str, Mapping[str, Roll]], grid: int, *, prompt: int) -> None:
    """Draws pieces below each other, pitch against time.

    Args:
      path: the PNG.
      rolls: the tracks of each piece, (T, 88) each, by the piece's title and theirs; each has a colour.
      grid: steps in a quarter note.
      prompt: how many steps of the first piece the model was given; a line ends them.
    """
    figure = new_figure(11, 0.8 + 2.8 * len(rolls), "constrained")
    panels = figure.subplots(len(rolls), sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (title, tracks) in zip(panels, rolls.items(), strict=True):
        own = (f"C{i}" for i in itertools.count() if f"C{i}" != PROMPT_COLOR)
        for label, roll in tracks.items():
            color = PROMPT_COLOR if label == "prompt" else next(own)
            for key, bars in by_key(roll).items():
                spans = [(start / grid, (end - start) / grid) for start, end in bars]
                axes.broken_barh(spans, (key - 0.5, 1), facecolor=color, edgecolor="white", linewidth=0.4)
            axes.plot([], [], color=color, linewidth=5, label=label)
        if len(tracks) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
        axes.set_title(clip(title, 90), fontsize=10, loc="left", parse_math=False)
        axes.grid(alpha=0.3)
    if prompt:
        panels[0].axvline(prompt / grid, color="black", linewidth=0.8)
    whole = [roll for tracks in rolls.values() for roll in tracks.values()]
    low, high = bounds(np.concatenate(whole))
    cs = range(-LOWEST % OCTAVE, KEYS, OCTAVE)  # the keys called C
    panels[0].set_yticks(cs, [f"C{(key + LOWEST) // OCTAVE - 1}" for key in cs])
    panels[0].set(ylim=(low - 1.5, high + 1.5), xlim=(0, max(map(len, whole)) / grid))
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
