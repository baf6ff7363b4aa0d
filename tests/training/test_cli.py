"""The command line: what it does, and the one line it says when it cannot."""

import io
import json
import re
import shutil

import jax
import pytest

import jaxgru.training
from jaxgru.cli import main
from jaxgru.tasks import TASKS
from jaxgru.training.errors import UserError
from tests.training.helpers import checkpoint, rows

pytestmark = pytest.mark.usefixtures("linear")

CONFIG = """\
task = "linear"
[run]
log_every = 5
evaluate_every = 10
[train]
steps = 20
batch_size = 4
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "linear.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    """The folder of a finished run."""
    path = tmp_path_factory.mktemp("runs") / "a"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "linear", "tests.training.linear:Linear")
        assert main(["train", str(config), f"run.dir={path}", "sample.length=2"]) == 0
    return path


def said(capsys, *words, status):
    """What goes to stderr, one line of it, with that exit status."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == status
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    return err.removeprefix("error: ").removesuffix("\n")


def test_a_run_says_what_it_does(config, tmp_path, capsys):
    assert main(["train", str(config), f"run.dir={tmp_path / 'a'}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"linear: reading the data, for the run in {tmp_path / 'a'}"
    assert "the baseline's mse on the test split is 0.6667" in lines
    assert any(re.fullmatch(r"step 1/20  loss \d+\.\d{4}", line) for line in lines)
    assert sum(line.startswith("step 10  validation: mse ") for line in lines) == 1
    assert lines[lines.index("linear: mse, lower is better") + 1].startswith("  test        ")
    assert lines[-2:] == [str(tmp_path / "a" / "curves.png"), (tmp_path / "a" / "sample.txt").read_text()]


def test_the_config_of_a_run_is_kept_resolved(finished):
    text = (finished / "config.toml").read_text()
    assert f'dir = "{finished}"' in text
    assert "learning_rate = 0.002" in text


MISTAKES = {
    ("train", "train.lerning_rate=1"): "unknown key train.lerning_rate; did you mean train.learning_rate?",
    ("train", "linaer"): "no config is named linaer; did you mean adding? A file's name ends in .toml",
    ("train", "chars", "music"): "one CONFIG at most, not chars and music; a setting is written key=value",
    ("train", "no.toml"): "no.toml: No such file or directory",
    ("train", "--resum"): "unrecognized arguments: --resum (see python -m jaxgru train --help)",
    ("train", "--resume"): "--resume needs the folder of the run: --resume run.dir=FOLDER",
    ("trian",): "no command is named trian; did you mean train?",
    ("bake",): "no command is named bake; the commands are train, evaluate, sample, bench, data, results",
    ("evaluate",): "the following arguments are required: RUN (see python -m jaxgru evaluate --help)",
    ("evaluate", "nowhere"): "nowhere is no run folder: it holds no config.toml",
    ("sample", "nowhere"): "nowhere is no run folder: it holds no config.toml",
    ("sample", "RUN", "a", "b"): "one INPUT at most, not 2; put it in quotes if it has spaces",
    ("sample", "RUN", "temprature=1"): "unknown key temprature; did you mean temperature?",
    ("sample", "RUN", "zzz=1"): "unknown key zzz; there are temperature, length, seed",
    ("sample", "RUN", "temperature=hot"): "temperature must be a number, not 'hot'",
    ("sample", "RUN", "temperature=0"): "temperature is 0.0; it must be above 0",
    ("sample", "RUN", "seed=-1"): "seed is -1; it must be at least 0",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_status_2(words, finished, capsys):
    words = [str(finished) if word == "RUN" else word for word in words]
    assert (
        said(capsys, *words, status=2) == MISTAKES[tuple("RUN" if w == str(finished) else w for w in words)]
    )


def test_a_fault_of_the_data_leaves_no_folder(config, tmp_path, capsys):
    run = f"run.dir={tmp_path / 'a'}"
    assert said(capsys, "train", config, run, "data.path=missing", status=2) == "missing: no such file"
    assert not (tmp_path / "a").exists()


def test_a_nan_is_one_line_and_status_1(config, tmp_path, capsys):
    message = said(capsys, "train", config, f"run.dir={tmp_path / 'a'}", "data.bad_steps=[2]", status=1)
    assert message.startswith("loss nan, gradient norm nan at step 3; there is no checkpoint yet; ")


def test_a_folder_that_holds_a_run_is_refused(config, finished, capsys):
    assert "holds a run; add --resume" in said(capsys, "train", config, f"run.dir={finished}", status=2)


def test_a_finished_run_says_so(finished, capsys):
    before = (finished / "summary.json").read_bytes()
    assert main(["train", "--resume", f"run.dir={finished}"]) == 0
    assert capsys.readouterr().out.startswith(f"{finished} is finished; nothing is left to do\nlinear: mse")
    assert (finished / "summary.json").read_bytes() == before


def unfinished(finished, tmp_path):
    """A copy of the finished run that lacks its last word."""
    path = shutil.copytree(finished, tmp_path / "copy")
    (path / "summary.json").unlink()
    return path


CHANGES = {
    "train.steps=30": "train.steps from 20 to 30",
    "train.learning_rate=1": "train.learning_rate from 0.002 to 1.0",
    "data.noise=0.5": "data.noise from 0.1 to 0.5",
    "model.inputs=4": "model.inputs from 3 to 4",
    "seed=1": "seed from 0 to 1",
    "run.log_every=1": "run.log_every from 5 to 1",
    "run.evaluate_every=1": "run.evaluate_every from 10 to 1",
}


@pytest.mark.parametrize("change", CHANGES)
def test_resume_refuses_to_change_the_trajectory(finished, capsys, change):
    message = said(capsys, "train", "--resume", f"run.dir={finished}", change, status=2)
    assert (
        message == f"--resume cannot change {CHANGES[change]}: it decides how the run goes; start a new run"
    )


def test_resume_names_the_config_that_brings_a_change(finished, config, tmp_path, capsys):
    other = tmp_path / "other.toml"
    other.write_text(config.read_text().replace("steps = 20", "steps = 30"))
    message = said(capsys, "train", str(other), "--resume", f"run.dir={finished}", status=2)
    change = "--resume cannot change train.steps from 20 to 30: it decides how the run goes"
    assert message == f"{change}; leave {other} out to go on, or start a new run"


def test_resume_goes_on_with_the_same_words_and_with_harmless_changes(finished, config, tmp_path, capsys):
    path = unfinished(finished, tmp_path)
    same = ["train.steps=20", "sample.length=9", "run.keep=5", "run.save_every=3"]
    assert main(["train", str(config), *same, f"run.dir={path}", "--resume"]) == 0
    assert "going on from step 20" in capsys.readouterr().out
    assert checkpoint(path, 20) == checkpoint(finished, 20)
    assert rows(path) == rows(finished)


def test_resume_of_nothing_starts_at_zero(finished, config, tmp_path, capsys):
    path = tmp_path / "new"
    assert main(["train", str(config), f"run.dir={path}", "--resume"]) == 0
    assert checkpoint(path, 20) == checkpoint(finished, 20)
    assert f"{path} holds no run yet; starting at step 0" in capsys.readouterr().out


def test_evaluate_prints_the_numbers_of_the_summary(finished, capsys):
    assert main(["evaluate", str(finished)]) == 0
    printed, summary = (
        json.loads(capsys.readouterr().out),
        json.loads((finished / "summary.json").read_text()),
    )
    assert printed["step"] == summary["also"]["best_step"]
    assert (printed["validation"]["mse"], printed["test"]["mse"]) == (summary["validation"], summary["test"])
    assert printed["test"]["mae"] == summary["also"]["test_mae"]


def test_sample_obeys_its_options(finished, capsys):
    def sample(*words):
        assert main(["sample", str(finished), *words]) == 0
        return capsys.readouterr().out

    assert sample("Once", "seed=1") == sample("seed=1", "Once")
    assert sample("Once", "seed=1") != sample("Once", "seed=2")
    assert sample("Once").startswith("Once[")
    assert len(sample("length=1").split()) < len(sample("length=6").split())
    assert sample("a b=c").startswith("a b=c[")


def test_a_notebook_loads_what_the_command_line_trained(finished, capsys):
    run = jaxgru.training.load(finished)
    assert main(["sample", str(finished), "x", "seed=5", "length=3"]) == 0
    assert run.sample("x", seed=5, length=3) + "\n" == capsys.readouterr().out
    assert run.vocabulary == ["a", "b"]
    assert run.config.train.steps == 20
    assert run.params["w"].shape == (3, 1)
    with pytest.raises(UserError, match="length is 0; it must be at least 1"):
        run.sample(length=0)


def test_a_run_without_a_checkpoint_is_said(finished, tmp_path, capsys):
    path = unfinished(finished, tmp_path)
    for file in (path / "checkpoints").iterdir():
        file.unlink()
    assert said(capsys, "sample", path, status=2) == f"{path} holds no checkpoint yet"


def test_a_run_with_no_whole_checkpoint_is_said(finished, tmp_path, capsys):
    path = unfinished(finished, tmp_path)
    (path / "checkpoints/best.json").unlink()
    for file in (path / "checkpoints").glob("*.safetensors"):
        file.write_bytes(b"x")
    assert main(["sample", str(path)]) == 1
    assert capsys.readouterr().err.endswith(f"error: {path} holds no checkpoint that is whole\n")


@pytest.mark.parametrize(
    ("name", "value"), [("test", '"low"'), ("also", "[]"), ("also", "{}"), ("steps", "null")]
)
def test_a_damaged_summary_is_one_line(finished, tmp_path, capsys, name, value):
    path = shutil.copytree(finished, tmp_path / "copy")
    summary = json.loads((path / "summary.json").read_text())
    (path / "summary.json").write_text(json.dumps(summary | {name: json.loads(value)}))
    message = said(capsys, "train", "--resume", f"run.dir={path}", status=1)
    assert message.startswith(f"{path / 'summary.json'} is damaged: {name} should ")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nat …"),
            " (RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.)",
        ),
        (MemoryError("Unable to allocate 9 TiB"), " (Unable to allocate 9 TiB)"),
        (MemoryError(), ""),
    ],
)
def test_too_little_memory_is_one_line(config, capsys, monkeypatch, error, why):
    def fail(words):
        raise error

    monkeypatch.setattr("jaxgru.cli.command", fail)
    message = said(capsys, "train", config, status=1)
    mend = "smaller sizes under [model] and [data], or a smaller train.batch_size, need less"
    assert message == f"there is too little memory; {mend}{why}"


def test_other_errors_of_the_device_are_not_hidden(monkeypatch):
    def fail(words):
        raise jax.errors.JaxRuntimeError("INTERNAL: a fault")

    monkeypatch.setattr("jaxgru.cli.command", fail)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        main(["train"])


def test_an_output_that_is_not_utf_8_shows_what_it_can(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    monkeypatch.setattr("sys.stdout", stream)
    assert main([]) == 0
    stream.flush()
    assert stream.buffer.getvalue().startswith(b"usage: python -m jaxgru COMMAND ?\n")


def test_every_key_is_printed_with_its_meaning(config, capsys):
    assert main(["train", str(config), "--keys", "seed=7"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^seed = 7 +decides everything random$", out, re.MULTILINE)
    assert re.search(r"^train.steps = 20 +optimiser steps of the whole run$", out, re.MULTILINE)
    assert re.search(r"^model.inputs = 3 +width of an input$", out, re.MULTILINE)


@pytest.mark.parametrize("words", [["train"], ["evaluate"], ["sample"], []])
def test_help_teaches(words, capsys):
    if words:
        with pytest.raises(SystemExit) as end:
            main([*words, "--help"])
        assert end.value.code == 0
        assert "example" in capsys.readouterr().out
    else:
        assert main([]) == 0
        out = capsys.readouterr().out
        assert all(f"\n  {name} " in out for name in ("train", "evaluate", "sample"))


def test_version(capsys):
    assert main(["--version"]) == 0
    assert f"\njax {jax.__version__}\n" in capsys.readouterr().out
