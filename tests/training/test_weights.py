"""Pytrees as files: what went in comes out, and nothing else is taken for it."""

import json
import subprocess
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru.weights import load, save


class Params(NamedTuple):
    w: Any
    b: Any = None


TREE = {
    "cells": [
        Params(jnp.arange(6.0).reshape(2, 3)),
        Params(jnp.ones((1, 0), jnp.bfloat16), jnp.ones(2, bool)),
    ],
    "pair": (jnp.asarray(3, jnp.int32), None),
    "host": np.asarray(1 / 3, np.float64),
}


def test_any_tree_comes_back(tmp_path):
    save(tmp_path / "t", TREE)
    back = load(tmp_path / "t", TREE)
    assert jax.tree.structure(back) == jax.tree.structure(TREE)
    for before, after in zip(jax.tree.leaves(TREE), jax.tree.leaves(back), strict=True):
        assert type(before) is type(after)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))


def test_shapes_alone_will_do(tmp_path):
    save(tmp_path / "t", TREE["cells"])
    back = load(tmp_path / "t", jax.eval_shape(lambda: TREE["cells"]))
    assert back[1].w.dtype == jnp.bfloat16
    np.testing.assert_array_equal(back[0].w, TREE["cells"][0].w)


@pytest.mark.parametrize("order", ["F", "C"])
def test_strides_do_not_matter(tmp_path, order):
    array = np.asarray(np.arange(24.0, dtype=np.float32).reshape(4, 6), order=order)[::2, ::3]
    save(tmp_path / "t", array)
    np.testing.assert_array_equal(load(tmp_path / "t", array), array)


def test_equal_trees_give_equal_bytes_without_metadata(tmp_path):
    save(tmp_path / "a", TREE)
    save(tmp_path / "b", jax.tree.map(lambda leaf: leaf + 0 if leaf.dtype != bool else leaf, TREE))
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert sorted(header) == ["cells/0/w", "cells/1/b", "cells/1/w", "host", "pair/0"]


WRITTEN = {"w": jnp.ones((2, 3)), "b": jnp.ones(3)}
WHY = ": the file was written for other parameters"
DIFFERENT = {
    "w has shape (2, 3), it must have (3, 2)" + WHY: {"w": jnp.ones((3, 2)), "b": jnp.ones(3)},
    "b is float32, it must be bfloat16" + WHY: {"w": jnp.ones((2, 3)), "b": jnp.ones(3, jnp.bfloat16)},
    "b is in the file and not in `like`" + WHY: {"w": jnp.ones((2, 3))},
    "c is in `like` and not in the file" + WHY: {**WRITTEN, "c": jnp.ones(1)},
    "b/0 is in `like` and not in the file" + WHY: {
        "w": jnp.ones((2, 3)),
        "b/0": jnp.ones(3),
        "b": jnp.ones(3),
    },
}


@pytest.mark.parametrize("message", DIFFERENT)
def test_any_difference_is_named(tmp_path, message):
    save(tmp_path / "t", WRITTEN)
    with pytest.raises(ValueError) as error:  # noqa: PT011 the whole message is compared
        load(tmp_path / "t", DIFFERENT[message])
    assert str(error.value) == message


REFUSED = {
    "rng is a PRNG key; save jax.random.key_data of it": {"rng": lambda: jax.random.key(0)},
    "a leaf is named __metadata__, which safetensors files keep for themselves; rename it": {
        "__metadata__": lambda: np.ones(1)
    },
    "rate is a float; only arrays are saved: jnp.asarray makes one": {"rate": lambda: 0.1},
    "z is complex128, which safetensors files cannot hold": {"z": lambda: np.ones(1, np.complex128)},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_no_file_can_hold_is_refused(tmp_path, message):
    with pytest.raises((TypeError, ValueError)) as error:
        save(tmp_path / "t", {name: make() for name, make in REFUSED[message].items()})
    assert str(error.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_traced_value_is_refused(tmp_path):
    with pytest.raises(TypeError, match="w is traced, so it has no numbers yet"):
        jax.eval_shape(lambda w: save(tmp_path / "t", {"w": w}), jnp.ones(1))


def test_a_leaf_to_read_that_is_no_array_is_refused(tmp_path):
    save(tmp_path / "t", {"w": np.ones(1)})
    with pytest.raises(TypeError, match=r"w of `like` is a float; it must be an array or a jax\."):
        load(tmp_path / "t", {"w": 1.0})


def test_a_path_through_a_file_is_named(tmp_path):
    (tmp_path / "t.txt").touch()
    with pytest.raises(NotADirectoryError) as error:
        save(tmp_path / "t.txt" / "x", WRITTEN)
    assert error.value.filename == str(tmp_path / "t.txt" / "x")


def test_the_longest_name_will_do(tmp_path):
    save(tmp_path / ("n" * 255), WRITTEN)
    assert load(tmp_path / ("n" * 255), WRITTEN).keys() == WRITTEN.keys()


def test_two_leaves_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two leaves are named a/b; rename a key that holds a slash"):
        save(tmp_path / "t", {"a": {"b": np.ones(1)}, "a/b": np.ones(1)})


def test_float64_is_not_narrowed_in_silence(tmp_path):
    save(tmp_path / "t", {"w": np.ones(1)})
    with pytest.raises(ValueError, match="w is float64, which JAX holds only where jax_enable_x64 is set"):
        load(tmp_path / "t", {"w": jax.ShapeDtypeStruct((1,), np.float64)})


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}rest", b"hello, world"])
def test_what_is_no_safetensors_file_is_said_to_be_none(tmp_path, data):
    (tmp_path / "t").write_bytes(data)
    with pytest.raises(ValueError, match="not a safetensors file: "):
        load(tmp_path / "t", WRITTEN)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    save(tmp_path / "t", WRITTEN)
    before = (tmp_path / "t").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        save(tmp_path / "t", TREE)
    assert error.value.filename == str(tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_it_needs_neither_flax_nor_optax():
    code = "import sys, jaxgru.weights; print({'flax', 'optax', 'torch', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
