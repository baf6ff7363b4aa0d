"""What is measured: layers in a grid of sizes, each forward and with gradients, and what is built of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgru.bench.composed import COMPOSITIONS
from jaxgru.bench.peer import Problem
from jaxgru.cells.gru import GRUParams
from jaxgru.cells.lstm import LSTMParams, LSTMState

LAYERS = {"layer": 3, "lstm": 4}  # the works in which peers take part, and how many blocks w_x has
# T, B and I = H. The full grid is every combination; the quick one is a part of it.
GRIDS = {
    "full": ((32, 256, 2048), (1, 8, 64), (16, 64, 128, 256, 512)),
    "quick": ((256,), (1, 8), (16, 64, 256)),
}
# T, B, H and I of an LSTM.
LSTMS = {
    "full": ((32, 64, 64, 64), (256, 8, 128, 128), (128, 32, 128, 64)),
    "quick": ((128, 32, 128, 64),),
}
# What is built of one layer is measured at these (T, B, H).
LONG = {"full": (2048, 8, 128), "quick": (512, 8, 64)}  # where memory counts
SMALL = {"full": ((256, 1, 16), (256, 8, 32)), "quick": ((256, 1, 16),)}  # where an ensemble is worth it
COMPOSED = {"full": ((256, 8, 128), (256, 64, 256)), "quick": ((256, 8, 64),)}
PARALLEL = {  # where time itself may be shared
    "full": tuple(itertools.product((32, 256, 2048), (1, 8), (64,))),
    "quick": ((256, 8, 64),),
}
CHECKED = 16  # rows: what the oracle can do in seconds
MODES = {"forward": (False,), "backward": (True,), "both": (False, True)}


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
      work: "layer" (of a GRU), "lstm", "stream" (one step of a GRU at a time) or one of `COMPOSITIONS`.
      T: steps.
      B: rows.
      H: units.
      dtype: "f32" or "bf16".
      backward: whether the gradients of weights, inputs and the first state are computed too.
      inputs: I, the width of the input; None means H.

    Example:
      >>> print(Case("layer", 256, 8, 64, "f32", True))
      layer T256 B8 H64 f32 backward
    """

    work: str
    T: int
    B: int
    H: int
    dtype: str
    backward: bool
    inputs: int | None = None

    def __str__(self) -> str:
        return f"{self.where} {self.dtype} {self.mode}"

    @property
    def where(self) -> str:
        """The work and its sizes, I where it is not H."""
        width = "" if self.I == self.H else f" I{self.I}"
        return f"{self.work} T{self.T} B{self.B}{width} H{self.H}"

    @property
    def mode(self) -> str:
        """Which passes: "forward", or "backward" for both."""
        return "backward" if self.backward else "forward"

    @property
    def I(self) -> int:  # noqa: E743, N802 the axis' name
        """The width of the input."""
        return self.inputs or self.H

    @property
    def flops(self) -> float:
        """Of a layer's matmuls: 2H(I + H) for each block in a step of one row, three times that with gradients."""
        row = 2 * LAYERS[self.work] * self.H * (self.I + self.H)
        return self.T * self.B * row * (3 if self.backward else 1)

    def matches(self, text: str) -> bool:
        """Whether every word of the text is one of the case's."""
        return set(text.split()) <= set(str(self).split())


def cases(grid: str, dtypes: tuple[str, ...], mode: str) -> list[Case]:
    """All of a grid, small ones first.

    Args:
      grid: "full" or "quick".
      dtypes: of "f32" and "bf16".
      mode: "forward", "backward" or "both".

    Example:
      >>> [str(case) for case in cases("quick", ("f32",), "forward")][:2]
      ['layer T256 B1 H16 f32 forward', 'layer T256 B8 H16 f32 forward']
    """
    sizes = sorted(itertools.product(*GRIDS[grid]), key=lambda size: (size[0] * size[1] * size[2] ** 2, size))
    work: list[tuple[str, tuple[int, ...]]] = [("layer", size) for size in sizes]
    work += [("lstm", size) for size in LSTMS[grid]]
    own = {"chunked": (LONG[grid],), "ensemble": SMALL[grid], "sru": PARALLEL[grid], "mingru": PARALLEL[grid]}
    for name in COMPOSITIONS:
        work += [(name, size) for size in own.get(name, COMPOSED[grid])]
    work.append(("stream", (1, 1, 128)))
    one_mode = {("jvp", True), ("chunked", False), ("stream", True)}
    return [
        Case(name, T, B, H, dtype, backward, *width)
        for name, (T, B, H, *width) in work
        for dtype in dtypes
        for backward in MODES[mode]
        if (name, backward) not in one_mode and (name, dtype) != ("stream", "bf16")
    ]


def problem(T: int, B: int, H: int, inputs: int | None = None, work: str = "layer") -> Problem:
    """Weights as PyTorch draws them, and inputs, state and cotangent between −1 and 1: the same ones every time.

    Of a large batch only `CHECKED` rows, evenly spread, have a cotangent that is not zero: those are checked.

    Example:
      >>> problem(2, 3, 4).sizes
      (2, 3, 4, 4)
    """
    rng = np.random.default_rng(0)

    def draw(*shape: int, bound: float = 1.0) -> Any:
        return rng.uniform(-bound, bound, shape).astype(np.float32)

    width, columns = inputs or H, LAYERS[work] * H
    shapes = (width, columns), (H, columns), (columns,), (columns,)
    weights = [draw(*shape, bound=H**-0.5) for shape in shapes]
    xs, h0, ct = draw(T, B, width), draw(B, H), draw(T, B, H)
    ct *= (np.arange(B) % max(1, B // CHECKED) == 0)[:, None]
    if work == "lstm":
        return Problem(LSTMParams(*weights), xs, LSTMState(h0, draw(B, H)), ct)
    return Problem(GRUParams(*weights), xs, h0, ct)


def without_candidate_bias(problem: Problem) -> Problem:
    """The same, with b_h zero beside h W_n."""
    b_h: Any = np.array(problem.params.b_h)
    b_h[2 * len(b_h) // 3 :] = 0
    return problem._replace(params=problem.params._replace(b_h=b_h))
