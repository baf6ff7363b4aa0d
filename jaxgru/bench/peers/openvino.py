"""OpenVINO: the ONNX model of the GRU operator, forward, compiled for least latency."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from jaxgru.bench.peer import Ready
from jaxgru.bench.peers.onnxruntime import model
from jaxgru.bench.peers.threaded import ThreadedPeer

if TYPE_CHECKING:
    from jaxgru.bench.peer import Problem


def build(problem: Problem, dtype: str, backward: bool, threads: int) -> Ready:  # noqa: ARG001
    """A request for the shape, which runs on arrays that stay where they are.

    Unasked it computes in bfloat16 where the processor has it, so that in float32 it has to be asked.
    """
    # With this package it reports its use over the network, from a fork of this process: JAX's may hang.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # noqa: PLC0415 only where it is measured

    T, B, _, _ = problem.sizes
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    if dtype == "f32":
        config["INFERENCE_PRECISION_HINT"] = "f32"
    core, begin = openvino.Core(), time.perf_counter()
    compiled = core.compile_model(core.read_model(model(problem.params, T, B)), "CPU", config)
    seconds = time.perf_counter() - begin
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    request = compiled.create_infer_request()
    tensors = {"X": openvino.Tensor(problem.xs), "H0": openvino.Tensor(problem.h0[None])}
    for name, tensor in tensors.items():
        request.set_tensor(name, tensor)

    def run() -> Any:
        return request.infer(share_outputs=True)

    facts = {"compile_s": seconds, "threads": f"{threads}, in {precision}"}
    return Ready(run, lambda found: found["Y"][:, 0].copy(), facts)


PEER = ThreadedPeer("openvino", "openvino", build)
