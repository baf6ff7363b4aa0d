"""The picture: time per step against H, with the limit drawn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from jaxgru.bench.run import Row

MARKERS = "os^Dv<>Pp*X"


def draw(path: Path, rows: Sequence[Row], title: str) -> None:
    """Draws the layers of one T: a panel for each B, forward above backward.

    Each peer is drawn in its fastest form, and jaxgru in each form of its default variant.

    Args:
      path: the PNG file; none is written if no layer was measured.
      rows: of the whole run; of several T or dtypes the one with most rows is drawn.
      title: what stands above, such as the machine.
    """
    timed = [row for row in rows if row.work == "layer" and row.ms and " (" not in row.contender]
    if not timed:
        return
    from matplotlib.figure import Figure  # noqa: PLC0415 heavy, and of use only here

    (T, dtype), _ = Counter((row.T, row.dtype) for row in timed).most_common(1)[0]
    timed = [row for row in timed if (row.T, row.dtype) == (T, dtype)]
    modes = [mode for mode in ("forward", "backward") if any(row.mode == mode for row in timed)]
    batches = sorted({row.B for row in timed})
    widths = sorted({row.H for row in timed})
    styles = styles_of(timed)
    figure = Figure(figsize=(1.8 + 3.6 * len(batches), 0.9 + 3.2 * len(modes)), layout="constrained")
    panels = figure.subplots(len(modes), len(batches), sharex=True, sharey="row", squeeze=False)
    for axes, mode in zip(panels, modes, strict=True):
        for panel, B in zip(axes, batches, strict=True):
            panel.set_title(
                f"{'forward' if mode == 'forward' else 'forward + backward'}, B = {B}", fontsize=10
            )
            plot(panel, [row for row in timed if (row.mode, row.B) == (mode, B)], styles)
            panel.set(xscale="log", yscale="log")
            panel.set_xticks(widths, [str(H) for H in widths])
            panel.minorticks_off()
            panel.grid(alpha=0.3)
        axes[0].set_ylabel("µs a step")
    for panel in panels[-1]:
        panel.set_xlabel("H = I")
    lines = {line.get_label(): line for panel in panels.flat for line in panel.get_lines()}
    figure.legend(lines.values(), lines.keys(), loc="outside right center", frameon=False, fontsize=9)
    figure.suptitle(f"Time of one GRU step, T = {T}, {dtype}\n{title}", fontsize=11)
    figure.savefig(path, dpi=130)


def styles_of(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """How each implementation is drawn, jaxgru in black and on top."""
    styles: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.kind == "jaxgru":
            several = row.devices > 1
            fill = "white" if several else "black"
            styles[row.contender] = {
                "color": "black", "linewidth": 2.2, "marker": "o", "zorder": 5,
                "linestyle": "--" if several else "-", "markerfacecolor": fill,
            }  # fmt: skip
    for i, peer in enumerate(dict.fromkeys(row.peer for row in rows if row.kind != "jaxgru")):
        styles[peer] = {
            "color": f"C{i}",
            "linewidth": 1,
            "marker": MARKERS[i % len(MARKERS)],
            "markersize": 4,
        }
    return styles


def plot(panel: Axes, rows: Sequence[Row], styles: Mapping[str, Mapping[str, Any]]) -> None:
    """One panel's lines; and the time that the FLOP limit leaves."""
    points: dict[str, dict[int, float]] = {}
    for row in rows:
        name = row.contender if row.kind == "jaxgru" else row.peer
        at = points.setdefault(name, {})
        step = (row.ms or 0) * 1e3 / row.T
        at[row.H] = min(step, at.get(row.H, step))
    for name, at in points.items():
        panel.plot(*zip(*sorted(at.items()), strict=True), label=name, **styles[name])
    limits = sorted({row.H: row.ms * 1e3 / row.T * row.limit for row in rows if row.ms and row.limit}.items())
    panel.plot(*zip(*limits, strict=True), color="0.6", linestyle=":", label="FLOP limit")
