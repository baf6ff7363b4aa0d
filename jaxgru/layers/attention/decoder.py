"""A cell that attends to a memory, and feeds on what it read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxgru import checks
from jaxgru.cells.base import Cell
from jaxgru.cells.dense import blocks, changed, dense
from jaxgru.layers.attention.base import Attention
from jaxgru.layers.attention.parts import AttentionDecoderParams, AttentionDecoderState, Coefficients, Gates
from jaxgru.layers.layer_norm import LayerNorm
from jaxgru.layers.wrapper import Wrapper

if TYPE_CHECKING:
    from jax import Array

    from jaxgru.layers.attention.memory import Memory

PyTree = Any


@dataclass(frozen=True, init=False, repr=False)
class AttentionDecoder(Cell):
    """A cell that looks into a memory at each step, and reads what it made of it at the next: input feeding.

        h_t = cell(x_t and y_{t−1}, h_{t−1})        y_{t−1} W_feed is added to the cell's projected input
        c_t = Σ α_ts m_s,  α_t = attention(h_t, memory)
        y_t = tanh([h_t, c_t] W_out)

    It is a cell: it runs in `scan`, with everything that `scan` can do, as a layer of a `Stack`, and step by step
    with the same numbers. Teacher forcing is one scan over the targets moved on by one.

    What it attends to is handed in among the parameters, by `bind`. It is no part of the state: it does not
    change from step to step, and a beam search need not copy it.

    Args:
      cell: the cell inside, without spatial axes. Wrappers go around the decoder, but for `LayerNorm`.
      attention: `Additive` or `Multiplicative`, whose query_size is the cell's output_size.
      output_size: A, the width of y; None means the cell's output_size.

    Raises:
      TypeError, ValueError: an argument of another type, or widths that do not meet.

    Example:
      >>> import jaxgru
      >>> from jaxgru.layers.attention import Additive
      >>> encoder = jaxgru.Bidirectional(jaxgru.GRU(3, 5))
      >>> decoder = AttentionDecoder(jaxgru.GRU(4, 6), Additive(6, 10))
      >>> lengths = jnp.array([7, 4])
      >>> _, encoded = jaxgru.scan(encoder, encoder.init(jax.random.key(0)), jnp.ones((7, 2, 3)), lengths=lengths)
      >>> params = decoder.bind(decoder.init(jax.random.key(1)), encoded, lengths)
      >>> final, ys, states = jaxgru.scan(decoder, params, jnp.ones((8, 2, 4)), states=True)
      >>> ys.shape, decoder.weights(params, states).shape
      ((8, 2, 6), (8, 2, 7))

    Cost: for a step of one row the cell's, the attention's, and 2 A (N + H + M) FLOPs, where N = 3H for a GRU and
      4H for an LSTM; its derivative is JAX's own, in the loop, but for the gradients of parameters and memory,
      which stay outside.

    References: Luong et al. 2015 (arXiv:1508.04025), section 3.3; Bahdanau et al. 2015 (arXiv:1409.0473).

    Differs from: Bahdanau et al., who attend before the cell's step, with the state before it. Without input
      feeding there is no such loop: attend with all outputs of a plain scan at once.
    """

    cell: Cell
    attention: Attention
    width: int

    def __init__(self, cell: Cell, attention: Attention, output_size: int | None = None) -> None:
        checks.cell("cell", cell)
        if isinstance(cell, Wrapper) and not isinstance(cell, LayerNorm):
            raise ValueError(  # noqa: TRY004 - it is a cell, but not one for a decoder
                f"cell must have no wrapper but LayerNorm inside a decoder, got {cell}: wrap the decoder"
            )
        if cell.spatial_shape:
            raise ValueError(f"cell must have no spatial axes inside a decoder, got {cell}")
        if not isinstance(attention, Attention):
            raise TypeError(
                f"attention must be a value such as Additive({cell.output_size}, 64), got {attention!r}"
            )
        if attention.query_size != cell.output_size:
            raise ValueError(
                f"attention must have query_size {cell.output_size}, the output_size of {cell}, got "
                f"{attention.query_size}"
            )
        width = cell.output_size if output_size is None else checks.size("output_size", output_size)
        self._set(cell=cell, attention=attention, width=width)
        super().__init__(
            cell.input_size,
            cell.hidden_size,
            dtype=cell.dtype,
            param_dtype=cell.param_dtype,
            init=cell.initializer,
        )

    def __repr__(self) -> str:
        """The call that makes this decoder."""
        words = [repr(self.cell), repr(self.attention)]
        if self.width != self.cell.output_size:
            words.append(f"output_size={self.width}")
        return f"AttentionDecoder({', '.join(words)})"

    @property
    def output_size(self) -> int:
        """A, the width of y."""
        return self.width

    @property
    def memory(self) -> tuple[int | None, ...]:
        """As of the cell inside: which of its gates keep the state."""
        return self.cell.memory

    def init(self, key: Array) -> AttentionDecoderParams:
        """Draws the parameters of the cell, of the attention and of what joins them.

        Args:
          key: a PRNG key.
        """
        checks.key("key", key)
        own, cell, attention = jax.random.split(key, 3)
        params = self.cell.init(cell)
        sums = self._sums(params)
        fed = sum(a.shape[-1] for a in jax.tree.leaves(sums))
        out = self.cell.output_size + self.attention.memory_size
        w_feed, w_out = self.draw(
            own,
            ("input", (self.width, fed), len(jax.tree.leaves(sums))),
            ("input", (out, self.width)),
        )
        return AttentionDecoderParams(params, self.attention.init(attention), w_feed, w_out)

    def bind(
        self, params: AttentionDecoderParams, values: Array, lengths: Any = None, mask: Any = None
    ) -> AttentionDecoderParams:
        """The parameters with a memory to attend to.

        Args:
          params: as `init` draws them.
          values: (S, *B, M): an encoder's outputs. (S, M) is one memory for all rows.
          lengths: (*B,) int in [0, S], of the memory's rows.
          mask: (S, *B) bool, True for what is part of the memory.

        Raises:
          TypeError, ValueError: an argument of another dtype or shape.
        """
        checks.same_params(params, self)
        return params._replace(memory=self.attention.remember(params.attention, values, lengths, mask))

    def weights(self, params: AttentionDecoderParams, states: AttentionDecoderState) -> Array:
        """Where each step looked: (T, *B, S), computed for all of time at once from the states after each step.

        Args:
          params: as `bind` gave them.
          states: leaves (T, *B, …), as `scan(…, states=True)` gives them; those of one step will do.
        """
        if not isinstance(states, AttentionDecoderState):
            kind = type(states).__name__
            raise TypeError(
                f"states must be an AttentionDecoderState, as scan(…, states=True) gives it last, got {kind}"
            )
        h = self._output(params, states.cell)
        return self.attention.read(params.attention, h, self._memory(params))[1]

    def initial_state(self, batch_shape: tuple[int, ...] = (), params: Any = None) -> AttentionDecoderState:
        """The cell's initial state, and nothing fed."""
        feed = super().initial_state(batch_shape, None if params is None else params._replace(memory=None))
        cell = self.cell.initial_state(batch_shape, None if params is None else params.cell)
        return AttentionDecoderState(jnp.zeros((*batch_shape, self.width), feed.dtype), cell)

    def cast(self, params: AttentionDecoderParams, dtype: Any) -> AttentionDecoderParams:
        """Parameters as the loop wants them."""
        return AttentionDecoderParams(
            self.cell.cast(params.cell, dtype),
            self.attention.cast(params.attention, dtype),
            params.w_feed.astype(dtype),
            params.w_out.astype(dtype),
            None if params.memory is None else self.attention.cast_memory(params.memory, dtype),
        )

    def recurrent(self, params: AttentionDecoderParams) -> Array | None:
        """As of the cell inside."""
        return self.cell.recurrent(params.cell)

    def with_recurrent(self, params: AttentionDecoderParams, w_h: Any) -> AttentionDecoderParams:
        """As of the cell inside."""
        return params._replace(cell=self.cell.with_recurrent(params.cell, w_h))

    def prepare(
        self, params: AttentionDecoderParams, xs: Array, key: Array | None
    ) -> tuple[AttentionDecoderParams, PyTree]:
        """Parameters and inputs as the cell inside prepares them, once there is a memory for these rows."""
        batch, rows = self._memory(params).values.shape[:-2], checks.batch_shape(self, xs)
        if batch and batch != rows:
            raise ValueError(
                f"params.memory must have batch axes {checks.axes(rows)} like xs, or none, got {checks.axes(batch)}"
            )
        cell, inputs = self.cell.prepare(params.cell, xs, key)
        return params._replace(cell=cell), inputs

    def project(self, params: AttentionDecoderParams, xs: PyTree) -> PyTree:
        """As of the cell inside: what is fed comes with the state."""
        return self.cell.project(params.cell, xs)

    def transition(
        self, params: AttentionDecoderParams, state: AttentionDecoderState, a: PyTree
    ) -> tuple[AttentionDecoderState, Gates]:
        """The next state, and the gates."""
        a = self._fed(a, dense(state.feed, params.w_feed))
        cell, gates = self.cell.transition(params.cell, state.cell, a)
        h = self._output(params, cell)
        context, weights = self.attention.look_up(params.attention, h, self._memory(params))
        y = jnp.tanh(dense(jnp.concatenate([h, context], -1), params.w_out))
        return AttentionDecoderState(y, cell), Gates(gates, weights, context)

    def linearize(
        self,
        params: AttentionDecoderParams,
        prev: AttentionDecoderState,
        a: PyTree,
        passed: tuple[AttentionDecoderState, Gates] | None = None,
    ) -> Coefficients:
        """The coefficients of the derivative: the cell's, the attention's, and slope = 1 − y²."""
        new, gates = self.transition(params, prev, a) if passed is None else passed
        a = self._fed(a, dense(prev.feed, params.w_feed))
        cell = self.cell.linearize(params.cell, prev.cell, a, (new.cell, gates.cell))
        h = self._output(params, new.cell)
        attention = self.attention.linearize(params.attention, h, self._memory(params))
        slope = 1 - new.feed * new.feed
        return Coefficients(cell, prev.cell, attention, slope, h, gates.weights, gates.context)

    def tangent(
        self, params: AttentionDecoderParams, coef: Coefficients, dprev: AttentionDecoderState
    ) -> AttentionDecoderState:
        """A·δ: through the cell, whose sums δy W_feed drives, and on through what it reads and says."""
        sums, structure = jax.tree.flatten(self._sums(params.cell))
        da = jax.tree.unflatten(structure, blocks(len(sums), dense(dprev.feed, params.w_feed)))
        kept = self.cell.tangent(params.cell, coef.cell, dprev.cell)
        driven = self.cell.drive(params.cell, coef.cell, coef.prev, da)
        dcell = jax.tree.map(jnp.add, kept, driven)
        dh = self._output(params, dcell)
        dcontext = self._read(params, coef, dh)
        return AttentionDecoderState(self._said(coef, dh, dcontext, params.w_out), dcell)

    def source(
        self,
        params: AttentionDecoderParams,
        coef: Coefficients,
        prev: AttentionDecoderState,
        dparams: Any,
        da: Any,
    ) -> AttentionDecoderState:
        """s, for all of time at once."""
        memory = self._memory(params)
        da = self._fed(da, dense(*changed(prev.feed, params.w_feed, dparams.w_feed)))
        dcell = self.cell.source(params.cell, coef.cell, prev.cell, dparams.cell, da)
        dh = self._output(params, dcell)
        dcontext = self._read(params, coef, dh) + self.attention.source(
            params.attention, coef.h, coef.weights, memory, dparams.attention, dparams.memory
        )
        said = self._said(coef, dh, dcontext, params.w_out)
        return AttentionDecoderState(said + self._said(coef, coef.h, coef.context, dparams.w_out), dcell)

    def output(self, params: Any, states: AttentionDecoderState, inputs: Any, key: Array | None) -> Array:
        """y."""
        del params, inputs, key
        return states.feed

    def _sums(self, params: PyTree) -> PyTree:
        """The form of the cell's projected input, for parameters of the cell."""
        x = jax.ShapeDtypeStruct((1, self.input_size), self.param_dtype)
        return jax.eval_shape(self.cell.project, params, x)

    def _output(self, params: AttentionDecoderParams, cell: PyTree) -> Array:
        """h, of a state of the cell inside or of a change of it."""
        return self.cell.output(params.cell, cell, None, None)

    def _read(self, params: AttentionDecoderParams, coef: Coefficients, dh: Array) -> Array:
        """What a change of h does to the context."""
        memory = self._memory(params)
        return self.attention.tangent(params.attention, coef.attention, coef.weights, memory, dh)

    def _said(self, coef: Coefficients, h: Array, context: Array, w_out: Array) -> Array:
        """slope ⊙ ([h, c] W_out)."""
        return coef.slope * dense(jnp.concatenate([h, context], -1), w_out)

    def _fed(self, a: PyTree, product: Array) -> PyTree:
        """The sums of a cell, each with its part of a product added."""
        sums, structure = jax.tree.flatten(a)
        parts = blocks(len(sums), product)
        return jax.tree.unflatten(structure, [s + f for s, f in zip(sums, parts, strict=True)])

    def _memory(self, params: AttentionDecoderParams) -> Memory:
        if params.memory is None:
            raise ValueError(
                f"params must have a memory for {self}: give it with decoder.bind(params, encoded, lengths)"
            )
        return params.memory
