"""Padding: a batch's sequences as one array, time first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgru import checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

LONGEST = 2**31 - 1  # what `scan` takes as a length
ROWS, STEPS = 64, 32  # of a piece: so many rows, and a multiple of so many steps
PLACES = 64 * 128  # of a piece, at most: long sequences come few at a time


class Batch(NamedTuple):
    """Which sequences a batch holds, how long they are, and how long it is.

    Args:
      rows: (B,) ints, the number of each row's sequence; −1 is a row of filler.
      lengths: (B,) ints in [0, T]; 0 for filler.
      steps: T.
    """

    rows: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    steps: int

    def pad(
        self, sequences: Sequence[npt.ArrayLike], fill: float = 0, *, shorter: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """The sequences of this batch, as `scan` takes them.

        Inputs, targets and marks of the same lengths are padded one after the other, by one batch.

        Args:
          sequences: all N of them, each (L, …), of the length that was given for it. They are arrays, or lists
            of numbers or of vectors; all have the dtype and the trailing axes of `sequences[0]`.
          fill: what stands in the padding, and in rows of filler.
          shorter: whether a sequence may be shorter than the length given for it: sources and targets are
            bucketed by the longer of each pair, and each are padded with their own lengths.

        Returns:
          xs (T, B, …) in the dtype of the sequences, and lengths (B,): `scan(model, params, xs, lengths=lengths)`.

        Raises:
          TypeError, ValueError: a sequence of another length, shape or dtype than said here, by its number; a
            fill that the dtype does not hold.

        Example:
          >>> batch = Batch(rows=np.array([1, 0, -1]), lengths=np.array([3, 2, 0], np.int32), steps=4)
          >>> xs, lengths = batch.pad([[1, 2], [3, 4, 5]])
          >>> xs.T
          array([[3, 4, 5, 0],
                 [1, 2, 0, 0],
                 [0, 0, 0, 0]])
        """
        checks.flag("shorter", shorter)
        first = known_sequence(sequences, 0)
        xs = np.full((self.steps, len(self.rows), *first.shape[1:]), _value(fill, first.dtype))
        lengths = self.lengths.copy()
        for place in np.flatnonzero(self.rows >= 0):
            sequence = known_sequence(
                sequences, int(self.rows[place]), int(lengths[place]), first, shorter=shorter
            )
            lengths[place] = len(sequence)
            xs[: len(sequence), place] = sequence
        return xs, lengths


def pieces(lengths: Sequence[int], multiple: int = STEPS) -> Iterator[Batch]:
    """All sequences once, the shortest first, in batches of few shapes, each of which memory has room for.

    Args:
      lengths: (N,), the steps of each.
      multiple: a batch has a multiple of so many steps.

    Example:
      >>> [(batch.steps, batch.rows[:2].tolist()) for batch in pieces([40, 7])]
      [(64, [1, 0])]
    """
    order = np.argsort(lengths, kind="stable")
    while len(order):
        size = ROWS
        while size * lengths[order[:size][-1]] > PLACES and size > 1:
            size //= 2
        rows = np.full(size, -1)
        rows[: len(order)] = order[:size]
        steps = np.where(rows < 0, 0, np.asarray(lengths)[rows]).astype(np.int32)
        yield Batch(rows, steps, -(-int(steps.max()) // multiple) * multiple)
        order = order[size:]


def known_lengths(value: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """A copy of the lengths that nobody changes."""
    if isinstance(value, jax.core.Tracer):
        raise TypeError("lengths are traced, but decide which shapes there are: bucket outside jax.jit")
    try:
        lengths = np.array(value)
    except ValueError as error:
        raise TypeError(
            f"lengths must be ints of shape (N,), such as [len(s) for s in sequences]: {error}"
        ) from error
    if lengths.ndim != 1 or not lengths.size:
        raise ValueError(f"lengths must have shape (N,) with N at least 1, got {checks.axes(lengths.shape)}")
    if not np.issubdtype(lengths.dtype, np.integer):
        raise TypeError(f"lengths must be integers, got {lengths.dtype}")
    for i in np.flatnonzero((lengths < 0) | (lengths > LONGEST))[:1]:
        raise ValueError(f"lengths must lie in [0, {LONGEST}]; lengths[{i}] is {lengths[i]}")
    if not lengths.any():
        raise ValueError("lengths must hold one above 0: these have no steps, so that all would be padding")
    lengths = lengths.astype(np.int64)
    lengths.flags.writeable = False
    return lengths


def known_sequence(
    sequences: Sequence[npt.ArrayLike],
    row: int,
    length: int | None = None,
    first: npt.NDArray[Any] | None = None,
    *,
    shorter: bool = False,
) -> npt.NDArray[Any]:
    """One of the sequences, as an array (L, …) of numbers, of the form of the first.

    It has the length given for it, or at most that length if it may be `shorter`.
    """
    if not hasattr(sequences, "__getitem__"):
        kind = type(sequences).__name__
        raise TypeError(f"sequences must be a list, or something else with numbered items, got {kind}")
    name = f"sequences[{row}]"
    try:
        value = sequences[row]
    except LookupError:
        raise ValueError(
            f"{name} is missing: a sequence must stand for every length that was given"
        ) from None
    if isinstance(value, jax.core.Tracer):
        raise TypeError(f"{name} is traced, but is padded by NumPy: pad outside jax.jit")
    if isinstance(value, list | tuple) and not value:
        raise TypeError(f"{name} is empty and has no dtype; make it an array, e.g. np.zeros(0, np.int32)")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} must be an array (L, …): {error}") from error
    if not array.ndim or not (array.dtype == bool or jnp.issubdtype(array.dtype, np.number)):
        got = f"{checks.axes(array.shape)} of {array.dtype}"
        raise TypeError(f"{name} must be an array (L, …) of numbers, got {got}")
    if length is not None and (len(array) > length or (len(array) < length and not shorter)):
        at_most = "at most " * shorter
        raise ValueError(f"{name} must have length {at_most}{length}, as was given, got {len(array)}")
    if first is not None and (array.shape[1:], array.dtype) != (first.shape[1:], first.dtype):
        raise ValueError(f"{name} must be {_form(first)} like sequences[0], got {_form(array)}")
    return array


def _value(fill: float, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The fill in the sequences' dtype: an integer one is not given what it would have to cut."""
    if not isinstance(fill, int | float | np.integer | np.floating | np.bool_):
        raise TypeError(f"fill must be a number, got {fill!r} of type {type(fill).__name__}")
    if not jnp.issubdtype(dtype, np.inexact):
        low, high = (0, 1) if np.issubdtype(dtype, np.bool_) else (jnp.iinfo(dtype).min, jnp.iinfo(dtype).max)
        if not low <= fill <= high or fill != int(fill):
            raise ValueError(f"fill must be a value of {dtype}, the dtype of the sequences, got {fill!r}")
    return np.full((), fill, dtype)


def _form(sequence: npt.NDArray[Any]) -> str:
    return f"{checks.axes(('L', *sequence.shape[1:]))} of {sequence.dtype}"
