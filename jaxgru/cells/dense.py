"""The two matrix products of the library: `dot` inside the loop, `dense` over all of time.

They give the same numbers. `dense` is for weights that are differentiated: the gradient of w sums over every
leading axis of x. Written as a contraction over several axes, XLA's CPU backend first copies both operands
into transposed order; written as one flat (N, K)ᵀ(N, M) product it does not. A plain reshape gives the flat
form for a batched call, yet under `vmap` its batching rule moves the new axis to the front, which is the same
copy again. So the product and its gradient are stated as two primitives that are each other's transpose, and
for which a batch axis of x is one more leading axis.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


def accumulator(dtype: Any) -> np.dtype:
    """The dtype that sums, gates and states have when the matmuls run in `dtype`: at least float32."""
    return jnp.promote_types(dtype, jnp.float32)


class Masked(NamedTuple):
    """A matrix before which some of its inputs are dropped: x ↦ (x ⊙ mask) W.

    Attributes:
      weight: W, as it is without a mask.
      mask: broadcast against x.
    """

    weight: Array
    mask: Array

    def __rmatmul__(self, x: Array) -> Array:
        """`x @ w`, for a cell that multiplies without `dot`."""
        return (x * self.mask) @ self.weight


def unmasked(x: Array, w: Array | Masked) -> tuple[Array, Array]:
    """What a matrix sees of x, and the matrix."""
    return (x * w.mask, w.weight) if isinstance(w, Masked) else (x, w)


def changed(x: Array, w: Array | Masked, dw: Array | Masked) -> tuple[Array, Array]:
    """The operands of x δW: what a change of a matrix alone does to its product."""
    return unmasked(x, w)[0], dw.weight if isinstance(dw, Masked) else dw


def columns(w: Array | Masked, sizes: tuple[int, ...]) -> list[Array | Masked]:
    """A matrix cut into groups of columns."""
    if isinstance(w, Masked):
        return [Masked(part, w.mask) for part in lax.split(w.weight, sizes, axis=w.weight.ndim - 1)]
    return list(lax.split(w, sizes, axis=w.ndim - 1))


def dot(x: Array, w: Array | Masked) -> Array:
    """`x @ w` in the dtype of w, accumulated in at least float32.

    Args:
      x: (…, K).
      w: (K, N).

    Returns:
      (…, N), in `accumulator(w.dtype)`.
    """
    x, w = unmasked(x, w)
    return _dense_by_axes(x.astype(w.dtype), w, precision=None)


def dense(x: Array, w: Array) -> Array:
    """`dot(x, w)` over all of time, whose gradient in w is one flat product however it is batched."""
    return _bind(dense_p, x.astype(w.dtype), w)


def blocks(count: int, x: Array) -> Sequence[Array]:
    """The last axis in `count` equal blocks: r | z | n."""
    # Its transpose is one concatenation; that of slices is pads and sums.
    return lax.split(x, (x.shape[-1] // count,) * count, axis=x.ndim - 1)


def varying(tree: Any, like: Any) -> Any:
    """`tree`, typed under `jax.shard_map` as varying over each mesh axis that a leaf of `like` varies over."""
    axes = frozenset[str]().union(*(_varies_over(leaf) for leaf in jax.tree.leaves(like)))

    def cast(x: Array) -> Array:
        missing = tuple(sorted(axes - _varies_over(x)))
        return lax.pcast(x, missing, to="varying") if missing else x

    return jax.tree.map(cast, tree)


def _varies_over(x: Array) -> frozenset[str]:
    kind = jax.typeof(x)
    varying: frozenset[str] = kind.mat.varying if hasattr(kind, "mat") else kind.vma  # by the version of JAX
    return varying


def _bind(primitive: Primitive, x: Array, y: Array) -> Array:
    x, y = varying((x, y), (x, y))
    precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    return primitive.bind(x, y, precision=precision)


def _dense_flat(x: Array, w: Array, *, precision: Any) -> Array:
    """(…, K), (K, N) -> (…, N)."""
    flat = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    y = lax.dot_general(flat, w, (((1,), (0,)), ((), ())), precision, accumulator(w.dtype))
    return y.reshape(*x.shape[:-1], w.shape[1])


def _gradient_flat(x: Array, y: Array, *, precision: Any) -> Array:
    """(…, K), (…, N) -> (K, N), summed over the leading axes."""
    flat_x, flat_y = (a.reshape(math.prod(a.shape[:-1]), a.shape[-1]) for a in (x, y))
    return lax.dot_general(flat_x, flat_y, (((0,), (0,)), ((), ())), precision, accumulator(x.dtype))


def _dense_by_axes(x: Array, w: Array, *, precision: Any) -> Array:
    return lax.dot_general(x, w, (((x.ndim - 1,), (0,)), ((), ())), precision, accumulator(w.dtype))


def _gradient_by_axes(x: Array, y: Array, *, precision: Any) -> Array:
    lead = tuple(range(x.ndim - 1))
    return lax.dot_general(x, y, ((lead, lead), ((), ())), precision, accumulator(x.dtype))


def _primitive(name: str, flat: Any, by_axes: Any, transposes: tuple[Any, Any], batch: Any) -> Primitive:
    primitive = Primitive(name)
    primitive.def_impl(partial(_run, primitive))
    primitive.def_abstract_eval(partial(_shape, by_axes))
    apart, together = (mlir.lower_fun(form, multiple_results=False) for form in (by_axes, flat))

    def on_cpu(context: mlir.LoweringRuleContext, *args: Any, **params: Any) -> Any:
        return (apart if _partitioned(context) else together)(context, *args, **params)

    mlir.register_lowering(primitive, apart)
    mlir.register_lowering(primitive, on_cpu, platform="cpu")
    ad.defbilinear(primitive, *transposes)
    batching.primitive_batchers[primitive] = partial(batch, primitive, by_axes)
    return primitive


def _partitioned(context: mlir.LoweringRuleContext) -> bool:
    """Whether XLA's partitioner may split the operands: then their axes must stay apart, or it gathers them."""
    axes = context.module_context.axis_context
    if isinstance(axes, mlir.SPMDAxisContext):  # inside jax.shard_map: what is manual is split already
        return set(axes.mesh.axis_names) != set(axes.manual_axes)
    return getattr(axes, "num_devices", 1) != 1


def _shape(by_axes: Any, x: Any, y: Any, **params: Any) -> Any:
    return jax.make_jaxpr(partial(by_axes, **params))(x, y).out_avals[0]


def _run(primitive: Primitive, x: Array, y: Array, **params: Any) -> Array:
    return jax.jit(partial(primitive.bind, **params))(x, y)


def _transposed(product: Any, ct: Array, like: Any) -> Array:
    """`product(ct)` with the matmul in the half precision of the primal operand, and the result in its dtype."""
    return product(ct.astype(like.dtype)).astype(like.dtype)


def _dense_over_x(ct: Array, _x: Any, w: Array, **_: Any) -> Array:
    return _transposed(lambda c: _bind(dense_p, c, w.T), ct, w)


def _dense_over_w(ct: Array, x: Array, _w: Any, **_: Any) -> Array:
    return _transposed(lambda c: _bind(gradient_p, x, c), ct, x)


def _gradient_over_x(ct: Array, _x: Any, y: Array, **_: Any) -> Array:
    return _transposed(lambda c: _bind(dense_p, y, c.T), ct, y)


def _gradient_over_y(ct: Array, x: Array, _y: Any, **_: Any) -> Array:
    return _transposed(lambda c: _bind(dense_p, x, c), ct, x)


def _batch_dense(
    primitive: Primitive, by_axes: Any, args: Any, dims: Any, **params: Any
) -> tuple[Array, int]:
    (x, w), (dim, w_dim) = args, dims
    if w_dim is not None:
        return jax.vmap(partial(by_axes, **params), (dim, w_dim))(x, w), 0
    if dim == x.ndim - 1:
        x, dim = jnp.moveaxis(x, dim, 0), 0
    return primitive.bind(x, w, **params), dim


def _batch_gradient(_: Primitive, by_axes: Any, args: Any, dims: Any, **params: Any) -> tuple[Array, int]:
    return jax.vmap(partial(by_axes, **params), dims)(*args), 0


dense_p = _primitive("dense", _dense_flat, _dense_by_axes, (_dense_over_x, _dense_over_w), _batch_dense)
gradient_p = _primitive(
    "weight_gradient",
    _gradient_flat,
    _gradient_by_axes,
    (_gradient_over_x, _gradient_over_y),
    _batch_gradient,
)
