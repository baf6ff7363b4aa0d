"""Time warping: distances are those of the definition, the nearest is the nearest, and its cost is bounded."""

import numpy as np
import pytest

from jaxgru.data.channels import Scaler
from jaxgru.tasks.classification import dtw, summaries
from jaxgru.tasks.classification.summaries import Part, baselines


def sequences(count: int, rng: np.random.Generator, channels: int = 3) -> list[np.ndarray]:
    return [rng.normal(size=(rng.integers(1, 12), channels)).astype(np.float32) for _ in range(count)]


def by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Entry by entry."""
    table = np.full((len(x) + 1, len(y) + 1), np.inf)
    table[0, 0] = 0
    for t in range(len(x)):
        for u in range(len(y)):
            least = min(table[t, u], table[t + 1, u], table[t, u + 1])
            table[t + 1, u + 1] = ((x[t].astype(np.float64) - y[u]) ** 2).sum() + least
    return float(table[-1, -1])


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_distances_are_those_of_the_definition(offset: float) -> None:
    """Also where differences are small beside the numbers."""
    rng = np.random.default_rng(0)
    references = [each + np.float32(offset) for each in sequences(30, rng)]
    queries = [each + np.float32(offset) for each in sequences(6, rng)]
    for rows, frames, lengths in dtw.blocks(references):
        for query in queries:
            found = dtw.distances(query, frames, lengths)
            wanted = [by_definition(query, references[row]) for row in rows]
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_padding_is_invisible() -> None:
    rng = np.random.default_rng(1)
    references, (query,) = sequences(9, rng), sequences(1, rng)
    ((_, frames, lengths),) = dtw.blocks(references)
    poisoned = frames.copy()
    for row, length in enumerate(lengths):
        poisoned[:, length:, row] = 1e9
    np.testing.assert_allclose(dtw.distances(query, poisoned, lengths), dtw.distances(query, frames, lengths))


def test_the_nearest_is_found_across_blocks_and_the_first_of_equals(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    references, queries = sequences(40, rng), sequences(25, rng)
    references[30] = queries[4] = references[11]
    references[20] = np.repeat(references[11], 2, 0)  # a slower one is as near
    wanted = [np.argmin([by_definition(query, each) for each in references]) for query in queries]
    for places, rows in ((60, 3), (1, 64), (10**6, 1)):
        monkeypatch.setattr(dtw, "PLACES", places)
        monkeypatch.setattr(dtw, "ROWS", rows)
        np.testing.assert_array_equal(dtw.nearest(queries, references), wanted)
    assert wanted[4] == 11


def test_references_are_thinned_class_by_class() -> None:
    labels = np.array([0] * 100 + [1] * 30 + [2])
    lengths = np.full(131, 10)
    kept, stride = dtw.affordable(labels, lengths, asked=1000, cells=1310 * 1000)
    assert (len(kept), stride) == (131, 1)
    kept, stride = dtw.affordable(labels, lengths, asked=1000, cells=131 * 1000)
    assert np.bincount(labels[kept]).tolist() == [10, 3, 1]
    assert kept[:10].tolist() == list(range(0, 100, 10))
    assert stride == 2  # one of a class weighs more than its share
    kept, stride = dtw.affordable(labels, lengths, asked=1000, cells=1200)
    assert (np.bincount(labels[kept]).tolist(), stride) == ([1, 1, 1], 5)


@pytest.mark.parametrize("stride", [1, 2, 3, 7])
def test_frames_are_averaged(stride: int) -> None:
    frames = np.random.default_rng(0).normal(size=(7, 2))
    wanted = [frames[start : start + stride].mean(0) for start in range(0, 7, stride)]
    np.testing.assert_allclose(dtw.thinned(frames, stride), wanted)


def make_part(count: int, rng: np.random.Generator) -> Part:
    """Two classes: one is higher in the mean, as long as the other."""
    labels = np.arange(count) % 2
    frames = [rng.normal(label, 0.3, (rng.integers(4, 9), 2)).astype(np.float32) for label in labels]
    return Part(frames, labels)


def test_methods_tell_what_levels_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    train, validation, test = (make_part(count, rng) for count in (20, 8, 12))
    scaler = Scaler.fit(train.frames)
    found = baselines(train, validation, test, 2, scaler)
    assert [*found] == [
        "1-NN DTW, channels scaled",
        "1-NN DTW, channels as they are",
        "logistic regression on means and deviations",
    ]
    for said in found.values():
        np.testing.assert_array_equal(said, test.labels)
    monkeypatch.setattr(dtw, "affordable", lambda *_: (np.array([0, 1]), 3))
    assert (
        next(iter(baselines(train, validation, test, 2, scaler)))
        == "1-NN DTW, 2 of 28 neighbours, means of 3 frames, channels scaled"
    )


def test_labels_of_the_test_are_not_looked_at() -> None:
    rng = np.random.default_rng(4)
    train, validation, test = (make_part(count, rng) for count in (20, 8, 12))
    scaler = Scaler.fit(train.frames)
    other = baselines(train, validation, test._replace(labels=test.labels[::-1]), 2, scaler)
    for name, said in baselines(train, validation, test, 2, scaler).items():
        np.testing.assert_array_equal(said, other[name])


def test_a_summary_has_means_and_deviations() -> None:
    frames = np.random.default_rng(5).normal(size=(7, 3))
    np.testing.assert_allclose(summaries.summaries([frames])[0], [*frames.mean(0), *frames.std(0)])
