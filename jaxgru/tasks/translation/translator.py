"""The encoder–decoder of the task `translate`, and the two things it does: score a translation, and find one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgru import decode
from jaxgru.cells import gru
from jaxgru.layers.attention import Additive, AttentionDecoder
from jaxgru.nn.linen import GRU
from jaxgru.recurrence.scan import scan
from jaxgru.training.config import option

if TYPE_CHECKING:
    from jaxgru.training.task import PyTree


@dataclass(frozen=True)
class Model:
    """The table [model]: a bidirectional GRU that reads, a GRU with additive attention that writes."""

    embedding_size: int = option(
        256, "numbers that stand for a word, on either side", at_least=1, at_most=65536
    )
    hidden_size: int = option(
        256, "units of each GRU; the encoder has them in each direction", at_least=1, at_most=65536
    )
    layers: int = option(1, "layers of the encoder, one above the other", at_least=1, at_most=64)
    attention: bool = option(
        True, "whether each step looks at every word of the source; if not, at one vector made of all of them"
    )
    attention_size: int = option(256, "units that compare a state with a word", at_least=1, at_most=65536)
    dropout: float = option(
        0.3, "the share of embeddings and outputs that training leaves out", at_least=0, below=1
    )
    word_dropout: float = option(
        0.0, "the share of words read that training replaces by the unknown one", at_least=0, below=1
    )
    label_smoothing: float = option(
        0.0, "the probability that training spreads over all words", at_least=0, below=1
    )


class Source(NamedTuple):
    """What the decoder knows of B source texts.

    Args:
      decoder: its parameters, with the memory it attends to among them.
      state: where it starts from, leaves (B, …).
    """

    decoder: PyTree
    state: PyTree


class Translator(nn.Module):
    """Words of one language in, the logits of the words of another out.

        encoded = BiGRU(E_s[source])      s_0 = tanh([→h_last, ←h_last] W + b)
        y_t = AttentionDecoder(E_t[target_{t−1}], s_{t−1}; encoded)      logits = y_t E_tᵀ + b

    The words of the target are embedded and told apart by one matrix. Without attention the decoder's memory is
    one vector, [→h_last, ←h_last], which it sees at each step: nothing else of the model changes.

    Args:
      sources: how many numbers the source's vocabulary has, the last of them for what is unknown.
      targets: likewise of the target; the last is the end of a text, the one before it for what is unknown.
      options: the sizes and the dropout.

    References: Bahdanau et al. 2015 (arXiv:1409.0473); Cho et al. 2014 (arXiv:1406.1078) for the one vector;
      Luong et al. 2015 (arXiv:1508.04025) for the feeding of y; Press and Wolf 2017 (arXiv:1608.05859).
    """

    sources: int
    targets: int
    options: Model

    @property
    def end(self) -> int:
        """The number of the end of a text, which also stands before its first word."""
        return self.targets - 1

    @property
    def decoder(self) -> AttentionDecoder:
        """The cell that writes."""
        options = self.options
        cell = gru.GRU(options.embedding_size, options.hidden_size)
        attention = Additive(options.hidden_size, 2 * options.hidden_size, options.attention_size)
        return AttentionDecoder(cell, attention, options.embedding_size)

    def setup(self) -> None:
        """The parts with parameters."""
        options = self.options
        self.source_embedding = nn.Embed(self.sources, options.embedding_size)
        self.target_embedding = nn.Embed(self.targets, options.embedding_size)
        self.encoder = GRU(
            options.hidden_size,
            num_layers=options.layers,
            bidirectional=True,
            dropout=options.dropout,
            time_major=True,
            return_carry=True,
        )
        self.bridge = nn.Dense(options.hidden_size)
        self.weights = self.param("decoder", self.decoder.init)
        self.bias = self.param("bias", nn.initializers.zeros, (self.targets,))
        self.drop = nn.Dropout(options.dropout)

    def __call__(
        self,
        sources: jax.Array,
        source_lengths: jax.Array,
        targets: jax.Array,
        target_lengths: jax.Array,
        *,
        deterministic: bool = True,
    ) -> tuple[jax.Array, jax.Array]:
        """Take texts and their translations to the logits of each word of these, given those before it.

        Args:
          sources: (S, B).
          source_lengths: (B,).
          targets: (T, B), each ended by `end`.
          target_lengths: (B,), the ends among them.
          deterministic: False in training, with rngs {"dropout": key}.

        Returns:
          Logits (T, B, targets), and where each step looked (T, B, S); without attention, (T, B, 1).
        """
        source = self.encode(sources, source_lengths, deterministic=deterministic)
        first = jnp.full_like(targets[:1], self.end)
        words = self._hide(jnp.concatenate([first, targets[:-1]]), self.targets - 2, deterministic)
        xs = self.drop(self.target_embedding(words), deterministic=deterministic)
        decoder, (params, state) = self.decoder, source
        _, ys, states = scan(decoder, params, xs, state, lengths=target_lengths, states=True)
        ys = self.drop(ys, deterministic=deterministic)
        # Step by step, for the scores of all steps at once may be more than memory has room for.
        attention = jax.lax.map(lambda state: decoder.weights(params, state), states)
        return self.target_embedding.attend(ys) + self.bias, attention

    def encode(self, sources: jax.Array, lengths: jax.Array, *, deterministic: bool = True) -> Source:
        """Read texts (S, B) of lengths (B,)."""
        words = self._hide(sources, self.sources - 1, deterministic)
        xs = self.drop(self.source_embedding(words), deterministic=deterministic)
        carry, encoded = self.encoder(xs, lengths=lengths, deterministic=deterministic)
        last = jnp.concatenate(carry if self.options.layers == 1 else carry[-1], -1)
        encoded = self.drop(encoded, deterministic=deterministic)
        memory = (encoded, lengths) if self.options.attention else (last[None], None)
        params = self.decoder.bind(self.weights, *memory)
        start = jnp.tanh(self.bridge(last))
        return Source(params, self.decoder.initial_state(lengths.shape, params)._replace(cell=start))

    def _hide(self, words: jax.Array, unknown: int, deterministic: bool) -> jax.Array:
        """Words, some of which training does not see."""
        if deterministic or not self.options.word_dropout:
            return words
        gone = jax.random.bernoulli(self.make_rng("dropout"), self.options.word_dropout, words.shape)
        return jnp.where(gone, unknown, words)

    def write(self, decoder: PyTree, state: PyTree, words: jax.Array) -> tuple[PyTree, jax.Array]:
        """One word (B,) more, and the logits (B, targets) of the next one."""
        state, y = self.decoder.step(decoder, state, self.target_embedding(words))
        return state, self.target_embedding.attend(y) + self.bias

    @nn.nowrap
    def step(
        self, params: tuple[PyTree, PyTree], state: PyTree, words: jax.Array
    ) -> tuple[PyTree, jax.Array]:
        """One step for `jaxgru.decode`, of the variables and the decoder's bound parameters.

        The unknown word is written only with attention, which says which word of the source it is.
        """
        variables, decoder = params
        written: Any = self.apply(variables, decoder, state, words, method="write")
        state, logits = written
        return state, logits if self.options.attention else logits.at[..., self.end - 1].set(-jnp.inf)


class Scores(NamedTuple):
    """Of B translations: the nats (B,) that each costs together, and its words (B,), the end among them."""

    nats: jax.Array
    words: jax.Array


class Found(NamedTuple):
    """The best translations of B texts.

    Args:
      words: (T, B), padded with the end.
      lengths: (B,), the ends among them.
      attention: (T, B, S), where each step looked; without attention, (T, B, 1).
    """

    words: jax.Array
    lengths: jax.Array
    attention: jax.Array


@partial(jax.jit, static_argnums=0)
def score(model: Translator, params: PyTree, *pair: jax.Array) -> Scores:
    """What given translations cost: sources (S, B), lengths (B,), targets (T, B), lengths (B,)."""
    logits, _ = model.apply(params, *pair)
    targets, lengths = pair[2:]
    nats = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1)[..., 0]
    real = jnp.arange(len(targets))[:, None] < lengths
    return Scores(jnp.where(real, nats, 0).sum(0), lengths)


@partial(jax.jit, static_argnums=(0, 4, 5))
def search(
    model: Translator,
    params: PyTree,
    sources: jax.Array,
    lengths: jax.Array,
    steps: int,
    beams: int,
    length_penalty: jax.Array,
) -> Found:
    """The best translations, of `steps` words at most, of texts (S, B) of lengths (B,)."""
    source: Any = model.apply(params, sources, lengths, method="encode")
    first = jnp.full((1, *lengths.shape), model.end)
    found = decode.beam_search(
        model,
        (params, source.decoder),
        source.state,
        first,
        steps=steps,
        beams=beams,
        length_penalty=length_penalty,
        end=model.end,
    )
    words, written = found.tokens[0], found.lengths[0]
    taught: Any = model.apply(params, sources, lengths, words, written)
    return Found(words, written, taught[1])
