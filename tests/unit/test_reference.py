"""The oracle's own gradient, which the benchmark's gate trusts, against JAX's of a plain scan in float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgru import reference
from tests.cases import VARIANTS, B, H, I, T


def plain_scan(params: Any, xs: Any, h0: Any, reset: str, update: str) -> Any:
    """The equations once more, for JAX to differentiate."""
    w_x, w_h, b_x, b_h = (jnp.zeros(3 * H) if p is None else p for p in params)
    (w_r, w_z, w_n), (b_r, b_z, b_n) = jnp.split(w_h, 3, -1), jnp.split(b_h, 3)

    def step(h: Any, x: Any) -> Any:
        a_r, a_z, a_n = jnp.split(x @ w_x + b_x, 3, -1)
        r, z = jax.nn.sigmoid(a_r + h @ w_r + b_r), jax.nn.sigmoid(a_z + h @ w_z + b_z)
        n = jnp.tanh(a_n + (r * (h @ w_n + b_n) if reset == "after" else (r * h) @ w_n + b_n))
        h = (1 - z) * n + z * h if update == "keeps" else (1 - z) * h + z * n
        return h, h

    return lax.scan(step, h0, xs)[1]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("reset", "update"), VARIANTS)
def test_the_gradient_is_that_of_a_plain_scan(reset: str, update: str, bias: bool, x64: None) -> None:
    rng = np.random.default_rng(0)
    shapes = (I, 3 * H), (H, 3 * H), (3 * H,), (3 * H,)
    params = tuple(rng.normal(size=shape) if bias or len(shape) == 2 else None for shape in shapes)
    xs, h0, ct = (rng.normal(size=shape) for shape in ((T, B, I), (B, H), (T, B, H)))
    ys, pull = jax.vjp(lambda *args: plain_scan(*args, reset, update), params, xs, h0)
    expected = (ys, *pull(jnp.asarray(ct)))
    found = reference.gru_gradient(params, xs, h0, ct, reset=reset, update=update)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
