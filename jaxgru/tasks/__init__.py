"""Tasks: one real application per file, with its data, its model, its score and what it leaves to look at."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from jaxgru.checks import did_you_mean
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from jaxgru.training.task import Task

TASKS = {
    "adding": "jaxgru.tasks.adding:Adding",
    "chars": "jaxgru.tasks.chars:Chars",
    "classify": "jaxgru.tasks.classify:Classify",
    "compare": "jaxgru.tasks.compare:Compare",
    "copy": "jaxgru.tasks.copying:Copy",
    "digits": "jaxgru.tasks.digits:Digits",
    "forecast": "jaxgru.tasks.forecast:Forecast",
    "music": "jaxgru.tasks.music:Compose",
    "speech": "jaxgru.tasks.speech:Speech",
    "translate": "jaxgru.tasks.translate:Translate",
    "video": "jaxgru.tasks.video:Video",
    "words": "jaxgru.tasks.words:Words",
}


def find(name: str) -> type[Task]:
    """The class of a task; its module is imported only now.

    Args:
      name: a key of `TASKS`.

    Raises:
      UserError: no task has that name. The message gives the nearest one, or all.

    Example:
      >>> find("chars").name
      'chars'
    """
    if name not in TASKS:
        mend = did_you_mean(name, TASKS, all_of_them="the tasks are")
        raise UserError(f"no task is named {name!r}; {mend}")
    module, _, attribute = TASKS[name].partition(":")
    return cast("type[Task]", getattr(importlib.import_module(module), attribute))
