"""Who may write in a run folder."""

import json
import os
import re
from pathlib import Path

import pytest

from jaxgru.training.errors import RunError, UserError
from jaxgru.training.metrics import Metrics
from jaxgru.training.run import RunFolder, claim, new_folder, read_json
from tests.training.helpers import make_config
from tests.training.linear import Linear


def test_an_empty_folder_and_a_new_one_are_fine(tmp_path):
    for path in (tmp_path, tmp_path / "deep" / "er"):
        with claim(path, resume=False):
            (path / "config.toml").touch()


@pytest.mark.parametrize("left", ["config.toml", "metrics.jsonl", "checkpoints", "summary.json"])
def test_a_folder_that_holds_a_run_is_refused_naming_resume(tmp_path, left):
    (tmp_path / left).touch()
    with pytest.raises(UserError) as error, claim(tmp_path, resume=False):
        pass
    assert str(error.value) == (
        f"{tmp_path} holds a run; add --resume to go on with it (--resume run.dir={tmp_path}), "
        "or choose another run.dir"
    )
    with claim(tmp_path, resume=True):
        pass


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_run_in_a_folder_is_refused_naming_the_first(tmp_path, resume):
    with claim(tmp_path, resume=False):
        (tmp_path / "config.toml").touch()
        with pytest.raises(UserError) as error, claim(tmp_path, resume=resume):
            pass
    message = f"{tmp_path} is in use by process {os.getpid()}; wait for it or choose another run.dir"
    assert str(error.value) == message


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_other_files_is_refused_and_left_as_it_is(tmp_path, resume):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError) as error, claim(tmp_path, resume=resume):
        pass
    assert str(error.value) == (
        f"{tmp_path} holds other files and no run (notes.txt, for one); "
        "choose an empty or a new folder as run.dir"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_lock_of_a_run_is_taken_and_any_other_is_left_as_it_is(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text("99999\n")
    with claim(tmp_path, resume=False):
        (tmp_path / "config.toml").touch()
    assert lock.read_text() == f"{os.getpid()}\n"
    lock.write_bytes(b"my\xffprecious")
    with pytest.raises(UserError, match="holds a file named lock that is not a run's"):  # noqa: SIM117
        with claim(tmp_path, resume=True):
            pass
    assert lock.read_bytes() == b"my\xffprecious"


def test_of_temporaries_only_our_own_are_removed(tmp_path):
    config = make_config()
    ours = [tmp_path / ".jaxgru-12-34.tmp", tmp_path / "checkpoints" / ".jaxgru-5-6.tmp"]
    others = [tmp_path / ".vim.tmp", tmp_path / "deep" / ".jaxgru-12-34.tmp", tmp_path / "jaxgru-1-2.tmp"]
    for path in (*ours, *others):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    RunFolder(tmp_path, config).record(Linear(config))
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in others)


def test_a_run_that_came_to_nothing_leaves_no_folder(tmp_path):
    with pytest.raises(UserError), claim(tmp_path / "a", resume=False):
        raise UserError("data.path: no such file")
    assert not (tmp_path / "a").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^run.dir=.*/file/a cannot be written: Not a directory$"):  # noqa: SIM117
        with claim(tmp_path / "file" / "a", resume=False):
            pass


def test_runs_of_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda form: "20300101-000000")
    assert [new_folder("chars") for _ in range(3)] == [
        Path(f"runs/chars-20300101-000000{end}") for end in ("", "-2", "-3")
    ]
    monkeypatch.undo()


def test_a_folder_is_named_by_task_and_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert re.fullmatch(r"runs/chars-\d{8}-\d{6}", str(new_folder("chars")))


def test_rows_past_a_step_are_cut_and_torn_ones_dropped(tmp_path):
    metrics = Metrics(tmp_path / "metrics.jsonl")
    for step in (1, 2, 3):
        metrics.log({"step": step, "loss": float("inf")})
    with metrics.path.open("ab") as file:
        file.write(b'{"step": 2, "lo\xff\n[2]\n{"loss": 1}\n{"step": true}\nnull\n')
        file.write(b'{"step": 2, "loss": "1"}\n{"step": 1, "loss": [3]}\n{"step": 1, "loss": 1e999}')
    metrics.cut_after(2)
    assert metrics.path.read_text() == '{"step": 1, "loss": null}\n{"step": 2, "loss": null}\n'


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"{}", b'{"facts": 1'])
def test_a_damaged_file_of_a_run_is_named(tmp_path, data):
    (tmp_path / "data.json").write_bytes(data)
    with pytest.raises(RunError, match=r"data.json is damaged: "):
        read_json(tmp_path / "data.json", "facts")


WRONG = {
    "an object": [1, None, []],
    "an object of numbers": [1, {"mse": "1"}, {"mse": True}],
    "a number": ["1", None, True, float("nan"), 10**400],
    "a number or null": ["1", []],
    "a string": [1, None],
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_value_of_another_kind_is_damage(tmp_path, kind):
    path = tmp_path / "data.json"
    for value in WRONG[kind]:
        path.write_text(json.dumps({"a": value}))
        with pytest.raises(RunError) as error:
            read_json(path, a=kind)
        assert str(error.value) == f"{path} is damaged: a should be {kind}"
