"""Dynamic evaluation: a model that goes on learning from what it has read is scored on what it has not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import optax
import pytest

from jaxgru.tasks.chars import METRIC, Chars
from jaxgru.tasks.language_models import language
from tests.cases import quick_jit
from tests.tasks.helpers import config_of

if TYPE_CHECKING:
    from pathlib import Path

    from jaxgru.training.config import Config

NAMES = "the cat and the dog saw it. " * 60 + "zelda and the zebra met. " * 20
RATE = 3e-3
DEFAULT = {
    "train": {"batch_size": 2},
    "data": {"window": 8, "validation": 0.1, "test": 0.2, "dynamic_rate": RATE},
    "model": {"embedding_size": 4, "hidden_size": 6, "layers": 1},
}


def make(folder: Path, text: str = NAMES, **tables: dict[str, Any]) -> Chars:
    path = folder / "text.txt"
    path.write_text(text)
    data = {"path": str(path), **tables.pop("data", {})}
    config: Config = config_of(Chars, DEFAULT, {"data": {**DEFAULT["data"], **data}, **tables})
    return Chars(config)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Chars:
    return make(tmp_path_factory.mktemp("dynamic"))


@pytest.fixture(scope="module")
def params(task: Chars) -> Any:
    return jax.jit(task.init)(jax.random.key(0))


def by_hand(task: Chars, params: Any, part: range) -> np.ndarray:
    """The bits of each symbol, by the equations, window after window."""

    def nats(params: Any, carry: Any, inputs: np.ndarray, targets: np.ndarray) -> Any:
        after, logits = task.model.apply(params, inputs, carry)
        costs = optax.softmax_cross_entropy_with_integer_labels(logits[:, 0], targets)
        return costs.mean(), (after, costs)

    derive = quick_jit(jax.grad(nats, has_aux=True))
    carry, found = task.blank(1), []
    squares = jax.tree.map(np.zeros_like, params)
    for n, start in enumerate(part[::8], 1):
        stop = min(start + 8, part.stop)
        gradient, (carry, costs) = derive(
            params, carry, task.ids[start - 1 : stop - 1, None], task.ids[start:stop]
        )
        squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, squares, gradient)
        unbiased = jax.tree.map(lambda v: v / (1 - 0.999**n), squares)  # noqa: B023 called here
        params = jax.tree.map(lambda p, g, v: p - RATE * g / (np.sqrt(v) + 1e-4), params, gradient, unbiased)
        found.append(costs)
    return np.concatenate(found) / math.log(2)


def test_it_is_what_the_equation_says(task: Chars, params: Any) -> None:
    part = task.split.test[:101]  # the last window has five symbols
    before = jax.tree.map(np.array, params)
    found = task.dynamic_bits(params, part)
    assert found.shape == (101,)
    np.testing.assert_allclose(found, by_hand(task, params, part), rtol=2e-4)
    jax.tree.map(np.testing.assert_array_equal, before, params)


def test_what_it_has_not_read_teaches_it_nothing(task: Chars, params: Any, tmp_path: Path) -> None:
    cut = task.split.test.start + 50
    other = make(tmp_path, NAMES[:cut] + NAMES[cut:][::-1])
    assert other.vocabulary == task.vocabulary
    here, there = (each.dynamic_bits(params, each.split.test) for each in (task, other))
    np.testing.assert_array_equal(here[:50], there[:50])
    assert not np.allclose(here[50:], there[50:])


def test_words_that_come_again_are_known_by_then(tmp_path: Path, params: Any) -> None:
    scores = make(tmp_path, data={"dynamic_rate": 0.03}).evaluate(params, "test")
    assert scores.keys() == {METRIC, f"dynamic_{METRIC}"}
    assert scores[f"dynamic_{METRIC}"] < 0.75 * scores[METRIC]


def test_a_rate_of_almost_nothing_is_the_score_that_stands_still(tmp_path: Path, params: Any) -> None:
    scores = make(tmp_path, data={"dynamic_rate": 1e-9}).evaluate(params, "test")
    assert scores[f"dynamic_{METRIC}"] == pytest.approx(scores[METRIC], rel=1e-5)


def test_without_a_rate_there_is_no_such_score(tmp_path: Path, params: Any) -> None:
    assert make(tmp_path, data={"dynamic_rate": 0.0}).evaluate(params, "test").keys() == {METRIC}


def test_it_compiles_once_for_all_splits(task: Chars, params: Any) -> None:
    task.evaluate(params, "validation")
    before = language._learn._cache_size()
    task.evaluate(params, "test")
    assert language._learn._cache_size() == before
