"""Clips: the frames of videos and of folders of pictures, cut into scenes, and which of them are for what."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError, fetch, film, stills
from jaxgru.data import text as texts
from jaxgru.data.film import VIDEOS
from jaxgru.data.grey import Shrink, Size, size_for
from jaxgru.data.stills import STILLS
from jaxgru.data.text import Split, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PIXELS = 1 << 26  # of all frames together, each of which has 4 bytes
FILES = 100_000  # of a folder
DIGITS = re.compile(r"([0-9]{1,18})")

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class Known(NamedTuple):
    """A clip that can be fetched: its file, and the first frames of the scenes that follow a cut."""

    file: str
    cuts: tuple[int, ...] = ()


KNOWN = {
    "carphone": Known("carphone_pristine.mp4"),
    "bikes": Known("bikes.mp4", (30, 76, 137, 187, 242)),
    "bigbuckbunny": Known("bigbuckbunny.mp4"),
}


class Wanted(NamedTuple):
    """The size that frames get: its sides, 0 for what the shape of the first picture says, in such multiples."""

    height: int
    width: int
    multiple: int = 1


@dataclass(frozen=True)
class Footage:
    """Clips one behind the other, and where what is for what.

    Args:
      source: where they are from.
      frames: (N, H, W), of all clips.
      cuts: the frames before which there is a cut within a clip.
      parts: for "train", "validation" and "test" the scenes of it, or parts of scenes: ranges of frames.
      by: what was divided, "time" or "clips".
      clips: how many there are.
      repeated: how many were left out, as their frames had come before.
    """

    source: str
    frames: Floats
    cuts: tuple[int, ...]
    parts: dict[str, list[range]]
    by: str
    clips: int
    repeated: int

    def windows(self, part: str, length: int) -> Ints:
        """The first frames (N,) of all windows that lie within one scene of a part."""
        starts = [np.arange(scene.start, scene.stop - length + 1) for scene in self.parts[part]]
        return np.concatenate([np.zeros(0, np.int64), *starts])

    @property
    def sha256(self) -> str:
        """The SHA-256 of all frames and of what they are for, in hexadecimal: it tells what a run saw."""
        digest = hashlib.sha256(f"{self.frames.shape}\n{self.parts}\n".encode())
        digest.update(self.frames.tobytes())
        return digest.hexdigest()


def footage(name: str, path: str, wanted: Wanted, cut: float, validation: float, test: float) -> Footage:
    """The clips of a file or a folder, or the one of that name, divided by rule.

    Where there are so many clips that validation and test get one each, clips are divided, in their order; otherwise
    each scene of each clip is, in time.

    Args:
      name: one of `KNOWN`.
      path: a file or a folder; "" for the clip of that name.
      wanted: the size that frames get.
      cut: the mean absolute difference of two frames above which there is a cut between them; 0 for none. Those of a
        known clip are known.
      validation: the share of clips, or of each scene, that chooses.
      test: likewise, the share that is scored once.

    Raises:
      DataError: `clips` refuses the files, or the set cannot be fetched.
    """
    if path:
        found = clips(Path(path), wanted)
        cuts = [cuts_of(frames, cut) for frames in found]
    else:
        found = [read_video(fetch(name) / KNOWN[name].file, wanted)]
        cuts = [KNOWN[name].cuts]
    kept = distinct(found)
    ends = [0, *itertools.accumulate(len(found[i]) for i in kept)]
    scenes = [
        [range(start + a, start + b) for a, b in itertools.pairwise([0, *cuts[i], len(found[i])])]
        for start, i in zip(ends, kept, strict=False)
    ]
    by, parts = divided(scenes, validation, test)
    return Footage(
        path or name,
        np.concatenate([found[i] for i in kept]),
        tuple(scene.start for clip in scenes for scene in clip[1:]),
        parts,
        by,
        len(kept),
        len(found) - len(kept),
    )


def divided(
    scenes: Sequence[Sequence[range]], validation: float, test: float
) -> tuple[str, dict[str, list[range]]]:
    """What was divided, clips or time, and the scenes of each part.

    Example:
      >>> divided([[range(10), range(10, 30)]], 0.1, 0.2)[1]["test"]
      [range(8, 10), range(26, 30)]
    """
    by_clips = split(len(scenes), validation, test)
    if by_clips.validation and by_clips.test:
        found = {
            name: [scene for i in part for scene in scenes[i]] for name, part in by_clips._asdict().items()
        }
        return "clips", found
    found = {name: [] for name in Split._fields}
    for scene in itertools.chain.from_iterable(scenes):
        for name, part in split(len(scene), validation, test)._asdict().items():
            if part:
                found[name].append(scene[part.start : part.stop])
    return "time", found


def cuts_of(frames: Floats, threshold: float) -> tuple[int, ...]:
    """The frames that differ from the one before by more than a threshold, on average over pixels.

    Example:
      >>> cuts_of(np.array([0.1, 0.12, 0.8, 0.8])[:, None, None], 0.12)
      (2,)
    """
    if not threshold:
        return ()
    changes = np.array([np.abs(after - before).mean() for before, after in itertools.pairwise(frames)])
    return tuple((np.flatnonzero(changes > threshold) + 1).tolist())


def distinct(found: Sequence[Floats]) -> list[int]:
    """Which of the clips are the first with their frames."""
    first: dict[bytes, int] = {}
    for i, frames in enumerate(found):
        first.setdefault(hashlib.sha256(frames.tobytes()).digest(), i)
    return list(first.values())


def clips(path: Path, wanted: Wanted) -> list[Floats]:
    """The clips of a file or a folder, frames (N, H, W) from 0 to 1 of each, all brought to one size, by name.

    Args:
      path: a video; or a folder, in which each video is a clip, and each folder that holds pictures (PNG, JPEG) is
        one; so is it itself, if it does.
      wanted: the size; where the shape of the pictures says it, that of the first clip does.

    Raises:
      DataError: there is no clip, too many files or pixels, pictures of several sizes in one clip, or a reader refuses
        a file.
    """
    if not texts.is_folder(path):
        if path.suffix.lower() not in VIDEOS and path.exists():
            mend = f"its name should end in {', '.join(VIDEOS)}"
            raise DataError(f"{path}: neither a folder nor a video: {mend}")
        return [read_video(path, wanted)]
    found: list[Floats] = []
    left = PIXELS
    for files in members(path).values():
        frames = (
            read_video(files, wanted, left) if isinstance(files, Path) else read_stills(files, wanted, left)
        )
        left -= frames.size
        found.append(frames)
        wanted = Wanted(*frames.shape[1:])
    return found


def members(folder: Path) -> dict[str, Path | list[Path]]:
    """The videos of a folder, and the pictures of each folder in it, by name, in the order of people."""
    found: dict[str, Path | list[Path]] = {}
    pictures: dict[str, list[Path]] = {}
    for number, file in enumerate(texts.below(folder)):
        name = file.relative_to(folder).as_posix()
        if number == FILES:
            raise DataError(f"{folder}: more than {FILES} files")
        if file.suffix.lower() in VIDEOS:
            found[name] = file
        elif file.suffix.lower() in STILLS:
            pictures.setdefault(file.parent.relative_to(folder).as_posix(), []).append(file)
    found |= {name: sorted(files, key=lambda file: natural(file.name)) for name, files in pictures.items()}
    if not found:
        mend = f"no file whose name ends in {', '.join(VIDEOS + STILLS)}"
        raise DataError(f"{folder}: {mend}")
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def natural(name: str) -> list[tuple[str, int, str]]:
    """What names are sorted by, so that 10 follows 9.

    Example:
      >>> sorted(["f10.png", "f9.png", "f1.png"], key=natural)
      ['f1.png', 'f9.png', 'f10.png']
    """
    words, numbers = DIGITS.split(name)[::2], DIGITS.findall(name)
    return [*zip(words, [*map(int, numbers), 0], [*numbers, ""], strict=True)]


def read_video(path: Path, wanted: Wanted, left: int = PIXELS) -> Floats:
    """The frames (N, H, W) of a video."""
    return gathered(path, ((path, frame) for frame in film.read(path)), wanted, left)


def read_stills(files: Sequence[Path], wanted: Wanted, left: int = PIXELS) -> Floats:
    """The frames (N, H, W) that some pictures are."""
    return gathered(files[0].parent, ((file, stills.read(file)) for file in files), wanted, left)


def gathered(source: Path, pictures: Iterable[tuple[Path, Floats]], wanted: Wanted, left: int) -> Floats:
    """Pictures brought to one size, where memory has room for them."""
    return np.stack(list(shrunk(source, pictures, wanted, left)))


def shrunk(
    source: Path, pictures: Iterable[tuple[Path, Floats]], wanted: Wanted, left: int
) -> Iterator[Floats]:
    """The pictures one after the other, as small as wanted."""
    shrink = None
    for number, (file, picture) in enumerate(pictures, 1):
        size = Size(*picture.shape)
        try:
            if shrink is None:
                shrink = Shrink(size, size_for(size, *wanted))
        except DataError as error:
            raise DataError(f"{file}: {error}") from None
        if size != shrink.before:
            raise DataError(f"{file}: frame {number} is {size}, and those before are {shrink.before}")
        if number * shrink.after.height * shrink.after.width > left:
            mend = "make them smaller with data.height, or train on a part of them"
            raise DataError(f"{source}: its frames are more than {PIXELS >> 20} million pixels; {mend}")
        yield shrink(picture)
