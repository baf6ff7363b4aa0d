"""The LSTM gives other frameworks' numbers from the same weights, gradients included."""

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from tests.cases import assert_close

pytestmark = pytest.mark.usefixtures("x64")
T, B, I, H, P = 6, 3, 4, 5, 2  # noqa: E741


def problem(**options):
    cell = jaxgru.LSTM(I, H, param_dtype="float64", forget_bias=None, **options)
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda s: jnp.asarray(rng.standard_normal(s.shape)), cell.initial_state((B,)))
    return cell, cell.init(jax.random.key(0)), jnp.asarray(rng.standard_normal((T, B, I))), state


@pytest.mark.parametrize("projection", [None, P])
@pytest.mark.parametrize("bias", [True, False])
def test_pytorch(projection, bias):
    """Outputs, both parts of the state, and the gradient in every weight, input and state; proj_size as well."""
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install -e ".[interop]"')
    cell, params, xs, state = problem(projection=projection, bias=bias)
    layer = torch.nn.LSTM(I, H, bias=bias, proj_size=projection or 0, dtype=torch.float64)
    names = {"weight_ih_l0": params.w_x, "weight_hh_l0": params.w_h, "weight_hr_l0": params.w_p}
    names |= {"bias_ih_l0": params.b_x, "bias_hh_l0": params.b_h}
    theirs = dict(layer.named_parameters())
    assert sorted(theirs) == sorted(name for name, value in names.items() if value is not None)
    with torch.no_grad():
        for name, parameter in theirs.items():
            parameter.copy_(torch.tensor(np.asarray(names[name]).T))
    x, h, c = (torch.tensor(np.asarray(v)).requires_grad_() for v in (xs, state.h[None], state.c[None]))
    ys, (h_n, c_n) = layer(x, (h, c))
    (ys.pow(2).sum() + h_n.sum() + c_n.pow(3).sum()).backward()

    def scalar(params, xs, state):
        final, ys = jaxgru.scan(cell, params, xs, state)
        return jnp.sum(ys**2) + final.h.sum() + jnp.sum(final.c**3), (final, ys)

    gradients, (final, got) = jax.grad(scalar, (0, 1, 2), has_aux=True)(params, xs, state)
    assert_close(got, ys.detach().numpy(), 1e-14)
    assert_close(final, jaxgru.LSTMState(h_n[0].detach().numpy(), c_n[0].detach().numpy()), 1e-14)
    want = {name: parameter.grad.numpy().T for name, parameter in theirs.items()}
    ours = dict(
        zip(
            ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0"],
            gradients[0],
            strict=True,
        )
    )
    assert_close({name: ours[name] for name in want}, want, 1e-12)
    assert_close(
        gradients[1:], (x.grad.numpy(), jaxgru.LSTMState(h.grad[0].numpy(), c.grad[0].numpy())), 1e-12
    )


@pytest.mark.parametrize("name", ["LSTMCell", "OptimizedLSTMCell"])
def test_flax(name):
    """Flax has one bias for each gate, beside the recurrent product."""
    cell, params, xs, state = problem()
    theirs = getattr(flax.linen, name)(H, param_dtype=jnp.float64)
    blocks = {gate: slice(i * H, (i + 1) * H) for i, gate in enumerate("ifgo")}
    tree = {f"i{gate}": {"kernel": params.w_x[:, part]} for gate, part in blocks.items()}
    for gate, part in blocks.items():
        tree[f"h{gate}"] = {"kernel": params.w_h[:, part], "bias": (params.b_x + params.b_h)[part]}
    carry = state.c, state.h
    for x in xs:
        carry, _ = theirs.apply({"params": tree}, carry, x)
    final, _ = jaxgru.scan(cell, params, xs, state)
    assert_close(final, jaxgru.LSTMState(carry[1], carry[0]), 1e-14)


def test_equinox():
    """Equinox has one bias, and the same order of gates."""
    eqx = pytest.importorskip("equinox", reason='needs Equinox: pip install -e ".[bench]"')
    cell, params, xs, state = problem()
    theirs = eqx.nn.LSTMCell(I, H, key=jax.random.key(0), dtype=jnp.float64)
    where = lambda m: (m.weight_ih, m.weight_hh, m.bias)  # noqa: E731
    theirs = eqx.tree_at(where, theirs, (params.w_x.T, params.w_h.T, params.b_x + params.b_h))
    carry = state.h, state.c
    for x in xs:
        carry = jax.vmap(theirs)(x, carry)
    final, _ = jaxgru.scan(cell, params, xs, state)
    assert_close(final, jaxgru.LSTMState(*carry), 1e-14)
