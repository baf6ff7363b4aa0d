"""Wrong calls: each gets one sentence that says what the argument is and what it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru import GRU, LSTM, Stack, decode

if TYPE_CHECKING:
    from collections.abc import Callable

CELL = LSTM(3, 3)
KEY = jax.random.key(0)
PARAMS = {"cell": CELL.init(KEY), "embedding": jax.random.normal(KEY, (5, 3))}
STATE = CELL.initial_state((2,))
PROMPT = np.array([[1, 2], [3, 4]], np.int32)


def step(params: Any, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
    state, y = CELL.step(params["cell"], state, params["embedding"][tokens])
    return state, y @ params["embedding"].T


@dataclass
class Loose:
    """A dataclass that is not frozen, and so has no hash."""

    def step(self, params: Any, state: Any, tokens: jax.Array) -> Any: ...

    def __call__(self, tokens: jax.Array, count: jax.Array) -> Any: ...


class Reader:
    """A class, where a value of it is meant."""

    def step(self, params: Any, state: Any, tokens: jax.Array) -> Any: ...


def greedy(
    model: Any = step, params: Any = PARAMS, state: Any = STATE, prompt: Any = PROMPT, **options: Any
) -> decode.Decoded:
    return decode.greedy(model, params, state, prompt, **{"steps": 3, **options})


def sample(key: Any = KEY, **options: Any) -> decode.Decoded:
    return decode.sample(step, PARAMS, STATE, PROMPT, key, **{"steps": 3, **options})


def beams(model: Any = step, **options: Any) -> decode.Beams:
    return decode.beam_search(model, PARAMS, STATE, PROMPT, **{"steps": 3, "beams": 2, **options})


def returning(change: Callable[[Any, jax.Array], Any]) -> Callable[..., Any]:
    """The step, with a change to what it returns."""
    return lambda params, state, tokens: change(*step(params, state, tokens))


CALLS = [
    # The model.
    (lambda: greedy(3), TypeError, "model must have step(params, state, tokens), or be that function, got 3"),
    (
        lambda: greedy(Reader),
        TypeError,
        (
            "model must have step(params, state, tokens), or be that function, got <class "
            f"'{Reader.__module__}.Reader'>"
        ),
    ),
    (lambda: greedy(Loose()), TypeError, "model must be hashable, such as a frozen dataclass, got Loose()"),
    # What its step returns.
    (
        lambda: greedy(returning(lambda state, logits: [state, logits])),
        TypeError,
        "step must return a pair (state, logits), got a list",
    ),
    (
        lambda: greedy(returning(lambda state, logits: (*state, logits))),
        TypeError,
        "step must return a pair (state, logits), got a tuple of 3",
    ),
    (
        lambda: greedy(returning(lambda state, logits: (state, logits.argmax(-1)))),
        TypeError,
        "the logits of step must have a floating dtype, got int32",
    ),
    (
        lambda: greedy(returning(lambda state, logits: (state, logits[None]))),
        ValueError,
        "the logits of step must have shape (2, V) for tokens (2,), got (1, 2, 5)",
    ),
    (
        lambda: greedy(returning(lambda state, logits: (state, logits.T))),
        ValueError,
        "the logits of step must have shape (2, V) for tokens (2,), got (5, 2)",
    ),
    (
        lambda: greedy(returning(lambda state, logits: (state._replace(c=state.c[:1]), logits))),
        ValueError,
        "the state of step.c must have shape (2, 3) as the one it takes, got (1, 3)",
    ),
    (
        lambda: greedy(
            returning(lambda state, logits: (state._replace(h=state.h.astype(jnp.bfloat16)), logits))
        ),
        TypeError,
        "the state of step.h must be float32 as the one it takes, got bfloat16",
    ),
    (
        lambda: greedy(returning(lambda state, logits: ((state.h,), logits))),
        ValueError,
        (
            "step must return (state, logits), with a state of the structure that it takes, "
            "PyTreeDef(CustomNode(namedtuple[LSTMState], [*, *])), got PyTreeDef((*,))"
        ),
    ),
    (
        lambda: beams(returning(lambda state, logits: (state, logits[:, :1])), end=None),
        ValueError,
        "prompt must hold tokens in [0, 1), as the logits of step; prompt[0, 0] is 1",
    ),
    (
        lambda: decode.beam_search(
            lambda p, s, t: (s, jnp.zeros((*t.shape, 1))), (), (), [[0, 0]], steps=3, beams=2
        ),
        ValueError,
        "the logits of step must be of 2 tokens at least for beam_search, got 1",
    ),
    (
        lambda: greedy(Stack([GRU(3, 4)])),
        TypeError,
        (
            "model must step over tokens, and Stack([GRU(3, 4)]) reads vectors: give a function that embeds tokens, "
            "takes its step, and returns the state and logits"
        ),
    ),
    # Parameters and state.
    (
        lambda: greedy(params={**PARAMS, "scale": 2.0}),
        TypeError,
        "params['scale'] must be an array of JAX or NumPy, got float",
    ),
    (lambda: greedy(state=3.0), TypeError, "state must be an array of JAX or NumPy, got float"),
    (
        lambda: greedy(state=CELL.initial_state(())),
        ValueError,
        (
            "state.h must have shape (2, …), with the batch axes of prompt (2, 2), whose first axis is time, "
            "got (3,)"
        ),
    ),
    (
        lambda: greedy(state=STATE._replace(c=jnp.zeros((3, 2)))),
        ValueError,
        (
            "state.c must have shape (2, …), with the batch axes of prompt (2, 2), whose first axis is time, "
            "got (3, 2)"
        ),
    ),
    # Prompts.
    (lambda: greedy(prompt=PROMPT * 1.0), TypeError, "prompt must be integers, got float32"),
    (lambda: greedy(prompt=PROMPT > 1), TypeError, "prompt must be integers, got bool"),
    (
        lambda: greedy(prompt=1),
        ValueError,
        "prompt must have shape (P, *B) with P at least 1, the token that everything starts with, got ()",
    ),
    (
        lambda: greedy(prompt=PROMPT[:0]),
        ValueError,
        "prompt must have shape (P, *B) with P at least 1, the token that everything starts with, got (0, 2)",
    ),
    (
        lambda: greedy(prompt=PROMPT + 1),
        ValueError,
        "prompt must hold tokens in [0, 5), as the logits of step; prompt[1, 1] is 5",
    ),
    (
        lambda: greedy(prompt=-PROMPT, lengths=np.array([1, 1])),
        ValueError,
        "prompt must hold tokens in [0, 5), as the logits of step; prompt[0, 0] is -1",
    ),
    (lambda: greedy(lengths=np.array([1.0, 2.0])), TypeError, "lengths must be integers, got float32"),
    (
        lambda: greedy(lengths=np.array([1])),
        ValueError,
        "lengths must have shape (2,) like the batch axes of prompt, got (1,)",
    ),
    (
        lambda: greedy(lengths=np.array([1, 3])),
        ValueError,
        "lengths must lie in [1, 2], the tokens of prompt; lengths[1] is 3",
    ),
    (
        lambda: greedy(lengths=np.array([1, 0])),
        ValueError,
        "lengths must lie in [1, 2], the tokens of prompt; lengths[1] is 0",
    ),
    # When to end.
    (lambda: greedy(steps=True), TypeError, "steps must be an int, got True of type bool"),
    (lambda: beams(steps=3.0), TypeError, "steps must be an int, got 3.0 of type float"),
    (lambda: sample(steps=0), ValueError, "steps must be at least 1, got 0"),
    (
        lambda: jax.jit(lambda steps: greedy(steps=steps))(3),
        TypeError,
        "steps is traced, but decides what is compiled: close over it, or name it in static_argnames of jax.jit",
    ),
    (lambda: greedy(end=5), ValueError, "end must be a token in [0, 5), as the logits of step, got 5"),
    (lambda: beams(end=-1), ValueError, "end must be a token in [0, 5), as the logits of step, got -1"),
    (lambda: sample(end=2.0), TypeError, "end must be None or an int, got 2.0 of type float"),
    (lambda: sample(end=False), TypeError, "end must be None or an int, got False of type bool"),
    (lambda: greedy(stop=3), TypeError, "stop must be None or a function of (tokens, count), got 3"),
    (
        lambda: greedy(stop=Loose()),
        TypeError,
        "stop must be hashable, such as a frozen dataclass, got Loose()",
    ),
    (
        lambda: greedy(stop=lambda tokens, count: tokens[0]),
        TypeError,
        "the result of stop must be bool, got int32",
    ),
    (
        lambda: greedy(stop=lambda tokens, count: (tokens == 3).any()),
        ValueError,
        "the result of stop must have shape (2,) like the batch axes of prompt, got ()",
    ),
    # Drawing.
    (lambda: sample(None), TypeError, "key must be a PRNG key such as jax.random.key(0), got None"),
    (lambda: sample(0), TypeError, "key must be a PRNG key such as jax.random.key(0), got 0"),
    (
        lambda: sample(temperature=-1),
        ValueError,
        "temperature must be a finite number of at least 0, got -1",
    ),
    (
        lambda: sample(temperature=np.nan),
        ValueError,
        "temperature must be a finite number of at least 0, got nan",
    ),
    (
        lambda: sample(temperature=float("inf")),
        ValueError,
        "temperature must be a finite number of at least 0, got inf",
    ),
    (
        lambda: sample(temperature="hot"),
        TypeError,
        "temperature must be a finite number of at least 0, got 'hot'",
    ),
    (
        lambda: sample(temperature=None),
        TypeError,
        "temperature must be a finite number of at least 0, got None",
    ),
    (
        lambda: sample(temperature=np.ones(2)),
        TypeError,
        "temperature must be a finite number of at least 0, got array([1., 1.])",
    ),
    (lambda: sample(top_k=0), ValueError, "top_k must be None or an int of at least 1, got 0"),
    (lambda: sample(top_k=2.0), TypeError, "top_k must be None or an int of at least 1, got 2.0"),
    (lambda: sample(top_k=True), TypeError, "top_k must be None or an int of at least 1, got True"),
    (lambda: sample(top_p=0), ValueError, "top_p must be None or a number in (0, 1], got 0"),
    (lambda: sample(top_p=1.5), ValueError, "top_p must be None or a number in (0, 1], got 1.5"),
    (
        lambda: decode.restrict(jnp.ones(3), top_p=np.nan),
        ValueError,
        "top_p must be None or a number in (0, 1], got nan",
    ),
    (lambda: decode.restrict(jnp.float32(1)), ValueError, "logits must have shape (…, V), got ()"),
    (
        lambda: decode.restrict(jnp.arange(3)),
        TypeError,
        "logits must have a floating dtype, got int32; convert it, e.g. logits.astype(jnp.float32)",
    ),
    # Beams.
    (lambda: beams(beams=0), ValueError, "beams must be at least 1, got 0"),
    (lambda: beams(beams=2.0), TypeError, "beams must be an int, got 2.0 of type float"),
    (
        lambda: beams(length_penalty=np.nan),
        ValueError,
        "length_penalty must be a number in [-10, 10], got nan",
    ),
    (
        lambda: beams(length_penalty=None),
        TypeError,
        "length_penalty must be a number in [-10, 10], got None",
    ),
    # A model of vectors is no model of tokens.
    (
        lambda: greedy(GRU(3, 5), GRU(3, 5).init(KEY), jnp.zeros((2, 5))),
        TypeError,
        (
            "model must step over tokens, and GRU(3, 5) reads vectors: give a function that embeds tokens, takes its "
            "step, and returns the state and logits"
        ),
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), CALLS, ids=[message[:40] for _, _, message in CALLS])
def test_message(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_the_same_messages_under_jit() -> None:
    """Shapes and dtypes are checked while tracing; what only numbers tell is not."""
    with pytest.raises(
        ValueError, match=r"^state\.h must have shape \(2, …\), with the batch axes of prompt"
    ):
        jax.jit(lambda state: greedy(state=state))(CELL.initial_state(()))
    with pytest.raises(TypeError, match=r"^top_k must be None or an int of at least 1, got "):
        jax.eval_shape(lambda top_k: sample(top_k=top_k), 2.0)
    jax.eval_shape(lambda top_p: sample(top_p=top_p), 7.0)
