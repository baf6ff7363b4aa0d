"""What the Flax modules are in linen and in nnx alike: the core's cells, with Flax's parameters and carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
from jax.nn import initializers

from jaxgru import checks
from jaxgru.cells import rnn
from jaxgru.cells.lstm import LSTMState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jax import Array

    from jaxgru.cells.base import Cell

PyTree = Any

# How Flax draws kernels for the inputs, kernels for the state, and biases.
KERNEL, RECURRENT, BIAS = initializers.lecun_normal(), initializers.orthogonal(), initializers.zeros


class Recurrent:
    """What a module is to the core.

    Attributes:
      core: the kind of cell.
      width: the attribute that says H.
      choices: the attributes that are arguments of `core` under their own names.
      activations: what Flax's activation_fn may be, and what the core calls it.
    """

    core: ClassVar[type[Cell]]
    width: ClassVar[str] = "features"
    choices: ClassVar[tuple[str, ...]] = ()
    activations: ClassVar[Mapping[Any, str]] = {jnp.tanh: "tanh"}
    dtype: Any
    param_dtype: Any

    def weights(self, model: Any) -> PyTree:
        """The parameters, as the core's model has them."""
        raise NotImplementedError

    def _cell(self, input_size: int, **options: Any) -> Cell:
        """The core's cell, for inputs of this width."""
        choices = {name: getattr(self, name) for name in self.choices}
        make: Any = self.core
        return make(input_size, getattr(self, self.width), **{"dtype": self.dtype, **choices, **options})

    def _check(self) -> None:
        """Refuses wrong arguments before there are inputs."""
        checks.size(self.width, getattr(self, self.width))
        checks.float_dtype("param_dtype", self.param_dtype)
        self._only("gate_fn", jax.nn.sigmoid)
        self._only("activation_fn", *self.activations)
        self._only("residual", False)

    def _only(self, name: str, *known: Any) -> None:
        """Refuses what Flax's cells compute and the core does not."""
        given = getattr(self, name, known[0])
        if given not in known:
            one = " or ".join(getattr(each, "__name__", repr(each)) for each in known)
            whose = "Flax's " if callable(known[0]) else ""
            raise ValueError(
                f"{name} must be {whose}{one}, got {given!r}: jaxgru computes nothing else, Flax's own cell does"
            )


class Plain(Recurrent):
    """What modules of plain recurrent units have besides: Flax's activation_fn."""

    core = rnn.RNN
    choices = ("activation",)
    activations: ClassVar[Mapping[Any, str]] = {jnp.tanh: "tanh", jax.nn.relu: "relu"}
    activation_fn: Callable[..., Any]

    @property
    def activation(self) -> str:
        """What the core calls activation_fn."""
        return self.activations[self.activation_fn]


class Step(Recurrent):
    """One step of a cell that stands where Flax's stood: the same arguments, parameters and carry.

    It is for loops of one's own; over a whole sequence, the layer is faster than Flax's RNN around this cell.
    With dtype=None the matmuls run in what inputs, carry and parameters promote to.

    Differs from: Flax's cells take other activations, broadcast carry and inputs to each other, and round each
      gate in half precision, where these gates are float32.
    """

    def __call__(self, carry: PyTree, inputs: Array) -> tuple[PyTree, Array]:
        """Takes one step.

        Args:
          carry: as `initialize_carry` or the step before gave it: h (*B, H), for an LSTM (c, h).
          inputs: x (*B, I).

        Returns:
          The new carry, and h' as the output.

        Raises:
          TypeError, ValueError: an argument of another dtype, shape or structure.
        """
        inputs = checks.floating("inputs", inputs)
        if inputs.ndim == 0:
            raise ValueError("inputs must have shape (*B, I), got ()")
        cell = self._cell(inputs.shape[-1])
        like = cell.initial_state(inputs.shape[:-1])
        state = inward("carry", carry, like, f" for inputs {checks.axes(inputs.shape)}")
        params = self.weights(cell)
        promoted = jnp.result_type(inputs, *jax.tree.leaves((state, params)))
        dtype = checks.float_dtype("dtype", promoted if self.dtype is None else self.dtype)
        cell = self._cell(inputs.shape[-1], dtype=dtype)
        after, _ = cell.step(params, cell.cast_state(state, dtype, "carry"), inputs)
        # As in Flax: its RNN needs a carry of the dtype that it had before the step.
        new = jax.tree.map(lambda s, old: s.astype(jnp.promote_types(old.dtype, dtype)), after, state)
        return outward(new), new.h if isinstance(new, LSTMState) else new


def fused(cell: Cell, dense: Mapping[str, tuple[Array, Array | None]]) -> Any:
    """A cell's parameters, from Flax's (kernel, bias) for 'i' + gate and 'h' + gate, gates as the core has them.

    Flax has one bias for each gate where the core has two, so the other is zero.
    """

    def side(letter: str) -> tuple[Array, Array]:
        parts = [part for name, part in dense.items() if name[0] == letter]
        biases = [jnp.zeros(kernel.shape[-1], kernel.dtype) if b is None else b for kernel, b in parts]
        return jnp.concatenate([kernel for kernel, _ in parts], -1), jnp.concatenate(biases)

    (w_x, b_x), (w_h, b_h) = side("i"), side("h")
    return named(cell, {"w_x": w_x, "w_h": w_h, "b_x": b_x, "b_h": b_h})


def drawn(cell: Cell, inits: Mapping[str, Any], key: Callable[[], Array]) -> dict[str, Array]:
    """A cell's parameters under the core's names, for cells that Flax has not."""
    by = {"w_x": "kernel_init", "w_h": "recurrent_kernel_init"}
    shapes = {name: like.shape for name, like in _shapes(cell)._asdict().items() if like is not None}
    return {n: inits[by.get(n, "bias_init")](key(), shape, cell.param_dtype) for n, shape in shapes.items()}


def named(cell: Cell, tree: Mapping[str, Array]) -> Any:
    """A cell's parameters as the core has them, from those by name."""
    return _shapes(cell)._replace(**tree)


def _shapes(cell: Cell) -> Any:
    return jax.eval_shape(lambda: cell.init(jax.random.key(0)))


def outward(state: PyTree) -> PyTree:
    """A carry as Flax has it: an LSTM's state is the pair (c, h)."""

    def is_lstm(node: Any) -> bool:
        return isinstance(node, LSTMState)

    return jax.tree.map(lambda node: (node.c, node.h) if is_lstm(node) else node, state, is_leaf=is_lstm)


def inward(name: str, carry: PyTree, like: PyTree, why: str) -> PyTree:
    """A state structured like `like`, from a carry in which every tuple may be a plain one."""
    carry = outward(carry)
    checks.same_tree(name, _plain(carry), _plain(outward(like)), why)
    leaves, structure = jax.tree.flatten(like)
    places = jax.tree.leaves(outward(jax.tree.unflatten(structure, range(len(leaves)))))
    for place, leaf in zip(places, jax.tree.leaves(carry), strict=True):
        leaves[place] = jnp.asarray(leaf)
    return jax.tree.unflatten(structure, leaves)


def _plain(tree: PyTree) -> PyTree:
    return tuple(map(_plain, tree)) if isinstance(tree, tuple) else tree
