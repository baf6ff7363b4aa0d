"""A translation memory: what is most alike is found, as a plain computation finds it."""

import numpy as np
import pytest

from jaxgru.data.parallel import Pair
from jaxgru.data.vocabulary import Words
from jaxgru.tasks.classification.tfidf import TFIDF
from jaxgru.tasks.translation.nearest import features, nearest

MEMORY = [Pair("Open the file", "0"), Pair("Close the file", "1"), Pair("Close", "2"), Pair("close", "3")]


def test_known_texts_are_found_again() -> None:
    assert nearest(MEMORY, [pair.source for pair in MEMORY]) == ["0", "1", "2", "2"]


def test_words_count_whatever_their_order_and_case() -> None:
    assert nearest(MEMORY, ["FILE open", '"the" file, closed']) == ["0", "1"]


def test_letters_count_where_words_differ() -> None:
    assert nearest(MEMORY, ["opening"]) == ["0"]


def test_what_is_like_nothing_has_no_translation() -> None:
    assert nearest(MEMORY, ["?", "", "ähnlich"]) == ["", "", ""]
    assert nearest(MEMORY, []) == []


@pytest.mark.parametrize("sources", [[], ["open"]])
def test_a_memory_of_nothing_is_refused(sources: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^train must hold at least one pair, got none$"):
        nearest([], sources)


def test_the_largest_cosine_wins() -> None:
    """Against dense vectors, on random words."""
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(list("abcdefgh"), draw.integers(1, 9))) for _ in range(80)]
    train, asked = [Pair(text, str(at)) for at, text in enumerate(texts[:60])], texts[60:]
    words = Words.of([features(text) for text in texts[:60]])
    encoded = [words.encode(features(text)) for text in texts]
    weigh = TFIDF.fit(encoded[:60], words.unknown)
    dense = np.zeros((80, len(words)))
    sparse = weigh(encoded)
    dense[sparse.rows, sparse.columns] = sparse.values
    cosines = dense[60:] @ dense[:60].T
    for row, said in zip(cosines, nearest(train, asked), strict=True):
        np.testing.assert_allclose(row[int(said)], row.max(), rtol=1e-5)


def test_targets_are_not_looked_at() -> None:
    swapped = [Pair(source, target + "!") for source, target in MEMORY]
    assert nearest(swapped, ["open", "closing file"]) == [
        said + "!" for said in nearest(MEMORY, ["open", "closing file"])
    ]
