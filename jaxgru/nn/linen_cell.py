"""One step of the GRU as a Flax module, and Flax's parameter tree as the core's parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.recurrent import DenseParams
from jax import Array

from jaxgru import checks
from jaxgru.cells import gru as core

# The layers that Flax's cell is made of, and whether each has a bias.
DENSE = {"ir": True, "iz": True, "in": True, "hr": False, "hz": False, "hn": True}


class GRUCell(nn.RNNCellBase):
    """One step of a GRU: stands where `flax.linen.GRUCell` stood, with the same fields and parameters.

        r = σ(x W_ir + b_ir + h W_hr)        z = σ(x W_iz + b_iz + h W_hz)
        n = tanh(x W_in + b_in + r ⊙ (h W_hn + b_hn))
        h' = (1 − z) ⊙ n + z ⊙ h

    It is for loops of one's own; over a whole sequence, `GRU` is faster than `nn.RNN` around this cell.

    Args:
      features: H, the width of the carry and of the output.
      gate_fn: σ; nothing but `nn.sigmoid`.
      activation_fn: tanh; nothing but `nn.tanh`.
      kernel_init: draws W_ir, W_iz and W_in, each (I, H).
      recurrent_kernel_init: draws W_hr, W_hz and W_hn, each (H, H).
      bias_init: draws b_ir, b_iz, b_in and b_hn, each (H,).
      dtype: of the matmuls; None means what inputs, carry and parameters promote to. In half precision the
        gates are float32.
      param_dtype: of the parameters.
      carry_init: draws the carry before the first step.

    Raises:
      TypeError, ValueError: an argument of another type, or another activation.

    Example:
      >>> cell = GRUCell(features=5)
      >>> x = jnp.ones((2, 3))
      >>> carry = cell.initialize_carry(jax.random.key(0), x.shape)
      >>> variables = cell.init(jax.random.key(1), carry, x)
      >>> carry, y = cell.apply(variables, carry, x)
      >>> y.shape
      (2, 5)

    Cost: 6 H (I + H) FLOPs for each row.

    Differs from: `flax.linen.GRUCell` takes other activations, broadcasts carry and inputs to each other, and
      rounds each gate in half precision.
    """

    features: int
    gate_fn: Callable[..., Any] = nn.sigmoid
    activation_fn: Callable[..., Any] = nn.tanh
    kernel_init: Callable[..., Any] = nn.initializers.lecun_normal()
    recurrent_kernel_init: Callable[..., Any] = nn.initializers.orthogonal()
    bias_init: Callable[..., Any] = nn.initializers.zeros_init()
    dtype: Any = None
    param_dtype: Any = jnp.float32
    carry_init: Callable[..., Any] = nn.initializers.zeros_init()

    def __post_init__(self) -> None:
        """Refuse what the recurrence does not compute."""
        checks.size("features", self.features)
        checks.float_dtype("param_dtype", self.param_dtype)
        for name, only in (("gate_fn", nn.sigmoid), ("activation_fn", nn.tanh)):
            given = getattr(self, name)
            if given is not only:
                raise ValueError(
                    f"{name} must be nn.{only.__name__}, the only one that jaxgru computes, got {given!r}; "
                    "flax.linen.GRUCell takes others"
                )
        super().__post_init__()

    def __call__(self, carry: Array, inputs: Array) -> tuple[Array, Array]:
        """Takes one step.

        Args:
          carry: h (*B, H), as `initialize_carry` or the step before gave it.
          inputs: x (*B, I).

        Returns:
          h' as the new carry, and again as the output.

        Raises:
          TypeError, ValueError: an argument of another dtype or shape.
        """
        carry, inputs = checks.floating("carry", carry), checks.floating("inputs", inputs)
        if inputs.ndim == 0:
            raise ValueError("inputs must have shape (*B, I), got ()")
        expected = (*inputs.shape[:-1], self.features)
        checks.shape("carry", carry, expected, f" for inputs {checks.axes(inputs.shape)}")
        params = self.weights(inputs.shape[-1])
        promoted = jnp.result_type(inputs, carry, *jax.tree.leaves(params))
        dtype = checks.float_dtype("dtype", promoted if self.dtype is None else self.dtype)
        cell = core.GRU(inputs.shape[-1], self.features, dtype=dtype)
        after, _ = cell.step(params, cell.cast_state(carry, dtype, "carry"), inputs)
        # As in Flax: nn.RNN needs a carry of the dtype that it had before the step.
        after = after.astype(jnp.promote_types(carry.dtype, dtype))
        return after, after

    @nn.compact
    def weights(self, input_size: int) -> core.GRUParams:
        """The parameters as `jaxgru.GRU` has them.

        Args:
          input_size: I.
        """
        sides = {"i": (input_size, self.kernel_init), "h": (self.features, self.recurrent_kernel_init)}
        gates = {}
        for name, biased in DENSE.items():
            width, init = sides[name[0]]
            dense = DenseParams(
                self.features, biased, self.param_dtype, kernel_init=init, bias_init=self.bias_init, name=name
            )
            kernel, bias = dense(jnp.zeros(width))
            gates[name] = {"kernel": kernel, "bias": bias}
        return fused(gates)

    @nn.nowrap
    def initialize_carry(self, rng: Array, input_shape: tuple[int, ...]) -> Array:
        """The carry before the first step.

        Args:
          rng: the PRNG key for `carry_init`.
          input_shape: (*B, I), the shape of one step's inputs.

        Returns:
          (*B, H), zeros by default.
        """
        return self.carry_init(rng, (*input_shape[:-1], self.features), self.param_dtype)

    @property
    def num_feature_axes(self) -> int:
        """How many of the inputs' last axes are one step's features: `nn.RNN` asks."""
        return 1


def fused(gates: Mapping[str, Mapping[str, Any]]) -> core.GRUParams:
    """One cell's parameters, from Flax's tree {'ir': {'kernel', 'bias'}, …}.

    Flax has one bias for each of r and z where the core has two, so b_h is zero there.
    """
    w_x, w_h = (jnp.concatenate([gates[side + gate]["kernel"] for gate in "rzn"], -1) for side in "ih")
    b_x = jnp.concatenate([gates["i" + gate]["bias"] for gate in "rzn"])
    b_n = gates["hn"]["bias"]
    return core.GRUParams(w_x, w_h, b_x, jnp.concatenate([jnp.zeros_like(b_n), jnp.zeros_like(b_n), b_n]))


def shapes(input_size: int, features: int) -> dict[str, dict[str, jax.ShapeDtypeStruct]]:
    """What `fused` takes, as shapes; any floating dtype is as good."""
    sides = {"i": input_size, "h": features}
    out = {}
    for name, biased in DENSE.items():
        out[name] = {"kernel": jax.ShapeDtypeStruct((sides[name[0]], features), jnp.float32)}
        if biased:
            out[name]["bias"] = jax.ShapeDtypeStruct((features,), jnp.float32)
    return out


def input_size(name: str, gates: Any) -> int:
    """I, from one cell's tree."""
    try:
        return int(gates["ir"]["kernel"].shape[0])
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{name} must be a GRU cell's {{'ir': {{'kernel': (I, H), …}}, …}}, got {gates!r}"
        ) from error
