"""How the steps of a run are cut into dispatches to the device."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from jaxgru.training.mesh import placement
from jaxgru.training.step import TrainState, make_train_steps, state_shapes

if TYPE_CHECKING:
    from jaxgru.training.config import Config
    from jaxgru.training.task import PyTree, Task

LONGEST = 1.0  # seconds a dispatch may last: a signal waits that long


class Report(NamedTuple):
    """What one step says of itself; `step` counts it in, so that the first is 1."""

    step: int
    loss: float
    grad_norm: float
    learning_rate: float


class Dispatcher:
    """Runs steps up to the next one at which something is due, as many at once as fit into a second.

    Args:
      task: gives the loss and the batches.
      config: the configuration.
    """

    def __init__(self, task: Task, config: Config) -> None:
        self.task, self.config = task, config
        self.placed = placement(task, config, state_shapes(task, config.train, config.seed))
        self.train_steps = make_train_steps(task.loss, config.train, config.seed, self.placed, task.apart)
        run, train = config.run, config.train
        self.capacity = min(
            train.steps_per_call, run.log_every, run.evaluate_every, run.save_every, train.steps
        )
        self.stride = 1

    def __call__(self, state: TrainState) -> tuple[TrainState, list[Report]]:
        """Takes the next steps; the state is donated.

        Returns:
          The state after them, and a report of each. If the last report's step is past the state's, the
          state was frozen before it.
        """
        step = int(state.step)
        count = min(self.stride, next_stop(step, self.config) - step)
        batches, count = self.stack(step, count)
        # The first state, or a restored one, is not there yet.
        if self.placed and state.step.sharding != self.placed.state.step:
            state = jax.device_put(state, self.placed.state)
        began = time.monotonic()
        state, trace = self.train_steps(state, batches, count)
        columns = [column.tolist() for column in jax.device_get(trace)]
        self.stride = next_stride(self.stride, (time.monotonic() - began) / count, self.capacity)
        tried = min(count, int(state.step) - step + 1)
        return state, [Report(step + 1 + i, *row) for i, row in enumerate(zip(*columns, strict=True))][:tried]

    def stack(self, step: int, count: int) -> tuple[PyTree, int]:
        """The batches of up to `count` steps, and of how many: as many as have the shapes of the first.

        The last is repeated up to the one size that is compiled, for each of these shapes once.
        """
        batches = [self.task.batch(step)]
        for i in range(1, count):
            batch = self.task.batch(step + i)
            if jax.tree.map(np.shape, batch) != jax.tree.map(np.shape, batches[0]):
                break
            batches.append(batch)
        count = len(batches)
        batches += batches[-1:] * (self.capacity - count)
        return jax.tree.map(lambda *leaves: np.stack(leaves), *batches), count


def is_due(step: int, every: int, config: Config) -> bool:
    """Whether what happens every so many steps, and after the last, happens after `step` of them.

    Example:
      >>> from jaxgru.training.config import Config, TrainConfig
      >>> [step for step in range(8) if is_due(step, 3, Config(train=TrainConfig(steps=7)))]
      [3, 6, 7]
    """
    return step > 0 and (step % every == 0 or step == config.train.steps)


def next_stop(step: int, config: Config) -> int:
    """The first step after `step` at which something is due."""
    every = (config.run.log_every, config.run.evaluate_every, config.run.save_every)
    return min(config.train.steps, *((step // n + 1) * n for n in every))


def next_stride(stride: int, seconds_per_step: float, capacity: int) -> int:
    """Twice as many steps at once while that stays under the limit, half as many over it.

    Example:
      >>> [next_stride(4, seconds, capacity=10) for seconds in (0.01, 0.2, 0.5)]
      [8, 4, 2]
    """
    if stride * seconds_per_step > LONGEST:
        return max(stride // 2, 1)
    return min(2 * stride, capacity) if 2 * stride * seconds_per_step < LONGEST else stride
