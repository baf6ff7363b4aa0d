"""Gradient flow is what autodiff says of changes added to the states of a plain loop."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru import GRU, LSTM, Bidirectional, Stack, Zoneout, scan
from jaxgru.probe import gradient_flow, jacobians, record
from tests.cases import assert_close, quick_jit
from tests.probe.helpers import SHARP, drawn, flat

T, LENGTHS = 4, (4, 2)
WEIGHTS = np.random.default_rng(0).standard_normal((T, 2, 3))


def loss(ys: Any) -> Any:
    """Each output with a weight of its own; nothing for those in the padding, which are zero."""
    return jnp.sum(jnp.sin(ys) * WEIGHTS[:, : ys.shape[1], : ys.shape[-1]])


def loop(cell: Any, params: Any, xs: Any, changes: Any, resets: Any, reverse: bool = False) -> Any:
    """One row through `step`, step by step, with something added to the state after each."""
    initial = state = cell.initial_state((), params)
    ys = [None] * len(xs)
    for t in range(len(xs))[::-1] if reverse else range(len(xs)):
        state, _ = cell.step(params, initial if resets[t] else state, xs[t])
        state = jax.tree.map(lambda s, c, t=t: s + c[t], state, changes)
        ys[t] = state.h if isinstance(state, tuple) else state
    return jnp.stack(ys)


@pytest.mark.parametrize("cell", [GRU(3, 3), LSTM(3, 3)], ids=str)
def test_of_a_cell(cell: Any, x64: None) -> None:
    @quick_jit
    def both(params: Any, xs: Any) -> Any:
        (flow,) = gradient_flow(cell, params, xs, loss)

        def one(xs: Any, changes: Any, weights: Any) -> Any:
            return jnp.sum(jnp.sin(loop(cell, params, xs, changes, [False] * T)) * weights)

        rows = jax.vmap(jax.grad(one, 1), 1, 1)
        return flow, rows(xs, jax.tree.map(jnp.zeros_like, flow.gradient), WEIGHTS)

    flow, want = both(*drawn(cell, T))
    assert flow.label == f"0: {cell}"
    assert_close(flow.gradient, want, SHARP)
    assert_close(flow.norm, np.linalg.norm(flat(want, 2), axis=-1), SHARP)


def test_of_a_composition_with_lengths_and_resets(x64: None) -> None:
    net: Any = Stack([Bidirectional(GRU(3, 2)), LSTM(4, 3)])
    resets = np.array([[0, 0], [0, 1], [1, 1], [0, 0]], bool)

    def slope(params: Any, x: Any, marks: Any, weights: Any, changes: Any) -> Any:
        """What autodiff says of one row, by changes to the states of all three cells."""

        def of(changes: Any) -> Any:
            both = zip((False, True), (marks, [*marks[1:], False]), params[0], changes[:2], strict=True)
            ys = [loop(GRU(3, 2), p, x, change, mark, reverse) for reverse, mark, p, change in both]
            ys = loop(net.layers[1], params[1], jnp.concatenate(ys, 1), changes[2], marks)
            return jnp.sum(jnp.sin(ys) * weights)

        return jax.grad(of)(jax.tree.map(jnp.zeros_like, changes))

    @quick_jit
    def both(params: Any, xs: Any) -> Any:
        options: Any = {"lengths": jnp.array(LENGTHS), "resets": jnp.asarray(resets)}
        flows = gradient_flow(net, params, xs, loss, **options)
        rows = []
        for row, n in enumerate(LENGTHS):
            changes = [jax.tree.map(lambda g, n=n, row=row: g[:n, row], flow.gradient) for flow in flows]
            want = slope(params, xs[:n, row], list(resets[:n, row]), WEIGHTS[:n, row], changes)
            rows.append((changes, want))
        return flows, rows

    params, xs = drawn(net, T)
    flows, rows = both(
        params, jnp.where(np.arange(T)[:, None, None] < np.array(LENGTHS)[:, None], xs, jnp.nan)
    )
    assert [flow.label for flow in flows] == ["0: GRU(3, 2)", "1: backward GRU(3, 2)", "2: LSTM(4, 3)"]
    for got, want in rows:
        assert_close(got, want, SHARP)
    for flow in flows:
        assert not any(np.asarray(g)[2:, 1].any() for g in jax.tree.leaves(flow.gradient))
        assert np.isnan(np.asarray(flow.norm)[2:, 1]).all()


@pytest.mark.parametrize("options", [{"reverse": True}, {"truncate": 2}, {"key": None}], ids=str)
def test_it_is_the_adjoint_of_the_jacobians(options: Any, x64: None) -> None:
    """λ_t = A_{t+1}ᵀ λ_{t+1} + dL/dy_t, where the output is the state."""
    cell = Zoneout(GRU(3, 3), 0.5)

    @quick_jit
    def all_of_it(params: Any, xs: Any, key: Any) -> Any:
        given = {**options, "key": key} if "key" in options else options
        h0 = jnp.full((2, 3), 0.3)
        (flow,), (of_cell,) = (
            gradient_flow(cell, params, xs, loss, h0, **given),
            record(cell, params, xs, h0, **given),
        )
        return flow.gradient, jacobians(of_cell), jax.grad(loss)(scan(cell, params, xs, h0, **given)[1])

    gradient, a, slope = map(np.asarray, all_of_it(*drawn(cell, T), jax.random.key(3)))
    passed = np.zeros((2, 3))
    for t in range(T) if options.get("reverse") else range(T)[::-1]:
        here = slope[t] + passed
        assert_close(gradient[t], here, SHARP)
        passed = np.einsum("bij,bi->bj", a[t], here)


@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_any_batch_axes(batch: tuple[int, ...]) -> None:
    cell = LSTM(3, 3)
    params, xs = drawn(cell, T, batch)
    (flow,) = jax.eval_shape(lambda: gradient_flow(cell, params, xs, lambda ys: jnp.sum(ys[-1])))
    assert flow.gradient.c.shape == (T, *batch, 3)
    assert flow.norm.shape == (T, *batch)


def test_half_precision() -> None:
    def norm(dtype: Any) -> Any:
        def run(params: Any, xs: Any) -> Any:
            cell = GRU(3, 3, dtype=dtype)
            return gradient_flow(cell, params, xs, lambda ys: jnp.sum(ys.astype(jnp.float32) ** 2))[0].norm

        return quick_jit(run)(*drawn(GRU(3, 3), T))

    assert_close(norm(jnp.bfloat16), norm(None), 0.05)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_norm_does_not_end_before_the_gradient(scale: float) -> None:
    """A square of 1e-30 would be zero in float32, one of 1e30 infinite."""

    def run(params: Any, xs: Any) -> Any:
        return gradient_flow(GRU(3, 3), params, xs, lambda ys: scale * jnp.sum(ys[-1]))[0]

    flow = quick_jit(run)(*drawn(GRU(3, 3), T))
    want = np.linalg.norm(np.asarray(flow.gradient, np.float64), axis=-1)
    assert flow.norm.dtype == jnp.float32
    assert (want > 1e-3 * scale).all()
    np.testing.assert_allclose(flow.norm, want, rtol=1e-6)


def test_eagerly_and_with_a_loss_that_reads_nothing() -> None:
    cell = GRU(3, 3)
    (flow,) = gradient_flow(cell, *drawn(cell, T), lambda ys: 1.0)
    assert not np.asarray(flow.norm).any()
