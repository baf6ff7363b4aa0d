"""Every peer computes what the oracle says, in both passes and with exactly our weights, or says why it cannot."""

import functools
import importlib
import importlib.util
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from jaxgru import reference
from jaxgru.bench import gate
from jaxgru.bench.cases import without_candidate_bias
from jaxgru.bench.peer import Peer, Problem, Ready
from jaxgru.bench.peers import NAMES, find, lstms, threaded
from jaxgru.cells.gru import GRUParams
from jaxgru.cells.lstm import LSTMParams, LSTMState

T, B, INPUTS, H = 5, 2, 3, 4
FORWARD_ONLY = ("onnxruntime", "openvino")
STREAMERS = ("pytorch", "onnxruntime")
GRUS = {name: find(name) for name in NAMES}
LSTMS = {f"{form.name} lstm": form for peer in GRUS.values() for form in lstms(peer)}
PEERS = GRUS | LSTMS
BOTH_PASSES = [
    (name, backward) for name, peer in PEERS.items() for backward in (False, True)[: 1 + peer.backward]
]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """PyTorch's number of threads belongs to the process: left as it was."""
    torch = sys.modules.get("torch")
    before = torch and torch.get_num_threads()
    yield
    if torch:
        torch.set_num_threads(before)


def peer(name: str) -> Peer:
    """The peer, where what it needs is installed."""
    found = PEERS[name]
    extra = "interop" if found.name == "pytorch" else "bench"
    for package in (found.package, *(["onnx"] if name in FORWARD_ONLY else [])):
        if not importlib.util.find_spec(package):
            pytest.skip(f'needs {package}: pip install -e ".[{extra}]"')
    return found


def problem(name: str) -> Problem:
    """A small one, with an input width of its own."""
    rng, N = np.random.default_rng(0), H * (4 if name in LSTMS else 3)
    shapes = (INPUTS, N), (H, N), (N,), (N,), (T, B, INPUTS), (B, H), (B, H), (T, B, H)
    *params, xs, h0, c0, ct = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in shapes)
    if name in LSTMS:
        return Problem(LSTMParams(*params), xs, LSTMState(h0, c0), ct)
    drawn = Problem(GRUParams(*params), xs, h0, ct)
    return drawn if PEERS[name].candidate_bias else without_candidate_bias(drawn)


@functools.cache
def answer(name: str, dtype: str, backward: bool) -> Any:
    """What a peer computes; once, because most of them compile."""
    ready = peer(name).ready(problem(name), dtype=dtype, backward=backward, devices=1)
    return ready.answer(ready.run())


def disagreement(name: str, dtype: str, backward: bool, params: Any = None) -> str | None:
    """What the gate says of the answer; with other weights, if given, on the oracle's side."""
    given, found = problem(name), PEERS[name]
    right = gate.oracle(given._replace(params=params or given.params), found.variant)[backward]
    return gate.disagreement(answer(name, dtype, backward), right, dtype, candidate_bias=found.candidate_bias)


@pytest.mark.parametrize(("name", "backward"), BOTH_PASSES)
def test_a_peer_passes_the_gate(name: str, backward: bool) -> None:
    assert disagreement(name, "f32", backward) is None


@pytest.mark.parametrize("name", [name for name in NAMES if name != "onnxruntime"])
def test_a_peer_passes_the_gate_in_bfloat16(name: str) -> None:
    assert disagreement(name, "bf16", backward=False) is None


@pytest.mark.parametrize(("name", "backward"), BOTH_PASSES)
def test_one_other_weight_is_refused(name: str, backward: bool) -> None:
    """In any block of any array."""
    peer(name)
    for which, whole in zip(GRUParams._fields, problem(name).params, strict=False):
        for block in range(whole.shape[-1] // H if which != "b_h" or PEERS[name].candidate_bias else 2):
            other = whole.copy()
            other[(*(0 for _ in whole.shape[1:]), block * H)] += 0.1
            assert (other != whole).sum() == 1
            params = problem(name).params._replace(**{which: other})
            assert "more than" in str(disagreement(name, "f32", backward, params)), (which, block)


@pytest.mark.parametrize("name", STREAMERS)
def test_a_streamer_carries_its_state(name: str) -> None:
    peer(name)
    given = problem(name)
    step = importlib.import_module(f"jaxgru.bench.peers.{name}").streamer(given.params, B)
    ys = np.stack([step(x) for x in given.xs])
    _, expected = reference.scan(reference.gru_step, given.params, given.xs, np.zeros((B, H)))
    assert gate.disagreement(ys, expected, "f32") is None


@pytest.mark.parametrize("name", FORWARD_ONLY)
def test_no_gradients_are_said_so(name: str) -> None:
    with pytest.raises(NotImplementedError, match=f"^{name} has no gradients$"):
        find(name).ready(problem(name), dtype="f32", backward=True, devices=1)


def test_onnx_runtime_refuses_bfloat16() -> None:
    with pytest.raises(NotImplementedError, match=r"^ONNX Runtime's GRU computes in float32, and not in bf"):
        find("onnxruntime").ready(problem("onnxruntime"), dtype="bf16", backward=False, devices=1)


def test_keras_on_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    keras = peer("keras")
    answer("keras", "f32", backward=False)
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with pytest.raises(
        NotImplementedError, match=r"^Keras runs on its torch backend here: set KERAS_BACKEND"
    ):
        keras.ready(problem("keras"), dtype="f32", backward=False, devices=1)


def test_openvino_reports_to_nobody() -> None:
    answer("openvino", "f32", backward=False)
    assert sys.modules["openvino_telemetry"] is None


@pytest.mark.parametrize(("quicker", "seconds", "kept"), [(1, 0.01, 1), (2, 0.01, 2), (1, 0.1, 1)])
def test_the_quicker_number_of_threads_is_kept(
    quicker: int, seconds: float, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a run is short, and where it is long."""
    monkeypatch.setattr(threaded, "cores", lambda: 2)
    monkeypatch.setattr(threaded, "TRIED", 0.05)

    def build(given: Problem, dtype: str, backward: bool, threads: int) -> Ready:
        return Ready(
            lambda: time.sleep(0 if threads == quicker else seconds), np.asarray, {"threads": threads}
        )

    contender = threaded.ThreadedPeer("sleeper", "numpy", build)
    ready = contender.ready(problem("pytorch"), dtype="f32", backward=False, devices=1)
    assert ready.facts["threads"] == kept
