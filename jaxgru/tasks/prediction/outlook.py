"""What was predicted of clips beside what came, and how near it was: scores and the report."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxgru.tasks.prediction.quality import Quality, mse

Floats = npt.NDArray[np.float32]


class Windows(NamedTuple):
    """What is read of some windows (N, T, H, W), and what came (N, steps, H, W)."""

    seen: Floats
    truth: Floats

    @property
    def copies(self) -> Floats:
        """The last frame that is read, in place of each of those that came."""
        return np.broadcast_to(self.seen[:, -1:], self.truth.shape)

    @property
    def line(self) -> Floats:
        """What goes on as it went last, in place of the first that came, (N, H, W): 2 x_t − x_{t−1}, from 0 to 1."""
        return np.clip(2 * self.seen[:, -1] - self.seen[:, -2], 0, 1)


class Outlook(NamedTuple):
    """Windows, and what was said of what came, (N, steps, H, W)."""

    windows: Windows
    said: Floats


def by_step(said: Floats, truth: Floats) -> list[Quality]:
    """How near each step is, (N, steps, H, W)."""
    return [Quality.of(said[:, step], truth[:, step]) for step in range(truth.shape[1])]


def scores(said: Floats, windows: Windows) -> dict[str, float]:
    """The scores of next frames (N, 1, H, W); `relative` is the squared error in units of that of a copy."""
    found = Quality.of(said[:, 0], windows.truth[:, 0])
    return {**found._asdict(), "relative": found.mse / mse(windows.copies, windows.truth)}


def report(near: Outlook, far: Outlook) -> str:
    """A table of the next frame, and one of each step of the horizon, the model beside a copy of the last frame."""
    lines = [
        f"{len(near.said)} next frames of the test part",
        *table(near),
        "",
        f"{len(far.said)} times {far.said.shape[1]} frames in a closed loop",
        *table(far),
        "",
        "MSE of grey values from 0 to 1, in units of 1e-4; PSNR in dB; copy: of the last frame that was read",
    ]
    return "\n".join(lines)


def table(found: Outlook) -> list[str]:
    """The lines of a table, one for each step."""
    heading = f"{'step':>4}{'MSE':>9}{'copy':>9}{'ratio':>8}{'PSNR':>8}{'copy':>8}{'SSIM':>8}{'copy':>8}"
    said, (truth, copies) = found.said, (found.windows.truth, found.windows.copies)
    pairs = zip(by_step(said, truth), by_step(copies, truth), strict=True)
    return [heading] + [
        f"{step:>4}{1e4 * ours.mse:>9.3f}{1e4 * copy.mse:>9.3f}{ours.mse / copy.mse if copy.mse else math.inf:>8.3f}"
        f"{ours.psnr:>8.2f}{copy.psnr:>8.2f}{ours.ssim:>8.4f}{copy.ssim:>8.4f}"
        for step, (ours, copy) in enumerate(pairs, 1)
    ]
