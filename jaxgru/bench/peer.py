"""What the benchmark asks of an implementation: one problem, made ready to run and to be checked."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

PyTree = Any
Function = Callable[..., Any]
DTYPES = {"f32": jnp.float32, "bf16": jnp.bfloat16}


class Problem(NamedTuple):
    """One layer's work in NumPy float32; a peer casts it to the dtype it is asked for.

    Attributes:
      params: `GRUParams`, blocks r | z | n, or `LSTMParams`, blocks i | f | g | o.
      xs: (T, B, I).
      h0: the first state: (B, H), or an `LSTMState` of two such.
      ct: (T, B, H), the cotangent of ys: the gradients are those of Σ ct ⊙ ys.
    """

    params: PyTree
    xs: np.ndarray
    h0: PyTree
    ct: np.ndarray

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """(T, B, I, H)."""
        return *self.xs.shape, self.ct.shape[-1]


class Gradients(NamedTuple):
    """Of Σ ct ⊙ ys, shaped like the problem's."""

    params: PyTree
    xs: np.ndarray
    h0: PyTree


@dataclass(frozen=True)
class Ready:
    """An implementation with a problem's arrays in place.

    Attributes:
      run: runs once and returns the results; they are there, or are JAX arrays, which `measure` waits for.
      answer: what `run` returned in our layout: ys (T, B, H), or `Gradients` where backward was asked for.
      facts: what stands beside the time in the report: "compile_s", "threads", and "memory_bytes", the most that
        a run holds beside its arguments.
    """

    run: Callable[[], Any]
    answer: Callable[[Any], np.ndarray | Gradients]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer(abc.ABC):
    """An implementation somebody could pick.

    Attributes:
      name: as the report shows it and `--peers` asks for it.
      package: what has to be installed, as `import` names it.
      variant: the `jaxgru.GRU` it computes, e.g. {"reset": "before", "update": "writes"}; {} is the default.
      candidate_bias: whether it has a bias beside h W_n; without one the problem's is zero, its gradient free.
      backward: whether it has gradients.
      devices: whether it is a JAX program, whose batch can be split over several devices.
      pause: seconds to wait after its run, because its workers spin and would slow whoever comes next.
    """

    name: str
    package: str
    _: KW_ONLY
    variant: Mapping[str, str] = field(default_factory=dict)
    candidate_bias: bool = True
    backward: bool = True
    devices: bool = False
    pause: float = 0.0

    @abc.abstractmethod
    def ready(self, problem: Problem, *, dtype: str, backward: bool, devices: int) -> Ready:
        """Puts the problem's arrays in place, in "f32" or "bf16", and compiles what compiles.

        Args:
          problem: the work.
          dtype: "f32" or "bf16", of weights, inputs and matmuls.
          backward: whether `run` gives the gradients (of weights, xs and h0), or ys.
          devices: how many devices share the batch; more than 1 only where the peer has `devices`.
        """


@dataclass(frozen=True)
class JaxPeer(Peer):
    """An implementation in JAX: its own part is how it takes our weights, and one call.

    Args:
      name, package: as of every `Peer`, and so are `variant` and the rest.
      build: (T, B, I, H) -> (convert, apply). `convert(GRUParams) -> theirs` is differentiable jnp code; every
        leaf of theirs is a floating array. `apply(theirs, xs, h0) -> ys` is called under jit, in the peer's
        own order of axes.
      batch_major: whether apply's xs are (B, T, I) and its ys (B, T, H); they are turned outside the timing.
    """

    build: Callable[[int, int, int, int], tuple[Function, Function]]
    _: KW_ONLY
    batch_major: bool = False
    devices: bool = True

    def ready(self, problem: Problem, *, dtype: str, backward: bool, devices: int) -> Ready:
        """Compiles the call, or its gradients, for the problem."""
        T, B, I, H = problem.sizes  # noqa: E741
        convert, apply = self.build(T, B // devices, I, H)
        ours = jax.tree.map(jnp.asarray, problem.params)
        arrays = (jax.jit(convert)(ours), self._turn(problem.xs), problem.h0, self._turn(problem.ct))
        args = jax.tree.map(lambda x: jnp.asarray(x, DTYPES[dtype]), arrays)
        call, args = (gradient(apply), args) if backward else (apply, args[:3])
        if devices > 1:
            call, args = self._split(call, args, devices)
        program, facts = compiled(call, *args)

        def answer(found: Any) -> np.ndarray | Gradients:
            found = jax.tree.map(lambda x: np.asarray(x, np.float32), found)
            if not backward:
                return self._turn(found)
            theirs, xs, h0 = found
            (params,) = jax.jit(lambda ours, theirs: jax.vjp(convert, ours)[1](theirs))(ours, theirs)
            return Gradients(jax.tree.map(np.asarray, params), self._turn(xs), h0)

        return Ready(
            lambda: program(*args), answer, {**facts, "memory_bytes": facts.get("memory_bytes", 0) * devices}
        )

    def _turn(self, x: np.ndarray) -> np.ndarray:
        return x.swapaxes(0, 1) if self.batch_major else x

    def _split(self, call: Function, args: tuple[Any, ...], devices: int) -> tuple[Function, tuple[Any, ...]]:
        """The call and its arguments with the batch over the devices."""
        mesh = Mesh(np.array(jax.devices()[:devices]), ("batch",))
        every, rows = PartitionSpec(), PartitionSpec("batch")
        sequence = rows if self.batch_major else PartitionSpec(None, "batch")
        specs = (every, sequence, rows, sequence)[: len(args)]
        out = specs[:3] if len(args) == 4 else sequence

        def local(*args: Any) -> Any:
            found = call(*args)
            return (jax.lax.psum(found[0], "batch"), *found[1:]) if len(args) == 4 else found

        split = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=out, check_vma=False)
        placed = (jax.device_put(x, NamedSharding(mesh, s)) for x, s in zip(args, specs, strict=True))
        return split, tuple(placed)


def gradient(apply: Function) -> Function:
    """(theirs, xs, h0, ct) -> the gradients of Σ ct ⊙ apply(theirs, xs, h0) in the first three."""

    def backward(theirs: PyTree, xs: Any, h0: Any, ct: Any) -> Any:
        ys, pull = jax.vjp(apply, theirs, xs, h0)
        return pull(ct.astype(ys.dtype))

    return backward


def compiled(call: Function, *args: Any, calls: int = 1) -> tuple[Function, dict[str, Any]]:
    """A JAX call, compiled ahead for arguments like these; and what compiling told, of so many calls in a run.

    Example:
      >>> program, facts = compiled(jnp.sin, jnp.zeros(3))
      >>> program(jnp.zeros(3)), sorted(facts)
      (Array([0., 0., 0.], dtype=float32), ['compile_s', 'memory_bytes'])
    """
    begin = time.perf_counter()
    program = jax.jit(call).lower(*args).compile()
    facts: dict[str, Any] = {"compile_s": time.perf_counter() - begin}
    if memory := program.memory_analysis():
        # Not `peak_memory_in_bytes`, which on a CPU counts arguments and outputs, and no temporaries.
        facts["memory_bytes"] = memory.temp_size_in_bytes + calls * memory.output_size_in_bytes
    return program, facts


def installed(peer: Peer) -> bool:
    """Whether the peer's package can be imported."""
    try:
        return find_spec(peer.package) is not None
    except ModuleNotFoundError:  # what a dotted name lies in is not there
        return False
