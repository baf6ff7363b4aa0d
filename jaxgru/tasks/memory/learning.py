"""Networks that learn in one run: their validation scores against the step, as a picture and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxgru.tasks.pictures import new_figure, save

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Curve = list[tuple[int, float]]

STYLES: tuple[dict[str, Any], ...] = ({"color": "black", "linewidth": 2.2}, {"color": "C3", "linewidth": 1.6})


def curve(rows: Sequence[Mapping[str, Any]], key: str) -> Curve:
    """The steps and values of one key of metrics.jsonl.

    Example:
      >>> curve([{"step": 1, "loss": 3.0}, {"step": 1, "validation_mse": 0.5}], "validation_mse")
      [(1, 0.5)]
    """
    return [(row["step"], row[key]) for row in rows if row.get(key) is not None]


def verdict(title: str, scores: Mapping[str, float], curves: Mapping[str, Curve]) -> str:
    """The scores in a table, and beside each the best that its network had on the validation split.

    Example:
      >>> print(verdict("error", {"GRU": 0.00123, "always one": 1 / 6}, {"GRU": [(100, 0.5), (200, 0.0012)]}))
      error
        GRU         0.00123   best on validation 0.0012, at step 200
        always one  0.167
    """
    width, lines = max(map(len, scores)), [title]
    for name, score in scores.items():
        best = min(curves.get(name, []), key=lambda point: point[1], default=None)
        said = "" if best is None else f"   best on validation {best[1]:.3g}, at step {best[0]}"
        lines.append(f"  {name:<{width}}  {f'{score:.3g}':<{7 * bool(said)}}{said}".rstrip())
    return "\n".join(lines)


def far(title: str, scores: Mapping[str, Mapping[int, float]], counts: Mapping[int, int]) -> str:
    """A table of what each network scores at several T, on how many sequences.

    Example:
      >>> print(far("error", {"GRU": {100: 0.00123, 400: 0.5}}, {100: 250, 400: 62}))
      error, by T
        T                100       400
        sequences        250        62
        GRU          0.00123       0.5
    """
    rows = {"T": [*counts], "sequences": [*counts.values()]}
    width = max(map(len, [*rows, *scores]))
    lines = [f"{title}, by T"]
    lines += [f"  {name:<{width}}" + "".join(f"{count:>10}" for count in row) for name, row in rows.items()]
    for name, found in scores.items():
        lines.append(f"  {name:<{width}}" + "".join(f"{f'{score:.3g}':>10}" for score in found.values()))
    return "\n".join(lines)


def draw_learning(
    path: Path,
    curves: Mapping[str, Curve],
    title: str,
    idle: tuple[str, float],
    growth: Mapping[int, int],
) -> None:
    """Draws the curves on a logarithmic axis, the score of doing nothing, and where T grew.

    Args:
      path: of the PNG.
      curves: the validation scores of each network by its name.
      title: what the scores are.
      idle: what doing nothing is called, and what it scores.
      growth: T by the steps from which on it was that.
    """
    figure = new_figure(7.5, 4.6, "constrained")
    axes = figure.subplots()
    name, level = idle
    axes.axhline(level, color="0.4", linestyle="--", linewidth=1, label=name)
    for (network, points), style in zip(curves.items(), STYLES, strict=False):
        axes.plot(
            [step for step, _ in points], [score for _, score in points], label=network, marker=".", **style
        )
    for step, length in growth.items():
        axes.axvline(step, color="0.7", linewidth=0.8, linestyle=":")
        where = axes.get_xaxis_transform()
        axes.text(
            step, 1.01, f"T={length}", transform=where, ha="center", va="bottom", fontsize=8, color="0.4"
        )
    axes.set(xlabel="step", ylabel=title, yscale="log")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)
