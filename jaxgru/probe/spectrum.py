"""How much each step can stretch a change of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxgru.probe import draw
from jaxgru.probe.jacobians import jacobians
from jaxgru.probe.record import Record, one

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What `spectrum` gives, in NumPy.

    Attributes:
      label: the record's.
      norm: (T, *B), the largest singular value of A_t; NaN in the padding, and where A_t is not finite.
      radius: (T, *B), the largest |eigenvalue| of A_t; NaN likewise.
    """

    label: str
    norm: np.ndarray[Any, Any]
    radius: np.ndarray[Any, Any]

    def plot(self) -> Figure:
        """Both against t, median and spread over the rows; and the 1 at which nothing fades or grows."""
        figure, axes = draw.figure()
        draw.band(axes, self.norm, "C0", r"norm $\Vert A_t\Vert_2$")
        draw.band(axes, self.radius, "C1", r"spectral radius $\rho(A_t)$")
        axes.axhline(1, color="0.4", linestyle="-.", label="1: neither fades nor grows")
        axes.set(
            xlabel="t (step)",
            ylabel=r"size of $A_t=\partial h_t/\partial h_{t-1}$ (factor)",
            ylim=(0, 1.05 * max(1, np.nanmax(self.norm, initial=0))),
            title=draw.title(self.label),
        )
        draw.legend(axes, self.norm)
        return figure


def spectrum(record: Record) -> Spectrum:
    """The norm and the spectral radius of the Jacobian of every step.

        ‖A_t‖₂ = max σ(A_t),  ρ(A_t) = max |eigenvalue(A_t)|,  A_t = ∂h_t/∂h_{t−1}

    The norm bounds what one step can do to a gradient; the radius says what the same step does many times over. Both
    are 0 at resets and truncations.

    Args:
      record: of one cell, from `record`; not traced, as eigenvalues are computed by NumPy on the host.

    Returns:
      A `Spectrum`.

    Raises:
      TypeError: something that is no record, or a traced one.

    Example:
      >>> import jax.numpy as jnp, jaxgru
      >>> cell = jaxgru.RNN(3, 5)
      >>> (of_cell,) = jaxgru.probe.record(cell, cell.init(jax.random.key(0)), jnp.ones((7, 2, 3)))
      >>> found = spectrum(of_cell)
      >>> found.norm.shape, bool((found.radius <= found.norm).all())
      ((7, 2), True)

    Cost: T·B·D² numbers, and some 30 D³ FLOPs for each step of each row, D the size of the whole state: probe a few
      rows of a wide model.

    References: Pascanu et al. 2013 (arXiv:1211.5063).
    """
    one(record)
    matrices = jacobians(record)
    if isinstance(matrices, jax.core.Tracer):
        raise TypeError(
            "record is traced, and eigenvalues are computed on the host: call spectrum outside jit"
        )
    a, valid = np.asarray(matrices), np.asarray(record.valid)
    finite = np.isfinite(a).all((-2, -1))  # where a model has blown up there is nothing to decompose
    a, valid = np.where(finite[..., None, None], a, 0), valid & finite
    norm = np.linalg.norm(a, 2, axis=(-2, -1))
    radius = np.abs(np.linalg.eigvals(a)).max(-1)
    return Spectrum(record.label, np.where(valid, norm, np.nan), np.where(valid, radius, np.nan))
