"""Wrong calls for ragged data: each gets one sentence that says what the argument is and what it should be."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru.data import Batch, Buckets, Compilations, Packs

BATCH = Batch(np.array([1, 2, -1]), np.array([2, 3, 0], np.int32), 3)


def make(lengths: Any = (3, 9, 2), **options: Any) -> Buckets:
    return Buckets(lengths, **{"batch_size": 2, "max_padding": 0.5, "max_shapes": 2, "seed": 0, **options})


def traced(use: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: jax.jit(use)(jnp.arange(3))


def pad(*sequences: Any, **options: Any) -> Any:
    return BATCH.pad([[1], [1, 2], *sequences], **options)


BUCKETS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: make([]), ValueError, "lengths must have shape (N,) with N at least 1, got (0,)"),
    (lambda: make(7), ValueError, "lengths must have shape (N,) with N at least 1, got ()"),
    (lambda: make([[3, 9]]), ValueError, "lengths must have shape (N,) with N at least 1, got (1, 2)"),
    (lambda: make([3.0, 9.0]), TypeError, "lengths must be integers, got float64"),
    (lambda: make([True, False]), TypeError, "lengths must be integers, got bool"),
    (lambda: make(["3", "9"]), TypeError, "lengths must be integers, got <U1"),
    (lambda: make([3, -1, 2]), ValueError, "lengths must lie in [0, 2147483647]; lengths[1] is -1"),
    (
        lambda: make(np.array([3, 2**63], np.uint64)),
        ValueError,
        "lengths must lie in [0, 2147483647]; lengths[1] is 9223372036854775808",
    ),
    (
        lambda: make([0, 0]),
        ValueError,
        "lengths must hold one above 0: these have no steps, so that all would be padding",
    ),
    (
        traced(make),
        TypeError,
        "lengths are traced, but decide which shapes there are: bucket outside jax.jit",
    ),
    (
        lambda: make(batch_size=None),
        ValueError,
        "give either batch_size, in rows, or tokens, in places T · B; got neither",
    ),
    (
        lambda: make(tokens=90),
        ValueError,
        "give either batch_size, in rows, or tokens, in places T · B; got both",
    ),
    (lambda: make(batch_size=2.0), TypeError, "batch_size must be an int, got 2.0 of type float"),
    (lambda: make(batch_size=0), ValueError, "batch_size must be at least 1, got 0"),
    (lambda: make(batch_size=None, tokens=True), TypeError, "tokens must be an int, got True of type bool"),
    (
        lambda: make(batch_size=None, tokens=8),
        ValueError,
        "tokens must be at least the longest length; lengths[1] is 9, got 8: raise tokens, or cut the sequence",
    ),
    (lambda: make(max_padding=1), ValueError, "max_padding must be a number in [0, 1), got 1"),
    (lambda: make(max_padding=-0.1), ValueError, "max_padding must be a number in [0, 1), got -0.1"),
    (
        lambda: make(max_padding=float("nan")),
        ValueError,
        "max_padding must be a number in [0, 1), got nan",
    ),
    (lambda: make(max_padding=False), ValueError, "max_padding must be a number in [0, 1), got False"),
    (lambda: make(max_padding="12%"), ValueError, "max_padding must be a number in [0, 1), got '12%'"),
    (lambda: make(max_shapes=0), ValueError, "max_shapes must be at least 1, got 0"),
    (lambda: make(max_shapes=6.0), TypeError, "max_shapes must be an int, got 6.0 of type float"),
    (lambda: make(max_shapes=True), TypeError, "max_shapes must be an int, got True of type bool"),
    (
        lambda: make([3, 9, 2, 1], max_padding=0, max_shapes=1),
        ValueError,
        (
            "max_padding=0.0 is out of reach of max_shapes=1, whose least padding is 0.5834: "
            "allow max_padding=0.5834 or max_shapes=4"
        ),
    ),
    (
        lambda: make([3, 3, 3], max_padding=0.1, max_shapes=1),
        ValueError,
        "max_padding=0.1 is out of reach of max_shapes=1, whose least padding is 0.25: allow max_padding=0.25",
    ),
    (lambda: make(seed=-1), ValueError, "seed must be at least 0, got -1"),
    (lambda: make(seed=0.5), TypeError, "seed must be an int, got 0.5 of type float"),
    (lambda: make(seed=None), TypeError, "seed must be an int, got None of type NoneType"),
    (lambda: make().at(-1), ValueError, "step must be at least 0, got -1"),
    (lambda: make().at(1.0), TypeError, "step must be an int, got 1.0 of type float"),  # type: ignore[arg-type]
    (lambda: make().at(True), TypeError, "step must be an int, got True of type bool"),
    (
        traced(lambda xs: make().at(xs[0])),
        TypeError,
        "step is traced, but decides which sequences there are: use it outside jax.jit",
    ),
]
OTHERS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: pad([1]), ValueError, "sequences[2] must have length 3, as was given, got 1"),
    (
        pad,
        ValueError,
        "sequences[2] is missing: a sequence must stand for every length that was given",
    ),
    (
        lambda: pad([[1], [2], [3]]),
        ValueError,
        "sequences[2] must be (L,) of int64 like sequences[0], got (L, 1) of int64",
    ),
    (
        lambda: pad([1.0, 2.0, 3.0]),
        ValueError,
        "sequences[2] must be (L,) of int64 like sequences[0], got (L,) of float64",
    ),
    (
        lambda: pad([]),
        TypeError,
        "sequences[2] is empty and has no dtype; make it an array, e.g. np.zeros(0, np.int32)",
    ),
    (lambda: pad(3), TypeError, "sequences[2] must be an array (L, …) of numbers, got () of int64"),
    (lambda: pad("abc"), TypeError, "sequences[2] must be an array (L, …) of numbers, got () of <U3"),
    (
        traced(pad),
        TypeError,
        "sequences[2] is traced, but is padded by NumPy: pad outside jax.jit",
    ),
    (
        lambda: BATCH.pad({1, 2}),  # type: ignore[arg-type]
        TypeError,
        "sequences must be a list, or something else with numbered items, got set",
    ),
    (lambda: pad([1, 2, 3], fill="0"), TypeError, "fill must be a number, got '0' of type str"),
    (
        lambda: pad([1, 2, 3], fill=0.5),
        ValueError,
        "fill must be a value of int64, the dtype of the sequences, got 0.5",
    ),
    (
        lambda: pad([1, 2, 3], fill=float("nan")),
        ValueError,
        "fill must be a value of int64, the dtype of the sequences, got nan",
    ),
    (lambda: Packs([3, 9], steps=0), ValueError, "steps must be at least 1, got 0"),
    (lambda: Packs([3.0, 9.0], steps=9), TypeError, "lengths must be integers, got float64"),
    (
        lambda: Packs([1, 2], steps=3).join([[1], [1, 2, 3]]),
        ValueError,
        "sequences[1] must have length 2, as was given, got 3",
    ),
    (lambda: Compilations(3), TypeError, "function must be callable, got 3"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(
    ("call", "kind", "words"), [*BUCKETS, *OTHERS], ids=[w for *_, w in BUCKETS + OTHERS]
)
def test_a_wrong_call_is_told_so(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == words
    assert type(error.value) is kind


def test_lists_of_unequal_vectors_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^sequences\[2\] must be an array \(L, …\): "):
        pad([[1], [2, 3], [4]])
    with pytest.raises(
        TypeError, match=r"^lengths must be ints of shape \(N,\), such as \[len\(s\) for s in sequences\]: "
    ):
        make([[1], [2, 3]])
