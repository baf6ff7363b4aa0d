"""The words of a command line: options, names and assignments, and complaints of one line."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NoReturn

from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Raises instead of printing the usage."""
        raise UserError(f"{message} (see {self.prog} --help)")


def parser(name: str, words: str, description: str) -> Parser:
    """The parser of one command, which takes such words."""
    program = f"python -m jaxgru {name}"
    form = argparse.RawDescriptionHelpFormatter
    return Parser(program, f"{program} {words}", description, formatter_class=form, allow_abbrev=False)


def sort_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words and `key=value` assignments, apart.

    Example:
      >>> sort_words(["chars", "train.steps=3", "if x == 1"])
      (['chars', 'if x == 1'], ['train.steps=3'])
    """
    assignments = [word for word in words if re.match(r"[A-Za-z_][\w.]*=", word)]
    return [word for word in words if word not in assignments], assignments
