"""Each kind of layer in linen: Flax's own where Flax has the cell, and the core's with every option."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import jaxgru
from jaxgru.nn.linen import ConvGRU, MinGRU
from tests.cases import assert_close, assert_same, weighted
from tests.nn.flax_cases import FLAX, KINDS, LENGTHS, VALID, WIDTH, XS, B, H, T, carry_of, draw, normal


def gradients(module: nn.Module, variables: Any, carry: Any, **lengths: Any) -> Any:
    def loss(*args: Any) -> jax.Array:
        last, ys = module.apply(args[0], args[1], initial_carry=args[2], **lengths)
        return weighted((last, jnp.where(VALID, ys, 0)))

    return jax.jit(jax.value_and_grad(loss, (0, 1, 2)))(variables, XS, carry)


@pytest.mark.parametrize("name", FLAX[1:])
class TestWhereFlaxHasTheCell:
    """The GRU is tested in full beside; here what the others may have wrong: parameters, carries, equations."""

    def test_it_gives_the_same_with_the_same_gradients(self, name: str) -> None:
        kind, options = KINDS[name], {"return_carry": True, "reverse": True, "keep_order": True}
        ours, theirs = kind.linen(H, **options), nn.RNN(kind.flax_linen(H), **options)
        variables, carry = draw(theirs, XS), carry_of(name)
        wanted = gradients(theirs, variables, carry, seq_lengths=LENGTHS)
        assert_close(gradients(ours, variables, carry, lengths=LENGTHS), wanted, 4e-6)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "OptimizedLSTM"])
class TestEveryKind:
    """What a layer computes is what the core computes from what `to_core` gives."""

    def test_every_option_at_once(self, name: str) -> None:
        kind = KINDS[name]
        options = {"num_layers": 2, "bidirectional": True, "dropout": 0.5, **kind.options}
        layer = kind.linen(H, return_carry=True, keep_order=True, backend=jaxgru.Sequential(), **options)
        xs = normal(B, T, *kind.grid, WIDTH)
        variables = draw(layer, xs)
        resets = jnp.zeros((B, T), bool).at[:, 2].set(True)
        model, params = layer.to_core(variables, kind.grid)
        state = jax.tree.map(lambda s: normal(*s.shape), model.initial_state((B,)))
        named = {"lengths": LENGTHS, "reverse": True}
        final, ys = jaxgru.scan(
            model, params, xs.swapaxes(0, 1), state, resets=resets.T, backend=jaxgru.Sequential(), **named
        )
        carry = [[(s.c, s.h) if "LSTM" in name else s for s in both] for both in state]
        carry = tuple(map(tuple, carry))
        last, outputs = layer.apply(variables, xs, carry, resets=resets, **named)
        assert_same(outputs, ys.swapaxes(0, 1))
        assert outputs.shape == (B, T, *kind.grid, 2 * H)
        if "LSTM" in name:
            assert_same(last[1].backward, (final[1].backward.c, final[1].backward.h))
        else:
            assert_same(last, final)

    def test_axes_and_orders(self, name: str) -> None:
        kind = KINDS[name]
        layer, xs = kind.linen(H, **kind.options), normal(1, B, T, *kind.grid, WIDTH)
        variables = draw(layer, xs)
        lengths = LENGTHS[None]
        ys = layer.apply(variables, xs, lengths=lengths, reverse=True)
        assert ys.shape == (1, B, T, *kind.grid, H)
        flipped = xs.at[0, 0].set(xs[0, 0, ::-1]).at[0, 1, :3].set(xs[0, 1, 2::-1])
        assert_close(ys, layer.apply(variables, flipped, lengths=lengths))
        first = jnp.moveaxis(xs, 2, 0)
        again = layer.apply(variables, first, lengths=lengths, reverse=True, time_major=True)
        assert_close(jnp.moveaxis(again, 0, 2), ys)


@pytest.mark.parametrize("name", ["LSTM", "ConvGRU1"])
def test_dropout(name: str) -> None:
    kind = KINDS[name]
    layer, xs = kind.linen(H, num_layers=2, dropout=0.5, **kind.options), normal(B, T, *kind.grid, WIDTH)
    variables = draw(layer, xs)
    model, params = layer.to_core(variables, kind.grid)
    rngs = {"dropout": jax.random.key(1)}
    noisy = layer.apply(variables, xs, deterministic=False, rngs=rngs)
    assert_same(noisy, layer.apply(variables, xs, deterministic=False, rngs=rngs))
    assert_same(layer.apply(variables, xs), jaxgru.scan(model, params, xs.swapaxes(0, 1))[1].swapaxes(0, 1))
    assert (noisy != layer.apply(variables, xs)).any()


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("SRU", {"w_x": (WIDTH, 4 * H), "b_x": (2 * H,)}),
        ("SRU2018", {"w_x": (WIDTH, 4 * H), "b_x": (2 * H,), "v": (2 * H,)}),
        ("MinGRU", {"w_x": (WIDTH, 2 * H), "b_x": (2 * H,)}),
        (
            "ConvGRU1",
            {"w_x": (2, WIDTH, 3 * H), "w_h": (2, H, 3 * H), "b_x": (3 * H,), "b_h": (3 * H,)},
        ),
    ],
)
def test_where_flax_has_not_the_cell_the_names_are_the_core_s(name: str, shapes: dict[str, Any]) -> None:
    kind = KINDS[name]
    layer, xs = kind.linen(H, **kind.options, param_dtype=jnp.float16), normal(B, T, *kind.grid, WIDTH)
    drawn = jax.eval_shape(layer.init, jax.random.key(0), xs)["params"]["cell"]
    assert jax.tree.map(jnp.shape, drawn) == shapes
    assert {leaf.dtype for leaf in jax.tree.leaves(drawn)} == {jnp.dtype("float16")}


def test_it_starts_with_the_same_parameters() -> None:
    layers = KINDS["LSTM"].linen(H), nn.RNN(nn.OptimizedLSTMCell(H))
    ours, theirs = (jax.jit(layer.init)(jax.random.key(7), XS) for layer in layers)
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", FLAX)
def test_its_initializers_are_used(name: str) -> None:
    ones, twos, threes = (nn.initializers.constant(value) for value in (1.0, 2.0, 3.0))
    layer = KINDS[name].linen(H, kernel_init=ones, recurrent_kernel_init=twos, bias_init=threes)
    for gate, dense in layer.init(jax.random.key(0), XS)["params"]["cell"].items():
        assert (dense["kernel"] == (1 if gate[0] == "i" else 2)).all()
        assert (dense.get("bias", jnp.array(3)) == 3).all()


def test_initializers_are_used_where_flax_has_not_the_cell() -> None:
    ones, twos, threes = (nn.initializers.constant(value) for value in (1.0, 2.0, 3.0))
    layer = ConvGRU(H, kernel_init=ones, recurrent_kernel_init=twos, bias_init=threes)
    cell = layer.init(jax.random.key(0), normal(B, T, 3, 2, WIDTH))["params"]["cell"]
    assert {name: float(leaf.mean()) for name, leaf in cell.items()} == {
        "w_x": 1,
        "w_h": 2,
        "b_x": 3,
        "b_h": 3,
    }
    kernel = MinGRU(H, bias_init=nn.initializers.normal()).init(jax.random.key(0), XS)["params"]["cell"][
        "w_x"
    ]
    assert len(set(kernel.ravel().tolist())) == kernel.size


def test_the_parallel_form_takes_the_same_parameters() -> None:
    variables = draw(MinGRU(H), XS)
    parallel = MinGRU(H, backend=jaxgru.Associative()).apply(variables, XS)
    assert_close(parallel, MinGRU(H).apply(variables, XS))


def test_annotated_parameters_of_the_core_s_names() -> None:
    layer = MinGRU(H, kernel_init=nn.with_partitioning(nn.initializers.lecun_normal(), ("in", "out")))
    variables = layer.init(jax.random.key(0), XS)
    assert variables["params"]["cell"]["w_x"].names == ("in", "out")
    model, params = layer.to_core(variables)
    _, outputs = jaxgru.scan(model, params, XS.swapaxes(0, 1))
    assert_same(outputs.swapaxes(0, 1), layer.apply(variables, XS))


def test_a_core_s_lstm_state_goes_in_as_what_it_is() -> None:
    layer = KINDS["LSTM"].linen(H)
    variables, (c, h) = draw(layer, XS), carry_of("LSTM")
    named = layer.apply(variables, XS, jaxgru.LSTMState(h=h, c=c))
    assert_same(named, layer.apply(variables, XS, (c, h)))
    assert (named != layer.apply(variables, XS, (h, c))).any()
