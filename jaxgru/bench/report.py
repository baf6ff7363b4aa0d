"""What was found, for people and for programs: tables, a summary, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import importlib.metadata
import itertools
import json
import os
import platform
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
from rich import box
from rich.table import Table

from jaxgru.bench.cases import LAYERS, Case
from jaxgru.bench.run import Row
from jaxgru.training.mesh import cores
from jaxgru.training.run import versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jaxgru.bench.peer import Peer

BEHIND = 0.95  # of the peer's time: below it, the peer is ahead
FASTEST, ANY = "fastest JAX peer", "fastest peer, any form"
ENVIRONMENT = ("GLIBC_TUNABLES", "XLA_FLAGS", "OMP_NUM_THREADS", "JAX_DEFAULT_MATMUL_PRECISION")


def machine(peers: Iterable[Peer], peaks: Mapping[str, float]) -> dict[str, Any]:
    """What absolute times depend on."""
    names = importlib.metadata.packages_distributions()
    packages = {name for peer in peers for name in names.get(peer.package, ())}
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "platform": platform.platform(),
        "cpu": models[0] if models else platform.processor(),
        "cores": cores(),
        "devices": [device.device_kind for device in jax.devices()],
        "matmul_gflops": {dtype: round(peak / 1e9, 1) for dtype, peak in peaks.items()},
        "environment": {name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        "versions": versions() | {name: importlib.metadata.version(name) for name in sorted(packages)},
    }


def append_csv(path: Path, rows: Sequence[Row]) -> None:
    """Adds rows to a CSV file, which begins with their names."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Row)])
        if new:
            writer.writeheader()
        writer.writerows(map(dataclasses.asdict, rows))


def write_json(path: Path, facts: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """The machine, and every row."""
    path.write_text(json.dumps({**facts, "rows": [*map(dataclasses.asdict, rows)]}, indent=1) + "\n")


def table(title: str, rows: Sequence[Row]) -> Table:
    """One case: a line for each contender, × being how many times as long as its base took."""
    slow = any(row.p99_ms is not None for row in rows)
    columns = ["ms", *(["p99"] if slow else []), "×", "quartiles", "of limit", "compile s", "MB"]
    shown = bare(title)
    shown.add_column("contender", no_wrap=True)
    for column in columns:
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("note", overflow="fold")
    for row in rows:
        spread = f"{row.low:.2f}–{row.high:.2f}" if row.low is not None and row.contender != row.base else ""
        threads = f"threads: {row.threads}" if row.threads else ""
        cells = [
            number(row.ms, 3),
            *([number(row.p99_ms, 3)] if slow else []),
            number(row.ratio, 2),
            spread,
            "" if row.limit is None else f"{row.limit:.0%}",
            number(row.compile_s, 2),
            number(row.memory_mb, 2),
        ]
        shown.add_row(row.contender, *cells, "; ".join(filter(None, (row.note, threads))))
    return shown


def number(value: float | None, digits: int) -> str:
    """A number with about as many digits as tell something.

    Example:
      >>> number(0.1234, 3), number(1234.5, 3), number(None, 3)
      ('0.123', '1234', '')
    """
    if value is None:
        return ""
    return f"{value:.{digits if value < 10 else max(0, digits - 2) if value < 1000 else 0}f}"


class Side(NamedTuple):
    """A peer against jaxgru in one case: its time over jaxgru's, and the upper end of the spread."""

    ratio: float
    high: float
    row: Row

    @property
    def where(self) -> str:
        """The case's work and sizes."""
        row = self.row
        return Case(row.work, row.T, row.B, row.H, row.dtype, row.mode == "backward", row.I).where


def compared(rows: Sequence[Row]) -> dict[tuple[str, str, str, str], list[Side]]:
    """Every peer against jaxgru over all layers, by (work, who, dtype, mode).

    Beside the peers themselves there are two for whoever is fastest in a case: `FASTEST`, among JAX peers on one
    device, and `ANY`, among all in every form, against jaxgru on as many devices as there are; where a batch is
    split at all, over those cases that are.
    """
    found: dict[tuple[str, str, str, str], list[Side]] = {}
    layers = [row for row in rows if row.work in LAYERS]
    most = max((row.devices for row in layers), default=1)
    cases = itertools.groupby(layers, lambda r: (r.work, r.T, r.B, r.I, r.H, r.dtype, r.mode))
    for (work, *_, dtype, mode), group in cases:
        members = list(group)
        ours = {row.contender: row.ms for row in members if row.kind == "jaxgru" and row.ms}
        sides = {row.contender: Side(row.ratio, row.high, row) for row in members if row.ratio and row.high}
        sides = {name: side for name, side in sides.items() if name not in ours}
        alone = [side for side in sides.values() if side.row.kind == "jax" and side.row.devices == 1]
        forms = []
        for side in sides.values():
            base = side.row.base.partition(" ×")[0] + (f" ×{most}" if most > 1 else "")
            if base in ours and side.row.ms:
                ratio = side.row.ms / ours[base]
                forms.append(Side(ratio, ratio, side.row))
        best = {name: min(choice) for name, choice in ((FASTEST, alone), (ANY, forms)) if choice}
        for name, side in (sides | best).items():
            found.setdefault((work, name, dtype, mode), []).append(side)

    def order(key: tuple[str, str, str, str]) -> tuple[Any, ...]:
        return key[0], key[2], key[3] == "backward", key[1] in {FASTEST, ANY}

    return {key: found[key] for key in sorted(found, key=order)}


def summary(rows: Sequence[Row]) -> Table:
    """A line for each peer: geometric mean and worst case."""
    shown = bare("jaxgru's lead over all layers: a peer's time over jaxgru's")
    for column in ("work", "peer", "dtype", "mode"):
        shown.add_column(column, no_wrap=True)
    for column in ("cases", "geometric mean", f"below {BEHIND}", "worst"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("where", no_wrap=True)
    for (work, name, dtype, mode), sides in compared(rows).items():
        worst = min(sides)
        mean = statistics.geometric_mean([side.ratio for side in sides])
        behind = sum(side.ratio < BEHIND for side in sides)
        figures = (str(len(sides)), f"{mean:.2f}", str(behind), f"{worst.ratio:.2f}")
        shown.add_row(work, name, dtype, mode, *figures, worst.where, end_section=name == ANY)
    return shown


def ahead(rows: Sequence[Row]) -> Table | None:
    """The cases in which a peer is ahead, if there are any."""
    shown = bare(f"where a peer is ahead (below {BEHIND})")
    for column in ("case", "dtype", "mode", "peer"):
        shown.add_column(column, no_wrap=True)
    for column in ("×", "upper end"):
        shown.add_column(column, justify="right")
    for (_, name, dtype, mode), sides in compared(rows).items():
        for side in sides:
            if side.ratio < BEHIND and name not in {FASTEST, ANY}:
                shown.add_row(side.where, dtype, mode, name, f"{side.ratio:.2f}", f"{side.high:.2f}")
    return shown if shown.row_count else None


def bare(title: str) -> Table:
    """An empty table with a title, and few lines."""
    style: dict[str, Any] = {"title_style": "bold", "title_justify": "left", "box": box.SIMPLE_HEAD}
    return Table(title=f"\n{title}", pad_edge=False, show_edge=False, **style)
