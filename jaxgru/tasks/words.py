"""The task `words`: a language model over the words of a text, what it writes, and what surprises it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru import decode
from jaxgru.data import DataError
from jaxgru.data import text as texts
from jaxgru.data.vocabulary import Words as Numbers
from jaxgru.data.wordtext import END, UNKNOWN, Lines, Prose, WordText, frequent
from jaxgru.tasks.language_models import surprise
from jaxgru.tasks.language_models.language import LanguageModel
from jaxgru.tasks.language_models.ngram import KneserNey
from jaxgru.tasks.language_models.wordmodel import Model, WordModel
from jaxgru.tasks.options import check_shares, keep_path
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from jaxgru.training.task import PyTree

METRIC = "perplexity"
ORDER, LONGER = 3, 5  # words of the baseline's longest gram, and of that of the n-gram beside it
SHOWN = 100  # words of the test split that the picture has room for, at most

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """The table [data]: which text, and how it is cut."""

    path: str = option(
        "", "a UTF-8 text, or a folder as of the Penn Treebank; empty means Python's language reference"
    )
    repeats: str = option(
        "auto",
        "what becomes of a text's repeated paragraphs; auto drops the reference's, keeps a file's",
        choices=("auto", "drop", "keep"),
    )
    min_count: str | int = option(
        "auto",
        "how often a word of the vocabulary occurs in training, at least; auto: twice, in a folder once",
        at_least=1,
        choices=("auto",),
    )
    validation: float = option(
        0.05, "the part of a single text before the test part, which chooses", above=0, below=1
    )
    test: float = option(0.1, "the last part of a single text, scored once at the end", above=0, below=1)
    window: int = option(35, "words a step sees of each stream, and learns through", at_least=1)
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
class Sample:
    """The table [sample]: how the model is made to write."""

    prompt: str = option("", "what the text starts with; empty means the start of a paragraph")
    length: int = option(200, "words to write after the prompt", at_least=0)
    temperature: float = option(
        0.8, "below 1 safer, above 1 bolder; 0 takes the likeliest", at_least=0, at_most=100
    )
    top_p: float = option(0.95, "draw from the likeliest that have this share together", above=0, at_most=1)


class Words(LanguageModel):
    """Predict the next word of a text.

    The score is perplexity, two to the power of the bits that a word takes, over a whole split, read as one
    stream from left to right with the state carried through. Every word of the split is scored exactly once,
    the ends of paragraphs or lines (`<eos>`) among them, the first one after the word that stands before the
    split. A word that is not in the vocabulary is `<unk>`, and scored as that symbol, by the model and by the
    baseline alike: perplexities compare where texts, words and vocabularies are equal.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: the words of the training split and whether its text was cut into lines, if known: then the
        text is read when first needed.
    """

    name = "words"
    metric = METRIC
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config, vocabulary: dict[str, Any] | None = None) -> None:
        self.config = config
        self.vocabulary = self._count() if vocabulary is None else vocabulary
        self.tokens = Lines() if self.vocabulary["lines"] else Prose()
        self.numbers = Numbers(self.vocabulary["words"])
        self.model = WordModel(len(self.numbers), config.model)

    def _count(self) -> dict[str, Any]:
        """The vocabulary of the training split."""
        text = self.text
        length, lines = len(text.split.train), isinstance(text.tokens, Lines)
        self.refuse_short(text.source, "words")
        least = self.config.data.min_count
        words = frequent(text.words[:length], (1 if lines else 2) if isinstance(least, str) else least)
        if words == [END]:
            raise UserError(f"{text.source}: no word to train on occurs data.min_count times")
        return {"words": words, "lines": lines}

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its text is read when first needed."""
        if not (
            isinstance(vocabulary, dict)
            and vocabulary.keys() == {"words", "lines"}
            and isinstance(vocabulary["lines"], bool)
            and isinstance(words := vocabulary["words"], list)
            and all(isinstance(word, str) and word for word in words)
            and words[:1] == [END]
            and len({*words}) == len(words) > 1
        ):
            raise ValueError(
                f"vocabulary should be lines, and words, a list of different strings after {END}"
            )
        return cls(config, vocabulary)

    @cached_property
    def text(self) -> WordText:
        """The text and its split."""
        data = self.config.data
        try:
            return WordText.load(data.path, repeats=data.repeats, validation=data.validation, test=data.test)
        except DataError as error:
            raise UserError(str(error)) from None

    @property
    def split(self) -> texts.Split:
        """Which words are for what."""
        return self.text.split

    @cached_property
    def ids(self) -> Ints:
        """The numbers (N,) of all words of the text."""
        return self.numbers.encode(self.text.words)

    def facts(self) -> dict[str, Any]:
        """Where the text is from, its SHA-256, its sizes, and how many words of each split are unknown."""
        text = self.text
        parts = text.split._asdict()
        unknown = self.ids == self.numbers.unknown
        return {
            "source": text.source,
            "sha256": text.sha256,
            "words": len(text.words),
            **{name: len(part) for name, part in parts.items()},
            "vocabulary": len(self.numbers),
            **{f"unknown_{name}": int(unknown[part.start : part.stop].sum()) for name, part in parts.items()},
        }

    @staticmethod
    def score(bits: Floats) -> float:
        """The perplexity."""
        return perplexity(bits)

    def ngram(self, order: int) -> KneserNey:
        """What was counted in the training split, with the discount that the validation split chose."""
        train, validation, _ = self.split
        model = KneserNey.count(self.ids[train.start : train.stop], len(self.numbers), order=order)
        return model.tune(self.ids[: validation.stop], validation.start)

    def counted(self, order: int) -> Floats:
        """The bits (N,) that each word of the test split takes under an n-gram."""
        part = self.text.split.test
        start = max(part.start - order + 1, 0)  # of the context of the first one
        return -np.log2(self.ngram(order).probabilities(self.ids[start : part.stop])[part.start - start :])

    def baseline(self) -> dict[str, float]:
        """The perplexity of an interpolated Kneser-Ney trigram, and beside it that of a 5-gram."""
        orders = {METRIC: ORDER, f"five_gram_{METRIC}": LONGER}
        return {name: perplexity(self.counted(order)) for name, order in orders.items()}

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """Write `options.length` words after a prompt, by default that of the options.

        The text starts with the prompt, as a paragraph starts; a word of it that is unknown is read as `<unk>`.
        The same key and options give the same text; asked for more words, the model first writes the same ones.
        """
        prompt = options.prompt if prompt is None else prompt
        if not options.length:
            return prompt
        given = self._prompt(prompt)
        ids = jnp.asarray(self.numbers.encode([END, *given]))[:, None]
        draw = {"temperature": options.temperature, "top_p": options.top_p}
        written = decode.sample(self.model, params, self.blank(1), ids, key, steps=options.length, **draw)
        words = [self.numbers.words[i] for i in np.asarray(written.tokens[:, 0])]
        rest = self.tokens.join([*given, *words]).removeprefix(self.tokens.join(given))
        return prompt + (rest.lstrip(" ") if prompt[-1:].isspace() else rest)

    def _prompt(self, prompt: str) -> list[str]:
        """The words of a prompt, whose end is not that of a paragraph unless it says so."""
        given = self.tokens.split(prompt) if prompt.strip() else []
        return given if prompt.endswith(self.tokens.end) else given[:-1]

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write sample.txt, and surprise.png: how the model and the trigram read the start of the test."""
        paths = [run_dir / name for name in ("sample.txt", "surprise.png")]
        text = self.sample(params, None, key, self.config.sample)
        paths[0].write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        part = self.text.split.test[:SHOWN]
        readings = {"this model": self.bits(params, part), "a trigram": self.counted(ORDER)[: len(part)]}
        known = self.ids[part.start : part.stop] != self.numbers.unknown
        words = self.text.words[part.start : part.stop]
        surprise.draw(paths[1], [w if k else UNKNOWN for w, k in zip(words, known, strict=True)], readings)
        return paths


def perplexity(bits: Floats) -> float:
    """Two to the power of the mean, as long as a float holds it."""
    return float(2 ** min(bits.mean(), 1023.0))
