"""The GRU for JAX: a pure-function cell scanned over time, and everything around it."""

from __future__ import annotations

import importlib
from typing import Any

from jaxgru.cells.conv_gru import ConvGRU, ConvGRUParams
from jaxgru.cells.gru import GRU, GRUParams
from jaxgru.cells.initializers import Chrono, GlorotOrthogonal, Uniform
from jaxgru.cells.lstm import LSTM, LSTMParams, LSTMState
from jaxgru.cells.min_gru import MinGRU, MinGRUParams
from jaxgru.cells.rnn import RNN, RNNParams
from jaxgru.cells.sru import SRU, SRUParams, SRUState
from jaxgru.layers.bidirectional import Bidirectional
from jaxgru.layers.dropout import DropConnect, VariationalDropout
from jaxgru.layers.layer_norm import LayerNorm, LayerNormParams
from jaxgru.layers.learned_state import LearnedState, LearnedStateParams
from jaxgru.layers.stack import Stack
from jaxgru.layers.zoneout import Zoneout
from jaxgru.recurrence.associative import Associative
from jaxgru.recurrence.chunked import Chunked
from jaxgru.recurrence.marks import lengths_from_mask, resets_from_done
from jaxgru.recurrence.scan import scan
from jaxgru.recurrence.select import AUTO
from jaxgru.recurrence.sequential import Sequential
from jaxgru.stream import Stream
from jaxgru.weights import load, save

__version__ = "0.1.0"
__all__ = [
    "AUTO",
    "GRU",
    "LSTM",
    "RNN",
    "SRU",
    "Associative",
    "Bidirectional",
    "Chrono",
    "Chunked",
    "ConvGRU",
    "ConvGRUParams",
    "DropConnect",
    "GRUParams",
    "GlorotOrthogonal",
    "LSTMParams",
    "LSTMState",
    "LayerNorm",
    "LayerNormParams",
    "LearnedState",
    "LearnedStateParams",
    "MinGRU",
    "MinGRUParams",
    "RNNParams",
    "SRUParams",
    "SRUState",
    "Sequential",
    "Stack",
    "Stream",
    "Uniform",
    "VariationalDropout",
    "Zoneout",
    "lengths_from_mask",
    "load",
    "resets_from_done",
    "save",
    "scan",
]

_MODULES = (
    "bench",
    "data",
    "decode",
    "interop",
    "layers",
    "nn",
    "probe",
    "recurrence",
    "reference",
    "tasks",
    "training",
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"jaxgru.{name}")
    raise AttributeError(f"module 'jaxgru' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
