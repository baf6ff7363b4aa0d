"""The plan: a TOML file with a table for each row of the results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jaxgru.checks import did_you_mean
from jaxgru.results.record import DESCRIBED, PUBLISHED, fault
from jaxgru.training.configfile import locate, parse
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = 3
OURS = ("seed", "run.dir")  # settings that the command gives to each run itself


def default_plan() -> Path:
    """The plan that jaxgru brings, beside its configs."""
    return locate("chars").parent / "results" / "plan.toml"


def read_plan(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a plan by name, what they leave out filled in.

    A row is a table whose name becomes that of its run folders. Its keys are

        config     a task's name, or a TOML file from the plan's folder; the row's name by default
        about      what it is, in a sentence
        set        overrides, such as ["model.attention=false"]
        seeds      how many, from 1 to 1000; 3 by default
        against    the row to compare it with
        published  [{score, source, differs, of}]: figures from elsewhere, of the task's metric or of another
                   score, and how they were come by

    Raises:
      UserError: names the file, the row and what is wrong with it.
    """
    _, table = parse(path)
    if not table:
        raise UserError(f"{path}: no row is planned; write one such as [chars]")
    rows = {name: planned_row(f"{path}: row {name}", name, found) for name, found in table.items()}
    for name, row in rows.items():
        if row["against"] is not None and (row["against"] not in rows or row["against"] == name):
            others = ", ".join(other for other in rows if other != name) or "none"
            raise UserError(f"{path}: row {name}: against is {row['against']!r}; the other rows are {others}")
    return rows


def planned_row(where: str, name: str, found: Any) -> dict[str, Any]:
    """One row, checked."""
    if not re.fullmatch(r"\w[\w-]*", name):
        raise UserError(f"{where}: its name becomes a folder's, and has letters, digits, - and _ only")
    if not isinstance(found, dict):
        raise UserError(f"{where}: it should be a table, [{name}]")
    default: dict[str, Any] = {
        "config": name,
        "about": "",
        "set": [],
        "seeds": SEEDS,
        "against": None,
        "published": [],
    }
    row = default | found
    refuse_others(where, row, DESCRIBED | {"seeds": "a whole number from 1 to 1000"})
    for each in row["published"]:
        each.setdefault("of", None)
        refuse_others(f"{where}: published", each, PUBLISHED)
    if any("\0" in word for word in (row["config"], *row["set"])):
        raise UserError(f"{where}: config and set cannot hold NUL")
    for assignment in row["set"]:
        if not re.match(r"[A-Za-z_][\w.]*=", assignment):
            raise UserError(f"{where}: set holds {assignment!r}; write section.key=value")
        if assignment.partition("=")[0] in OURS:
            raise UserError(f"{where}: set holds {assignment!r}; each run is given its own")
    return row


def refuse_others(where: str, found: dict[str, Any], kinds: dict[str, str]) -> None:
    """Refuses a table with other keys or kinds than these."""
    if unknown := sorted(found.keys() - kinds.keys()):
        raise UserError(f"{where}: unknown key {unknown[0]}; {did_you_mean(unknown[0], kinds)}")
    if wrong := fault(found, kinds):
        raise UserError(f"{where}: {wrong}")
