"""The run folder: who may write in it, and what stands in it.

    config.toml      the configuration, resolved
    data.json        what the run learned of its data: facts, vocabulary, baseline
    metrics.jsonl    a row for each step due by run.log_every and for each evaluation
    checkpoints/     the newest ones and the best; see `checkpoint`
    summary.json     the scores, once the run is finished
    curves.png       loss and score against steps; beside it what the task leaves
    lock             held by the process that trains

Every file but metrics.jsonl, which grows by whole rows, is written whole or not at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib.metadata
import json
import os
import platform
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from jaxgru.training.checkpoint import Snapshot, Store
from jaxgru.training.configfile import to_toml
from jaxgru.training.errors import RunError, UserError
from jaxgru.training.metrics import Metrics, finite, is_number
from jaxgru.weights import TEMPORARY, remove_temporaries, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jaxgru.training.config import Config
    from jaxgru.training.task import Task

RUN_NAMES = frozenset({"config.toml", "metrics.jsonl", "checkpoints", "summary.json"})
KINDS: dict[str, Callable[[Any], bool]] = {
    "a string": lambda value: isinstance(value, str),
    "a number": is_number,
    "a number or null": lambda value: value is None or is_number(value),
    "an object": lambda value: isinstance(value, dict),
    "an object of numbers": lambda value: isinstance(value, dict) and all(map(is_number, value.values())),
}
SUMMARY = {
    "task": "a string",
    "metric": "a string",
    **dict.fromkeys(("test", "validation", "baseline", "published"), "a number or null"),
    **dict.fromkeys(("parameters", "steps", "seconds"), "a number"),
    "also": "an object",
}


class RunFolder:
    """One run's folder, opened to write.

    Args:
      path: the folder, held by `claim`.
      config: the resolved configuration, written where the folder has none yet.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self.path, self.config = path, config
        self.metrics = Metrics(path / "metrics.jsonl")
        self.store = Store(path / "checkpoints", config.run.keep)
        self.started, self.seconds_before = time.monotonic(), 0.0

    def record(self, task: Task) -> dict[str, Any]:
        """Notes what is known before the first step, or finds it unchanged: facts of the data, and baseline."""
        for folder in (self.path, self.store.folder):
            if folder.is_dir():
                remove_temporaries(folder)
        if not (self.path / "config.toml").exists():
            write_whole(self.path / "config.toml", to_toml(self.config).encode())
        path = self.path / "data.json"
        is_new = not path.exists()
        if is_new:
            noted = {"facts": task.facts(), "baseline": task.baseline(), "vocabulary": task.vocabulary}
            write_whole(path, json.dumps(noted, indent=1, ensure_ascii=False).encode())
        noted = read_json(path, facts="an object", baseline="an object of numbers")
        if not is_new:
            check_facts(task, noted["facts"])
        return noted

    def resume(self, start: Snapshot) -> Snapshot:
        """The newest good checkpoint, or `start` where there is none; what was written past it is cut."""
        snapshot, self.seconds_before = self.store.restore(start) or (start, 0.0)
        self.store.forget_after(int(snapshot.state.step))
        self.metrics.cut_after(int(snapshot.state.step))
        return snapshot

    def seconds(self) -> float:
        """Seconds of this run so far, over all its processes."""
        return round(self.seconds_before + time.monotonic() - self.started, 3)

    def save(self, snapshot: Snapshot) -> None:
        """Writes a checkpoint, after the rows before it."""
        self.metrics.sync()
        about = {"config": dataclasses.asdict(self.config), "versions": versions()}
        self.store.save(snapshot, self.seconds(), about)

    def last_checkpoint(self) -> str:
        """Where the run can go on from, for a message."""
        steps = self.store.steps()
        return f"the last good checkpoint is of step {steps[-1]}" if steps else "there is no checkpoint yet"

    def summary(self) -> dict[str, Any]:
        """The contents of summary.json, which a finished run has."""
        path = self.path / "summary.json"
        summary = read_json(path, "higher_is_better", **SUMMARY)
        if not is_number(summary["also"].get("best_step")):
            raise RunError(f"{path} is damaged: also should hold best_step, a number")
        return summary

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Writes summary.json, which makes the run a finished one."""
        text = json.dumps(finite(summary), indent=1) + "\n"
        write_whole(self.path / "summary.json", text.encode())


@contextlib.contextmanager
def claim(path: Path, *, resume: bool) -> Iterator[None]:
    """Holds a folder for this process, for as long as it lives.

    Raises:
      UserError: where another process holds it; where it holds a run that is not to be resumed, or no run and
        other files.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        refuse_other_files(path)
        lock = (path / "lock").open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"run.dir={path} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            mend = "wait for it or choose another run.dir"
            raise UserError(f"{path} is in use by process {read_lock(lock).strip()}; {mend}") from error
        if not re.fullmatch(r"([0-9]+\n)?", read_lock(lock)):
            mend = "choose an empty or a new folder as run.dir"
            raise UserError(f"{path} holds a file named lock that is not a run's; {mend}")
        if holds_run(path) and not resume:
            mend = f"add --resume to go on with it (--resume run.dir={path}), or choose another run.dir"
            raise UserError(f"{path} holds a run; {mend}")
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield
        finally:
            if path.is_dir() and [entry.name for entry in path.iterdir()] == ["lock"]:  # nothing came of it
                (path / "lock").unlink()
                path.rmdir()


def refuse_other_files(path: Path) -> None:
    """Refuses a folder that is somebody's and no run's: nothing in it is ours to write over."""
    names = {entry.name for entry in path.iterdir()}
    others = {name for name in names if name != "lock" and not TEMPORARY.fullmatch(name)}
    if others and not names & RUN_NAMES:
        mend = "choose an empty or a new folder as run.dir"
        raise UserError(f"{path} holds other files and no run ({min(others)}, for one); {mend}")


def read_lock(lock: TextIO) -> str:
    """What a lock file says: its process and a line break, nothing while it is being written."""
    lock.seek(0)
    return lock.read(32)


def read_json(path: Path, *needed: str, **kinds: str) -> dict[str, Any]:
    """The object in one of a run's JSON files, with the keys that are needed, each of its kind."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict) or not found.keys() >= {*needed, *kinds}:
        raise RunError(f"{path} is damaged: it should hold {', '.join([*needed, *kinds])}")
    for name, kind in kinds.items():
        if not KINDS[kind](found[name]):
            raise RunError(f"{path} is damaged: {name} should be {kind}")
    return found


def check_facts(task: Task, noted: Mapping[str, Any]) -> None:
    """Refuses to go on with data that is not what the run began with."""
    facts = json.loads(json.dumps(task.facts()))
    for name in sorted(facts.keys() | noted.keys()):
        if facts.get(name) != noted.get(name):
            change = f"{name} was {noted.get(name)}, it is {facts.get(name)}"
            raise RunError(f"the data changed since this run began: {change}")


def holds_run(path: Path) -> bool:
    """Whether a folder holds anything of a run."""
    return any((path / name).exists() for name in RUN_NAMES)


def new_folder(task: str) -> Path:
    """Makes runs/<task>-<time>, with a number behind it where runs start in one second."""
    name = f"{task}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(1, 1000):
        path = Path("runs") / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise UserError(f"runs/{name} and a thousand more exist; choose a run.dir")


def make_folder(option: str, path: Path) -> None:
    """Makes the folder that an option names, unless it is there, and refuses one that cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{option} {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise UserError(f"{option} {path} cannot be written to")


def versions() -> dict[str, str]:
    """What the numbers of a run depend on, besides its config."""
    packages = ("jaxgru", "jax", "jaxlib", "flax", "optax", "numpy")
    found = {d.name: d.version for p in packages for d in importlib.metadata.distributions(name=p)}
    return {"python": platform.python_version()} | found
