"""Every picture draws: a warning of matplotlib would be an error."""

import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru import GRU, LSTM, RNN, SRU, Chrono, ConvGRU, DropConnect, MinGRU, Stack, Zoneout
from jaxgru.layers.attention import AttentionDecoder, Multiplicative
from jaxgru.probe import (
    Gate,
    Gates,
    GradientFlow,
    Reach,
    Spectrum,
    gates,
    gradient_flow,
    memory,
    record,
    spectrum,
)
from tests.cases import quick_jit
from tests.probe.helpers import drawn

T = 5


class Named(RNN):
    """A cell of someone else, whose update gate could mean either."""


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
    assert any(title.replace("\n", " ").startswith(result.label) for title in titles)
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


def reach(norm: Any, threshold: float = 1 / np.e, length: Any = 1.0, label: str = "0: RNN(3, 2)") -> Reach:
    """What `memory` would give of these norms."""
    return Reach(label, jnp.asarray(norm, jnp.float32), None, jnp.asarray(length, jnp.float32), threshold)


@pytest.mark.parametrize(
    ("threshold", "length", "words"),
    [
        (1 / np.e, [4, 5], "below 1/e after 4.5 steps (median)"),
        (0.3679, 1, "below 0.368 after 1 step"),
        (0.1, [2, np.inf, 2], "below 0.1 after 2 steps (median)"),
        (0.1, np.inf, "never below 0.1"),
        (1 / np.e, [3, np.inf], "never below 1/e in half of the rows or more"),
    ],
)
def test_the_length_of_a_memory_is_told(threshold: float, length: Any, words: str) -> None:
    norm = np.ones((6, *np.shape(length)))
    (axes,) = pictured(reach(norm, threshold, length)).axes
    assert axes.get_title() == f"0: RNN(3, 2)\n{words}"
    bound = words.split("below ")[1].split(maxsplit=1)[0]
    assert f"threshold {bound}" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_memory_is_drawn_on_a_logarithmic_axis() -> None:
    params, xs = drawn(GRU(3, 2), T)
    (axes,) = pictured(memory(record(GRU(3, 2), params, xs)[0])).axes
    assert axes.get_yscale() == "log"
    norm, kept, _ = axes.get_lines()
    assert len(norm.get_xdata()) == len(kept.get_xdata()) == T + 1


RAGGED = np.where(np.arange(8)[:, None] < [8, 6, 4, 4, 2], 0.5, np.nan)


@pytest.mark.parametrize(
    ("values", "title", "dotted"),
    [
        (
            RAGGED,
            "median of up to 5 rows, 10–90 % shaded\nthin and dotted: of fewer than half of them",
            [3, 4, 5, 6, 7],
        ),
        (
            RAGGED[:, 2:],
            "median of up to 3 rows, 10–90 % shaded",
            [],
        ),
        (RAGGED[:2], "median of 5 rows, 10–90 % shaded", []),
        (RAGGED[:, :1], "", []),
    ],
    ids=["ragged", "none left", "equal", "one"],
)
@pytest.mark.parametrize(
    "result",
    [reach, lambda v: GradientFlow("0: RNN(3, 2)", None, v), lambda v: Spectrum("0: RNN(3, 2)", v, v)],
    ids=["memory", "gradient flow", "spectrum"],
)
def test_where_few_rows_are_left_the_line_is_dotted(
    result: Any, values: Any, title: str, dotted: list[int]
) -> None:
    """And meets the other one, which ends there."""
    (axes,) = pictured(result(values)).axes
    assert axes.get_legend().get_title().get_text() == title
    thin = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert bool(thin) == bool(dotted)
    for line in thin:
        assert np.flatnonzero(~np.isnan(line.get_ydata())).tolist() == dotted
    full = axes.get_lines()[0].get_ydata()
    assert np.isnan(full).tolist() == [t in dotted[1:] for t in range(len(full))]


def test_on_a_logarithmic_axis_a_line_ends_where_it_is_zero() -> None:
    """And so it does not fall straight down; on a linear axis zero is a number."""
    values = np.array([1, 0.1, 0.01, 0, 0])
    for result in (reach(values), GradientFlow("0: RNN(3, 2)", None, values)):
        (axes,) = pictured(result).axes
        assert axes.get_yscale() == "log"
        assert np.isnan(axes.get_lines()[0].get_ydata()).tolist() == [False, False, False, True, True]
    (axes,) = pictured(Spectrum("0: RNN(3, 2)", values, values)).axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), values)


@pytest.mark.parametrize("low", [1e-9, 0.05, 0.3, 0.55, 0.9])
def test_an_axis_has_labels_however_short_it_is(low: float) -> None:
    """At least two, all of them at major ticks; of few decades with others than powers of ten."""
    figure = pictured(GradientFlow("0: RNN(3, 2)", None, np.linspace(low, 1, 5)))
    (axes,) = figure.axes
    (bottom, top), axis = axes.get_ylim(), axes.yaxis
    shown = [
        tick for tick in axis.get_major_ticks() if bottom <= tick.get_loc() <= top and tick.label1.get_text()
    ]
    assert len(shown) >= 2
    assert not any(label.get_text() for label in axis.get_ticklabels(minor=True))


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        (GRU(3, 2, bias=False), ["reset", "update (1 keeps)"]),
        (DropConnect(Zoneout(GRU(3, 2, update="writes"), 0.5), 0.5), ["reset", "update (1 writes)"]),
        (ConvGRU(3, 2, spatial_shape=(4,), update="writes"), ["reset", "update (1 writes)"]),
        (AttentionDecoder(GRU(3, 2), Multiplicative(2, 2)), ["reset", "update (1 keeps)"]),
        (Zoneout(MinGRU(3, 2), 0.5), ["update (1 writes)"]),
        (LSTM(3, 2), ["input", "forget (1 keeps)", "output"]),
        (SRU(3, 2), ["forget (1 keeps)", "reset"]),
        (Named(3, 2), ["update"]),
    ],
    ids=lambda value: None if isinstance(value, list) else str(value),
)
def test_a_gate_says_what_it_does_when_it_is_open(cell: Any, labels: list[str]) -> None:
    one, share = np.full(2, 0.5), np.full(50, 0.02)
    gate = Gate(*map(jnp.asarray, (one, one, one, one, share)))
    names = [label.split()[0] for label in labels]
    left, right = pictured(Gates(f"0: {cell}", cell, dict.fromkeys(names, gate))).axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == labels
    assert [text.get_text() for text in right.get_legend().get_texts()] == [*labels, "always saturated"]


def test_a_long_label_is_a_title_of_several_lines() -> None:
    cell = LSTM(128, 256, init=Chrono(max_steps=5000))
    (axes,) = pictured(GradientFlow(f"12: backward {cell}", None, np.ones(3))).axes
    lines = axes.get_title().splitlines()
    assert len(lines) == 2
    assert " ".join(lines) == f"12: backward {cell}"
    assert max(map(len, lines)) <= 56


def test_the_gradient_is_named_by_what_is_drawn() -> None:
    (axes,) = pictured(GradientFlow("0: RNN(3, 2)", None, np.ones(3))).axes
    assert axes.get_lines()[0].get_label().startswith(r"$\Vert\lambda_t\Vert_2$")


def test_a_model_that_blows_up_is_shown_as_far_as_there_are_numbers() -> None:
    """Neither an error nor a warning; the spectrum is NaN where the Jacobian is not finite."""
    cell = RNN(2, 3, activation="relu")
    params = jax.tree.map(lambda w: jnp.abs(w) * 1e5, cell.init(jax.random.key(0)))
    xs = jnp.ones((20, 2, 2))
    (of_cell,) = record(cell, params, xs)
    found = memory(of_cell)
    assert np.isinf(found.norm[-1]).all()
    (flow,) = gradient_flow(cell, params, xs, lambda ys: ys[-1].sum())
    for result in (found, flow):
        result.plot().canvas.draw()
    gru = GRU(2, 3)
    (lost,) = record(gru, gru.init(jax.random.key(0)), xs.at[4].set(jnp.nan))
    seen = spectrum(lost)
    assert np.isfinite(seen.norm[:4]).all()
    assert np.isnan(seen.norm[4:]).all()
    assert np.isnan(seen.radius[4:]).all()
    seen.plot().canvas.draw()
