"""Pytrees of arrays as safetensors files.

Nothing in such a file is ever executed, and equal parameters give equal bytes.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

DTYPES = {
    "BOOL": np.dtype(bool),
    "U8": np.dtype(np.uint8),
    "U16": np.dtype(np.uint16),
    "U32": np.dtype(np.uint32),
    "U64": np.dtype(np.uint64),
    "I8": np.dtype(np.int8),
    "I16": np.dtype(np.int16),
    "I32": np.dtype(np.int32),
    "I64": np.dtype(np.int64),
    "F8_E4M3": np.dtype(jnp.float8_e4m3fn),
    "F8_E5M2": np.dtype(jnp.float8_e5m2),
    "BF16": np.dtype(jnp.bfloat16),
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "C64": np.dtype(np.complex64),
}
METADATA = "__metadata__"  # the key of a safetensors header that is no array
TEMPORARY = re.compile(r"\.jaxgru-\d+-\d+\.tmp")


def save(path: str | os.PathLike[str], params: Any) -> None:
    """Writes a pytree of arrays to a safetensors file, whole or not at all.

    A leaf is named by its path in the tree, such as `0/forward/w_x`; a None is no leaf. The file has no
    metadata, so that equal parameters give byte-identical files. It is written under another name, synced to
    the disk and renamed: whoever looks sees the old file or the new one.

    Args:
      path: the file; one that exists is replaced.
      params: arrays in dicts, lists, tuples and NamedTuples.

    Raises:
      TypeError: for a leaf that is no array, is traced, or is a PRNG key.
      ValueError: for a dtype or a leaf's name that safetensors files cannot hold, or two leaves of one name.
      OSError: where the file cannot be written.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save(f"{folder}/w.safetensors", {"w": jnp.ones((2, 3))})
      ...     load(f"{folder}/w.safetensors", like={"w": jax.ShapeDtypeStruct((2, 3), jnp.float32)})
      {'w': Array([[1., 1., 1.], [1., 1., 1.]], dtype=float32)}
    """
    write_whole(Path(path), to_bytes(params))


def load(path: str | os.PathLike[str], like: Any) -> Any:
    """Reads what `save` wrote.

    Args:
      path: the file.
      like: a pytree of the structure, shapes and dtypes expected: arrays or `jax.ShapeDtypeStruct`s.

    Returns:
      A pytree of `like`'s structure: NumPy arrays where `like` has them, JAX arrays elsewhere.

    Raises:
      ValueError: names the leaf that the file has and `like` has not, the other way round, or whose shape or
        dtype differs; or says that the file is no safetensors file.
      TypeError: for a leaf of `like` that is no array.
      OSError: where the file cannot be read.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save(f"{folder}/w.safetensors", {"w": np.ones(3, np.float32)})
      ...     load(f"{folder}/w.safetensors", like={"w": np.zeros(2, np.float32)})
      Traceback (most recent call last):
      ValueError: w has shape (3,), it must have (2,): the file was written for other parameters
    """
    return from_bytes(Path(path).read_bytes(), like)


def to_bytes(params: Any) -> bytes:
    """The contents of the file `save` writes."""
    return safetensors.numpy.save(
        {name: host_array(name, leaf) for name, leaf in named_leaves(params).items()}
    )


def from_bytes(data: bytes, like: Any) -> Any:
    """The pytree that a file's contents hold, checked against `like`."""
    try:
        stored = dict(safetensors.deserialize(data))
    except safetensors.SafetensorError as error:
        raise ValueError(f"not a safetensors file: {error}") from error
    expected = named_leaves(like)
    for name in sorted(stored.keys() ^ expected.keys()):
        where = "is in the file and not in `like`" if name in stored else "is in `like` and not in the file"
        raise ValueError(f"{name} {where}: the file was written for other parameters")
    leaves = [read_leaf(name, stored[name], leaf) for name, leaf in expected.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def named_leaves(tree: Any) -> dict[str, Any]:
    """Every leaf of a pytree by its path, in the tree's order."""
    leaves: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name == METADATA:
            raise ValueError(
                f"a leaf is named {METADATA}, which safetensors files keep for themselves; rename it"
            )
        if name in leaves:
            raise ValueError(f"two leaves are named {name}; rename a key that holds a slash")
        leaves[name] = leaf
    return leaves


def host_array(name: str, leaf: Any) -> np.ndarray[Any, Any]:
    """A leaf as the contiguous NumPy array that safetensors takes."""
    if isinstance(leaf, jax.core.Tracer):
        raise TypeError(
            f"{name} is traced, so it has no numbers yet; save what the transformed function returns"
        )
    if not isinstance(leaf, jax.Array | np.ndarray | np.generic):
        raise TypeError(f"{name} is a {type(leaf).__name__}; only arrays are saved: jnp.asarray makes one")
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        raise TypeError(f"{name} is a PRNG key; save jax.random.key_data of it")
    if leaf.dtype not in DTYPES.values():
        raise ValueError(f"{name} is {leaf.dtype}, which safetensors files cannot hold")
    return np.asarray(leaf, order="C")


def read_leaf(name: str, stored: dict[str, Any], like: Any) -> Any:
    """A leaf of the file as an array, refused where it is not what `like` says."""
    if not (hasattr(like, "shape") and hasattr(like, "dtype")):
        kind = type(like).__name__
        raise TypeError(f"{name} of `like` is a {kind}; it must be an array or a jax.ShapeDtypeStruct")
    shape, dtype = tuple(stored["shape"]), DTYPES.get(stored["dtype"])
    why = "the file was written for other parameters"
    if dtype != like.dtype:
        raise ValueError(f"{name} is {dtype or stored['dtype']}, it must be {like.dtype}: {why}")
    if shape != tuple(like.shape):
        raise ValueError(f"{name} has shape {shape}, it must have {tuple(like.shape)}: {why}")
    array = np.frombuffer(stored["data"], dtype).reshape(shape)
    if isinstance(like, np.ndarray | np.generic):
        return array.copy()
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise ValueError(f"{name} is {dtype}, which JAX holds only where jax_enable_x64 is set")
    return jnp.array(array)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that a crash at any moment leaves the old one or the new one.

    Raises:
      OSError: names `path`, which is then as it was.
    """
    temporary = path.with_name(f".jaxgru-{os.getpid()}-{threading.get_native_id()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # renamed, or never made: the error worth saying is the one above
            temporary.unlink()


def remove_temporaries(folder: Path) -> None:
    """Removes what a killed `write_whole` left in a folder, and nothing else."""
    for path in folder.iterdir():
        if TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Makes a rename in the folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
