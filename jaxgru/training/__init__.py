"""Training: configuration, the jitted step, the loop, checkpoints and the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from jaxgru.training.saved import Run

__all__ = ["load"]


def load(run_dir: str | os.PathLike[str]) -> Run:
    """Opens a run folder, for a notebook: model, parameters and vocabulary of its best checkpoint.

    Args:
      run_dir: the folder `train.py` wrote.

    Returns:
      A `Run` with `model`, `params`, `vocabulary`, `config`, `task`, `step`, `sample()` and `evaluate()`.

    Raises:
      UserError: for a folder that holds no run, or no checkpoint yet.

    Example:
      >>> load("no/such/folder")
      Traceback (most recent call last):
      jaxgru.training.errors.UserError: no/such/folder is no run folder: it holds no config.toml
    """
    from jaxgru.tasks import find  # noqa: PLC0415 tasks are built on training
    from jaxgru.training.saved import open_run  # noqa: PLC0415 loads optax

    return open_run(Path(run_dir), find)
