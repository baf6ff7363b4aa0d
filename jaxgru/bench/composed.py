"""What is built of one layer, against that layer: stacks, directions, masks, `vmap`, ensembles, jvp, backends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgru.bench.peer import DTYPES, compiled
from jaxgru.cells.gru import GRU
from jaxgru.cells.min_gru import MinGRU
from jaxgru.cells.sru import SRU
from jaxgru.layers.bidirectional import Bidirectional
from jaxgru.layers.stack import Stack
from jaxgru.recurrence.associative import Associative
from jaxgru.recurrence.chunked import Chunked
from jaxgru.recurrence.scan import scan
from jaxgru.recurrence.sequential import Sequential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jax import Array

    from jaxgru.bench.cases import Case
    from jaxgru.bench.peer import Function

MEMBERS = 8  # of an ensemble


class Part(NamedTuple):
    """One side of a comparison.

    Attributes:
      call: (params, xs, *rest) -> ys, where `rest` is not differentiated.
      args: for it.
      loop: whether a Python loop runs it for each entry of the parameters' first axis.
    """

    call: Function
    args: tuple[Any, ...]
    loop: bool = False


class Composition(NamedTuple):
    """A comparison.

    Attributes:
      parts: (cell, xs) -> the base and what is compared with it, each with its name.
      target: how many times as long as the base it may take; "" where neither is meant to be the quicker.
    """

    parts: Callable[[GRU, Array], dict[str, Part]]
    target: str = ""


def draw(model: Any, xs: Array, key: Any = None) -> Any:
    """Parameters in the inputs' dtype."""
    return jax.tree.map(lambda w: w.astype(xs.dtype), model.init(jax.random.key(0) if key is None else key))


def part(model: Any, xs: Array, **options: Any) -> Part:
    """A model over the inputs."""
    return Part(partial(outputs, model, **options), (draw(model, xs), xs))


def outputs(model: Any, params: Any, xs: Array, **options: Any) -> Array:
    """ys alone."""
    ys: Array = scan(model, params, xs, **options)[1]
    return ys


def stack(cell: GRU, xs: Array) -> dict[str, Part]:
    """Two layers against one."""
    return {"one layer": part(cell, xs), "two layers": part(Stack([cell, cell]), xs)}


def bidirectional(cell: GRU, xs: Array) -> dict[str, Part]:
    """Two directions against one."""
    return {"one direction": part(cell, xs), "both directions": part(Bidirectional(cell), xs)}


def ragged(cell: GRU, xs: Array) -> dict[str, Part]:
    """Rows of different lengths, as an argument of the program."""
    rows, rng = part(cell, xs), np.random.default_rng(0)
    lengths = jnp.asarray(rng.integers(len(xs) // 2, len(xs) + 1, xs.shape[1]))
    masked = Part(lambda p, xs, lengths: outputs(cell, p, xs, lengths=lengths), (*rows.args, lengths))
    return {"no lengths": rows, "lengths": masked}


def resets(cell: GRU, xs: Array) -> dict[str, Part]:
    """Rows of several segments."""
    rows = part(cell, xs)
    marks = jnp.asarray(np.random.default_rng(0).random(xs.shape[:2]) < 0.02)
    marked = Part(lambda p, xs, marks: outputs(cell, p, xs, resets=marks), (*rows.args, marks))
    return {"no resets": rows, "resets": marked}


def vmap(cell: GRU, xs: Array) -> dict[str, Part]:
    """Code for a single sequence, mapped over the batch."""
    batch = part(cell, xs, backend=Sequential())
    every = jax.vmap(batch.call, in_axes=(None, 1), out_axes=1)
    return {"batched": batch, "vmap over rows": Part(every, batch.args)}


def ensemble(cell: GRU, xs: Array) -> dict[str, Part]:
    """Several sets of parameters on the same inputs."""
    sets = jax.vmap(lambda key: draw(cell, xs, key))(jax.random.split(jax.random.key(0), MEMBERS))
    one = partial(outputs, cell)
    at_once = Part(jax.vmap(one, in_axes=(0, None)), (sets, xs))
    return {f"loop over {MEMBERS} models": Part(one, (sets, xs), loop=True), "vmap over models": at_once}


def jvp(cell: GRU, xs: Array) -> dict[str, Part]:
    """Outputs and their tangents."""
    rows = part(cell, xs)
    return {"forward": rows, "jvp": Part(lambda *args: jax.jvp(rows.call, args, args), rows.args)}


def chunked(cell: GRU, xs: Array) -> dict[str, Part]:
    """Memory for time."""
    steps = round(len(xs) ** 0.5)
    whole, pieces = part(cell, xs, backend=Sequential()), part(cell, xs, backend=Chunked(steps))
    return {"Sequential()": whole, f"Chunked({steps})": pieces}


def parallel(model: type[SRU | MinGRU], cell: GRU, xs: Array) -> dict[str, Part]:
    """A cell that is linear in its state: all of time at once."""
    linear = model(cell.input_size, cell.hidden_size)
    steps, whole = part(linear, xs, backend=Sequential()), part(linear, xs, backend=Associative())
    return {"Sequential()": steps, "Associative()": whole}


COMPOSITIONS = {
    "stack": Composition(stack, "≤ 2.1"),
    "bidirectional": Composition(bidirectional, "≤ 2.1"),
    "ragged": Composition(ragged, "≤ 1.1"),
    "resets": Composition(resets, "≤ 1.1"),
    "vmap": Composition(vmap, "≤ 1.1"),
    "ensemble": Composition(ensemble, "< 1"),
    "jvp": Composition(jvp, "≤ 3"),
    "chunked": Composition(chunked, "≤ 1.5"),
    "sru": Composition(partial(parallel, SRU)),
    "mingru": Composition(partial(parallel, MinGRU)),
}


def programs(case: Case) -> dict[str, tuple[Callable[[], Any], Mapping[str, Any]]]:
    """The sides of a case, the base first: each compiled, with what compiling told."""
    xs = np.random.default_rng(0).uniform(-1, 1, (case.T, case.B, case.H))
    sides = COMPOSITIONS[case.work].parts(GRU(case.H, case.H), jnp.asarray(xs, DTYPES[case.dtype]))
    return {name: program(side, backward=case.backward) for name, side in sides.items()}


def program(part: Part, *, backward: bool) -> tuple[Callable[[], Any], Mapping[str, Any]]:
    """One side, compiled; with its gradients in (params, xs) if backward."""
    params, *others = part.args
    sets = [jax.tree.map(lambda w, i=i: w[i], params) for i in range(MEMBERS)] if part.loop else [params]
    call: Function = part.call
    last: tuple[Array, ...] = ()
    if backward:
        ys = jax.eval_shape(part.call, sets[0], *others)
        call, last = partial(gradients, part.call), (jnp.ones(ys.shape, ys.dtype),)
    ready, facts = compiled(call, sets[0], *others, *last, calls=len(sets))
    return lambda: [ready(p, *others, *last) for p in sets], facts


def gradients(call: Function, params: Any, xs: Array, *rest: Any) -> Any:
    """Of Σ ct ⊙ ys in params and xs; ct is the last argument."""
    *others, ct = rest
    return jax.vjp(lambda params, xs: call(params, xs, *others), params, xs)[1](ct)
