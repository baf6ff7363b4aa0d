"""The weights of PyTorch's `nn.GRU`.

Its equations are those of `GRU(reset="after", update="keeps")` and the order of its gates is the same,
r | z | n, so that its tensors are ours with the matrices transposed:

    weight_ih_l{k} (3H, I)    w_x (I, 3H) of layer k        bias_ih_l{k} (3H,)    b_x
    weight_hh_l{k} (3H, H)    w_h (H, 3H)                   bias_hh_l{k} (3H,)    b_h

A layer's backward direction has `_reverse` behind these names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgru import checks
from jaxgru.cells.gru import GRU, GRUParams
from jaxgru.layers.bidirectional import Bidirectional, Both
from jaxgru.layers.stack import Stack

if TYPE_CHECKING:
    from types import ModuleType

    import torch

    from jaxgru.recurrence.scan import Model

PyTree = Any
Host = np.ndarray[Any, Any]

KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # the order of GRUParams, and PyTorch's
DIRECTIONS = ("", "_reverse")
NAME = re.compile(rf"(.*)({'|'.join(KINDS)})_l(0|[1-9][0-9]*)(_reverse)?", re.DOTALL)
DTYPES = ("float16", "bfloat16", "float32", "float64")


class Form(NamedTuple):
    """What the names in a state dict tell of its module."""

    prefix: str
    layers: int
    directions: tuple[str, ...]
    kinds: tuple[str, ...]

    def key(self, kind: str, layer: int, direction: str = "") -> str:
        """The key of one tensor."""
        return f"{self.prefix}{kind}_l{layer}{direction}"

    def shapes(self, inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by its key, in PyTorch's order."""
        above = hidden * len(self.directions)
        return {
            self.key(kind, k, direction): (3 * hidden, *columns)
            for k in range(self.layers)
            for direction in self.directions
            for kind, columns in zip(self.kinds, ((above if k else inputs,), (hidden,), (), ()), strict=False)
        }


def load(state_dict: Mapping[str, Any], *, prefix: str = "") -> tuple[Stack, list[PyTree]]:
    """Reads the state dict of an `nn.GRU`.

    The map is linear, so `{name: p.grad for name, p in module.named_parameters()}` gives the gradient pytree.

    Args:
      state_dict: tensors, or arrays, by PyTorch's names: `weight_ih_l0` (3H, I) and so on. They are copied.
      prefix: what stands before these names where the GRU is part of a larger module, such as "encoder.rnn.".
        Other keys are not looked at.

    Returns:
      A `Stack` with as many layers, each a `GRU` or a `Bidirectional`, and its parameters, bit for bit the
      tensors and in their dtype.

    Raises:
      TypeError: an entry that is no array, or of a dtype that an `nn.GRU` cannot have.
      ValueError: nothing under the prefix, a key too many or too few, another shape, more than one dtype, or
        float64 where JAX has it off. The message names the key.

    Example:
      >>> import torch
      >>> model, params = load(torch.nn.GRU(3, 5, num_layers=2).state_dict())
      >>> model
      Stack([GRU(3, 5), GRU(5, 5)])
      >>> params[0].w_x.shape
      (3, 15)

    Differs from: `load_state_dict`, which fills a module that is there; here names and shapes tell what the
      model is. They tell neither `dropout` (the model's is 0) nor `batch_first` (`scan` is time-major).
    """
    arrays = {key: _host(key, value) for key, value in _under(state_dict, prefix).items()}
    form = _form(prefix, arrays)
    hidden, dtype = _hidden_size(form, arrays), _dtype(arrays)
    layers: list[Model] = []
    params: list[PyTree] = []
    for k in range(form.layers):
        # Copies, because a module goes on training its tensors in place.
        weights = [
            GRUParams(*(jnp.array(arrays[form.key(kind, k, direction)].T) for kind in form.kinds))
            for direction in form.directions
        ]
        cell = GRU(len(weights[0].w_x), hidden, bias=form.kinds == KINDS, param_dtype=dtype)
        both = len(weights) == len(DIRECTIONS)
        layers.append(Bidirectional(cell) if both else cell)
        params.append(Both(*weights) if both else weights[0])
    return Stack(layers), params


def dump(model: Model, params: PyTree, *, prefix: str = "") -> dict[str, torch.Tensor]:
    """Writes parameters as the state dict of an `nn.GRU`.

    A cell with update="writes" becomes the equal one that keeps: its z block is negated, which loses no bit.
    The map is linear, so a pytree of gradients gives the gradients by the names of PyTorch's parameters.

    Args:
      model: a `Stack` of `GRU`s, or of `Bidirectional`s of them, or a single one of these.
      params: its parameters, as `model.init` draws them.
      prefix: what to put before each name.

    Returns:
      Tensors on the CPU by PyTorch's names, in its order and in the dtypes of `params`. They are copies. The
      model's `dropout`, and the `dtype` it computes in, have no place there.

    Raises:
      ImportError: PyTorch is not installed.
      TypeError: a layer of another kind, or a dtype that an `nn.GRU` cannot have.
      ValueError: a model that no `nn.GRU` equals: reset="before"; layers of several hidden sizes, with and
        without bias, or in one and in two directions; a merge other than "concat". Or params of another
        structure than the model's.

    Example:
      >>> import jaxgru, torch
      >>> net = jaxgru.Bidirectional(jaxgru.GRU(3, 5))
      >>> state_dict = dump(net, net.init(jax.random.key(0)))
      >>> torch.nn.GRU(3, 5, bidirectional=True).load_state_dict(state_dict)
      <All keys matched successfully>
    """
    _check_prefix(prefix)
    torch = _torch()
    grid = _grid(model)
    checks.same_tree("params", params, jax.eval_shape(lambda: model.init(jax.random.key(0))), f" for {model}")
    out = {}
    layers = params if type(model) is Stack else [params]
    for k, (cells, layer) in enumerate(zip(grid, layers, strict=True)):
        each = [layer] if isinstance(layer, GRUParams) else layer
        for cell, leaves, direction in zip(cells, each, DIRECTIONS, strict=False):
            for kind, leaf in zip(KINDS, leaves, strict=True):
                if leaf is not None:
                    key = f"{prefix}{kind}_l{k}{direction}"
                    out[key] = _tensor(torch, key, cell, leaf)
    return out


def _check_prefix(prefix: Any) -> None:
    if not isinstance(prefix, str):
        raise TypeError(f"prefix must be a string such as 'rnn.', got {prefix!r}")


def _under(state_dict: Any, prefix: Any) -> dict[str, Any]:
    """The entries under the prefix, all of them with names that an `nn.GRU` has."""
    _check_prefix(prefix)
    if not isinstance(state_dict, Mapping):
        got = type(state_dict).__name__
        raise TypeError(f"state_dict must map names to tensors, as module.state_dict() does, got a {got}")
    prefixes = {key: match[1] for key in state_dict if (match := NAME.fullmatch(str(key)))}
    if prefix not in prefixes.values():
        would = f"these would: {_some(dict.fromkeys(prefixes.values()))}"
        mend = would if prefixes else f"its keys are {_some(state_dict) or 'none'}"
        raise ValueError(f"prefix {prefix!r} leads to no nn.GRU (weight_ih_l0, …) in state_dict; {mend}")
    under = {key: value for key, value in state_dict.items() if str(key).startswith(prefix)}
    for key, value in under.items():
        if prefixes.get(key) != prefix:
            shape = checks.axes(getattr(value, "shape", ()))
            raise ValueError(
                f"state_dict[{key!r}], of shape {shape}, is no parameter of an nn.GRU, which has "
                f"{', '.join(f'{kind}_l*' for kind in KINDS)}, and these with _reverse"
            )
    return under


def _some(names: Iterable[str], most: int = 6) -> str:
    """The first few names, quoted."""
    names = list(names)
    return ", ".join(map(repr, names[:most])) + f" and {len(names) - most} more" * (len(names) > most)


def _host(key: str, value: Any) -> Host:
    """A tensor or array as NumPy has it, bit for bit."""
    name = f"state_dict[{key!r}]"
    torch = sys.modules.get("torch")  # whoever holds a tensor has imported it
    if torch is not None and isinstance(value, torch.Tensor):
        _check_dtype(name, value.dtype)
        brain = value.dtype == torch.bfloat16  # which NumPy alone has not: its bits travel as integers
        try:
            value = (value.detach().view(torch.int16) if brain else value).numpy(force=True)
        except (RuntimeError, TypeError) as error:
            raise TypeError(f"{name} must be a tensor that NumPy can read: {error}") from error
        value = value.view(jnp.bfloat16) if brain else value
    if not isinstance(value, np.ndarray | Array):
        raise TypeError(f"{name} must be a tensor or an array, got a {type(value).__name__}")
    _check_dtype(name, value.dtype)
    return np.asarray(value)


def _check_dtype(name: str, dtype: Any) -> None:
    if (got := str(dtype).removeprefix("torch.")) not in DTYPES:
        raise TypeError(f"{name} must be {', '.join(DTYPES[:-1])} or {DTYPES[-1]}, got {got}")


def _form(prefix: str, keys: Iterable[str]) -> Form:
    matches = [match for key in keys if (match := NAME.fullmatch(key))]
    return Form(
        prefix,
        layers=len({match[3] for match in matches}),
        directions=DIRECTIONS if any(match[4] for match in matches) else DIRECTIONS[:1],
        kinds=KINDS if any(match[2].startswith("bias") for match in matches) else KINDS[:2],
    )


def _hidden_size(form: Form, arrays: dict[str, Host]) -> int:
    """H, once every tensor is there and has the shape that H gives it."""
    widths = []
    for kind, columns in (("weight_ih", "input_size"), ("weight_hh", "hidden_size")):
        array = arrays.get(form.key(kind, 0))
        if array is None or array.ndim != 2:
            raise _misshapen(form.key(kind, 0), f"(3 * hidden_size, {columns})", array)
        widths.append(array.shape[1])
    inputs, hidden = widths
    rows = len(arrays[form.key("weight_hh", 0)])
    hint = {hidden: "; this is an nn.RNN", 4 * hidden: "; this is an nn.LSTM"}.get(rows, "")
    for key, shape in form.shapes(inputs, hidden).items():
        array = arrays.get(key)
        if array is None or array.shape != shape:
            raise _misshapen(key, f"{checks.axes(shape)} for hidden_size {hidden}", array, hint)
    return int(hidden)


def _misshapen(key: str, expected: str, array: Host | None, hint: str = "") -> ValueError:
    if array is None:
        return ValueError(f"state_dict lacks {key!r} of shape {expected}")
    return ValueError(f"state_dict[{key!r}] must have shape {expected}, got {checks.axes(array.shape)}{hint}")


def _dtype(arrays: dict[str, Host]) -> np.dtype[Any]:
    """The one dtype of all arrays, refused where JAX would change it."""
    (first, array), *others = arrays.items()
    for key, other in others:
        if other.dtype != array.dtype:
            raise ValueError(
                f"state_dict[{key!r}] is {other.dtype} and {first!r} is {array.dtype}; convert the module to "
                "one dtype, e.g. module.float()"
            )
    return checks.float_dtype(f"state_dict[{first!r}]", array.dtype)


def _torch() -> ModuleType:
    try:
        import torch  # noqa: PLC0415 an extra, and heavy
    except ImportError as error:
        raise ImportError(
            'jaxgru.interop.torch.dump needs PyTorch: pip install "jaxgru[interop]" (without a GPU, first '
            "install its CPU build, which is much smaller, as PyTorch's own instructions say)"
        ) from error
    return torch


def _grid(model: Any) -> list[list[GRU]]:
    """The cells by layer and direction, refused where no `nn.GRU` has the like."""
    layers = {"model": model}
    if type(model) is Stack:
        layers = {f"model.layers[{k}]": layer for k, layer in enumerate(model.layers)}
    grid, traits = [], {}
    for label, layer in layers.items():
        row = {label: layer}
        if type(layer) is Bidirectional:
            if layer.merge != "concat":
                raise ValueError(f"{label} has merge={layer.merge!r}; an nn.GRU concatenates its directions")
            row = {f"{label}.forward": layer.forward, f"{label}.backward": layer.backward}
        for name, cell in row.items():
            _check_cell(name, cell)
            traits[name] = {"hidden_size": cell.hidden_size, "bias": cell.bias, "directions": len(row)}
        grid.append(list(row.values()))
    (first, wanted), *others = traits.items()
    for name, got in others:
        for trait, value in got.items():
            if value != wanted[trait]:
                other = wanted[trait]
                raise ValueError(f"{name} has {trait} {value}, {first} {other}; an nn.GRU has one for all")
    return grid


def _check_cell(name: str, cell: Any) -> None:
    if type(cell) is not GRU:  # a subclass may well compute something else
        raise TypeError(f"{name} is {cell!r}; only GRU converts, alone or in Stack and Bidirectional")
    if cell.reset != "after":
        raise ValueError(f"{name} has reset={cell.reset!r}, which cannot be converted to an nn.GRU's 'after'")


def _tensor(torch: ModuleType, key: str, cell: GRU, leaf: Any) -> Any:
    """A copy as PyTorch has it: one row for each unit of each gate, and an update gate that keeps."""
    _check_dtype(f"the parameter for {key}", leaf.dtype)
    r, z, n = np.split(np.asarray(leaf), 3, axis=-1)
    array = np.concatenate([r, z if cell.update == "keeps" else -z, n], axis=-1).T.copy()
    if array.dtype == jnp.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
