"""The modules of nnx: nnx's own state and numbers where Flax has the cell, and linen's in every case."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import jaxgru
from jaxgru.nn.nnx import GRU, GRUCell, MinGRU
from tests.cases import assert_close, assert_same, weighted
from tests.nn.flax_cases import (
    CARRY,
    FLAX,
    KINDS,
    LENGTHS,
    VALID,
    WIDTH,
    XS,
    B,
    H,
    T,
    carry_of,
    normal,
    redrawn,
)


def make(name: str, **options: Any) -> Any:
    return KINDS[name].nnx(WIDTH, H, rngs=nnx.Rngs(7), **{**KINDS[name].options, **options})


def flax_rnn(name: str, **options: Any) -> Any:
    """Flax's, with parameters of which none is zero."""
    layer = nnx.RNN(KINDS[name].flax_nnx(WIDTH, H, rngs=nnx.Rngs(7)), **options)
    nnx.update(layer, redrawn(nnx.state(layer, nnx.Param)))
    return layer


def take(layer: Any, saved: dict[str, Any]) -> Any:
    """What a user does with a checkpoint."""
    state = nnx.state(layer)
    nnx.replace_by_pure_dict(state, saved)
    nnx.update(layer, state)
    return layer


def gradients(layer: Any, carry: Any, **lengths: Any) -> Any:
    @nnx.jit
    @nnx.value_and_grad(argnums=(0, 1, 2))
    def loss(layer: Any, xs: jax.Array, carry: Any) -> jax.Array:
        last, ys = layer(xs, initial_carry=carry, **lengths)
        return weighted((last, jnp.where(VALID, ys, 0)))

    value, (by_state, *others) = loss(layer, XS, carry)
    return value, nnx.to_pure_dict(by_state), others


@pytest.mark.parametrize("name", FLAX)
class TestWhereFlaxHasTheCell:
    """One layer is `nnx.RNN` around Flax's cell."""

    def test_it_takes_a_checkpoint_and_gives_the_same_with_the_same_gradients(self, name: str) -> None:
        options = {"return_carry": True, "reverse": True, "keep_order": True}
        theirs = flax_rnn(name, **options)
        ours = take(make(name, **options), nnx.to_pure_dict(nnx.state(theirs)))
        assert_same(*(nnx.to_pure_dict(nnx.state(layer, nnx.Param)) for layer in (ours, theirs)))
        wanted = gradients(theirs, carry_of(name), seq_lengths=LENGTHS)
        assert_close(gradients(ours, carry_of(name), lengths=LENGTHS), wanted, 4e-6)

    def test_it_starts_with_the_same_parameters_and_so_does_what_follows(self, name: str) -> None:
        drawn = []
        for kind in (KINDS[name].nnx, KINDS[name].flax_nnx):
            rngs = nnx.Rngs(7)
            first = kind(WIDTH, H, rngs=rngs)
            held = getattr(first, "cell", first)
            drawn.append(
                (nnx.to_pure_dict(nnx.state(held, nnx.Param)), nnx.Linear(2, 2, rngs=rngs).kernel[...])
            )
        assert_same(*drawn)

    def test_the_cell_is_flax_s(self, name: str) -> None:
        theirs = flax_rnn(name, return_carry=True)
        cell = KINDS[name].cell_nnx(WIDTH, H, rngs=nnx.Rngs(1))
        nnx.update(cell, nnx.state(theirs.cell))
        assert isinstance(cell, nnx.RNNCellBase)
        assert_close(cell(carry_of(name), XS[:, 0]), theirs.cell(carry_of(name), XS[:, 0]))
        assert_close(nnx.RNN(cell, return_carry=True)(XS), theirs(XS))


def from_linen(name: str, cell: dict[str, Any]) -> dict[str, Any]:
    """linen's parameters of one cell, as nnx has them."""
    if name == "LSTM":
        return {"if_" if gate == "if" else gate: dense for gate, dense in cell.items()}
    if name == "OptimizedLSTM":
        w_x, w_h, b_h = (
            jnp.concatenate([cell[side + gate][what] for gate in "ifgo"], -1)
            for side, what in (("i", "kernel"), ("h", "kernel"), ("h", "bias"))
        )
        return {"dense_i": {"kernel": w_x}, "dense_h": {"kernel": w_h, "bias": b_h}}
    if name == "GRU":
        w_x, w_h, b_x = (
            jnp.concatenate([cell[side + gate][what] for gate in "rzn"], -1)
            for side, what in (("i", "kernel"), ("h", "kernel"), ("i", "bias"))
        )
        return {"dense_i": {"kernel": w_x, "bias": b_x}, "dense_h": {"kernel": w_h}}
    return {"dense_i": cell["i"], "dense_h": cell["h"]} if name in {"RNN", "ReLU"} else cell


@pytest.mark.parametrize("name", [name for name in KINDS if name != "ConvGRU"])
def test_linen_and_nnx_give_the_same_numbers_from_the_same_parameters(name: str) -> None:
    kind = KINDS[name]
    options = {
        "num_layers": 2,
        "bidirectional": True,
        "return_carry": True,
        "time_major": True,
        **kind.options,
    }
    linen, xs = kind.linen(H, **options), normal(T, B, *kind.grid, WIDTH)
    params = redrawn(jax.eval_shape(linen.init, jax.random.key(0), xs))["params"]
    if name == "GRU":  # nnx has no bias beside the state
        for cell in params.values():
            cell["hn"]["bias"] *= 0
    layer = take(make(name, **options), {cell: from_linen(name, tree) for cell, tree in params.items()})
    resets = jnp.zeros((T, B), bool).at[2].set(True)
    call = {"lengths": LENGTHS, "resets": resets, "reverse": True}
    wanted = linen.apply({"params": params}, xs, **call)
    assert_same(layer(xs, **call), wanted)
    model, core = layer.to_core(kind.grid)
    assert_same(core, linen.to_core({"params": params}, kind.grid)[1])
    _, ys = jaxgru.scan(model, core, xs, lengths=LENGTHS, resets=resets, reverse=True)
    assert_same(layer(xs, keep_order=True, **call)[1], ys)


class TestDropout:
    """`train()` and `eval()` say when, and the stream 'dropout' says which."""

    def test_train_and_eval(self) -> None:
        layer = make("GRU", num_layers=2, dropout=0.5)
        plain = layer(XS)
        assert_same(layer(XS), plain)
        layer.train()
        assert (layer(XS) != plain).any()
        assert (layer(XS) != layer(XS)).any()
        assert_same(layer(XS, deterministic=True), plain)
        layer.eval()
        assert_same(layer(XS), plain)
        assert (nnx.view(layer, deterministic=False)(XS) != plain).any()

    def test_the_stream_decides(self) -> None:
        def noisy(**seeds: int) -> jax.Array:
            return GRU(WIDTH, H, num_layers=2, dropout=0.5, deterministic=False, rngs=nnx.Rngs(**seeds))(XS)

        assert_same(noisy(params=0, dropout=1), noisy(params=0, dropout=1))
        assert (noisy(params=0, dropout=1) != noisy(params=0, dropout=2)).any()
        assert_same(noisy(params=0, default=1), noisy(params=0, dropout=1))

    def test_one_layer_has_none(self) -> None:
        layer = make("GRU", dropout=0.5, deterministic=False)
        assert_same(layer(XS), make("GRU")(XS))

    def test_it_advances_under_jit(self) -> None:
        layer = make("GRU", num_layers=2, dropout=0.5, deterministic=False)
        call = nnx.jit(lambda layer: layer(XS))
        assert (call(layer) != call(layer)).any()
        assert int(layer.rngs.count[...]) == 2


class TestTransformations:
    """Those of nnx."""

    def test_jit_split_and_merge(self) -> None:
        layer = make("LSTM", num_layers=2)
        compiled = nnx.jit(lambda layer, xs: layer(xs))
        assert_close(compiled(layer, XS), layer(XS))
        graph, params, rest = nnx.split(layer, nnx.Param, ...)
        assert_close(jax.jit(lambda p: nnx.merge(graph, p, rest)(XS))(params), layer(XS))
        assert nnx.split(make("LSTM", num_layers=2))[0] == graph

    def test_nothing_compiles_twice(self) -> None:
        traces = []

        @nnx.jit
        def call(layer: Any) -> jax.Array:
            traces.append(layer)
            return layer(XS)

        call(make("MinGRU"))
        call(make("MinGRU"))
        assert len(traces) == 1

    def test_shapes_without_numbers(self) -> None:
        layer = nnx.eval_shape(lambda: make("GRU", num_layers=2))
        leaves = jax.tree.leaves(nnx.to_pure_dict(nnx.state(layer, nnx.Param)))
        assert {type(leaf) for leaf in leaves} == {jax.ShapeDtypeStruct}
        assert nnx.eval_shape(lambda layer: layer(XS), layer).shape == (B, T, H)

    @pytest.mark.parametrize("kind", [GRU, MinGRU])
    def test_scan_over_layers(self, kind: Any) -> None:
        @nnx.split_rngs(splits=3)
        @nnx.vmap
        def stack(rngs: nnx.Rngs) -> Any:
            return kind(H, H, rngs=rngs)

        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def through(xs: jax.Array, layer: Any) -> jax.Array:
            return layer(xs)

        layers, xs = stack(nnx.Rngs(0)), normal(B, T, H)
        wanted = xs
        graph, state = nnx.split(layers)
        for i in range(3):
            wanted = nnx.merge(graph, jax.tree.map(lambda leaf, i=i: leaf[i], state))(wanted)
        assert_close(through(xs, layers), wanted)

    def test_scan_over_steps(self) -> None:
        layer = make("GRU")

        @nnx.scan(in_axes=(None, nnx.Carry, 1), out_axes=(nnx.Carry, 1))
        def through(cell: GRUCell, carry: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            return cell(carry, x)

        carry, ys = through(layer.cell, CARRY, XS)
        assert_close((carry, ys), layer(XS, CARRY, return_carry=True))

    def test_half_precision(self) -> None:
        layer = make("LSTM", dtype=jnp.bfloat16, return_carry=True)
        (c, h), ys = layer(XS)
        assert (c.dtype, h.dtype, ys.dtype) == (jnp.float32, jnp.float32, jnp.bfloat16)
        assert_close(ys, make("LSTM")(XS), 2e-2)

    def test_a_training_step(self) -> None:
        import optax  # noqa: PLC0415 here alone

        layer = make("GRU", num_layers=2, dropout=0.1, deterministic=False)
        optimizer = nnx.Optimizer(layer, optax.adam(1e-2), wrt=nnx.Param)

        @nnx.jit
        def train(layer: Any, optimizer: Any) -> jax.Array:
            loss, grads = nnx.value_and_grad(lambda layer: (layer(XS) ** 2).mean())(layer)
            optimizer.update(layer, grads)
            return loss

        losses = [float(train(layer, optimizer)) for _ in range(10)]
        assert losses[-1] < losses[0]
