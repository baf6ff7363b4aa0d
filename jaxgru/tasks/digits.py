"""The task `digits`: images read as sequences, row by row or pixel by pixel, and what is in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError, images
from jaxgru.data.channels import Scaler
from jaxgru.data.fetching import fetch
from jaxgru.data.grey import Size
from jaxgru.data.padding import pieces
from jaxgru.tasks.classification import imagepictures, imagereader, pixels, verdicts
from jaxgru.tasks.classification.classes import check_classes, check_same, nats, numbered, place_of
from jaxgru.tasks.classification.imagepictures import Told
from jaxgru.tasks.classification.imagereader import ImageReader, Model
from jaxgru.tasks.classification.looking import NUMBER, PICTURE, TABLES, Data, look, rim
from jaxgru.tasks.options import turns
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError
from jaxgru.training.task import PyTree, Split, Task

METRIC = "accuracy"
KEYS = {"classes", "height", "width", "highest", "bright", "scaler"}  # of a run's vocabulary

if TYPE_CHECKING:
    from jaxgru.data.images import Images, Part
    from jaxgru.tasks.classification.pixels import Floats, Ints


@dataclass(frozen=True)
class Sample:
    """The table [sample]: which image is looked at."""

    input: str = option("0", f"{PICTURE}, or {NUMBER}")
    exchange: str = option(
        "auto",
        "whether light and dark of a file change places; auto: where its ground is not as in training",
        choices=("auto", "yes", "no"),
    )


class Digits(Task):
    """Tell what is in an image from its rows, or its pixels, read one after the other.

    The score is the share of a split's images whose likeliest class is theirs. All pixels are scaled alike, by the
    training split. Images of training come once an epoch.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: the classes, the size and the scale of images, if known: then they are read when first needed.
    """

    name = "digits"
    metric = METRIC
    higher_is_better = True
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config, vocabulary: dict[str, Any] | None = None) -> None:
        self.config = config
        self.vocabulary = self._known() if vocabulary is None else vocabulary
        self.classes: list[str] = self.vocabulary["classes"]
        self.size: tuple[int, int] = self.vocabulary["height"], self.vocabulary["width"]
        self.scaler = Scaler.from_json(self.vocabulary["scaler"])
        self.model = ImageReader(len(self.classes), config.data.order, config.model)

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its images are read when first needed."""
        if not (isinstance(vocabulary, dict) and vocabulary.keys() == KEYS):
            raise ValueError(f"vocabulary should be {', '.join(sorted(KEYS))}")
        check_classes({"classes": vocabulary["classes"]})
        for name in ("height", "width"):
            if type(vocabulary[name]) is not int or not 0 < vocabulary[name] <= 1 << 16:
                raise ValueError(f"{name} should be a number of pixels, not {vocabulary[name]!r}")
        if vocabulary["highest"] not in images.SCALES or type(vocabulary["bright"]) is not bool:
            raise ValueError("highest should be 1, 16 or 255, and bright true or false")
        if len(Scaler.from_json(vocabulary["scaler"]).means) != 1:
            raise ValueError("the scaler should have one mean and one scale")
        return cls(config, vocabulary)

    def _known(self) -> dict[str, Any]:
        """What `restore` needs, all of it from the training split."""
        train, highest = self.images.train.pixels, self.images.highest
        return {
            "classes": self.images.classes,
            "height": train.shape[1],
            "width": train.shape[2],
            "highest": highest,
            "bright": bool(rim(train).mean() > highest / 2),
            "scaler": Scaler.fit([train.reshape(-1, 1).astype(np.float32)]).to_json(),
        }

    @cached_property
    def images(self) -> Images:
        """The images, by what they are for."""
        data = self.config.data
        try:
            if data.path:
                path, source = Path(data.path), data.path
            else:
                path, source = next(fetch(data.source).iterdir()), TABLES[data.source]
            return images.load(
                path, source, validation=data.validation, test=data.test, label=data.label, width=data.width
            )
        except DataError as error:
            raise UserError(str(error)) from None

    @cached_property
    def train(self) -> pixels.Scaled:
        """The scaled images to train on, with the numbers of their classes."""
        return self._scaled(self.images.train)

    def _scaled(self, part: Part) -> pixels.Scaled:
        return pixels.Scaled(self._scale(part.pixels), self._labels(part))

    def _scale(self, of: npt.NDArray[Any]) -> Floats:
        return self.scaler(of[..., None])[..., 0]

    def _labels(self, part: Part) -> Ints:
        return numbered(map(str, part.labels), self.classes)

    def facts(self) -> dict[str, Any]:
        """Where the images are from, their SHA-256, how many are for what, and what was left out."""
        data, (height, width) = self.images, self.size
        found = {
            "source": data.source,
            "sha256": data.sha256,
            "train": len(data.train.labels),
            "validation": len(data.validation.labels),
            "test": len(data.test.labels),
            "repeated": data.repeated,
            "leaked": data.leaked,
            "classes": len(self.classes),
            "height": height,
            "width": width,
            "steps": imagereader.steps(height, width, self.config.data.order),
        }
        if self.config.data.order == "permuted":
            order = imagereader.permutation(height * width)
            found["permutation"] = hashlib.sha256(" ".join(map(str, order)).encode()).hexdigest()
        return found

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters."""
        return self.model.init(key, jnp.zeros((1, *self.size)))

    def batch(self, step: int) -> PyTree:
        """Scaled images (B, H, W) and the numbers (B,) of their classes; epochs follow each other without a gap."""
        chosen = turns(step, self.config.train.batch_size, len(self.train.labels), self.config.seed)
        return {"images": self.train.pixels[chosen], "labels": self.train.labels[chosen]}

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """Nats per image of one batch, of labels as smooth as the config says."""
        training = {"deterministic": False, "rngs": {"dropout": key}}
        logits = cast("jax.Array", self.model.apply(params, batch["images"], **training))
        return nats(logits, batch["labels"], self.config.model.label_smoothing).mean(), carry

    def read(self, params: PyTree, scaled: Floats) -> Floats:
        """The probability (N, classes) of each class of some scaled images."""
        odds = np.zeros((len(scaled), len(self.classes)), np.float32)
        count = imagereader.steps(*self.size, self.config.data.order)
        for batch in pieces([count] * len(scaled)):
            real = batch.rows >= 0
            found = jax.device_get(_odds(self.model, params, scaled[batch.rows]))
            odds[batch.rows[real]] = found[real]
        return odds

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """The share of right answers, and F1 averaged over the classes."""
        part = self._scaled(getattr(self.images, split))
        return verdicts.scores(self._confusion(part.labels, self.read(params, part.pixels).argmax(1)))

    def _confusion(self, labels: Ints, said: Ints) -> npt.NDArray[np.int64]:
        return verdicts.confusion(labels, said, len(self.classes))

    @cached_property
    def others(self) -> dict[str, dict[str, float]]:
        """What methods without a recurrence score on the test split."""
        validation, test = (self._scaled(part) for part in (self.images.validation, self.images.test))
        said = pixels.baselines(self.train, validation, test, len(self.classes))
        return {name: verdicts.scores(self._confusion(test.labels, found)) for name, found in said.items()}

    def baseline(self) -> dict[str, float]:
        """The scores of the nearest neighbour, and beside them those of a logistic regression."""
        nearest, logistic = self.others.values()
        return nearest | {f"logistic_{name}": score for name, score in logistic.items()}

    def look(self, name: str, exchange: str) -> tuple[str, Floats]:
        """What an INPUT means: what to call it, and its scaled pixels (H, W).

        Args:
          name: a PNG or JPEG file, or the number of an image of the test split.
          exchange: whether light and dark of a file change places, see `Sample`.

        Raises:
          UserError: it is neither, or of another size than what the model has learnt from.
        """
        if not name.isdecimal():
            known = self.vocabulary
            try:
                title, found = look(Path(name), self.size, exchange, bright=known["bright"])
            except DataError as error:
                raise UserError(str(error)) from None
            return title, self._scale(found * known["highest"])
        test = self._same().test
        number = place_of(name, len(test.labels), "images")
        return f"image {number} of the test split, {test.labels[number]}", self._scale(test.pixels[number])

    def _same(self) -> Images:
        """The images, which are of the kind that the model has learnt from.

        Raises:
          UserError: they are no longer, as the files have changed since.
        """
        data = self.images
        height, width = data.train.pixels.shape[1:]
        pixels = Size(height, width), Size(*self.size)
        check_same(data.source, self.classes, data.classes, {"pixels": pixels})
        return data

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """The classes of an image with their probabilities."""
        del key
        title, scaled = self.look(options.input if prompt is None else prompt, options.exchange)
        odds = dict(zip(self.classes, self.read(params, scaled[None])[0].tolist(), strict=True))
        return f"{title}\n{verdicts.ranked(odds)}"

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write report.txt, confusion.png, mistakes.png and reading.png, all of the test split."""
        del key
        test = self._scaled(self.images.test)
        odds = self.read(params, test.pixels)
        counts = self._confusion(test.labels, odds.argmax(1))
        paths = verdicts.write(run_dir, counts, self.classes, self.others, "images")
        paths += [run_dir / "mistakes.png", run_dir / "reading.png"]
        told = [
            Told(row, image, self.classes[label], self.classes[int(found.argmax())], float(found.max()))
            for row, (image, label, found) in enumerate(zip(test.pixels, test.labels, odds, strict=True))
        ]
        imagepictures.draw_mistakes(paths[2], told)
        labels = [each.label for each in told]
        shown = verdicts.pick(labels, [-each.probability for each in told], odds, self.classes)
        every = jax.device_get(_every(self.model, params, test.pixels[shown]))
        imagepictures.draw_reading(
            paths[3], [told[row] for row in shown], every.swapaxes(0, 1), self.classes, self.config.data.order
        )
        return paths


@partial(jax.jit, static_argnums=0)
def _odds(model: ImageReader, params: PyTree, scaled: Any) -> jax.Array:
    """The probability of each class (B, classes)."""
    return jax.nn.softmax(cast("jax.Array", model.apply(params, scaled)))


@partial(jax.jit, static_argnums=0)
def _every(model: ImageReader, params: PyTree, scaled: Any) -> jax.Array:
    """The probability of each class after each step (T, B, classes)."""
    return jax.nn.softmax(cast("jax.Array", model.apply(params, scaled, every=True)))
