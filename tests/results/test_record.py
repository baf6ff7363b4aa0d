"""results.json: what it takes of run folders, and what of a file it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from jaxgru.results import record
from jaxgru.results.record import read_rows, spreads, write_rows
from jaxgru.training.errors import RunError, UserError
from tests.results.helpers import MACHINE, finish, row, run

PLANNED = {name: row(run(0, 1.0))[name] for name in record.DESCRIBED} | {"seeds": 2}


def test_mean_and_deviation_are_those_of_a_sample() -> None:
    found = spreads([run(seed, test) for seed, test in enumerate((2.0, 4.0, 9.0))])
    assert found["test"].values == (2.0, 4.0, 9.0)
    assert found["test"].mean == 5.0
    assert found["test"].deviation == pytest.approx(13**0.5)  # (9 + 1 + 16) / 2
    assert found["test_bleu"].mean == 41.0
    assert found["baseline"].deviation == 0.0
    assert spreads([run(0, 2.0)])["test"].deviation is None


def test_a_score_that_one_run_lacks_has_no_mean() -> None:
    found = spreads([run(0, 2.0), run(1, 4.0, validation=None, also={})])
    assert list(found) == ["test", "baseline", "seconds"]


def test_a_row_is_what_its_runs_hold(tmp_path: Path) -> None:
    runs = [run(0, 38.0), run(1, 40.0, machine=None)]
    made = record.row(PLANNED, [finish(tmp_path / str(each["seed"]), each) for each in runs])
    assert made == row(*runs)


def test_a_row_comes_back_from_its_file(tmp_path: Path) -> None:
    rows = {"β": row(run(0, 38.0), run(1, 40.0)), "a": row(run(0, 38.0))}
    write_rows(tmp_path / "results.json", rows)
    found = read_rows(tmp_path / "results.json")
    assert found == rows
    assert list(found) == ["β", "a"]


def test_runs_of_different_data_make_no_row(tmp_path: Path) -> None:
    paths = [
        finish(tmp_path / "a-0", run(0, 1.0)),
        finish(tmp_path / "a-1", run(1, 1.0), facts={"sha256": "1"}),
    ]
    with pytest.raises(RunError) as raised:
        record.row(PLANNED, paths)
    mend = "delete the run of the data that is not meant, and it is trained anew"
    assert str(raised.value) == f"{tmp_path / 'a-1'} and {tmp_path / 'a-0'} saw different data; {mend}"


def test_a_run_without_a_test_score_makes_no_row(tmp_path: Path) -> None:
    path = finish(tmp_path / "a-0", run(0, None))
    with pytest.raises(RunError) as raised:
        record.row(PLANNED, [path])
    assert str(raised.value) == f"{path / 'summary.json'} has no test score, or not the step it is of"


def test_a_damaged_run_makes_no_row(tmp_path: Path) -> None:
    path = finish(tmp_path / "a-0", run(0, 1.0))
    (path / "data.json").write_text("{}")
    with pytest.raises(RunError) as raised:
        record.row(PLANNED, [path])
    assert str(raised.value) == f"{path / 'data.json'} is damaged: it should hold facts"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"machine": MACHINE | {"devices": None}}, "machine: devices should be a list of strings"),
        ({"versions": {"jax": 3}}, "versions should be an object of strings"),
        ({"seed": 0.5}, "seed should be a whole number"),
        ({"versions": {"jax": "\ud800"}}, "a string holds '\\ud800', half a character"),
    ],
)
def test_a_run_that_results_json_could_not_hold_makes_no_row(
    changes: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    path = finish(tmp_path / "a-0", run(0, 1.0) | changes)
    with pytest.raises(RunError) as raised:
        record.row(PLANNED, [path])
    assert str(raised.value) == f"{path} is damaged: {fault}"


def test_a_score_with_the_name_of_another_entry_is_a_score() -> None:
    found = spreads([run(0, 2.0, also={"machine": 3.0}), run(1, 4.0, also={"machine": 5.0})])
    assert found["machine"].values == (3.0, 5.0)


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({"test": 2**1023}, "test, 8.98847e+307"),
        ({"baseline": -1e16}, "baseline, -1e+16"),
        ({"also": {"test_bleu": 1e300}}, "test_bleu, 1e+300"),
    ],
)
def test_a_run_that_blew_up_makes_no_row(changes: dict[str, Any], score: str, tmp_path: Path) -> None:
    paths = [finish(tmp_path / f"a-{seed}", run(seed, 1.0) | changes) for seed in (0, 1)]
    with pytest.raises(RunError) as raised:
        record.row(PLANNED, paths)
    mend = "plan its row with other settings"
    assert str(raised.value) == f"{paths[0]}: the score {score}, is of a run that blew up; {mend}"


def machine_row(**changes: Any) -> dict[str, Any]:
    return {"rows": {"a": row(run(0, 38.0, machine=MACHINE | changes))}}


GOOD = row(run(0, 38.0))
TYPED = GOOD | {"mean": GOOD["mean"] | {"test": 37.0}}
PUBLISHED = {"score": 1.0, "source": "A", "differs": "b", "of": None}
DAMAGE = {
    "cut": ('{"rows": {', "Expecting property name enclosed in double quotes: line 1 column 11 (char 10)"),
    "list": ([], "it should be an object"),
    "empty": ({}, "rows is missing"),
    "rows": ({"rows": []}, "rows should be an object"),
    "row": ({"rows": {"a": 3}}, "row a: it should be an object"),
    "missing": ({"rows": {"a": {n: v for n, v in GOOD.items() if n != "task"}}}, "row a: task is missing"),
    "kind": ({"rows": {"a": GOOD | {"facts": []}}}, "row a: facts should be an object"),
    "no runs": ({"rows": {"a": GOOD | {"runs": []}}}, "row a: runs are missing"),
    "run": (
        {"rows": {"a": row(run(0, 38.0, parameters="many"))}},
        "row a: runs: parameters should be a number",
    ),
    "huge": (
        {"rows": {"a": GOOD | {"runs": [run(0, 2**1023), run(1, 2**1023)]}}},
        "row a: runs: test should be a number within ±1e15",
    ),
    "huge also": (
        {"rows": {"a": GOOD | {"runs": [run(0, 38.0, also={"test_bleu": -1e16})]}}},
        "row a: runs: also should be an object of numbers within ±1e15",
    ),
    "seed": ({"rows": {"a": row(run(True, 38.0))}}, "row a: runs: seed should be a whole number"),
    "versions": (
        {"rows": {"a": row(run(0, 38.0, versions={"jax": []}))}},
        "row a: runs: versions should be an object of strings",
    ),
    "devices": (machine_row(devices=5), "row a: runs: machine: devices should be a list of strings"),
    "null devices": (machine_row(devices=None), "row a: runs: machine: devices should be a list of strings"),
    "environment": (
        machine_row(environment=[]),
        "row a: runs: machine: environment should be an object of strings",
    ),
    "no cpu": (
        {"rows": {"a": row(run(0, 38.0, machine={"cores": 2}))}},
        "row a: runs: machine: platform is missing",
    ),
    "surrogate": ({"rows": {"a": GOOD | {"about": "\ud800"}}}, "a string holds '\\ud800', half a character"),
    "twice": ('{"rows": {"a": 1, "b": 2, "a": 3}}', "'a' stands twice in one object"),
    "published": (
        {"rows": {"a": GOOD | {"published": [PUBLISHED | {"of": 3}]}}},
        "row a: published: of should be a string or null",
    ),
    "typed": ({"rows": {"a": TYPED}}, "row a: mean and deviation are not those of its runs"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    found: Any
    found, fault = DAMAGE[name]
    path = tmp_path / "results.json"
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    with pytest.raises(UserError) as raised:
        read_rows(path)
    assert str(raised.value) == f"{path} is damaged: {fault}"


def test_a_file_that_is_not_there_says_what_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(UserError) as raised:
        read_rows(path)
    assert str(raised.value) == f"{path}: No such file or directory; python -m jaxgru results makes it"
