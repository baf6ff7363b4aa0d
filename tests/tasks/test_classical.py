"""Classical forecasts: each is what its equation says, from what stands before the origin."""

import numpy as np
import pytest

from jaxgru.tasks.forecasting import classical
from jaxgru.tasks.forecasting.classical import Autoregression, ahead, choose_lags

ORIGINS = np.array([30, 41, 55])


def wave(count: int, season: int = 6, drift: float = 0.0) -> np.ndarray:
    """A season that repeats, and grows by a drift each time."""
    pattern = np.random.default_rng(0).normal(size=season)
    return pattern[np.arange(count) % season] + drift * np.arange(count) / season


def test_a_season_that_repeats_is_forecast_without_error() -> None:
    ys = wave(80)
    np.testing.assert_allclose(classical.seasonal_naive(ys, ORIGINS, 15, 6), ys[ahead(ORIGINS, 15)])


def test_a_drift_is_told_and_added_for_each_season() -> None:
    ys = wave(80, drift=0.7)
    drift = classical.season_drift(ys[:50], 6)
    assert drift == pytest.approx(0.7)
    np.testing.assert_allclose(classical.seasonal_naive(ys, ORIGINS, 15, 6, drift), ys[ahead(ORIGINS, 15)])
    plain = classical.seasonal_naive(ys, ORIGINS, 15, 6)
    np.testing.assert_allclose((ys[ahead(ORIGINS, 15)] - plain)[:, [0, 5, 6, 14]], [[0.7, 0.7, 1.4, 2.1]] * 3)


def test_an_autoregression_that_made_a_series_is_found() -> None:
    rng, ys = np.random.default_rng(1), [400.0, 401.0]
    for noise in rng.normal(size=3000):
        ys.append(40 + 1.5 * ys[-1] - 0.6 * ys[-2] + noise)
    model = Autoregression.fit(np.array(ys), 2, np.ones(len(ys), bool))
    np.testing.assert_allclose(model.weights, [1.5, -0.6], atol=0.05)
    assert model.constant == pytest.approx(40, rel=0.1)


def test_forecasts_of_an_autoregression_feed_on_themselves() -> None:
    model = Autoregression(np.array([0.5, 0.25]), 1.0)
    said = model.forecast(np.array([0.0, 4, 8, 99]), np.array([2]), 3)
    assert said.tolist() == [[6, 6, 5.5]]


def test_an_unknown_value_is_not_fitted_to() -> None:
    ys = 0.9 ** np.arange(40)
    known = np.ones(40, bool)
    known[20] = False
    spoilt = np.where(known, ys, 7.0)
    assert Autoregression.fit(ys, 1, np.ones(40, bool)).weights[0] == pytest.approx(0.9)
    everything = Autoregression.fit(spoilt, 1, np.ones(40, bool)).weights[0]
    known[21] = False  # which the spoilt one comes before
    assert Autoregression.fit(spoilt, 1, known).weights[0] == pytest.approx(0.9)
    assert abs(everything - 0.9) > 0.5


def test_no_method_looks_past_the_origin() -> None:
    ys = np.random.default_rng(2).normal(size=80)
    later = np.where(np.arange(80) > ORIGINS[0], 1e6, ys)
    model = Autoregression.fit(ys[:30], 3, np.ones(30, bool))
    for method in (
        lambda values, origins: classical.last_value(values, origins, 9),
        lambda values, origins: classical.seasonal_naive(values, origins, 9, 6, 0.3),
        lambda values, origins: model.forecast(values, origins, 9),
    ):
        np.testing.assert_array_equal(method(ys, ORIGINS[:1]), method(later, ORIGINS[:1]))


def test_an_explosion_is_cut() -> None:
    said = Autoregression(np.array([1e9]), 0.0).forecast(np.array([1.0, 1.0]), np.array([1]), 400)
    assert np.isfinite(said).all()


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e29])
def test_values_of_any_size_are_forecast_alike(size: float) -> None:
    """A cut that is meant for explosions leaves a series be whose values are large, or small."""
    ys = 1.5 + np.sin(np.arange(60) / 3)
    model, other = (Autoregression.fit(each, 3, np.ones(60, bool)) for each in (ys, ys * size))
    said = model.forecast(ys, ORIGINS, 9)
    np.testing.assert_allclose(other.forecast(ys * size, ORIGINS, 9), said * size, rtol=1e-6)
    exploded = Autoregression(np.array([1e9]), 0.0).forecast(ys * size, ORIGINS, 400)
    assert exploded.max() == pytest.approx(1e6 * size * ys[ORIGINS].max())


def test_a_long_season_is_no_lag() -> None:
    """Its matrix would be too large, though it would forecast what repeats without error."""
    ys = wave(4000, season=700)
    assert choose_lags(ys, np.ones(4000, bool), 3000, np.arange(3000, 3005), 2, more=(700,)) <= 48


def test_what_is_fitted_and_forecast_at_once_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long series the last rows are fitted to, and forecasts are made in parts, to the same effect."""
    ys = np.random.default_rng(6).normal(size=400)
    known = np.ones(400, bool)
    whole, end = (Autoregression.fit(each, 3, np.ones(len(each), bool)) for each in (ys, ys[-103:]))
    together = whole.forecast(ys, np.arange(10, 390), 4)
    monkeypatch.setattr(classical, "CELLS", 400)
    part = Autoregression.fit(ys, 3, known)
    np.testing.assert_allclose(part.weights, end.weights)
    assert abs(part.weights - whole.weights).max() > 1e-3
    np.testing.assert_allclose(whole.forecast(ys, np.arange(10, 390), 4), together)


def test_the_order_is_the_one_that_forecasts_best() -> None:
    ys = wave(200, season=5) + 0.01 * np.random.default_rng(3).normal(size=200)
    known, origins = np.ones(200, bool), np.arange(150, 190)
    chosen = choose_lags(ys, known, 150, origins, 5, more=(5,))
    errors = {
        lags: np.abs(
            Autoregression.fit(ys[:150], lags, known[:150]).forecast(ys, origins, 5) - ys[ahead(origins, 5)]
        ).mean()
        for lags in (1, 2, 3, 5, 6, 9, 12, 18, 24, 36)
    }
    assert chosen == min(errors, key=lambda lags: errors[lags])
    assert chosen >= 5
    assert choose_lags(ys, known, 3, origins, 5, more=()) == 1


def test_months_have_their_own_means() -> None:
    months = np.arange(36) % 12
    ys = np.where(np.arange(36) < 24, months, months + 3.0)
    means = classical.month_means(ys, months, np.array([[0, 11], [5, 5]]))
    assert means.tolist() == [[1, 12], [6, 6]]
