"""The task `forecast`: what comes next in a series, over a horizon, with an interval for each step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxgru.data.series import KNOWN, MISSING
from jaxgru.tasks.forecasting import drawing, fitting, outlook
from jaxgru.tasks.forecasting.classical import ahead
from jaxgru.tasks.forecasting.fitted import Fitted
from jaxgru.tasks.forecasting.forecaster import Forecaster, Model, apply, losses, quantiles
from jaxgru.tasks.forecasting.horizons import Horizons
from jaxgru.tasks.forecasting.outlook import Outlook
from jaxgru.tasks.forecasting.scaling import AROUND, TRANSFORMS
from jaxgru.tasks.options import check_shares, keep_path, turns
from jaxgru.training.config import Config, option
from jaxgru.training.errors import UserError
from jaxgru.training.task import PyTree, Split, Task

if TYPE_CHECKING:
    from jaxgru.data.series import Series

METRIC = "mae"
ROWS = 256  # windows that are read at once to score
LARGEST = 1_000_000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Data:
    """The table [data]: which series, how it is cut, and how the network sees it."""

    series: str = option("co2", "the series where no path is given", choices=tuple(KNOWN))
    path: str = option("", "a table of numbers (CSV), a row for each time; empty means the series above")
    time: str = option("", "the column that says when; empty: the one that looks like it")
    target: str = option("", "the column to forecast; empty: the only one with numbers")
    exogenous: str = option("", 'columns whose past is known too: names between commas, "all", or none')
    missing: str = option(
        "auto",
        "blanks and gaps: auto refuses those of a file, carry repeats the last value, close leaves the rows out",
        choices=MISSING,
    )
    season: int = option(
        0, "steps after which things repeat; 0: what the times make likely", at_least=0, at_most=LARGEST
    )
    horizon: int = option(12, "steps to forecast", at_least=1, at_most=10_000)
    window: int = option(96, "steps before the origin that the network reads", at_least=1, at_most=100_000)
    validation: float = option(0.1, "the part before the test part, which chooses", above=0, below=1)
    test: float = option(0.2, "the last part of the series, scored once at the end", above=0, below=1)
    transform: str = option("none", "what is done to the target before all else", choices=TRANSFORMS)
    around: str = option(
        "auto", "what values are told from; auto: what is nearest to those of validation", choices=AROUND
    )
    calendar: bool = option(True, "whether the network sees where in the year, week and day a step is")

    def __post_init__(self) -> None:
        """Keep the path whole, for a run is opened from anywhere; refuse parts that leave nothing to train on."""
        keep_path(self)
        check_shares(self)


@dataclass(frozen=True)
class Sample:
    """The table [sample]: what is forecast."""

    input: str = option(
        "", "a table with the run's columns, to go on from its end; empty: the run's own series"
    )


class Forecast(Task):
    """Forecast a series over a horizon, as a median and an interval for each step.

    The score is the mean absolute error of the medians, in units of the target, over all steps from every origin
    whose horizon lies in the split. What the network sees before an origin may reach back into earlier parts.

    Args:
      config: a run whose tables [data], [model] and [sample] are `Data`, `Model` and `Sample`.
      vocabulary: what was fitted to the parts before the test, if known: then the series is read when first needed.
    """

    name = "forecast"
    metric = METRIC
    higher_is_better = False
    batch_axis = 1
    Data, Model, Sample = Data, Model, Sample

    def __init__(self, config: Config, vocabulary: dict[str, Any] | None = None) -> None:
        self.config = config
        data = config.data
        if vocabulary is None:
            self.series = fitting.load(data)
            self.fitted = fitting.fit(data, self.series)
        else:
            self.fitted = Fitted.restore(vocabulary, data.transform)
        self.vocabulary = asdict(self.fitted)
        self.model = Forecaster(data.horizon, config.model)

    @classmethod
    def restore(cls, config: Config, vocabulary: Any) -> Self:
        """Rebuild the task of a run folder; its series is read when first needed."""
        return cls(config, vocabulary)

    @cached_property
    def series(self) -> Series:
        """The series, which is the one that the run was trained on, or that one grown longer."""
        series = fitting.load(self.config.data)
        fitting.check_same(self.config.data, series, self.fitted)
        return series

    @cached_property
    def seen(self) -> Horizons:
        """The series as the network sees it."""
        return self._see(self.series)

    def _see(self, series: Series) -> Horizons:
        data = self.config.data
        return Horizons(series, self.fitted.scaling, data.window, data.horizon, data.calendar)

    def origins(self, part: str) -> Ints:
        """The origins (N,) of the forecasts of a part: "train", "validation" or "test"."""
        return fitting.origins(self.config.data, self.fitted.parts, part)

    @cached_property
    def train(self) -> Ints:
        """The origins (N,) to train on."""
        return self.origins("train")

    def facts(self) -> dict[str, Any]:
        """Where the series is from, its SHA-256, what it is of, and how many rows are for what."""
        series, labels = self.series, self.series.times.labels()
        train, validation, test = self.fitted.parts
        return {
            "source": series.source,
            "sha256": series.sha256,
            "target": series.names[0],
            "exogenous": list(series.names[1:]),
            "rows": len(series),
            "from": labels[0],
            "to": labels[-1],
            "missing": int((~series.known).sum()),
            "season": series.season,
            "train": train,
            "validation": validation - train,
            "test": test - validation,
            "origins": {part: len(self.origins(part)) for part in ("train", "validation", "test")},
        }

    def init(self, key: jax.Array) -> PyTree:
        """Draw the initial parameters."""
        data, (past, future) = self.config.data, self.fitted.inputs
        return self.model.init(key, jnp.zeros((data.window, 1, past)), jnp.zeros((data.horizon, 1, future)))

    def batch(self, step: int) -> PyTree:
        """The windows of some origins, drawn without repeats within an epoch: batch axis 1."""
        size, seed = self.config.train.batch_size, self.config.seed
        origins = self.train[turns(step, size, len(self.train), seed)]
        known = self.series.known[ahead(origins, self.config.data.horizon)].T
        seen = self.seen
        return {
            "past": seen.past(origins),
            "future": seen.future(origins),
            "targets": seen.targets(origins),
            "known": known,
        }

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        """What a step of the horizon costs, on average over those of a batch whose value is known."""
        training = {"deterministic": False, "rngs": {"dropout": key}}
        out = apply(self.model, params, batch["past"], batch["future"], **training)
        costs = jnp.where(batch["known"], losses(out, batch["targets"], self.config.model), 0)
        return costs.sum() / jnp.maximum(batch["known"].sum(), 1), carry

    def read(self, params: PyTree, seen: Horizons, origins: Ints) -> Floats:
        """What the model makes of the windows of some origins: intervals (N, horizon, 3), scaled."""
        found = []
        for start in range(0, len(origins), ROWS):
            some = origins[start : start + ROWS]
            rows = np.resize(some, ROWS)  # one shape for all, so that it compiles once
            found.append(_read(self.model, params, seen.past(rows), seen.future(rows))[:, : len(some)])
        return np.concatenate([np.asarray(each, np.float64) for each in found], 1).swapaxes(0, 1)

    def stretch(self, params: PyTree) -> float:
        """By what the validation part says that intervals should be stretched; 1 where it is not asked."""
        if not self.config.model.calibrate:
            return 1.0
        origins = self.origins("validation")
        known = self.series.known[ahead(origins, self.config.data.horizon)]
        truth = self.seen.targets(origins).T.astype(np.float64)
        found = Outlook(self.read(params, self.seen, origins), truth, known)
        return outlook.stretch(found, self.config.model.interval)

    def say(self, params: PyTree, seen: Horizons, origins: Ints, factor: float) -> Floats:
        """Forecasts from some origins: intervals (N, horizon, 3) in units of the target, stretched by a factor.

        They are stretched while they are scaled, so that what a transform keeps above zero stays there.
        """
        return seen.values(origins, outlook.stretched(self.read(params, seen, origins), factor))

    def look(self, params: PyTree, part: str) -> Outlook:
        """The forecasts of a part, and what came; those of the test part alone are stretched."""
        origins = self.origins(part)
        rows = ahead(origins, self.config.data.horizon)
        factor = self.stretch(params) if part == "test" else 1.0
        said = self.say(params, self.seen, origins, factor)
        return Outlook(said, self.series.values[rows, 0], self.series.known[rows])

    def evaluate(self, params: PyTree, split: Split) -> dict[str, float]:
        """The error of the medians, and what the intervals hold; those of the validation part as the model has them."""
        return outlook.scores(self.look(params, split), self.unit)

    @cached_property
    def unit(self) -> float:
        """What `mase` is in units of: the mean error of the seasonal-naive forecast in the training part."""
        ys, season = self.series.values[: self.fitted.parts[0], 0], self.series.season
        return float(np.abs(ys[season:] - ys[:-season]).mean()) or 1.0

    @cached_property
    def others(self) -> dict[str, Floats]:
        """What the classical methods forecast (N, horizon) in the test part, the baseline first."""
        return fitting.classics(self.series, self.fitted, self.origins("test"), self.config.data.horizon)

    def baseline(self) -> dict[str, float]:
        """The errors of the seasonal-naive forecast, and beside them those of other methods."""
        rows = ahead(self.origins("test"), self.config.data.horizon)
        truth, known = self.series.values[rows, 0], self.series.known[rows]
        first, *others = (outlook.error(said, truth, known) for said in self.others.values())
        names = [name.partition("(")[0].replace(" ", "_").lower() for name in self.others][1:]
        return {METRIC: first, "mase": first / self.unit} | {
            f"{name}_{METRIC}": error for name, error in zip(names, others, strict=True)
        }

    def sample(self, params: PyTree, prompt: str | None, key: jax.Array, options: Any) -> str:
        """What follows the end of the series, or of a table with the same columns: each time, and its interval."""
        del key
        path = options.input if prompt is None else prompt
        data, model = self.config.data, self.config.model
        series = fitting.load_again(data, self.fitted, path) if path else self.series
        try:
            factor = self.stretch(params)
        except UserError as error:
            why = "; model.calibrate=true needs the table that the run was trained on" if path else ""
            raise UserError(f"{error}{why}") from None
        said = self.say(params, self._see(series), np.array([len(series) - 1]), factor)[0]
        # What lies in the middle of a bent Gaussian is no longer its mean.
        middle = "mean" if model.head == "gaussian" and data.transform == "none" else "median"
        heading = f"after {series.times.labels()[-1]}" if series.times.closed else "time"
        return outlook.table(series.times.after(len(said)), said, model.interval, middle, heading)

    def finish(self, params: PyTree, run_dir: Path, key: jax.Array) -> list[Path]:
        """Write report.txt, forecast.png and errors.png, all of the test part."""
        del key
        found, series = self.look(params, "test"), self.series
        paths = [run_dir / name for name in ("report.txt", "forecast.png", "errors.png")]
        text = outlook.report(found, self.others, self.unit, self.config.model.interval) + "\n"
        paths[0].write_text(text, encoding="utf-8")
        about = (
            series.source if self.config.data.path == "" else f"{Path(series.source).name}: {series.names[0]}"
        )
        naive = next(iter(self.others.items()))
        drawing.draw(paths[1], series, self.origins("test"), found, naive, about)
        drawing.draw_errors(paths[2], found, self.others)
        return paths


@partial(jax.jit, static_argnums=0)
def _read(model: Forecaster, params: PyTree, past: Any, future: Any) -> jax.Array:
    """The intervals (horizon, B, 3), scaled."""
    return quantiles(apply(model, params, past, future), model.options)
