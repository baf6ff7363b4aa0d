"""What `python -m jaxgru results` refuses, in one line and before it trains or writes anything."""

import json
from typing import Any

import pytest

from jaxgru.cli import main
from jaxgru.results import command
from jaxgru.tasks import find
from jaxgru.training.configfile import locate, read, to_toml
from tests.results.helpers import MEND, PLAN, Place, Said


def test_a_run_with_other_settings_is_refused_before_anything_is_trained(place: Place, error: Said) -> None:
    path = place.path / "runs/b-0"
    path.mkdir(parents=True)
    other = read(locate("chars"), ["train.learning_rate=4", f"run.dir={path}", "mesh.cpu_devices=1"], find)
    (path / "config.toml").write_text(to_toml(other))
    assert place.results() == 2
    change = "train.learning_rate is 4.0 there, and 5.0 in the plan"
    assert error() == f"{path} holds another run: {change}; {MEND}"
    assert place.calls("chars-0") == []
    assert (
        place.results(plan=PLAN.replace("5", "4")) == 0
    )  # the devices that `auto` stood for are no other setting


@pytest.mark.parametrize(("setting", "same"), [("auto", True), ("2", True), ("3", True), ("5", False)])
def test_the_devices_of_a_run_are_those_its_words_mean(setting: str, same: bool) -> None:
    stored = read(locate("chars"), ["mesh.cpu_devices=2", "train.batch_size=10"], find)
    now = read(locate("chars"), [f"mesh.cpu_devices={setting}", "train.batch_size=10"], find)
    assert command.changed(stored, now) == ("" if same else "mesh.cpu_devices is 2 there, and 5")


def test_settings_of_sampling_make_another_run() -> None:
    """The score of a search depends on them."""
    stored, now = (read(locate("chars"), [f"sample.length={n}", f"run.dir={n}"], find) for n in (800, 900))
    assert command.changed(stored, now) == "sample.length is 800 there, and 900"


MISTAKES = {
    ("wrds",): "{plan} has no row wrds; there are chars, b",
    ("charz",): "{plan} has no row charz; did you mean chars?",
    ("--seeds", "0"): "--seeds must be from 1 to 1000, got 0",
    ("--seeds", "1000000000"): "--seeds must be from 1 to 1000, got 1000000000",
    ("--render",): "--render takes --out and nothing else: results.json is all it reads",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_status_2(words: tuple[str, ...], place: Place, error: Said) -> None:
    assert place.results(*words) == 2
    assert error() == MISTAKES[words].format(plan=place.path / "plan.toml")


@pytest.mark.parametrize("option", ["--plan", "--runs", "--out"])
def test_a_name_with_nul_is_none(option: str, error: Said) -> None:
    assert main(["results", "--list", option, "a\0b"]) == 2
    assert error() == f"{option} is 'a\\x00b'; no file can have a name with NUL"


@pytest.mark.parametrize("words", [(), ("--list",)], ids=["train", "list"])
def test_a_config_that_is_not_there_is_refused_with_its_row(
    words: tuple[str, ...], place: Place, error: Said
) -> None:
    assert place.results(*words, plan='[chars]\n[b]\nconfig = "no.toml"') == 2
    assert (
        error() == f"{place.path / 'plan.toml'}: row b: {place.path / 'no.toml'}: No such file or directory"
    )
    assert place.calls("chars-0") == []


def test_a_setting_that_train_refuses_is_refused_with_its_row(place: Place, error: Said) -> None:
    assert place.results(plan='[chars]\nset = ["model.attention=false"]') == 2
    fault = "unknown key model.attention; [model] has embedding_size, hidden_size, layers, dropout"
    assert error() == f"{place.path / 'plan.toml'}: row chars: {fault}"


def test_a_damaged_results_json_is_refused_before_anything_is_trained(place: Place, error: Said) -> None:
    path = place.path / "docs/results.json"
    path.parent.mkdir()
    path.write_text("{}")
    assert place.results() == 2
    assert error() == f"{path} is damaged: rows is missing"
    assert place.calls("chars-0") == []
    assert path.read_text() == "{}"


@pytest.mark.parametrize(("option", "name"), [("--out", "docs"), ("--runs", "runs")])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_trained(
    option: str, name: str, place: Place, error: Said
) -> None:
    (place.path / name).touch()
    assert place.results() == 2
    assert error() == f"{option} {place.path / name}: File exists"
    assert place.calls("chars-0") == []


def test_a_run_folder_that_is_somebody_elses_is_refused_before_anything_is_trained(
    place: Place, error: Said
) -> None:
    path = place.path / "runs/b-0"
    path.parent.mkdir()
    path.touch()
    assert place.results() == 2
    assert error() == f"{path} is no folder; {MEND}"
    path.unlink()
    path.mkdir()
    (path / "letter.txt").touch()
    assert place.results() == 2
    assert error().startswith(f"{path} holds other files and no run (letter.txt, for one)")
    assert place.calls("chars-0") == []


def test_scores_without_their_config_are_refused(place: Place, error: Said) -> None:
    assert place.results("b") == 0
    path = place.path / "runs/b-0"
    (path / "config.toml").unlink()
    assert place.results() == 2
    assert error() == f"{path} holds scores and no config.toml that says of what; {MEND}"
    assert place.calls("chars-0") == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"task": "words"}, "task is words there, and chars"),
        ({"metric": "bits"}, "metric is bits there, and bits_per_character"),
        ({"seed": 4}, "seed is 4 there, and 0"),
    ],
)
def test_scores_of_another_run_are_refused(
    change: dict[str, Any], named: str, place: Place, error: Said
) -> None:
    assert place.results("b") == 0
    path = place.path / "runs/b-0/summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert place.results() == 2
    assert error() == f"{path.parent} holds another run: {named} in the plan; {MEND}"
    assert place.calls("chars-0") == []


def test_a_run_that_blew_up_is_named_and_nothing_is_written(place: Place, error: Said) -> None:
    place.order("chars-0", "blow up")
    path = place.path / "runs/chars-0"
    for _ in range(2):  # as it ends, and as it is found
        assert place.results() == 1
        mend = "plan its row with other settings"
        assert error() == f"{path}: the score test, 1e+308, is of a run that blew up; {mend}"
    assert place.calls("chars-1") == []
    assert list((place.path / "docs").iterdir()) == []
