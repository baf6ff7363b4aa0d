"""The task `video`: the next frame of a clip, and in a closed loop those after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError, clips
from jaxgru.data.clips import KNOWN, Footage, Wanted, footage
from jaxgru.tasks.options import check_shares, keep_path
from jaxgru.tasks.pictures import unused
from jaxgru.tasks.prediction import drawing, fitting, outlook, writing
from jaxgru.tasks.prediction.fitting import Fitted
from jaxgru.tasks.prediction.outlook import Outlook, Windows
from jaxgru.tasks.prediction.predictor import Model, Predictor, Scale, foretell
from jaxgru.tasks.prediction.quality import mse
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError
from jaxgru.training.task import PyTree, Split, Task

METRIC = "mse"
FILM, TALL = 100, 192  # frames of the film of a run, at most, and how high it is made, in pixels
ROWS = 16  # windows that are read at once to score

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """The table [data]: which clips, how large, and what is read and predicted of them."""

    clip: str = option("carphone", "the clip where no path is given", choices=tuple(KNOWN))
    path: str = option("", "a video, or a folder of videos or of frames (PNG, JPEG); empty: the clip above")
    height: int = option(48, "pixels; frames are made smaller by area", at_least=0, at_most=2160)
    width: int = option(0, "pixels; 0: as the first frame's shape says", at_least=0, at_most=4096)
    cut: float = option(
        0.12,
        "mean absolute difference of two frames of yours above which a scene ends; 0: never",
        at_least=0,
        at_most=1,
    )
    context: int = option(4, "frames that are read before the first prediction", at_least=2, at_most=1000)
    horizon: int = option(5, "frames that are predicted in a closed loop", at_least=1, at_most=1000)
    validation: float = option(0.1, "the part before the test part, which chooses", above=0, below=1)
    test: float = option(0.2, "the last part, scored once at the end", above=0, below=1)
    crop: int = option(
        0, "side of the squares of frames that training sees; 0: whole frames", at_least=0, at_most=4096
    )
    flip: bool = option(True, "whether training sees half of its windows from left to right")
    reverse: bool = option(True, "whether training sees half of its windows backwards in time")

    def __post_init__(self) -> None:
        """Keep the path whole, for a run is opened from anywhere; refuse what leaves nothing to train on."""
        keep_path(self)
        check_shares(self)
        if not (self.height or self.width):
            raise ValueError("height and width are 0; one of them has to be said")


@dataclass(frozen=True)
class Sample:
    """The table [sample]: what is predicted, and where it is written."""

    input: str = option("", "a clip to go on with from its end; empty: the middle of the run's test part")
    frames: int = option(0, "frames to predict; 0: data.horizon", at_least=0, at_most=1000)
    folder: str = option("", "the folder to write, which is not there yet; empty: a new name, here")
    enlarge: int = option(4, "pixels of each side of one pixel in what is written", at_least=1, at_most=16)
    rate: float = option(5.0, "frames in a second of the film", at_least=0.1, at_most=50)

    def __post_init__(self) -> None:
        """Keep the input whole, for a run is opened from anywhere; refuse a name that no folder can have."""
        if "\0" in self.folder:
            raise ValueError(f"folder is {self.folder!r}; a folder's name cannot hold NUL")
        keep_path(self, "input")


class Video(Task):
    """Predict the next frame of a clip from the last few.

    The score is the mean squared error of the next frame, of grey values from 0 to 1, over all frames of a part that
    have `data.context` frames of the same scene and the same part before them.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: the size and scale of the frames to train on, if known: then clips are read when first needed.
    """

    name = "video"
    metric = METRIC
    higher_is_better = False
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config, vocabulary: dict[str, Any] | None = None) -> None:
        self.config = config
        if vocabulary is None:
            self.fitted = fitting.fit(config.data, config.model, self.footage)
        else:
            self.fitted = Fitted.restore(vocabulary, config.model.patch)
        self.vocabulary = asdict(self.fitted)
        fitted = self.fitted
        self.model = Predictor(config.model, Scale(fitted.mean, fitted.deviation, fitted.change))

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its clips are read when first needed."""
        return cls(config, vocabulary)

    @cached_property
    def footage(self) -> Footage:
        """The clips, and what of them is for what."""
        data = self.config.data
        wanted = Wanted(data.height, data.width, self.config.model.patch)
        try:
            return footage(data.clip, data.path, wanted, data.cut, data.validation, data.test)
        except DataError as error:
            raise UserError(str(error)) from None

    @cached_property
    def train(self) -> Ints:
        """The first frames (N,) of the windows to train on."""
        return self.footage.windows("train", self.config.data.context + self.config.model.closed)

    def facts(self) -> dict[str, Any]:
        """Where the clips are from, their SHA-256, size, cuts, and how many frames are for what."""
        found, data = self.footage, self.config.data
        parts = {name: sum(map(len, scenes)) for name, scenes in found.parts.items()}
        return {
            "source": found.source,
            "sha256": found.sha256,
            "clips": found.clips,
            "repeated": found.repeated,
            "height": self.fitted.height,
            "width": self.fitted.width,
            "frames": len(found.frames),
            "cuts": list(found.cuts),
            "divided": found.by,
            **parts,
            "scored": {part: len(found.windows(part, data.context + 1)) for part in ("validation", "test")},
        }

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters; they hold for frames of any size."""
        side = self.config.model.patch * self.config.model.kernel_size
        return self.model.init(key, jnp.zeros((1, 1, side, side)))

    def batch(self, step: int) -> PyTree:
        """Windows (B, T, H, W) of frames, cut out, turned round and run backwards by chance."""
        data, size = self.config.data, self.config.train.batch_size
        chance = np.random.default_rng([self.config.seed, step])
        length = data.context + self.config.model.closed
        windows = [self.footage.frames[start : start + length] for start in chance.choice(self.train, size)]
        return np.stack([fitting.varied(window, data, chance) for window in windows])

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """The mean squared error of all predictions but that after the first frame, where nothing has moved yet.

        It is in units of the mean squared change of the frames to train on: to copy the last frame costs about 1.
        """
        del key
        closed = self.config.model.closed
        said = foretell(self.model, params, batch[:, :-closed], closed)
        return jnp.square((said - batch[:, 1:])[:, 1:]).mean() / self.fitted.change**2, carry

    def windows(self, part: str, steps: int) -> Windows:
        """What is read of a part (N, context, H, W), and the frames (N, steps, H, W) that follow."""
        context = self.config.data.context
        starts = self.footage.windows(part, context + steps)
        found = self.footage.frames[starts[:, None] + np.arange(context + steps)]
        return Windows(found[:, :context], found[:, context:])

    def predict(self, params: PyTree, frames: Floats, steps: int) -> Floats:
        """What follows frames (N, T, H, W), (N, steps, H, W) from 0 to 1."""
        found = []
        for start in range(0, len(frames), ROWS):
            some = frames[start : start + ROWS]
            rows = np.resize(some, (ROWS, *some.shape[1:]))  # one shape for all, so that it compiles once
            found.append(np.asarray(_predict(self.model, params, rows, steps))[: len(some)])
        return np.concatenate(found)

    def look(self, params: PyTree, part: str, steps: int) -> Outlook:
        """What the model says of a part, beside what came."""
        windows = self.windows(part, steps)
        return Outlook(windows, self.predict(params, windows.seen, steps))

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """How near the next frames are; of the test part, also those at the end of the horizon."""
        near, horizon = self.look(params, split, 1), self.config.data.horizon
        scores = outlook.scores(near.said, near.windows)
        if split == "test" and horizon > 1:
            far = self.look(params, split, horizon)
            scores[f"mse_{horizon}"] = mse(far.said[:, -1], far.windows.truth[:, -1])
        return scores

    def baseline(self) -> dict[str, float]:
        """The scores of a copy of the last frame, and the error of what goes on in a straight line."""
        near, horizon = self.windows("test", 1), self.config.data.horizon
        scores = outlook.scores(near.copies, near)
        if horizon > 1:
            far = self.windows("test", horizon)
            scores[f"mse_{horizon}"] = mse(far.copies[:, -1], far.truth[:, -1])
        return scores | {"linear_mse": mse(near.line, near.truth[:, 0])}

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """Go on with a clip, or with the middle of the test part; write the frames, all in one, and a film."""
        del key
        path = options.input if prompt is None else prompt
        steps = options.frames or self.config.data.horizon
        folder = Path(options.folder) if options.folder else unused(Path("sample"))
        seen, truth = (self.read(path), None) if path else self.middle(steps)
        said = self.predict(params, seen[None], steps)[0]
        try:
            return writing.write(folder, seen, said, truth, options)
        except OSError as error:
            raise UserError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None

    def read(self, path: str) -> Floats:
        """The end of another clip (context, H, W), as large as those of the run.

        Raises:
          UserError: it is refused, there are several, or it is too short.
        """
        fitted, context = self.fitted, self.config.data.context
        try:
            found = clips.clips(Path(path), Wanted(fitted.height, fitted.width))
        except DataError as error:
            raise UserError(str(error)) from None
        if len(found) > 1:
            raise UserError(f"{path}: {len(found)} clips; name one of them")
        if len(found[0]) < context:
            raise UserError(f"{path}: {len(found[0])} frames are fewer than data.context={context}")
        return found[0][-context:]

    def middle(self, steps: int) -> tuple[Floats, Floats]:
        """What is read (context, H, W), and what follows (steps, H, W), in the middle of the test part."""
        seen, truth = self.windows("test", steps)
        if not len(seen):
            need = f"{self.config.data.context} to read and {steps} to predict"
            raise UserError(f"no scene of the test part has {need}; sample.frames says how many")
        return seen[len(seen) // 2], truth[len(seen) // 2]

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write report.txt, three pictures and a film, all of the test part."""
        del key
        near, far = (self.look(params, "test", steps) for steps in (1, self.config.data.horizon))
        names = ("report.txt", "frames.png", "horizon.png", "errors.png", "test.gif")
        paths = [run_dir / name for name in names]
        paths[0].write_text(outlook.report(near, far) + "\n", encoding="utf-8")
        drawing.draw_frames(paths[1], near)
        drawing.draw_horizon(paths[2], far)
        drawing.draw_errors(paths[3], far)
        films = [frames[:FILM, 0] for frames in (near.windows.truth, near.said)]
        enlarge = max(1, min(4, TALL // self.fitted.height))
        writing.write_film(paths[4], films, [0, 1], enlarge=enlarge, rate=5.0)
        return paths


@partial(jax.jit, static_argnums=(0, 3))
def _predict(model: Predictor, params: PyTree, frames: Any, steps: int) -> jax.Array:
    """What follows frames (B, T, H, W): (B, steps, H, W)."""
    return jnp.clip(foretell(model, params, frames, steps)[:, -steps:], 0, 1)
