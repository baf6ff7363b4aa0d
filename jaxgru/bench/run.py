"""One case after the other: make ready, check, measure, and hand out rows."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from jaxgru.bench import gate
from jaxgru.bench.cases import LAYERS, problem, without_candidate_bias
from jaxgru.bench.composed import COMPOSITIONS, programs
from jaxgru.bench.peer import Ready
from jaxgru.bench.peers import lstms, streamer
from jaxgru.bench.peers.jaxgru import ours
from jaxgru.bench.timing import compare, latencies, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxgru.bench.cases import Case
    from jaxgru.bench.peer import Gradients, Peer, Problem

MAX_SECONDS = 4.0  # a run that takes longer is left out
FEWEST_ROWS = 8  # a smaller batch is not split over devices


@dataclass(frozen=True)
class Row:
    """One contender in one case.

    Attributes:
      work, T, B, I, H, dtype, mode: the case; "backward" is both passes.
      contender: its name; ×2 where two devices share the batch.
      peer: the implementation, however many devices it has.
      kind: "jaxgru", "jax" (a peer that is a JAX program), "other" (one that is not) or "part" of a composition.
      devices: how many share the batch.
      base: the contender it is compared with: of the same variant and, for a JAX program, as many devices.
      ms: the median time of a run; None where there is none, and `note` says why.
      ratio, low, high: times as long as the base took: median over the rounds, and quartiles.
      p99_ms: of single calls, where latency is what counts.
      limit: the share of the FLOP limit that is reached.
      compile_s, threads: as the contender tells.
      memory_mb: what a run of a JAX program holds beside its arguments: outputs, and temporaries at their peak.
      note: why there is no time, or what a composition should reach.
    """

    work: str
    T: int
    B: int
    I: int  # noqa: E741 the axis' name
    H: int
    dtype: str
    mode: str
    contender: str
    peer: str
    kind: str
    devices: int
    base: str
    ms: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p99_ms: float | None = None
    limit: float | None = None
    compile_s: float | None = None
    memory_mb: float | None = None
    threads: str = ""
    note: str = ""


@dataclass(frozen=True)
class Setup:
    """What is the same for all cases.

    Attributes:
      peers: those to compare with.
      devices: over how many a batch may be split.
      peaks: FLOP/s that a matmul reaches, by dtype.
      seconds: about how long to measure each contender of a case.
    """

    peers: Sequence[Peer]
    devices: int
    peaks: Mapping[str, float]
    seconds: float = 2.0


class Entry(NamedTuple):
    """A contender at the start; `ready` is None where it does not run, and `note` says why."""

    name: str
    peer: str
    kind: str
    base: str
    ready: Ready | None
    note: str = ""
    devices: int = 1
    pause: float = 0.0


def rows(case: Case, setup: Setup) -> list[Row]:
    """Measures a case.

    Args:
      case: what to measure.
      setup: with whom, and for how long.
    """
    gather = contenders if case.work in LAYERS else streams if case.work == "stream" else composition
    entries = gather(case, setup)
    runs = {entry.name: entry.ready.run for entry in entries if entry.ready}
    pause = {entry.name: entry.pause for entry in entries}
    slowest: dict[str, float] = {}
    if case.work == "stream":
        calls = latencies(runs, pause=pause)
        slowest = {name: float(np.quantile(found, 0.99)) for name, found in calls.items()}
        times = {name: [statistics.median(each) for each in found] for name, found in calls.items()}
    else:
        times = measure(runs, seconds=setup.seconds, pause=pause)
    limit = case.flops / setup.peaks[case.dtype] if case.work in LAYERS else None
    return [row(case, entry, times, slowest.get(entry.name), limit) for entry in entries]


def row(
    case: Case, entry: Entry, times: Mapping[str, Sequence[float]], p99: float | None, limit: float | None
) -> Row:
    """What was found of a contender."""
    key = (case.work, case.T, case.B, case.I, case.H, case.dtype, case.mode)
    who = (entry.name, entry.peer, entry.kind, entry.devices, entry.base)
    if not entry.ready:
        return Row(*key, *who, note=entry.note)
    seconds, facts = statistics.median(times[entry.name]), entry.ready.facts
    ratio: tuple[float | None, float | None, float | None] = (None, None, None)
    if entry.base in times:
        ratio = compare({name: times[name] for name in (entry.name, entry.base)}, entry.base)[entry.name]
    return Row(
        *key,
        *who,
        seconds * 1e3,
        *ratio,
        p99_ms=p99 and p99 * 1e3,
        limit=limit and limit / seconds,
        compile_s=facts.get("compile_s"),
        memory_mb=facts["memory_bytes"] / 1e6 if "memory_bytes" in facts else None,
        threads=str(facts.get("threads", "")),
        note=entry.note,
    )


def streams(case: Case, setup: Setup) -> list[Entry]:
    """One step after the other, from NumPy to NumPy: whoever keeps a state between calls."""
    start = problem(8, case.B, case.H)
    start = start._replace(h0=np.zeros_like(start.h0))
    entries = []
    for name, pause in {"jaxgru": 0.0, **{peer.name: peer.pause for peer in setup.peers}}.items():
        if make := streamer(name):
            step = make(start.params, case.B)
            ys = np.stack([step(x) for x in start.xs])
            wrong = gate.disagreement(ys, gate.oracle(start, {})[0], case.dtype)
            ready = None if wrong else Ready(partial(step, start.xs[0]), np.asarray)
            kind = "jaxgru" if name == "jaxgru" else "other"
            entries.append(Entry(name, name, kind, "jaxgru", ready, wrong or "", pause=pause))
    return entries


def composition(case: Case, setup: Setup) -> list[Entry]:  # noqa: ARG001 as the others
    """jaxgru against itself."""
    sides = programs(case)
    base = next(iter(sides))
    entries = []
    for name, (run, facts) in sides.items():
        note = ""
        if name != base:
            memory = facts.get("memory_bytes", 0) / max(1, sides[base][1].get("memory_bytes", 0))
            target = COMPOSITIONS[case.work].target
            note = f"target {target}; " * bool(target) + f"memory {memory:.2f}"
        entries.append(Entry(name, "jaxgru", "part", base, Ready(run, np.asarray, facts), note))
    return entries


def contenders(case: Case, setup: Setup) -> list[Entry]:
    """jaxgru in every variant that a peer has, and the peers: each in every form, and checked."""
    limit = case.flops / setup.peaks[case.dtype]
    if limit > MAX_SECONDS:
        note = f"left out: the FLOP limit alone is {limit:.1f} s a run"
        return [Entry("jaxgru", "jaxgru", "jaxgru", "", None, note)]
    counts = [1, setup.devices] if splits(case, setup.devices) else [1]
    peers = [peer for peer in setup.peers if peer.backward or not case.backward]
    if case.work == "lstm":
        peers = [form for peer in peers for form in lstms(peer)]
    variants = {key(v): ours(v, work=case.work) for v in ({}, *(peer.variant for peer in peers))}
    entries = []
    for peer in (*variants.values(), *peers):
        for count in counts if peer.devices else [1]:
            base = label(variants[key(peer.variant)], count if peer.devices else counts[-1])
            kind = "jaxgru" if peer in variants.values() else "jax" if peer.devices else "other"
            ready, note = prepare(case, peer, count)
            entries.append(Entry(label(peer, count), peer.name, kind, base, ready, note, count, peer.pause))
            if entries[0].note:
                return entries  # jaxgru itself is too slow here, or wrong: there is nothing to compare with
    return entries


def splits(case: Case, devices: int) -> bool:
    """Whether so many devices share a case's rows."""
    return devices > 1 and case.B >= FEWEST_ROWS and case.B % devices == 0


def label(peer: Peer, devices: int) -> str:
    """A peer in one form, as rows name it."""
    return peer.name + (f" ×{devices}" if devices > 1 else "")


def key(variant: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """A variant, to look things up by."""
    return tuple(sorted(variant.items()))


def prepare(case: Case, peer: Peer, devices: int) -> tuple[Ready | None, str]:
    """A contender, or why there is none: it is too slow, it computes other numbers, or it fails."""
    size = ((case.T, case.B, case.H, case.I, case.work), peer.candidate_bias)
    try:
        ready = peer.ready(given(*size), dtype=case.dtype, backward=case.backward, devices=devices)
        begin = time.perf_counter()
        result = jax.block_until_ready(ready.run())
        seconds = time.perf_counter() - begin
        answer = ready.answer(result)
    except Exception as error:  # noqa: BLE001 whatever fails in somebody else's code, its row says so
        line = (str(error).strip() or "no message").splitlines()[0]
        return None, f"failed: {type(error).__name__}: {line}"
    if seconds > MAX_SECONDS:
        return None, f"left out: a run takes {seconds:.1f} s"
    right = expected(*size, key(peer.variant))[case.backward]
    wrong = gate.disagreement(answer, right, case.dtype, candidate_bias=peer.candidate_bias)
    return (None, wrong) if wrong else (ready, "")


# Forward and backward of one size, in every dtype, come one after the other: what they share is kept.
@lru_cache(maxsize=2)
def given(size: tuple[int, int, int, int, str], candidate_bias: bool) -> Problem:
    """The problem."""
    return problem(*size) if candidate_bias else without_candidate_bias(problem(*size))


@lru_cache(maxsize=3)
def expected(
    size: tuple[int, int, int, int, str], candidate_bias: bool, variant: tuple[tuple[str, str], ...]
) -> tuple[np.ndarray, Gradients]:
    """What the oracle says to it."""
    return gate.oracle(given(size, candidate_bias), dict(variant))
