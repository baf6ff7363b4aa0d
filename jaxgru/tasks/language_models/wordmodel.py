"""The model of the task `words`: an embedding that is the softmax too, GRU layers between, dropout where it helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgru.cells.gru import GRU
from jaxgru.layers.dropout import DropConnect, VariationalDropout
from jaxgru.layers.stack import Stack
from jaxgru.recurrence.scan import scan
from jaxgru.tasks.language_models.language import read
from jaxgru.training.config import option

if TYPE_CHECKING:
    from jaxgru.training.task import PyTree


def _rate(default: float, meaning: str) -> Any:
    return option(default, meaning, at_least=0, below=1)


@dataclass(frozen=True)
class Model:
    """The table [model]: an embedding, a stack of GRU layers, logits by the same embedding, and what is left out."""

    embedding_size: int = option(256, "numbers that stand for a word", at_least=1, at_most=65536)
    hidden_size: int = option(256, "units of each GRU layer", at_least=1, at_most=65536)
    layers: int = option(1, "GRU layers, one above the other", at_least=1, at_most=64)
    tied: bool = option(True, "whether the embedding also makes the logits")
    word_dropout: float = _rate(0.1, "the share of the vocabulary whose vectors an update does not see")
    input_dropout: float = _rate(0.5, "the share of the first layer's inputs left out, the same at all words")
    output_dropout: float = _rate(0.5, "the share of each layer's outputs left out, the same at all words")
    state_dropout: float = _rate(0.0, "the share of the state hidden from its matrix, the same at all words")
    drop_connect: float = _rate(0.3, "the share of the recurrent weights left out, the same at all words")


class WordModel(nn.Module):
    """Words in, the logits of the next ones out: embedding, stacked GRU, the embedding once more.

    Args:
      symbols: how many numbers a vocabulary has.
      options: the sizes and the rates.
    """

    symbols: int
    options: Model

    @nn.compact
    def __call__(
        self, ids: jax.Array, carry: PyTree = None, *, deterministic: bool = True
    ) -> tuple[PyTree, jax.Array]:
        """Take ids (T, B) and the state before them to the state after them and logits (T, B, symbols)."""
        options, net, key = self.options, network(self.options), None
        embed = nn.Embed(self.symbols, options.embedding_size)
        xs = embed(ids)
        if not deterministic:
            key = self.make_rng("dropout")
            kept = jax.random.bernoulli(self.make_rng("dropout"), 1 - options.word_dropout, (self.symbols, 1))
            xs = xs * (kept / (1 - options.word_dropout))[ids]
        carry, ys = scan(net, self.param("gru", net.init), xs, carry, key=key)
        if not options.tied:
            return carry, nn.Dense(self.symbols)(ys)
        if options.hidden_size != options.embedding_size:
            ys = nn.Dense(options.embedding_size)(ys)
        return carry, embed.attend(ys) + self.param("bias", nn.initializers.zeros, (self.symbols,))

    @nn.nowrap
    def step(self, params: PyTree, carry: PyTree, ids: jax.Array) -> tuple[PyTree, jax.Array]:
        """One word of each row, ids (B,), for `jaxgru.decode`: `<unk>`, which is no word, never follows."""
        carry, logits = read(self, params, ids[None], carry)
        return carry, logits[0].at[:, -1].set(-jnp.inf)


def network(options: Model) -> Stack:
    """The GRU layers, with the dropout of each."""
    layers: list[VariationalDropout] = []
    for i in range(options.layers):
        width = options.hidden_size if i else options.embedding_size
        cell = DropConnect(GRU(width, options.hidden_size), options.drop_connect)
        rates = {"state": options.state_dropout, "output": options.output_dropout}
        layers.append(VariationalDropout(cell, 0.0 if i else options.input_dropout, **rates))
    return Stack(layers)
