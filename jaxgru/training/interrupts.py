"""SIGTERM and Ctrl-C: what is being done is finished, unless it said that it need not be."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

from jaxgru.training.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator


class Interrupts:
    """A context in which a signal waits for `check`, or for a block under `at_once`.

    The second signal finds the usual handlers again: whoever insists is obeyed.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.immediate = False
        self.usual: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.usual = {n: signal.signal(n, self.handle) for n in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *exception: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Gives the signals back to whoever had them."""
        for number, handler in self.usual.items():
            signal.signal(number, handler)

    def handle(self, number: int, frame: object) -> None:
        """Notes a signal."""
        del frame
        self.received = number
        self.restore()
        if self.immediate:
            raise Interrupted(number)

    def check(self) -> None:
        """Raises Interrupted where a signal has come."""
        if self.received is not None:
            raise Interrupted(self.received)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A block that a signal cuts short: it leaves nothing half done."""
        self.immediate = True
        try:
            self.check()
            yield
        finally:
            self.immediate = False
