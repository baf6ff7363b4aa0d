"""What peers outside JAX have in common: worker threads of their own."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jaxgru.training.mesh import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxgru.bench.peer import Problem, Ready

TRIED = 0.2  # seconds for which each number of threads is tried


@dataclass(frozen=True)
class ThreadedPeer:
    """An implementation outside JAX, on all cores, or on one where that is quicker.

    Args:
      name: as the report shows it.
      package: what has to be installed.
      build: (problem, dtype, backward, threads) -> Ready.
      backward: whether it has gradients.
    """

    name: str
    package: str
    build: Callable[[Problem, str, bool, int], Ready]
    backward: bool = False
    variant: Mapping[str, str] = field(default_factory=dict, init=False)
    candidate_bias: bool = field(default=True, init=False)
    devices: bool = field(default=False, init=False)
    pause: float = field(default=0.005, init=False)

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
