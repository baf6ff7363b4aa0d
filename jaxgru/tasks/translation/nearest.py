"""A translation memory: the translation of the most similar text that is known, as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxgru.data.tokens import JOINER, tokens
from jaxgru.data.vocabulary import Words
from jaxgru.tasks.classification.tfidf import TFIDF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxgru.data.parallel import Pair

LETTERS = 3  # of the pieces of words that are compared along with the words


def features(text: str) -> list[str]:
    """What a text is compared by: its words in lower case, and their letters in threes.

    Example:
      >>> features("Save as")
      ['save', 'as', '^sa', 'sav', 'ave', 've$', '^as', 'as$']
    """
    words = [word.strip(JOINER) for word in tokens(text.lower())]
    edged = [f"^{word}$" for word in words]
    threes = [word[at : at + LETTERS] for word in edged for at in range(len(word) - LETTERS + 1)]
    return words + threes


def nearest(train: Sequence[Pair], sources: Sequence[str]) -> list[str]:
    """The translation of the training text that is most similar to each text, whatever else the text says.

        argmax over training texts t of cos(TFIDF(text), TFIDF(t))

    over words and their letters in threes. It is what copying alone reaches, and what a model has to surpass.

    Args:
      train: the pairs that the memory holds; of equally similar ones the first is taken.
      sources: texts.

    Returns:
      One translation for each text; "" for a text that has nothing in common with any.

    Raises:
      ValueError: there is no pair to train on.

    Example:
      >>> from jaxgru.data.parallel import Pair
      >>> memory = [Pair("Open the file", "Datei öffnen"), Pair("Close", "Schließen")]
      >>> nearest(memory, ["open a file", "closed", "?"])
      ['Datei öffnen', 'Schließen', '']

    Cost: the sum over texts of how many training texts have each of their words; never more memory at once than
      the training texts' words and one number for each of the texts.
    """
    if not train:
        raise ValueError("train must hold at least one pair, got none")
    if not sources:
        return []
    known = [features(source) for source, _ in train]
    words = Words.of(known)
    encoded = [words.encode(text) for text in known]
    weigh = TFIDF.fit(encoded, words.unknown)
    memory, asked = weigh(encoded), weigh([words.encode(features(text)) for text in sources])
    order = np.argsort(memory.columns, kind="stable")
    rows, values = memory.rows[order], memory.values[order]
    starts = np.searchsorted(memory.columns, np.arange(words.unknown + 1), sorter=order)
    scores = np.zeros(len(train), np.float32)
    found = []
    for row in range(asked.height):
        scores[:] = 0
        for at in range(*np.searchsorted(asked.rows, (row, row + 1))):
            place = slice(*starts[asked.columns[at] : asked.columns[at] + 2])
            scores[rows[place]] += asked.values[at] * values[place]
        best = int(scores.argmax())
        found.append(train[best].target if scores[best] > 0 else "")
    return found
