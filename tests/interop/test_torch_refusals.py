"""What has no exact counterpart in PyTorch's `nn.GRU`, or is no state dict of one, is refused by name."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru import GRU, RNN, Bidirectional, Stack
from jaxgru.interop.torch import dump, load

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install -e ".[interop]"')

INPUTS, H = 3, 5


def refused(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def changed(without=(), dtype=None, layers=2, both=True, **entries):
    """A state dict with entries taken out or put in."""
    module = torch.nn.GRU(INPUTS, H, num_layers=layers, bidirectional=both, dtype=dtype)
    return {key: value for key, value in module.state_dict().items() if key not in without} | entries


# Prefixes.


class Tagger(torch.nn.Module):
    """GRUs beside other parameters, one of them two floors down."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(7, INPUTS)
        self.encoder = torch.nn.ModuleDict({"rnn": torch.nn.GRU(INPUTS, H), "norm": torch.nn.LayerNorm(H)})
        self.decoder = torch.nn.GRU(INPUTS, H)


def test_only_the_keys_under_the_prefix_are_read():
    state_dict = Tagger().state_dict()
    back = dump(*load(state_dict, prefix="encoder.rnn."), prefix="encoder.rnn.")
    assert list(back) == [key for key in state_dict if key.startswith("encoder.rnn.")]
    assert all(torch.equal(back[key], state_dict[key]) for key in back)


@pytest.mark.parametrize("prefix", ["", "rnn.", "encoder.", "encoder.rnn"])
def test_a_wrong_prefix_is_told_the_right_ones(prefix):
    message = (
        f"prefix {prefix!r} leads to no nn.GRU (weight_ih_l0, …) in state_dict; these would: "
        "'encoder.rnn.', 'decoder.'"
    )
    refused(lambda: load(Tagger().state_dict(), prefix=prefix), ValueError, message)


def test_an_error_names_the_whole_key():
    state_dict = {f"rnn.{key}": value for key, value in changed(["bias_hh_l0"]).items()}
    message = "state_dict lacks 'rnn.bias_hh_l0' of shape (15,) for hidden_size 5"
    refused(lambda: load(state_dict, prefix="rnn."), ValueError, message)


def test_a_prefix_is_a_string():
    message = "prefix must be a string such as 'rnn.', got 3"
    refused(lambda: load({}, prefix=3), TypeError, message)
    refused(lambda: dump(*load(changed()), prefix=3), TypeError, message)


# Without PyTorch.


def test_without_pytorch_arrays_still_load_and_dump_says_what_to_install(monkeypatch):
    arrays = {key: tensor.numpy() for key, tensor in changed().items()}
    monkeypatch.setitem(sys.modules, "torch", None)
    model, params = load(arrays)
    assert np.array_equal(params[0].forward.w_x, arrays["weight_ih_l0"].T)
    message = (
        'jaxgru.interop.torch.dump needs PyTorch: pip install "jaxgru[interop]" (without a GPU, first '
        "install its CPU build, which is much smaller, as PyTorch's own instructions say)"
    )
    refused(lambda: dump(model, params), ImportError, message)


# State dicts.

NO_GRU = "prefix '' leads to no nn.GRU (weight_ih_l0, …) in state_dict"
KNOWN = "which has weight_ih_l*, weight_hh_l*, bias_ih_l*, bias_hh_l*, and these with _reverse"
INPUT_MATRIX, BIAS = "state_dict['weight_ih_l0']", "state_dict['bias_ih_l0']"
CONVERT = "convert the module to one dtype, e.g. module.float()"
FOUR = "must be float16, bfloat16, float32 or float64"
MISSHAPEN = {
    "empty": (dict, f"{NO_GRU}; its keys are none"),
    "one-step": (
        lambda: torch.nn.GRUCell(INPUTS, H).state_dict(),
        f"{NO_GRU}; its keys are 'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'",
    ),
    "many": (
        lambda: dict.fromkeys("abcdefgh"),
        f"{NO_GRU}; its keys are 'a', 'b', 'c', 'd', 'e', 'f' and 2 more",
    ),
    "unexpected": (
        lambda: changed(head=torch.zeros(2, H)),
        f"state_dict['head'], of shape (2, 5), is no parameter of an nn.GRU, {KNOWN}",
    ),
    "key-no-string": (
        lambda: {**changed(), 3: None},
        f"state_dict[3], of shape (), is no parameter of an nn.GRU, {KNOWN}",
    ),
    "projection": (
        lambda: torch.nn.LSTM(INPUTS, H, proj_size=2).state_dict(),
        f"state_dict['weight_hr_l0'], of shape (2, 5), is no parameter of an nn.GRU, {KNOWN}",
    ),
    "lstm": (
        lambda: torch.nn.LSTM(INPUTS, H).state_dict(),
        f"{INPUT_MATRIX} must have shape (15, 3) for hidden_size 5, got (20, 3); this is an nn.LSTM",
    ),
    "rnn": (
        lambda: torch.nn.RNN(INPUTS, H).state_dict(),
        f"{INPUT_MATRIX} must have shape (15, 3) for hidden_size 5, got (5, 3); this is an nn.RNN",
    ),
    "first-missing": (
        lambda: changed(["weight_hh_l0"]),
        "state_dict lacks 'weight_hh_l0' of shape (3 * hidden_size, hidden_size)",
    ),
    "bias-missing": (
        lambda: changed(["bias_hh_l1_reverse"]),
        "state_dict lacks 'bias_hh_l1_reverse' of shape (15,) for hidden_size 5",
    ),
    "matrix-missing": (
        lambda: changed(["weight_ih_l1"]),
        "state_dict lacks 'weight_ih_l1' of shape (15, 10) for hidden_size 5",
    ),
    "layer-missing": (
        lambda: changed(layers=1, both=False, weight_ih_l9=torch.zeros(3 * H, H)),
        "state_dict lacks 'weight_ih_l1' of shape (15, 5) for hidden_size 5",
    ),
    "direction-missing": (
        lambda: changed(layers=1, both=False, weight_ih_l0_reverse=torch.zeros(3 * H, INPUTS)),
        "state_dict lacks 'weight_hh_l0_reverse' of shape (15, 5) for hidden_size 5",
    ),
    "flat": (
        lambda: changed(weight_ih_l0=torch.zeros(3 * H * INPUTS)),
        f"{INPUT_MATRIX} must have shape (3 * hidden_size, input_size), got (45,)",
    ),
    "transposed": (
        lambda: changed(weight_hh_l1=torch.zeros(H, 3 * H)),
        "state_dict['weight_hh_l1'] must have shape (15, 5) for hidden_size 5, got (5, 15)",
    ),
    "scalar": (
        lambda: changed(bias_ih_l0=torch.zeros(())),
        f"{BIAS} must have shape (15,) for hidden_size 5, got ()",
    ),
    "one-direction-above-two": (
        lambda: changed(weight_ih_l1=torch.zeros(3 * H, H)),
        "state_dict['weight_ih_l1'] must have shape (15, 10) for hidden_size 5, got (15, 5)",
    ),
    "no-units": (
        lambda: {"weight_ih_l0": torch.zeros(0, INPUTS), "weight_hh_l0": torch.zeros(0, 0)},
        "hidden_size must be at least 1, got 0",
    ),
    "two-dtypes": (
        lambda: changed(bias_ih_l0=torch.zeros(3 * H, dtype=torch.bfloat16)),
        f"{BIAS} is bfloat16 and 'weight_ih_l0' is float32; {CONVERT}",
    ),
    "float64": (
        lambda: changed(dtype=torch.float64),
        f"{INPUT_MATRIX} is float64, which JAX has off: set jax.config.update('jax_enable_x64', True)",
    ),
}
NO_TENSORS = {
    "module": (
        lambda: torch.nn.GRU(INPUTS, H),
        "state_dict must map names to tensors, as module.state_dict() does, got a GRU",
    ),
    "none": (
        lambda: changed(bias_ih_l0=None),
        f"{BIAS} must be a tensor or an array, got a NoneType",
    ),
    "list": (
        lambda: changed(bias_ih_l0=[0.0] * 3 * H),
        f"{BIAS} must be a tensor or an array, got a list",
    ),
    "float8": (
        lambda: changed(bias_ih_l0=torch.zeros(3 * H, dtype=torch.float8_e5m2)),
        f"{BIAS} {FOUR}, got float8_e5m2",
    ),
    "integers": (
        lambda: changed(bias_ih_l0=torch.zeros(3 * H, dtype=torch.int32)),
        f"{BIAS} {FOUR}, got int32",
    ),
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_a_state_dict_of_something_else_is_refused(name):
    make, message = MISSHAPEN[name]
    refused(lambda: load(make()), ValueError, message)


@pytest.mark.parametrize("name", NO_TENSORS)
def test_what_holds_no_tensors_of_numbers_is_refused(name):
    make, message = NO_TENSORS[name]
    refused(lambda: load(make()), TypeError, message)


@pytest.mark.parametrize("layout", ["meta", "sparse"])
def test_a_tensor_without_plain_data_is_refused(layout):
    bias = torch.zeros(3 * H, device="meta") if layout == "meta" else torch.zeros(3 * H).to_sparse()
    with pytest.raises(TypeError, match=r"^state_dict\['bias_ih_l0'\] must be a tensor that NumPy can read"):
        load(changed(bias_ih_l0=bias))


# Models.


class Custom(GRU):
    """What a subclass computes is its own affair."""


CELL = GRU(INPUTS, H)
BEFORE = "has reset='before', which cannot be converted to an nn.GRU's 'after'"
CONCAT = "an nn.GRU concatenates its directions"
ONE = "an nn.GRU has one for all"
UNEQUAL = [
    (GRU(INPUTS, H, reset="before"), f"model {BEFORE}"),
    (Stack([CELL, GRU(H, H, reset="before")]), f"model.layers[1] {BEFORE}"),
    (Bidirectional(CELL, GRU(INPUTS, H, reset="before")), f"model.backward {BEFORE}"),
    (Bidirectional(CELL, merge="sum"), f"model has merge='sum'; {CONCAT}"),
    (Stack([Bidirectional(CELL, merge="mean")]), f"model.layers[0] has merge='mean'; {CONCAT}"),
    (Stack([CELL, GRU(H, 4)]), f"model.layers[1] has hidden_size 4, model.layers[0] 5; {ONE}"),
    (Bidirectional(CELL, GRU(INPUTS, 4)), f"model.backward has hidden_size 4, model.forward 5; {ONE}"),
    (Stack([CELL, GRU(H, H, bias=False)]), f"model.layers[1] has bias False, model.layers[0] True; {ONE}"),
    (
        Stack([Bidirectional(CELL), GRU(2 * H, H)]),
        f"model.layers[1] has directions 1, model.layers[0].forward 2; {ONE}",
    ),
]
OTHERS = [
    (RNN(INPUTS, H), "model is RNN(3, 5)"),
    (Stack([Bidirectional(RNN(INPUTS, H))]), "model.layers[0].forward is RNN(3, 5)"),
    (Custom(INPUTS, H), "model is Custom(3, 5)"),
    (GRU, "model is <class 'jaxgru.cells.gru.GRU'>"),
    (Stack([Stack([CELL])]), "model.layers[0] is Stack([GRU(3, 5)])"),
    (Bidirectional(Stack([CELL])), "model.forward is Stack([GRU(3, 5)])"),
]


@pytest.mark.parametrize(("model", "message"), UNEQUAL)
def test_a_model_that_no_gru_of_pytorch_equals_is_refused(model, message):
    refused(lambda: dump(model, None), ValueError, message)


@pytest.mark.parametrize(("model", "message"), OTHERS)
def test_what_is_no_gru_is_refused(model, message):
    message += "; only GRU converts, alone or in Stack and Bidirectional"
    refused(lambda: dump(model, None), TypeError, message)


def test_parameters_of_another_model_are_refused():
    params = CELL.init(jax.random.key(0))
    wide = params._replace(w_x=jnp.ones((4, 3 * H)))
    message = "params.w_x must have shape (3, 15) for GRU(3, 5), got (4, 15)"
    refused(lambda: dump(CELL, wide), ValueError, message)


def test_parameters_of_a_dtype_that_pytorch_has_no_gru_for_are_refused():
    params = CELL.init(jax.random.key(0))
    small = params._replace(w_x=params.w_x.astype(jnp.float8_e4m3fn))
    refused(lambda: dump(CELL, small), TypeError, f"the parameter for weight_ih_l0 {FOUR}, got float8_e4m3fn")
