"""A cell of three methods, as CONTRIBUTING.md shows it: its derivative is the default one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgru.cells.base import Cell
from jaxgru.cells.dense import dense, dot


class LeakyParams(NamedTuple):
    """w_x (I, H), w_h (H, H)."""

    w_x: Array
    w_h: Array


@dataclass(frozen=True, init=False, repr=False)
class Leaky(Cell):
    """A leaky integrator: h' = h / 2 + tanh(x W_x + h W_h) / 2."""

    def init(self, key: Array) -> LeakyParams:
        inputs, hidden = self.input_size, self.hidden_size
        return LeakyParams(*self.draw(key, ("input", (inputs, hidden)), ("recurrent", (hidden, hidden))))

    def project(self, params: LeakyParams, xs: Array) -> Array:
        return dense(xs, params.w_x)

    def transition(self, params: LeakyParams, state: Array, a: Array) -> tuple[Array, tuple[()]]:
        return (state + jnp.tanh(a + dot(state, params.w_h))) / 2, ()


def leaky_step(params: Any, h: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The same step in NumPy."""
    w_x, w_h = (np.asarray(p, np.float64) for p in params)
    return (h + np.tanh(x @ w_x + h @ w_h)) / 2
