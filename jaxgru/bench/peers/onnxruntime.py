"""ONNX Runtime: the standard's GRU operator, forward, with its inputs and outputs bound in place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgru.bench.peer import Ready
from jaxgru.bench.peers.threaded import ThreadedPeer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxgru.bench.peer import Problem


def model(params: Any, T: int, B: int) -> bytes:
    """X (T, B, I), H0 (1, B, H) -> Y (T, 1, B, H), Y_h (1, B, H), as an ONNX file's bytes.

    Args:
      params: its weights; the operator's gates are ordered z, r, n.
      T: steps.
      B: rows.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    def zrn(w: np.ndarray) -> np.ndarray:
        r, z, n = np.split(w, 3, -1)
        return np.concatenate([z, r, n], -1).T[None]

    inputs, hidden = params.w_x.shape[0], params.w_h.shape[0]
    biases = np.concatenate([zrn(params.b_x), zrn(params.b_h)], -1)
    weights = {"W": zrn(params.w_x), "R": zrn(params.w_h), "B": biases}
    shapes = {"X": (T, B, inputs), "H0": (1, B, hidden), "Y": (T, 1, B, hidden), "Y_h": (1, B, hidden)}
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    node = helper.make_node(
        "GRU", ["X", "W", "R", "B", "", "H0"], ["Y", "Y_h"], hidden_size=hidden, linear_before_reset=1
    )
    tensors = [numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in weights.items()]
    graph = helper.make_graph([node], "gru", infos[:2], infos[2:], tensors)
    # Not the newest version of the standard, which runtimes that are a little older would refuse.
    versions = {"opset_imports": [helper.make_opsetid("", 14)], "ir_version": 8}
    return helper.make_model(graph, **versions).SerializeToString()


def session(params: Any, T: int, B: int, threads: int) -> Any:
    """The model made ready to run."""
    import onnxruntime  # noqa: PLC0415 only where it is measured

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model(params, T, B), options, providers=["CPUExecutionProvider"])


def held(array: np.ndarray) -> Any:
    """A copy that the runtime holds."""
    import onnxruntime  # noqa: PLC0415

    copy = onnxruntime.OrtValue.ortvalue_from_shape_and_type(array.shape, np.float32)
    copy.update_inplace(np.ascontiguousarray(array, np.float32))
    return copy


def bound(session: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """What a session runs on, without a copy in or out."""
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, array)
    for name, array in outputs.items():
        binding.bind_ortvalue_output(name, array)
    return binding


def build(problem: Problem, dtype: str, backward: bool, threads: int) -> Ready:  # noqa: ARG001
    """A session for the shape, which runs on arrays that stay where they are."""
    if dtype != "f32":
        raise NotImplementedError("ONNX Runtime's GRU computes in float32, and not in bfloat16")
    T, B, _, H = problem.sizes
    begin = time.perf_counter()
    ready = session(problem.params, T, B, threads)
    facts = {"compile_s": time.perf_counter() - begin, "threads": threads}
    xs, h0, ys = held(problem.xs), held(problem.h0[None]), held(np.zeros((T, 1, B, H)))
    binding = bound(ready, {"X": xs, "H0": h0}, {"Y": ys})

    def run() -> Any:
        ready.run_with_iobinding(binding)
        return ys

    return Ready(run, lambda ys: ys.numpy()[:, 0].copy(), facts)


def streamer(params: Any, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """One step after the other, from a zero state, which goes to and fro between two bound arrays."""
    ready, xs = session(params, 1, batch, 1), held(np.zeros((1, batch, params.w_x.shape[0])))
    states = [held(np.zeros((1, batch, params.w_h.shape[0]))) for _ in range(2)]
    bindings = [bound(ready, {"X": xs, "H0": states[k]}, {"Y_h": states[1 - k]}) for k in range(2)]
    now = 0

    def step(x: np.ndarray) -> np.ndarray:
        nonlocal now
        xs.update_inplace(x[None])
        ready.run_with_iobinding(bindings[now])
        now = 1 - now
        return states[now].numpy()[0].copy()

    return step


PEER = ThreadedPeer("onnxruntime", "onnxruntime", build)
