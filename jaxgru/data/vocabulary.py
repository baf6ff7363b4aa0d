"""Vocabulary: which numbers stand for the characters of a text."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

NO_CHARACTER = np.uint32(0xFFFFFFFF)


class Vocabulary:
    """The characters of a text, each with its number, and one number more for every character not among them.

    A character that is not among them is coded as `unknown`. A score counts it as that symbol, at the
    probability the model gives it, which is small, for training never shows one.

    Args:
      characters: the characters in any order, repeats allowed: usually the training split.

    Example:
      >>> vocabulary = Vocabulary("abracadabra")
      >>> len(vocabulary), vocabulary.unknown
      (6, 5)
      >>> vocabulary.encode("cab?")
      array([2, 0, 1, 5], dtype=int32)
      >>> vocabulary.decode([2, 0, 1])
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
