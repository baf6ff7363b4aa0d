"""How a cell's parameters start: frozen values, so that a model with one stays equal by value."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks

Role = Literal["input", "recurrent", "bias"]


class Parameter(NamedTuple):
    """What an initializer needs to know of one parameter.

    Attributes:
      role: what it does: "input" (…, I, blocks·H), "recurrent" (…, H, blocks·H) or "bias" (blocks·H,).
      shape: of the array.
      blocks: how many gates share its last axis.
      memory: of a bias, for each block: 1 where a large one makes the gate keep the state, −1 where it makes
        it forget, 0 where the bias stands beside such a one, None at other gates. Empty without such gates.
    """

    role: Role
    shape: tuple[int, ...]
    blocks: int = 1
    memory: tuple[int | None, ...] = ()


class Initializer(Protocol):
    """Draws one parameter of a cell. An initializer is hashable and compares by value."""

    def __call__(self, key: Array, parameter: Parameter, *, fan_in: int, dtype: Any) -> Array:
        """Draws an array.

        Args:
          key: a PRNG key.
          parameter: what it does, and its shape.
          fan_in: how many numbers of the state each sum of the cell reads: H, times the kernel of a convolution.
          dtype: the array's dtype.
        """
        ...


@dataclass(frozen=True)
class Uniform:
    """Every parameter uniform in (−1/√H, 1/√H), as PyTorch starts its recurrent layers.

    References: the documentation of `torch.nn.GRU`, under "Variables".

    Example:
      >>> parameter = Parameter("recurrent", (4, 12), blocks=3)
      >>> w = Uniform()(jax.random.key(0), parameter, fan_in=4, dtype=jnp.float32)
      >>> bool(jnp.abs(w).max() < 0.5)
      True
    """

    def __call__(self, key: Array, parameter: Parameter, *, fan_in: int, dtype: Any) -> Array:
        """Draws an array; see `Initializer`."""
        bound = fan_in**-0.5
        return jax.random.uniform(key, parameter.shape, dtype, -bound, bound)


@dataclass(frozen=True)
class GlorotOrthogonal:
    """Input weights Glorot-uniform and recurrent weights orthogonal, each gate on its own; biases zero.

    This is how Keras starts its recurrent layers, but for the gate at a time.

    References: Glorot & Bengio 2010; Saxe et al. 2014 (arXiv:1312.6120).

    Example:
      >>> parameter = Parameter("recurrent", (4, 12), blocks=3)
      >>> w = GlorotOrthogonal()(jax.random.key(0), parameter, fan_in=4, dtype=jnp.float32)
      >>> bool(jnp.allclose(w[:, :4].T @ w[:, :4], jnp.eye(4), atol=1e-5))
      True
    """

    def __call__(self, key: Array, parameter: Parameter, *, fan_in: int, dtype: Any) -> Array:
        """Draws an array; see `Initializer`."""
        del fan_in
        role, shape, blocks, _ = parameter
        if role == "bias":
            return jnp.zeros(shape, dtype)
        draw = jax.nn.initializers.glorot_uniform() if role == "input" else jax.nn.initializers.orthogonal()
        block = (*shape[:-1], shape[-1] // blocks)
        wide = jnp.promote_types(dtype, jnp.float32)  # a QR decomposition has no half precision
        gates = [draw(k, block, wide) for k in jax.random.split(key, blocks)]
        return jnp.concatenate(gates, -1).astype(dtype)


@dataclass(frozen=True)
class Chrono:
    """Gates that start as slow as the dependencies to be learned are long.

        b ~ log(u), u uniform in [1, max_steps − 1]

    is the bias of a gate that keeps the state, −b that of one that overwrites it: a unit then remembers for
    about u steps. Everything else is drawn by `base`.

    Args:
      max_steps: the longest dependency expected, in steps; at least 3.
      base: the initializer of all the rest, as a cell's `init` takes it.

    Raises:
      TypeError, ValueError: `max_steps` is no int of at least 3, or `base` no initializer. A cell without
        gates, or without biases, refuses this initializer.

    Example:
      >>> import jaxgru
      >>> params = jaxgru.GRU(3, 5, init=Chrono(100)).init(jax.random.key(0))
      >>> update = jax.nn.sigmoid(params.b_x[5:10] + params.b_h[5:10])
      >>> bool(((0.5 <= update) & (update <= 0.99)).all())
      True

    References: Tallec & Ollivier 2018 (arXiv:1804.11188).

    Differs from: nothing; the two biases that this library has for each gate sum up to b.
    """

    max_steps: int
    base: str | Initializer = "uniform"

    def __post_init__(self) -> None:
        if not 3 <= checks.size("max_steps", self.max_steps) < 2**31:
            raise ValueError(f"max_steps must be at least 3 and below 2**31, got {self.max_steps}")
        object.__setattr__(self, "base", initializer(self.base))

    def __call__(self, key: Array, parameter: Parameter, *, fan_in: int, dtype: Any) -> Array:
        """Draws an array; see `Initializer`."""
        drawn: Array = initializer(self.base)(key, parameter, fan_in=fan_in, dtype=dtype)
        if not parameter.memory:
            return drawn
        size = parameter.shape[-1] // parameter.blocks
        wide = jnp.promote_types(dtype, jnp.float32)  # in half precision u would overflow
        u = jax.random.uniform(jax.random.fold_in(key, 1), (size,), wide, 1, self.max_steps - 1)
        parts = [
            part if sign is None else (sign * jnp.log(u)).astype(dtype)
            for part, sign in zip(jnp.split(drawn, parameter.blocks), parameter.memory, strict=True)
        ]
        return jnp.concatenate(parts)


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
