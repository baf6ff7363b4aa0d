"""`python -m jaxgru results`: trains what is missing of a plan, and writes the table of the scores."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxgru.arguments import parser
from jaxgru.checks import did_you_mean
from jaxgru.results.page import page
from jaxgru.results.plan import default_plan, read_plan
from jaxgru.results.record import MACHINE, MOST_SEEDS, figures, read_rows, row, write_rows
from jaxgru.tasks import find
from jaxgru.training.config import Config, changes
from jaxgru.training.configfile import locate, read, toml_value
from jaxgru.training.errors import Interrupted, RunError, UserError
from jaxgru.training.interrupts import Interrupts
from jaxgru.training.mesh import as_before
from jaxgru.training.run import make_folder, refuse_other_files
from jaxgru.weights import write_whole

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping, Sequence

HELP = """\
Trains every row of the plan with several seeds, each a run folder of its own, and writes results.json (all figures)
and results.md (the page made of it). A run that is finished is used as it stands, a stopped one goes on; delete a
run's folder to have it trained anew. Rows that are not named keep what results.json has.

examples:
  python -m jaxgru results --list                    the rows, and how far their runs are
  python -m jaxgru results                           all of them
  python -m jaxgru results chars words --seeds 1     two rows, with one seed
  python -m jaxgru results --render                  results.md anew, of results.json
"""
TRAIN = (sys.executable, "-m", "jaxgru", "train")
# In a process of its own, for whoever asks JAX for its devices may hold them.
FIND_MACHINE = "import json; from jaxgru.bench import report; print(json.dumps(report.machine((), {})))"


class Run(NamedTuple):
    """One seed of a row: its folder, and the words that `train` takes."""

    row: str
    seed: int
    path: Path
    words: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return (self.path / "summary.json").exists()

    @property
    def note(self) -> Path:
        """Where the machine stands while it trains: beside the folder, which is `train`'s until it is finished."""
        return self.path.with_name(f"{self.path.name}.machine.json")


def results(argv: Sequence[str]) -> int:
    """`results [ROW …] [options]`."""
    given = arguments(argv)
    if given.render:
        rows = read_rows(given.out / "results.json")
        write_page(given.out, page(rows), rows)
        return 0
    plan = read_plan(given.plan)
    for name in given.rows:
        if name not in plan:
            raise UserError(f"{given.plan} has no row {name}; {did_you_mean(name, plan)}")
    runs = {name: planned_runs(name, plan[name], given) for name in given.rows or plan}
    configs = {run: planned_config(run, given.plan) for each in runs.values() for run in each}
    if given.list:
        width = max(map(len, runs))
        sys.stdout.write("".join(f"{line(each, width)}\n" for each in runs.values()))
        return 0
    for run, config in configs.items():  # all of them, before hours of training
        refuse_another(run, config)
    make_folder("--runs", given.runs)
    make_folder("--out", given.out)
    known_rows(given.out)
    for name, each in runs.items():
        for run in each:
            complete(run)
        found = known_rows(given.out) | {name: row(plan[name], [run.path for run in each])}
        ordered = {key: found[key] for key in [*plan, *found] if key in found}
        text = page(ordered)  # before either file is written: both are, or none
        write_rows(given.out / "results.json", ordered)
        write_page(given.out, text, ordered)
    return 0


def arguments(argv: Sequence[str]) -> Namespace:
    """The command line's options."""
    options = parser("results", "[ROW …] [options]", HELP)
    options.add_argument("rows", metavar="ROW", nargs="*", help="a row of the plan; all by default")
    options.add_argument(
        "--seeds", type=int, metavar="N", help="seeds of each row (as many as the plan says)"
    )
    options.add_argument(
        "--runs", type=Path, default="runs/results", help="where the runs are (runs/results)"
    )
    options.add_argument("--out", type=Path, default="docs", help="where both files are (docs)")
    options.add_argument("--plan", type=Path, help="a plan of yours, written like configs/results/plan.toml")
    options.add_argument("--render", action="store_true", help="only write results.md, of results.json")
    options.add_argument("--list", action="store_true", help="only show the rows")
    given = options.parse_intermixed_args(argv)
    if given.render and (given.rows or given.list or given.seeds is not None or given.plan is not None):
        raise UserError("--render takes --out and nothing else: results.json is all it reads")
    if given.seeds is not None and not 1 <= given.seeds <= MOST_SEEDS:
        raise UserError(f"--seeds must be from 1 to {MOST_SEEDS}, got {given.seeds}")
    given.plan = given.plan or default_plan()
    for name in ("plan", "runs", "out"):
        if "\0" in str(path := getattr(given, name)):
            raise UserError(f"--{name} is {str(path)!r}; no file can have a name with NUL")
    return given


def planned_runs(name: str, planned: Mapping[str, Any], given: Namespace) -> list[Run]:
    """The runs of a row."""
    runs = []
    config = planned["config"]
    if config.endswith(".toml"):
        config = str(given.plan.parent / config)  # a plan is good from any folder
    for seed in range(given.seeds or planned["seeds"]):
        path = given.runs / f"{name}-{seed}"
        words = (config, f"seed={seed}", f"run.dir={path}", *planned["set"])
        runs.append(Run(name, seed, path, words))
    return runs


def line(runs: Sequence[Run], width: int) -> str:
    """A row of the plan, for people, its name so wide."""
    config, _, _, *settings = runs[0].words
    state = f"{sum(run.finished for run in runs)} of {len(runs)} runs finished"
    return f"{runs[0].row:<{width}}  {state}  train {shlex.join([config, *settings])}"


def planned_config(run: Run, plan: Path) -> Config:
    """The settings of a run; those that `train` would refuse are refused."""
    try:
        return read(locate(run.words[0]), run.words[1:], find)
    except UserError as error:
        raise UserError(f"{plan}: row {run.row}: {error}") from None


def refuse_another(run: Run, now: Config) -> None:
    """Refuses a folder that holds a run with other settings, or scores of another one."""
    mend = "delete it, or name another place with --runs"
    if run.path.exists() and not run.path.is_dir():
        raise UserError(f"{run.path} is no folder; {mend}")
    if run.path.exists():
        refuse_other_files(run.path)
    config = run.path / "config.toml"
    if run.finished and not config.exists():
        raise UserError(f"{run.path} holds scores and no config.toml that says of what; {mend}")
    change = changed(read(config, (), find), now) if config.exists() else ""
    if run.finished and not change:
        found = figures(run.path)
        planned = {"task": now.task, "metric": find(now.task).metric, "seed": run.seed}
        others = [name for name, value in planned.items() if found[name] != value]
        change = "".join(f"{name} is {found[name]} there, and {planned[name]}" for name in others[:1])
    if change:
        raise UserError(f"{run.path} holds another run: {change} in the plan; {mend}")


def changed(stored: Config, now: Config) -> str:
    """The first setting that decides a figure and is another one now; empty where there is none."""
    for name, was, value in changes(stored, as_before(stored, now)):
        return f"{name} is {toml_value(was)} there, and {toml_value(value)}"
    return ""


def complete(run: Run) -> None:
    """Trains a run to its end, unless it is there.

    Raises:
      RunError: training ended with another exit status than 0.
    """
    name = f"{run.row}, seed {run.seed}"
    if run.finished:
        say(f"{name}: finished, in {run.path}")
    else:
        say(f"{name}: training, in {run.path}")
        write_whole(run.note, json.dumps(machine(), indent=1).encode())
        if status := wait([*TRAIN, *run.words, "--resume"]):
            end = f"with exit status {status}" if status > 0 else f"by signal {-status}"
            raise RunError(f"{name}: training ended {end}; the same command goes on from {run.path}")
    if run.note.exists():  # perhaps since a command that was killed when training had ended
        run.note.replace(run.path / "machine.json")
    figures(run.path)  # no further seed of a row that blew up


def wait(words: Sequence[str]) -> int:
    """Runs a program to its end and returns its exit status.

    It has a process group of its own, so that Ctrl-C reaches it once: from here, as SIGTERM, which lets a run save.
    """
    with Interrupts() as interrupts:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, process_group=0)  # noqa: S603 words of ours
        try:
            with interrupts.at_once():
                return process.wait()
        except Interrupted:
            process.terminate()
            process.wait()
            say("stopped; finished runs stay, and the same command goes on")
            raise
        finally:
            process.kill()  # whoever interrupts twice does not wait
            process.wait()


def machine() -> dict[str, Any]:
    """What the seconds of a run depend on."""
    said = subprocess.check_output([sys.executable, "-c", FIND_MACHINE], stdin=subprocess.DEVNULL)  # noqa: S603
    facts = json.loads(said)
    text = json.dumps({name: facts[name] for name in MACHINE}, ensure_ascii=False)
    found: dict[str, Any] = json.loads(text.encode(errors="replace"))  # an environment may hold any bytes
    return found


def known_rows(out: Path) -> dict[str, dict[str, Any]]:
    """What results.json holds; nothing where there is none yet."""
    path = out / "results.json"
    return read_rows(path) if path.exists() else {}


def write_page(out: Path, text: str, rows: Iterable[str]) -> None:
    """Writes results.md, and says of which rows it is."""
    write_whole(out / "results.md", text.encode())
    say(f"{out / 'results.md'}: {', '.join(rows)}")


def say(text: str) -> None:
    """A line on stdout, before what a run says."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
