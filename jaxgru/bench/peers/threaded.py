"""What peers outside JAX have in common: worker threads of their own."""

from __future__ import annotations

import statistics
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from jaxgru.bench.peer import Peer
from jaxgru.training.mesh import cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxgru.bench.peer import Problem, Ready

TRIED = 0.1  # seconds for which each number of threads is tried


@dataclass(frozen=True)
class ThreadedPeer(Peer):
    """An implementation outside JAX, on all cores, or on one where that is quicker.

    Args:
      name, package, backward: as of every `Peer`.
      build: (problem, dtype, backward, threads) -> Ready.
    """

    build: Callable[[Problem, str, bool, int], Ready]
    _: KW_ONLY
    backward: bool = False
    pause: float = 0.005

    def ready(self, problem: Problem, *, dtype: str, backward: bool, devices: int) -> Ready:  # noqa: ARG002
        """Tries both numbers of threads."""
        if backward and not self.backward:
            raise NotImplementedError(f"{self.name} has no gradients")
        every = self.build(problem, dtype, backward, cores())
        if cores() == 1:
            return every
        one = self.build(problem, dtype, backward, 1)
        return one if self._seconds(one.run) < self._seconds(every.run) else every

    def _seconds(self, run: Callable[[], Any]) -> float:
        """The median of some runs, after one that warms up."""
        time.sleep(self.pause)
        times: list[float] = []
        while len(times) < 2 or sum(times) < TRIED:
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        return statistics.median(times[1:])
