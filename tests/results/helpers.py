"""Rows of results.json by hand, and run folders without a run."""

import json
from pathlib import Path
from typing import Any

from jaxgru.results.record import means

MACHINE = {
    "platform": "Linux",
    "cpu": "Z80",
    "cores": 2,
    "devices": ["cpu"],
    "environment": {"XLA_FLAGS": "x"},
}
VERSIONS = {"python": "3.11", "jax": "0.10"}


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
    default = {
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
