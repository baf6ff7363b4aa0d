"""Music: collections of pieces as piano rolls, where they are from, and which of them are for what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from jaxgru.data import DataError, fetch, matfiles, midi, musicxml
from jaxgru.data import text as texts
from jaxgru.data.rolls import KEYS, MOST, Piece, roll_of, tune_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxgru.data.rolls import Note

VOICES = 4  # parts of a chorale
PARTS = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
MATRICES = {"train": "traindata", "validation": "validdata", "test": "testdata"}
MIDI, SCORES = (".mid", ".midi"), (".mxl", ".musicxml", ".xml")
PICKLES, ROLLS = (".pickle", ".pkl"), ".mat"
GRID, ROLLS_GRID = 4, 1  # steps in a quarter note, where nothing else is said: of pieces, of matrices
FILES = 100_000  # of a folder
STEPS = 1 << 24  # of all pieces together, each of which has 88 bytes


def grid_of(path: str, grid: int) -> int:
    """Steps in a quarter note of a collection: as said, and for 0 as its kind mostly has them.

    Example:
      >>> grid_of("", 0), grid_of("songs", 0), grid_of("Nottingham.mat", 0), grid_of("Nottingham.mat", 2)
      (4, 4, 1, 2)
    """
    return grid or (ROLLS_GRID if Path(path).suffix.lower() == ROLLS else GRID)


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle by its name or its first bytes, in whichever protocol."""
    if path.suffix.lower() in PICKLES:
        return True
    with texts.opened(path) as file:
        return file.read(2) in (b"(d", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def read_piece(path: Path, grid: int) -> Piece:
    """One piece of music, from a score or a MIDI file; the tune of a score is its first part's.

    Args:
      path: MusicXML (.mxl, .musicxml, .xml) or MIDI (.mid, .midi).
      grid: steps in a quarter note.

    Raises:
      DataError: the file is refused by its reader, has another name, no note, or too many steps.
    """
    suffix = path.suffix.lower()
    if suffix not in MIDI + SCORES:
        raise DataError(f"{path}: not a piece: its name should end in {', '.join(MIDI + SCORES)}")
    return made(path, [midi.read(path)] if suffix in MIDI else musicxml.read(path), grid)


def made(path: Path, parts: Sequence[Sequence[Note]], grid: int) -> Piece:
    """The piece that some parts make."""
    try:
        roll = roll_of([note for part in parts for note in part], grid)
        highest = roll_of(parts[0], grid) if parts else roll
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    if not roll.any():
        raise DataError(f"{path}: no note that a piano has")
    return Piece(path.stem, roll, tune_of(highest if highest.any() else roll))


def chorales(grid: int) -> list[Piece]:
    """The scores of Bach's that have four parts, fetched on first use, by name."""
    found = [(path, musicxml.read(path)) for path in sorted(fetch("bach").glob("*.mxl"))]
    return [made(path, parts, grid) for path, parts in found if len(parts) == VOICES]


def folder(path: Path, grid: int) -> list[Piece]:
    """The pieces of a folder and of the folders in it, by name.

    Raises:
      DataError: there is none, too many, or one that cannot be read.
    """
    files, seen = [], [path]
    while seen:
        for entry in texts.entries(seen.pop()):
            if texts.is_folder(entry) and not entry.is_symlink():
                seen.append(entry)
            elif entry.suffix.lower() in MIDI + SCORES:
                files.append(entry)
        if len(files) > FILES:
            raise DataError(f"{path}: more than {FILES} pieces")
    if not files:
        raise DataError(f"{path}: no file whose name ends in {', '.join(MIDI + SCORES)}")
    return checked(path, (read_piece(file, grid) for file in sorted(files)))


def checked(source: Path, pieces: Iterable[Piece]) -> list[Piece]:
    """All of the pieces, where memory has room for them."""
    found, steps = [], 0
    for each in pieces:
        found.append(each)
        if (steps := steps + len(each.roll)) > STEPS:
            raise DataError(f"{source}: more than {STEPS} steps; train on a part of it")
    return found


def matrices(path: Path) -> dict[str, list[Piece]]:
    """The pieces of a .mat file by what they are for.

    Raises:
      DataError: the file is refused, or holds something else than piano rolls.
    """
    found = {}
    for part, cells in matfiles.read(path, [*MATRICES.values()]).items():
        for i, cell in enumerate(cells):
            if cell.shape[1] != KEYS or not 0 < len(cell) <= MOST:
                shape = f"a matrix of {len(cell)} × {cell.shape[1]}"
                raise DataError(
                    f"{path}: {part}[{i}] is {shape}; it should be 1 to {MOST} steps × {KEYS} keys"
                )
            if not ((cell == 0) | (cell == 1)).all():
                raise DataError(f"{path}: {part}[{i}] holds other numbers than 0 and 1")
        rolls = (np.ascontiguousarray(cell).astype(np.uint8) for cell in cells)
        found[part] = checked(
            path, (Piece(f"{part}[{i}]", roll, tune_of(roll)) for i, roll in enumerate(rolls))
        )
        if not found[part]:
            raise DataError(f"{path}: {part} holds no matrix")
    return {part: found[name] for part, name in MATRICES.items()}


def one_file(path: Path) -> dict[str, list[Piece]]:
    """The pieces of the one kind of file that holds many, by what they are for."""
    suffix = path.suffix.lower()
    if suffix in MIDI + SCORES:
        what = "MIDI file" if suffix in MIDI else "score"
        raise DataError(f"{path}: one {what}; there should be a folder of them")
    if is_pickle(path):
        what = "a pickle, which can run any program when it is opened; jaxgru never opens one"
        raise DataError(f"{path}: {what}. Use the same music as a .mat file or as a folder of MIDI files")
    if suffix != ROLLS:
        raise DataError(f"{path}: neither a folder of MIDI files or scores, nor a .mat file of piano rolls")
    return matrices(path)


def lot(tune: Sequence[int]) -> float:
    """A number in [0, 1) that depends on a tune alone, whatever other pieces there are.

    Example:
      >>> round(lot((2, -3)), 4)
      0.8055
    """
    digest = hashlib.sha256(" ".join(map(str, tune)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def dealt(pieces: Iterable[Piece], validation: float, test: float) -> dict[str, list[Piece]]:
    """Pieces by what they are for, drawn by their tune: pieces with one tune are for the same."""
    found: dict[str, list[Piece]] = {part: [] for part in PARTS}
    for each in pieces:
        drawn = lot(each.tune)
        found["test" if drawn < test else "validation" if drawn < test + validation else "train"].append(each)
    return found


def split_folder(path: Path, grid: int, validation: float, test: float) -> dict[str, list[Piece]]:
    """The pieces of a folder by what they are for: as its folders say, and drawn for a part that has none."""
    named = subfolders(path)
    if not named.keys() - {"train"}:
        return dealt(folder(path, grid), validation, test)
    if "train" not in named:
        names = " and ".join(each.name for each in named.values())
        raise DataError(f"{path}: a folder {names}, and none named train beside it")
    shares = {
        part: 0.0 if part in named else share for part, share in (("validation", validation), ("test", test))
    }
    return dealt(folder(named["train"], grid), **shares) | {
        part: folder(each, grid) for part, each in named.items() if part != "train"
    }


def fresh(pieces: Iterable[Piece], *others: Iterable[Piece]) -> list[Piece]:
    """The pieces whose rolls are none of the others'."""
    known = {(len(each.roll), each.roll.tobytes()) for other in others for each in other}
    return [each for each in pieces if (len(each.roll), each.roll.tobytes()) not in known]


def check_parts(source: str, parts: dict[str, list[Piece]]) -> None:
    """Refuses a split that leaves a part without pieces."""
    pieces = [each for part in parts.values() for each in part]
    have = f"among {len(pieces)} pieces of {len({each.tune for each in pieces})} tunes"
    for part, found in parts.items():
        if not found:
            mend = "lower data.validation and data.test" if part == "train" else f"raise data.{part}"
            how = f"{mend}, or use folders named train, valid and test"
            raise DataError(f"{source}: none for {part} {have}; {how}")


def subfolders(path: Path) -> dict[str, Path]:
    """The folders in a folder that are named for what their pieces are for."""
    entries = [entry for entry in texts.entries(path) if texts.is_folder(entry)]
    found = {}
    for part, names in PARTS.items():
        if one := texts.only(path, [entry for entry in entries if entry.name.lower() in names], part):
            found[part] = one
    return found


@dataclass(frozen=True)
class Music:
    """The pieces of a collection, by what they are for.

    Args:
      source: where they are from.
      train: what a model learns from.
      validation: what chooses.
      test: what is scored once.
      repeated: how many of validation stand, note for note, in training, too.
      leaked: how many of the test stand in training or validation, too.
    """

    source: str
    train: list[Piece]
    validation: list[Piece]
    test: list[Piece]
    repeated: int
    leaked: int

    @classmethod
    def load(cls, path: str, *, grid: int, validation: float, test: float) -> Self:
        """Reads a collection, and splits it by rule where it is not split.

        Pieces of a folder that were counted as repeated or leaked are left out; the split of a .mat file stays.

        Args:
          path: "" for Bach's chorales; a .mat file with cells of piano rolls named traindata, validdata and testdata;
            or a folder of MIDI files or scores, which may stand in folders named train, valid and test.
          grid: steps in a quarter note, of scores and MIDI files; 0 as in `grid_of`.
          validation: the share of the tunes that is for validation.
          test: the share of the tunes that is for the test.

        Raises:
          DataError: there is no such collection, a piece cannot be read, or a part has no piece; a pickle.
        """
        where, source, grid = Path(path), path or "Bach's chorales in four parts", grid_of(path, grid)
        is_folder = bool(path) and texts.is_folder(where)
        if not path:
            parts = dealt(chorales(grid), validation, test)
        elif is_folder:
            parts = split_folder(where, grid, validation, test)
        else:
            parts = one_file(where)
        check_parts(source, parts)
        chosen = fresh(parts["validation"], parts["train"])
        scored = fresh(parts["test"], parts["train"], parts["validation"])
        counts = len(parts["validation"]) - len(chosen), len(parts["test"]) - len(scored)
        if is_folder:
            for part, count, left in zip(("validation", "test"), counts, (chosen, scored), strict=True):
                if not left:
                    raise DataError(
                        f"{path}: each of the {count} pieces for {part} stands in another part, too"
                    )
            parts |= {"validation": chosen, "test": scored}
        return cls(source, **parts, repeated=counts[0], leaked=counts[1])

    @property
    def sha256(self) -> str:
        """The SHA-256 of all rolls as they were split, in hexadecimal: it tells what a run saw."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            for each in part:
                digest.update(f"{len(each.roll)}\n".encode() + np.packbits(each.roll).tobytes())
            digest.update(b"\n")
        return digest.hexdigest()
