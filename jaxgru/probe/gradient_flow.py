"""How a loss reaches the state at every step of every cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgru import checks
from jaxgru.probe import draw
from jaxgru.probe.jacobians import euclidean, flat
from jaxgru.probe.record import STATIC, Record, record
from jaxgru.recurrence.linearized import where, zeros
from jaxgru.recurrence.scan import checked, over_sequence, scan
from jaxgru.recurrence.sequential import Sequential

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from jaxgru.recurrence.backend import Recurrence
    from jaxgru.recurrence.marks import Marks
    from jaxgru.recurrence.scan import Model

PyTree = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class GradientFlow:
    """What `gradient_flow` gives for one cell.

    Attributes:
      label: as of its `Record`.
      gradient: λ_t = dL/dh_t, leaves (T, *B, …) like the states; zero in the padding.
      norm: (T, *B), ‖λ_t‖₂ over all parts of the state; NaN in the padding.
    """

    label: str = field(metadata=STATIC)
    gradient: PyTree
    norm: Array

    def plot(self) -> Figure:
        """The norm against t, median and spread over the rows."""
        figure, axes = draw.figure()
        draw.band(axes, self.norm, "C0", r"$\Vert\lambda_t\Vert_2$, $\lambda_t=\mathrm{d}L/\mathrm{d}h_t$")
        draw.log(axes, self.norm)
        axes.set(
            xlabel="t (step)",
            ylabel=r"norm $\Vert\lambda_t\Vert_2$ (loss per unit of state)",
            title=draw.title(self.label),
        )
        draw.legend(axes, self.norm)
        return figure


def gradient_flow(
    model: Model,
    params: PyTree,
    xs: Array,
    loss: Callable[[Array], Array],
    h0: PyTree = None,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    key: Array | None = None,
    truncate: int | None = None,
) -> tuple[GradientFlow, ...]:
    """The gradient of a loss by the state after every step, through all later steps and all layers above.

        λ_t = dL/dh_t = A_{t+1}ᵀ λ_{t+1} + the part of L that reads h_t at once

    To each cell's states is added the solution of its linear recurrence, δh_t = A_t δh_{t−1} + ε_t at ε = 0,
    and JAX transposes that for ε.

    Args:
      model: a cell or a composition.
      params: its parameters.
      xs: (T, *B, I), of at least one step.
      loss: a function of ys (T, *B, O), as `scan` gives them, whose value is a scalar.
      h0: as in `scan`; so are lengths, resets, reverse, key and truncate.
      lengths: (*B,) int in [0, T], or None.
      resets: (T, *B) bool, or None.
      reverse: whether to run from the last step to the first.
      key: a PRNG key for the model's noise; None means evaluation.
      truncate: after how many steps gradients stop, or None.

    Returns:
      A `GradientFlow` for each cell, in the order of `record`.

    Raises:
      TypeError, ValueError: as `record`; and a loss that is no function, or whose value is no scalar.

    Example:
      >>> import jaxgru
      >>> cell = jaxgru.GRU(3, 5)
      >>> params, xs = cell.init(jax.random.key(0)), jnp.ones((20, 2, 3))
      >>> (flow,) = gradient_flow(cell, params, xs, lambda ys: jnp.sum(ys[-1] ** 2))
      >>> bool((flow.norm[0] < 1e-3 * flow.norm[-1]).all())
      True

    Cost: three scans, and one backward pass. float32 ends at about 1e-36; for what is smaller, set
      jax_enable_x64.

    References: Pascanu et al. 2013 (arXiv:1211.5063).
    """
    xs, lengths, resets, truncate = checked(model, params, xs, h0, lengths, resets, reverse, key, truncate)
    options: dict[str, Any] = {"lengths": lengths, "resets": resets, "reverse": reverse, "key": key}
    if not callable(loss):
        raise TypeError(f"loss must be a function of ys, got {loss!r}")
    records = record(model, params, xs, h0, truncate=truncate, **options)
    _, ys = scan(model, params, xs, h0, backend=Sequential(), truncate=truncate, **options)
    return _flow(
        model, bool(reverse), truncate, records, _slope(loss, ys), params, xs, h0, lengths, resets, key
    )


def _slope(loss: Callable[[Array], Array], ys: Array) -> Array:
    """dL/dys."""
    value = jax.eval_shape(loss, ys)
    if not isinstance(value, jax.ShapeDtypeStruct):
        raise TypeError(f"loss must give a floating scalar, got a {type(value).__name__}")
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"loss must give a floating scalar, got {value.dtype}")
    if value.shape:
        raise ValueError(
            f"loss must give a scalar, got shape {checks.axes(value.shape)}: sum it, or take its mean"
        )
    return jax.grad(loss)(ys)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _flow(
    model: Model,
    reverse: bool,
    truncate: int | None,
    records: tuple[Record, ...],
    slope: Array,
    *arguments: Any,
) -> tuple[GradientFlow, ...]:
    def outputs(changes: list[PyTree]) -> Array:
        backend = _Perturbed(records, changes)
        return over_sequence(model, reverse, backend, truncate, False, *arguments)[1]

    (gradients,) = jax.vjp(outputs, [zeros(each.states) for each in records])[1](slope)
    return tuple(_found(each, gradient) for each, gradient in zip(records, gradients, strict=True))


def _found(of_cell: Record, gradient: PyTree) -> GradientFlow:
    norm = euclidean(flat(gradient, of_cell.valid.ndim), 1)
    return GradientFlow(of_cell.label, gradient, jnp.where(of_cell.valid, norm, jnp.nan))


class _Perturbed:
    """A strategy that adds to the states of each cell in turn what comes of changes to them."""

    def __init__(self, records: tuple[Record, ...], changes: list[PyTree]) -> None:
        self._pairs = zip(records, changes, strict=True)

    def run(self, recurrence: Recurrence) -> tuple[PyTree, PyTree]:
        """As `Sequential()`, with δh added."""
        final, states = Sequential().run(recurrence)
        dfinal, dstates = _response(*next(self._pairs))
        return jax.tree.map(jnp.add, final, dfinal), jax.tree.map(jnp.add, states, dstates)


def _response(of_cell: Record, changes: PyTree) -> tuple[PyTree, PyTree]:
    """δh_t = A_t δh_{t−1} + ε_t from δh = 0: the last and all of them."""
    changes = where(of_cell.valid, changes, zeros(changes))

    def body(dh: PyTree, step: tuple[PyTree, Marks, PyTree]) -> tuple[PyTree, PyTree]:
        coef, marks, change = step
        new = jax.tree.map(jnp.add, of_cell.act(coef, marks, dh), change)
        return new, new

    start = jax.tree.map(lambda c: jnp.zeros_like(c[0]), changes)
    steps = (of_cell.coef, of_cell.marks, changes)
    return lax.scan(body, start, steps, reverse=of_cell.reverse)
