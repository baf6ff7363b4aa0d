"""One step at a time: a model that keeps its state between calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgru import checks
from jaxgru.recurrence.marks import along
from jaxgru.recurrence.scan import scan

if TYPE_CHECKING:
    from jaxgru.recurrence.scan import Model

PyTree = Any
LONGEST = 1024  # steps in one piece of `feed`, a power of two


class Stream:
    """A model that reads its inputs as they come, for one stream or a batch of them.

        state, y = step(params, state, x)        y = stream.step(x)

    Pieces of any size give the same numbers as one `scan`, up to the order of the sums. The first step is
    compiled here, with the parameters as constants: what depends on them alone is computed once, and each
    later step costs one dispatch. The state's buffer is reused in place; whatever `state` and `step` return
    is the caller's own and stays as it is.

    Args:
      model: a cell such as `GRU`, or a composition such as `Stack`. Its dropout is off.
      params: its parameters; later changes of NumPy arrays among them are not seen.
      batch_shape: *B, the axes of streams beside each other; () is a single one.

    Raises:
      TypeError, ValueError: an argument of another type or shape than said here.
      NotImplementedError: a model that needs inputs still to come, such as `Bidirectional`.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.GRU(3, 5)
      >>> params = cell.init(jax.random.key(0))
      >>> stream = jaxgru.Stream(cell, params, batch_shape=(2,))
      >>> xs = jax.random.normal(jax.random.key(1), (7, 2, 3))
      >>> ys = [stream.step(xs[0]), *stream.feed(xs[1:])]
      >>> bool(jnp.allclose(jnp.stack(ys), jaxgru.scan(cell, params, xs)[1], atol=1e-6))
      True
      >>> stream.reset(1)
      >>> stream.state[1]
      Array([0., 0., 0., 0., 0.], dtype=float32)

    Cost: the model's, once a step. On a CPU a small one is mostly dispatch, which `feed` pays once for many
      steps.

    Differs from: a stateful layer of Keras, in that each row is reset by itself. It is for one thread at a
      time, as its calls change it, and cannot be called under `jax.jit`, which has `model.step` and `scan`.
    """

    def __init__(self, model: Model, params: PyTree, batch_shape: tuple[int, ...] = ()) -> None:
        checks.model("model", model)
        checks.arrays("params", params)
        for leaf in jax.tree.leaves(params):
            _refuse_traced("params", leaf)
        self.model = model
        self.batch_shape = checks.sizes("batch_shape", batch_shape)
        self._params = jax.tree.map(jnp.array, params)
        self._shape = (*self.batch_shape, *checks.event_shape(model))
        self._advance = jax.jit(self._traced, donate_argnums=0)
        self._initial = model.initial_state(self.batch_shape, self._params)
        x = np.zeros(self._shape, jnp.result_type(*jax.tree.leaves(self._params)))
        self._advance(_copy(self._initial), x)  # compiles, and refuses what cannot be streamed
        self._state = _copy(self._initial)

    def __repr__(self) -> str:
        """The model, and how many streams."""
        return f"Stream({self.model!r}, batch_shape={checks.axes(self.batch_shape)})"

    def __copy__(self) -> Stream:
        """Another stream in the same state: the two go on apart."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._state = _copy(self._state)
        return other

    @property
    def state(self) -> PyTree:
        """A copy of the state, structured like `model.initial_state`; assigning another one goes on from there.

        Raises:
          TypeError, ValueError: a state of another structure or shape, or of a wider dtype.
        """
        return _copy(self._state)

    @state.setter
    def state(self, value: PyTree) -> None:
        checks.arrays("state", value)
        checks.same_tree("state", value, self._initial, f" for {self}")
        for (path, leaf), want in zip(
            jax.tree_util.tree_leaves_with_path(value), jax.tree.leaves(self._initial), strict=True
        ):
            label = "state" + jax.tree_util.keystr(path)
            _refuse_traced(label, leaf)
            if jnp.promote_types(leaf.dtype, want.dtype) != want.dtype:
                raise TypeError(f"{label} is {leaf.dtype}, wider than the {want.dtype} of {self}; convert it")
        self._state = jax.tree.map(lambda leaf, want: jnp.array(leaf, want.dtype), value, self._initial)

    def step(self, x: Array | np.ndarray[Any, Any]) -> Array:
        """One input of every stream.

        Args:
          x: (*B, I), of JAX or NumPy; (*B, *spatial_shape, I) for a convolutional model.

        Returns:
          y (*B, output_size), perhaps still being computed: reading it, or `block_until_ready`, waits.

        Raises:
          TypeError, ValueError: x of another dtype or shape, or traced.
        """
        if getattr(x, "shape", None) != self._shape or isinstance(x, jax.core.Tracer):
            x = self._input("x", x, self._shape)
        state, y = self._advance(self._state, x)
        _refuse_traced("x", y)  # where it is traced without x: under a transformation that closes over x
        self._state = state
        return y

    def feed(self, xs: Array | np.ndarray[Any, Any]) -> Array:
        """A piece of every stream: faster than as many calls of `step`.

        A length that is no power of two up to 1024 is cut into such lengths and joined on the host, so that
        pieces of all sizes together compile eleven programs at most.

        Args:
          xs: (T, *B, I).

        Returns:
          ys (T, *B, output_size).

        Raises:
          TypeError, ValueError: xs of another dtype or shape, or traced.
        """
        xs = self._input("xs", xs, ("T", *self._shape))
        sizes = _pieces(len(xs))
        parts: list[Any] = [xs] if len(sizes) == 1 else np.split(np.asarray(xs), np.cumsum(sizes)[:-1])
        state, ys = self._state, []
        for part in parts:
            state, y = scan(self.model, self._params, part, state)
            ys.append(y)
        _same_dtypes("xs", xs, state, self._state)
        _refuse_traced("xs", ys[0])
        self._state = state
        # jnp.asarray would compile a program for each new length.
        return ys[0] if len(ys) == 1 else jax.device_put(np.concatenate(list(map(np.asarray, ys))))

    def reset(self, rows: Any = None) -> None:
        """Returns streams to the model's initial state.

        Args:
          rows: which: None means all; a bool mask (*B,); or, for a batch of one axis, an int or several.

        Raises:
          TypeError, ValueError: rows of another dtype or shape, or outside the batch.
        """
        mask = np.ones(self.batch_shape, bool) if rows is None else self._mask(rows)
        state = _restart(mask, self._initial, self._state)
        _refuse_traced("rows", jax.tree.leaves(state)[0])
        self._state = state

    def _mask(self, rows: Any) -> np.ndarray[Any, Any]:
        _refuse_traced("rows", rows)
        rows = np.asarray(rows, int if isinstance(rows, list | tuple) and not rows else None)
        if rows.dtype == bool:
            checks.shape("rows", rows, self.batch_shape, " like batch_shape")
            return rows
        if not np.issubdtype(rows.dtype, np.integer):
            raise TypeError(f"rows must be None, a bool mask or ints, got {rows.dtype}")
        if len(self.batch_shape) != 1:
            shape = checks.axes(self.batch_shape)
            raise ValueError(f"rows must be None or a bool mask of shape {shape}: ints name rows of one axis")
        for row in rows.flat:
            if not 0 <= row < self.batch_shape[0]:
                raise ValueError(f"rows must lie in [0, {self.batch_shape[0]}), got {row}")
        mask = np.zeros(self.batch_shape, bool)
        mask[rows] = True
        return mask

    def _input(self, name: str, x: Any, expected: tuple[str | int, ...]) -> Array:
        _refuse_traced(name, x)
        if not isinstance(x, np.ndarray):
            x = checks.floating(name, x)
        if x.ndim != len(expected) or x.shape[x.ndim - len(self._shape) :] != self._shape:
            words = checks.axes(expected)
            raise ValueError(f"{name} must have shape {words} for {self}, got {checks.axes(x.shape)}")
        return x

    def _traced(self, state: PyTree, x: Array) -> tuple[PyTree, Array]:
        new, y = self.model.step(self._params, state, x)
        _same_dtypes("x", x, new, state)
        return new, y


def _same_dtypes(name: str, x: Array, new: PyTree, old: PyTree) -> None:
    for after, before in zip(jax.tree.leaves(new), jax.tree.leaves(old), strict=True):
        if after.dtype != before.dtype:
            raise TypeError(
                f"{name} is {x.dtype}, which would make the state {after.dtype} where it is {before.dtype}; "
                f"convert it, e.g. {name}.astype({str(before.dtype)!r})"
            )


def _refuse_traced(name: str, value: Any) -> None:
    if isinstance(value, jax.core.Tracer):
        raise TypeError(
            f"{name} is traced, but a Stream keeps its state between calls; under jax.jit, carry the state "
            "through model.step or scan"
        )


def _pieces(steps: int) -> list[int]:
    """Lengths that are powers of two, and together `steps`."""
    whole, rest = divmod(steps, LONGEST)
    binary = [1 << bit for bit in range(LONGEST.bit_length())[::-1] if rest >> bit & 1]
    return [LONGEST] * whole + binary or [0]


def _copy(tree: PyTree) -> PyTree:
    return jax.tree.map(jnp.copy, tree)


@jax.jit
def _restart(mask: Array, initial: PyTree, state: PyTree) -> PyTree:
    def choose(fresh: Array, old: Array) -> Array:
        return jnp.where(along(mask, old), fresh, old)

    return jax.tree.map(choose, initial, state)
