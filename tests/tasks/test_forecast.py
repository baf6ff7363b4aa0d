"""The task forecast: nothing is fitted to the test or looks ahead, quantiles do not cross, a run is repeated."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru.cli import main
from jaxgru.data import DataError
from jaxgru.data import series as readers
from jaxgru.data.series import Series
from jaxgru.data.times import Times
from jaxgru.tasks import find
from jaxgru.tasks.forecast import Forecast
from jaxgru.tasks.forecasting import drawing, outlook
from jaxgru.tasks.forecasting.classical import ahead
from jaxgru.tasks.forecasting.forecaster import Model, losses, quantiles
from jaxgru.tasks.forecasting.outlook import Outlook
from jaxgru.tasks.forecasting.scaling import Scaling
from jaxgru.training.config import Config
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from tests.cases import quick_jit
from tests.tasks.helpers import assert_resumed_alike, config_of, run, summary_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS, HORIZON, WINDOW = 240, 4, 12
TRAIN, BEFORE = 168, 192  # where the training part and the validation part end
SMALL = {"hidden_size": 6, "dropout": 0.1}


def make_rows(seed: int = 0) -> np.ndarray:
    """A season of a year, its size another each year and told by a column a step before; and a second column."""
    rng = np.random.default_rng(seed)
    size = np.repeat(rng.uniform(1, 3, ROWS // 12), 12)
    season = np.sin(2 * np.pi * np.arange(ROWS) / 12)
    return np.stack([20 + size * season + 0.1 * rng.normal(size=ROWS), size, rng.normal(size=ROWS)], 1)


def write(path: Path, rows: np.ndarray, first: int = 0) -> Path:
    times = Times("month", 1990 * 12 + first + np.arange(len(rows)), 1).labels()
    lines = [f"{time},{','.join(map(repr, row))}\n" for time, row in zip(times, rows.tolist(), strict=True)]
    path.write_text("month,heat,size,noise\n" + "".join(lines), encoding="utf-8")
    return path


def make_config(path: Path | str, seed: int = 0, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 10, "evaluate_every": 30, "save_every": 30, "keep": 9},
        "train": {
            "steps": 90,
            "batch_size": 16,
            "steps_per_call": 10,
            "warmup_steps": 0,
            "learning_rate": 0.02,
        },
        "data": {
            "path": str(path),
            "target": "heat",
            "exogenous": "all",
            "horizon": HORIZON,
            "window": WINDOW,
        },
        "model": SMALL,
    }
    return config_of(Forecast, default, tables, seed)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("heat") / "heat.csv", make_rows())


@pytest.fixture(scope="module")
def task(table: Path) -> Forecast:
    return Forecast(make_config(table))


@pytest.fixture(scope="module")
def params(task: Forecast) -> Any:
    """Parameters far enough from their start that every layer matters."""
    return jax.tree.map(lambda leaf: 2 * leaf, jax.jit(task.init)(jax.random.key(0)))


@pytest.fixture(scope="module")
def finished(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "whole"
    run(Forecast, path, make_config(table))
    return path


class TestData:
    def test_the_parts_follow_each_other_in_time(self, task: Forecast) -> None:
        facts = task.facts()
        assert (facts["train"], facts["validation"], facts["test"]) == (TRAIN, 24, 48)
        assert (facts["target"], facts["exogenous"]) == ("heat", ["size", "noise"])
        assert (facts["from"], facts["to"], facts["season"], facts["missing"]) == (
            "1990-01",
            "2009-12",
            12,
            0,
        )
        targets = {part: ahead(task.origins(part), HORIZON) for part in ("train", "validation", "test")}
        # Every origin whose horizon lies in the part, and none else.
        assert (targets["train"].min(), targets["train"].max()) == (WINDOW, TRAIN - 1)
        assert (targets["validation"].min(), targets["validation"].max()) == (TRAIN, BEFORE - 1)
        assert (targets["test"].min(), targets["test"].max()) == (BEFORE, ROWS - 1)
        assert facts["origins"] == {part: len(rows) for part, rows in targets.items()}

    def test_an_epoch_shows_each_window_once_with_what_follows(self, task: Forecast) -> None:
        batches = [task.batch(step) for step in range(-(-len(task.train) // 16))]
        past, targets = (
            np.concatenate([batch[name] for batch in batches], 1) for name in ("past", "targets")
        )
        shown = past[:, : len(task.train)], targets[:, : len(task.train)]
        order = np.argsort(shown[0][-1, :, 2])  # by the noise at the origin, which is another in each row
        expected = np.argsort(task.seen.zs[task.train, 2])
        rows = task.train[expected]
        np.testing.assert_allclose(shown[1][:, order].T, task.seen.zs[ahead(rows, HORIZON), 0], rtol=1e-5)
        np.testing.assert_allclose(shown[0][:, order, 0].T[:, -1], task.seen.zs[rows, 0], rtol=1e-5)

    def test_a_batch_is_a_function_of_the_step(self, task: Forecast, table: Path) -> None:
        again, other = Forecast(make_config(table)), Forecast(make_config(table, seed=1))
        jax.tree.map(np.testing.assert_array_equal, again.batch(17), task.batch(17))
        assert not np.array_equal(other.batch(17)["past"], task.batch(17)["past"])

    @pytest.mark.parametrize("around", ["auto", "last", "mean", "months", "window"])
    def test_scalers_come_from_the_training_part_alone(
        self, table: Path, tmp_path: Path, around: str
    ) -> None:
        rows = make_rows()
        rows[TRAIN:] = 5 * make_rows(1)[TRAIN:]
        other = write(tmp_path / "other.csv", rows)
        tasks = [Forecast(make_config(path, data={"around": around})) for path in (table, other)]
        if around != "auto":
            assert tasks[0].fitted.scaling == tasks[1].fitted.scaling
            assert tasks[0].unit == tasks[1].unit
            jax.tree.map(np.testing.assert_array_equal, *(each.batch(3) for each in tasks))

    def test_nothing_is_fitted_to_the_test(self, finished: Path, table: Path, tmp_path: Path) -> None:
        """With other test values all that is fitted stays, and so does validation; the test scores change."""
        rows = make_rows()
        rows[BEFORE:] = make_rows(1)[BEFORE:] + 3
        tasks = [Forecast(make_config(path)) for path in (table, write(tmp_path / "other.csv", rows))]
        params = open_run(finished, find).params
        fitted, other = ({**each.vocabulary, "sha256": ""} for each in tasks)
        assert fitted == other
        jax.tree.map(np.testing.assert_array_equal, *(each.batch(3) for each in tasks))
        validation, test = (
            [each.evaluate(params, part) for each in tasks] for part in ("validation", "test")
        )
        assert validation[0] == validation[1]
        assert tasks[0].stretch(params) == tasks[1].stretch(params)
        assert test[1]["mae"] > 2 * test[0]["mae"]

    def test_no_forecast_looks_past_its_origin(self, task: Forecast, params: Any, tmp_path: Path) -> None:
        at = 200
        rows = make_rows()
        rows[at + 1 :] *= 7
        other = Forecast(make_config(write(tmp_path / "other.csv", rows)))
        where = np.arange(at - 5, at + 2)
        one, two = (each.say(params, each.seen, where, 1.0) for each in (task, other))
        np.testing.assert_array_equal(one[:-1], two[:-1])
        assert (one[-1] != two[-1]).all()
        classics = [each.others for each in (task, other)]
        before = task.origins("test") <= at
        for name, said in classics[0].items():
            np.testing.assert_array_equal(said[before], classics[1][name][before])

    def test_what_is_missing_is_neither_learnt_nor_scored(self, tmp_path: Path, params: Any) -> None:
        rows = make_rows()
        path = write(tmp_path / "gaps.csv", rows)
        lines = path.read_text().splitlines()
        for row in (40, 41, 200):
            cells = lines[row + 1].split(",")
            lines[row + 1] = ",".join([cells[0], "", *cells[2:]])
        path.write_text("\n".join(lines))
        task = Forecast(make_config(path, data={"missing": "carry"}))
        assert task.facts()["missing"] == 3
        batch = next(batch for batch in map(task.batch, range(99)) if not batch["known"].all())
        wrong = batch | {"targets": np.where(batch["known"], batch["targets"], 1e6)}
        loss, key = quick_jit(task.loss), jax.random.key(0)
        assert loss(params, (), batch, key)[0] == loss(params, (), wrong, key)[0]
        found = task.look(params, "test")
        assert (~found.known).sum() == HORIZON
        truth = np.where(found.known, found.truth, 1e6)
        assert outlook.scores(found, 1.0) == outlook.scores(found._replace(truth=truth), 1.0)

    def test_empty_means_a_series_by_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = "".join(f"{1700 + i},{50 + 40 * np.sin(i / 1.75):.1f}\n" for i in range(120))
        (tmp_path / "sunspots.csv").write_text("YEAR,SUNACTIVITY\n" + lines)
        monkeypatch.setattr(readers, "fetch", {"sunspots": tmp_path}.__getitem__)
        task = Forecast(make_config("", data={"series": "sunspots", "target": "", "exogenous": ""}))
        facts = task.facts()
        assert (facts["source"], facts["rows"], facts["season"]) == ("sunspots by the year", 120, 11)
        assert task.fitted.inputs == [1, 1]


class TestModel:
    @pytest.mark.parametrize("head", ["quantile", "gaussian"])
    def test_quantiles_do_not_cross_whatever_comes_out(self, head: str) -> None:
        out = jnp.asarray(10.0 ** np.random.default_rng(0).uniform(-3, 3, (500, 3)) * [1, -1, 1])
        low, middle, high = np.moveaxis(np.asarray(quantiles(out, Model(head=head))), -1, 0)
        assert (low <= middle).all()
        assert (middle <= high).all()

    @pytest.mark.parametrize("interval", [0.5, 0.9])
    def test_the_pinball_loss_is_least_at_the_quantiles(self, interval: float) -> None:
        ys = np.random.default_rng(1).exponential(size=999).astype(np.float32)
        options = Model(interval=interval)
        tail = (1 - interval) / 2
        low, middle, high = np.quantile(ys, [tail, 0.5, 1 - tail])
        inverse = lambda width: np.log(np.expm1(width))  # noqa: E731 of softplus
        best = np.array([middle, inverse(middle - low), inverse(high - middle)])
        cost = lambda out: float(losses(jnp.broadcast_to(jnp.asarray(out), (999, 3)), ys, options).mean())  # noqa: E731
        for place in range(3):
            for off in (-0.3, 0.3):
                other = best.copy()
                other[place] += off
                assert cost(other) > cost(best)

    def test_a_gaussian_costs_what_its_density_says(self) -> None:
        options = Model(head="gaussian", interval=0.6827)
        out, y = jnp.array([1.0, 0.4, 9.9]), jnp.array(2.5)
        low, mean, high = quantiles(out, options)
        sigma = float(high - mean)
        assert float(mean - low) == pytest.approx(sigma)
        density = np.exp(-(((2.5 - 1) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
        assert float(losses(out, y, options)) == pytest.approx(-np.log(density), rel=1e-3)

    def test_forecasts_do_not_depend_on_their_company(self, task: Forecast, params: Any) -> None:
        where = task.origins("test")
        together = task.say(params, task.seen, where, 1.0)
        alone = np.concatenate([task.say(params, task.seen, where[[i]], 1.0) for i in (0, 17, -1)])
        np.testing.assert_allclose(alone, together[[0, 17, -1]], rtol=1e-6)

    @pytest.mark.parametrize("exogenous", ["size", "noise"])
    def test_every_column_and_the_calendar_are_read(
        self, task: Forecast, params: Any, exogenous: str
    ) -> None:
        past, future = task.seen.past(task.train[:1]), task.seen.future(task.train[:1])
        assert past.shape == (WINDOW, 1, 3 + 4)
        column = 1 + ["size", "noise"].index(exogenous)

        def said(past: np.ndarray, future: np.ndarray) -> np.ndarray:
            return np.asarray(task.model.apply(params, past, future))

        for changed in (past + np.eye(7)[column], past + np.eye(7)[3]):
            assert abs(said(changed, future) - said(past, future)).max() > 1e-4
        assert abs(said(past, future + np.eye(5)[0]) - said(past, future)).max() > 1e-4

    def test_the_linear_layer_reads_the_last_values_alone(self, table: Path) -> None:
        task = Forecast(make_config(table, model={"linear": 3, "dropout": 0.0}))
        params = jax.jit(task.init)(jax.random.key(0))
        names = {name: leaf["kernel"].shape for name, leaf in params["params"].items() if "Dense" in name}
        assert names == {"Dense_0": (6, 3), "Dense_1": (3, HORIZON)}
        kernel = params["params"]["Dense_1"]["kernel"]
        assert not kernel.any()
        params["params"]["Dense_1"]["kernel"] = kernel.at[-1].set(1.0)
        past, future = task.seen.past(task.train[:2]), task.seen.future(task.train[:2])
        out = task.model.apply(params, past, future)
        params["params"]["Dense_1"]["kernel"] = kernel
        without = task.model.apply(params, past, future)
        np.testing.assert_allclose(out[..., 0] - without[..., 0], [past[-1, :, 0]] * HORIZON, rtol=1e-4)

    def test_the_linear_layer_reads_no_more_than_the_window(self, table: Path) -> None:
        shapes = jax.eval_shape(Forecast(make_config(table, model={"linear": 99})).init, jax.random.key(0))
        assert shapes["params"]["Dense_1"]["kernel"].shape == (WINDOW, HORIZON)

    def test_dropout_follows_the_key(self, task: Forecast, params: Any) -> None:
        loss = quick_jit(task.loss)
        values = [loss(params, (), task.batch(0), jax.random.key(k))[0] for k in (1, 1, 2)]
        assert values[0] == values[1] != values[2]


class TestScaling:
    SERIES = Series(
        "a",
        ("y", "x"),
        np.random.default_rng(0).uniform(1, 50, (60, 2)),
        np.ones(60, bool),
        Times("month", 5 + np.arange(60), 1),
        12,
    )

    @pytest.mark.parametrize("transform", ["none", "sqrt", "log"])
    @pytest.mark.parametrize("around", ["last", "mean", "months"])
    def test_values_come_back(self, transform: str, around: str) -> None:
        scaling = Scaling.fit(self.SERIES, 36, 4, transform, around)
        zs = scaling.apply(self.SERIES.values, self.SERIES.times)
        centers = scaling.center(self.SERIES.times)[:, 0]
        np.testing.assert_allclose(scaling.back(zs[:, 0], centers), self.SERIES.values[:, 0])
        assert Scaling.restore(json.loads(json.dumps(scaling.__dict__)), 2) == scaling
        moved = zs[4:36] - zs[:32] if around == "last" else zs[:36]
        np.testing.assert_allclose(np.sqrt((moved**2).mean(0)), 1)

    def test_around_the_last_value_a_level_is_nothing_new(self, table: Path, tmp_path: Path) -> None:
        """Forecasts of a series that is higher by 100 are higher by 100."""
        rows = make_rows()
        tasks = []
        for offset in (0.0, 100.0):
            rows[:, 0] += offset
            tasks.append(Forecast(make_config(write(tmp_path / "a.csv", rows), data={"around": "last"})))
        params = jax.jit(tasks[0].init)(jax.random.key(3))
        low, high = (each.say(params, each.seen, each.origins("test"), 1.0) for each in tasks)
        np.testing.assert_allclose(high - low, 100, rtol=1e-4)

    def test_around_the_window_a_scale_is_nothing_new(self, tmp_path: Path) -> None:
        """Forecasts of a series that is seven times as large are seven times as large, though scalers are not."""
        rows = make_rows()
        task = Forecast(make_config(write(tmp_path / "a.csv", rows), data={"around": "window"}))
        params = jax.jit(task.init)(jax.random.key(3))
        where = np.array([ROWS - 1])
        large = write(tmp_path / "large.csv", 7 * rows)
        series = Forecast(make_config(large, data={"around": "window"})).series
        said = [task.say(params, task._see(each), where, 1.0) for each in (task.series, series)]
        np.testing.assert_allclose(said[1], 7 * said[0], rtol=1e-4)

    def test_a_column_that_never_changes_is_harmless(self, tmp_path: Path) -> None:
        rows = make_rows()
        rows[:TRAIN, 2] = 3
        task = Forecast(make_config(write(tmp_path / "a.csv", rows)))
        assert np.isfinite(task.batch(0)["past"]).all()


class TestOutlook:
    def test_stretching_holds_the_share_it_should(self) -> None:
        rng = np.random.default_rng(0)
        truth = rng.normal(size=(400, 3))
        said = np.stack([np.full_like(truth, -0.2), np.zeros_like(truth), np.full_like(truth, 0.4)], -1)
        found = Outlook(said, truth, rng.random(truth.shape) < 0.9)
        factor = outlook.stretch(found, 0.8)
        after = found._replace(said=outlook.stretched(said, factor))
        assert outlook.scores(found, 1.0)["coverage"] < 0.3
        assert outlook.scores(after, 1.0)["coverage"] == pytest.approx(0.8, abs=0.002)
        assert outlook.scores(after, 1.0)["mae"] == outlook.scores(found, 1.0)["mae"]
        wide = found._replace(said=outlook.stretched(said, 100))
        assert outlook.stretch(wide, 0.8) == pytest.approx(factor / 100)

    def test_stretched_intervals_stay_where_a_transform_keeps_them(self, table: Path, params: Any) -> None:
        """No interval of a square reaches below zero, however far it is stretched."""
        task = Forecast(make_config(table, data={"transform": "sqrt"}))
        said = task.say(params, task.seen, task.origins("test"), 1e3)
        assert (said >= 0).all()
        assert (said[..., 0] == 0).any()
        assert (np.diff(said, axis=-1) >= 0).all()

    def test_a_narrow_interval_of_large_values_is_told_apart(self) -> None:
        rows = np.array([[1_234_557.0, 1_234_567, 1_234_577.5], [1_234_550, 1_234_567, 1_234_590]])
        text = outlook.table(Times.rows(0).rows(2), rows, 0.8, "median")
        assert [line.split()[1:] for line in text.splitlines()[1:]] == [
            ["1234557", "1234567", "1234578"],
            ["1234550", "1234567", "1234590"],
        ]
        assert outlook.digits_of(np.array([[0.10001, 0.10002, 0.10003]])) == 6
        assert outlook.digits_of(np.zeros((2, 3))) == outlook.digits_of(np.full((2, 3), 7.0)) == 5

    def test_a_report_has_each_step_and_each_method(self) -> None:
        said = np.tile([1.0, 2.0, 4.0], (5, 3, 1))
        truth = np.tile([2.0, 3.0, 5.0], (5, 1))
        found = Outlook(said, truth, np.ones((5, 3), bool))
        lines = outlook.report(found, {"naive": truth + 1}, scale=2.0, interval=0.8).splitlines()
        assert [line.split() for line in lines[2:]] == [
            ["step", "this", "model", "naive", "80%", "interval", "holds", "width"],
            ["1", "0", "1", "1.000", "3"],
            ["2", "1", "1", "1.000", "3"],
            ["3", "3", "1", "0.000", "3"],
            ["all", "1.333", "1", "0.667", "3"],
            ["MASE", "0.667", "0.500"],
        ]

    def test_a_picture_has_dates_below_and_its_legend_beside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        figures: list[Figure] = []
        monkeypatch.setattr(drawing, "save", lambda figure, path: figures.append(figure))
        ys, times = np.sin(np.arange(60.0)), Times("date", 1_704_067_200 + 3600 * np.arange(60), 3600)
        series = Series("a", ("y",), ys[:, None], np.ones(60, bool), times, 24)
        origins = np.array([20, 40])
        truth = ys[ahead(origins, 6)]
        found = Outlook(np.stack([truth - 1, truth, truth + 1], -1), truth, np.ones(truth.shape, bool))
        drawing.draw(tmp_path / "a.png", series, origins, found, ("naive", truth), "a")
        (figure,) = figures
        figure.canvas.draw()
        labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
        assert {"06:00", "12:00"} <= {*labels}
        assert figure.axes[0].get_legend() is None
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [
            "what came",
            "naive",
            "this model",
            "its interval",
        ]


class TestRun:
    def test_it_learns_and_leaves_what_people_look_at(self, finished: Path) -> None:
        summary = summary_of(finished)
        assert not summary["higher_is_better"]
        assert summary["test"] < 0.7 * summary["baseline"]
        also = summary["also"]
        assert {"test_coverage", "test_width", "test_mase"} <= {*also}
        assert {
            "baseline_ar_mae",
            "baseline_last_value_mae",
            "baseline_month_means_mae",
            "baseline_mase",
        } <= {*also}
        assert also["test_mase"] / summary["test"] == pytest.approx(
            also["baseline_mase"] / summary["baseline"]
        )
        for name in ("forecast.png", "errors.png", "curves.png"):
            assert (finished / name).read_bytes().startswith(b"\x89PNG")
        report = (finished / "report.txt").read_text()
        row = next(line for line in report.splitlines() if line.startswith("all ")).split()
        assert row[1:3] == [f"{summary['test']:.4g}", f"{summary['baseline']:.4g}"]

    def test_a_resumed_run_ends_in_the_same_bits(self, finished: Path, table: Path, tmp_path: Path) -> None:
        assert_resumed_alike(Forecast, finished, tmp_path / "resumed", make_config(table))

    def test_a_run_is_opened_with_the_same_scores(self, finished: Path) -> None:
        summary = summary_of(finished)
        scores = open_run(finished, find).evaluate()
        assert scores["test"]["mae"] == summary["test"]
        assert scores["validation"]["coverage"] == summary["also"]["validation_coverage"]

    def test_a_sample_goes_on_from_the_end(self, finished: Path, tmp_path: Path) -> None:
        opened = open_run(finished, find)
        head, *rows = opened.sample().splitlines()
        assert head.split() == ["time", "10", "%", "median", "90", "%"]
        assert [row.split()[0] for row in rows] == ["2010-01", "2010-02", "2010-03", "2010-04"]
        for row in rows:
            low, middle, high = map(float, row.split()[1:])
            assert low < middle < high
        # A table that ends earlier goes on as the run did from there.
        early = write(tmp_path / "early.csv", make_rows()[100:200], first=100)
        text = opened.sample(str(early))
        task = opened.task
        assert isinstance(task, Forecast)
        found = task.look(opened.params, "test").said[list(task.origins("test")).index(199)]
        assert text == outlook.table(task.series.times[:200].after(4), found, 0.8, "median")
        assert opened.sample(input=str(early)) == text

    def test_a_table_that_grew_is_forecast_with_what_was_fitted(
        self, finished: Path, table: Path, tmp_path: Path
    ) -> None:
        """New rows at the end change no scaler and no part, only where the forecast goes on."""
        task = open_run(finished, find).task
        assert isinstance(task, Forecast)
        grown = write(tmp_path / "grown.csv", np.concatenate([make_rows(), make_rows(1)[:30]]))
        again = Forecast.restore(make_config(grown), json.loads(json.dumps(task.vocabulary)))
        params = open_run(finished, find).params
        assert again.fitted == task.fitted
        assert again.stretch(params) == task.stretch(params)
        assert (
            again.sample(params, None, jax.random.key(0), again.config.sample)
            .splitlines()[1]
            .startswith("2012-07")
        )

    def test_rows_that_were_closed_up_are_forecast_without_dates(self, tmp_path: Path) -> None:
        """On a market that is open on weekdays, a week has five rows, and no row to come has a date."""
        path = tmp_path / "market.csv"
        days = [day for day in range(300) if day % 7 < 5]
        dates = Times("date", 86_400 * (4 + np.array(days)), 86_400).labels()
        lines = [f"{date},{day % 7}\n" for date, day in zip(dates, days, strict=True)]
        path.write_text("date,x\n" + "".join(lines))
        task = Forecast(make_config(path, data={"target": "", "exogenous": "", "missing": "close"}))
        assert task.facts()["season"] == 5
        assert task.baseline()["mae"] == 0
        assert task.fitted.inputs == [1, 1]
        params = jax.jit(task.init)(jax.random.key(0))
        head, *rows = task.sample(params, None, jax.random.key(0), task.config.sample).splitlines()
        assert head.split() == ["after", dates[-1], "10", "%", "median", "90", "%"]
        assert [row.split()[0] for row in rows] == ["+1", "+2", "+3", "+4"]

    @pytest.mark.parametrize(
        ("head", "transform", "middle"),
        [
            ("quantile", "none", "median"),
            ("gaussian", "none", "mean"),
            ("gaussian", "sqrt", "median"),
            ("gaussian", "log", "median"),
        ],
    )
    def test_the_middle_of_a_bent_gaussian_is_a_median(
        self, table: Path, params: Any, head: str, transform: str, middle: str
    ) -> None:
        task = Forecast(make_config(table, data={"transform": transform}, model={"head": head}))
        text = task.sample(params, None, jax.random.key(0), task.config.sample)
        assert text.splitlines()[0].split() == ["time", "10", "%", middle, "90", "%"]


class TestChangedTables:
    """What a run is told of, whose table is no longer what it was trained on."""

    def said(self, task: Forecast, params: Any, path: Path, more: str | None = None, **tables: Any) -> str:
        other = Forecast.restore(make_config(path, **tables), json.loads(json.dumps(task.vocabulary)))
        with pytest.raises(UserError) as error:
            other.sample(params, more, jax.random.key(0), other.config.sample)
        return str(error.value)

    @pytest.mark.parametrize("calibrate", [True, False])
    def test_other_values(self, task: Forecast, params: Any, tmp_path: Path, calibrate: bool) -> None:
        revised, rolled = make_rows(), np.roll(make_rows(), -12, 0)
        revised[-1, 0] += 0.1
        for name, rows, first in (("revised", revised, 0), ("rolled", rolled, 12)):
            path = write(tmp_path / f"{name}.csv", rows, first)
            assert self.said(task, params, path, model={"calibrate": calibrate}) == (
                f"{path}: its first 240 rows are not those that the run was trained on; "
                "keep that table there, and forecast from another by sample RUN OTHER.csv"
            )

    def test_other_columns_and_times(self, task: Forecast, params: Any, tmp_path: Path) -> None:
        path = write(tmp_path / "other.csv", make_rows())
        text = path.read_text()
        path.write_text(text.replace("size", "width"))
        had = "the run was trained on 240 rows of heat, size, noise"
        assert self.said(task, params, path, model={"calibrate": False}) == (
            f"{path}: 240 rows of heat, width, noise; {had}"
        )
        lines = text.splitlines()[1:]
        path.write_text(
            "\n".join(["day,heat,size,noise", *(f"{i},{line[8:]}" for i, line in enumerate(lines))])
        )
        assert self.said(task, params, path) == (
            f"{path}: its times are 1 row apart, and those of the run 1 month apart"
        )
        path.write_text("\n".join(text.splitlines()[:6]))
        assert self.said(task, params, path) == f"{path}: 5 rows of heat, size, noise; {had}"

    def test_values_that_the_transform_does_not_take(self, table: Path, params: Any, tmp_path: Path) -> None:
        """New rows are held to what those of the training were."""
        data = {"transform": "sqrt"}
        task = Forecast(make_config(table, data=data))
        rows = np.concatenate([make_rows(), make_rows(1)[:12]])
        rows[-1, 0] = -3
        path = write(tmp_path / "more.csv", rows)
        fault = f"{path}: heat is -3 at 2010-12; data.transform=sqrt needs 0 or more"
        assert self.said(task, params, table, str(path), data=data) == fault
        assert self.said(task, params, path, data=data) == fault

    def test_a_table_that_is_gone_stretches_no_interval(
        self, task: Forecast, params: Any, table: Path, tmp_path: Path
    ) -> None:
        gone = tmp_path / "gone.csv"
        why = "model.calibrate=true needs the table that the run was trained on"
        assert self.said(task, params, gone, str(table)) == f"{gone}: no such file; {why}"
        assert self.said(task, params, gone) == f"{gone}: no such file"

    def test_a_table_with_gaps_where_the_calendar_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "elnino.csv").write_text(
            "".join(f"{1950 + i},{','.join(str(20 + j + i % 3) for j in range(12))}\n" for i in range(20))
        )
        monkeypatch.setattr(readers, "fetch", {"elnino": tmp_path}.__getitem__)
        data = {"series": "elnino", "target": "", "exogenous": "", "missing": "close"}
        task = Forecast(make_config("", data=data))
        params = jax.jit(task.init)(jax.random.key(0))
        path = tmp_path / "more.csv"
        path.write_text("month,x\n" + "".join(f"2001-{month:02d},{month}\n" for month in range(1, 13)))
        with pytest.raises(UserError) as error:
            task.sample(params, str(path), jax.random.key(0), task.config.sample)
        assert str(error.value) == f"{path}: data.missing=close leaves no calendar, and the run reads one"


class TestRefusals:
    def test_a_series_that_never_changes(self, tmp_path: Path) -> None:
        rows = make_rows()
        rows[:, 0] = 5
        path = write(tmp_path / "flat.csv", rows)
        with pytest.raises(UserError) as error:
            Forecast(make_config(path))
        assert str(error.value) == f"{path}: all values of heat are 5; there is nothing to forecast"

    def test_months_of_which_some_never_come(self, tmp_path: Path) -> None:
        """Quarters have no mean of each month, nor have rows of which each December was left out."""
        data = {"target": "", "exogenous": "", "season": 12}
        for name, step in {"quarters.csv": 3, "blank.csv": 1}.items():
            path = tmp_path / name
            times = Times("month", 2000 * 12 + step * np.arange(120), step).labels()
            cells = ["" if time.endswith("12") else str(len(time) + i % 5) for i, time in enumerate(times)]
            path.write_text("month,x\n" + "".join(f"{a},{b}\n" for a, b in zip(times, cells, strict=True)))
            task = Forecast(make_config(path, data={**data, "missing": "close"}))
            assert "month means" not in task.others
            with pytest.raises(UserError) as error:
                Forecast(make_config(path, data={**data, "missing": "close", "around": "months"}))
            needs = "data.around=months needs a row for each month, and a year of them to train on"
            assert str(error.value) == f"{path}: {needs}"

    @pytest.mark.parametrize(
        ("rows", "data", "fault"),
        [
            (
                20,
                {},
                "14 to train on, 2 for validation and 4 for the test; data.window=12 and data.horizon=4 need 16",
            ),
            (
                39,
                {},
                "29 to train on, 3 for validation and 7 for the test; data.horizon=4 needs as many of each",
            ),
            (
                60,
                {"season": 42},
                "42 to train on, 6 for validation and 12 for the test; a season of 42 needs more to train on",
            ),
        ],
    )
    def test_too_few_rows(self, tmp_path: Path, rows: int, data: dict[str, Any], fault: str) -> None:
        path = write(tmp_path / "short.csv", make_rows()[:rows])
        with pytest.raises(UserError) as error:
            Forecast(make_config(path, data=data))
        assert str(error.value) == f"{path}: too short: {rows} rows leave {fault}"

    @pytest.mark.parametrize(
        ("transform", "fault"),
        [
            ("sqrt", "noise is -9.05 at 1990-03; data.transform=sqrt needs 0 or more"),
            ("log", "noise is -9.05 at 1990-03; data.transform=log needs above 0"),
        ],
    )
    def test_values_that_a_transform_does_not_take(self, tmp_path: Path, transform: str, fault: str) -> None:
        rows = make_rows()
        rows[2, 2] = -9.05
        path = write(tmp_path / "a.csv", rows)
        with pytest.raises(UserError) as error:
            Forecast(make_config(path, data={"target": "noise", "transform": transform}))
        assert str(error.value) == f"{path}: {fault}"

    def test_months_of_what_has_none(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.csv"
        path.write_text("x\n" + "".join(f"{i % 7}.5\n" for i in range(90)))
        data = {"target": "", "exogenous": "", "around": "months"}
        with pytest.raises(
            UserError, match=r"data\.around=months needs a row for each month, and a year of them"
        ):
            Forecast(make_config(path, data=data))

    def test_a_table_that_lost_rows(self, task: Forecast, params: Any, tmp_path: Path) -> None:
        path = write(tmp_path / "less.csv", make_rows()[:230])
        other = Forecast.restore(make_config(path), json.loads(json.dumps(task.vocabulary)))
        had = "the run was trained on 240 rows of heat, size, noise"
        with pytest.raises(UserError) as error:
            other.sample(params, None, jax.random.key(0), other.config.sample)
        assert str(error.value) == f"{path}: 230 rows of heat, size, noise; {had}"

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("month,heat,size\n", "no row below the names of the columns"),
            ("month,heat,size\n2001-01,1,2\n", "its columns are heat, size; the run has heat, size, noise"),
            (
                "month,heat,size,noise\n2001,1,2,3\n2002,1,2,3\n",
                "its times are 1 year apart, and those of the run 1 month apart",
            ),
            ("month,heat,size,noise\n2001-01,1,2,3\n2001-02,1,2,3\n", "2 rows are fewer than data.window=12"),
        ],
    )
    def test_a_further_table_that_does_not_fit(
        self, task: Forecast, params: Any, tmp_path: Path, content: str, fault: str
    ) -> None:
        path = tmp_path / "more.csv"
        path.write_text(content)
        with pytest.raises(UserError) as error:
            task.sample(params, str(path), jax.random.key(0), task.config.sample)
        assert str(error.value) == f"{path}: {fault}"

    @pytest.mark.parametrize(
        "damage",
        [
            lambda v: [v],
            lambda v: {**v, "more": 1},
            lambda v: {name: v[name] for name in v if name != "lags"},
            lambda v: v | {"names": "heat"},
            lambda v: v | {"parts": [1.5, 2, 3]},
            lambda v: v | {"scaling": None},
            lambda v: v | {"scaling": v["scaling"] | {"around": "auto"}},
            lambda v: v | {"scaling": v["scaling"] | {"centers": [[0.0]]}},
            lambda v: v | {"scaling": v["scaling"] | {"scales": ["a", 1.0, 1.0]}},
            lambda v: v | {"scaling": v["scaling"] | {"scales": [0.0, 1.0, 1.0]}},
            lambda v: v | {"scaling": v["scaling"] | {"scales": [math.inf, 1.0, 1.0]}},
            lambda v: (
                v | {"scaling": v["scaling"] | {"centers": [[math.nan] * 3] * len(v["scaling"]["centers"])}}
            ),
            lambda v: v | {"scaling": v["scaling"] | {"transform": "log"}},
            lambda v: v | {"names": [], "inputs": [4, 5]},
            lambda v: v | {"kind": "hour"},
            lambda v: v | {"step": 0},
            lambda v: v | {"sha256": "0"},
            lambda v: v | {"inputs": [7]},
            lambda v: v | {"inputs": [8, 5]},
            lambda v: v | {"inputs": [5, 3]},
            lambda v: v | {"parts": [168, 240]},
            lambda v: v | {"parts": [168, 168, 240]},
            lambda v: v | {"parts": [0, 192, 240]},
            lambda v: v | {"drift": math.nan},
            lambda v: v | {"lags": 0},
            lambda v: v | {"lags": 169},
        ],
    )
    def test_a_vocabulary_that_is_none(self, task: Forecast, damage: Callable[[Any], object]) -> None:
        good = json.loads(json.dumps(task.vocabulary))
        assert Forecast.restore(task.config, good).fitted == task.fitted
        with pytest.raises(ValueError, match=r"^(vocabulary|scaling) should "):
            Forecast.restore(task.config, damage(good))

    def test_a_wrong_file_gets_one_line_and_status_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "wrong.csv"
        path.write_text("date,x\n2001-01-01,1\n2001-01-02,one\n")
        assert main(["train", "forecast", f"data.path={path}", f"run.dir={tmp_path / 'run'}"]) == 2
        assert capsys.readouterr().err == f"error: {path}: line 3, column x: 'one' is no number\n"
        assert not (tmp_path / "run").exists()

    def test_data_that_cannot_be_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(name: str) -> Path:
            raise DataError(f"{name} cannot be had")

        monkeypatch.setattr(readers, "fetch", offline)
        with pytest.raises(UserError, match=r"^co2 cannot be had$"):
            Forecast(make_config("", data={"series": "co2"}))

    def test_the_config_is_of_this_task(self) -> None:
        assert read(locate("forecast"), (), find).task == "forecast"
