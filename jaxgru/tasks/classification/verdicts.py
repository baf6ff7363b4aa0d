"""What a classifier makes of texts, utterances or images: its scores, a report, pictures people look at first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.tasks.pictures import CHARACTER, LINE, SIZE, clip, lay_out, new_figure, save, shade

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jaxgru.data.labelled import Example

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.integer]

COUNTED = 50  # classes of a confusion matrix up to which its cells have room for their counts
USUAL = 30  # words of a text that is easily looked at

LEGEND = "Texts of the test split. The darker a word's ground, the larger its share of the text's attention."


class Reading(NamedTuple):
    """What a model makes of N texts, or utterances.

    Args:
      odds: (N, classes), the probability of each class.
      attention: of each text the share (L,) of each of the words it read; of an utterance, of its frames.
    """

    odds: Floats
    attention: list[Floats]


class Shaded(NamedTuple):
    """A text to draw: what stands above it, its words, and the share of attention of each."""

    title: str
    words: Sequence[str]
    attention: Floats


def confusion(labels: Ints, said: Ints, classes: int) -> npt.NDArray[np.int64]:
    """How many texts of each class (rows) were said to be of which (columns).

    Example:
      >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2)
      array([[1, 1],
             [0, 1]])
    """
    counts = np.bincount(labels * classes + said, minlength=classes * classes)
    return counts.reshape(classes, classes)


def f1(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """F1 of each class, 2 · right / (texts of it + texts said to be of it); nan where there are neither."""
    total = counts.sum(0) + counts.sum(1)
    return np.where(total > 0, 2 * counts.diagonal() / np.maximum(total, 1), np.nan)


def scores(counts: npt.NDArray[np.int64]) -> dict[str, float]:
    """The share of right answers, and F1 averaged over the classes that occur.

    Example:
      >>> {name: round(score, 3) for name, score in scores(np.array([[3, 1], [0, 2]])).items()}
      {'accuracy': 0.833, 'macro_f1': 0.829}
    """
    return {
        "accuracy": float(counts.diagonal().sum() / counts.sum()),
        "macro_f1": float(np.nanmean(f1(counts))),
    }


def report(
    counts: npt.NDArray[np.int64],
    classes: Sequence[str],
    others: Mapping[str, Mapping[str, float]],
    what: str = "texts",
) -> str:
    """A table of the classes, and the accuracy beside that of other methods; `what` was told apart.

    Example:
      >>> print(report(np.array([[3, 1], [0, 2]]), ["oil", "tea"], {"chance": {"accuracy": 0.5}}))
      class    texts  found  precision      F1
      oil          4  0.750      1.000   0.857
      tea          2  1.000      0.667   0.800
      <BLANKLINE>
      accuracy on the test split
        this model  0.8333
        chance      0.5000
    """
    classes = [*map(printable, classes)]
    width = max(map(len, ["class  ", *classes]))
    lines = [f"{'class':<{width}}  {what}  found  precision      F1"]
    for i, name in enumerate(classes):
        right, of, named = counts[i, i], counts[i].sum(), counts[:, i].sum()
        found, precision = right / max(of, 1), right / max(named, 1)
        both = "    -" if of + named == 0 else f"{f1(counts)[i]:.3f}"
        lines.append(f"{name:<{width}}  {of:>{len(what)}}  {found:.3f}      {precision:.3f}   {both}")
    rows = {"this model": scores(counts)["accuracy"]} | {name: of["accuracy"] for name, of in others.items()}
    width = max(map(len, rows))
    lines += ["", "accuracy on the test split", *(f"  {name:<{width}}  {rows[name]:.4f}" for name in rows)]
    return "\n".join(lines)


def write(
    run_dir: Path,
    counts: npt.NDArray[np.int64],
    classes: Sequence[str],
    others: Mapping[str, Mapping[str, float]],
    what: str = "texts",
) -> list[Path]:
    """Writes report.txt and confusion.png, of a matrix as `confusion` makes it; see `report`."""
    paths = [run_dir / name for name in ("report.txt", "confusion.png")]
    paths[0].write_text(report(counts, classes, others, what) + "\n", encoding="utf-8")
    draw_confusion(paths[1], counts, classes, what)
    return paths


def ranked(odds: Mapping[str, float]) -> str:
    """The classes with their probabilities, a line each, the likeliest first.

    Example:
      >>> print(ranked({"oil": 0.1, "tea": 0.9}))
      tea  0.9000
      oil  0.1000
    """
    names = {name: printable(name) for name in sorted(odds, key=lambda name: -odds[name])}
    width = max(map(len, names.values()))
    return "\n".join(f"{names[name]:<{width}}  {odds[name]:.4f}" for name in names)


def printable(name: str) -> str:
    r"""A name as it stands in a line: signs that do not print, such as the end of a line, are escaped.

    Example:
      >>> print(printable("oil\nand tea"))
      oil\nand tea
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)


def describe(odds: Mapping[str, float], words: Sequence[str], attention: Floats, most: int) -> str:
    """The classes of a text, the likeliest first, and its words with the most attention.

    Args:
      odds: the probability of each class.
      words: of the text.
      attention: of as many of them as were read.
      most: how many words to show, of those whose share is not 0.00; those of a word that is repeated are added.

    Example:
      >>> print(describe({"oil": 0.1, "tea": 0.9}, ["tea", "and", "tea"], np.array([0.5, 0.1, 0.4]), most=1))
      tea  0.9000
      oil  0.1000
      <BLANKLINE>
      attention: tea 0.90
    """
    lines = [ranked(odds)]
    shares: Counter[str] = Counter()
    for word, share in zip(words, attention.tolist(), strict=False):
        shares[word] += share
    told = [f"{word} {share:.2f}" for word, share in shares.most_common(most) if share >= 0.005]
    lines += ["", f"attention: {', '.join(told)}"] if told else []
    if len(attention) < len(words):
        lines.append(f"only the first {len(attention)} of {len(words)} words were read")
    return "\n".join(lines)


def choose(examples: Sequence[Example], reading: Reading, classes: Sequence[str]) -> list[Shaded]:
    """Texts worth a look, of about the usual length, with what was made of them: see `pick`."""
    labels = [example.label for example in examples]
    unusual = [abs(len(example.words) - USUAL) for example in examples]
    return [
        Shaded(title(labels[i], reading.odds[i], classes), examples[i].words, reading.attention[i])
        for i in pick(labels, unusual, reading.odds, classes)
    ]


def pick(labels: Sequence[str], unusual: Sequence[float], odds: Floats, classes: Sequence[str]) -> list[int]:
    """Which are worth a look: of up to six classes one that was told rightly, and two that were not.

    Args:
      labels: the class of each.
      unusual: by how much each is not what is easily looked at; the least so are taken.
      odds: (N, classes), what was made of each.
      classes: their names.
    """
    right: dict[str, int] = {}
    wrong: list[int] = []
    for i in sorted(range(len(labels)), key=lambda i: unusual[i]):
        if classes[odds[i].argmax()] != labels[i]:
            wrong.append(i)
        else:
            right.setdefault(labels[i], i)
    return [*(right[label] for label in sorted(right)[:6]), *wrong[:2]]


def title(label: str, odds: Floats, classes: Sequence[str]) -> str:
    """What one is, and what was made of it.

    Example:
      >>> title("tea", np.array([0.75, 0.25]), ["oil", "tea"])
      'tea, taken for oil with a probability of 0.75'
    """
    said, p = classes[int(odds.argmax())], odds.max()
    taken = "" if said == label else f" taken for {said}"
    return printable(f"{label},{taken} with a probability of {p:.2f}")


def draw_confusion(
    path: Path, counts: npt.NDArray[np.int64], classes: Sequence[str], what: str = "texts"
) -> None:
    """Draws a confusion matrix: each row shaded by the shares of its class, with the counts in it."""
    size, count = min(3.0 + 0.55 * len(classes), 40.0), len(classes)
    figure = new_figure(size + 0.8, size, "constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label=f"share of the {what} of the class", shrink=0.8)
    names = [clip(printable(name), 24).replace("$", r"\$") for name in classes]
    axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    axes.set(xlabel="said to be", ylabel="is", title=f"{counts.diagonal().sum()} of {counts.sum()} right")
    if count <= COUNTED:
        for i, j in np.argwhere(counts):
            color = "white" if shares[i, j] > 0.6 else "black"
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=color, fontsize=9)
    save(figure, path)


def draw_attention(path: Path, shown: Sequence[Shaded]) -> None:
    """Draws texts whose words stand on a ground that is the darker, the larger their share of attention is."""
    places = [lay_out(each.words) for each in shown]
    tops = np.cumsum([2.5] + [each[-1][1] + 3.0 for each in places])
    width, height = LINE + 4, float(tops[-1]) - 0.5
    # A unit is a character wide and a line high.
    figure = new_figure(width * CHARACTER, height * 2.4 * CHARACTER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-2, LINE + 2), ylim=(height, 0))
    axes.axis("off")
    axes.text(0, 0.8, LEGEND, fontsize=SIZE, va="center")
    for each, top, where in zip(shown, tops, places, strict=False):
        axes.text(0, top, each.title, fontsize=SIZE, fontweight="bold", va="center", parse_math=False)
        most = max(each.attention.max(initial=0), 1e-30)
        shares = [*(each.attention / most).tolist(), *[0.0] * len(where)]  # none for what was not read
        for word, share, (x, line) in zip(each.words, shares, where, strict=False):
            shade(axes, x, top + line + 1, clip(word, LINE), share)
        if len(where) < len(each.words):
            shade(axes, where[-1][0] + len(each.words[len(where) - 1]) + 1, top + where[-1][1] + 1, "…", 0)
    save(figure, path)
