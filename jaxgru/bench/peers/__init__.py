"""The implementations that the benchmark compares: one file each, and one list of them."""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgru.cells.gru import GRU
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from jaxgru.bench.peer import Peer

ATTRIBUTES = ("name", "package", "variant", "candidate_bias", "backward", "devices", "pause", "ready")
NAMES = ("flax-linen", "flax-nnx", "haiku", "equinox", "keras", "pytorch", "onnxruntime", "openvino")


def streamer(name: str) -> Callable[[Any, int], Callable[[np.ndarray], np.ndarray]] | None:
    """What runs one step after the other with state of its own, if any.

    A peer's `streamer(params, batch)` takes weights and B, how many streams, and returns a function
    x (B, I) float32 -> y (B, H), both of NumPy, that begins with a state of zeros.

    Example:
      >>> streamer("jaxgru") is not None, streamer("haiku") is not None
      (True, False)
    """
    found: Any = getattr(module(name), "streamer", None) if name in {"jaxgru", *NAMES} else None
    return found


def lstms(peer: Peer) -> tuple[Peer, ...]:
    """A peer's LSTM, in each of its forms; none of a file of somebody's own.

    Example:
      >>> [form.name for form in lstms(find("flax-linen"))]
      ['flax-linen', 'flax-linen (optimized)']
    """
    found: tuple[Peer, ...] = getattr(module(peer.name), "LSTM", ()) if peer.name in NAMES else ()
    return found


def module(name: str) -> Any:
    """The file of a peer of ours."""
    return importlib.import_module(f"jaxgru.bench.peers.{name.replace('-', '_')}")


def find(word: str) -> Peer:
    """The peer of that name, or `PEER` of that file.

    Args:
      word: one of `NAMES`, or the path of a .py file.

    Raises:
      UserError: there is none.

    Example:
      >>> find("flax-linen").package
      'flax'
    """
    if word in NAMES:
        peer: Peer = module(word).PEER
        return peer
    path = Path(word)
    if path.suffix != ".py":
        known = ", ".join(NAMES)
        raise UserError(
            f"no peer is named {word}; the peers are {known}, or the path of a .py file with PEER"
        )
    if not path.is_file():
        raise UserError(f"{word}: no such file")
    try:
        names = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        raise UserError(f"{word} does not run: {type(error).__name__}: {error}") from error
    if "PEER" not in names:
        raise UserError(f"{word} defines no PEER; see jaxgru.bench.peer.Peer for what it is")
    found: Peer = names["PEER"]
    lacks = [name for name in ATTRIBUTES if not hasattr(found, name)]
    if lacks or isinstance(found, type):
        said = f"lacks {', '.join(lacks)}" if lacks else "is a class, not a value"
        raise UserError(f"PEER of {word} {said}; see jaxgru.bench.peer.Peer for what it is")
    try:
        GRU(1, 1, **dict[str, Any](found.variant))
    except (TypeError, ValueError) as error:
        raise UserError(f"variant of PEER of {word}: {error}") from error
    return found
