"""Vocabularies: which numbers stand for the characters, or for the words, of a text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

NO_CHARACTER = np.uint32(0xFFFFFFFF)


class Characters:
    """The characters of a text, each with its number, and one number more for every character not among them.

    A character that is not among them is coded as `unknown`. A score counts it as that symbol, at the
    probability the model gives it, which is small, for training never shows one.

    Args:
      characters: the characters in any order, repeats allowed: usually the training split.

    Example:
      >>> characters = Characters("abracadabra")
      >>> len(characters), characters.unknown
      (6, 5)
      >>> characters.encode("cab?")
      array([2, 0, 1, 5], dtype=int32)
      >>> characters.decode([2, 0, 1])
      'cab'
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = "".join(sorted(set(characters)))
        self._points = np.array([*map(ord, self.characters), NO_CHARACTER], dtype=np.uint32)

    @property
    def unknown(self) -> int:
        """The number of every character that is not in the vocabulary: the last one."""
        return len(self.characters)

    def __len__(self) -> int:
        """How many numbers there are, `unknown` among them."""
        return len(self.characters) + 1

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """The numbers (N,) of the N characters of a text."""
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        places = np.searchsorted(self._points, points)
        return np.where(self._points[places] == points, places, self.unknown).astype(np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some numbers; `unknown` becomes the replacement character."""
        return "".join((self.characters + "\N{REPLACEMENT CHARACTER}")[i] for i in ids)


class Words:
    """The words of some texts, each with its number, and one number more for every word not among them.

    Args:
      words: in the order of their numbers.

    Example:
      >>> words = Words.of([("oil", "rises"), ("oil", "falls")], at_least=2)
      >>> len(words), words.unknown, words.encode(["oil", "price"])
      (2, 1, array([0, 1], dtype=int32))
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = list(words)
        self._numbers = {word: number for number, word in enumerate(self.words)}

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], at_least: int = 1) -> Self:
        """The words that occur so often in some texts, the most frequent first."""
        counts = Counter(word for text in texts for word in text)
        frequent = [word for word, count in counts.items() if count >= at_least]
        return cls(sorted(frequent, key=lambda word: (-counts[word], word)))

    @property
    def unknown(self) -> int:
        """The number of every word that is not in the vocabulary: the last one."""
        return len(self.words)

    def __len__(self) -> int:
        """How many numbers there are, `unknown` among them."""
        return len(self.words) + 1

    def encode(self, text: Iterable[str]) -> npt.NDArray[np.int32]:
        """The numbers (N,) of the N words of a text."""
        return np.array([self._numbers.get(word, self.unknown) for word in text], np.int32)


def check_words(value: Any, *names: str) -> None:
    """Refuse what is not the lists of different words, by these names, that a task leaves in its run folder.

    Example:
      >>> check_words({"words": ["oil", "oil"]}, "words")
      Traceback (most recent call last):
      ValueError: vocabulary should be words, each a list of different strings
    """
    if not (
        isinstance(value, dict)
        and value.keys() == {*names}
        and all(isinstance(part, list) for part in value.values())
        and all(isinstance(word, str) for part in value.values() for word in part)
        and all(len({*part}) == len(part) for part in value.values())
    ):
        raise ValueError(f"vocabulary should be {' and '.join(names)}, each a list of different strings")
