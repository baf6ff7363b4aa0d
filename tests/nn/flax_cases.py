"""What the tests of the Flax modules share."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxgru.nn import linen as ours_linen
from jaxgru.nn import nnx as ours_nnx

B, T, WIDTH, H = 2, 5, 3, 4


class Kind(NamedTuple):
    """Our layer in linen and in nnx, and where Flax has the cell, Flax's cells and ours."""

    linen: Callable[..., Any]
    nnx: Callable[..., Any]
    flax_linen: Callable[..., Any] | None = None
    flax_nnx: Callable[..., Any] | None = None
    cell: Callable[..., Any] | None = None
    cell_nnx: Callable[..., Any] | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    grid: tuple[int, ...] = ()


def _relu(cell: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **options: cell(*args, activation_fn=nn.relu, **options)


KINDS = {
    "GRU": Kind(ours_linen.GRU, ours_nnx.GRU, nn.GRUCell, nnx.GRUCell, ours_linen.GRUCell, ours_nnx.GRUCell),
    "LSTM": Kind(
        ours_linen.LSTM, ours_nnx.LSTM, nn.LSTMCell, nnx.LSTMCell, ours_linen.LSTMCell, ours_nnx.LSTMCell
    ),
    "OptimizedLSTM": Kind(
        ours_linen.LSTM,
        lambda *args, **options: ours_nnx.LSTM(*args, optimized=True, **options),
        nn.OptimizedLSTMCell,
        nnx.OptimizedLSTMCell,
        ours_linen.LSTMCell,
        ours_nnx.OptimizedLSTMCell,
    ),
    "RNN": Kind(
        ours_linen.RNN,
        ours_nnx.RNN,
        nn.SimpleCell,
        nnx.SimpleCell,
        ours_linen.SimpleCell,
        ours_nnx.SimpleCell,
    ),
    "ReLU": Kind(
        _relu(ours_linen.RNN),
        _relu(ours_nnx.RNN),
        _relu(nn.SimpleCell),
        _relu(nnx.SimpleCell),
        _relu(ours_linen.SimpleCell),
        _relu(ours_nnx.SimpleCell),
    ),
    "SRU": Kind(ours_linen.SRU, ours_nnx.SRU),
    "SRU2018": Kind(ours_linen.SRU, ours_nnx.SRU, options={"variant": "2018"}),
    "MinGRU": Kind(ours_linen.MinGRU, ours_nnx.MinGRU),
    "ConvGRU": Kind(ours_linen.ConvGRU, ours_nnx.ConvGRU, grid=(3, 2)),
    "ConvGRU1": Kind(
        ours_linen.ConvGRU,
        ours_nnx.ConvGRU,
        options={"kernel_size": (2,), "dilation": 2, "reset": "before", "update": "writes"},
        grid=(4,),
    ),
}
FLAX = [name for name, kind in KINDS.items() if kind.flax_linen]


def normal(*shape: int, dtype: Any = jnp.float32, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def redrawn(tree: Any) -> Any:
    """Parameters of the same shapes, in which no bias is zero, as Flax's are at first."""
    leaves, structure = jax.tree.flatten(tree)
    drawn = [0.5 * normal(*leaf.shape, dtype=leaf.dtype, seed=seed) for seed, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, drawn)


def draw(module: nn.Module, *args: Any) -> Any:
    """Variables for a module."""
    return redrawn(jax.eval_shape(module.init, jax.random.key(0), *args))


def flax_rnn(**options: Any) -> nn.RNN:
    return nn.RNN(nn.GRUCell(H), **options)


XS = normal(B, T, WIDTH)
CARRY = normal(B, H)
LENGTHS = jnp.array([5, 3])
VALID = (np.arange(T) < np.array([5, 3])[:, None])[..., None]
VARIABLES = draw(flax_rnn(), XS)


def carry_of(name: str) -> Any:
    """A carry for one layer of a kind that Flax has."""
    return (CARRY, -2 * CARRY) if "LSTM" in name else CARRY
