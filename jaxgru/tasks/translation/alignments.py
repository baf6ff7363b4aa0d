"""What a translator makes of texts: their BLEU, a report of them, and pictures of where it looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.data.tokens import JOINER
from jaxgru.tasks.pictures import clip, new_figure, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxgru.data.parallel import Pair

SHOWN, DRAWN = 24, 6  # translations of a report and of a picture
LONGEST = 24  # words of a text that a picture has room for
FEWEST, MOST = 6, 16  # words of a text that is looked at
CELL = 0.34  # inches of a cell of a picture


class Translation(NamedTuple):
    """A text's words, those of its translation, the translation, and where each of its words looked (T, S)."""

    source: Sequence[str]
    words: Sequence[str]
    text: str
    attention: npt.NDArray[np.floating]


def bleu(said: Sequence[str], pairs: Sequence[Pair], *, lowercase: bool) -> float:
    """BLEU in percent, of what was said of the sources of some pairs, as sacrebleu has it by default.

    References: Papineni et al. 2002; Post 2018 (arXiv:1804.08771).
    """
    import sacrebleu  # noqa: PLC0415 an extra, and of use only here

    references = [[pair.target for pair in pairs]]
    return float(sacrebleu.corpus_bleu(said, references, lowercase=lowercase).score)


def choose(sources: Sequence[Sequence[str]]) -> list[int]:
    """Texts to look at, by rule: evenly spaced among those that are neither short nor long, or among all.

    Example:
      >>> choose([["a"] * 7, ["b"], ["c"] * 8])
      [0, 2]
    """
    usual = [i for i, words in enumerate(sources) if FEWEST <= len(words) <= MOST] or [*range(len(sources))]
    places = np.linspace(0, len(usual) - 1, min(SHOWN, len(usual))).round().astype(int)
    return [usual[place] for place in places]


def report(pairs: Sequence[Pair], said: Sequence[Translation], memory: Sequence[str]) -> str:
    """The texts with their translations: the given one, the model's, and that of the most similar text.

    Example:
      >>> from jaxgru.data.parallel import Pair
      >>> said = Translation(["Good", "day"], ["Guten", "Tag"], "Guten Tag", np.zeros((2, 2)))
      >>> print(report([Pair("Good day", "Guten Tag")], [said], ["Gut"]), end="")
      text     Good day
      given    Guten Tag
      model    Guten Tag
      nearest  Gut
    """
    parts = []
    for pair, each, near in zip(pairs, said, memory, strict=True):
        lines = {"text": pair.source, "given": pair.target, "model": each.text, "nearest": near}
        parts.append("".join(f"{name:<9}{line}".rstrip() + "\n" for name, line in lines.items()))
    return "\n".join(parts)


def draw(path: Path, said: Sequence[Translation]) -> bool:
    """Draws where each word of the first translations looked: their words down, those of the text across.

    Of long texts it has the start. Where no translation has a word, there is no picture.

    Returns:
      Whether there is one.
    """
    said = [
        Translation(
            each.source[:LONGEST], each.words[:LONGEST], each.text, each.attention[:LONGEST, :LONGEST]
        )
        for each in said[:DRAWN]
        if each.words
    ]
    if not said:
        return False
    columns = 2 if len(said) > 1 else 1
    rows = -(-len(said) // columns)
    wide, high = (max(len(getattr(each, side)) for each in said) for side in ("source", "words"))
    figure = new_figure(
        columns * (max(wide, 9) * CELL + 2.0), rows * (max(high, 3) * CELL + 1.8) + 0.4, "constrained"
    )
    figure.suptitle(
        "Where each word of a translation (down) looked in its text (across): the darker, the more"
    )
    for i, each in enumerate(said):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(each.attention, cmap="Blues", vmin=0, vmax=1)
        axes.xaxis.tick_top()
        across, down = labels(each.source), labels(each.words)
        axes.set_xticks(
            range(len(across)), across, fontsize=9, rotation=60, ha="left", rotation_mode="anchor"
        )
        axes.set_yticks(range(len(down)), down, fontsize=9)
        axes.tick_params(length=0)
    save(figure, path)
    return True


def labels(words: Sequence[str]) -> list[str]:
    r"""Words as they stand beside a picture: short, and without the signs that join them.

    Example:
      >>> labels(["￭.", "price$"])
      ['.', 'price\\$']
    """
    return [clip(word.strip(JOINER) or word, 18).replace("$", r"\$") for word in words]
