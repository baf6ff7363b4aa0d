"""Messages for wrong arguments: each names the argument, what it is, what it should be, and the mend."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

if TYPE_CHECKING:
    from collections.abc import Iterable


def static(name: str, value: Any) -> None:
    """No traced value where a Python one decides what is computed."""
    if isinstance(value, jax.core.Tracer):
        raise TypeError(
            f"{name} is traced, but decides what is compiled: close over it, or name it in static_argnames of jax.jit"
        )


def size(name: str, value: Any) -> int:
    """A positive int; a float or bool is refused rather than converted."""
    static(name, value)
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an int, got {value!r} of type {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return int(value)


def sizes(name: str, value: Any) -> tuple[int, ...]:
    """A tuple of sizes, of any length."""
    if not isinstance(value, tuple):
        raise TypeError(f"{name} must be a tuple of ints such as (8,), got {value!r}")
    return tuple(size(f"{name}[{i}]", axis) for i, axis in enumerate(value))


def choice(name: str, value: Any, options: tuple[str, ...]) -> None:
    """One of a few words."""
    if value not in options:
        known = " or ".join(repr(option) for option in options)
        raise ValueError(f"{name} must be {known}, got {value!r}")


def flag(name: str, value: Any) -> None:
    """True or False."""
    static(name, value)
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r} of type {type(value).__name__}")


def rate(name: str, value: Any) -> float:
    """A probability below one."""
    static(name, value)
    known = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not known or not 0 <= value < 1:
        raise ValueError(f"{name} must be a number in [0, 1), got {value!r}")
    return float(value)


def number(name: str, value: Any) -> float:
    """A finite number."""
    static(name, value)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise TypeError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def float_dtype(name: str, value: Any) -> np.dtype:
    """A real floating dtype, as a `numpy.dtype` (which compares by value)."""
    try:
        dtype = jnp.dtype(value)
    except TypeError:
        dtype = None
    if dtype not in {jnp.dtype(d) for d in (jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64)}:
        raise TypeError(f"{name} must be a floating dtype such as jnp.float32, got {value!r}")
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise ValueError(
            f"{name} is float64, which JAX has off: set jax.config.update('jax_enable_x64', True)"
        )
    return dtype


def array(name: str, value: Any) -> Array:
    """An array from anything array-like; an integer that JAX's dtype has no room for is refused, not wrapped."""
    try:
        out = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array, got {type(value).__name__}: {error}") from error
    wrapped = isinstance(value, np.ndarray | np.generic) and jnp.issubdtype(out.dtype, jnp.integer)
    if wrapped and out.dtype != value.dtype and (value.astype(out.dtype) != value).any():
        raise ValueError(f"{name} has integers that {out.dtype} does not hold, as {value.dtype} does")
    return out


def floating(name: str, value: Any) -> Array:
    """An array of real floating dtype: an integer one is refused rather than converted."""
    out = array(name, value)
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise TypeError(
            f"{name} must have a floating dtype, got {out.dtype}; convert it, e.g. {name}.astype(jnp.float32)"
        )
    return out


def arrays(name: str, tree: Any) -> None:
    """A pytree of arrays of JAX or NumPy."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not isinstance(leaf, jax.Array | np.ndarray):
            label = name + jax.tree_util.keystr(path)
            raise TypeError(f"{label} must be an array of JAX or NumPy, got {type(leaf).__name__}")


def hashable(name: str, value: Any) -> None:
    """A value that can be a static argument of `jax.jit`."""
    try:
        hash(value)
    except TypeError as error:
        raise TypeError(f"{name} must be hashable, such as a frozen dataclass, got {value!r}") from error


def axes(shape: tuple[int | str, ...]) -> str:
    """A shape as one writes it: (7, 2, 3)."""
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def shape(name: str, value: Array, expected: tuple[int, ...], why: str = "") -> None:
    """Exactly `expected`: nothing is broadcast."""
    if value.shape != expected:
        raise ValueError(f"{name} must have shape {axes(expected)}{why}, got {axes(value.shape)}")


def lengths(value: Any, steps: int, batch_shape: tuple[int, ...], why: str) -> Array:
    """How many steps of each row are real: integers in [0, steps], as far as they are known."""
    out = array("lengths", value)
    if not jnp.issubdtype(out.dtype, jnp.integer):
        raise TypeError(f"lengths must be integers, got {out.dtype}")
    shape("lengths", out, batch_shape, why)
    if not isinstance(out, jax.core.Tracer):
        wrong = np.argwhere((np.asarray(out) < 0) | (np.asarray(out) > steps))
        if len(wrong):
            row = tuple(map(int, wrong[0]))
            raise ValueError(
                f"lengths must lie in [0, {steps}], the number of steps; lengths{list(row)} is {out[row]}"
            )
    return out


def same_tree(name: str, value: Any, expected: Any, why: str = "") -> None:
    """The same pytree of the same shapes as `expected` (arrays or ShapeDtypeStructs), with floating leaves.

    Raises:
      TypeError: a leaf is no floating array.
      ValueError: another structure, or a leaf of another shape; the leaf is named by its path.
    """
    structure: Any = jax.tree.structure(value)
    if structure != jax.tree.structure(expected):
        here, there = (
            [name + jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
            for tree in (value, expected)
        )
        if here == there:
            raise ValueError(f"{name} must be {_form(expected)}{why}, got {_form(value)}")
        missing = ", ".join(path for path in there if path not in here) or "nothing"
        unexpected = ", ".join(path for path in here if path not in there) or "nothing"
        raise ValueError(
            f"{name} has another structure than it must have{why}: missing {missing}; unexpected {unexpected}"
        )
    wanted = jax.tree.leaves(expected)
    for (path, leaf), want in zip(jax.tree_util.tree_leaves_with_path(value), wanted, strict=True):
        label = name + jax.tree_util.keystr(path)
        shape(label, floating(label, leaf), want.shape, why)


def same_params(params: Any, model: Any) -> None:
    """Parameters such as `model.init` draws, whatever a call adds to them where `init` leaves None."""

    def given(part: Any) -> bool:
        return getattr(part, "is_given", False)

    def drawn(tree: Any) -> Any:
        return jax.tree.map(lambda part: None if given(part) else part, tree, is_leaf=given)

    expected = jax.eval_shape(lambda: model.init(jax.random.key(0)))
    same_tree("params", drawn(params), drawn(expected), f" for {model}")


def _form(tree: Any) -> str:
    """How a pytree is built: (GRUParams, LSTMState), without its arrays."""
    if tree is None or not hasattr(tree, "__len__") or hasattr(tree, "shape"):
        return "*"
    parts = tree.values() if isinstance(tree, dict) else tree
    return f"{type(tree).__name__}({', '.join(map(_form, parts))})"


def key(name: str, value: Any) -> None:
    """A single PRNG key, new style or old."""
    dtype, shape_ = getattr(value, "dtype", None), getattr(value, "shape", None)
    typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and shape_ == ()
    if not typed and not (dtype == np.uint32 and shape_ in {(2,), (4,)}):
        raise TypeError(f"{name} must be a PRNG key such as jax.random.key(0), got {value!r}")


def model(name: str, value: Any) -> None:
    """A cell or a composition: a value, not a class."""
    static(name, value)
    if isinstance(value, type) or not all(
        hasattr(value, a) for a in ("input_size", "output_size", "init", "step")
    ):
        raise TypeError(f"{name} must be a model such as GRU(64, 128), got {value!r}")


def cell(name: str, value: Any) -> None:
    """A cell: a model that can be wrapped, because it is one step."""
    model(name, value)
    if not hasattr(value, "transition"):
        raise TypeError(f"{name} must be a cell such as GRU(64, 128), got {value!r}: wrap each cell in it")


def spatial_shape(model: Any) -> tuple[int, ...]:
    """The axes of a model's inputs between the batch and the channels; most have none."""
    return tuple(getattr(model, "spatial_shape", ()))


def event_shape(model: Any) -> tuple[int, ...]:
    """The axes of one input of a model: (*spatial_shape, I)."""
    return (*spatial_shape(model), model.input_size)


def batch_shape(model: Any, xs: Array) -> tuple[int, ...]:
    """*B, of a model's inputs (T, *B, *spatial_shape, I)."""
    return xs.shape[1 : xs.ndim - len(event_shape(model))]


def length(name: str, value: Any, expected: int, why: str = "") -> None:
    """A list or tuple of so many parts."""
    if not isinstance(value, list | tuple) or len(value) != expected:
        got = len(value) if isinstance(value, list | tuple) else f"a {type(value).__name__}"
        raise ValueError(f"{name} must be a sequence of {expected} parts{why}, got {got}")


def did_you_mean(word: str, known: Iterable[str], *, all_of_them: str = "there are") -> str:
    """The mend for a word that is not among those known: the nearest one, or all.

    Example:
      >>> did_you_mean("trian", ["train", "sample"]), did_you_mean("bake", ["train", "sample"])
      ('did you mean train?', 'there are train, sample')
    """
    words = list(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {near[0]}?" if near else f"{all_of_them} {', '.join(words)}"
