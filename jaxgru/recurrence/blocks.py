"""A run over time in blocks of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

if TYPE_CHECKING:
    from collections.abc import Callable

PyTree = Any


def steps(inputs: PyTree) -> int:
    """T, of leaves (T, …)."""
    return len(jax.tree.leaves(inputs)[0])


def in_blocks(
    run: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]],
    state: PyTree,
    inputs: PyTree,
    size: int,
    *,
    reverse: bool,
) -> tuple[PyTree, PyTree]:
    """What `run` gives for all of time, by a scan that calls it for `size` steps at once.

    Args:
      run: (state, inputs of some steps) -> (state after them, outputs of each).
      state: before the first step.
      inputs: leaves (T, …).
      size: how many steps a block has; what T leaves over is a shorter block, the last to be processed.
      reverse: whether the last block comes first; `run` has to go backwards by itself.

    Returns:
      The last state, and the outputs, leaves (T, …).
    """
    length = steps(inputs)
    count, rest = divmod(length, size)
    if not count:
        return run(state, inputs)
    short = slice(0, rest) if reverse else slice(length - rest, None)
    whole = slice(rest, None) if reverse else slice(0, length - rest)

    def cut(x: Any) -> Any:
        return x[whole].reshape(count, size, *x.shape[1:])

    state, outputs = lax.scan(run, state, jax.tree.map(cut, inputs), reverse=reverse)
    outputs = jax.tree.map(lambda y: y.reshape(count * size, *y.shape[2:]), outputs)
    if not rest:
        return state, outputs
    state, last = run(state, jax.tree.map(lambda x: x[short], inputs))
    order = (last, outputs) if reverse else (outputs, last)
    return state, jax.tree.map(lambda *parts: jnp.concatenate(parts), *order)
