"""Every picture draws: a warning of matplotlib would be an error."""

import io
from typing import Any

import jax.numpy as jnp
import pytest

from jaxgru import GRU, LSTM, RNN, Stack
from jaxgru.probe import gates, gradient_flow, memory, record, spectrum
from tests.cases import quick_jit
from tests.probe.helpers import drawn

T = 5


def drawings(model: Any, batch: tuple[int, ...], **options: Any) -> list[Any]:
    """Every picture of every cell."""

    @quick_jit
    def probed(params: Any, xs: Any) -> tuple[Any, list[Any]]:
        records = record(model, params, xs, **options)
        flows = gradient_flow(model, params, xs, lambda ys: jnp.sum(ys[-1] ** 2), **options)
        return records, [*flows, *map(memory, records), *map(gates, records)]

    records, found = probed(*drawn(model, T, batch))
    return [*found, *map(spectrum, records)]


def pictured(result: Any) -> Any:
    """The picture, after it was written: its axes are labelled, its lines told apart, its title is the cell's."""
    figure, file = result.plot(), io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert axes.get_legend() is not None
    titles = (figure.get_suptitle(), *(axes.get_title() for axes in figure.axes))
    assert any(title.startswith(result.label) for title in titles)
    return figure


@pytest.mark.parametrize(
    ("batch", "options"),
    [
        ((3,), {"lengths": jnp.array([5, 2, 0]), "resets": jnp.zeros((5, 3), bool).at[2, 0].set(True)}),
        ((), {}),
    ],
    ids=["rows", "one"],
)
def test_every_picture_draws(batch: tuple[int, ...], options: Any) -> None:
    net = Stack([GRU(3, 2), LSTM(2, 2)])
    results = drawings(net, batch, **options)
    assert len(results) == 8
    for result in results:
        pictured(result)


@pytest.mark.parametrize("lengths", [(0, 0), ()], ids=["no steps", "no rows"])
def test_of_nothing_too(lengths: tuple[int, ...]) -> None:
    for result in drawings(GRU(3, 2), (len(lengths),), lengths=jnp.array(lengths, int)):
        pictured(result)


def test_the_length_of_a_memory_is_told() -> None:
    params, xs = drawn(RNN(3, 2), T)
    (of_cell,) = record(RNN(3, 2), params, xs)
    for threshold, words in ((1e-9, "longer than 5 steps"), (0.999, "1 steps (median)")):
        title = pictured(memory(of_cell, threshold)).axes[0].get_title()
        assert title == f"0: RNN(3, 2)\neffective memory: {words}"


def test_a_memory_is_drawn_on_a_logarithmic_axis() -> None:
    params, xs = drawn(GRU(3, 2), T)
    (axes,) = pictured(memory(record(GRU(3, 2), params, xs)[0])).axes
    assert axes.get_yscale() == "log"
    norm, kept, _ = axes.get_lines()
    assert len(norm.get_xdata()) == len(kept.get_xdata()) == T + 1
