"""Where the time of a training step goes."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxgru.training.dispatch import Dispatcher
from jaxgru.training.step import initial_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jaxgru.training.config import Config
    from jaxgru.training.task import Task

ROUNDS = 7


def profile(task: Task, config: Config, folder: Path) -> str:
    """Runs a few dispatches, leaves a trace of one in `folder`, and says how long each part takes.

    The loss's gradient, each loop in it and the data are timed apart, in turns with the whole step; what the
    whole takes beyond them is the optimiser's, the metrics' and the dispatch's.
    """
    dispatch = Dispatcher(task, config)
    batches, steps = dispatch.stack(0, dispatch.capacity)
    state = initial_state(task, config.train, config.seed)
    if dispatch.placed:
        state, batches = jax.device_put((state, batches), tuple(dispatch.placed))
    state = dispatch.train_steps(state, batches, steps)[0]
    params, first = jax.tree.map(jnp.copy, state.params), jax.tree.map(lambda leaf: leaf[0], batches)
    gradient, key = jax.jit(jax.value_and_grad(task.loss, has_aux=True)), jax.random.key(config.seed)
    one_device = jax.tree.map(on_one_device, (state.params, state.carry, first))
    loops = loops_of(gradient, *one_device, key)

    def step() -> Any:
        nonlocal state
        state, trace = dispatch.train_steps(state, batches, steps)
        return jax.device_get(trace)

    with jax.profiler.trace(str(folder)):
        step()
    parts = {
        "step": step,
        "gradient": lambda: [gradient(params, state.carry, first, key) for _ in range(steps)],
        "loops": lambda: [loop() for loop in loops for _ in range(steps)],
        "data": lambda: dispatch.stack(0, steps),
    }
    took = {name: ms / steps for name, ms in milliseconds(parts).items()}
    params = jax.device_put(params, jax.devices()[0])
    evaluation = milliseconds({"": lambda: task.evaluate(params, "validation")}, rounds=1)[""]
    return "\n".join([*rows(took), f"an evaluation on the validation split takes {evaluation:.0f} ms"])


def on_one_device(leaf: Any) -> jax.ShapeDtypeStruct:
    """The part of an array that one device has."""
    shape = leaf.sharding.shard_shape(leaf.shape) if isinstance(leaf, jax.Array) else leaf.shape
    return jax.ShapeDtypeStruct(shape, leaf.dtype)


def loops_of(function: Callable[..., Any], *args: Any) -> list[Callable[[], Any]]:
    """Each outermost loop that a function runs, by itself, on zeros."""

    def alone(eqn: Any) -> Callable[[], Any]:
        run = jax.jit(lambda *inputs: eqn.primitive.bind(*inputs, **eqn.params))
        return partial(run, *(jnp.zeros(v.aval.shape, v.aval.dtype) for v in eqn.invars))

    return [alone(eqn) for eqn in loop_equations(jax.make_jaxpr(function)(*args).jaxpr)]


def loop_equations(jaxpr: Any) -> Iterator[Any]:
    """The scans and whiles of a jaxpr that stand in no other."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name in ("scan", "while"):
            yield eqn
        else:
            for inner in jax.tree.leaves(list(eqn.params.values())):
                if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                    yield from loop_equations(getattr(inner, "jaxpr", inner))


def milliseconds(parts: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, float]:
    """How long each part takes: the median of calls in turns, after one that compiles."""
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(rounds + 1):
        for name, part in parts.items():
            began = time.perf_counter()
            jax.block_until_ready(part())
            taken[name] += [1e3 * (time.perf_counter() - began)] * (turn > 0)
    return {name: statistics.median(of) for name, of in taken.items()}


def rows(took: dict[str, float]) -> list[str]:
    """The table: milliseconds a step, and shares of it.

    Example:
      >>> print(*rows({"step": 9.5, "gradient": 8.0, "loops": 5.0, "data": 0.5}), sep=chr(10))
      a step takes 10.00 ms
        recurrent loops                     5.00 ms    50 %
        the rest of the gradient            3.00 ms    30 %
        optimiser, metrics and dispatch     1.50 ms    15 %
        data                                0.50 ms     5 %
    """
    whole = took["step"] + took["data"]
    parts = {
        "recurrent loops": took["loops"],
        "the rest of the gradient": max(took["gradient"] - took["loops"], 0.0),
        "optimiser, metrics and dispatch": max(took["step"] - took["gradient"], 0.0),
        "data": took["data"],
    }
    lines = [f"  {name:<32}{ms:>8.2f} ms {ms / whole:>6.0%}".replace("%", " %") for name, ms in parts.items()]
    return [f"a step takes {whole:.2f} ms", *lines]
