"""The page on long memory: what it says of gradients holds, and its figures are the script's."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxgru import GRU, RNN

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "pictures" / "long_memory.py"
DISC = 1 / math.sqrt(3)  # the radius of the eigenvalues of a matrix drawn uniformly from ±1/√H
OPEN = {"LSTM": 1 / (1 + math.exp(-1)), "GRU": 0.5}  # how far the gates that keep the state are, at the start
RATES = {  # of what is left after a step, at the start: the gate, and a quarter of the matrix
    "tanh RNN": DISC,
    **{name: gate + DISC / 4 for name, gate in OPEN.items()},
}


def load() -> Any:
    """The script, as a module; linen looks it up by name."""
    spec = importlib.util.spec_from_file_location("long_memory", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["long_memory"] = module
    spec.loader.exec_module(module)
    return module


page = load()
STORED = json.loads(page.PAGE.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    """The reach of the page's cells as they start, computed here, for fewer networks and sequences."""
    plan = page.Plan(seeds=2, curve_rows=2)
    return {"default": page.untrained(page.RECURRENT, plan), "chrono": page.untrained(page.CHRONO, plan)}


def rate(curve: list[float]) -> float:
    """The factor of a step, over the second half of the steps."""
    return float((curve[200] / curve[100]) ** 0.01)


@pytest.mark.parametrize("name", page.RECURRENT)
def test_at_default_initialisation_the_gradient_vanishes(fresh: dict[str, Any], name: str) -> None:
    """At the rate of the linear recurrence, within a tenth."""
    norm = fresh["default"][name]["norm"]
    assert norm[0] == 1
    assert norm[200] < 1e-9
    assert rate(norm) == pytest.approx(RATES[name], rel=0.1)


@pytest.mark.parametrize(("name", "gate"), OPEN.items())
def test_it_vanishes_about_like_the_product_of_the_gates(
    fresh: dict[str, Any], name: str, gate: float
) -> None:
    """No faster, and slower by a fifth in each step at most; a gate is open by half, or by σ(1)."""
    curves = fresh["default"][name]
    assert rate(curves["kept"]) == pytest.approx(gate, rel=0.2)
    assert 1 <= rate(curves["norm"]) / rate(curves["kept"]) < 1.2


@pytest.mark.parametrize("name", page.CHRONO)
def test_with_chrono_initialisation_it_does_not_vanish(fresh: dict[str, Any], name: str) -> None:
    curves = fresh["chrono"][name]
    assert curves["norm"][200] > 0.1
    assert 0.75 < curves["norm"][200] / curves["kept"][200] < 1.25


@pytest.mark.parametrize("panel", ["default", "chrono"])
def test_the_stored_curves_are_those_of_the_script(fresh: dict[str, Any], panel: str) -> None:
    """But for the networks and sequences: within a twentieth in each step's factor."""
    for name, curves in fresh[panel].items():
        for kind, curve in curves.items():
            assert rate(STORED["curves"][panel][name][kind]) == pytest.approx(rate(curve), rel=0.05)


def test_the_page_has_the_rates_of_the_curves() -> None:
    text, curves = page.PAGE.read_text(encoding="utf-8"), STORED["curves"]["default"]
    assert "(an LSTM's is 0.86)" in text
    assert "by 0.64 a step in place of 0.5, and by 0.86 in place of 0.73" in " ".join(text.split())
    assert round(rate(curves["GRU"]["norm"]), 2) == 0.64
    assert round(rate(curves["LSTM"]["norm"]), 2) == 0.86
    decades = {name: math.log10(curves[name]["norm"][200] / gate**200) for name, gate in OPEN.items()}
    assert 20 < decades["GRU"] < 22
    assert round(decades["LSTM"]) == 14
    for name, gate in OPEN.items():  # the dashed line lies between
        assert gate < rate(curves[name]["kept"]) < rate(curves[name]["norm"])


def test_an_lstm_drops_at_the_first_step_and_then_falls_as_its_gate_does() -> None:
    curves = STORED["curves"]["chrono"]["LSTM"]
    assert round(curves["norm"][1], 2) == 0.77
    assert curves["kept"][1] > 0.95
    assert rate(curves["norm"]) == pytest.approx(rate(curves["kept"]), rel=1e-3)


def test_the_trained_lstm_rises() -> None:
    norm = STORED["curves"]["trained"]["LSTM"]["norm"]
    assert norm.index(min(norm[:19])) == 4
    assert norm.index(max(norm[5:])) == 18
    assert round(norm[4], 1) == 0.4
    assert round(norm[18], 2) == 0.65


def test_after_training_gated_cells_remember_and_the_plain_one_does_not() -> None:
    trained = {name: curves["norm"][200] for name, curves in STORED["curves"]["trained"].items()}
    assert trained["GRU"] > 0.05
    assert trained["LSTM"] > 0.05
    assert trained["tanh RNN"] < 1e-9


def test_after_training_the_gates_alone_would_not_remember() -> None:
    for name in ("LSTM", "GRU"):
        curves = STORED["curves"]["trained"][name]
        assert curves["kept"][200] < 1e-3 * curves["norm"][200]


def test_what_the_page_says_of_the_models() -> None:
    task = STORED["task"]
    parameters = [row["parameters"] for row in task.values()]
    assert max(parameters) < 1.1 * min(parameters)
    for name, way in (("MLP", "whole"), ("tanh RNN", "whole"), ("tanh RNN", "growing"), ("LSTM", "whole")):
        assert task[name][way]["mean"] > 0.16
    for name, way in (("CNN, dilated", "whole"), ("GRU", "whole"), ("GRU", "growing"), ("LSTM", "growing")):
        assert task[name][way]["mean"] < 0.02
    for better in (task["GRU"]["growing"], task["GRU, Chrono(200)"]["whole"]):
        assert better["mean"] < task["GRU"]["whole"]["mean"]


def test_the_figures_are_of_the_scripts_plan() -> None:
    assert STORED["plan"] == json.loads(json.dumps(page.asdict(page.Plan())))
    assert list(STORED["task"]) == list(page.MODELS)


def test_the_tables_of_the_page_are_the_stored_figures() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.written(text, STORED) == text
    changed = json.loads(json.dumps(STORED))
    changed["task"]["GRU"]["growing"]["mean"] *= 2
    assert page.written(text, changed) != text


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="the page must have <!-- reach --> … <!-- /reach --> once, got 0"):
        page.written("", STORED)


def test_the_picture_is_small(tmp_path: Path) -> None:
    page.draw(tmp_path / "again.png", STORED)
    assert 0 < (tmp_path / "again.png").stat().st_size < 300_000
    assert 0 < page.PAGE.with_suffix(".png").stat().st_size < 300_000


def test_it_is_drawn_again_without_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(plan: Any) -> Any:
        raise AssertionError

    copy = tmp_path / page.PAGE.name
    for suffix in (".md", ".json"):
        copy.with_suffix(suffix).write_bytes(page.PAGE.with_suffix(suffix).read_bytes())
    monkeypatch.setattr(page, "PAGE", copy)
    monkeypatch.setattr(page, "measure", measured)
    text = copy.read_text(encoding="utf-8")
    copy.write_text(text.replace("| parameters |", "| gone |"), encoding="utf-8")
    page.main(["--draw"])
    assert copy.read_text(encoding="utf-8") == text
    assert json.loads(copy.with_suffix(".json").read_text(encoding="utf-8")) == STORED
    assert copy.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_names_its_scales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no line hides another: the thinner one is above."""
    drawn: list[Any] = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *_, **__: drawn.append(figure))
    page.draw(tmp_path / "again.png", STORED)
    for axes, scale in zip(drawn[0].axes[::3], ("logarithmic", "linear"), strict=True):
        assert axes.get_yscale() == ("log" if scale == "logarithmic" else "linear")
        assert axes.get_ylabel().endswith(scale)
    lines = {line.get_label(): line for line in drawn[0].axes[1].get_lines()}
    lstm, gru = lines["LSTM"], lines["GRU"]
    assert lstm.get_linewidth() < gru.get_linewidth()
    assert lstm.get_zorder() > gru.get_zorder()


def test_the_task_is_to_add_the_marked_numbers() -> None:
    xs, y = map(np.asarray, page.adding(jax.random.key(0), 20, 2000))
    values, marks = xs[..., 0], xs[..., 1]
    assert (marks[:10].sum(0) == 1).all()
    assert (marks[10:].sum(0) == 1).all()
    np.testing.assert_allclose(y, (values * marks).sum(0), rtol=1e-6)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, rel=0.1)


@pytest.mark.full
def test_a_short_training_lengthens_the_memory_of_a_gru_and_not_of_an_rnn() -> None:
    plan = page.Plan(updates=1500, seeds=1, curve_rows=4)
    errors, left = {}, {}
    for cell in (GRU(2, 32), RNN(2, 32)):
        model = page.Recurrent(cell)
        done = page.train(model, plan, plan.lengths, 0)
        errors[type(cell)] = done.error
        left[type(cell)] = page.reach(model, [done.params], plan)["norm"][200]
    assert errors[GRU] < 0.02
    assert errors[RNN] > 0.16
    assert left[GRU] > 0.01
    assert left[RNN] < 1e-3
