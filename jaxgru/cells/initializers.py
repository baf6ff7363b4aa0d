"""How a cell's parameters start: frozen values, so that a model with one stays equal by value."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks

Role = Literal["input", "recurrent", "bias"]
Parameter = tuple[Role, tuple[int, ...]]  # what it does, and its shape


class Initializer(Protocol):
    """Draws one parameter of a cell. An initializer is hashable and compares by value."""

    def __call__(
        self, key: Array, role: Role, shape: tuple[int, ...], *, hidden_size: int, blocks: int, dtype: Any
    ) -> Array:
        """Draws an array.

        Args:
          key: a PRNG key.
          role: what the parameter does: "input" (I, blocks·H), "recurrent" (H, blocks·H) or "bias" (blocks·H,).
          shape: the array's shape; its last axis holds the gates' blocks side by side.
          hidden_size: H.
          blocks: how many gates share the array.
          dtype: the array's dtype.
        """
        ...


@dataclass(frozen=True)
class Uniform:
    """Every parameter uniform in (−1/√H, 1/√H), as PyTorch starts its recurrent layers.

    References: the documentation of `torch.nn.GRU`, under "Variables".

    Example:
      >>> sizes = dict(hidden_size=4, blocks=3, dtype=jnp.float32)
      >>> w = Uniform()(jax.random.key(0), "recurrent", (4, 12), **sizes)
      >>> bool(jnp.abs(w).max() < 0.5)
      True
    """

    def __call__(
        self, key: Array, role: Role, shape: tuple[int, ...], *, hidden_size: int, blocks: int, dtype: Any
    ) -> Array:
        """Draws an array; see `Initializer`."""
        del role, blocks
        bound = hidden_size**-0.5
        return jax.random.uniform(key, shape, dtype, -bound, bound)


@dataclass(frozen=True)
class GlorotOrthogonal:
    """Input weights Glorot-uniform and recurrent weights orthogonal, each gate on its own; biases zero.

    This is how Keras starts its recurrent layers, but for the gate at a time.

    References: Glorot & Bengio 2010; Saxe et al. 2014 (arXiv:1312.6120).

    Example:
      >>> sizes = dict(hidden_size=4, blocks=3, dtype=jnp.float32)
      >>> w = GlorotOrthogonal()(jax.random.key(0), "recurrent", (4, 12), **sizes)
      >>> bool(jnp.allclose(w[:, :4].T @ w[:, :4], jnp.eye(4), atol=1e-5))
      True
    """

    def __call__(
        self, key: Array, role: Role, shape: tuple[int, ...], *, hidden_size: int, blocks: int, dtype: Any
    ) -> Array:
        """Draws an array; see `Initializer`."""
        del hidden_size
        if role == "bias":
            return jnp.zeros(shape, dtype)
        draw = jax.nn.initializers.glorot_uniform() if role == "input" else jax.nn.initializers.orthogonal()
        block = (*shape[:-1], shape[-1] // blocks)
        wide = jnp.promote_types(dtype, jnp.float32)  # a QR decomposition has no half precision
        gates = [draw(k, block, wide) for k in jax.random.split(key, blocks)]
        return jnp.concatenate(gates, -1).astype(dtype)


NAMED: dict[str, Initializer] = {"uniform": Uniform(), "glorot_orthogonal": GlorotOrthogonal()}


def initializer(init: str | Initializer) -> Initializer:
    """The initializer that a cell's `init` argument means.

    Raises:
      ValueError: an unknown name.
      TypeError: a bare function, which would make two equal models unequal and compile anew at each call.
    """
    if isinstance(init, str):
        if init not in NAMED:
            raise ValueError(
                f"init must be one of {', '.join(map(repr, NAMED))} or an initializer value, got {init!r}"
            )
        return NAMED[init]
    if not dataclasses.is_dataclass(init) or isinstance(init, type):
        raise TypeError(f"init must be a name or a frozen initializer value such as Uniform(), got {init!r}")
    checks.hashable("init", init)
    return init
