"""The task `music`: which keys sound next, given all that sounded before; it invents pieces and continues others."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.data import Buckets, DataError, midi
from jaxgru.data.music import MIDI, Music, grid_of, read_piece
from jaxgru.data.padding import pieces
from jaxgru.data.rolls import KEYS, Roll
from jaxgru.tasks.composition import pianoroll
from jaxgru.tasks.composition.markov import Markov, per_step
from jaxgru.tasks.composition.playing import Played, play
from jaxgru.tasks.composition.rollmodel import Model, RollModel, nats, noisy, scored, with_odds
from jaxgru.tasks.composition.voices import MOST, Ranges, ranges_of
from jaxgru.tasks.options import buckets, check_shares, keep_path
from jaxgru.tasks.pictures import unused
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError, warn
from jaxgru.training.task import PyTree, Split, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

METRIC = "nll"


@dataclass(frozen=True)
class Data:
    """The table [data]: which music, and how it is read."""

    path: str = option(
        "", "a folder of MIDI files or scores, or a .mat of piano rolls; empty: Bach's chorales"
    )
    grid: int = option(
        0, "steps in a quarter note; 0: 4 of scores and MIDI files, 1 of a .mat", at_least=0, at_most=48
    )
    validation: float = option(
        0.1, "the share of the tunes that chooses, where no file does", above=0, below=1
    )
    test: float = option(
        0.1, "the share of the tunes that is scored once, where no file is", above=0, below=1
    )
    transpose: int = option(
        0, "semitones by which training shifts pieces up or down, at most", at_least=0, at_most=11
    )
    max_padding: float = option(0.2, "the share of padding in a batch to allow", at_least=0, below=1)
    max_shapes: int = option(8, "shapes of batches to allow, each of which compiles", at_least=1, at_most=64)

    def __post_init__(self) -> None:
        """Keep the path whole, for a run is opened from anywhere."""
        check_shares(self)
        keep_path(self)


@dataclass(frozen=True)
class Sample:
    """The table [sample]: how the model is made to play."""

    prompt: str = option("", "a MIDI file or a score to go on with; empty: a new piece")
    length: int = option(256, "steps to play after the prompt", at_least=1, at_most=1 << 14)
    voices: int = option(
        4,
        "voices that sound at each step; 0, or where training never has so many: as many keys as come",
        at_least=0,
        at_most=MOST,
    )
    temperature: float = option(1.0, "below 1 safer, above 1 bolder", at_least=0.01, at_most=100)
    tempo: float = option(80.0, "quarter notes in a minute", at_least=4, at_most=1000)
    file: str = option("", "the MIDI file to write, its picture beside it; empty: a new name, here")

    def __post_init__(self) -> None:
        """Keep the prompt whole, for a run is opened from anywhere."""
        keep_path(self, "prompt")


class Compose(Task):
    """Tell which keys sound next.

    The score is that of Boulanger-Lewandowski et al. 2012 and of Chung et al. 2014: the negative log-likelihood of a
    time step, summed over the 88 keys, in nats, averaged over all steps of a split. Pieces are read whole, from
    a state of zeros; the first step is predicted from silence and counts.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: the ranges of the voices in training, if known: then the music is read when first needed.
      music: the pieces, where they have been read already.
    """

    name = "music"
    metric = METRIC
    higher_is_better = False
    batch_axis = 1
    ragged = True
    Data, Model, Sample = Data, Model, Sample

    def __init__(
        self, config: Config, vocabulary: list[Ranges] | None = None, music: Music | None = None
    ) -> None:
        self.config, self.opened = config, vocabulary is not None
        if music is not None:
            self.music = music
        try:
            midi.require()
        except DataError as error:
            raise UserError(str(error)) from None
        if vocabulary is None:
            self.vocabulary = ranges_of(self.train)
            # Refused here, if they are, and not when the piece of a finished run is played.
            self.prompt(config.sample.prompt)
            _ = self.buckets
        else:
            self.vocabulary = vocabulary
        self.model = RollModel(KEYS, config.model)

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its music is read when first needed."""
        check_ranges(vocabulary)
        return cls(config, vocabulary)

    @property
    def grid(self) -> int:
        """Steps in a quarter note."""
        return grid_of(self.config.data.path, self.config.data.grid)

    @cached_property
    def music(self) -> Music:
        """The pieces, by what they are for."""
        data = self.config.data
        try:
            return Music.load(data.path, grid=data.grid, validation=data.validation, test=data.test)
        except DataError as error:
            raise UserError(str(error)) from None

    @cached_property
    def train(self) -> list[Roll]:
        """The rolls (T, K) to train on."""
        return self.rolls("train")

    def rolls(self, part: str) -> list[Roll]:
        """The rolls (T, K) of a part."""
        return [each.roll for each in getattr(self.music, part)]

    @cached_property
    def buckets(self) -> Buckets:
        """Which pieces a step sees."""
        return buckets(self.config, [len(roll) for roll in self.train])

    def facts(self) -> dict[str, Any]:
        """Where the music is from, its SHA-256, how many pieces and steps are for what, and how many are so twice."""
        music = self.music
        sizes = {part: self.rolls(part) for part in ("train", "validation", "test")}
        return {
            "source": music.source,
            "sha256": music.sha256,
            **{part: len(rolls) for part, rolls in sizes.items()},
            **{f"{part}_steps": sum(map(len, rolls)) for part, rolls in sizes.items()},
            "repeated": music.repeated,
            "leaked": music.leaked,
        }

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters."""
        params = self.model.init(key, jnp.zeros((1, 1, KEYS)))
        # A run that is opened again needs no more than their shapes, and no music for that.
        return with_odds(params, self.train) if self.config.model.prior and not self.opened else params

    def batch(self, step: int) -> PyTree:
        """Rolls (T, B, K), shifted by `data.transpose` semitones at most, and how long each is."""
        batch, most = self.buckets.at(step), self.config.data.transpose
        rolls, lengths = batch.pad(self.train)
        if most:
            by = np.random.default_rng([self.config.seed, step]).integers(-most, most + 1, len(lengths))
            rolls = np.stack([shifted(rolls[:, i], int(k)) for i, k in enumerate(by)], axis=1)
        return {"rolls": rolls, "lengths": lengths}

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """Nats per step of one batch."""
        dropout, noise = jax.random.split(key)
        training = {"deterministic": False, "rngs": {"dropout": dropout}}
        params = noisy(params, self.config.model.weight_noise, noise)
        costs = nats(self.model, params, batch["rolls"], batch["lengths"], **training)
        return costs.sum() / batch["lengths"].sum(), carry

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """Nats per step of a split, and without the first step of each piece."""
        return per_step(self.costs(params, self.rolls(split)))

    def costs(self, params: PyTree, rolls: Sequence[Roll]) -> list[npt.NDArray[np.float32]]:
        """What each step of some pieces costs, (T,) of each."""
        found = [np.zeros(0, np.float32)] * len(rolls)
        for batch in pieces([len(roll) for roll in rolls]):
            costs = np.asarray(scored(self.model, params, *batch.pad(rolls)))
            for place, row in enumerate(batch.rows[batch.rows >= 0]):
                found[row] = costs[: batch.lengths[place], place]
        return found

    def baseline(self) -> dict[str, float]:
        """The scores of a Markov model of each note by itself."""
        model = Markov.count(self.train)
        return per_step(model.nats(roll) for roll in self.rolls("test"))

    def prompt(self, path: str) -> Roll:
        """What stands in a file to go on with, (P, K)."""
        if not path:
            return np.zeros((0, KEYS), np.uint8)
        try:
            return read_piece(Path(path), self.grid).roll
        except DataError as error:
            raise UserError(str(error)) from None

    def ranges(self, voices: int) -> Ranges:
        """The range of each of so many voices; none for 0, and for what a config says of all music, and not of this."""
        found = self.vocabulary[voices - 1] if voices else []
        if voices and not found:
            known = ", ".join(str(n + 1) for n, ranges in enumerate(self.vocabulary) if ranges) or "none"
            fault = f"sample.voices is {voices}, and so many keys never sound at once in training"
            if voices != self.config.sample.voices:
                raise UserError(f"{fault}; 0 takes as many as come, and {known} are known")
            warn(f"{fault}: as many sound as come; {known} are known")
        return found

    def play(self, params: PyTree, prompt: str, key: jax.Array, options: Any) -> Played:
        """A piece, as long as the options say, after what stands in the file `prompt`."""
        heard, ranges = self.prompt(prompt), self.ranges(options.voices)
        how = {"length": options.length, "temperature": options.temperature}
        return play(self.model, params, heard, ranges, key, **how)

    def write(self, path: Path, played: Played, tempo: float) -> None:
        """Write a MIDI file."""
        midi.write(path, played.tracks, grid=self.grid, tempo=tempo)

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """Play a piece, after what stands in the file `prompt`, write it as MIDI and as a picture, and say where."""
        path = Path(options.file) if options.file else unused(Path("sample.mid"))
        if path.suffix not in MIDI:
            raise UserError(f"file is {options.file}; it is a MIDI file, and its name should end in .mid")
        played = self.play(params, options.prompt if prompt is None else prompt, key, options)
        given, picture = len(played.prompt), path.with_suffix(".png")
        after = f" after the {given} of the prompt" if given else ""
        self.write(path, played, options.tempo)
        pianoroll.draw(picture, {path.name: played.tracks}, self.grid, prompt=given)
        return f"{path}: {options.length} steps{after}\n{picture}: the same as a picture"

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write sample.mid, and pianoroll.png, where it stands above a piece of the test split."""
        options = self.config.sample
        played = self.play(params, options.prompt, key, options)
        paths = [run_dir / "sample.mid", run_dir / "pianoroll.png"]
        self.write(paths[0], played, options.tempo)
        real = min(self.music.test, key=lambda each: abs(len(each.roll) - len(played.roll)))
        title = f"a piece of the test split, {real.name}"
        shown = {"played by the model": played.tracks, title: {"piece": real.roll}}
        pianoroll.draw(paths[1], shown, self.grid, prompt=len(played.prompt))
        return paths


def shifted(roll: Roll, semitones: int) -> Roll:
    """A roll (T, K) moved up; what would leave the keyboard stays where it was, all of it.

    Example:
      >>> shifted(np.array([[0, 1, 0]]), 1).tolist(), shifted(np.array([[0, 1, 0]]), 2).tolist()
      ([[0, 0, 1]], [[0, 1, 0]])
    """
    moved = np.zeros_like(roll)
    if semitones >= 0:
        moved[:, semitones:] = roll[:, : roll.shape[1] - semitones]
    else:
        moved[:, :semitones] = roll[:, -semitones:]
    return moved if moved.sum() == roll.sum() else roll


def check_ranges(vocabulary: Any) -> None:
    """Refuses what `ranges_of` never leaves in a run folder."""
    fault = f"vocabulary should be the ranges of one to {MOST} voices, each [lowest, highest]"
    if not isinstance(vocabulary, list) or len(vocabulary) != MOST:
        raise ValueError(fault)
    for n, ranges in enumerate(vocabulary, 1):
        if not isinstance(ranges, list) or len(ranges) not in (0, n):
            raise ValueError(fault)
        for each in ranges:
            if not isinstance(each, list) or len(each) != 2 or not all(type(key) is int for key in each):
                raise ValueError(fault)
            if not 0 <= each[0] <= each[1] < KEYS:
                raise ValueError(fault)
        if any(a[0] <= b[0] or a[1] <= b[1] for a, b in itertools.pairwise(ranges)):
            raise ValueError(fault)
