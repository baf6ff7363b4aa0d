"""Predicted frames in files: pictures, a strip of them, and a film. Needs Pillow, which comes with matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jaxgru.training.errors import UserError
from jaxgru.weights import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Floats = npt.NDArray[np.float32]

GAP = 2  # white pixels between frames
LONGEST = (1 << 16) - 1  # pixels of a side of a GIF
MARK = 2  # rows of white above what is predicted in a film; above what was read they are black


def write(folder: Path, seen: Floats, said: Floats, truth: Floats | None, options: Any) -> str:
    """Writes what was said after some frames into a new folder, and tells so.

    Args:
      folder: which is made, with those around it.
      seen: (T, H, W), what was read.
      said: (steps, H, W).
      truth: (steps, H, W), what came; None where nobody knows.
      options: a table [sample].

    Raises:
      UserError: the folder is there, or the film would be larger than one can be; nothing is written then.
      OSError: something cannot be written.
    """
    if folder.exists():
        raise UserError(f"folder is {folder}, which is there already; nothing in it is written over")
    enlarge, films = options.enlarge, 1 if truth is None else 2
    height, width = seen.shape[1] + MARK, films * (seen.shape[2] + GAP) - GAP
    if max(height, width) * enlarge > LONGEST:
        size = (
            f"a film of {width * enlarge} × {height * enlarge} pixels, and {LONGEST} are the most of a side"
        )
        raise UserError(f"sample.enlarge is {enlarge}, which makes {size}; take a smaller one")
    folder.mkdir(parents=True)
    for number, frame in enumerate(said, 1):
        write_whole(folder / f"{number:03d}.png", encoded([enlarged(frame, enlarge)]))
    rows = [said] if truth is None else [truth, said]
    write_whole(folder / "strip.png", encoded([enlarged(strip(rows), enlarge)]))
    columns = [np.concatenate([seen, row]) for row in rows]
    predicted = [np.zeros(len(columns[0]), bool) for _ in rows]
    predicted[-1][len(seen) :] = True
    write_film(folder / "film.gif", columns, predicted, enlarge=enlarge, rate=options.rate)
    both = "" if truth is None else ", below what came"
    beside = "" if truth is None else ", on its left what came"
    return (
        f"{folder}: {len(said)} predicted frames after {len(seen)}, 001.png to {len(said):03d}.png\n"
        f"{folder / 'strip.png'}: all of them{both}\n"
        f"{folder / 'film.gif'}: what was read and what is predicted, marked by white above it{beside}"
    )


def write_film(
    path: Path, columns: Sequence[Floats], predicted: Sequence[Any], *, enlarge: int, rate: float
) -> None:
    """Writes an animated GIF of films (N, H, W) beside each other; white above a frame says that it is predicted."""
    films = []
    for frames, marks in zip(columns, predicted, strict=True):
        above = np.empty((len(frames), MARK, frames.shape[2]), np.float32)
        above[...] = np.reshape(marks, (-1, 1, 1))
        films += [np.ones((len(frames), frames.shape[1] + MARK, GAP)), np.concatenate([above, frames], 1)]
    whole = np.concatenate(films[1:], 2)
    write_whole(path, encoded([enlarged(frame, enlarge) for frame in whole], round(1000 / rate)))


def strip(rows: Sequence[Floats]) -> Floats:
    """Rows of frames (N, H, W) in one picture, with white between them."""
    count, height, width = rows[0].shape
    whole = np.ones((len(rows) * (height + GAP) - GAP, count * (width + GAP) - GAP), np.float32)
    for i, row in enumerate(rows):
        for j, frame in enumerate(row):
            top, left = i * (height + GAP), j * (width + GAP)
            whole[top : top + height, left : left + width] = frame
    return whole


def enlarged(frame: npt.NDArray[np.floating], times: int) -> npt.NDArray[np.uint8]:
    """A picture of bytes whose pixels are squares."""
    grey = (np.clip(frame, 0, 1) * 255).round().astype(np.uint8)
    return grey.repeat(times, 0).repeat(times, 1)


def encoded(frames: Sequence[npt.NDArray[np.uint8]], milliseconds: int = 0) -> bytes:
    """A PNG of one frame; with a time for each of them, a GIF of several, over and over."""
    from PIL import Image  # noqa: PLC0415 heavy, and of use only here

    file = io.BytesIO()
    first, *rest = (Image.fromarray(frame) for frame in frames)
    if milliseconds:
        first.save(file, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    else:
        first.save(file, "PNG")
    return file.getvalue()
