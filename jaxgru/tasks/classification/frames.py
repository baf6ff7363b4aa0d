"""What a model makes of utterances, to be read and looked at: answers in words, and frames above their attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxgru.tasks.classification.verdicts import printable
from jaxgru.tasks.pictures import clip, new_figure, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    from matplotlib.axes import Axes

    from jaxgru.data.mel import LogMel

    Floats = npt.NDArray[np.float32]

COLUMNS = 2
SOUND = "Utterances of the test split: how loud each band is, the brighter the louder; below, the share of each frame."
CHANNELS = (
    "Utterances of the test split: scaled channels, the brighter the higher; below, the share of each frame."
)


class Shown(NamedTuple):
    """An utterance to draw: what stands above it, its frames (T, C), and the share (T,) of attention of each."""

    title: str
    frames: Floats
    attention: Floats


def stretch(attention: Floats, share: float = 0.5) -> tuple[int, int]:
    """The shortest run of frames that holds a share of the attention: its first frame, and the one after its last.

    Example:
      >>> stretch(np.array([0.0, 0.1, 0.3, 0.4, 0.2]))
      (2, 4)
    """
    sums = np.concatenate([[0.0], np.cumsum(attention, dtype=np.float64)])
    ends = np.searchsorted(sums, sums[:-1] + share * sums[-1] - 1e-9)
    reached = np.flatnonzero(ends < len(sums))
    first = int(reached[(ends - np.arange(len(ends)))[reached].argmin()])
    return first, int(ends[first])


def where(attention: Floats, features: LogMel | None) -> str:
    """A sentence on where in an utterance the attention was, in seconds where frames are of sound.

    Example:
      >>> where(np.array([0.0, 0.1, 0.3, 0.4, 0.2]), None)
      'half of the attention lies on frames 3 to 4 of 5'
    """
    first, end = stretch(attention)
    if features is None:
        return f"half of the attention lies on frames {first + 1} to {end} of {len(attention)}"
    hop, window = features.step / features.rate, features.width / features.rate
    until, whole = ((count - 1) * hop + window for count in (end, len(attention)))
    return f"half of the attention lies between {first * hop:.2f} s and {until:.2f} s of {whole:.2f} s"


def answers(labels: Sequence[str], odds: Floats, classes: Sequence[str]) -> str:
    """A table of several utterances, each with its likeliest class; a label that is not known is "".

    Example:
      >>> print(answers(["a", ""], np.array([[0.9, 0.1], [0.4, 0.6]]), ["a", "b"]))
      case  said  probability  label
         0  a          0.9000  a
         1  b          0.6000  -
      1 of 1 right
    """
    said = [classes[i] for i in odds.argmax(1)]
    width = max(len(printable(name)) for name in ["said", *classes])
    lines = [f"case  {'said':<{width}}  probability  label"]
    for i, (label, name) in enumerate(zip(labels, said, strict=True)):
        lines.append(f"{i:>4}  {printable(name):<{width}}  {odds[i].max():>11.4f}  {printable(label) or '-'}")
    known = [label == name for label, name in zip(labels, said, strict=True) if label]
    if known:
        lines.append(f"{sum(known)} of {len(known)} right")
    return "\n".join(lines)


def draw(path: Path, shown: Sequence[Shown], features: LogMel | None) -> None:
    """Draws utterances, two in a row: frames from left to right, and below the attention on each of them.

    Args:
      path: of the PNG.
      shown: the utterances.
      features: what made the frames of sound; None where they are channels of their own.
    """
    rows = max(1, -(-len(shown) // COLUMNS))
    figure = new_figure(11, 2.6 * rows, "constrained")
    grid = figure.subplots(2 * rows, COLUMNS, squeeze=False, height_ratios=[3, 1] * rows)
    figure.suptitle(SOUND if features else CHANNELS, fontsize=9)
    for axes in grid.flat:
        axes.axis("off")
    for i, each in enumerate(shown):
        row, column = divmod(i, COLUMNS)
        above, below = grid[2 * row, column], grid[2 * row + 1, column]
        draw_frames(above, each, features)
        draw_attention(below, each.attention, features, last=i + COLUMNS >= len(shown))
        below.sharex(above)
        above.tick_params(labelbottom=False)
    save(figure, path)


def edges(steps: int, features: LogMel | None) -> npt.NDArray[np.floating]:
    """Between which places (steps + 1,) frames are drawn: seconds of sound, or so that the first stands at 1.

    Example:
      >>> edges(3, None)
      array([0.5, 1.5, 2.5, 3.5])
    """
    places = np.arange(steps + 1)
    return places * (features.step / features.rate) if features else places + 0.5


def draw_frames(axes: Axes, each: Shown, features: LogMel | None) -> None:
    """Draws the frames of an utterance as a picture, time to the right."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 heavy, and of use only here

    steps, channels = each.frames.shape
    places = edges(steps, features)
    low, high = np.quantile(each.frames, [0.02, 0.995])
    axes.axis("on")
    axes.imshow(
        each.frames.T,
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        cmap="magma" if features else "viridis",
        extent=(places[0], places[-1], 0, channels),
        vmin=low,
        vmax=high if high > low else low + 1,
    )
    axes.set_title(clip(each.title, 66), fontsize=10, parse_math=False)
    if features is None:
        axes.set_ylabel("channel")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        bands = np.linspace(0, channels - 1, min(4, channels)).round().astype(int)
        axes.set_yticks(bands + 0.5, [f"{features.centres[band]:.0f}" for band in bands])
        axes.set_ylabel("Hz")


def draw_attention(axes: Axes, attention: Floats, features: LogMel | None, *, last: bool) -> None:
    """Draws the share of the attention that each frame has; the last in a column says what stands to the right."""
    axes.axis("on")
    axes.stairs(attention, edges(len(attention), features), fill=True, color="C1")
    axes.set_ylim(0, max(float(attention.max(initial=0)) * 1.1, 1e-6))
    axes.set_yticks([])
    axes.set_ylabel("attention", fontsize=8)
    if last:
        axes.set_xlabel("seconds" if features else "frame")
