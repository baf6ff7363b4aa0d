"""Windows: which positions of a long sequence a training step sees, as a pure function of the step."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Windows:
    """Parallel streams over one long sequence, cut into windows, as truncated back-propagation needs them.

    The sequence is cut into `rows` streams of equal length. Step after step each stream moves on by one
    window, so that the state after a step is the state before the next. When the streams end, so does an
    epoch, and the next one cuts the sequence elsewhere: it is turned by an amount drawn from (seed, epoch).
    Nothing is kept between calls, so a resumed run sees what an uninterrupted one would have seen.

    An epoch visits steps · rows · window different positions once each, and leaves out the rest, fewer than
    rows · window of them. A stream that reaches the end of the sequence goes on at its start.

    Args:
      length: how many positions there are.
      rows: how many streams run beside each other.
      window: how many positions of a stream one step sees.
      seed: what the turns are drawn from.

    Raises:
      ValueError: the sequence is shorter than one window in each row.

    Example:
      >>> windows = Windows(length=13, rows=2, window=3, seed=0)
      >>> windows.steps
      2
      >>> positions, fresh = windows.at(0)
      >>> positions.shape, fresh
      ((3, 2), True)
    """

    length: int
    rows: int
    window: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse a sequence that is too short for one step."""
        if self.length < self.rows * self.window:
            raise ValueError(
                f"{self.length} positions are too few for {self.rows} rows of windows of {self.window}: "
                f"they need {self.rows * self.window}"
            )

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return self.length // (self.rows * self.window)

    def at(self, step: int) -> tuple[npt.NDArray[np.int64], bool]:
        """The positions (window, rows) that a step sees, and whether it is the first of its epoch."""
        epoch, place = divmod(step, self.steps)
        turn = np.random.default_rng([self.seed, epoch]).integers(self.length)
        starts = turn + (np.arange(self.rows) * self.steps + place) * self.window
        return (starts + np.arange(self.window)[:, None]) % self.length, place == 0
