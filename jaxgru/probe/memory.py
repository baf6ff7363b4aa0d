"""How far back a state reaches: the derivative by states before it, and the gates' part in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxgru import checks
from jaxgru.probe import draw
from jaxgru.probe.jacobians import basis, euclidean, flat
from jaxgru.probe.record import STATIC, Record, one
from jaxgru.recurrence.linearized import where
from jaxgru.recurrence.marks import Marks, along

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PyTree = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Reach:
    """What `memory` gives.

    Attributes:
      label: the record's.
      norm: (T + 1, *B), ‖∂h_T/∂h_{T−k}‖_F / √D for k = 0 … T; NaN where k exceeds a row's length.
      kept: (T + 1, *B), the same number if the gates were all there is, √(mean over units of (∏ keep)²), with
        `keep` the factor that a cell's coefficients have for its own state: z of a GRU (1 − z for "writes"), f of
        an LSTM. None for a cell without such a factor.
      length: (*B,), the smallest k at which the norm is below the threshold; inf where it never is, so that the
        memory is longer than the row.
      threshold: the threshold.
    """

    label: str = field(metadata=STATIC)
    norm: Array
    kept: Array | None
    length: Array
    threshold: float = field(metadata=STATIC)

    def plot(self) -> Figure:
        """The norm against k, median and spread over the rows; with ∏ keep, and the threshold."""
        figure, axes = draw.figure()
        draw.band(axes, self.norm, "C0", r"$\Vert\partial h_T/\partial h_{T-k}\Vert_F\,/\,\sqrt{D}$")
        if self.kept is not None:
            draw.band(axes, self.kept, "C1", "product of the gates that keep the state", linestyle="--")
        axes.axhline(self.threshold, color="0.4", linestyle="-.", label=f"threshold {self._bound}")
        draw.log(axes, self.norm)
        axes.set(
            xlabel="k (steps before the last)",
            ylabel="part of the state's change that arrives",
            title=f"{draw.title(self.label)}\n{self._words()}",
        )
        draw.legend(axes, self.norm)
        return figure

    def _words(self) -> str:
        lengths = np.asarray(self.length)
        if not lengths.size:
            return "no rows"
        median = np.median(lengths)
        if not np.isfinite(median):
            where = " in half of the rows or more" if lengths.size > 1 else ""
            return f"never below {self._bound}{where}"
        words = f"below {self._bound} after {median:g} {'step' if median == 1 else 'steps'}"
        return f"{words} (median)" if lengths.size > 1 else words

    @property
    def _bound(self) -> str:
        return "1/e" if self.threshold == 1 / np.e else f"{self.threshold:.3g}"


def memory(record: Record, threshold: float = 1 / np.e) -> Reach:
    """How much of a change of the state k steps before the last arrives at the last, for every k.

        ∂h_T/∂h_{T−k} = A_T A_{T−1} … A_{T−k+1},  norm_k = ‖∂h_T/∂h_{T−k}‖_F / √D

    T is each row's last real step (the first, of a cell that runs backward), D the size of the whole state (h and
    c of an LSTM): the norm is 1 for a state that only stays as it is. No matrices are multiplied: the adjoint of
    the linear recurrence δh_t = A_t δh_{t−1} runs back over the sequence, for the D unit vectors at once.

    Args:
      record: of one cell, from `record`. Resets and truncation in it end the memory.
      threshold: in (0, 1), below which a state counts as forgotten; 1/e makes the length of an exponential decay
        its time constant.

    Returns:
      A `Reach`.

    Raises:
      TypeError, ValueError: something that is no record, or no such threshold.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.GRU(3, 5)
      >>> (of_cell,) = jaxgru.probe.record(cell, cell.init(jax.random.key(0)), jnp.ones((20, 3)))
      >>> found = memory(of_cell)
      >>> found.norm.shape, float(found.norm[0])
      ((21,), 1.0)
      >>> int(found.length)
      3

    Cost: D backward passes of the recurrence, side by side: T·B·D·H² multiplications and B·D² numbers of memory
      beside the record. float32 ends at about 1e-36; for what is smaller, set jax_enable_x64.

    References: Bengio et al. 1994, "Learning long-term dependencies with gradient descent is difficult"; Pascanu et
      al. 2013 (arXiv:1211.5063).
    """
    one(record)
    threshold = _threshold(threshold)
    return _memory(threshold, record)


def _threshold(value: Any) -> float:
    checks.static("threshold", value)
    known = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not known or not 0 < value < 1:
        raise ValueError(f"threshold must be a number in (0, 1), got {value!r}")
    return float(value)


@partial(jax.jit, static_argnums=0)
def _memory(threshold: float, record: Record) -> Reach:
    norm = _by_lag(record, _norms(record))
    keep: Array | None = getattr(record.coef, "keep", None)
    kept = None if keep is None else _by_lag(record, _products(record, keep))
    forgotten = norm < threshold
    length = jnp.where(forgotten.any(0), forgotten.argmax(0), jnp.inf)
    return Reach(record.label, norm, kept, length, threshold)


def _norms(record: Record) -> Array:
    """‖A_T … A_t‖_F / √D for each t, from the last step processed back to the first."""
    units, batch = basis(record), record.batch_shape

    def beside(unit: Array) -> Array:
        """(D, …) as (D, *B, …)."""
        return jnp.broadcast_to(
            jnp.expand_dims(unit, range(1, 1 + len(batch))), (len(unit), *batch, *unit.shape[1:])
        )

    def body(rows: PyTree, step: tuple[PyTree, Marks]) -> tuple[PyTree, Array]:
        nothing = jax.tree.map(lambda r: jnp.zeros_like(r[0]), rows)
        (rows,) = jax.vmap(jax.vjp(lambda dh: record.act(*step, dh), nothing)[1])(rows)
        matrix = jnp.moveaxis(flat(rows, 1 + len(batch)), 0, -2)
        return rows, euclidean(matrix, 2) / math.sqrt(matrix.shape[-1])

    _, norms = lax.scan(
        body, jax.tree.map(beside, units), (record.coef, record.marks), reverse=not record.reverse
    )
    return norms if record.reverse else norms[::-1]


def _products(record: Record, keep: Array) -> Array:
    """√(mean over the units of (∏ keep)²), in the same order."""
    for mark, factor in (
        (record.marks.cut, 0),
        (record.marks.reset, 0),
        (None if record.marks.valid is None else ~record.marks.valid, 1),
    ):
        keep = where(mark, jnp.full_like(keep, factor), keep)
    products = jnp.cumprod(keep if record.reverse else keep[::-1], 0)
    units = products.shape[1 + len(record.batch_shape) :]
    return euclidean(products, len(units)) / math.sqrt(math.prod(units))


def _by_lag(record: Record, backwards: Array) -> Array:
    """(T + 1, *B) by k, from (T, *B) in the order from the last step processed back to the first."""
    start = jnp.ones_like(backwards[:1])
    values = jnp.concatenate((start, backwards))
    if record.marks.valid is None:
        return values
    lengths = record.valid.sum(0)
    k = along(jnp.arange(len(values)), values)
    # Going back from the end, padding comes first; in reverse it comes last.
    padding = 0 if record.reverse else record.steps - lengths
    index = jnp.minimum(k + padding, record.steps)
    return jnp.where(k <= lengths, jnp.take_along_axis(values, index, 0), jnp.nan)
