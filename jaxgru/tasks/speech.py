"""The task `speech`: who says this, or which word it is, told from the frames of an utterance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.data import Buckets, DataError, sound
from jaxgru.data.channels import Scaler
from jaxgru.data.fetching import fetch
from jaxgru.data.padding import pieces
from jaxgru.data.utterances import Utterance, Utterances, load
from jaxgru.tasks.classification import frames as pictures
from jaxgru.tasks.classification import summaries, verdicts
from jaxgru.tasks.classification.classes import check_classes, check_same, nats, numbered, place_of
from jaxgru.tasks.classification.frames import Shown
from jaxgru.tasks.classification.hearing import Data, Heard, hear
from jaxgru.tasks.classification.listener import Listener, Model
from jaxgru.tasks.classification.verdicts import Reading
from jaxgru.tasks.options import buckets
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError, warn
from jaxgru.training.task import PyTree, Split, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

METRIC = "accuracy"
FEW = 10  # utterances that choose, below which they tell checkpoints apart badly

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Sample:
    """The table [sample]: what is listened to."""

    input: str = option("0", "a .wav or .ts file, or the number of an utterance of the test split")


class Speech(Task):
    """Tell the class of an utterance, its speaker or its word, from frames of several channels.

    The score is the share of a split's utterances whose likeliest class is theirs. Channels are scaled by the
    training split. Utterances of training come once an epoch, in batches of few shapes.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: the classes, the scaler and the rate, if known: then the utterances are read when first needed.
    """

    name = "speech"
    metric = METRIC
    higher_is_better = True
    batch_axis = 1
    ragged = True
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config, vocabulary: dict[str, Any] | None = None) -> None:
        self.config = config
        if vocabulary is None:
            spoken = self.utterances
            if (count := len(spoken.validation)) < FEW:
                mend = "raise data.validation, or name files in data.validation_where"
                warn(f"only {count} utterances choose the checkpoint: {mend}")
            scaler = Scaler.fit([each.frames for each in spoken.train])
            vocabulary = {"classes": spoken.classes, "scaler": scaler.to_json(), "rate": spoken.rate}
            _ = self.buckets  # refused here, if they are
        self.vocabulary = vocabulary
        self.classes: list[str] = vocabulary["classes"]
        self.scaler = Scaler.from_json(vocabulary["scaler"])
        self.features = config.data.features(vocabulary["rate"]) if vocabulary["rate"] else None
        self.model = Listener(len(self.classes), config.model)

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its utterances are read when first needed."""
        if not (isinstance(vocabulary, dict) and vocabulary.keys() == {"classes", "scaler", "rate"}):
            raise ValueError("vocabulary should be classes, scaler and rate")
        check_classes({"classes": vocabulary["classes"]})
        rate = vocabulary["rate"]
        if type(rate) is not int or (rate and not sound.RATES[0] <= rate <= sound.RATES[1]):
            raise ValueError(f"rate should be samples in a second, or 0, not {rate!r}")
        return cls(config, vocabulary)

    @cached_property
    def utterances(self) -> Utterances:
        """The utterances, by what they are for."""
        data = self.config.data
        try:
            path, source = (
                (Path(data.path), data.path) if data.path else (fetch("japanese-vowels"), "Japanese vowels")
            )
            return load(path, source, data.split, data.pattern, data.longest, data.features)
        except DataError as error:
            raise UserError(str(error)) from None

    @cached_property
    def train(self) -> list[Floats]:
        """The scaled frames (T, C) of each utterance to train on."""
        return self._scale(self.utterances.train)

    @cached_property
    def labels(self) -> Ints:
        """The number (N,) of the class of each utterance to train on."""
        return self._labels(self.utterances.train)

    def _scale(self, utterances: Sequence[Utterance]) -> list[Floats]:
        return [self.scaler(each.frames) for each in utterances]

    def _labels(self, utterances: Sequence[Utterance]) -> Ints:
        return numbered((each.label for each in utterances), self.classes)

    @cached_property
    def buckets(self) -> Buckets:
        """Which utterances a step sees."""
        return buckets(self.config, [len(each.frames) for each in self.utterances.train])

    def facts(self) -> dict[str, Any]:
        """Where the utterances are from, their SHA-256, how many are for what, and what was left out."""
        spoken = self.utterances
        return {
            "source": spoken.source,
            "sha256": spoken.sha256,
            "train": len(spoken.train),
            "validation": len(spoken.validation),
            "test": len(spoken.test),
            "repeated": spoken.repeated,
            "leaked": spoken.leaked,
            "classes": len(self.classes),
            "channels": len(self.scaler.means),
            "rate": spoken.rate,
        }

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters."""
        return self.model.init(key, jnp.zeros((1, 1, len(self.scaler.means))), jnp.ones(1, jnp.int32))

    def batch(self, step: int) -> PyTree:
        """Frames (T, B, C), and of each row its length, its label, and whether it is an utterance and no filler."""
        batch = self.buckets.at(step)
        frames, lengths = batch.pad(self.train)
        real = batch.rows >= 0
        return {"frames": frames, "lengths": lengths, "labels": self.labels[batch.rows], "real": real}

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """Nats per utterance of one batch, of labels as smooth as the config says."""
        training = {"deterministic": False, "rngs": {"dropout": key}}
        logits, _ = _apply(self.model, params, batch["frames"], batch["lengths"], **training)
        found = nats(logits, batch["labels"], self.config.model.label_smoothing)
        return jnp.where(batch["real"], found, 0).sum() / batch["real"].sum(), carry

    def read(self, params: PyTree, frames: Sequence[Floats]) -> Reading:
        """What the model makes of some scaled frames, each (T, C)."""
        odds = np.zeros((len(frames), len(self.classes)), np.float32)
        attention = [np.zeros(0, np.float32)] * len(frames)
        for batch in pieces([len(each) for each in frames]):
            found, weights = jax.device_get(_odds(self.model, params, *batch.pad(frames)))
            for place, row in enumerate(batch.rows[batch.rows >= 0]):
                odds[row], attention[row] = found[place], weights[place, : batch.lengths[place]]
        return Reading(odds, attention)

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """The share of right answers, and F1 averaged over the classes."""
        spoken: list[Utterance] = getattr(self.utterances, split)
        return verdicts.scores(self._confusion(spoken, self.read(params, self._scale(spoken)).odds.argmax(1)))

    def _confusion(self, spoken: Sequence[Utterance], said: Ints) -> npt.NDArray[np.int64]:
        return verdicts.confusion(self._labels(spoken), said, len(self.classes))

    @cached_property
    def others(self) -> dict[str, dict[str, float]]:
        """What methods without a recurrence score on the test split."""
        spoken = self.utterances
        train, validation, test = (
            summaries.Part([each.frames for each in part], self._labels(part))
            for part in (spoken.train, spoken.validation, spoken.test)
        )
        said = summaries.baselines(train, validation, test, len(self.classes), self.scaler)
        return {name: verdicts.scores(self._confusion(spoken.test, labels)) for name, labels in said.items()}

    def baseline(self) -> dict[str, float]:
        """The scores of the nearest neighbour by time warping, of scaled channels; beside them the other two."""
        scaled, raw, logistic = self.others.values()
        beside = {"raw": raw, "logistic": logistic}
        return scaled | {f"{how}_{name}": score for how, of in beside.items() for name, score in of.items()}

    def hear(self, name: str) -> Heard:
        """What an INPUT means: a file, or the number of an utterance of the test split.

        Raises:
          UserError: it is neither, or of another kind than what the model has learnt from.
        """
        try:
            if not name.isdecimal():
                return hear(Path(name), self.features, len(self.scaler.means), self.config.data.longest)
        except DataError as error:
            raise UserError(str(error)) from None
        test = self._known().test
        number = place_of(name, len(test), "utterances")
        where, label, frames = test[number]
        title = verdicts.printable(f"utterance {number} of the test split ({where}), {label}")
        return Heard(title, [label], [frames], [len(frames)])

    def _known(self) -> Utterances:
        """The utterances, which are of the kind that the model has learnt from.

        Raises:
          UserError: they are no longer, as the files have changed since.
        """
        spoken = self.utterances
        channels = spoken.train[0].frames.shape[1]
        others = {
            "channels": (channels, len(self.scaler.means)),
            "samples a second": (spoken.rate, self.vocabulary["rate"]),
        }
        check_same(spoken.source, self.classes, spoken.classes, others)
        return spoken

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """The classes of an utterance with their probabilities; of a .ts file with several, a line for each."""
        del key
        heard = self.hear(options.input if prompt is None else prompt)
        reading = self.read(params, [self.scaler(each) for each in heard.frames])
        if len(heard.frames) > 1:
            return "\n".join(
                [heard.name, pictures.answers(heard.labels, reading.odds, self.classes), *heard.cut]
            )
        odds = dict(zip(self.classes, reading.odds[0].tolist(), strict=True))
        lines = [heard.name, verdicts.ranked(odds), ""]
        if self.config.model.pooling == "attention":
            lines.append(pictures.where(reading.attention[0], self.features))
        return "\n".join([*lines, *heard.cut]).rstrip()

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write report.txt, confusion.png and utterances.png, all of the test split."""
        del key
        spoken = self.utterances.test
        reading = self.read(params, self._scale(spoken))
        counts = self._confusion(spoken, reading.odds.argmax(1))
        paths = verdicts.write(run_dir, counts, self.classes, self.others, "utterances")
        pictures.draw(run_dir / "utterances.png", self._shown(spoken, reading), self.features)
        return [*paths, run_dir / "utterances.png"]

    def _shown(self, spoken: Sequence[Utterance], reading: Reading) -> list[Shown]:
        """Utterances of the usual length: some that were told rightly, some that were not."""
        lengths = [len(each.frames) for each in spoken]
        labels, usual = [each.label for each in spoken], float(np.median(lengths))
        unusual = [abs(length - usual) for length in lengths]
        shown = []
        for i in verdicts.pick(labels, unusual, reading.odds, self.classes):
            frames = spoken[i].frames if self.features else self.scaler(spoken[i].frames)
            title = f"utterance {i}: {verdicts.title(labels[i], reading.odds[i], self.classes)}"
            shown.append(Shown(title, frames, reading.attention[i]))
        return shown


def _apply(
    model: Listener, params: PyTree, frames: Any, lengths: Any, **options: Any
) -> tuple[jax.Array, jax.Array]:
    """Logits (B, classes) and attention (B, T)."""
    return cast("tuple[jax.Array, jax.Array]", model.apply(params, frames, lengths, **options))


@partial(jax.jit, static_argnums=0)
def _odds(model: Listener, params: PyTree, frames: Any, lengths: Any) -> tuple[jax.Array, jax.Array]:
    """The probability of each class (B, classes), and attention (B, T)."""
    logits, attention = _apply(model, params, frames, lengths)
    return jax.nn.softmax(logits), attention
