"""What the tests of the probes share."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SHARP = 1e-12


def flat(state: Any, lead: int = 0) -> Any:
    """All parts of a state with so many leading axes, joined."""
    return jnp.concatenate([s.reshape(*s.shape[:lead], -1) for s in jax.tree.leaves(state)], -1)


def drawn(model: Any, steps: int, batch: tuple[int, ...] = (2,)) -> tuple[Any, Any]:
    """Parameters and inputs, as wide as JAX is: by NumPy, which has nothing to compile."""
    rng, dtype = np.random.default_rng(0), jax.dtypes.canonicalize_dtype(float)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    params = jax.tree.map(lambda p: jnp.asarray(rng.uniform(-0.7, 0.7, p.shape), dtype), shapes)
    return params, jnp.asarray(rng.standard_normal((steps, *batch, model.input_size)), dtype)
