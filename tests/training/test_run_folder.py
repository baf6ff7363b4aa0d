"""Who may write in a run folder."""

import os
import re
from pathlib import Path

import pytest

from jaxgru.training.errors import RunError, UserError
from jaxgru.training.metrics import Metrics
from jaxgru.training.run import claim, new_folder, read_json


def test_an_empty_folder_and_a_new_one_are_fine(tmp_path):
    for path in (tmp_path, tmp_path / "deep" / "er"):
        with claim(path, resume=False):
            (path / "config.toml").touch()


@pytest.mark.parametrize("left", ["config.toml", "metrics.jsonl", "checkpoints"])
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
        file.write(b'{"step": 2, "lo\xff\n[2]\n{"loss": 1}\nnull')
    metrics.cut_after(2)
    assert metrics.path.read_text() == '{"step": 1, "loss": null}\n{"step": 2, "loss": null}\n'


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"{}", b'{"facts": 1'])
def test_a_damaged_file_of_a_run_is_named(tmp_path, data):
    (tmp_path / "data.json").write_bytes(data)
    with pytest.raises(RunError, match=r"data.json is damaged: "):
        read_json(tmp_path / "data.json", "facts")
