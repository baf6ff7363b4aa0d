"""The task `chars`: a language model over the characters of one text, and what it writes itself."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru import decode
from jaxgru.data import DataError
from jaxgru.data import text as texts
from jaxgru.data.vocabulary import Characters
from jaxgru.nn.linen import GRU
from jaxgru.tasks.language_models.language import Floats, LanguageModel, read
from jaxgru.tasks.language_models.ngram import KneserNey
from jaxgru.tasks.options import check_shares, keep_path
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError
from jaxgru.training.task import PyTree

METRIC = "bits_per_character"
ORDER = 5  # characters of the baseline's longest gram


@dataclass(frozen=True)
class Data:
    """The table [data]: which text, and how it is cut."""

    path: str = option("", "a UTF-8 text file, plain or gzip; empty means Python's language reference")
    repeats: str = option(
        "auto",
        "what becomes of repeated paragraphs before the split; auto drops the reference's, keeps a file's",
        choices=("auto", "drop", "keep"),
    )
    validation: float = option(0.05, "the part before the test part, which chooses", above=0, below=1)
    test: float = option(0.1, "the last part of the text, scored once at the end", above=0, below=1)
    window: int = option(64, "characters a step sees of each stream, and learns through", at_least=1)
    dynamic_rate: float = option(
        0.0,
        "the rate at which a second score goes on learning as it reads; 0: no such score",
        at_least=0,
        below=1,
    )

    def __post_init__(self) -> None:
        """Keep the path whole, for a run is opened from anywhere; refuse parts that leave nothing to train on."""
        keep_path(self)
        check_shares(self)


@dataclass(frozen=True)
class Model:
    """The table [model]: an embedding, a stack of GRU layers, a projection."""

    embedding_size: int = option(
        128, "numbers that stand for a character at the input", at_least=1, at_most=65536
    )
    hidden_size: int = option(256, "units of each GRU layer", at_least=1, at_most=65536)
    layers: int = option(2, "GRU layers, one above the other", at_least=1, at_most=64)
    dropout: float = option(
        0.1, "the share of a layer's outputs that training leaves out", at_least=0, below=1
    )


@dataclass(frozen=True)
class Sample:
    """The table [sample]: how the model is made to write."""

    prompt: str = option("", "what the text starts with; empty means the start of a line")
    length: int = option(800, "characters to write after the prompt", at_least=0)
    temperature: float = option(
        0.7, "below 1 safer, above 1 bolder; 0 takes the likeliest", at_least=0, at_most=100
    )
    top_p: float = option(0.95, "draw from the likeliest that have this share together", above=0, at_most=1)


class CharModel(nn.Module):
    """Characters in, the logits of the next ones out: embedding, stacked GRU, projection.

    Args:
      symbols: how many numbers a vocabulary has.
      options: the sizes and the dropout.
    """

    symbols: int
    options: Model

    @nn.compact
    def __call__(
        self, ids: jax.Array, carry: PyTree = None, *, deterministic: bool = True
    ) -> tuple[PyTree, jax.Array]:
        """Take ids (T, B) and the state before them to the state after them and logits (T, B, symbols)."""
        size, layers, dropout = self.options.hidden_size, self.options.layers, self.options.dropout
        xs = nn.Embed(self.symbols, self.options.embedding_size)(ids)
        gru = GRU(size, num_layers=layers, dropout=dropout, time_major=True, return_carry=True)
        carry, ys = gru(xs, carry, deterministic=deterministic)
        ys = nn.Dropout(dropout)(ys, deterministic=deterministic)
        return carry, nn.Dense(self.symbols)(ys)

    @nn.nowrap
    def step(self, params: PyTree, carry: PyTree, ids: jax.Array) -> tuple[PyTree, jax.Array]:
        """One character of each row, ids (B,), for `jaxgru.decode`: `unknown`, which is no character, never follows."""
        carry, logits = read(self, params, ids[None], carry)
        return carry, logits[0].at[:, -1].set(-jnp.inf)


class Chars(LanguageModel):
    """Predict the next character of a text.

    The score is bits per character over a whole split, read as one stream from left to right with the state
    carried through. Every character of the split is scored exactly once, the first one after the character
    that stands before the split. A character that training never shows is scored as the vocabulary's
    `unknown` symbol, by the model and by the baseline alike.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: the characters of the training split, if known: then the text is read when first needed.
    """

    name = "chars"
    metric = METRIC
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config, vocabulary: str | None = None) -> None:
        self.config = config
        if vocabulary is None:
            vocabulary = self.corpus.text[: self.split.train.stop]
            self.refuse_short(self.corpus.source, "characters")
        self.symbols = Characters(vocabulary)
        self.vocabulary = self.symbols.characters
        self.model = CharModel(len(self.symbols), config.model)
        self._encode_prompt(config.sample.prompt)

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its text is read when first needed."""
        if not isinstance(vocabulary, str) or not vocabulary:
            raise ValueError("vocabulary should be a string of characters, one at least")
        return cls(config, vocabulary)

    @cached_property
    def corpus(self) -> texts.Corpus:
        """The text and its split."""
        data = self.config.data
        try:
            return texts.Corpus.load(
                data.path, repeats=data.repeats, validation=data.validation, test=data.test
            )
        except DataError as error:
            raise UserError(str(error)) from None

    @property
    def split(self) -> texts.Split:
        """Which characters are for what."""
        return self.corpus.split

    @cached_property
    def ids(self) -> npt.NDArray[np.int32]:
        """The numbers (N,) of all characters of the text."""
        return self.symbols.encode(self.corpus.text)

    def facts(self) -> dict[str, Any]:
        """Where the text is from, its SHA-256, its sizes, and how many held-out characters are unknown."""
        held_out = self.ids[len(self.split.train) :]
        return {
            "source": self.corpus.source,
            "sha256": self.corpus.sha256,
            "characters": len(self.corpus.text),
            **{name: len(part) for name, part in self.split._asdict().items()},
            "vocabulary": len(self.symbols),
            "unknown": int((held_out == self.symbols.unknown).sum()),
        }

    @staticmethod
    def score(bits: Floats) -> float:
        """Bits per character."""
        return float(bits.mean())

    def baseline(self) -> dict[str, float]:
        """Bits per character of an interpolated 5-gram, its discount chosen on the validation split."""
        train, *held_out = self.split
        model = KneserNey.count(self.ids[train.start : train.stop], len(self.symbols), order=ORDER)
        validation, test = ((self.ids[: part.stop], part.start) for part in held_out)
        return {METRIC: model.tune(*validation).bits(*test)}

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """Write `options.length` characters after a prompt, by default that of the options.

        The text starts with the prompt. The same key and options give the same text; asked for more
        characters, the model first writes the same ones.
        """
        prompt = options.prompt if prompt is None else prompt
        ids = jnp.asarray(self._encode_prompt(prompt))[:, None]
        if not options.length:
            return prompt
        draw = {"temperature": options.temperature, "top_p": options.top_p}
        written = decode.sample(self.model, params, self.blank(1), ids, key, steps=options.length, **draw)
        return prompt + self.symbols.decode(np.asarray(written.tokens[:, 0]))

    def _encode_prompt(self, prompt: str) -> npt.NDArray[np.int32]:
        """The ids of a prompt, never none: an empty one is a line break, or else the first character."""
        for character in prompt:
            if character not in self.vocabulary:
                raise UserError(
                    f"the prompt has {character!r}, which does not occur in the training text; leave it out"
                )
        return self.symbols.encode(prompt or ("\n" if "\n" in self.vocabulary else self.vocabulary[0]))

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write sample.txt."""
        path = run_dir / "sample.txt"
        path.write_text(self.sample(params, None, key, self.config.sample) + "\n", encoding="utf-8")
        return [path]
