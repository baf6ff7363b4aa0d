"""The layers as modules of neural-network libraries; each is loaded when it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = ("linen", "nnx")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"jaxgru.nn.{name}")
    raise AttributeError(f"module 'jaxgru.nn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*_MODULES]
