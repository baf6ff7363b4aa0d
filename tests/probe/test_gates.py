"""Statistics of gates are those that NumPy computes of the activations."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru import GRU, LSTM, ConvGRU, scan
from jaxgru.probe import gates, record
from tests.cases import assert_close, quick_jit
from tests.probe.helpers import SHARP, drawn

T, LENGTHS = 6, np.array([6, 3, 0])
REAL = np.arange(T)[:, None] < LENGTHS


def sigmoid(u: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-u))


def test_the_numbers_are_those_of_numpy_without_the_padding(x64: None) -> None:
    cell = GRU(3, 4)
    params, xs = drawn(cell, T, (3,))
    xs = 3 * jnp.where(REAL[..., None], xs, jnp.nan)

    @quick_jit
    def both(params: Any, xs: Any) -> Any:
        lengths = jnp.asarray(LENGTHS)
        states = scan(cell, params, xs, lengths=lengths, states=True)[2]
        return gates(record(cell, params, xs, lengths=lengths)[0]), states

    found, states = both(params, xs)
    prev = np.concatenate([np.zeros((1, 3, 4)), states[:-1]])
    w_x, w_h, b_x, b_h = (np.asarray(p) for p in params)
    u = np.asarray(xs) @ w_x + b_x + prev @ w_h + b_h
    assert found.label == "0: GRU(3, 4)"
    assert sorted(found.gates) == ["reset", "update"]
    for i, name in enumerate(("reset", "update")):
        values, gate = sigmoid(u[..., 4 * i : 4 * i + 4])[REAL], found.gates[name]
        assert len(values) == LENGTHS.sum()
        assert_close(gate.mean, values.mean(0), SHARP)
        assert_close(gate.std, values.std(0), SHARP)
        np.testing.assert_array_equal(gate.closed, (values < 0.1).mean(0))
        np.testing.assert_array_equal(gate.open, (values > 0.9).mean(0))
        counts, _ = np.histogram(values, 50, (0, 1))
        assert_close(gate.histogram, counts / values.size, SHARP)
    assert any(gate.closed.any() and gate.open.any() for gate in found.gates.values())


def test_a_channel_is_a_unit_of_a_convolution() -> None:
    cell = ConvGRU(3, 2, spatial_shape=(4,))
    rng = np.random.default_rng(0)
    xs = jnp.asarray(rng.standard_normal((T, 3, 4, 3)), jnp.float32)

    @quick_jit
    def both(params: Any) -> Any:
        (of_cell,) = record(cell, params, xs, lengths=jnp.asarray(LENGTHS))
        return gates(of_cell), of_cell.gates

    found, values = both(drawn(cell, T)[0])
    for name, gate in found.gates.items():
        assert gate.mean.shape == (2,)
        assert_close(gate.mean, np.asarray(values[name])[REAL].mean((0, 1)), 1e-6)
        assert float(gate.histogram.sum()) == pytest.approx(1, abs=1e-6)


def test_in_half_precision_and_without_batch_axes() -> None:
    def run(params: Any, xs: Any) -> Any:
        return gates(record(LSTM(3, 2, dtype=jnp.bfloat16), params, xs)[0])

    found = quick_jit(run)(*drawn(LSTM(3, 2), T, ()))
    assert sorted(found.gates) == ["forget", "input", "output"]
    assert found.gates["forget"].mean.shape == (2,)
    assert found.gates["forget"].mean.dtype == jnp.float32


def test_of_rows_without_steps_nothing_is_known() -> None:
    def run(params: Any, xs: Any) -> Any:
        return gates(record(GRU(3, 2), params, xs, lengths=jnp.zeros(2, int))[0])

    found = quick_jit(run)(*drawn(GRU(3, 2), T))
    assert all(np.isnan(part).all() for gate in found.gates.values() for part in gate)
