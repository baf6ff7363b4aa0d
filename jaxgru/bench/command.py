"""`python -m jaxgru bench`: which recurrent implementation to run, on this machine."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
from rich.console import Console

from jaxgru.arguments import parser
from jaxgru.bench import figure, report
from jaxgru.bench.cases import GRIDS, Case, cases
from jaxgru.bench.peer import DTYPES, installed
from jaxgru.bench.peers import NAMES, find
from jaxgru.bench.run import Row, Setup, rows, splits
from jaxgru.bench.timing import flop_peak
from jaxgru.training.errors import UserError
from jaxgru.training.run import make_folder, new_folder

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from jaxgru.bench.peer import Peer

HELP = """\
Times jaxgru against what else is installed, and leaves results.csv, results.json and figure.png.

All contenders run in one process, in shuffled order; × is how many times as long as jaxgru one took: the median
over the rounds. Outputs and gradients are checked first, and what is wrong gets no time. × of a JAX peer is
against jaxgru on as many devices, × of any other peer against jaxgru on all of them. "backward" is both passes.

examples:
  python -m jaxgru bench --quick                         a few sizes, within two minutes
  python -m jaxgru bench                                 the full grid: about half an hour
  python -m jaxgru bench --only "layer T256 B8"          the cases with these words
  python -m jaxgru bench --devices 2                     the batch split over two CPU devices, too
  python -m jaxgru bench --peers flax-linen,my_gru.py    one peer of ours, and PEER from a file of yours
"""
MOST_DEVICES = 256
SECONDS = {"quick": 0.2, "full": 1.0}


class Line(NamedTuple):
    """The peers that take part, and the names of those that are not installed."""

    peers: list[Peer]
    absent: list[str]


def bench(argv: Sequence[str]) -> int:
    """`bench [--quick] …`; the exit status is 1 if jaxgru itself disagrees with the oracle."""
    given = arguments(argv)
    grid = "quick" if given.quick else given.grid
    dtypes = ("f32", "bf16") if given.dtype == "both" else (given.dtype,)
    mode = "backward" if given.backward else "forward" if given.forward else "both"
    chosen = [case for case in cases(grid, dtypes, mode) if case.matches(given.only)]
    if not chosen:
        words = "a case reads like 'layer T256 B8 H64 f32 backward'"
        raise UserError(f"--only {given.only!r} leaves no case beside the other options; {words}")
    if given.devices > 1 and not any(splits(case, given.devices) for case in chosen):
        raise UserError(f"--devices {given.devices} shares the rows of no case equally")
    line = start_line(given.peers)
    give_devices(given.devices)
    out = folder(given.out)
    peaks = {dtype: flop_peak(DTYPES[dtype]) for dtype in dtypes}
    setup = Setup(line.peers, given.devices, peaks, SECONDS[grid])
    return measure_all(chosen, setup, line.absent, out)


def arguments(argv: Sequence[str]) -> Namespace:
    """The command line's options."""
    options = parser("bench", "[options]", HELP)
    grids = options.add_mutually_exclusive_group()
    grids.add_argument("--quick", action="store_true", help="the same as --grid quick")
    grids.add_argument("--grid", choices=tuple(GRIDS), default="full", help="which sizes (full)")
    options.add_argument("--only", default="", metavar="TEXT", help="only cases that have all these words")
    options.add_argument(
        "--peers", metavar="A,B", help=f"some of {', '.join(NAMES)}, or .py files; all by default"
    )
    options.add_argument("--dtype", choices=("f32", "bf16", "both"), default="f32", help="(f32)")
    modes = options.add_mutually_exclusive_group()
    modes.add_argument("--forward", action="store_true", help="the forward pass only")
    modes.add_argument("--backward", action="store_true", help="forward and backward together only")
    options.add_argument(
        "--devices", type=int, default=1, metavar="N", help="split batches over N devices, too (1)"
    )
    options.add_argument(
        "--out", type=Path, metavar="DIR", help="where to leave the results (runs/bench-<time>)"
    )
    return options.parse_args(argv)


def start_line(words: str | None) -> Line:
    """The peers asked for, or all; those not installed by name."""
    names = [word.strip() for word in words.split(",") if word.strip()] if words is not None else NAMES
    if not names:
        raise UserError("--peers names no peer; leave it out for all of them")
    peers = [find(name) for name in names]
    taken = ["jaxgru"]
    for peer in peers:
        if peer.name in taken:
            raise UserError(f"two contenders are named {peer.name}; a row of each needs a name of its own")
        taken.append(peer.name)
    return Line([p for p in peers if installed(p)], [p.name for p in peers if not installed(p)])


def give_devices(count: int) -> None:
    """Makes the CPU that many devices, which JAX allows before its first computation."""
    if not 1 <= count <= MOST_DEVICES:
        raise UserError(f"--devices must be from 1 to {MOST_DEVICES}, got {count}")
    if count == 1:
        return
    with contextlib.suppress(RuntimeError):  # a process that has computed already keeps the devices it has
        jax.config.update("jax_num_cpu_devices", count)
    if jax.device_count() < count:
        raise UserError(f"--devices {count}: JAX has {jax.device_count()} here")


def folder(path: Path | None) -> Path:
    """The folder of the results, made if need be."""
    if path is None:
        return new_folder("bench")
    if path.exists() and not path.is_dir():
        raise UserError(f"--out {path} is a file; name a folder")
    if path.exists() and any(path.iterdir()):
        raise UserError(f"--out {path} is not empty; name a new folder")
    make_folder("--out", path)
    return path


def measure_all(chosen: Sequence[Case], setup: Setup, absent: Sequence[str], out: Path) -> int:
    """Measures case after case, and leaves what there is even when interrupted."""
    facts = report.machine(setup.peers, setup.peaks) | {
        "devices_asked": setup.devices,
        "absent": list(absent),
    }
    shown = console(sys.stdout.isatty(), stderr=False)
    progress = console(sys.stderr.isatty(), stderr=True)
    found: list[Row] = []
    begin = time.monotonic()
    try:
        for i, case in enumerate(chosen):
            head = f"[{i + 1}/{len(chosen)}] {time.monotonic() - begin:4.0f} s"
            progress.print(f"{head}  {case}", markup=False, highlight=False)
            new = rows(case, setup)
            found += new
            report.append_csv(out / "results.csv", new)
            shown.print(report.table(str(case), new))
    finally:
        report.write_json(out / "results.json", facts, found)
        figure.draw(out / "figure.png", found, f"{facts['cpu']}, {facts['cores']} cores")
    if report.compared(found):
        shown.print(report.summary(found))
    if absent:
        shown.print(f"not installed: {', '.join(absent)}", markup=False, highlight=False)
    if leads := report.ahead(found):
        shown.print(leads)
    shown.print(f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}", highlight=False)
    return int(any(row.kind == "jaxgru" and row.note.startswith("wrong") for row in found))


def console(terminal: bool, *, stderr: bool) -> Console:
    """Where to print: as wide as the terminal is, or wide enough for a file."""
    return Console(stderr=stderr, width=None if terminal else 140)
