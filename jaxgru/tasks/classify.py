"""The task `classify`: which of several classes a text belongs to, and which of its words said so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from jaxgru.data import Buckets, DataError
from jaxgru.data.fetching import fetch
from jaxgru.data.labelled import Example, Labelled, short, tokenise
from jaxgru.data.padding import pieces
from jaxgru.data.vocabulary import Words
from jaxgru.layers.attention.pooling import AttentionPooling, AttentionPoolingParams
from jaxgru.nn.linen import GRU
from jaxgru.tasks.classification import tfidf, verdicts
from jaxgru.tasks.classification.classes import check_classes, numbered
from jaxgru.tasks.classification.verdicts import Reading
from jaxgru.tasks.options import buckets, keep_path
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError, warn
from jaxgru.training.task import PyTree, Split, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

METRIC = "accuracy"

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Data:
    """The table [data]: which texts, and how they are read."""

    path: str = option(
        "", "a file of label<TAB>text lines, or a folder with train and test; empty: Reuters R8"
    )
    validation: float = option(
        0.1, "the share of the training texts that chooses, where no file does", above=0, below=1
    )
    test: float = option(0.1, "the share of a single file that is scored once at the end", above=0, below=1)
    longest: int = option(128, "words of a text that are read, from its start", at_least=1, at_most=100_000)
    min_count: int = option(2, "how often a word of the vocabulary occurs in training, at least", at_least=1)
    max_padding: float = option(0.2, "the share of padding in a batch to allow", at_least=0, below=1)
    max_shapes: int = option(8, "shapes of batches to allow, each of which compiles", at_least=1, at_most=64)

    def __post_init__(self) -> None:
        """Keep the path whole, for a run is opened from anywhere."""
        keep_path(self)


@dataclass(frozen=True)
class Model:
    """The table [model]: an embedding, GRU layers, attention pooling, a projection."""

    embedding_size: int = option(256, "numbers that stand for a word at the input", at_least=1, at_most=65536)
    hidden_size: int = option(64, "units of each GRU layer, in each direction", at_least=1, at_most=65536)
    layers: int = option(1, "GRU layers, one above the other", at_least=1, at_most=64)
    bidirectional: bool = option(True, "whether each layer reads from the end as well")
    attention_size: int = option(64, "units that weigh the words", at_least=1, at_most=65536)
    dropout: float = option(
        0.5, "the share of a layer's inputs and outputs that training leaves out", at_least=0, below=1
    )
    word_dropout: float = option(
        0.2, "the share of words that training replaces by the unknown one", at_least=0, below=1
    )


@dataclass(frozen=True)
class Sample:
    """The table [sample]: what is said of a text."""

    text: str = option("", "the text where none is given")
    words: int = option(8, "how many of its words to show, those with the most attention", at_least=0)


class Classifier(nn.Module):
    """Words in, the logits of the classes out: embedding, GRU, attention pooling, projection.

    Args:
      words: how many numbers a vocabulary has, the last of them for what is unknown.
      classes: how many there are.
      options: the sizes and the dropout.
    """

    words: int
    classes: int
    options: Model

    @nn.compact
    def __call__(
        self, words: jax.Array, lengths: jax.Array, *, deterministic: bool = True
    ) -> tuple[jax.Array, jax.Array]:
        """Take words (T, B) and lengths (B,) to logits (B, classes) and each word's share of attention (B, T)."""
        options = self.options
        if not deterministic:
            gone = jax.random.bernoulli(self.make_rng("dropout"), options.word_dropout, words.shape)
            words = jnp.where(gone, self.words - 1, words)
        xs = nn.Embed(self.words, options.embedding_size)(words)
        xs = nn.Dropout(options.dropout)(xs, deterministic=deterministic)
        gru = GRU(
            options.hidden_size,
            num_layers=options.layers,
            bidirectional=options.bidirectional,
            dropout=options.dropout,
            time_major=True,
        )
        ys = gru(xs, lengths=lengths, deterministic=deterministic)
        head = AttentionPooling(ys.shape[-1], options.attention_size)
        params = self.param("attention", lambda key: head.init(key)._asdict())
        pooled, weights = head.pool(AttentionPoolingParams(**params), ys, lengths)
        pooled = nn.Dropout(options.dropout)(pooled, deterministic=deterministic)
        return nn.Dense(self.classes)(pooled), weights


class Classify(Task):
    """Tell the class of a text from its words.

    The score is the share of a split's texts whose likeliest class is theirs. Texts of training come once an
    epoch, in batches of few shapes. A text longer than `data.longest` is read up to there; a word that training
    shows less often than `data.min_count` times is the one unknown word, which word dropout teaches.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: the words and classes of the training split, if known: then the texts are read when first needed.
    """

    name = "classify"
    metric = METRIC
    higher_is_better = True
    batch_axis = 1
    ragged = True
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config, vocabulary: dict[str, list[str]] | None = None) -> None:
        self.config = config
        if vocabulary is None:
            train = self.texts.train
            words = Words.of((text for _, text in train), config.data.min_count)
            vocabulary = {"words": words.words, "classes": self.texts.classes}
            if unseen := self.texts.unscored:
                what = "no text for validation or for test"
                warn(
                    f"{self.texts.source}: {what} has the class {', '.join(map(short, unseen))}; is a line a header?"
                )
            _ = self.buckets  # refused here, if they are
        self.vocabulary = vocabulary
        self.words, self.classes = Words(vocabulary["words"]), vocabulary["classes"]
        self.model = Classifier(len(self.words), len(self.classes), config.model)

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its texts are read when first needed."""
        check_classes(vocabulary, "words")
        return cls(config, vocabulary)

    @cached_property
    def texts(self) -> Labelled:
        """The texts, by what they are for."""
        data = self.config.data
        try:
            path, source = (Path(data.path), data.path) if data.path else (fetch("r8"), "Reuters R8")
            return Labelled.load(path, validation=data.validation, test=data.test, source=source)
        except DataError as error:
            raise UserError(str(error)) from None

    @cached_property
    def train(self) -> list[Ints]:
        """The numbers (L,) of the words of each text to train on."""
        return self._encode(self.texts.train)

    @cached_property
    def labels(self) -> Ints:
        """The number (N,) of the class of each text to train on."""
        return self._labels(self.texts.train)

    def _encode(self, examples: Sequence[Example]) -> list[Ints]:
        return [self.words.encode(words[: self.config.data.longest]) for _, words in examples]

    def _labels(self, examples: Sequence[Example]) -> Ints:
        return numbered((label for label, _ in examples), self.classes)

    @cached_property
    def buckets(self) -> Buckets:
        """Which texts a step sees."""
        longest = self.config.data.longest
        return buckets(self.config, [min(len(words), longest) for _, words in self.texts.train])

    def facts(self) -> dict[str, Any]:
        """Where the texts are from, their SHA-256, how many are for what, and what was left out."""
        texts = self.texts
        return {
            "source": texts.source,
            "sha256": texts.sha256,
            "train": len(texts.train),
            "validation": len(texts.validation),
            "test": len(texts.test),
            "repeated": texts.repeated,
            "leaked": texts.leaked,
            "classes": len(self.classes),
            "vocabulary": len(self.words),
        }

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters."""
        return self.model.init(key, jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32))

    def batch(self, step: int) -> PyTree:
        """Words (T, B), and of each row its length, its label, and whether it is a text and no filler."""
        batch = self.buckets.at(step)
        words, lengths = batch.pad(self.train)
        real = batch.rows >= 0
        return {"words": words, "lengths": lengths, "labels": self.labels[batch.rows], "real": real}

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """Nats per text of one batch."""
        training = {"deterministic": False, "rngs": {"dropout": key}}
        logits, _ = _apply(self.model, params, batch["words"], batch["lengths"], **training)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"])
        return jnp.where(batch["real"], nats, 0).sum() / batch["real"].sum(), carry

    def read(self, params: PyTree, examples: Sequence[Example]) -> Reading:
        """What the model makes of some texts."""
        texts = self._encode(examples)
        odds = np.zeros((len(texts), len(self.classes)), np.float32)
        attention = [np.zeros(0, np.float32)] * len(texts)
        for batch in pieces([len(text) for text in texts]):
            found, weights = jax.device_get(_odds(self.model, params, *batch.pad(texts)))
            for place, row in enumerate(batch.rows[batch.rows >= 0]):
                odds[row], attention[row] = found[place], weights[place, : batch.lengths[place]]
        return Reading(odds, attention)

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """The share of right answers, and F1 averaged over the classes."""
        examples: list[Example] = getattr(self.texts, split)
        return verdicts.scores(self._confusion(examples, self.read(params, examples).odds.argmax(1)))

    def _confusion(self, examples: Sequence[Example], said: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        return verdicts.confusion(self._labels(examples), said, len(self.classes))

    @cached_property
    def others(self) -> dict[str, dict[str, float]]:
        """What counting words alone scores on the test split."""
        words = Words.of(text for _, text in self.texts.train)
        train, validation, test = (
            tfidf.Texts([words.encode(text) for _, text in part], self._labels(part))
            for part in (self.texts.train, self.texts.validation, self.texts.test)
        )
        said = tfidf.baselines(train, validation, test, len(self.classes), words.unknown)
        return {
            name: verdicts.scores(self._confusion(self.texts.test, labels)) for name, labels in said.items()
        }

    def baseline(self) -> dict[str, float]:
        """The scores of TF-IDF with the nearest centroid, and beside them those of a logistic regression."""
        centroid, logistic = self.others.values()
        return centroid | {f"logistic_{name}": score for name, score in logistic.items()}

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """The classes of a text with their probabilities, and the words with the most attention."""
        del key
        words = tokenise(options.text if prompt is None else prompt)
        if not words:
            raise UserError('there is no word to read; give a text: python -m jaxgru sample RUN "a text"')
        reading = self.read(params, [Example("", words)])
        odds = dict(zip(self.classes, reading.odds[0].tolist(), strict=True))
        text = verdicts.describe(odds, words, reading.attention[0], options.words)
        unknown = dict.fromkeys(word for word in words if self.words.encode([word])[0] == self.words.unknown)
        return f"{text}\nunknown: {' '.join(unknown)}" if unknown else text

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write report.txt, confusion.png and attention.png, all of the test split."""
        del key
        examples = self.texts.test
        reading = self.read(params, examples)
        counts = self._confusion(examples, reading.odds.argmax(1))
        paths = verdicts.write(run_dir, counts, self.classes, self.others)
        picture = run_dir / "attention.png"
        verdicts.draw_attention(picture, verdicts.choose(examples, reading, self.classes))
        return [*paths, picture]


def _apply(
    model: Classifier, params: PyTree, words: Any, lengths: Any, **options: Any
) -> tuple[jax.Array, jax.Array]:
    """Logits (B, classes) and attention (B, T)."""
    return cast("tuple[jax.Array, jax.Array]", model.apply(params, words, lengths, **options))


@partial(jax.jit, static_argnums=0)
def _odds(model: Classifier, params: PyTree, words: Any, lengths: Any) -> tuple[jax.Array, jax.Array]:
    """The probability of each class (B, classes), and attention (B, T)."""
    logits, attention = _apply(model, params, words, lengths)
    return jax.nn.softmax(logits), attention
