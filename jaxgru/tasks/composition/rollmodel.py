"""The model of the task `music`: what sounds in, the logits of what sounds next out, through recurrent layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgru.layers.dropout import DropConnect, VariationalDropout
from jaxgru.layers.stack import Stack
from jaxgru.recurrence.scan import scan
from jaxgru.tasks.recurrences import TITLES, WITHOUT_MATRIX, recurrence
from jaxgru.training.config import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxgru.data.rolls import Roll
    from jaxgru.training.task import PyTree


def _rate(default: float, meaning: str) -> Any:
    return option(default, meaning, at_least=0, below=1)


@dataclass(frozen=True)
class Model:
    """The table [model]: recurrent layers, a dense layer to the keys, and what training leaves out."""

    cell: str = option("gru", "the recurrence of each layer", choices=tuple(TITLES))
    hidden_size: int = option(200, "units of each layer", at_least=1, at_most=65536)
    clock: int = option(
        16,
        "steps after which the place in a bar, which the model is told, begins anew: at 4 steps in a quarter note "
        "16 are a bar of four; 0: untold",
        at_least=0,
        at_most=1024,
    )
    prior: bool = option(
        False, "it starts with the odds of each key in training, and not with even ones: small models need it"
    )
    layers: int = option(1, "layers, one above the other", at_least=1, at_most=64)
    input_dropout: float = _rate(
        0.0, "the share of the keys hidden from the first layer, the same at all steps"
    )
    output_dropout: float = _rate(0.1, "the share of each layer's outputs left out, the same at all steps")
    state_dropout: float = _rate(0.0, "the share of the state hidden from its matrix, the same at all steps")
    weight_noise: float = option(0.03, "the deviation of the noise on every parameter", at_least=0)
    drop_connect: float = _rate(0.0, "the share of the recurrent weights left out, the same at all steps")

    def __post_init__(self) -> None:
        """Refuse dropout of a recurrent matrix where there is none."""
        for name in ("state_dropout", "drop_connect"):
            if self.cell in WITHOUT_MATRIX and getattr(self, name):
                fault = f"{name} should be 0 with cell = {self.cell}, which has no recurrent matrix"
                raise ValueError(f"{fault}, got {getattr(self, name)}")


class RollModel(nn.Module):
    """What sounds at each step in, the logits of what sounds at the next one out.

        h_t = GRU(h_{t−1}, x_t)        P(key k sounds at t + 1 | x_1 … x_t) = σ(h_t W + b)_k

    With a clock x_t also says which step of a bar t is, where the piece begins with a bar: t mod clock, one-hot.

    Args:
      keys: how many there are.
      options: the sizes and the rates.
    """

    keys: int
    options: Model

    @nn.compact
    def __call__(
        self,
        xs: jax.Array,
        carry: PyTree = None,
        lengths: jax.Array | None = None,
        first: int | jax.Array = 0,
        *,
        deterministic: bool = True,
    ) -> tuple[PyTree, jax.Array]:
        """Take xs (T, B, K), from step `first` on, and the state before to the state after and logits (T, B, K)."""
        options = self.options
        if options.clock:
            place = jax.nn.one_hot((first + jnp.arange(len(xs))) % options.clock, options.clock)
            told = jnp.broadcast_to(place[:, None], (*xs.shape[:2], options.clock))
            xs = jnp.concatenate([xs, told], axis=-1)
        net = network(xs.shape[-1], options)
        key = None if deterministic else self.make_rng("dropout")
        carry, ys = scan(net, self.param(options.cell, net.init), xs, carry, lengths=lengths, key=key)
        return carry, nn.Dense(self.keys)(ys)


def with_odds(params: PyTree, rolls: Sequence[Roll]) -> PyTree:
    """Initial parameters whose logits, but for what the state adds, are the keys' log-odds in some rolls.

    Without, the first thing to be learned is that nearly all keys are silent nearly always, and a small network
    spends its units on that. A key that never sounds has half a step of sound.
    """
    sounds = np.sum([roll.sum(0, dtype=np.float64) for roll in rolls], axis=0) + 0.5
    odds = np.log(sounds) - np.log(sum(map(len, rolls)) + 1 - sounds)
    layers = dict(params["params"])
    layers["Dense_0"] = layers["Dense_0"] | {"bias": jnp.asarray(odds, jnp.float32)}
    return {"params": layers}


def network(inputs: int, options: Model) -> Stack:
    """The layers, with the dropout of each."""
    layers: list[VariationalDropout] = []
    for i in range(options.layers):
        cell = DropConnect(
            recurrence(options.cell, options.hidden_size if i else inputs, options.hidden_size),
            options.drop_connect,
        )
        rates = {"state": options.state_dropout, "output": options.output_dropout}
        layers.append(VariationalDropout(cell, 0.0 if i else options.input_dropout, **rates))
    return Stack(layers)


def apply(model: RollModel, params: PyTree, *args: Any, **options: Any) -> tuple[PyTree, jax.Array]:
    """State and logits."""
    return cast("tuple[PyTree, jax.Array]", model.apply(params, *args, **options))


def nats(model: RollModel, params: PyTree, rolls: jax.Array, lengths: jax.Array, **options: Any) -> jax.Array:
    """What each step of some pieces costs, −log P of all its keys: (T, B), 0 in the padding.

    The first step is predicted from silence.
    """
    rolls = rolls.astype(jnp.float32)
    xs = jnp.concatenate([jnp.zeros_like(rolls[:1]), rolls[:-1]])
    _, logits = apply(model, params, xs, None, lengths, **options)
    costs = optax.sigmoid_binary_cross_entropy(logits, rolls).sum(-1)
    return jnp.where(jnp.arange(len(rolls))[:, None] < lengths, costs, 0)


def noisy(params: PyTree, deviation: float, key: jax.Array) -> PyTree:
    """Parameters with noise on each of them, as training with weight noise sees them."""
    if not deviation:
        return params
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    noise = [deviation * jax.random.normal(own, leaf.shape) for own, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, map(jnp.add, leaves, noise))


scored = partial(jax.jit, static_argnums=0)(nats)
