"""Rows of results.json by hand, run folders without a run, and a place to call the command in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jaxgru.cli import main
from jaxgru.results.record import means, read_rows
from jaxgru.training.configfile import locate

MACHINE = {
    "platform": "Linux",
    "cpu": "Z80",
    "cores": 2,
    "devices": ["cpu"],
    "environment": {"XLA_FLAGS": "x"},
}
VERSIONS = {"python": "3.11", "jax": "0.10"}
CHARS = locate("chars")
# Stands for `train`: notes how it was called, and leaves the files of a finished run, or does as it is told.
FAKE = f"""\
import json, os, pathlib, re, signal, sys, time
words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
path, seed = pathlib.Path(words["run.dir"]), int(words["seed"])
path.mkdir(parents=True, exist_ok=True)
with (path / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + chr(10))
config = pathlib.Path({str(CHARS)!r}).read_text().replace("seed = 0", f"seed = {{seed}}")
rate = words.get("train.learning_rate", "5e-3")
(path / "config.toml").write_text(re.sub("learning_rate = 5e-3", f"learning_rate = {{rate}}", config))
orders = path.parent / f"{{path.name}}.order"
order = orders.read_text() if orders.exists() else ""
if order.startswith("exit"):
    sys.exit(int(order.split()[1]))
if order == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if order == "orphan":
    assert (path.parent / f"{{path.name}}.machine.json").exists()
if order == "interrupt":
    signal.signal(signal.SIGTERM, lambda *_: ((path / "saved").touch(), sys.exit(143)))
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
test = float(words.get("train.learning_rate", 1)) + seed if order != "blow up" else 1e308
summary = dict(task="chars", metric="bits_per_character", higher_is_better=False, test=test, validation=2.0,
    baseline=3.0, published=None, parameters=10, steps=4, seconds=60.0, seed=seed, versions={VERSIONS!r},
    also=dict(best_step=4))
(path / "data.json").write_text(json.dumps(dict(facts=dict(sha256="ab"))))
(path / "summary.json").write_text(json.dumps(summary))
"""
PLAN = """\
[chars]
seeds = 2
[b]
config = "chars"
seeds = 1
set = ["train.learning_rate=5"]
"""
MEND = "delete it, or name another place with --runs"
Said = Callable[[], str]


def run(seed: int, test: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "seed": seed,
        "test": test,
        "validation": 30.5,
        "baseline": 43.21,
        "best_step": 80,
        "also": {"test_bleu": 40.0 + seed, "baseline_bleu": 37.0, "baseline_five_gram_perplexity": 35.0},
        "parameters": 2240350,
        "steps": 100,
        "seconds": 90.0,
        "versions": VERSIONS,
        "machine": MACHINE,
    } | changes


def row(*runs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    default: dict[str, Any] = {
        "config": "translate",
        "about": "Messages.",
        "set": [],
        "against": None,
        "published": [],
        "task": "translate",
        "metric": "perplexity",
        "higher_is_better": False,
        "facts": {"source": "messages", "sha256": "0e07"},
    }
    return default | means(runs) | {"runs": list(runs)} | changes


def finish(path: Path, of: dict[str, Any], facts: Any = None) -> Path:
    """A folder with what `results` reads of a finished run."""
    path.mkdir(parents=True)
    summary = {"task": "translate", "metric": "perplexity", "higher_is_better": False, "published": None} | of
    summary["also"] = {"best_step": summary.pop("best_step"), **of["also"]}
    if machine := summary.pop("machine"):
        (path / "machine.json").write_text(json.dumps(machine))
    (path / "summary.json").write_text(json.dumps(summary))
    (path / "data.json").write_text(json.dumps({"facts": facts or {"source": "messages", "sha256": "0e07"}}))
    return path


class Place(NamedTuple):
    """Where everything of a test is."""

    path: Path

    def results(self, *words: str, plan: str = PLAN) -> int:
        (self.path / "plan.toml").write_text(plan)
        options = [
            "--runs",
            f"{self.path}/runs",
            "--out",
            f"{self.path}/docs",
            "--plan",
            f"{self.path}/plan.toml",
        ]
        return main(["results", *words, *options])

    def calls(self, run: str) -> list[str]:
        path = self.path / "runs" / run / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def order(self, run: str, word: str) -> None:
        (self.path / "runs").mkdir(exist_ok=True)
        (self.path / "runs" / f"{run}.order").write_text(word)

    def means(self) -> dict[str, float]:
        return {name: row["mean"]["test"] for name, row in read_rows(self.path / "docs/results.json").items()}
