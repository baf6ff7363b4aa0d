"""The loop over time, and its derivative: one linear recurrence, stated once for every cell and transform.

`loop` runs h_t = f(h_{t−1}, a_t). Its tangent is δh_t = A_t δh_{t−1} + s_t, a scan over δh alone: the
coefficients of A and the source s are computed for all of time at once, outside it. JAX transposes that scan
for reverse mode; what it carries then is the adjoint of the state, and since s holds every parameter, the
gradient of every weight is one product outside the loop. Because `loop` also returns the gates, and its rule
calls `loop` for them, the rule can itself be differentiated, to any order.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.ad_checkpoint import checkpoint_name

from jaxgru import checks
from jaxgru.recurrence.blocks import in_blocks, steps
from jaxgru.recurrence.marks import Marks, along

if TYPE_CHECKING:
    from jaxgru.cells.base import Cell
    from jaxgru.recurrence.backend import Recurrence

PyTree = Any
STATES = "jaxgru.states"  # what a policy of jax.checkpoint calls the states that the derivative needs


class Plan(NamedTuple):
    """What is static about a loop.

    Attributes:
      cell: the recurrence.
      reverse: whether it runs from the last step to the first.
      block: how many steps' inputs are projected at a time, before the loop over them; None if each is in it.
      save: what forward keeps for the derivative: the "gates" of each step, or its state alone ("states").
      unroll: how many steps XLA sees as one body.
    """

    cell: Cell
    reverse: bool
    block: int | None
    save: str
    unroll: int


class Passed(NamedTuple):
    """What a loop returns: the last state, every state, and every step's gates (None unless asked for)."""

    final: PyTree
    states: PyTree
    gates: PyTree


def loop(recurrence: Recurrence, *, block: int | None, save: str, unroll: int) -> tuple[PyTree, PyTree]:
    """Runs a recurrence, in the way that `Plan` describes; gives the last state and all of them."""
    cell, params, inputs, h0, restart, marks, reverse = recurrence
    plan = Plan(cell, reverse, block, save, unroll)
    passed = _loop(plan, False, params, h0, restart, inputs, marks)
    return passed.final, passed.states


def held(cell: Cell, a: PyTree, valid: Array | None) -> PyTree:
    """a with held gates at the steps that do not act, if the cell has such."""
    if not cell.holds or valid is None:
        return a
    return cell.hold(a, valid.reshape(valid.shape + (1,) * len(checks.event_shape(cell))))


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _loop(
    plan: Plan, saving: bool, params: PyTree, h0: PyTree, restart: PyTree, inputs: PyTree, marks: Marks
) -> Passed:
    cell = plan.cell

    def body(h: PyTree, step: tuple[PyTree, Marks]) -> tuple[PyTree, tuple[PyTree, PyTree]]:
        a, (valid, reset, cut) = step
        h = where(cut, lax.stop_gradient(h), h)
        h = where(reset, restart, h)
        a = held(cell, cell.project(params, a), valid) if plan.block is None else a
        new, gates = cell.transition(params, h, a)
        new = new if cell.holds or valid is None else where(~valid, h, new)
        return new, (new, gates if saving else None)

    def run(h: PyTree, part: tuple[PyTree, Marks]) -> tuple[PyTree, tuple[PyTree, PyTree]]:
        inputs, marks = part
        a = inputs if plan.block is None else held(cell, cell.project(params, inputs), marks.valid)
        return lax.scan(body, h, (a, marks), reverse=plan.reverse, unroll=plan.unroll)

    if plan.block is None or plan.block >= steps(inputs):
        final, (states, gates) = run(h0, (inputs, marks))
    else:
        final, (states, gates) = in_blocks(run, h0, (inputs, marks), plan.block, reverse=plan.reverse)
    return Passed(final, states, gates)


@_loop.defjvp
def _loop_jvp(plan: Plan, saving: bool, primals: Any, tangents: Any) -> tuple[Passed, Passed]:
    cell, (params, h0, restart, inputs, marks) = plan.cell, primals
    dparams, dh0, drestart, dinputs, _ = tangents
    out = _loop(plan, saving or plan.save == "gates", *primals)
    out = out._replace(states=checkpoint_name(out.states, STATES))
    prev = before(plan.reverse, h0, restart, out.states, marks)
    # A held gate does not change with a, so that δa needs no mark: what stands before it is zero.
    a, da = jax.jvp(cell.project, (params, inputs), (dparams, dinputs))
    a = held(cell, a, marks.valid)
    passed = cell.transition(params, prev, a) if out.gates is None else (out.states, out.gates)
    coef = cell.linearize(params, prev, a, passed)
    s = cell.source(params, coef, prev, dparams, da)

    # Nothing in the body may depend on what is known before the tangents alone, not even the shape of a mark:
    # reverse mode would compute it in a loop of its own.
    idle = None if cell.holds or marks.valid is None else ~marks.valid
    marked = tuple(
        None if mark is None else spread(mark, out.states) for mark in (marks.reset, marks.cut, idle)
    )
    nothing = zeros(h0)

    def body(dh: PyTree, step: tuple[PyTree, PyTree, Any]) -> tuple[PyTree, PyTree]:
        coef, s, (reset, cut, idle) = step
        dh = select(cut, nothing, dh)
        dh = select(reset, drestart, dh)
        new = jax.tree.map(jnp.add, cell.tangent(params, coef, dh), s)
        new = select(idle, dh, new)
        return new, new

    dfinal, dstates = lax.scan(body, dh0, (coef, s, marked), reverse=plan.reverse, unroll=plan.unroll)
    if not saving:
        return out._replace(gates=None), Passed(dfinal, dstates, None)
    dprev = before(plan.reverse, dh0, drestart, dstates, marks, zero_cut=True)
    dgates = jax.jvp(lambda *args: cell.transition(*args)[1], (params, prev, a), (dparams, dprev, da))[1]
    return out, Passed(dfinal, dstates, dgates)


def before(
    reverse: bool, h0: PyTree, restart: PyTree, states: PyTree, marks: Marks, zero_cut: bool = False
) -> PyTree:
    """The state each step acts on, from the states after each."""

    def shift(first: Array, after: Array) -> Array:
        parts = (after[1:], first[None]) if reverse else (first[None], after[:-1])
        return jnp.concatenate(parts) if len(after) else after

    prev = jax.tree.map(shift, h0, states)
    prev = where(marks.cut, zeros(prev) if zero_cut else lax.stop_gradient(prev), prev)
    return where(marks.reset, restart, prev)


def spread(mark: Array, states: PyTree) -> PyTree:
    """A mark (T, *B) for each entry of each state (T, *B, …)."""
    return jax.tree.map(lambda s: jnp.broadcast_to(along(mark, s), s.shape), states)


def select(marks: PyTree, yes: PyTree, no: PyTree) -> PyTree:
    """`yes` where the marks of its entries are set; `no` without marks."""
    return no if marks is None else jax.tree.map(jnp.where, marks, yes, no)


def where(mark: Array | None, yes: PyTree, no: PyTree) -> PyTree:
    """`yes` where the mark of a step is set; `no` without marks."""
    return no if mark is None else select(spread(mark, no), yes, no)


def zeros(tree: PyTree) -> PyTree:
    """A tree of zeros like the arrays of another."""
    return jax.tree.map(jnp.zeros_like, tree)
