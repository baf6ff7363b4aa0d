"""A record holds what the cells did; a wrong call gets one sentence."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru import GRU, LSTM, RNN, Bidirectional, DropConnect, LayerNorm, Stack, Zoneout, scan
from jaxgru.probe import gates, gradient_flow, jacobians, memory, record, spectrum
from tests.cases import CELLS, assert_close, quick_jit
from tests.probe.helpers import drawn

T = 4
CELL = GRU(3, 2)
PARAMS, XS = drawn(CELL, T)
NAMES = {"gru": ["reset", "update"], "lstm": ["forget", "input", "output"], "sru": ["forget", "reset"]}


def test_the_states_are_those_of_scan_in_the_order_of_the_cells(x64: None) -> None:
    net = Stack([Bidirectional(Stack([GRU(3, 2), RNN(2, 2)]), LSTM(3, 2)), Zoneout(GRU(4, 2), 0.5)])
    options: Any = {"lengths": jnp.array([4, 2]), "key": jax.random.key(1)}

    @quick_jit
    def both(params: Any, xs: Any) -> Any:
        return record(net, params, xs, **options), scan(net, params, xs, **options, states=True)[2]

    records, states = both(*drawn(net, T))
    assert [each.label for each in records] == [
        "0: GRU(3, 2)",
        "1: RNN(2, 2)",
        "2: backward LSTM(3, 2)",
        "3: Zoneout(GRU(4, 2), rate=0.5)",
    ]
    assert [each.reverse for each in records] == [False, False, True, False]
    assert repr(records[2]) == "Record('2: backward LSTM(3, 2)', T=4, B=(2,))"
    (forward, backward), last = states
    assert_close([each.states for each in records], [*forward, backward, last])


def test_prev_is_what_a_step_acts_on(x64: None) -> None:
    resets = np.array([[0, 0], [0, 1], [0, 0], [1, 0]], bool)
    h0 = jnp.full((2, 2), 0.5)
    params, xs = drawn(CELL, T)
    for reverse in (False, True):
        (found,) = record(CELL, params, xs, h0, resets=jnp.asarray(resets), reverse=reverse)
        states = np.asarray(found.states)
        want = np.stack([*states[1:], h0] if reverse else [h0, *states[:-1]])
        np.testing.assert_array_equal(found.prev, np.where(resets[..., None], 0, want))


@pytest.mark.parametrize(
    ("name", "gate"),
    [
        *((name, "gru") for name in CELLS if name.startswith(("gru", "conv"))),
        ("learned-state", "gru"),
        ("lstm", "lstm"),
        ("lstm-projection", "lstm"),
        ("zoneout", "lstm"),
        ("sru", "sru"),
        ("sru-2018", "sru"),
    ],
)
def test_the_gates_have_names(name: str, gate: str) -> None:
    assert named(CELLS[name].cell) == NAMES[gate]


def test_other_gates() -> None:
    assert named(CELLS["min-gru"].cell) == ["update"]
    assert named(CELLS["rnn-tanh"].cell) == named(CELLS["leaky"].cell) == []


def named(cell: Any) -> list[str]:
    def run(params: Any, xs: Any) -> Any:
        return record(cell, params, xs)[0].gates

    params = jax.eval_shape(cell.init, jax.random.key(0))
    xs = jax.ShapeDtypeStruct((T, 2, *cell.spatial_shape, 3), np.float32)
    return sorted(jax.eval_shape(run, params, xs))


CALLS: list[tuple[Any, type[Exception], str]] = [
    (lambda: record(GRU, PARAMS, XS), TypeError, f"model must be a model such as GRU(64, 128), got {GRU!r}"),
    (
        lambda: record(CELL, PARAMS, XS[..., :2]),
        ValueError,
        "xs must have shape (T, *B, 3) for GRU(3, 2), got (4, 2, 2)",
    ),
    (
        lambda: record(CELL, PARAMS, XS, lengths=[5, 1]),  # type: ignore[arg-type]
        ValueError,
        "lengths must lie in [0, 4], the number of steps; lengths[0] is 5",
    ),
    (
        lambda: record(CELL, PARAMS, XS, truncate=0),
        ValueError,
        "truncate must be at least 1, got 0",
    ),
    (
        lambda: record(CELL, PARAMS, XS[:0]),
        ValueError,
        "xs must have at least one step for a probe, got shape (0, 2, 3)",
    ),
    (
        lambda: gradient_flow(CELL, PARAMS, XS[:0], jnp.sum),
        ValueError,
        "xs must have at least one step for a probe, got shape (0, 2, 3)",
    ),
    (
        lambda: gradient_flow(CELL, PARAMS, XS, 3),  # type: ignore[arg-type]
        TypeError,
        "loss must be a function of ys, got 3",
    ),
    (
        lambda: gradient_flow(CELL, PARAMS, XS, lambda ys: ys[-1]),
        ValueError,
        "loss must give a scalar, got shape (2, 2): sum it, or take its mean",
    ),
    (
        lambda: gradient_flow(CELL, PARAMS, XS, lambda ys: (ys.sum(), ys)),  # type: ignore[arg-type, return-value]
        TypeError,
        "loss must give a floating scalar, got a tuple",
    ),
    (
        lambda: gradient_flow(CELL, PARAMS, XS, lambda ys: ys.argmax()),
        TypeError,
        "loss must give a floating scalar, got int32",
    ),
    *(
        (
            lambda probe=probe: probe(PARAMS.w_h[:0]),
            TypeError,
            "record must be a Record such as record(model, params, xs)[0], got Array([], shape=(0, 6), dtype=float32)",
        )
        for probe in (gates, jacobians, memory, spectrum)
    ),
    *(
        (
            lambda probe=probe: probe(record(CELL, PARAMS, XS)),
            TypeError,
            "record must be one Record, got a tuple of 1: probe each of them",
        )
        for probe in (gates, jacobians, memory, spectrum)
    ),
    *(
        (
            lambda threshold=threshold: memory(record(CELL, PARAMS, XS)[0], threshold),
            ValueError,
            f"threshold must be a number in (0, 1), got {threshold!r}",
        )
        for threshold in (0, 1.0, float("nan"), True, "half")
    ),
    (
        lambda: gates(record(DropConnect(RNN(3, 2), 0.5), *drawn(RNN(3, 2), T))[0]),
        ValueError,
        "record must be of a cell that names its gates, which DropConnect(RNN(3, 2), rate=0.5) does not",
    ),
    (
        lambda: gates(record(LayerNorm(CELL), *drawn(LayerNorm(CELL), T))[0]),
        ValueError,
        "record must be of a cell that names its gates, which LayerNorm(GRU(3, 2)) does not",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), CALLS)
def test_message(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_a_traced_threshold_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^threshold is traced, but decides what is compiled"):
        jax.eval_shape(lambda threshold: memory(record(CELL, PARAMS, XS)[0], threshold).norm, 0.5)
