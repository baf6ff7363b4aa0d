"""The table that the laws run over: every cell, layer and backend, once. A new cell is one line here."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru import (
    GRU,
    LSTM,
    RNN,
    SRU,
    Associative,
    Bidirectional,
    Chunked,
    ConvGRU,
    LayerNorm,
    LearnedState,
    MinGRU,
    Sequential,
    Stack,
    Zoneout,
    reference,
)
from jaxgru.layers.attention import Additive
from tests.attending import Attending, attending_step
from tests.leaky import Leaky, leaky_step
from tests.oracle import layer_norm_gru_step, layer_norm_lstm_step, zoneout_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T, B, I, H, P = 7, 3, 3, 4, 2  # noqa: E741 - the axes' names in the literature
LENGTHS = np.array([7, 4, 0])
VARIANTS = list(itertools.product(("after", "before"), ("keeps", "writes")))


@dataclass(frozen=True)
class CellLaws:
    """What the laws need to know of a cell.

    Attributes:
      cell: the cell, of I inputs and H units.
      oracle: its step in NumPy: (params, h, x) -> h.
      bound: the largest |h| it can reach from h0 = 0, None if there is none.
      dots: how many matmuls its loop and the loop of its gradient have; None without a hand-made derivative.
      linear: whether it is linear in its state.
    """

    cell: Any
    oracle: Callable[[Any, np.ndarray, np.ndarray], np.ndarray]
    bound: float | None = 1.0
    dots: int | None = 1
    linear: bool = False


CELLS = {
    **{
        f"gru-{reset}-{update}": CellLaws(
            GRU(I, H, reset=reset, update=update),
            partial(reference.gru_step, reset=reset, update=update),
            dots=1 if reset == "after" else 2,
        )
        for reset, update in VARIANTS
    },
    "gru-bias=False": CellLaws(GRU(I, H, bias=False), reference.gru_step),
    "rnn-tanh": CellLaws(RNN(I, H), reference.rnn_step),
    "rnn-relu": CellLaws(
        RNN(I, H, activation="relu"), partial(reference.rnn_step, activation="relu"), bound=None
    ),
    "lstm": CellLaws(LSTM(I, H), reference.lstm_step),
    "lstm-projection": CellLaws(LSTM(I, H, projection=P), reference.lstm_step, bound=None, dots=2),
    "sru": CellLaws(SRU(I, H), reference.sru_step, bound=None, dots=0, linear=True),
    "sru-2018": CellLaws(
        SRU(I, H, variant="2018"), partial(reference.sru_step, variant="2018"), bound=None, dots=0
    ),
    "min-gru": CellLaws(MinGRU(I, H), reference.min_gru_step, bound=None, dots=0, linear=True),
    "conv-gru-1d": CellLaws(ConvGRU(I, H, spatial_shape=(3,), kernel_size=2), reference.conv_gru_step),
    "conv-gru-2d": CellLaws(
        ConvGRU(I, H, spatial_shape=(2, 3), dilation=2, reset="before", update="writes"),
        partial(reference.conv_gru_step, reset="before", update="writes", dilation=2),
        dots=2,
    ),
    "zoneout": CellLaws(Zoneout(LSTM(I, H), 0.25), partial(zoneout_step, reference.lstm_step, 0.25)),
    "learned-state": CellLaws(
        LearnedState(GRU(I, H)), lambda params, h, x: reference.gru_step(params.cell, h, x)
    ),
    "layer-norm-gru": CellLaws(
        LayerNorm(GRU(I, H, reset="before")), partial(layer_norm_gru_step, reset="before"), dots=None
    ),
    "layer-norm-lstm": CellLaws(LayerNorm(LSTM(I, H)), layer_norm_lstm_step, dots=None),
    "attention-decoder": CellLaws(
        Attending(GRU(I, H), Additive(H, 5, P), output_size=3), attending_step, dots=None
    ),
    "leaky": CellLaws(Leaky(I, H), leaky_step, dots=None),
}


def again(cell: Any, width: int) -> Any:
    """The same kind of cell with another input width."""
    other = type(cell).__new__(type(cell))
    other.__dict__.update({**cell.__dict__, "input_size": width})
    if hasattr(cell, "cell"):
        other.__dict__["cell"] = again(cell.cell, width)
    return other


LAYERS: dict[str, Callable[[Any], Any]] = {
    "stack": lambda cell: Stack([cell, again(cell, cell.output_size)]),
    "concat": Bidirectional,
    "sum": lambda cell: Bidirectional(cell, merge="sum"),
    "mean": lambda cell: Bidirectional(cell, merge="mean"),
    "nested": lambda cell: Stack(
        [
            Bidirectional(cell),
            Stack([again(cell, 2 * cell.output_size)]),
            Bidirectional(again(cell, cell.output_size)),
        ]
    ),
    "both-stacks": lambda cell: Bidirectional(Stack([cell, again(cell, cell.output_size)]), cell),
}
BACKENDS = {
    "auto": jaxgru.AUTO,
    "in-loop": Sequential(hoist=False),
    "states": Sequential(save="states"),
    "in-loop-states": Sequential(hoist=False, save="states"),
    "unroll": Sequential(unroll=3),
    "blocks": Sequential(block=3),
    "chunked": Chunked(3),
    "associative": Associative(),
}


class Data(NamedTuple):
    """Everything a scan can be given, in float64."""

    params: Any
    xs: jax.Array
    h0: Any
    resets: jax.Array


@dataclass(frozen=True)
class Case:
    """A cell, what is built of it, and the backend that runs it."""

    name: str
    cell: str
    layer: str = "alone"
    backend: str = "auto"

    def __str__(self) -> str:
        return self.name

    @property
    def laws(self) -> CellLaws:
        return CELLS[self.cell]

    @property
    def model(self) -> Any:
        cell = self.laws.cell
        return cell if self.layer == "alone" else LAYERS[self.layer](cell)

    def scan(self, *args: Any, **options: Any) -> Any:
        """`jaxgru.scan` of this model with this backend."""
        return jaxgru.scan(self.model, *args, backend=BACKENDS[self.backend], **options)

    def data(
        self, seed: int = 0, dtype: Any = jnp.float64, batch: tuple[int, ...] = (B,), steps: int = T
    ) -> Data:
        """Parameters, inputs, a state and resets drawn at random: by NumPy, which has nothing to compile."""
        rng = np.random.default_rng(seed)

        def drawn(like: Any) -> jax.Array:
            return jnp.asarray(rng.uniform(-0.7, 0.7, like.shape), dtype)

        def shapes(key: Any) -> Any:
            params = self.model.init(key)
            return params, self.model.initial_state(batch, params)

        params, state = jax.eval_shape(shapes, jax.random.key(0))
        xs = jnp.asarray(rng.standard_normal((steps, *batch, *self.model.spatial_shape, I)), dtype)
        resets = jnp.asarray(rng.random((steps, *batch)) < 0.25)
        return Data(jax.tree.map(drawn, params), xs, jax.tree.map(drawn, state), resets)


def _table() -> Iterator[tuple[Case, bool]]:
    """Every case, and whether it belongs to the short run of the one law that takes pairs."""
    for cell, laws in CELLS.items():
        backends = [name for name in BACKENDS if name != "auto" and (name != "associative" or laws.linear)]
        yield Case(cell, cell), True
        for layer in LAYERS:
            yield Case(f"{cell}/{layer}", cell, layer), True
        for backend in backends:
            yield Case(f"{cell}/{backend}", cell, backend=backend), True
        for layer, backend in itertools.product(LAYERS, backends):
            yield Case(f"{cell}/{layer}/{backend}", cell, layer, backend), False


def every_case(function: Any) -> Any:
    """Parametrizes a law with each cell, and in the full run with each layer and backend too."""
    return _parametrized(function, lambda case, _: case.name in CELLS)


def every_pair(function: Any) -> Any:
    """Parametrizes a law with each cell × backend and cell × layer, and in the full run with all products."""
    return _parametrized(function, lambda _, pair: pair)


def _parametrized(function: Any, short: Callable[[Case, bool], bool]) -> Any:
    params = [
        pytest.param(case, id=case.name, marks=[] if short(case, pair) else [pytest.mark.full])
        for case, pair in _table()
    ]
    return pytest.mark.parametrize("case", params)(function)


def tolerance(dtype: Any = jnp.float64, steps: int = T) -> float:
    """How far two orders of the same sums may drift apart over so many steps, relative to the largest number."""
    return 32 * steps * float(jnp.finfo(dtype).eps)


def along(mark: Any, x: Any) -> Any:
    """Marks of steps (T, *B), with axes for what an array has beyond them."""
    return np.reshape(mark, np.shape(mark) + (1,) * (np.ndim(x) - np.ndim(mark)))


def head(state: Any) -> Any:
    """The part of a cell's state that is its output: h, of one with several."""
    return state[0] if isinstance(state, tuple) else state


def assert_close(got: Any, want: Any, tol: float | None = None) -> None:
    """Equal structure and shapes, and max|Δ| ≤ tol · max(1, max|want|) in each leaf."""
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for (path, g), w in zip(jax.tree_util.tree_leaves_with_path(got), jax.tree.leaves(want), strict=True):
        ours, theirs = np.asarray(g), np.asarray(w)
        assert ours.shape == theirs.shape, jax.tree_util.keystr(path)
        if not ours.size:
            continue
        limit = (tolerance(ours.dtype) if tol is None else tol) * max(1.0, float(np.abs(theirs).max()))
        worst = float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max())
        assert worst <= limit, f"{jax.tree_util.keystr(path)}: {worst:.2e} > {limit:.2e}"


def assert_same(got: Any, want: Any) -> None:
    """Equal bit for bit."""
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for (path, g), w in zip(jax.tree_util.tree_leaves_with_path(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_array_equal(np.asarray(g), np.asarray(w), err_msg=jax.tree_util.keystr(path))


def weighted(out: Any) -> jax.Array:
    """One number that depends on everything a scan returns, each entry with a weight of its own."""
    leaves = [leaf for leaf in jax.tree.leaves(out) if leaf.size]
    return sum(
        jnp.sum(leaf * jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape))
        for leaf in leaves
    )


# For laws that ask what is computed, not how well: half the time to compile.
quick_jit = partial(
    jax.jit, compiler_options={"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
)


@contextlib.contextmanager
def double() -> Iterator[None]:
    """JAX with float64, and as it was afterwards."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def row(data: Data, b: int, length: int) -> Data:
    """One row of a batch, cut to its length."""
    return Data(
        data.params, data.xs[:length, b], jax.tree.map(lambda s: s[b], data.h0), data.resets[:length, b]
    )
