"""Compilations: how often a jitted function is compiled."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:
    from collections.abc import Callable


class Compilations:
    """`jax.jit(function)` that counts how often it is compiled.

    Every new shape, dtype or static argument traces the function's Python body, and compiles what comes of
    it: that body is what counts. A count above the number of shapes tells of a shape, a dtype or a static
    value that changes unnoticed.

    Args:
      function: what to jit.
      **options: of `jax.jit`, e.g. static_argnames or donate_argnums.

    Attributes:
      count: how often it was traced so far. Under another `jit`, or in `jax.eval_shape`, it is traced without
        being compiled by itself; an input that only moves to another device compiles without a trace.

    Raises:
      TypeError: a function that cannot be called, or an option that `jax.jit` does not have.

    Example:
      >>> import jax.numpy as jnp
      >>> total = Compilations(jnp.sum)
      >>> [float(total(jnp.ones(n))) for n in (3, 5, 3, 5)]
      [3.0, 5.0, 3.0, 5.0]
      >>> total.count
      2

    Cost: nothing beside `jax.jit`, once it is compiled.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        if not callable(function):
            raise TypeError(f"function must be callable, got {function!r}")
        self.count = 0

        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return function(*args, **kwargs)

        self._jitted = jax.jit(counted, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value, computed by the program for these shapes."""
        return self._jitted(*args, **kwargs)

    def __repr__(self) -> str:
        """The function, and its count."""
        return f"Compilations({getattr(self._jitted, '__name__', '…')}, count={self.count})"
