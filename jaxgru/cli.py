"""The command line: `python -m jaxgru {train,evaluate,sample,bench,data,results}`, and `train.py`.

A mistake of the person who types gets one line on stderr and the exit status 2, a run that cannot go on one
line and 1, an interrupted one 128 + the signal's number.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax

from jaxgru.arguments import parser, sort_words
from jaxgru.checks import did_you_mean
from jaxgru.tasks import find
from jaxgru.training.config import Config, MeshConfig, RunConfig, changes, flat, keys, lookup, table_keys
from jaxgru.training.configfile import from_word, locate, read, split, toml_value
from jaxgru.training.display import display, show_file, table
from jaxgru.training.errors import Interrupted, RunError, UserError
from jaxgru.training.grid import Grid, train_grid
from jaxgru.training.loop import train as training_loop
from jaxgru.training.mesh import as_before, claim_devices
from jaxgru.training.run import RunFolder, claim, new_folder, versions
from jaxgru.training.saved import open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRAIN_HELP = """\
Trains a model and leaves a run folder.

  CONFIG      a task's name (chars, the default) or a TOML file
  key=value   a setting of the config, by its dotted name: train.steps=300 data.path=book.txt

examples:
  python train.py                                   the default: chars, on the Python language reference
  python train.py train.steps=300 run.dir=runs/a    shorter, in a folder of your choice
  python train.py --resume run.dir=runs/a           goes on with it, exactly, after a crash or Ctrl-C
  python train.py chars data.path=book.txt          your own text
  python train.py my.toml seed=1                    your own config
  python train.py chars --keys                      every setting, its value here and what it means
  python train.py --profile                         where the time of a step goes, and a trace; no training

a run folder holds:
  config.toml     every setting, resolved           metrics.jsonl   a row for each step that is due
  summary.json    the scores, at the end            checkpoints/    the newest ones and the best
  curves.png      loss and score against steps      data.json       facts of the data, vocabulary, baseline
and what the task leaves, such as sample.txt. Ctrl-C and SIGTERM save before they end. A resumed run may change
run.dir, run.save_every, run.keep and sample.*; all else, train.steps too, decides how it goes and stays.
"""
EVALUATE_HELP = """\
Scores the best checkpoint of a run on the validation and the test split, and prints them as JSON.

example:
  python -m jaxgru evaluate runs/a
"""
SAMPLE_HELP = """\
Generates with the best checkpoint of a run.

  INPUT       chars, words         how the text begins
              classify, translate  the text to read
              forecast             a table with the run's columns, to go on from its end
              music                a MIDI file or a score to go on with
              digits               a .png or .jpg file, or the number of an image of the test split
              speech               a .wav or .ts file, or the number of an utterance of the test split
              video                a video or a folder of frames, to go on with from its end
              adding, copy         numbers with two marks; ten digits
              compare              none: sample one of the runs in its folder
  key=value   a setting of the table [sample] of the run's config.toml, or the seed

examples:
  python -m jaxgru sample runs/a
  python -m jaxgru sample runs/a "The class " temperature=0.7 seed=3
  python -m jaxgru sample runs/translate "The name of the place" beams=10
"""


class Command(NamedTuple):
    """One word of the command line."""

    summary: str
    run: Callable[[Sequence[str]], int]


NEED_LESS = "smaller sizes under [model] and [data], or a smaller train.batch_size, need less"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status.

    Args:
      argv: the words after the program's name; those of the process by default.

    Example:
      >>> main(["train", "train.lerning_rate=1"])
      2
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows ? instead
    try:
        return command(words)
    except (UserError, RunError) as error:
        return complain(str(error), error.exit_status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its exit
        return 1
    except OSError as error:
        return complain(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        why = str(error).partition("\n")[0]
        return complain(f"there is too little memory; {NEED_LESS}{f' ({why})' if why else ''}", 1)
    except Interrupted as error:
        return error.exit_status
    except KeyboardInterrupt:
        return complain("interrupted", 130)


def command(words: Sequence[str]) -> int:
    """Runs the command that the first word names."""
    if words[:1] == ["--version"]:
        print("\n".join(f"{name} {version}" for name, version in versions().items()))
        return 0
    if not words or words[0] in ("-h", "--help"):
        lines = [f"  {name:<10}{entry.summary}" for name, entry in COMMANDS.items()]
        print("usage: python -m jaxgru COMMAND …\n\n" + "\n".join(lines))
        print("\n`python -m jaxgru COMMAND --help` says more of each.")
        return 0
    if words[0] not in COMMANDS:
        mend = did_you_mean(words[0], COMMANDS, all_of_them="the commands are")
        raise UserError(f"no command is named {words[0]}; {mend}")
    return COMMANDS[words[0]].run(words[1:])


def complain(message: str, status: int) -> int:
    """One line on stderr; the exit status."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return status


def train(argv: Sequence[str]) -> int:
    """`train [CONFIG] [--resume] [key=value …]`."""
    arguments = parser("train", "[CONFIG] [--resume] [key=value …]", TRAIN_HELP)
    arguments.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    arguments.add_argument("--resume", action="store_true", help="go on with the run in run.dir")
    arguments.add_argument(
        "--profile", action="store_true", help="say where the time goes, and train nothing"
    )
    arguments.add_argument("--keys", action="store_true", help="print every setting, and train nothing")
    given = arguments.parse_intermixed_args(argv)
    names, overrides = sort_words(given.words)
    if len(names) > 1:
        raise UserError(f"one CONFIG at most, not {' and '.join(names)}; a setting is written key=value")
    source = locate(names[0]) if names else None
    if given.keys:
        return print_keys(read(source or locate("chars"), overrides, find))
    config = resumed(source, overrides) if given.resume else None
    config = config or read(source or locate("chars"), overrides, find)
    ragged = find(config.task).ragged
    devices = claim_devices(config.mesh.cpu_devices, config.train.batch_size, ragged=ragged)
    config = with_devices(config, devices)
    return run_profile(config) if given.profile else run_training(config, resume=given.resume)


def run_profile(config: Config) -> int:
    """Prints where the time of a step goes, and leaves a trace in the run folder."""
    from jaxgru.training.profile import profile  # noqa: PLC0415 of use only here

    path = Path(config.run.dir) if config.run.dir else new_folder(config.task)
    with claim(path, resume=False):
        count = config.mesh.cpu_devices
        print(f"{config.task}: {config.train.batch_size} rows a step, on {count} device{'s' * (count != 1)}")
        print(profile(find(config.task)(config), config, path / "profile"))
        print(f"the trace in {path / 'profile'} opens in XProf and in TensorBoard")
    return 0


def with_devices(config: Config, count: int) -> Config:
    """The config with the number of devices that the run has, and a word where it is another than was asked."""
    wanted = config.mesh.cpu_devices
    if wanted not in ("auto", count):
        fit = f"{count} of them share the {config.train.batch_size} rows of a batch equally"
        print(f"mesh.cpu_devices={wanted}: {fit}, and are used")
    return dataclasses.replace(config, mesh=MeshConfig(count))


def print_keys(config: Config) -> int:
    """Every setting with its value and what it means."""
    values = flat(config)
    for name, key in keys(find(config.task)).items():
        choices = "|".join(key.metadata.get("choices", ()))
        setting = f"{name} = {toml_value(values[name])}"
        print(f"{setting:<44}  {key.metadata.get('help', '')}{f' ({choices})' if choices else ''}")
    return 0


def resumed(source: Path | None, overrides: Sequence[str]) -> Config | None:
    """The config of the run to go on with, checked against what was asked for; None if there is none yet."""
    word = dict(map(split, overrides)).get("run.dir", "")
    path = read(source, overrides, find).run.dir if source else from_word(word, table_keys(RunConfig)["dir"])
    if not path:
        raise UserError("--resume needs the folder of the run: --resume run.dir=FOLDER")
    stored = Path(path) / "config.toml"
    if not stored.exists():
        print(f"{path} holds no run yet; starting at step 0")
        return None
    before, now = read(stored, (), find), read(source or stored, overrides, find)
    now = as_before(before, now)
    for name, was, value in changes(before, now):
        if not name.startswith("sample."):
            change = f"{name} from {toml_value(was)} to {toml_value(value)}"
            given = any(split(word)[0] == name for word in overrides)
            mend = "start a new run" if given else f"leave {source} out to go on, or start a new run"
            raise UserError(f"--resume cannot change {change}: it decides how the run goes; {mend}")
    return dataclasses.replace(now, run=dataclasses.replace(now.run, dir=path))


def run_training(config: Config, *, resume: bool) -> int:
    """Trains in the run folder, which this process holds meanwhile."""
    path = Path(config.run.dir) if config.run.dir else new_folder(config.task)
    config = dataclasses.replace(config, run=dataclasses.replace(config.run, dir=str(path)))
    with claim(path, resume=resume), display(config.train.steps) as show:
        run, of = RunFolder(path, config), find(config.task)
        if (path / "summary.json").exists():
            left = show_file(path / of.left) if issubclass(of, Grid) else table(run.summary())
            show.say(f"{path} is finished; nothing is left to do\n{left}")
            return 0
        show.say(f"{config.task}: reading the data, for the run in {path}")
        task = of(config)
        try:
            if isinstance(task, Grid):
                train_grid(task, config, run, show)
            else:
                training_loop(task, config, run, show)
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise RunError(f"{where}; {run.last_checkpoint()}") from error
        except Interrupted:
            many = "finished runs stay, and the one at hand is saved"
            kept = many if isinstance(task, Grid) else run.last_checkpoint()
            show.say(f"stopped; {kept}; go on with: python train.py --resume run.dir={path}")
            raise
    return 0


def evaluate(argv: Sequence[str]) -> int:
    """`evaluate RUN`."""
    arguments = parser("evaluate", "RUN", EVALUATE_HELP)
    arguments.add_argument("run", metavar="RUN", type=Path, help="a run folder")
    run = open_run(arguments.parse_args(argv).run, find)
    print(json.dumps({"step": run.step, **run.evaluate()}, indent=1))
    return 0


def sample(argv: Sequence[str]) -> int:
    """`sample RUN [INPUT] [key=value …]`."""
    arguments = parser("sample", "RUN [INPUT] [key=value …]", SAMPLE_HELP)
    arguments.add_argument("run", metavar="RUN", type=Path, help="a run folder")
    arguments.add_argument("words", nargs="*", default=[], help=argparse.SUPPRESS)
    given = arguments.parse_args(argv)
    inputs, assignments = sort_words(given.words)
    if len(inputs) > 1:
        raise UserError(f"one INPUT at most, not {len(inputs)}; put it in quotes if it has spaces")
    run = open_run(given.run, find)
    known = run.sample_keys()
    options = {name: from_word(word, lookup(name, known)) for name, word in map(split, assignments)}
    print(run.sample(inputs[0] if inputs else None, **options))
    return 0


def elsewhere(place: str) -> Callable[[Sequence[str]], int]:
    """The command `module:function`, which is imported when it is called."""

    def run(argv: Sequence[str]) -> int:
        module, _, name = place.partition(":")
        return int(getattr(importlib.import_module(module), name)(argv))

    return run


COMMANDS = {
    "train": Command("train a model, or go on with a run", train),
    "evaluate": Command("score a run on its validation and test splits", evaluate),
    "sample": Command("generate with a run's model", sample),
    "bench": Command("time jaxgru against other implementations", elsewhere("jaxgru.bench.command:bench")),
    "data": Command("fetch the tasks' data sets, and look at them", elsewhere("jaxgru.data_command:data")),
    "results": Command(
        "train the configs, write the table of scores", elsewhere("jaxgru.results.command:results")
    ),
}
