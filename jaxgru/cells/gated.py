"""The algebra of a gated recurrent unit, for any linear map of its state: a matrix, or a convolution."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.cells.dense import Masked, blocks, changed, columns

Projected = tuple[Array, Array, Array]


class Gates(NamedTuple):
    """What one step computes on its way, each (…, H).

    Attributes:
      reset: r.
      update: z.
      candidate: n.
      recurrent: h W_n + b_n where the reset gate comes after the product; None where it comes before.
    """

    reset: Array
    update: Array
    candidate: Array
    recurrent: Array | None


class Coefficients(NamedTuple):
    """The derivative of one step, each (…, H); the names are those in `GatedUnit.linearize`."""

    keep: Array
    k_r: Array
    k_z: Array
    k_n: Array
    inner: Array


@dataclass(frozen=True, init=False, repr=False)
class GatedUnit(Cell):
    """A gated recurrent unit whose parameters have the fields w_x, w_h, b_x and b_h, in blocks r | z | n.

    A subclass says what the products are: `product` in the loop and `product_over_time` outside it. They are
    written h W here, whatever they are.
    """

    reset: Literal["after", "before"]
    update: Literal["keeps", "writes"]
    bias: bool

    def _choose(self, reset: str, update: str, bias: bool) -> None:
        checks.choice("reset", reset, ("after", "before"))
        checks.choice("update", update, ("keeps", "writes"))
        checks.flag("bias", bias)
        self._set(reset=reset, update=update, bias=bool(bias))

    @property
    def holds(self) -> bool:
        """z can keep the state as it is."""
        return True

    @property
    def memory(self) -> tuple[int | None, ...]:
        """The update gate keeps the state, or writes it."""
        return (None, 1 if self.update == "keeps" else -1, None) if self.bias else ()

    def _biases(self) -> tuple[Any, Any]:
        """b_x and b_h, as `draw` wants to know them."""
        if not self.bias:
            return None, None
        shape, (_, sign, _) = (3 * self.hidden_size,), self.memory
        return ("bias", shape, 3, (None, sign, None)), ("bias", shape, 3, (None, 0, None))

    @abc.abstractmethod
    def product(self, x: Array, w: Array | Masked) -> Array:
        """x W of one step, or of several."""

    @abc.abstractmethod
    def product_over_time(self, x: Array, w: Array) -> Array:
        """x W over all of time, for a W that is differentiated."""

    def product_of_change(self, x: Array, w: Array | Masked) -> Array:
        """x W in the loop of the derivative."""
        return self.product(x, w)

    def add_biases(self, params: Any, products: Any) -> Projected:
        """(a_r, a_z, a_n): each product with b_x, and with every part of b_h that stands outside ⊙ r."""
        if params.b_x is not None:
            (r, z, n), (h_r, h_z, h_n) = blocks(3, params.b_x), blocks(3, params.b_h)
            biases = (r + h_r, z + h_z, n if self.reset == "after" else n + h_n)
            products = [product + b for product, b in zip(products, biases, strict=True)]
        a_r, a_z, a_n = products
        return a_r, a_z, a_n

    def transition(self, params: Any, state: Array, a: Projected) -> tuple[Array, Gates]:
        """h' and the gates."""
        a_r, a_z, a_n = a
        recurrent = None
        if self.reset == "after":
            u_r, u_z, u_n = blocks(3, self.product(state, params.w_h))
            recurrent = u_n if params.b_h is None else u_n + blocks(3, params.b_h)[2]
            r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
            n = jnp.tanh(a_n + r * recurrent)
        else:
            w_rz, w_n = self._gates_and_candidate(params.w_h)
            u_r, u_z = blocks(2, self.product(state, w_rz))
            r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
            n = jnp.tanh(a_n + self.product(r * state, w_n))
        return self.mix(z, n, state), Gates(r, z, n, recurrent)

    def mix(self, z: Array, n: Array, state: Array) -> Array:
        """h' from the update gate, the candidate and h."""
        old, new = (state, n) if self.update == "keeps" else (n, state)
        # In this form, and not as n + z (h − n), a gate of exactly 1 or 0 gives one side bit for bit.
        return (1 - z) * new + z * old

    def linearize(
        self, params: Any, prev: Array, a: Projected, passed: tuple[Array, Gates] | None = None
    ) -> Coefficients:
        """The coefficients of the derivative of a step.

        keep = z        K_n = (1 − z)(1 − n²)        K_z = (h − n) z (1 − z)          update="keeps"
        keep = 1 − z    K_n = z (1 − n²)             K_z = (n − h) z (1 − z)          update="writes"
        K_r = K_n (h W_n + b_n) r (1 − r)                                             reset="after"
        K_r = h r (1 − r)                                                             reset="before"
        inner = K_n r (after), r (before)
        """
        _, (r, z, n, recurrent) = self.transition(params, prev, a) if passed is None else passed
        keeps = self.update == "keeps"
        keep, write = (z, 1 - z) if keeps else (1 - z, z)
        k_n = write * (1 - n * n)
        k_z = (prev - n if keeps else n - prev) * z * (1 - z)
        k_r = (prev if recurrent is None else k_n * recurrent) * r * (1 - r)
        return Coefficients(keep, k_r, k_z, k_n, r if recurrent is None else k_n * r)

    def tangent(self, params: Any, coef: Coefficients, dprev: Array) -> Array:
        """A·δh.

        keep δh + K_r (δh W_r) + K_z (δh W_z) + inner (δh W_n)                            reset="after"
        keep δh + K_z (δh W_z) + K_n ((K_r (δh W_r) + r δh) W_n)                          reset="before"
        """
        keep, k_r, k_z, k_n, inner = coef
        if self.reset == "after":
            d_r, d_z, d_n = blocks(3, self.product_of_change(dprev, params.w_h))
            return keep * dprev + k_r * d_r + k_z * d_z + inner * d_n
        w_rz, w_n = self._gates_and_candidate(params.w_h)
        d_r, d_z = blocks(2, self.product_of_change(dprev, w_rz))
        return keep * dprev + k_z * d_z + k_n * self.product_of_change(k_r * d_r + inner * dprev, w_n)

    def source(self, params: Any, coef: Coefficients, prev: Array, dparams: Any, da: Projected) -> Array:
        """s, for all of time at once.

        K_r (δa_r + h δW_r) + K_z (δa_z + h δW_z) + K_n (δa_n + r (h δW_n + δb_n))        reset="after"
        K_z (δa_z + h δW_z) + K_n (δa_n + (r h) δW_n + (K_r (δa_r + h δW_r)) W_n)         reset="before"
        """
        inner = coef.inner
        da_r, da_z, da_n = da
        if self.reset == "after":
            d_r, d_z, d_n = blocks(3, self.product_over_time(*changed(prev, params.w_h, dparams.w_h)))
            if dparams.b_h is not None:
                d_n = d_n + blocks(3, dparams.b_h)[2]
            return self.drive(params, coef, prev, (da_r + d_r, da_z + d_z, da_n)) + inner * d_n
        (w_rz, w_n), (dw_rz, dw_n) = map(self._gates_and_candidate, (params.w_h, dparams.w_h))
        d_r, d_z = blocks(2, self.product_over_time(*changed(prev, w_rz, dw_rz)))
        d_n = self.product_over_time(*changed(inner * prev, w_n, dw_n))
        return self.drive(params, coef, prev, (da_r + d_r, da_z + d_z, da_n + d_n))

    def drive(self, params: Any, coef: Coefficients, prev: Array, da: Projected) -> Array:
        """K_r δa_r + K_z δa_z + K_n δa_n (after); K_z δa_z + K_n (δa_n + (K_r δa_r) W_n) (before)."""
        del prev
        _, k_r, k_z, k_n, _ = coef
        da_r, da_z, da_n = da
        if self.reset == "after":
            return k_r * da_r + k_z * da_z + k_n * da_n
        _, w_n = self._gates_and_candidate(params.w_h)
        return k_z * da_z + k_n * (da_n + self.product_of_change(k_r * da_r, w_n))

    def hold(self, a: Projected, valid: Array) -> Projected:
        """Where `valid` is False: z of exactly 1 (keeps) or 0 (writes), and r and n of no matter."""
        a_r, a_z, a_n = a
        # Half of the largest number, for an infinity would trip jax_debug_infs and overflow beside h W_z.
        huge = jnp.finfo(a_z.dtype).max / 2 * (1 if self.update == "keeps" else -1)
        return jnp.where(valid, a_r, 0), jnp.where(valid, a_z, huge), jnp.where(valid, a_n, 0)

    def _gates_and_candidate(self, w_h: Array | Masked) -> list[Array | Masked]:
        return columns(w_h, (2 * self.hidden_size, self.hidden_size))
