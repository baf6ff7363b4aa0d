"""Times that can be compared: interleaved in one process, in shuffled order, as ratios of the same round."""

from __future__ import annotations

import random
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ROUNDS = 5, 15  # at least and at most
WARM_SECONDS = 0.5  # a longer function is warm after its first call
BURST_SECONDS, BURST_CALLS = 2e-3, 20  # a short function is called several times a round


class Ratio(NamedTuple):
    """How many times as long as the base: the median over the rounds, and the quartiles."""

    median: float
    low: float
    high: float


def measure(
    functions: Mapping[str, Callable[[], Any]],
    *,
    seconds: float = 2.0,
    pause: Mapping[str, float] | None = None,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Times functions against each other.

    Every round runs each function once, in an order drawn anew, so that what disturbs the machine disturbs all
    of them. A function that takes less than 2 ms is called several times in its turn, and the median counts.

    Args:
      functions: by name; what a call returns is waited for if it is made of JAX arrays.
      seconds: about how long to go on for each function; there are 5 to 15 rounds, whatever it says.
      pause: how many seconds to wait after the function of that name, for workers that spin on after a call.
      seed: of the shuffling.

    Returns:
      Seconds a call took, by name, a number for each round: entry i of every name is from the same round.

    Raises:
      TypeError, ValueError: something else than named functions, or no time to measure in.

    Example:
      >>> f = jax.jit(lambda x: x @ x)
      >>> small, large = jnp.ones((10, 10)), jnp.ones((300, 300))
      >>> times = measure({"small": lambda: f(small), "large": lambda: f(large)}, seconds=0.1)
      >>> compare(times, "small")["large"].median > 1
      True
    """
    if not all(map(callable, functions.values())):
        raise TypeError(f"functions must map names to functions, got {functions!r}")
    if not seconds > 0:
        raise ValueError(f"seconds must be above 0, got {seconds!r}")
    pause = pause or {}
    burst = {}
    expected = 0.0
    for name in functions:
        once = call(functions[name])
        if once < WARM_SECONDS:
            once = call(functions[name])
        burst[name] = min(BURST_CALLS, 1 + int(BURST_SECONDS / max(once, 1e-9)))
        expected += once * burst[name] + pause.get(name, 0.0)
        time.sleep(pause.get(name, 0.0))
    least, most = ROUNDS
    rounds = max(least, min(most, int(seconds * len(functions) / max(expected, 1e-9))))
    times: dict[str, list[float]] = {name: [] for name in functions}
    for name in turns(functions, rounds, pause, seed):
        times[name].append(statistics.median(call(functions[name]) for _ in range(burst[name])))
    return times


def turns(names: Iterable[str], rounds: int, pause: Mapping[str, float], seed: int = 0) -> Iterator[str]:
    """Every name once a round, in an order drawn anew; the pause after each is waited for."""
    order = list(names)
    shuffle = random.Random(seed).shuffle  # noqa: S311 no secret
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            yield name
            time.sleep(pause.get(name, 0.0))


def latencies(
    functions: Mapping[str, Callable[[], Any]],
    *,
    rounds: int = 20,
    calls: int = 100,
    pause: Mapping[str, float] | None = None,
) -> dict[str, list[list[float]]]:
    """The seconds of every single call: for each function, for each round, `calls` of them one after the other."""
    times: dict[str, list[list[float]]] = {name: [] for name in functions}
    for name in turns(functions, rounds + 1, pause or {}):
        times[name].append([call(functions[name]) for _ in range(calls)])
    return {name: found[1:] for name, found in times.items()}  # the first round warms up


def call(function: Callable[[], Any]) -> float:
    """The seconds of one call, its results waited for."""
    begin = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - begin


def compare(times: Mapping[str, Sequence[float]], base: str) -> dict[str, Ratio]:
    """The times of every function as multiples of the base's in the same round.

    Args:
      times: what `measure` returned.
      base: the name of what the others are compared with.

    Example:
      >>> compare({"ours": [1.0, 2.0, 4.0], "theirs": [2.0, 4.0, 4.0]}, "ours")["theirs"]
      Ratio(median=2.0, low=1.5, high=2.0)
    """
    if base not in times:
        raise ValueError(f"base must be one of {', '.join(times)}, got {base!r}")
    ratios = {name: [a / b for a, b in zip(found, times[base], strict=True)] for name, found in times.items()}
    return {name: Ratio(statistics.median(found), *quartiles(found)) for name, found in ratios.items()}


def quartiles(numbers: Sequence[float]) -> tuple[float, float]:
    """The first and the third."""
    low, _, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return low, high


def flop_peak(dtype: Any) -> float:
    """The most FLOP/s that a matmul of this dtype reaches here, over all cores: what nothing can go beyond."""
    best = 0.0
    for size in (512, 1024, 2048):
        x = jnp.ones((size, size), dtype)
        product = partial(jax.jit(jnp.matmul), x, x)
        call(product)
        best = max(best, *(2 * size**3 / call(product) for _ in range(10)))
    return best
