"""The figures of docs/explanation/long_memory.md: how far cells remember, before and after they learn to.

    python docs/pictures/long_memory.py

draws `long_memory.png` beside the page, writes `long_memory.json`, and puts the tables into the page: about ten
minutes on two cores. With `--draw` it measures nothing, and makes picture and tables again from the JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array

from jaxgru import GRU, LSTM, RNN, Chrono, probe, scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxgru.cells.base import Cell

PyTree = Any
PAGE = Path(__file__).parents[1] / "explanation" / "long_memory.md"
PANELS = {
    "default": "default initialisation",
    "chrono": "Chrono(200), the gated cells",
    "trained": "default, then trained",
}
COLOURS = {"tanh RNN": "C3", "LSTM": "C0", "GRU": "black"}
WIDTHS = {"tanh RNN": 2, "LSTM": 1.5, "GRU": 2.8}  # thin above thick: of two in one place both are seen
GATES = {"LSTM": "f", "GRU": "z"}  # which keep the state


@dataclass(frozen=True)
class Plan:
    """What is trained, and for how long.

    Attributes:
      steps: T, of the task, of the curves, and of the test.
      lengths: T of equal shares of the updates, where it grows.
      updates: of Adam, for each training.
      rows: sequences in an update.
      rate: of Adam at the start, on a cosine to a twentieth of it.
      seeds: how many trainings each number of the table is made of.
      curve_rows: sequences whose median a curve is.
    """

    steps: int = 200
    lengths: tuple[int, ...] = (25, 50, 100, 200)
    updates: int = 2000
    rows: int = 50
    rate: float = 2e-3
    seeds: int = 3
    curve_rows: int = 8


def adding(key: Array, steps: int, rows: int) -> tuple[Array, Array]:
    """The adding problem: numbers in [0, 1), two of them marked, and the sum of these two.

    xs is (T, B, 2), number and mark; y is (B,). One mark stands in the first half of the steps, the other in the
    second. Whoever always says 1 has a mean squared error of 1/6.
    """
    of_values, of_first, of_second = jax.random.split(key, 3)
    values = jax.random.uniform(of_values, (steps, rows), jnp.float32)
    first = jax.random.randint(of_first, (rows,), 0, steps // 2)
    second = jax.random.randint(of_second, (rows,), steps // 2, steps)
    t = jnp.arange(steps)[:, None]
    marks = ((t == first) | (t == second)).astype(values.dtype)
    return jnp.stack([values, marks], -1), (values * marks).sum(0)


class Recurrent(nn.Module):
    """A cell, and a number read from its last output."""

    cell: Cell

    @nn.compact
    def __call__(self, xs: Array) -> Array:
        """(T, B, 2) to (B,)."""
        params = self.param("cell", self.cell.init)
        return nn.Dense(1)(scan(self.cell, params, xs)[1][-1])[:, 0]


class MLP(nn.Module):
    """Two hidden layers over the whole sequence at once."""

    features: int

    @nn.compact
    def __call__(self, xs: Array) -> Array:
        """(T, B, 2) to (B,), for one T."""
        x = jnp.swapaxes(xs, 0, 1).reshape(xs.shape[1], -1)
        for _ in range(2):
            x = nn.relu(nn.Dense(self.features)(x))
        return nn.Dense(1)(x)[:, 0]


class CNN(nn.Module):
    """Seven causal convolutions of three taps, dilated by 1, 2, … 64 (Bai et al. 2018): the last sees 255 steps."""

    features: int

    @nn.compact
    def __call__(self, xs: Array) -> Array:
        """(T, B, 2) to (B,)."""
        x = nn.Dense(self.features)(jnp.swapaxes(xs, 0, 1))
        for layer in range(7):
            x += nn.relu(nn.Conv(self.features, 3, kernel_dilation=2**layer, padding="CAUSAL")(x))
        return nn.Dense(1)(x[:, -1])[:, 0]


RECURRENT = {"tanh RNN": Recurrent(RNN(2, 112)), "LSTM": Recurrent(LSTM(2, 54)), "GRU": Recurrent(GRU(2, 64))}
CHRONO = {"LSTM": Recurrent(LSTM(2, 54, init=Chrono(200))), "GRU": Recurrent(GRU(2, 64, init=Chrono(200)))}
MODELS = {"MLP": MLP(30), "CNN, dilated": CNN(24), **RECURRENT, "GRU, Chrono(200)": CHRONO["GRU"]}


class Trained(NamedTuple):
    """What a training gives: parameters, the error on fresh sequences, and seconds."""

    params: PyTree
    error: float
    seconds: float


def start(model: nn.Module, steps: int, seed: int) -> PyTree:
    """The parameters before a training; but for an MLP's, of whatever T."""
    return model.init(jax.random.key(seed), jnp.zeros((steps, 1, 2)))


def train(model: nn.Module, plan: Plan, lengths: tuple[int, ...], seed: int) -> Trained:
    """Adam on fresh sequences throughout, T being each of `lengths` for an equal share of the updates."""
    key = jax.random.key(seed)
    params = start(model, lengths[0], seed)
    state = params, optimizer(plan).init(params)
    began = time.perf_counter()
    for i in range(plan.updates):
        steps = lengths[i * len(lengths) // plan.updates]
        state = update(model, plan, steps, state, jax.random.fold_in(key, i))
    params = jax.block_until_ready(state)[0]
    seconds = time.perf_counter() - began
    test = jax.random.key(10**6)  # no seed of a training
    return Trained(params, float(error(model, plan.steps, 2000, params, test)), seconds)


def optimizer(plan: Plan) -> optax.GradientTransformation:
    """Adam, behind a bound for the gradient."""
    rate = optax.cosine_decay_schedule(plan.rate, plan.updates, 0.05)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=3)
def update(model: nn.Module, plan: Plan, steps: int, state: PyTree, key: Array) -> PyTree:
    """One step of the optimiser."""
    params, moments = state
    gradient = jax.grad(partial(error, model, steps, plan.rows))(params, key)
    changes, moments = optimizer(plan).update(gradient, moments)
    return optax.apply_updates(params, changes), moments


@partial(jax.jit, static_argnums=(0, 1, 2))
def error(model: nn.Module, steps: int, rows: int, params: PyTree, key: Array) -> Array:
    """The mean squared error on sequences drawn anew."""
    xs, y = adding(key, steps, rows)
    return jnp.mean((jnp.asarray(model.apply(params, xs)) - y) ** 2)


def reach(model: Recurrent, networks: list[PyTree], plan: Plan) -> dict[str, list[float]]:
    """‖∂h_T/∂h_{T−k}‖_F / √D for k = 0 … T, and ∏ of the keeping gates: medians over networks and sequences."""
    found = []
    with jax.enable_x64(True):  # float32 ends at about 1e-36
        xs, _ = adding(jax.random.key(10**6 + 1), plan.steps, plan.curve_rows)
        for network in networks:
            params = jax.tree.map(lambda w: jnp.asarray(w, jnp.float64), network["params"]["cell"])
            (record,) = probe.record(model.cell, params, xs.astype(jnp.float64))
            found.append(probe.memory(record))
    curves = {"norm": [m.norm for m in found], "kept": [m.kept for m in found if m.kept is not None]}
    return {
        name: [float(f"{value:.3e}") for value in np.median(np.concatenate(rows, 1), 1)]
        for name, rows in curves.items()
        if rows
    }


def untrained(models: dict[str, Recurrent], plan: Plan) -> dict[str, Any]:
    """The reach of each model as the trainings start."""
    return {
        name: reach(model, [start(model, 1, seed) for seed in range(plan.seeds)], plan)
        for name, model in models.items()
    }


def measure(plan: Plan) -> dict[str, Any]:
    """All figures of the page, seed after seed so that a busy minute does not fall on one model."""
    default = untrained(RECURRENT, plan)
    chrono = {"tanh RNN": default["tanh RNN"]} | untrained(CHRONO, plan)
    runs: dict[tuple[str, str], list[Trained]] = {}
    for seed in range(plan.seeds):
        for name, model in MODELS.items():
            for way, lengths in (("whole", (plan.steps,)), ("growing", plan.lengths)):
                if way == "growing" and name in {"MLP", "GRU, Chrono(200)"}:
                    continue  # an MLP has one T; and Chrono is there to need no growth
                done = train(model, plan, lengths, seed)
                runs.setdefault((name, way), []).append(done)
                print(f"{name}, {way}, seed {seed}: {done.error:.5f}, {done.seconds:.0f} s", flush=True)  # noqa: T201
    trained = {}
    for name, recurrent in RECURRENT.items():
        trained[name] = reach(recurrent, [run.params for run in runs[name, "growing"]], plan)
    return {
        "plan": asdict(plan),
        "task": {name: summary(name, runs) for name in MODELS},
        "curves": {"default": default, "chrono": chrono, "trained": trained},
    }


def summary(name: str, runs: dict[tuple[str, str], list[Trained]]) -> dict[str, Any]:
    """A model's row of the table."""
    ways: dict[str, Any] = {}
    for way in ("whole", "growing"):
        if errors := [run.error for run in runs.get((name, way), [])]:
            ways[way] = {"mean": float(np.mean(errors)), "spread": float(np.std(errors, ddof=1))}
    parameters = sum(leaf.size for leaf in jax.tree.leaves(runs[name, "whole"][0].params))
    seconds = min(run.seconds for run in runs[name, "whole"])  # the first one compiles
    return {"parameters": parameters, **ways, "seconds": seconds}


def blocks(figures: dict[str, Any]) -> dict[str, str]:
    """The page's tables, by name."""
    steps = figures["plan"]["steps"]
    reaches = [(f"k = {steps}", *COLOURS)]
    for panel, title in PANELS.items():
        reaches.append((title, *(small(figures["curves"][panel][name]["norm"][-1]) for name in COLOURS)))
    errors = [("", "parameters", f"error, T = {steps} from the start", "error, T growing", "seconds")]
    for name, row in figures["task"].items():
        parts = spread(row.get("whole")), spread(row.get("growing")), f"{row['seconds']:.2g}"
        errors.append((name, f"{row['parameters']}", *parts))
    return {"reach": table(reaches), "task": table(errors)}


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown, the first row above the line."""
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" + "|--:" * (len(rows[0]) - 1) + "|", *body])


def small(value: float) -> str:
    """A number as the page sets it: 0.31, or 2·10<sup>−9</sup>."""
    if value >= 0.01:
        return f"{value:.2f}"
    digits, exponent = f"{value:.0e}".split("e")
    return f"{digits}·10<sup>−{-int(exponent)}</sup>"


def spread(errors: dict[str, float] | None) -> str:
    """Mean and standard deviation over the seeds."""
    return "—" if errors is None else f"{errors['mean']:.4f} ± {errors['spread']:.4f}"


def written(page: str, figures: dict[str, Any]) -> str:
    """The page with its tables as the figures say: each between `<!-- name -->` and `<!-- /name -->`."""
    for name, block in blocks(figures).items():
        between = rf"(?s)(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)"
        page, count = re.subn(between, f"\n{block}\n\n", page)
        if count != 1:
            raise ValueError(f"the page must have <!-- {name} --> … <!-- /{name} --> once, got {count}")
    return page


def draw(path: Path, figures: dict[str, Any]) -> None:
    """A column for each state of the cells, on a logarithmic axis and on a linear one."""
    from matplotlib.figure import Figure  # noqa: PLC0415 heavy, and of use only here

    k = np.arange(figures["plan"]["steps"] + 1)
    figure = Figure(figsize=(10.5, 6), layout="constrained")
    panels = figure.subplots(2, len(PANELS), sharex=True, sharey="row", height_ratios=(3, 2))
    for (panel, title), column in zip(PANELS.items(), panels.T, strict=True):
        column[0].set(title=title, yscale="log", ylim=(1e-62, 1e4), yticks=10.0 ** np.arange(-60, 1, 10))
        column[1].set(xlabel="k (steps before the last)", ylim=(0, 1.03))
        for axes in column:
            axes.grid(alpha=0.3)
            for name, colour in COLOURS.items():
                curves, width = figures["curves"][panel][name], WIDTHS[name]
                axes.plot(k, curves["norm"], color=colour, linewidth=width, zorder=5 - width, label=name)
                if name in GATES:
                    label = f"{name}: ∏{GATES[name]} alone"
                    axes.plot(k, curves["kept"], "--", color=colour, linewidth=1, label=label)
            axes.plot(k, 0.5**k, color="0.5", linewidth=1, linestyle=":", label="½ᵏ")
    for axes, scale in zip(panels[:, 0], ("logarithmic", "linear"), strict=True):
        axes.set_ylabel(r"$\Vert\partial h_T/\partial h_{T-k}\Vert_F\,/\,\sqrt{D}$" + f"\n{scale}")
    figure.legend(handles=panels[0, 0].get_lines(), loc="outside lower center", ncols=6, frameon=False)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes and draws."""
    parser = argparse.ArgumentParser(description="Makes the figures of docs/explanation/long_memory.md.")
    parser.add_argument("--draw", action="store_true", help="measure nothing: draw what the JSON has")
    stored = PAGE.with_suffix(".json")
    if not parser.parse_args(arguments).draw:
        text = json.dumps(measure(Plan()), ensure_ascii=False).replace('"curves"', '\n"curves"')
        stored.write_text(text + "\n", encoding="utf-8")
    figures = json.loads(stored.read_text(encoding="utf-8"))
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")
    draw(PAGE.with_suffix(".png"), figures)


if __name__ == "__main__":
    main()
