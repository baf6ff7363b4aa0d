"""The tables of the tasks of long dependencies: how far a dependency reaches, and who learns it."""

from __future__ import annotations

from dataclasses import dataclass

from jaxgru.tasks.recurrences import TITLES
from jaxgru.training.config import LARGEST, option

LONGEST = 100_000
RIVAL = "rnn"


@dataclass(frozen=True)
class Data:
    """The table [data]: how far a dependency reaches, and how many sequences score."""

    length: int = option(100, "T", at_least=2, at_most=LONGEST)
    grow: tuple[int, ...] = option(
        (), "shorter T to begin with, in this order; []: none", at_least=2, at_most=LONGEST
    )
    grow_share: float = option(
        0.5, "the share of the steps that the shorter T have, in equal parts", above=0, below=1
    )
    validation: int = option(1000, "sequences that choose the checkpoint", at_least=1, at_most=1_000_000)
    test: int = option(5000, "sequences that are scored once at the end", at_least=1, at_most=1_000_000)

    def __post_init__(self) -> None:
        """Refuse lengths that do not grow."""
        lengths = [*self.grow, self.length]
        if lengths != sorted(lengths):
            raise ValueError(f"grow should rise, up to length = {self.length} at most, got {list(self.grow)}")


@dataclass(frozen=True)
class Model:
    """The table [model]: a GRU, or another recurrence, and a tanh RNN with about as many parameters."""

    cell: str = option("gru", "the recurrence", choices=tuple(TITLES))
    hidden_size: int = option(64, "units of the recurrence", at_least=1, at_most=65536)
    layers: int = option(1, "layers of it, one above the other", at_least=1, at_most=64)
    chrono: int = option(
        0,
        "its gates start for dependencies of up to so many steps; 0: they do not",
        at_least=0,
        at_most=LARGEST,
    )
    rival: str = option(
        "rnn",
        "what is trained beside it and is the baseline: a tanh RNN, or nothing",
        choices=(RIVAL, "none"),
    )
    rnn_rate: float = option(
        1.0, "the rival's learning rate, as a part of the other's: it bears less", above=0, at_most=1
    )
    init: str = option(
        "uniform", "how all other weights of both start", choices=("uniform", "glorot_orthogonal")
    )

    def __post_init__(self) -> None:
        """Refuse what `Chrono` would, and a recurrence beside itself."""
        if self.chrono in {1, 2}:
            raise ValueError(f"chrono should be 0, or 3 or more, got {self.chrono}")
        if self.chrono and self.cell == "rnn":
            raise ValueError(f"chrono should be 0 with cell = rnn, which has no gates, got {self.chrono}")
        if self.cell == self.rival:
            raise ValueError(f"rival should be none with cell = {self.cell}, got {self.rival}")
