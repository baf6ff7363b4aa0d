"""What the tests of the Flax modules share."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

B, T, WIDTH, H = 2, 5, 3, 4


def normal(*shape: int, dtype: Any = jnp.float32, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def draw(module: nn.Module, *args: Any) -> Any:
    """Variables for a module: no bias is zero, as Flax's are at first."""
    leaves, structure = jax.tree.flatten(jax.eval_shape(module.init, jax.random.key(0), *args))
    drawn = [0.5 * normal(*leaf.shape, dtype=leaf.dtype, seed=seed) for seed, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, drawn)


def flax_rnn(**options: Any) -> nn.RNN:
    return nn.RNN(nn.GRUCell(H), **options)


XS = normal(B, T, WIDTH)
CARRY = normal(B, H)
LENGTHS = jnp.array([5, 3])
VALID = (np.arange(T) < np.array([5, 3])[:, None])[..., None]
VARIABLES = draw(flax_rnn(), XS)
