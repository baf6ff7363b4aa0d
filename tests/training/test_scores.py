"""What a run's scores look like: plain numbers stay, and those of a run that went wrong are short and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from matplotlib.axes import Axes

from jaxgru.training.display import Display, number, table
from jaxgru.training.metrics import draw_curves

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 2.0**1023  # that perplexity is cut to
SUMMARY = {
    "task": "words",
    "metric": "perplexity",
    "higher_is_better": False,
    "published": None,
    "parameters": 1000,
    "steps": 3,
    "seconds": 4.0,
    "also": {"best_step": 2},
}


def draw(path: Path, losses: list[float], scores: list[float], baseline: float | None) -> bytes:
    """The picture of a run, its last score the best."""
    rows = [{"step": step, "loss": loss} for step, loss in enumerate(losses)]
    rows += [{"step": step, "validation_perplexity": score} for step, score in enumerate(scores)]
    best = scores[-1] if scores else None
    draw_curves(path / "curves.png", rows, {**SUMMARY, "validation": best, "baseline": baseline})
    return (path / "curves.png").read_bytes()


def test_ordinary_numbers_have_four_decimals() -> None:
    assert [number(x) for x in (0.0, -1.5, 117.25, 999_999.5)] == [
        "0.0000",
        "-1.5000",
        "117.2500",
        "999999.5000",
    ]
    assert number(3.14159, 2) == "3.14"
    assert number(float("nan")) == "nan"


def test_the_time_left_is_that_of_usual_dispatches() -> None:
    show, now = Display(1000), 0.0
    seconds = [30.0, 25.0, 0.5, 20.0, 0.5, 1.5, 0.5, 0.5]  # of three the shape was new, and compiled
    paces = []
    for dispatch, took in enumerate(seconds, 1):
        now += took
        paces.append(show.pace(10 * dispatch, now))
    assert paces[:5] == [""] * 5  # too few yet
    assert paces[-1] == "  14.3 steps/s  1:04 left"  # (4 × 0.5 + 1.5) / 50 seconds for a step
    assert show.pace(80, now) == paces[-1]  # no step since then


def test_the_speed_is_that_of_late() -> None:
    show = Display(10**6)
    for step in range(200):
        show.pace(step, float(step))
    for step in range(200, 400):
        pace = show.pace(step, 200 + 2.0 * (step - 200))
    assert pace.startswith("  0.5 steps/s")


def test_huge_numbers_are_short() -> None:
    numbers = (1e6, 1234567.0, -2e9, LARGEST, float("inf"))
    assert [number(x) for x in numbers] == ["1e+06", "1.235e+06", "-2e+09", "8.988e+307", "inf"]


def test_small_numbers_keep_three_digits() -> None:
    numbers = (0.00123456, 0.00069123, -0.00069123, 4.5999e-05, 1e-300)
    assert [number(x) for x in numbers] == ["0.0012", "0.000691", "-0.000691", "4.6e-05", "1e-300"]


def test_what_is_shown_of_a_run_that_went_wrong_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    show = Display(9)
    show.advance(1, 1e30)
    show.evaluation(2, {"perplexity": LARGEST}, is_best=True)
    show.say(table({**SUMMARY, "test": LARGEST, "validation": LARGEST, "baseline": 200.0}))
    assert capsys.readouterr().out.splitlines() == [
        "step 1/9  loss 1e+30",
        "step 2  validation: perplexity 8.988e+307 (the best so far)",
        "words: perplexity, lower is better",
        "  test        8.988e+307",
        "  baseline    200.0000",
        "  validation  8.988e+307",
        "3 steps in 0:04, the best at 2; 1,000 parameters",
    ]


@pytest.mark.parametrize(
    ("losses", "scores", "baseline"),
    [
        ([7.0, 1e8, 1e38], [900.0, LARGEST], 200.0),
        ([7.0], [LARGEST, LARGEST], LARGEST),
        ([-7.0, -1e38], [-LARGEST, LARGEST], None),
    ],
)
def test_a_run_that_went_wrong_is_drawn_without_a_warning(
    tmp_path: Path, losses: list[float], scores: list[float], baseline: float | None
) -> None:
    assert draw(tmp_path, losses, scores, baseline).startswith(b"\x89PNG")


def test_an_axis_is_logarithmic_where_it_reaches_far_and_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    scale = Axes.set_yscale

    def noted(axes: Axes, value: Any) -> None:
        asked.append((axes.get_ylabel(), value))
        scale(axes, value)

    monkeypatch.setattr(Axes, "set_yscale", noted)
    draw(tmp_path, [7.0, 999_999.0], [900.0, 117.0], 200.0)
    draw(tmp_path, [], [], None)
    assert not asked
    draw(tmp_path, [7.0, 6.0], [900.0, 2e6], 200.0)
    assert asked == [("perplexity", "symlog")]
