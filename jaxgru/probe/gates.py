"""What gates do: open, closed, or in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgru.cells.min_gru import MinGRU
from jaxgru.probe import draw
from jaxgru.probe.record import STATIC, Record, one
from jaxgru.recurrence.marks import along

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxgru.cells.base import Cell

LEFT, RIGHT = 0.1, 0.9  # outside of which Karpathy et al. call a gate saturated
BINS = 50


class Gate(NamedTuple):
    """One gate over all real steps and rows; NaN if there are none.

    Attributes:
      mean: (H,), of each unit's activations.
      std: (H,), their standard deviation.
      closed: (H,), the share of them below 0.1.
      open: (H,), the share of them above 0.9.
      histogram: (50,), the share of all units' activations in each fiftieth of [0, 1].
    """

    mean: Array
    std: Array
    closed: Array
    open: Array
    histogram: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Gates:
    """What `gates` gives.

    Attributes:
      label: the record's.
      cell: the record's.
      gates: a `Gate` for each name: reset, update, input, forget, output, those that the cell has.
    """

    label: str = field(metadata=STATIC)
    cell: Cell = field(metadata=STATIC)
    gates: dict[str, Gate]

    def plot(self) -> Figure:
        """The histogram of each gate's activations, and how often each unit is saturated on either side."""
        figure, (left, right) = draw.figure(panels=2)
        edges = np.linspace(0, 1, BINS + 1)
        for i, (name, gate) in enumerate(self.gates.items()):
            label = name + _meaning(self.cell, name)
            left.stairs(np.asarray(gate.histogram) * BINS, edges, color=f"C{i}", linewidth=1.5, label=label)
            right.scatter(gate.open, gate.closed, s=24, color=f"C{i}", alpha=0.6, linewidth=0, label=label)
        left.set(xlabel="activation", ylabel="density", xlim=(0, 1), title="activations of all units")
        right.plot([0, 1], [1, 0], color="0.4", linestyle=":", linewidth=1, label="always saturated")
        right.set(
            xlabel=f"share of steps above {RIGHT}",
            ylabel=f"share of steps below {LEFT}",
            xlim=(-0.03, 1.03),
            ylim=(-0.03, 1.03),
            title="saturation, a dot for each unit",
        )
        for axes in (left, right):
            axes.legend()
        figure.suptitle(draw.title(self.label, panels=2))
        return figure


def gates(record: Record) -> Gates:
    """How far the gates of a cell are open, for each unit over all real steps and rows.

    A gate is what a cell's `transition` names reset, update, input, forget or output, in a NamedTuple; candidates
    are none. Of a convolutional cell a unit is a channel, and the places of the grid count as rows do.

    Args:
      record: of one cell, from `record`.

    Returns:
      A `Gates`.

    Raises:
      TypeError: something that is no record.
      ValueError: the cell names no gates: an `RNN`, which has none, or a `LayerNorm`, whose derivative is JAX's own
        and needs none handed on.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.GRU(3, 5)
      >>> (of_cell,) = jaxgru.probe.record(cell, cell.init(jax.random.key(0)), jnp.ones((7, 2, 3)))
      >>> found = gates(of_cell).gates["update"]
      >>> found.mean.shape, bool(((found.mean > 0.1) & (found.mean < 0.9)).all())
      ((5,), True)

    References: Karpathy et al. 2015 (arXiv:1506.02078) for saturation.
    """
    one(record)
    if not record.gates:
        raise ValueError(f"record must be of a cell that names its gates, which {record.cell} does not")
    return _gates(record)


@jax.jit
def _gates(record: Record) -> Gates:
    each = {name: _gate(values, record.valid) for name, values in record.gates.items()}
    return Gates(record.label, record.cell, each)


def _meaning(cell: Any, name: str) -> str:
    """What an open gate does to the state, where its name does not say it."""
    if name == "forget":
        return " (1 keeps)"
    while hasattr(cell, "cell"):  # a wrapper, or a decoder
        cell = cell.cell
    word = "writes" if isinstance(cell, MinGRU) else getattr(cell, "update", None)
    return f" (1 {word})" if name == "update" and word in ("keeps", "writes") else ""


def _gate(values: Array, valid: Array) -> Gate:
    real = jnp.broadcast_to(along(valid, values), values.shape).reshape(-1, values.shape[-1])
    units = values.reshape(real.shape)
    count = real.sum(0)

    def mean(x: Array) -> Array:
        return jnp.where(real, x, 0).sum(0) / count

    average = mean(units)
    bins = jnp.clip((units * BINS).astype(int), 0, BINS - 1)
    return Gate(
        average,
        jnp.sqrt(mean((units - average) ** 2)),
        mean(units < LEFT),
        mean(units > RIGHT),
        jnp.zeros(BINS, units.dtype).at[bins].add(real) / count.sum(),
    )
