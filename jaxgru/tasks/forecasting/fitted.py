"""What the task `forecast` keeps of a series: what was fitted to it, and what tells it from another."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from jaxgru.tasks.forecasting.scaling import Scaling

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("year", "month", "date", "row")
WAVES = (0, 4, 8, 12)  # of a calendar: none, or of the year, the week and the day
SHAPE = {
    "names": str,
    "kind": str,
    "step": int,
    "sha256": str,
    "inputs": int,
    "parts": int,
    "drift": float,
    "lags": int,
}
LISTS = ("names", "inputs", "parts")


@dataclass(frozen=True)
class Fitted:
    """What was fitted to the parts of a series before the test, and what a further table has to look like.

    Args:
      names: of the columns, the target first.
      kind, step: of the times.
      sha256: of the series, by which it is told from another.
      inputs: how many numbers a step of the past has, and one of the future.
      parts: where the training, the validation and the test part end.
      scaling: how the network sees the series; of the training part alone.
      drift: what the seasonal-naive forecast adds for each season; 0 where that did not help in validation.
      lags: of the autoregression that was the best in validation.
    """

    names: Sequence[str]
    kind: str
    step: int
    sha256: str
    inputs: Sequence[int]
    parts: Sequence[int]
    scaling: Scaling
    drift: float
    lags: int

    @classmethod
    def restore(cls, found: Any, transform: str) -> Self:
        """The same out of JSON, of a run whose [data] has a transform.

        Raises:
          ValueError: for what no run leaves.
        """
        if not isinstance(found, dict) or {*found} != {*SHAPE, "scaling"}:
            raise ValueError("vocabulary should be what a run of forecast leaves")
        for name, kind in SHAPE.items():
            values = found[name] if name in LISTS else [found[name]]
            if not isinstance(values, list) or not all(type(value) is kind for value in values):
                raise ValueError(f"vocabulary should have {name} of type {kind.__name__}")
        fitted = cls(**{**found, "scaling": Scaling.restore(found["scaling"], len(found["names"]))})
        fitted._check(transform)
        return fitted

    def _check(self, transform: str) -> None:
        """Refuses numbers that no run leaves."""
        past, future = self.inputs if len(self.inputs) == 2 else (0, 0)
        first = self.parts[0] if self.parts else 0
        for name, fine in {
            "names, the target first": len(self.names) > 0,
            f"a kind of {', '.join(KINDS)}": self.kind in KINDS,
            "a step of 1 or more": self.step >= 1,
            "a sha256 of 64 digits": re.fullmatch(r"[0-9a-f]{64}", self.sha256) is not None,
            "inputs of the past and of the future": future - 1 in WAVES
            and past == len(self.names) + future - 1,
            "three parts that increase": len(self.parts) == 3 and 0 < first < self.parts[1] < self.parts[2],
            "a finite drift": math.isfinite(self.drift),
            "lags that the training part has room for": 1 <= self.lags <= first,
            f"the transform {transform} of the config": self.scaling.transform == transform,
            "months where it tells values from them": self.scaling.around != "months" or self.kind == "month",
        }.items():
            if not fine:
                raise ValueError(f"vocabulary should have {name}")
