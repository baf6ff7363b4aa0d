"""What decoders are given, checked: messages name the argument, what it must be, and what it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.decode.steps import advance
from jaxgru.layers.bidirectional import Bidirectional
from jaxgru.layers.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxgru.decode.steps import Step, Steps

PyTree = Any
LARGEST = float(np.finfo(np.float32).max)


class Start(NamedTuple):
    """Where decoding starts.

    Attributes:
      params: as given.
      state: leaves (*B, …).
      prompt: (P, *B) int32.
      lengths: (*B,) int32, or None where all are P.
    """

    params: PyTree
    state: PyTree
    prompt: Array
    lengths: Array | None


def start(
    model: Steps | Step, params: PyTree, state: PyTree, prompt: Any, lengths: Any, end: Any
) -> tuple[Start, int | None, int]:
    """Where decoding starts, the token that ends it, and V."""
    checks.static("model", model)
    if isinstance(model, type) or not (callable(getattr(model, "step", None)) or callable(model)):
        raise TypeError(f"model must have step(params, state, tokens), or be that function, got {model!r}")
    if isinstance(model, Cell | Stack | Bidirectional):
        raise TypeError(
            f"model must step over tokens, and {model} reads vectors: give a function that embeds tokens, takes "
            "its step, and returns the state and logits"
        )
    checks.hashable("model", model)
    checks.arrays("params", params)
    checks.arrays("state", state)
    prompt = checks.array("prompt", prompt)
    if not jnp.issubdtype(prompt.dtype, jnp.integer):
        raise TypeError(f"prompt must be integers, got {prompt.dtype}")
    if prompt.ndim == 0 or not len(prompt):
        raise ValueError(
            "prompt must have shape (P, *B) with P at least 1, the token that everything starts with, "
            f"got {checks.axes(prompt.shape)}"
        )
    batch = prompt.shape[1:]
    state = _state(state, prompt.shape)
    if lengths is not None:
        lengths = _lengths(lengths, len(prompt), batch)
    tokens = jax.ShapeDtypeStruct(batch, jnp.int32)
    _, logits = advance.eval_shape(model, params, state, tokens)
    size = logits.shape[-1]
    _in_vocabulary(prompt, lengths, size)
    return Start(params, state, prompt.astype(jnp.int32), lengths), _end(end, size), size


def _state(state: PyTree, prompt: tuple[int, ...]) -> PyTree:
    """Arrays of JAX of a settled dtype, each with the axes of the batch, as the shape of the prompt has them."""
    batch = prompt[1:]

    def checked(path: Any, leaf: Any) -> Array:
        leaf = jnp.asarray(leaf)
        if leaf.shape[: len(batch)] != batch:
            label = "state" + jax.tree_util.keystr(path)
            wanted, got = checks.axes((*batch, "…")), checks.axes(leaf.shape)
            raise ValueError(
                f"{label} must have shape {wanted}, with the batch axes of prompt {checks.axes(prompt)}, whose first "
                f"axis is time, got {got}"
            )
        return leaf.astype(leaf.dtype) if getattr(leaf, "weak_type", False) else leaf

    return jax.tree_util.tree_map_with_path(checked, state)


def _lengths(lengths: Any, steps: int, batch: tuple[int, ...]) -> Array:
    """As `checks.lengths`, but that a row without a token has nothing to start with."""
    lengths = checks.array("lengths", lengths)
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise TypeError(f"lengths must be integers, got {lengths.dtype}")
    checks.shape("lengths", lengths, batch, " like the batch axes of prompt")
    if not isinstance(lengths, jax.core.Tracer):
        known = np.asarray(lengths)
        wrong = np.argwhere((known < 1) | (known > steps))
        if len(wrong):
            row = tuple(map(int, wrong[0]))
            raise ValueError(
                f"lengths must lie in [1, {steps}], the tokens of prompt; lengths{list(row)} is {known[row]}"
            )
    return jnp.clip(lengths, 1, steps).astype(jnp.int32)


def _in_vocabulary(prompt: Array, lengths: Array | None, size: int) -> None:
    """Tokens in [0, V), as far as they are known; whatever stands in the padding."""
    if isinstance(prompt, jax.core.Tracer) or isinstance(lengths, jax.core.Tracer):
        return
    tokens = np.asarray(prompt)
    wrong = (tokens < 0) | (tokens >= size)
    if lengths is not None:
        wrong &= np.arange(len(tokens)).reshape(-1, *(1,) * (tokens.ndim - 1)) < np.asarray(lengths)
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        raise ValueError(
            f"prompt must hold tokens in [0, {size}), as the logits of step; prompt{list(place)} is {tokens[place]}"
        )


def _end(end: Any, size: int) -> int | None:
    if end is None:
        return None
    checks.static("end", end)
    if isinstance(end, bool) or not isinstance(end, int | np.integer):
        raise TypeError(f"end must be None or an int, got {end!r} of type {type(end).__name__}")
    if not 0 <= end < size:
        raise ValueError(f"end must be a token in [0, {size}), as the logits of step, got {end}")
    return int(end)


def scalar(name: str, value: Any, must: str, kind: Any, holds: Callable[[Any], bool]) -> Any:
    """A number that may be traced; where it is known, it `holds`.

    Args:
      name: the argument's.
      value: a Python number, or an array of shape ().
      must: what it must be, in words.
      kind: jnp.integer, or jnp.floating, which takes integers too.
      holds: whether a known number is in its range.

    Returns:
      An int32, or a floating number of JAX's widest dtype: the same type for each value, so that none compiles.
    """
    number = isinstance(value, int | float | np.number | np.ndarray | jax.Array)
    if (
        not number
        or np.shape(value)
        or not any(jnp.issubdtype(_dtype(value), k) for k in {jnp.integer, kind})
    ):
        raise TypeError(f"{name} must be {must}, got {value!r}")
    dtype = jax.dtypes.canonicalize_dtype(np.int32 if kind is jnp.integer else float)
    if isinstance(value, jax.core.Tracer):
        return value.astype(dtype)
    known = value if isinstance(value, int | float) else np.asarray(value).item()
    if not holds(known):
        raise ValueError(f"{name} must be {must}, got {value!r}")
    largest = np.iinfo(dtype).max if kind is jnp.integer else LARGEST
    return np.asarray(min(known, largest), dtype)


def _dtype(value: Any) -> Any:
    return value.dtype if hasattr(value, "dtype") else type(value)


def temperature(value: Any) -> Any:
    """0 takes the likeliest."""
    return scalar(
        "temperature", value, "a finite number of at least 0", jnp.floating, lambda t: 0 <= t < math.inf
    )


def top_k(value: Any) -> Any:
    """How many tokens are kept; None keeps all."""
    if value is None:
        return None
    return scalar("top_k", value, "None or an int of at least 1", jnp.integer, lambda k: k >= 1)


def top_p(value: Any) -> Any:
    """The share that the kept tokens reach; None keeps all."""
    if value is None:
        return None
    return scalar("top_p", value, "None or a number in (0, 1]", jnp.floating, lambda p: 0 < p <= 1)


def length_penalty(value: Any) -> Any:
    """The exponent of what scores are divided by: in [−10, 10] that is a float32 up to 40 000 tokens."""
    return scalar("length_penalty", value, "a number in [-10, 10]", jnp.floating, lambda a: -10 <= a <= 10)
