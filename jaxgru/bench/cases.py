"""What is measured: the grid of sizes, each forward and with gradients, and what is built of one layer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgru.bench.composed import COMPOSITIONS
from jaxgru.bench.peer import Problem
from jaxgru.cells.gru import GRUParams

# T, B and I = H. The full grid is every combination; the quick one is a part of it.
GRIDS = {
    "full": ((32, 256, 2048), (1, 8, 64), (16, 64, 128, 256, 512)),
    "quick": ((256,), (1, 8), (16, 64, 256)),
}
# What is built of one layer is measured at these (T, B, H).
LONG = {"full": (2048, 8, 128), "quick": (512, 8, 64)}  # where memory counts
SMALL = {"full": ((256, 1, 16), (256, 8, 32)), "quick": ((256, 1, 16),)}  # where an ensemble is worth it
COMPOSED = {"full": ((256, 8, 128), (256, 64, 256)), "quick": ((256, 8, 64),)}
CHECKED = 16  # rows: what the oracle can do in seconds
MODES = {"forward": (False,), "backward": (True,), "both": (False, True)}


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
      work: "layer", "stream" (one step of it at a time) or one of `COMPOSITIONS`.
      T: steps.
      B: rows.
      H: units, and the width of the input.
      dtype: "f32" or "bf16".
      backward: whether the gradients of weights, inputs and h0 are computed too.

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

    def __str__(self) -> str:
        mode = "backward" if self.backward else "forward"
        return f"{self.work} T{self.T} B{self.B} H{self.H} {self.dtype} {mode}"

    @property
    def flops(self) -> float:
        """Of the matmuls of one layer: 6H(I + H) for a step of one row, three times that with gradients."""
        return self.T * self.B * 6 * self.H * 2 * self.H * (3 if self.backward else 1)

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
    work = [("layer", size) for size in sizes]
    for name in COMPOSITIONS:
        where = {"chunked": (LONG[grid],), "ensemble": SMALL[grid]}.get(name, COMPOSED[grid])
        work += [(name, size) for size in where]
    work.append(("stream", (1, 1, 128)))
    one_mode = {("jvp", True), ("chunked", False), ("stream", True)}
    return [
        Case(name, *size, dtype, backward)
        for name, size in work
        for dtype in dtypes
        for backward in MODES[mode]
        if (name, backward) not in one_mode and (name, dtype) != ("stream", "bf16")
    ]


def problem(T: int, B: int, H: int) -> Problem:
    """Weights as PyTorch draws them, and inputs, state and cotangent between −1 and 1: the same ones every time.

    Of a large batch only `CHECKED` rows, evenly spread, have a cotangent that is not zero: those are checked.

    Example:
      >>> problem(2, 3, 4).sizes
      (2, 3, 4, 4)
    """
    rng = np.random.default_rng(0)

    def draw(*shape: int, bound: float = 1.0) -> Any:
        return rng.uniform(-bound, bound, shape).astype(np.float32)

    bound = H**-0.5
    shapes = (H, 3 * H), (H, 3 * H), (3 * H,), (3 * H,)
    params = GRUParams(*(draw(*shape, bound=bound) for shape in shapes))
    checked = np.arange(B) % max(1, B // CHECKED) == 0
    return Problem(params, draw(T, B, H), draw(B, H), draw(T, B, H) * checked[:, None])


def without_candidate_bias(problem: Problem) -> Problem:
    """The same, with b_h zero beside h W_n."""
    b_h: Any = np.array(problem.params.b_h)
    b_h[2 * len(b_h) // 3 :] = 0
    return problem._replace(params=problem.params._replace(b_h=b_h))
