"""The training step: one optimiser update, and as many of them in one dispatch as the loop asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxgru.training.config import TrainConfig
    from jaxgru.training.mesh import Placement
    from jaxgru.training.task import Task

# Keys of single purposes, beyond any step's fold_in(key, step).
INIT, FINISH = 2**31, 2**31 + 1


class TrainState(NamedTuple):
    """All that one step hands to the next: with the batches, it decides the rest of the run."""

    step: jax.Array
    params: Any
    opt_state: optax.OptState
    carry: Any


class Trace(NamedTuple):
    """What each step of a dispatch reports, (steps_per_call,) each; zeros where no step ran."""

    loss: jax.Array
    grad_norm: jax.Array
    learning_rate: jax.Array


def make_schedule(train: TrainConfig) -> optax.Schedule:
    """The learning rate of step 0, 1, …: a linear warm-up, then the decay to `final_fraction`.

    Example:
      >>> from jaxgru.training.config import TrainConfig
      >>> schedule = make_schedule(TrainConfig(steps=5, warmup_steps=1, learning_rate=1.0, schedule="linear"))
      >>> [round(float(schedule(step)), 3) for step in range(5)]
      [0.5, 1.0, 0.775, 0.55, 0.325]
    """
    peak, last = train.learning_rate, train.learning_rate * train.final_fraction
    rest = max(train.steps - train.warmup_steps, 1)
    decay = {
        "cosine": lambda: optax.cosine_decay_schedule(peak, rest, alpha=train.final_fraction),
        "linear": lambda: optax.linear_schedule(peak, last, rest),
        "constant": lambda: optax.constant_schedule(peak),
    }[train.schedule]()
    if not train.warmup_steps:
        return decay
    warmup = optax.linear_schedule(peak / (train.warmup_steps + 1), peak, train.warmup_steps)
    return optax.join_schedules([warmup, decay], [train.warmup_steps])


def make_optimizer(
    train: TrainConfig, apart: Mapping[str, float] | None = None
) -> optax.GradientTransformation:
    """AdamW at a rate of one, after clipping by global norm; the step multiplies the schedule in.

    Args:
      train: the configuration.
      apart: the models that share nothing, entries of params["params"], and which part of the rate each has; its
        gradient is clipped by its own norm. None for one model.
    """
    clip = optax.clip_by_global_norm(train.clip_norm) if train.clip_norm else optax.identity()
    adamw = optax.adamw(
        learning_rate=1.0,
        b1=train.beta1,
        b2=train.beta2,
        weight_decay=train.weight_decay,
        mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
    )
    if apart is None:
        return optax.chain(clip, adamw)
    each = {name: optax.chain(clip, adamw, optax.scale(part)) for name, part in apart.items()}
    return optax.partition(each, {"params": {name: name for name in apart}})


def initial_state(task: Task, train: TrainConfig, seed: int) -> TrainState:
    """The state before step 0."""
    params = jax.jit(task.init)(jax.random.fold_in(jax.random.key(seed), INIT))
    opt_state = make_optimizer(train, task.apart).init(params)
    state = TrainState(jnp.zeros((), jnp.int32), params, opt_state, task.initial_carry())
    # Copies, because a donated buffer must not stand in the state twice; of a dtype that is not weak, because
    # a restored state has none, and both must compile to the same program.
    return jax.tree.map(lambda leaf: jnp.array(leaf, jnp.result_type(leaf)), state)


def state_shapes(task: Task, train: TrainConfig, seed: int) -> TrainState:
    """What a checkpoint's state must look like, without computing one."""
    return jax.eval_shape(lambda: initial_state(task, train, seed))


def make_train_steps(
    loss: Callable[..., Any],
    train: TrainConfig,
    seed: int,
    placed: Placement | None = None,
    apart: Mapping[str, float] | None = None,
) -> Callable[[TrainState, Any, int], tuple[TrainState, Trace]]:
    """Builds `train_steps(state, batches, count) -> (state, trace)`, jitted once, the state donated.

    Args:
      loss: the task's `loss(params, carry, batch, key) -> (loss, carry)`.
      train: the configuration.
      seed: step s draws from fold_in(key(seed), s).
      placed: how state and batches lie on several devices; None for one.
      apart: the task's `apart`.

    Returns:
      A function of the state, of a stack of batches (steps_per_call, …) and of how many of them to use. Under
      `nonfinite = "raise"` it ends before the first step whose loss or gradient norm is not finite, which the
      state then shows by its step. The count is a loop bound, not a shape: one compiled body serves every
      count, so that the numbers do not depend on how the steps are cut into dispatches.
    """
    optimizer, schedule = make_optimizer(train, apart), make_schedule(train)

    def train_step(state: TrainState, batch: Any) -> tuple[TrainState, jax.Array, Trace]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        (value, carry), grads = jax.value_and_grad(loss, has_aux=True)(state.params, state.carry, batch, key)
        norm = optax.tree.norm(grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        rate = schedule(state.step)
        params = optax.apply_updates(state.params, jax.tree.map(lambda update: rate * update, updates))
        after = TrainState(state.step + 1, params, opt_state, carry)
        finite = jnp.isfinite(value) & jnp.isfinite(norm)
        if train.nonfinite != "ignore":
            without = state if train.nonfinite == "raise" else state._replace(step=state.step + 1)
            after = jax.tree.map(partial(jnp.where, finite), after, without)
        return after, finite | (train.nonfinite != "raise"), Trace(value, norm, rate)

    shardings: dict[str, Any] = {}
    if placed:  # both named, so that the first state and those that come back are of one program
        shardings = {
            "in_shardings": (placed.state, placed.batches, None),
            "out_shardings": (placed.state, None),
        }

    @partial(jax.jit, donate_argnums=0, **shardings)
    def train_steps(state: TrainState, batches: Any, count: int) -> tuple[TrainState, Trace]:
        def going(loop: tuple[Any, ...]) -> jax.Array:
            i, healthy, _, _ = loop
            return (i < count) & healthy

        def body(loop: tuple[Any, ...]) -> tuple[Any, ...]:
            i, _, state, trace = loop
            state, healthy, metrics = train_step(state, jax.tree.map(lambda leaf: leaf[i], batches))
            return i + 1, healthy, state, jax.tree.map(lambda all_, one: all_.at[i].set(one), trace, metrics)

        empty = Trace(*jnp.zeros((3, jax.tree.leaves(batches)[0].shape[0])))
        _, _, state, trace = jax.lax.while_loop(going, body, (0, jnp.asarray(True), state, empty))
        return state, trace

    return train_steps
