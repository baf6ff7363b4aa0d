"""Attention pooling: a sequence of outputs as one vector, the weighed mean of what matters in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgru import checks
from jaxgru.cells.dense import accumulator, dense
from jaxgru.cells.initializers import Parameter, Uniform
from jaxgru.layers.attention.memory import softmax, values_of, weighted_sum

if TYPE_CHECKING:
    import numpy as np
    from jax import Array


class AttentionPoolingParams(NamedTuple):
    """The parameters of an `AttentionPooling`.

    Attributes:
      w: (H, A), of the outputs.
      b: (A,).
      v: (A,), what the tanh is weighed with: the question put to every step.

    Example:
      >>> AttentionPooling(5, 4).init(jax.random.key(0)).w.shape
      (5, 4)
    """

    w: Array
    b: Array
    v: Array


@dataclass(frozen=True, init=False, repr=False)
class AttentionPooling:
    """One vector for a sequence: the mean of its steps, weighed by how much each has to say.

        score_t = v · tanh(y_t W + b)        α = softmax(score)        pooled = Σ α_t y_t

    Args:
      input_size: H, the width of the outputs it reads.
      attention_size: A; None means H.
      param_dtype: of the parameters that `init` draws.

    Raises:
      TypeError, ValueError: an argument of another type, or no size.

    Example:
      >>> import jaxgru
      >>> net, head = jaxgru.Bidirectional(jaxgru.GRU(3, 5)), AttentionPooling(10)
      >>> params, lengths = net.init(jax.random.key(0)), jnp.array([7, 4])
      >>> final, ys = jaxgru.scan(net, params, jnp.ones((7, 2, 3)), lengths=lengths)
      >>> pooled, weights = head.pool(head.init(jax.random.key(1)), ys, lengths)
      >>> pooled.shape, weights.shape, bool((weights[1, 4:] == 0).all())
      ((2, 10), (2, 7), True)

    Cost: 2 H A + 2 A + 2 H FLOPs for a step of one row, and A tanh.

    References: Yang et al. 2016, "Hierarchical attention networks", equations 5–7; Lin et al. 2017
      (arXiv:1703.03130).

    Differs from: `jaxgru.layers.pooling`, whose functions have no parameters; `Additive`, whose query changes.
    """

    input_size: int
    attention_size: int
    param_dtype: np.dtype

    def __init__(
        self, input_size: int, attention_size: int | None = None, param_dtype: Any = jnp.float32
    ) -> None:
        size = checks.size("input_size", input_size)
        width = size if attention_size is None else checks.size("attention_size", attention_size)
        object.__setattr__(self, "input_size", size)
        object.__setattr__(self, "attention_size", width)
        object.__setattr__(self, "param_dtype", checks.float_dtype("param_dtype", param_dtype))

    def __repr__(self) -> str:
        """The call that makes this head, without what is as by default."""
        words = [str(self.input_size)]
        if self.attention_size != self.input_size:
            words.append(str(self.attention_size))
        if self.param_dtype != jnp.float32:
            words.append(f"param_dtype={str(self.param_dtype)!r}")
        return f"AttentionPooling({', '.join(words)})"

    def init(self, key: Array) -> AttentionPoolingParams:
        """Draws w and v, uniform in ±1/√n for sums over n numbers; b is zero.

        Args:
          key: a PRNG key.
        """
        checks.key("key", key)
        width, dtype = self.attention_size, self.param_dtype
        w, v = (
            Uniform()(k, Parameter("input", shape), fan_in=shape[0], dtype=dtype)
            for k, shape in zip(jax.random.split(key), [(self.input_size, width), (width,)], strict=True)
        )
        return AttentionPoolingParams(w, jnp.zeros(width, dtype), v)

    def pool(self, params: AttentionPoolingParams, ys: Array, lengths: Any = None) -> tuple[Array, Array]:
        """The vector of each row, and the weights of its steps.

        Args:
          params: as `init` draws them.
          ys: (T, *B, H), as `jaxgru.scan` gives them.
          lengths: (*B,) int in [0, T]; None means T. Steps at and past a row's length have a weight of exactly
            0, and whatever stands there touches neither values nor gradients.

        Returns:
          pooled (*B, H), and the weights (*B, T). A row without steps has zeros.

        Raises:
          TypeError, ValueError: an argument of another dtype or shape.
        """
        checks.same_tree("params", params, jax.eval_shape(self.init, jax.random.key(0)), f" for {self}")
        values, valid = values_of(ys, self.input_size, lengths, name="ys", axis="T")
        dtype = jnp.result_type(values, *params)
        wide, values = accumulator(dtype), values.astype(dtype)
        hidden = jnp.tanh(dense(values, params.w.astype(dtype)) + params.b.astype(wide))
        weights = softmax(hidden @ params.v.astype(wide), valid)
        return weighted_sum(weights, values).astype(dtype), weights
