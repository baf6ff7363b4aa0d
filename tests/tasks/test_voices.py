"""Voices are drawn from exactly the choices they may make, and a Markov model counts what it should."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru.tasks.composition.markov import Markov, per_step
from jaxgru.tasks.composition.voices import MOST, draw_free, draw_voices, ranges_of
from tests.cases import quick_jit
from tests.data.scores import chorale

RANGES = [[2, 5], [1, 4], [0, 3]]


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_voices_are_drawn_as_their_odds_say(temperature: float) -> None:
    """Against all choices, written down one by one."""
    logits = np.array([0.3, -1.0, 0.8, 0.1, -0.4, 1.2])
    odds = {}
    for keys in itertools.product(range(6), repeat=3):
        inside = all(low <= key <= high for key, (low, high) in zip(keys, RANGES, strict=True))
        if inside and keys[0] > keys[1] > keys[2]:
            odds[keys] = np.exp(sum(logits[key] for key in keys) / temperature)
    total = sum(odds.values())
    count = 20_000
    draw = quick_jit(
        jax.vmap(lambda key: draw_voices(jnp.array(logits), jnp.array(RANGES), temperature, key))
    )
    drawn = [tuple(keys) for keys in np.asarray(draw(jax.random.split(jax.random.key(0), count))).tolist()]
    assert {*drawn} == {*odds}
    for keys, of in odds.items():
        p = of / total
        assert drawn.count(keys) / count == pytest.approx(p, abs=5 * np.sqrt(p / count))


def test_extreme_logits_still_give_voices_in_their_ranges() -> None:
    for scale in (0.0, 1e6, -1e6):
        logits = scale * jax.random.normal(jax.random.key(1), (6,))
        keys = np.asarray(draw_voices(logits, jnp.array(RANGES), 0.01, jax.random.key(2)))
        assert (np.diff(keys) < 0).all()
        assert all(low <= key <= high for key, (low, high) in zip(keys, RANGES, strict=True))


def test_free_keys_are_drawn_one_by_one() -> None:
    logits = jnp.array([-2.0, 0.0, 3.0])
    draw = jax.vmap(lambda key: draw_free(logits, 0.5, key))
    share = np.asarray(draw(jax.random.split(jax.random.key(0), 4000))).mean(0)
    np.testing.assert_allclose(share, jax.nn.sigmoid(logits / 0.5), atol=0.04)


def test_ranges_are_those_of_training() -> None:
    roll = chorale(np.random.default_rng(0), 400)
    roll = roll[roll.sum(1) == 4]
    roll[7, 87] = 1  # five keys at once are no four voices
    ranges = ranges_of([roll])
    assert len(ranges) == MOST
    assert [bool(each) for each in ranges] == [False, False, False, True, True, False, False, False]
    four = np.nonzero(roll[roll.sum(1) == 4])[1].reshape(-1, 4)
    assert ranges[3] == [[low, high] for low, high in zip(four.min(0)[::-1], four.max(0)[::-1], strict=True)]
    assert ranges[3][0][1] < 87


class TestMarkov:
    def test_it_is_a_distribution_over_each_note(self) -> None:
        rng = np.random.default_rng(0)
        model = Markov.count([chorale(rng, 30) for _ in range(5)])
        total = 0.0
        for step in itertools.product((0, 1), repeat=2):
            odds = np.exp(-Markov(model.odds[:, 40:42]).nats(np.array([[1, 0], step]))[1])
            total += odds
        assert total == pytest.approx(1)

    def test_it_counts_what_came_before(self) -> None:
        model = Markov.count([np.array([[1], [1], [1], [0]]), np.array([[0], [1]])])
        np.testing.assert_allclose(model.odds[:, 0], [1.5 / 2, 2.5 / 4, 1.5 / 3])
        costs = model.nats(np.array([[1], [0], [1]]))
        np.testing.assert_allclose(costs, -np.log([1.5 / 3, 1.5 / 4, 1.5 / 2]))

    def test_it_gains_from_what_it_knows(self) -> None:
        rng = np.random.default_rng(0)
        rolls = [chorale(rng, 60) for _ in range(20)]
        model = Markov.count(rolls[:15])
        knowing = per_step(model.nats(roll) for roll in rolls[15:])["nll"]
        share = np.concatenate(rolls[:15]).mean(0).clip(1e-3, 1 - 1e-3)
        blind = -(
            np.concatenate(rolls[15:]) * np.log(share) + (1 - np.concatenate(rolls[15:])) * np.log(1 - share)
        )
        assert knowing < 0.6 * blind.sum(1).mean()

    def test_a_note_never_heard_is_not_impossible(self) -> None:
        model = Markov.count([np.zeros((3, 2), np.uint8)])
        assert np.isfinite(model.nats(np.ones((3, 2), np.uint8))).all()
