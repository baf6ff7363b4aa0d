"""The task `translate`: texts of one language into those of another, and where the model looked meanwhile."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from jaxgru.data import Buckets, DataError
from jaxgru.data.padding import pieces
from jaxgru.data.parallel import Pair, Parallel
from jaxgru.data.tokens import text_of, tokens
from jaxgru.data.vocabulary import Words, check_words
from jaxgru.tasks.language_models.ngram import KneserNey
from jaxgru.tasks.options import buckets, keep_path
from jaxgru.tasks.translation import alignments
from jaxgru.tasks.translation.alignments import Translation
from jaxgru.tasks.translation.nearest import nearest
from jaxgru.tasks.translation.translator import Model, Translator, score, search
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError
from jaxgru.training.task import PyTree, Split, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

METRIC = "perplexity"
STEPS = 16  # texts to be read together are padded to a multiple of so many words
SLACK = 16  # words that a translation may have beyond twice those of its text

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Data:
    """The table [data]: which texts, and how they are read."""

    path: str = option(
        "", "a folder of parallel text or of .mo catalogues; empty: the messages of gramps and indico"
    )
    source: str = option("en", "the language to translate from, as files are named by it")
    target: str = option("de", "the language to translate into")
    validation: float = option(0.05, "the share that chooses, where no file does", above=0, below=1)
    test: float = option(0.1, "the share that is scored once at the end, where no file is", above=0, below=1)
    lowercase: bool = option(False, "whether texts are read, and scored, in lower case")
    longest: int = option(
        60, "words of a text that is trained on, on either side; longer pairs are left out", at_least=1
    )
    min_count: int = option(2, "how often a word of a vocabulary occurs in training, at least", at_least=1)
    max_padding: float = option(0.25, "the share of padding in a batch to allow", at_least=0, below=1)
    max_shapes: int = option(8, "shapes of batches to allow, each of which compiles", at_least=1, at_most=64)

    def __post_init__(self) -> None:
        """Keep the path whole, for a run is opened from anywhere."""
        keep_path(self)
        if not (self.source and self.target):
            raise ValueError("source and target should each be a language, such as 'de'")
        if self.source == self.target:
            raise ValueError(f"source and target are both {self.source!r}; they should be two languages")


@dataclass(frozen=True)
class Sample:
    """The table [sample]: what is translated, and how a translation is searched for."""

    text: str = option("", "the text where none is given")
    beams: int = option(
        5, "translations that are followed at once; 1 takes the likeliest word", at_least=1, at_most=64
    )
    length_penalty: float = option(
        0.6, "above 0 favours long translations, below 0 short ones", at_least=-10, at_most=10
    )


class Numbered(NamedTuple):
    """Pairs as numbers: sources (S,), and targets (T,) with the end."""

    sources: list[Ints]
    targets: list[Ints]

    @property
    def lengths(self) -> list[int]:
        """The steps of each pair, those of the longer one."""
        return [max(len(source), len(target)) for source, target in zip(*self, strict=True)]


class Translate(Task):
    """Translate texts.

    The score is perplexity: e to the nats per word of the translations in a split, given the texts and the words
    before, the end of each among them. A word of the translations that training shows too rarely is one unknown
    word. BLEU, by sacrebleu, is of what beam search finds; there the unknown word is replaced by the word of the
    source that the model looked at.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: the words of either language, if known: then the texts are read when first needed.
    """

    name = "translate"
    metric = METRIC
    higher_is_better = False
    batch_axis = 1
    ragged = True
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config, vocabulary: dict[str, list[str]] | None = None) -> None:
        if importlib.util.find_spec("sacrebleu") is None:
            raise UserError(
                "the task translate scores with sacrebleu; it comes with: pip install 'jaxgru[tasks]'"
            )
        self.config = config
        if vocabulary is None:
            vocabulary = self._count()
        self.vocabulary = vocabulary
        self.sources, self.targets = (Words(vocabulary[side]) for side in ("source", "target"))
        self.model = Translator(len(self.sources), len(self.targets) + 1, config.model)
        if "trained" in vars(self):
            _ = self.buckets  # refused here, if they are

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its texts are read when first needed."""
        check_words(vocabulary, "source", "target")
        return cls(config, vocabulary)

    @cached_property
    def texts(self) -> Parallel:
        """The pairs, by what they are for."""
        data = self.config.data
        try:
            path, languages = Path(data.path) if data.path else None, (data.source, data.target)
            return Parallel.load(path, languages=languages, validation=data.validation, test=data.test)
        except DataError as error:
            raise UserError(str(error)) from None

    def _read(self, text: str) -> tuple[str, ...]:
        return tokens(text, lowercase=self.config.data.lowercase)

    @cached_property
    def trained(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """The words of the pairs to train on, without those that are too long."""
        pairs = [(self._read(source), self._read(target)) for source, target in self.texts.train]
        return [pair for pair in pairs if max(map(len, pair)) <= self.config.data.longest]

    def _count(self) -> dict[str, list[str]]:
        """The vocabularies of the training split."""
        source, data, rows = self.texts.source, self.config.data, self.config.train.batch_size
        if len(self.trained) < rows:
            raise UserError(
                f"{source}: too few pairs: {len(self.trained)} to train on of at most data.longest = "
                f"{data.longest} words, and a step takes train.batch_size = {rows}"
            )
        found = {}
        for side, texts in zip(("source", "target"), zip(*self.trained, strict=True), strict=True):
            found[side] = Words.of(texts, data.min_count).words
            if not found[side]:
                raise UserError(
                    f"{source}: no word of the {side} occurs data.min_count = {data.min_count} times"
                )
        return found

    @cached_property
    def train(self) -> Numbered:
        """The pairs to train on, as numbers."""
        return self._encode(self.trained)

    def _encode(self, pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Numbered:
        end = np.int32(self.model.end)
        targets = [np.append(self.targets.encode(target), end) for _, target in pairs]
        return Numbered([self.sources.encode(source) for source, _ in pairs], targets)

    def _numbered(self, pairs: Sequence[Pair]) -> Numbered:
        return self._encode([(self._read(source), self._read(target)) for source, target in pairs])

    @cached_property
    def buckets(self) -> Buckets:
        """Which pairs a step sees."""
        return buckets(self.config, self.train.lengths)

    def facts(self) -> dict[str, Any]:
        """Where the pairs are from, their SHA-256, how many are for what, and what was left out."""
        texts = self.texts
        return {
            "source": texts.source,
            "sha256": texts.sha256,
            "train": len(texts.train),
            "validation": len(texts.validation),
            "test": len(texts.test),
            "repeated": texts.repeated,
            "leaked": texts.leaked,
            "too_long": len(texts.train) - len(self.trained),
            "source_vocabulary": len(self.sources),
            "target_vocabulary": len(self.targets),
        }

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters."""
        words, lengths = jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
        return self.model.init(key, words, lengths, words, lengths)

    def batch(self, step: int) -> PyTree:
        """Sources (S, B) and targets (S, B), each with their lengths; those of rows of filler are 0."""
        batch = self.buckets.at(step)
        (sources, source_lengths), (targets, target_lengths) = (
            batch.pad(side, shorter=True) for side in self.train
        )
        return {
            "sources": sources,
            "source_lengths": source_lengths,
            "targets": targets,
            "target_lengths": target_lengths,
        }

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """Nats per word of one batch."""
        logits, _ = self.model.apply(params, **batch, deterministic=False, rngs={"dropout": key})
        targets, lengths = batch["targets"], batch["target_lengths"]
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        if smoothing := self.config.model.label_smoothing:
            nats = (1 - smoothing) * nats - smoothing * jax.nn.log_softmax(logits).mean(-1)
        real = jnp.arange(len(targets))[:, None] < lengths
        return jnp.where(real, nats, 0).sum() / lengths.sum(), carry

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """Perplexity and BLEU of a split."""
        pairs: list[Pair] = getattr(self.texts, split)
        said = self.translate(params, [pair.source for pair in pairs], self.config.sample)
        bleu = alignments.bleu([each.text for each in said], pairs, lowercase=self.config.data.lowercase)
        return {METRIC: self._perplexity(params, pairs), "bleu": bleu}

    def _perplexity(self, params: PyTree, pairs: Sequence[Pair]) -> float:
        numbered = self._numbered(pairs)
        nats, words = 0.0, 0
        for batch in pieces(numbered.lengths, STEPS):
            padded = [part for side in numbered for part in batch.pad(side, shorter=True)]
            scores = score(self.model, params, *padded)
            nats, words = nats + float(scores.nats.sum()), words + int(scores.words.sum())
        return math.exp(min(nats / words, 700.0))  # as long as a float holds it

    def translate(self, params: PyTree, texts: Sequence[str], options: Any) -> list[Translation]:
        """The best translation of each text that beam search finds."""
        read = [self._read(text) for text in texts]
        numbers = [self.sources.encode(words) for words in read]
        found: dict[int, Translation] = {}
        for batch in pieces([len(words) for words in numbers], STEPS):
            steps, penalty = 2 * batch.steps + SLACK, jnp.float32(options.length_penalty)
            best = jax.device_get(
                search(self.model, params, *batch.pad(numbers), steps, options.beams, penalty)
            )
            for place, row in enumerate(batch.rows[batch.rows >= 0]):
                length = int(best.lengths[place]) - int(
                    best.words[best.lengths[place] - 1, place] == self.model.end
                )
                attention = best.attention[:length, place, : len(read[row])]
                written = self._written(best.words[:length, place], read[row], attention)
                found[int(row)] = Translation(read[row], written, text_of(written), attention)
        return [found[row] for row in range(len(texts))]

    def _written(
        self, numbers: npt.NDArray[np.integer], source: Sequence[str], attention: npt.NDArray[np.floating]
    ) -> tuple[str, ...]:
        """Words; one that is unknown is the word of the source that the model looked at."""
        words = self.targets.words
        looked = attention.argmax(1) if attention.size else numbers
        return tuple(
            words[number] if number < len(words) else source[place]
            for number, place in zip(numbers.tolist(), looked.tolist(), strict=True)
        )

    def baseline(self) -> dict[str, float]:
        """Perplexity of a trigram over the translations, which does not see the texts; BLEU of a memory of them."""
        train, validation, test = (
            np.concatenate([[self.model.end], *self._numbered(pairs).targets])
            for pairs in (self.texts.train, self.texts.validation, self.texts.test)
        )
        trigram = KneserNey.count(train, self.model.targets, order=3).tune(validation, 1)
        said = nearest(self.texts.train, [pair.source for pair in self.texts.test])
        bleu = alignments.bleu(said, self.texts.test, lowercase=self.config.data.lowercase)
        return {METRIC: 2 ** trigram.bits(test, 1), "bleu": bleu}

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """The translation of a text."""
        del key
        text = " ".join((options.text if prompt is None else prompt).split())
        if not text:
            raise UserError(
                'there is no word to translate; give a text: python -m jaxgru sample RUN "a text"'
            )
        return self.translate(params, [text], options)[0].text

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write translations.txt, and attention.png of a model that attends."""
        del key
        pairs = self.texts.test
        shown = alignments.choose([self._read(pair.source) for pair in pairs])
        chosen = [pairs[i] for i in shown]
        said = self.translate(params, [pair.source for pair in chosen], self.config.sample)
        memory = nearest(self.texts.train, [pair.source for pair in chosen])
        paths = [run_dir / "translations.txt"]
        paths[0].write_text(alignments.report(chosen, said, memory), encoding="utf-8")
        picture = run_dir / "attention.png"
        return [*paths, picture] if self.config.model.attention and alignments.draw(picture, said) else paths
