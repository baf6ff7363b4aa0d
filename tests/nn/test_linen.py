"""`GRU` gives what Flax's own layers give, from the same parameters."""

from functools import cache
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import jaxgru
from jaxgru.nn.linen import GRU
from tests.cases import assert_close, assert_same
from tests.nn.flax_cases import (
    CARRY,
    LENGTHS,
    VALID,
    VARIABLES,
    WIDTH,
    XS,
    B,
    H,
    T,
    draw,
    flax_rnn,
    normal,
)

CLOSE = 2e-6


@cache
def gradients(module: nn.Module, ragged: bool = False) -> Any:
    """Of a scalar in which every valid output and the carry count, by variables, inputs and carry."""
    lengths = {"lengths" if isinstance(module, GRU) else "seq_lengths": LENGTHS} if ragged else {}

    def loss(variables: Any, xs: jax.Array, carry: jax.Array) -> jax.Array:
        carry, ys = module.apply(variables, xs, initial_carry=carry, **lengths)
        weights = jnp.cos(jnp.arange(ys.size)).reshape(ys.shape)
        return jnp.where(VALID, weights * ys, 0).sum() + (carry**2).sum()

    return jax.jit(jax.grad(loss, (0, 1, 2)))(VARIABLES, XS, CARRY)


class TestOneLayer:
    """It is `nn.RNN(nn.GRUCell(H))`."""

    def test_it_starts_with_the_same_parameters(self) -> None:
        ours, theirs = (m.init(jax.random.key(7), XS) for m in (GRU(H), flax_rnn()))
        assert_same(ours, theirs)

    def test_it_gives_the_same_outputs(self) -> None:
        assert_close(GRU(H).apply(VARIABLES, XS), flax_rnn().apply(VARIABLES, XS), CLOSE)

    @pytest.mark.parametrize(("ragged", "reverse"), [(False, False), (True, True)])
    def test_it_gives_the_same_gradients(self, ragged: bool, reverse: bool) -> None:
        options = {"return_carry": True, "reverse": reverse}
        assert_close(gradients(GRU(H, **options), ragged), gradients(flax_rnn(**options), ragged), CLOSE)

    @pytest.mark.parametrize("ragged", [False, True])
    @pytest.mark.parametrize("keep_order", [False, True])
    @pytest.mark.parametrize("reverse", [False, True])
    def test_directions_and_orders(self, reverse: bool, keep_order: bool, ragged: bool) -> None:
        lengths = LENGTHS if ragged else None
        options = {"reverse": reverse, "keep_order": keep_order, "return_carry": True}
        carry, ys = GRU(H, **options).apply(VARIABLES, XS, lengths=lengths)
        wanted, outputs = flax_rnn(**options).apply(VARIABLES, XS, seq_lengths=lengths)
        valid = VALID if ragged else True
        assert_close(carry, wanted)
        assert_close(ys, jnp.where(valid, outputs, 0))

    def test_the_initial_carry(self) -> None:
        ours = GRU(H, return_carry=True).apply(VARIABLES, XS, initial_carry=CARRY)
        assert_close(ours, flax_rnn(return_carry=True).apply(VARIABLES, XS, initial_carry=CARRY))
        assert_same(ours, GRU(H).apply(VARIABLES, XS, CARRY, return_carry=True))

    @pytest.mark.parametrize(
        ("batch", "time_major"), [((), False), ((2, 1, 3), False), ((2, 3), True)], ids=str
    )
    def test_any_number_of_batch_axes(self, batch: tuple[int, ...], time_major: bool) -> None:
        shape = (T, *batch, WIDTH) if time_major else (*batch, T, WIDTH)
        xs = normal(*shape)
        options = {"time_major": time_major, "return_carry": True}
        ours = GRU(H, **options).apply(VARIABLES, xs)
        assert_close(ours, flax_rnn(**options).apply(VARIABLES, xs))

    def test_a_call_overrides_the_fields(self) -> None:
        options = {"time_major": True, "reverse": True, "keep_order": True, "return_carry": True}
        xs = XS.swapaxes(0, 1)
        asked = GRU(H).apply(VARIABLES, xs, **options)
        assert_close(asked, GRU(H, **options).apply(VARIABLES, xs))
        back = GRU(H, **options).apply(VARIABLES, XS, **dict.fromkeys(options, False))
        assert_close(back, GRU(H).apply(VARIABLES, XS))

    @pytest.mark.parametrize("reverse", [False, True])
    def test_padding_is_invisible(self, reverse: bool) -> None:
        options = {"lengths": LENGTHS, "reverse": reverse, "return_carry": True}
        poisoned = jnp.where(VALID, XS, jnp.nan)
        assert_same(GRU(H).apply(VARIABLES, poisoned, **options), GRU(H).apply(VARIABLES, XS, **options))

    def test_a_row_of_no_length_keeps_its_carry(self) -> None:
        carry = jnp.ones((B, H))
        lengths = jnp.array([0, 2])
        after, ys = GRU(H, return_carry=True).apply(VARIABLES, XS, initial_carry=carry, lengths=lengths)
        assert (after[0] == 1).all()
        assert not ys[0].any()

    @pytest.mark.parametrize("reverse", [False, True])
    def test_a_sequence_of_no_steps(self, reverse: bool) -> None:
        layer = GRU(H, reverse=reverse, return_carry=True)
        carry, ys = layer.apply(VARIABLES, XS[:, :0], lengths=jnp.zeros(B, int))
        assert ys.shape == (B, 0, H)
        assert not carry.any()

    @pytest.mark.parametrize("time_major", [False, True])
    def test_resets_cut_segments(self, time_major: bool) -> None:
        """Batch-major inputs have batch-major resets."""
        resets = jnp.zeros((B, T), bool).at[1, 2].set(True)
        turn = (lambda x: x.swapaxes(0, 1)) if time_major else (lambda x: x)
        carry = jnp.ones((B, H))
        ys = turn(GRU(H, time_major=time_major).apply(VARIABLES, turn(XS), carry, resets=turn(resets)))
        assert_close(ys[1, 2:], GRU(H).apply(VARIABLES, XS[1, 2:]))
        assert_close(ys[0], GRU(H).apply(VARIABLES, XS[0], carry[0]))


class TestSeveralLayers:
    """They are Flax's, one after the other."""

    def test_the_tree(self) -> None:
        layer = GRU(H, num_layers=2, bidirectional=True)
        shapes = jax.tree.map(jnp.shape, draw(layer, XS))["params"]
        assert sorted(shapes) == ["cell", "cell_1", "cell_1_reverse", "cell_reverse"]
        assert shapes["cell"] == jax.tree.map(jnp.shape, VARIABLES["params"]["cell"])
        assert shapes["cell_1_reverse"]["ir"] == {"kernel": (2 * H, H), "bias": (H,)}

    def test_directions_draw_their_own_parameters(self) -> None:
        params = GRU(H, bidirectional=True).init(jax.random.key(0), XS)["params"]
        assert (params["cell"]["ir"]["kernel"] != params["cell_reverse"]["ir"]["kernel"]).any()

    def test_a_stack(self) -> None:
        layer = GRU(H, num_layers=3, reverse=True, keep_order=True, return_carry=True)
        variables = draw(layer, XS)
        carry, ys = layer.apply(variables, XS, lengths=LENGTHS)
        theirs = flax_rnn(reverse=True, keep_order=True, return_carry=True)
        xs = XS
        for name, last in zip(("cell", "cell_1", "cell_2"), carry, strict=True):
            params = {"params": {"cell": variables["params"][name]}}
            wanted, xs = theirs.apply(params, xs, seq_lengths=LENGTHS)
            assert_close(last, wanted)
        assert_close(ys, jnp.where(VALID, xs, 0))

    @pytest.mark.parametrize("ragged", [False, True])
    def test_two_directions(self, ragged: bool) -> None:
        lengths = LENGTHS if ragged else None
        layer = GRU(H, bidirectional=True, return_carry=True)
        theirs = nn.Bidirectional(flax_rnn(), flax_rnn(), return_carry=True)
        variables = draw(layer, XS)
        forward, backward = (variables["params"][name] for name in ("cell", "cell_reverse"))
        params = {"params": {"forward_rnn": {"cell": forward}, "backward_rnn": {"cell": backward}}}
        carry = CARRY, -CARRY
        (first, second), ys = layer.apply(variables, XS, initial_carry=carry, lengths=lengths)
        wanted, outputs = theirs.apply(params, XS, initial_carry=carry, seq_lengths=lengths)
        assert_close((first, second), wanted)
        assert_close(ys, jnp.where(VALID if ragged else True, outputs, 0))

    def test_reverse_flips_both_directions(self) -> None:
        layer = GRU(H, bidirectional=True, return_carry=True)
        variables = draw(layer, XS)
        flipped = layer.apply(variables, XS, reverse=True)
        assert_close(flipped, layer.apply(variables, XS[:, ::-1]))

    def test_the_carry_goes_in_as_it_comes_out(self) -> None:
        layer = GRU(H, num_layers=2, return_carry=True)
        variables = draw(layer, XS)
        carry, first = layer.apply(variables, XS[:, :2])
        carry, second = layer.apply(variables, XS[:, 2:], carry)
        assert_close((carry, jnp.concatenate([first, second], 1)), layer.apply(variables, XS))

    def test_a_pair_may_be_a_plain_tuple(self) -> None:
        layer = GRU(H, num_layers=2, bidirectional=True, return_carry=True)
        variables = draw(layer, XS)
        pairs = ((CARRY, -CARRY), (2 * CARRY, CARRY))
        carry, ys = layer.apply(variables, XS, pairs)
        assert jax.tree.structure(carry) != jax.tree.structure(pairs)
        named = jax.tree.unflatten(jax.tree.structure(carry), jax.tree.leaves(pairs))
        assert_same(layer.apply(variables, XS, named), (carry, ys))


class TestDropout:
    LAYER = GRU(H, num_layers=2, dropout=0.5)

    def test_no_rng_is_needed_without_it(self) -> None:
        variables = draw(self.LAYER, XS)
        assert_same(self.LAYER.apply(variables, XS), GRU(H, num_layers=2).apply(variables, XS))
        GRU(H, num_layers=2, deterministic=False).apply(variables, XS)

    def test_the_rng_decides(self) -> None:
        variables = draw(self.LAYER, XS)
        first, second, third = (
            self.LAYER.apply(variables, XS, deterministic=False, rngs={"dropout": jax.random.key(seed)})
            for seed in (1, 1, 2)
        )
        assert (first == second).all()
        assert (first != third).any()
        assert (first != self.LAYER.apply(variables, XS)).any()

    def test_a_missing_rng_is_named(self) -> None:
        variables = draw(self.LAYER, XS)
        with pytest.raises(flax.errors.InvalidRngError, match="dropout"):
            self.LAYER.clone(deterministic=False).apply(variables, XS)


class TestDtypes:
    def test_half_precision(self) -> None:
        """Outputs in dtype, the carry in float32, and it goes in again."""
        layer = GRU(H, num_layers=2, dtype=jnp.bfloat16, return_carry=True)
        variables = draw(layer, XS)
        carry, ys = layer.apply(variables, XS)
        assert ys.dtype == jnp.bfloat16
        assert {leaf.dtype for leaf in carry} == {jnp.dtype("float32")}
        layer.apply(variables, XS, carry)
        assert_close(ys, GRU(H, num_layers=2).apply(variables, XS), 2e-2)

    def test_parameters_have_param_dtype(self) -> None:
        variables = draw(GRU(H, param_dtype="bfloat16", recurrent_kernel_init=nn.initializers.ones), XS)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("bfloat16")}


class TestToCore:
    @pytest.mark.parametrize("bidirectional", [False, True])
    @pytest.mark.parametrize("num_layers", [1, 2])
    def test_scan_gives_the_same(self, num_layers: int, bidirectional: bool) -> None:
        layer = GRU(H, num_layers=num_layers, bidirectional=bidirectional, dropout=0.1, return_carry=True)
        variables = draw(layer, XS)
        carry, ys = layer.apply(variables, XS, lengths=LENGTHS)
        model, params = layer.to_core(flax.core.freeze(variables))
        final, outputs = jaxgru.scan(model, params, XS.swapaxes(0, 1), lengths=LENGTHS)
        assert isinstance(model, jaxgru.Stack)
        assert (model.input_size, model.dropout) == (WIDTH, 0.1)
        assert_same(final if num_layers > 1 else final[0], carry)
        assert_same(outputs.swapaxes(0, 1), ys)

    def test_annotated_parameters(self) -> None:
        layer = GRU(H, kernel_init=nn.with_partitioning(nn.initializers.lecun_normal(), ("in", "out")))
        variables = draw(layer, XS)
        model, params = layer.to_core(variables)
        _, outputs = jaxgru.scan(model, params, XS.swapaxes(0, 1))
        assert_same(outputs.swapaxes(0, 1), layer.apply(variables, XS))

    def test_inside_a_transformation(self) -> None:
        def total(variables: Any) -> jax.Array:
            model, params = GRU(H).to_core(variables)
            return jaxgru.scan(model, params, XS.swapaxes(0, 1))[1].sum()

        wanted = jax.jit(jax.grad(lambda variables: GRU(H).apply(variables, XS).sum()))(VARIABLES)
        assert_close(jax.jit(jax.grad(total))(VARIABLES), wanted)


class TestTransformations:
    def test_jit_and_vmap(self) -> None:
        apply = jax.jit(GRU(H).apply)
        assert_close(apply(VARIABLES, XS, lengths=LENGTHS), GRU(H).apply(VARIABLES, XS, lengths=LENGTHS))
        rows = jax.vmap(lambda xs, length: GRU(H).apply(VARIABLES, xs, lengths=length))(XS, LENGTHS)
        assert_close(rows, GRU(H).apply(VARIABLES, XS, lengths=LENGTHS))

    def test_lifted_vmap_gives_each_row_its_parameters(self) -> None:
        ensemble = nn.vmap(GRU, variable_axes={"params": 0}, split_rngs={"params": True})
        variables = draw(ensemble(H), XS)
        ys = ensemble(H).apply(variables, XS)
        for row in range(B):
            alone = jax.tree.map(lambda leaf, row=row: leaf[row], variables)
            assert_close(ys[row], GRU(H).apply(alone, XS[row]))

    def test_lifted_remat(self) -> None:
        assert_close(gradients(nn.remat(GRU)(H, return_carry=True)), gradients(GRU(H, return_carry=True)))

    def test_in_a_larger_model(self) -> None:
        model = nn.Sequential([nn.Dense(WIDTH), GRU(H), GRU(H, num_layers=2), nn.Dense(1)])
        variables = draw(model, XS)
        assert sorted(variables["params"]["layers_2"]) == ["cell", "cell_1"]
        assert jax.eval_shape(model.apply, variables, XS).shape == (B, T, 1)

    def test_a_strategy(self) -> None:
        chunked = GRU(H, backend=jaxgru.Chunked(2), return_carry=True)
        assert_close(gradients(chunked), gradients(GRU(H, return_carry=True)))

    def test_traced_lengths_are_clipped_in_both_orders(self) -> None:
        layer = GRU(H, reverse=True)
        far = jax.jit(lambda lengths: layer.apply(VARIABLES, XS, lengths=lengths))(jnp.array([9, -1]))
        assert_close(far, layer.apply(VARIABLES, XS, lengths=jnp.array([T, 0])))
