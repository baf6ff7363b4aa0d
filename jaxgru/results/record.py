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
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

MOST_SEEDS = 1000
LARGEST = 1e15  # more is no score, and sums of such numbers need not be numbers


def is_figure(value: Any) -> bool:
    """Whether it is a number that means can be made of."""
    return is_number(value) and abs(value) <= LARGEST


KINDS = run.KINDS | {
    "true or false": lambda value: isinstance(value, bool),
    "a whole number": lambda value: type(value) is int,
    "a whole number from 1 to 1000": lambda value: type(value) is int and 1 <= value <= MOST_SEEDS,
    "a number within ±1e15": is_figure,
    "a number within ±1e15, or null": lambda value: value is None or is_figure(value),
    "an object of numbers within ±1e15": lambda value: is_object(value, is_figure),
    "an object of strings": lambda value: is_object(value, lambda item: isinstance(item, str)),
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
    "seed": "a whole number",
    "test": "a number within ±1e15",
    "validation": "a number within ±1e15, or null",
    "baseline": "a number within ±1e15, or null",
    "best_step": "a number",
    "also": "an object of numbers within ±1e15",
    "parameters": "a number",
    "steps": "a number",
    "seconds": "a number within ±1e15",
    "versions": "an object of strings",
    "machine": "an object or null",
}
MACHINE = {
    "platform": "a string",
    "cpu": "a string",
    "cores": "a number",
    "devices": "a list of strings",
    "environment": "an object of strings",
}
OWN = ("test", "validation", "baseline", "seconds")  # figures that stand beside `also`


class Spread(NamedTuple):
    """One figure over the seeds; the deviation is that of a sample, None of a single one."""

    values: tuple[float, ...]
    mean: float
    deviation: float | None


def is_list(value: Any, kind: type) -> bool:
    """Whether it is a list of such things."""
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def is_object(value: Any, fits: Callable[[Any], bool]) -> bool:
    """Whether it is an object of such things."""
    return isinstance(value, dict) and all(map(fits, value.values()))


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
    for name in dict.fromkeys((*OWN, *runs[0]["also"])):
        all_values = (each[name] if name in OWN else each["also"].get(name) for each in runs)
        values = tuple(value for value in all_values if value is not None)
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
      RunError: a file of the run is damaged; its test score is no number, or one of a run that blew up.
    """
    summary = read_json(
        path / "summary.json", "higher_is_better", seed="a number", versions="an object", **SUMMARY
    )
    if summary["test"] is None or "best_step" not in summary["also"]:
        raise RunError(f"{path / 'summary.json'} has no test score, or not the step it is of")
    facts = read_json(path / "data.json", facts="an object")["facts"]
    machine = path / "machine.json"
    also = {name: value for name, value in summary["also"].items() if is_number(value)}
    found = summary | {
        "best_step": also.pop("best_step"),
        "also": also,
        "facts": facts,
        "machine": read_json(machine) if machine.exists() else None,
    }
    for name, value in ({name: summary[name] for name in OWN[:3]} | also).items():
        if value is not None and not is_figure(value):
            mend = "plan its row with other settings"
            raise RunError(f"{path}: the score {name}, {value:g}, is of a run that blew up; {mend}")
    if wrong := run_fault(found):
        raise RunError(f"{path} is damaged: {wrong}")
    try:
        encoded(found)
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}") from error
    return found


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
        found = json.loads(path.read_bytes(), object_pairs_hook=unrepeated)
        encoded(found)
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
    for each in found["published"]:
        if wrong := fault(each, PUBLISHED):
            return f"published: {wrong}"
    for each in found["runs"]:
        if wrong := run_fault(each):
            return f"runs: {wrong}"
    wrong_means = any(found[name] != of for name, of in means(found["runs"]).items())
    return "mean and deviation are not those of its runs" if wrong_means else ""


def run_fault(found: Mapping[str, Any]) -> str:
    """What of a run is not as it should be, its machine included."""
    if wrong := fault(found, RUN):
        return wrong
    wrong = "" if found["machine"] is None else fault(found["machine"], MACHINE)
    return f"machine: {wrong}" if wrong else ""


def unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, if no name stands in it twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return found


def encoded(found: Any) -> bytes:
    """JSON in UTF-8.

    Raises:
      ValueError: a string holds a lone surrogate, which UTF-8 cannot write.
    """
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a string holds {text[error.start]!r}, half a character") from error


def write_rows(path: Path, rows: Mapping[str, Any]) -> None:
    """Writes a results.json, whole."""
    write_whole(path, encoded({"rows": rows}))
