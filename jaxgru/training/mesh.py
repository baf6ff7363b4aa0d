"""Over how many devices of a CPU the batch of a training step is spread."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from jaxgru.training.config import Config
    from jaxgru.training.step import TrainState
    from jaxgru.training.task import PyTree, Task

FEWEST_ROWS = 16  # that "auto" gives a device: with fewer, a core reads its weights for too little work


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def claim_devices(wanted: str | int, batch_size: int, *, ragged: bool = False) -> int:
    """Makes devices of the CPU, if it is not too late, and tells over how many of them to spread a batch.

    It is for applications to call, before anything is computed. Who started the process decides first: where
    JAX_NUM_CPU_DEVICES or XLA_FLAGS says how many devices there are, that stays.

    Args:
      wanted: a number, or "auto": one device on each core, as long as each has sixteen rows.
      batch_size: the rows to share out.
      ragged: whether batches have several shapes, whose rows are not shared out.

    Raises:
      UserError: more are wanted than there are, or than one for ragged batches.
    """
    if ragged:
        if wanted not in ("auto", 1):
            raise UserError(f"mesh.cpu_devices is {wanted}, and batches of several shapes stay on 1")
        return 1
    said = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not said and jax.config.jax_num_cpu_devices < 0:  # type: ignore[attr-defined]
        with contextlib.suppress(RuntimeError):  # JAX has begun: the devices are those there are
            jax.config.update("jax_num_cpu_devices", cores() if wanted == "auto" else wanted)
    there = jax.device_count() if jax.default_backend() == "cpu" else 1
    if wanted == "auto":
        return fitting(min(there, max(batch_size // FEWEST_ROWS, 1)), batch_size)
    if int(wanted) > there:
        mend = "JAX_NUM_CPU_DEVICES and XLA_FLAGS, where set, decide that"
        raise UserError(f"mesh.cpu_devices is {wanted}, and JAX has {there} of them; {mend}")
    return fitting(int(wanted), batch_size)


def fitting(devices: int, batch_size: int) -> int:
    """The most devices, of so many, that share a batch equally.

    Example:
      >>> fitting(8, batch_size=12)
      6
    """
    return max(n for n in range(1, devices + 1) if batch_size % n == 0)


def as_before(before: Config, now: Config) -> Config:
    """A config with as many devices as a run began with, where its words mean them, on whatever machine it is."""
    devices = now.mesh.cpu_devices
    same = isinstance(devices, str) or fitting(devices, now.train.batch_size) == before.mesh.cpu_devices
    return dataclasses.replace(now, mesh=before.mesh) if same else now


class Placement(NamedTuple):
    """The shardings of a `TrainState`, whose carry is split into rows, and of a stack of batches, split likewise."""

    state: PyTree
    batches: PyTree


def placement(task: Task, config: Config, state: TrainState) -> Placement | None:
    """Splits what has `batch_size` rows on the axis where the task says they are; None for one device.

    All else is on every device. It is the same computation, but for the order of sums.
    """
    count, rows = config.mesh.cpu_devices, config.train.batch_size
    if isinstance(count, str) or count == 1:
        return None
    mesh = jax.make_mesh((count,), ("data",), (AxisType.Auto,), devices=jax.devices()[:count])

    def split(leaf: Any, axis: int, stacked: int) -> NamedSharding:
        has_rows = leaf.ndim > axis and leaf.shape[axis] == rows
        return NamedSharding(
            mesh, PartitionSpec(*[None] * (stacked + axis), "data") if has_rows else PartitionSpec()
        )

    everywhere = jax.tree.map(lambda _: NamedSharding(mesh, PartitionSpec()), state)
    carry = jax.tree.map(lambda leaf: split(leaf, 0, 0), state.carry)
    return Placement(
        everywhere._replace(carry=carry),
        jax.tree.map(lambda leaf: split(leaf, task.batch_axis, 1), task.batch(0)),
    )
