"""The model's step, held to its form; and what every decoder does with it: read a prompt, leave rows alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgru import checks
from jaxgru.cells.dense import accumulator
from jaxgru.recurrence.marks import along, valid_steps

PyTree = Any
Step = Callable[[PyTree, PyTree, Array], tuple[PyTree, Array]]


class Steps(Protocol):
    """A hashable value with the step of a model over tokens."""

    def step(self, params: PyTree, state: PyTree, tokens: Array, /) -> tuple[PyTree, Array]:
        """The state (leaves (*B, …)) after tokens (*B,) int32, and the logits (*B, V) of those that follow."""
        ...


@partial(jax.jit, static_argnums=0, inline=True)
def advance(model: Steps | Step, params: PyTree, state: PyTree, tokens: Array) -> tuple[PyTree, Array]:
    """One step of the model, whose results are what they must be; traced once for all places that take it."""
    step: Any = getattr(model, "step", model)
    result = step(params, state, tokens)
    if not isinstance(result, tuple) or len(result) != 2:
        got = f"a tuple of {len(result)}" if isinstance(result, tuple) else f"a {type(result).__name__}"
        raise TypeError(f"step must return a pair (state, logits), got {got}")
    new, logits = result
    _same_state(new, state)
    logits = checks.array("the logits of step", logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"the logits of step must have a floating dtype, got {logits.dtype}")
    if logits.ndim != tokens.ndim + 1 or logits.shape[:-1] != tokens.shape:
        shape, got = checks.axes((*tokens.shape, "V")), checks.axes(logits.shape)
        raise ValueError(
            f"the logits of step must have shape {shape} for tokens {checks.axes(tokens.shape)}, got {got}"
        )
    return new, logits.astype(accumulator(logits.dtype))


def _same_state(new: PyTree, old: PyTree) -> None:
    """The state that a step returns goes into the next one: the same structure, shapes and dtypes."""
    before: Any = jax.tree.structure(old)
    after: Any = jax.tree.structure(new)
    if before != after:
        raise ValueError(
            f"step must return (state, logits), with a state of the structure that it takes, {before}, got {after}"
        )
    for (path, leaf), want in zip(
        jax.tree_util.tree_leaves_with_path(new), jax.tree.leaves(old), strict=True
    ):
        label = "the state of step" + jax.tree_util.keystr(path)
        got = checks.array(label, leaf)
        checks.shape(label, got, want.shape, " as the one it takes")
        if got.dtype != want.dtype:
            raise TypeError(f"{label} must be {want.dtype} as the one it takes, got {got.dtype}")


def keep(mask: Array, new: PyTree, old: PyTree) -> PyTree:
    """What is new in the rows of a mask, and what is old in the others."""
    return jax.tree.map(lambda a, b: jnp.where(along(mask, b), a, b), new, old)


def read(
    model: Steps | Step, params: PyTree, state: PyTree, prompt: Array, lengths: Array | None
) -> tuple[PyTree, Array]:
    """The state before the last token of each row's prompt, and that token."""
    valid = None
    last = prompt[-1]
    if lengths is not None:
        last = jnp.take_along_axis(prompt, lengths[None] - 1, 0)[0]
        valid = valid_steps(lengths - 1, len(prompt) - 1)
        prompt = jnp.where(valid_steps(lengths, len(prompt)), prompt, 0)

    def one(state: PyTree, at: tuple[Array, Array | None]) -> tuple[PyTree, None]:
        tokens, mask = at
        new, _ = advance(model, params, state, tokens)
        return (new if mask is None else keep(mask, new, state)), None

    return lax.scan(one, state, (prompt[:-1], valid))[0], last
