"""The checkpoint store: whole files under their steps, each with a manifest that knows its SHA-256.

    checkpoints/00000300.safetensors    everything that decides the rest of the run; equal runs, equal bytes
    checkpoints/00000300.json           its manifest: SHA-256, step, config, versions, seconds
    checkpoints/best.json               a pointer to the best step on the validation split

A checkpoint exists once its manifest does, which is written last.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxgru.training.config import LAST_STEP
from jaxgru.training.errors import RunError, warn
from jaxgru.weights import from_bytes, to_bytes, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxgru.training.step import TrainState
    from jaxgru.training.stopping import Best


# What reading a JSON file of another content than expected can raise.
MALFORMED = (ValueError, TypeError, KeyError, OverflowError, RecursionError)


class Snapshot(NamedTuple):
    """All a run needs to go on as if it had never stopped."""

    state: TrainState
    best: Best


class DamagedError(Exception):
    """A checkpoint whose bytes are not those that were written."""


@dataclass(frozen=True)
class Store:
    """The checkpoints of one run.

    Args:
      folder: where they lie; made at the first save.
      keep: how many of the newest are kept, besides the best.
    """

    folder: Path
    keep: int = 2

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, ascending."""
        names = (path.name for path in self.folder.glob("*.json"))
        return sorted(int(name[:8]) for name in names if re.fullmatch(r"[0-9]{8}\.json", name))

    def best(self) -> int | None:
        """The step of the best checkpoint; None where none was called so yet."""
        path = self.folder / "best.json"
        try:
            step = json.loads(path.read_bytes())["step"]
            if type(step) is int and 0 <= step <= LAST_STEP:
                return step
        except FileNotFoundError:
            return None
        except MALFORMED:
            pass  # damaged, as is one that names no step
        warn(f"{path} is damaged; the newest checkpoint stands for the best")
        return None

    def save(self, snapshot: Snapshot, seconds: float, about: Mapping[str, Any]) -> None:
        """Writes a checkpoint, points to the best one, and removes what is neither new nor best."""
        self.folder.mkdir(exist_ok=True)
        step, best = int(snapshot.state.step), int(snapshot.best.step)
        data = to_bytes(snapshot)
        digest = hashlib.sha256(data).hexdigest()
        manifest = {"step": step, "sha256": digest, "seconds": seconds, **about}
        write_whole(self.data_path(step), data)
        write_whole(self.manifest_path(step), json.dumps(manifest, indent=1).encode())
        if best in self.steps() and best != self.best():
            pointer = {"step": best, "validation": float(snapshot.best.score)}
            write_whole(self.folder / "best.json", json.dumps(pointer).encode())
        for old in self.steps()[: -self.keep]:
            if old != best:
                self.remove(old)

    def restore_best(self, like: Snapshot) -> tuple[Snapshot, float] | None:
        """Reads the best checkpoint; where it is damaged, says so and reads the newest good one."""
        best = self.best()
        if best is not None:
            try:
                return self.read(best, like)
            except DamagedError as fault:
                mend = "the newest good checkpoint stands for the best"
                warn(f"{self.data_path(best)} is damaged ({fault}); {mend}")
        return self.restore(like)

    def restore(self, like: Snapshot) -> tuple[Snapshot, float] | None:
        """Reads the newest checkpoint.

        One that is damaged is named on stderr, and the newest good one before it is read instead.

        Returns:
          The snapshot and the seconds the run had taken; None where there is no good one.

        Raises:
          RunError: where a good one was written for another model or optimiser than `like`.
        """
        for candidate in reversed(self.steps()):
            try:
                return self.read(candidate, like)
            except DamagedError as fault:
                warn(f"{self.data_path(candidate)} is damaged ({fault}); going back to the one before it")
        return None

    def read(self, step: int, like: Snapshot) -> tuple[Snapshot, float]:
        """Reads one checkpoint, whose bytes must be those that its manifest knows."""
        try:
            manifest = json.loads(self.manifest_path(step).read_bytes())
            digest, seconds = manifest["sha256"], float(manifest["seconds"])
            data = self.data_path(step).read_bytes()
            if digest != hashlib.sha256(data).hexdigest() or manifest["step"] != step:
                raise DamagedError("its SHA-256 is not the one in its manifest")
        except FileNotFoundError as error:
            raise DamagedError("the file is gone") from error
        except MALFORMED as error:
            raise DamagedError("its manifest cannot be read") from error
        try:
            return from_bytes(data, like), seconds
        except ValueError as error:
            raise RunError(f"{self.data_path(step)}: {error}") from error

    def forget_after(self, step: int) -> None:
        """Removes the checkpoints past a step: a resumed run writes them anew."""
        for later in self.steps():
            if later > step:
                self.remove(later)

    def remove(self, step: int) -> None:
        """Removes one checkpoint, the manifest first, so that half of one is never taken for one."""
        self.manifest_path(step).unlink(missing_ok=True)
        self.data_path(step).unlink(missing_ok=True)

    def data_path(self, step: int) -> Path:
        """The file of a step's arrays."""
        return self.folder / f"{step:08d}.safetensors"

    def manifest_path(self, step: int) -> Path:
        """The file of a step's manifest."""
        return self.folder / f"{step:08d}.json"
