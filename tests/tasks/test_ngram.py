"""The n-gram equals its definition, its probabilities sum to one, and what was never seen still has some."""

from collections import Counter

import numpy as np
import pytest

from jaxgru.tasks.language_models.ngram import DISCOUNTS, KneserNey

RANDOM = np.random.default_rng(0)
TRAIN = RANDOM.choice(4, size=200, p=[0.5, 0.3, 0.15, 0.05])
SYMBOLS = 5  # one of which training never shows


def oracle(train, context, symbol, order, discount):
    """p(symbol | context) as the equation says it, with dictionaries, from the longest context down."""

    def counts(length):
        grams = [tuple(train[i : i + length]) for i in range(len(train) - length + 1)]
        if length == order:
            return Counter(grams)
        preceded = {tuple(train[i - 1 : i + length]) for i in range(1, len(train) - length + 1)}
        return Counter(dict.fromkeys(grams, 0) | Counter(gram[1:] for gram in preceded))

    def p(context):
        shorter = 1 / SYMBOLS if not context else p(context[1:])
        after = {gram[-1]: n for gram, n in counts(len(context) + 1).items() if gram[:-1] == context}
        total = sum(after.values())
        if total == 0:
            return shorter
        followers = sum(n > 0 for n in after.values())
        return (max(after.get(symbol, 0) - discount, 0) + discount * followers * shorter) / total

    return p(tuple(context))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_equal_the_definition(order):
    text = RANDOM.choice(SYMBOLS, size=40)
    p = KneserNey.count(TRAIN, SYMBOLS, order=order).probabilities(text)
    expected = [oracle(TRAIN, text[max(0, i - order + 1) : i], text[i], order, 0.8) for i in range(len(text))]
    np.testing.assert_allclose(p, expected, rtol=1e-12)


def test_probabilities_of_all_symbols_sum_to_one():
    model = KneserNey.count(TRAIN, SYMBOLS)
    for _ in range(20):
        context = RANDOM.choice(SYMBOLS, size=4)
        p = [model.probabilities(np.append(context, symbol))[-1] for symbol in range(SYMBOLS)]
        assert min(p) > 0
        assert sum(p) == pytest.approx(1, abs=1e-12)


def test_bits_score_what_comes_after_the_context():
    model = KneserNey.count(TRAIN, SYMBOLS)
    for start in (0, 2, 50):
        expected = -np.log2(model.probabilities(TRAIN)[start:]).mean()
        assert model.bits(TRAIN, start) == pytest.approx(expected, rel=1e-12)


def test_tuning_finds_the_best_discount():
    held_out = RANDOM.choice(4, size=60)
    model = KneserNey.count(TRAIN, SYMBOLS)
    bits = {d: KneserNey(SYMBOLS, model.levels, d).bits(held_out) for d in DISCOUNTS}
    assert model.tune(held_out).discount == min(bits, key=bits.get)


def test_a_text_shorter_than_the_order_counts_what_it_has():
    p = KneserNey.count(np.array([1, 2]), SYMBOLS).probabilities(np.array([1, 2, 3]))
    assert p[1] > 1 / SYMBOLS > p[2] > 0


def test_many_symbols_count_like_few():
    """What a symbol's number is changes nothing, even where numbers to the fifth power would overflow."""
    few = RANDOM.integers(0, 9, size=300)
    many = few * 1_000_003
    p = KneserNey.count(many, 10_000_000).probabilities(many)
    np.testing.assert_array_equal(p, KneserNey.count(few, 10_000_000).probabilities(few))


WRONG = [
    ([0, 5], {}, "ids must lie in [0, 4], as symbols is 5; ids[1] is 5"),
    ([0, 1, -1], {}, "ids must lie in [0, 4], as symbols is 5; ids[2] is -1"),
    ([[0, 1]], {}, "ids must have one axis, got shape (1, 2)"),
    ([0.0, 1.0], {}, "ids must be integers, got float64"),
    ([True, False], {}, "ids must be integers, got bool"),
    ([0], {"symbols": 0}, "symbols must be at least 1, got 0"),
    ([0], {"symbols": -3}, "symbols must be at least 1, got -3"),
    ([0], {"symbols": 5.0}, "symbols must be an int, got 5.0 of type float"),
    ([0], {"order": 0}, "order must be at least 1, got 0"),
]


@pytest.mark.parametrize(("ids", "changes", "fault"), WRONG)
def test_what_cannot_be_counted_is_refused(ids, changes, fault):
    with pytest.raises((TypeError, ValueError)) as error:
        KneserNey.count(np.array(ids), **{"symbols": SYMBOLS} | changes)
    assert str(error.value) == fault


@pytest.mark.parametrize(("ids", "fault"), [(ids, fault) for ids, changes, fault in WRONG if not changes])
def test_what_cannot_be_scored_is_refused(ids, fault):
    with pytest.raises((TypeError, ValueError)) as error:
        KneserNey.count(TRAIN, SYMBOLS).probabilities(np.array(ids))
    assert str(error.value) == fault


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64])
def test_numbers_of_any_width_count_alike(dtype):
    p = KneserNey.count(TRAIN.astype(dtype), SYMBOLS).probabilities(TRAIN.astype(dtype))
    np.testing.assert_array_equal(p, KneserNey.count(TRAIN, SYMBOLS).probabilities(TRAIN))
