"""The outside check: PyTorch's `nn.GRU` computes the same with the same weights, and gets them back."""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgru
from jaxgru import GRU, Bidirectional, Stack
from jaxgru.interop.torch import dump, load

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install -e ".[interop]"')

T, B, INPUTS, H = 16, 4, 3, 5
LENGTHS = np.array([9, 16, 1, 12])
FORMS = [
    pytest.param({"num_layers": n, "bidirectional": both, "bias": bias}, id=f"{n}-{both=}-{bias=}")
    for n, both, bias in itertools.product((1, 2, 3), (False, True), (True, False))
]
DTYPES = ["float16", "bfloat16", "float32", "float64"]
TOLERANCES = {"float64": (1e-14, 1e-12), "float32": (1e-6, 2e-6)}  # outputs, gradients


@pytest.fixture(autouse=True)
def one_thread():
    """PyTorch on one thread beside other processes, and its generator as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(before)


class Data(NamedTuple):
    """What a run is given; states and their cotangents are (layers · directions, B, H), as in PyTorch."""

    xs: np.ndarray
    h0: np.ndarray
    ct_ys: np.ndarray
    ct_final: np.ndarray


def gru(dtype: str = "float32", **form: Any) -> Any:
    return torch.nn.GRU(INPUTS, H, dtype=getattr(torch, dtype), **form)


def data(module: Any, dtype: str) -> Data:
    rng = np.random.default_rng(0)
    directions = 1 + module.bidirectional
    state = (module.num_layers * directions, B, H)
    shapes = Data((T, B, INPUTS), state, (T, B, H * directions), state)
    return Data(*(rng.uniform(-1, 1, shape).astype(dtype) for shape in shapes))


def theirs(module: Any, given: Data) -> tuple[dict[str, Any], dict[str, Any]]:
    """Outputs and gradients, as PyTorch computes them on a packed sequence."""
    xs, h0 = (torch.tensor(a, requires_grad=True) for a in (given.xs, given.h0))
    packed = torch.nn.utils.rnn.pack_padded_sequence(xs, torch.tensor(LENGTHS), enforce_sorted=False)
    ys, final = module(packed, h0)
    ys, _ = torch.nn.utils.rnn.pad_packed_sequence(ys, total_length=T)
    torch.autograd.backward([ys, final], [torch.tensor(given.ct_ys), torch.tensor(given.ct_final)])
    gradients = {name: p.grad for name, p in module.named_parameters()}
    return {"ys": ys.detach(), "final": final.detach()}, gradients | {"xs": xs.grad, "h0": h0.grad}


def ours(model: Any, params: Any, given: Data) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same, as jaxgru computes them with NaN in the padding."""
    structure = jax.tree.structure(model.initial_state((B,)))

    def outputs(params, xs, h0):
        final, ys = jaxgru.scan(model, params, xs, structure.unflatten(h0), lengths=LENGTHS)
        return {"ys": ys, "final": jnp.stack(jax.tree.leaves(final))}

    @jax.jit
    def run(*args):
        out, pull = jax.vjp(outputs, *args)
        return out, pull({"ys": given.ct_ys, "final": given.ct_final})

    padding = np.arange(T)[:, None, None] >= LENGTHS[:, None]
    out, (d_params, d_xs, d_h0) = run(params, np.where(padding, np.nan, given.xs), given.h0)
    return out, dump(model, d_params) | {"xs": d_xs, "h0": d_h0}


def assert_near(got: dict[str, Any], want: dict[str, Any], tol: float) -> None:
    """The same names, dtypes and shapes, and max|Δ| ≤ tol · max|want| for each."""
    assert got.keys() == want.keys()
    for name, w in want.items():
        g, w = np.asarray(got[name]), np.asarray(w)  # noqa: PLW2901
        assert (g.dtype, g.shape) == (w.dtype, w.shape), name
        worst = np.abs(g - w).max() / np.abs(w).max()
        assert worst <= tol, f"{name}: {worst:.2e} > {tol:.0e}"


def assert_equals_pytorch(module: Any, model: Any, params: Any, dtype: str) -> None:
    given = data(module, dtype)
    results = zip(ours(model, params, given), theirs(module, given), TOLERANCES[dtype], strict=True)
    for got, want, tol in results:
        assert_near(got, want, tol)


def bits(leaf: Any) -> np.ndarray:
    if isinstance(leaf, torch.Tensor):
        return leaf.detach().contiguous().view(torch.uint8).numpy()
    return np.ascontiguousarray(leaf).view(np.uint8)


def assert_same_bits(got: Any, want: Any) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert (g.dtype, g.shape) == (w.dtype, w.shape)
        np.testing.assert_array_equal(bits(g), bits(w))


@pytest.mark.parametrize("form", FORMS)
def test_outputs_and_gradients_are_pytorchs_in_float64(form, x64):
    """Ragged batches, one to three layers, one and two directions, with and without bias."""
    module = gru("float64", **form)
    assert_equals_pytorch(module, *load(module.state_dict()), "float64")


@pytest.mark.parametrize("form", [FORMS[0], FORMS[-2]])
def test_outputs_and_gradients_are_pytorchs_in_float32(form):
    module = gru(**form)
    assert_equals_pytorch(module, *load(module.state_dict()), "float32")


@pytest.mark.parametrize("bias", [True, False])
def test_a_gru_that_writes_is_dumped_as_the_one_that_keeps(bias, x64):
    options = {"bias": bias, "param_dtype": "float64"}
    model = Stack([GRU(INPUTS, H, update="writes", **options), GRU(H, H, **options)])
    params = model.init(jax.random.key(0))
    module = gru("float64", num_layers=2, bias=bias)
    module.load_state_dict(dump(model, params))
    assert_equals_pytorch(module, model, params, "float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS)
def test_a_state_dict_comes_back_bit_for_bit(form, dtype, x64):
    """Whatever the bits are: NaN with a payload, denormals, negative zeros."""
    rng = np.random.default_rng(0)
    state_dict = gru(dtype, **form).state_dict()
    for tensor in state_dict.values():
        tensor.view(torch.uint8).copy_(torch.tensor(rng.integers(0, 256, bits(tensor).shape, np.uint8)))
    model, params = load(state_dict)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(params)} == {dtype}
    back = dump(model, params)
    assert list(back) == list(state_dict)
    assert all(tensor.is_contiguous() for tensor in back.values())
    assert_same_bits(back, dict(state_dict))
    gru(dtype, **form).load_state_dict(back)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS)
def test_the_model_is_read_from_the_state_dict(form, dtype, x64):
    """A `Stack` of the module's own form, whose parameters are as `init` draws them."""
    model, params = load(gru(dtype, **form).state_dict())
    width = H * (1 + form["bidirectional"])
    cells = [
        GRU(inputs, H, bias=form["bias"], param_dtype=dtype)
        for inputs in (INPUTS, width, width)[: form["num_layers"]]
    ]
    assert model == Stack(map(Bidirectional, cells) if form["bidirectional"] else cells)
    described = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params)
    assert described == jax.eval_shape(model.init, jax.random.key(0))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("wrap", [lambda cell: cell, Bidirectional], ids=["GRU", "Bidirectional"])
def test_a_single_layer_needs_no_stack(wrap, bias):
    model = wrap(GRU(INPUTS, H, bias=bias))
    params = model.init(jax.random.key(0))
    stack, back = load(dump(model, params))
    assert stack == Stack([model])
    assert_same_bits(back, [params])


def test_negating_twice_is_nothing():
    """A cell that writes, its twin that keeps, and the first again: the same bits."""
    writes = GRU(INPUTS, H, update="writes")
    params = writes.init(jax.random.key(0))
    _, (keeps,) = load(dump(writes, params))
    _, (back,) = load(dump(writes, keeps))
    assert_same_bits(back, params)
    assert not np.array_equal(keeps.b_x, params.b_x)


def test_gradients_by_name_are_the_pytree_of_gradients():
    module = gru(num_layers=2, bidirectional=True)
    theirs(module, data(module, "float32"))
    gradients = {name: p.grad for name, p in module.named_parameters()}
    model, tree = load(gradients)
    assert jax.tree.structure(tree) == jax.tree.structure(load(module.state_dict())[1])
    np.testing.assert_array_equal(tree[1].backward.w_h, gradients["weight_hh_l1_reverse"].numpy().T)
    assert_same_bits(dump(model, tree), gradients)


def test_parameters_and_arrays_do_as_well_as_tensors():
    module = gru()
    _, params = load(module.state_dict())
    for convert in (lambda p: p, lambda p: p.detach().numpy(), lambda p: jnp.array(p.detach().numpy())):
        assert_same_bits(load({name: convert(p) for name, p in module.named_parameters()})[1], params)


def test_what_is_loaded_or_dumped_is_a_copy():
    """Also where a large aligned buffer could be shared: on PyTorch's side, training goes on in place."""
    module = torch.nn.GRU(64, 128)
    model, params = load(module.state_dict())
    before = jax.tree.map(np.array, params)
    with torch.no_grad():
        for tensor in (*module.parameters(), *dump(model, params).values()):
            tensor.fill_(7)
    assert_same_bits(params, before)
