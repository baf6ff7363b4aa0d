"""results.json: the figures of every run of every row, as their run folders hold them.

{"rows": {name: {config, about, set, seeds, against, published, as the plan has them,
                 task, metric, higher_is_better, facts of the data,
                 mean, deviation, each by score,
                 runs: [{seed, test, validation, baseline, best_step, also, …}]}}}
"""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxgru.training import run
from jaxgru.training.errors import RunError, UserError
from jaxgru.training.metrics import is_number
from jaxgru.training.run import SUMMARY, read_json
from jaxgru.weights import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

KINDS = run.KINDS | {
    "true or false": lambda value: isinstance(value, bool),
    "a whole number above 0": lambda value: type(value) is int and value > 0,
    "a string or null": lambda value: value is None or isinstance(value, str),
    "an object or null": lambda value: value is None or isinstance(value, dict),
    "a list of strings": lambda value: is_list(value, str),
    "a list of objects": lambda value: is_list(value, dict),
}
PUBLISHED = {"score": "a number", "source": "a string", "differs": "a string", "of": "a string or null"}
DESCRIBED = {
    "config": "a string",
    "about": "a string",
    "set": "a list of strings",
    "against": "a string or null",
    "published": "a list of objects",
}
ROW = DESCRIBED | {
    "task": "a string",
    "metric": "a string",
    "higher_is_better": "true or false",
    "facts": "an object",
    "mean": "an object of numbers",
    "deviation": "an object of numbers",
    "runs": "a list of objects",
}
RUN = {
    "seed": "a number",
    "test": "a number",
    "validation": "a number or null",
    "baseline": "a number or null",
    "best_step": "a number",
    "also": "an object of numbers",
    "parameters": "a number",
    "steps": "a number",
    "seconds": "a number",
    "versions": "an object",
    "machine": "an object or null",
}


class Spread(NamedTuple):
    """One figure over the seeds; the deviation is that of a sample, None of a single one."""

    values: tuple[float, ...]
    mean: float
    deviation: float | None


def is_list(value: Any, kind: type) -> bool:
    """Whether it is a list of such things."""
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def fault(found: Any, kinds: Mapping[str, str]) -> str:
    """What of an object is not as it should be, in a clause; empty where all is."""
    if not isinstance(found, dict):
        return "it should be an object"
    for name, kind in kinds.items():
        if name not in found:
            return f"{name} is missing"
        if not KINDS[kind](found[name]):
            return f"{name} should be {kind}"
    return ""


def spreads(runs: Sequence[Mapping[str, Any]]) -> dict[str, Spread]:
    """Every score that all runs have, and their seconds.

    Example:
      >>> run = {"test": 1.0, "validation": None, "baseline": 4.0, "seconds": 9.0, "also": {"test_bleu": 20.0}}
      >>> spreads([run, run | {"test": 2.0}])["test"]
      Spread(values=(1.0, 2.0), mean=1.5, deviation=0.7071067811865476)
    """
    found = {}
    for name in ("test", "validation", "baseline", "seconds", *runs[0]["also"]):
        values = tuple(
            figure for each in runs if (figure := each.get(name, each["also"].get(name))) is not None
        )
        if len(values) == len(runs):
            deviation = statistics.stdev(values) if len(values) > 1 else None
            found[name] = Spread(values, statistics.fmean(values), deviation)
    return found


def means(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and deviation of every score, as a row keeps them."""
    found = spreads(runs)
    deviations = {name: s.deviation for name, s in found.items() if s.deviation is not None}
    return {"mean": {name: s.mean for name, s in found.items()}, "deviation": deviations}


def figures(path: Path) -> dict[str, Any]:
    """What a finished run reached, and `facts` of its data.

    Raises:
      RunError: a file of the run is damaged, or its test score is no number.
    """
    summary = read_json(
        path / "summary.json", "higher_is_better", seed="a number", versions="an object", **SUMMARY
    )
    if summary["test"] is None or "best_step" not in summary["also"]:
        raise RunError(f"{path / 'summary.json'} has no test score, or not the step it is of")
    facts = read_json(path / "data.json", facts="an object")["facts"]
    machine = path / "machine.json"
    also = {name: value for name, value in summary["also"].items() if is_number(value)}
    return summary | {
        "best_step": also.pop("best_step"),
        "also": also,
        "facts": facts,
        "machine": read_json(machine) if machine.exists() else None,
    }


def row(planned: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """A row of results.json, of its finished runs.

    Raises:
      RunError: a run is damaged, or the runs did not see the same data.
    """
    found = {path: figures(path) for path in paths}
    (first_path, first), *others = found.items()
    for path, each in others:
        if each["facts"] != first["facts"]:
            mend = "delete the run of the data that is not meant, and it is trained anew"
            raise RunError(f"{path} and {first_path} saw different data; {mend}")
    runs = [{name: each[name] for name in RUN} for each in found.values()]
    described = {name: planned[name] for name in DESCRIBED}
    shared = {name: first[name] for name in ("task", "metric", "higher_is_better", "facts")}
    return described | shared | means(runs) | {"runs": runs}


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a results.json.

    Raises:
      UserError: names the file, and what is wrong with it.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; python -m jaxgru results makes it") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    if wrong := fault(found, {"rows": "an object"}):
        raise UserError(f"{path} is damaged: {wrong}")
    rows: dict[str, dict[str, Any]] = found["rows"]
    for name, each in rows.items():
        if wrong := row_fault(each):
            raise UserError(f"{path} is damaged: row {name}: {wrong}")
    return rows


def row_fault(found: Any) -> str:
    """What of a row is not as it should be, its mean included: no figure is of a hand's making."""
    if wrong := fault(found, ROW):
        return wrong
    if not found["runs"]:
        return "runs are missing"
    for name, kinds in (("published", PUBLISHED), ("runs", RUN)):
        for each in found[name]:
            if wrong := fault(each, kinds):
                return f"{name}: {wrong}"
    wrong_means = any(found[name] != of for name, of in means(found["runs"]).items())
    return "mean and deviation are not those of its runs" if wrong_means else ""


def write_rows(path: Path, rows: Mapping[str, Any]) -> None:
    """Writes a results.json, whole."""
    write_whole(path, (json.dumps({"rows": rows}, indent=1, ensure_ascii=False) + "\n").encode())
