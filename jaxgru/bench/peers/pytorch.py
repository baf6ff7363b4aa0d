"""`torch.nn.GRU` and `LSTM`: without autograd forward, with it backward; on a GPU where JAX is on one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxgru.bench.peer import Gradients, Ready
from jaxgru.bench.peers.threaded import ThreadedPeer
from jaxgru.cells.lstm import LSTMParams, LSTMState

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxgru.bench.peer import Problem


def build(problem: Problem, dtype: str, backward: bool, threads: int) -> Ready:
    """The module and its inputs in the dtype."""
    import torch  # noqa: PLC0415 only where it is measured

    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    where: Any = {"dtype": torch.float32 if dtype == "f32" else torch.bfloat16, "device": device}
    module = like(problem.params).to(**where)
    states = jax.tree.leaves(problem.h0)
    xs, ct, *h0 = (torch.tensor(x, **where) for x in (problem.xs, problem.ct, *(s[None] for s in states)))
    inputs = (*module.parameters(), *(x.requires_grad_(backward) for x in (xs, *h0)))

    def run() -> Any:
        torch.set_num_threads(threads)
        with torch.inference_mode(not backward):
            ys, _ = module(xs, tuple(h0) if len(h0) > 1 else h0[0])
        result = torch.autograd.grad(ys, inputs, ct) if backward else ys
        if device == "cuda":
            torch.cuda.synchronize()
        return result

    def answer(result: Any) -> np.ndarray | Gradients:
        if not backward:
            return host(result)
        *params, d_xs = map(host, result[:5])
        d_h0 = [host(state)[0] for state in result[5:]]
        kind = type(problem.params)
        return Gradients(kind(*(p.T for p in params)), d_xs, LSTMState(*d_h0) if len(h0) > 1 else d_h0[0])

    return Ready(run, answer, {"threads": threads if device == "cpu" else device})


def like(params: Any) -> Any:
    """A module with these weights: its order of gates is ours, its matrices are transposed."""
    import torch  # noqa: PLC0415

    kind = torch.nn.LSTM if isinstance(params, LSTMParams) else torch.nn.GRU
    module = kind(params.w_x.shape[0], params.w_h.shape[0])
    tensors = (torch.tensor(np.asarray(w).T) for w in params[:4])
    module.load_state_dict(dict(zip(module.state_dict(), tensors, strict=True)))
    return module


def host(x: Any) -> np.ndarray:
    """A tensor as NumPy float32."""
    return x.detach().float().cpu().numpy()


def streamer(params: Any, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """One step after the other, from a zero state, with the cell that PyTorch has for it."""
    import torch  # noqa: PLC0415

    cell = torch.nn.GRUCell(params.w_x.shape[0], params.w_h.shape[0])
    weights = like(params).state_dict()
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in weights.items()})
    h = torch.zeros(batch, params.w_h.shape[0])

    def step(x: np.ndarray) -> np.ndarray:
        nonlocal h
        torch.set_num_threads(1)  # a step is too small to share
        with torch.inference_mode():
            h = cell(torch.from_numpy(x), h)
        found: np.ndarray = h.numpy()
        return found

    return step


PEER = ThreadedPeer("pytorch", "torch", build, backward=True)
LSTM = (PEER,)
