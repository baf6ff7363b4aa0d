"""What the names of files say, a pattern such as `{label}_{speaker}_{take}`, and which of them are for what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from jaxgru.data import DataError
from jaxgru.data.labelled import Example, drawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FIELD = re.compile(r"\{([a-z_]+)\}")
RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
MOST = 100_000  # values that a rule may name


@dataclass(frozen=True)
class Pattern:
    """How files are named below a folder, without their ending: words in braces are fields, all else is itself.

    A field ends at the sign that follows it, and at a slash. One of them is `label`, the class.

    Args:
      text: the pattern.

    Raises:
      ValueError: there is no label, a field twice, or nothing between two.

    Example:
      >>> Pattern("{label}/{speaker}_nohash_{take}").fields("yes/004ae714_nohash_0")
      {'label': 'yes', 'speaker': '004ae714', 'take': '0'}
      >>> Pattern("{label}_{take}").fields("yes") is None
      True
    """

    text: str

    def __post_init__(self) -> None:
        """Refuses a pattern that does not tell its fields apart."""
        names = self.names
        if "label" not in names:
            raise ValueError(f"{self.text!r} has no {{label}}, the class of a file")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{self.text!r} has {{{name}}} twice")
        literals = FIELD.split(self.text)[::2]
        if not all(literals[1:-1]):
            raise ValueError(f"{self.text!r} has two fields with nothing between them")
        if "{" in "".join(literals) or "}" in "".join(literals):
            raise ValueError(f"{self.text!r} has a brace that is no field; a field is {{small_letters}}")

    @property
    def names(self) -> list[str]:
        """The fields, in order."""
        return FIELD.findall(self.text)

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """What matches such names. As no field holds the sign that ends it, nothing is tried twice."""
        *parts, last = FIELD.split(self.text)
        found = ""
        for literal, name, after in zip(parts[::2], parts[1::2], [*parts[2::2], last], strict=True):
            found += re.escape(literal) + f"(?P<{name}>[^/{re.escape(after[:1])}]+)"
        return re.compile(found + re.escape(last))

    def fields(self, name: str) -> dict[str, str] | None:
        """The fields of a name; None if the pattern does not fit it."""
        match = self.expression.fullmatch(name)
        return match.groupdict() if match else None


@dataclass(frozen=True)
class Rule:
    """Which files are meant: those whose field has one of some values.

    Args:
      field: of a pattern.
      values: what it may be.

    Example:
      >>> Rule.of("take=0-2,7")
      Rule(field='take', values=('0', '1', '2', '7'))
      >>> Rule.of("take=0-2,7").covers({"label": "yes", "take": "1"})
      True
    """

    field: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Rule:
        """A rule as it is written: a field, =, and values between commas; 3-5 means 3, 4 and 5.

        Raises:
          ValueError: it is not written so.
        """
        field, _, words = text.partition("=")
        values: list[str] = []
        for word in words.split(","):
            ends = RANGE.fullmatch(word.strip())
            first, last = map(int, ends.groups()) if ends else (0, -1)
            if not word.strip() or (ends and not first <= last < first + MOST):
                raise ValueError(
                    f"{text!r} is no rule; write a field and its values, such as take=0-4 or speaker=ann,bob"
                )
            values += map(str, range(first, last + 1)) if ends else [word.strip()]
        return cls(field.strip(), tuple(values))

    def covers(self, fields: Mapping[str, str]) -> bool:
        """Whether a file with such fields is meant.

        Raises:
          DataError: it has no such field.
        """
        if self.field not in fields:
            raise DataError(f"no field is named {self.field}; there are {', '.join(fields)}")
        return fields[self.field] in self.values


class Record(NamedTuple):
    """A .wav file: where it stands, and what its name says."""

    path: Path
    fields: dict[str, str]

    @property
    def label(self) -> str:
        """The class."""
        return self.fields["label"]


@dataclass(frozen=True)
class Split:
    """How utterances are split: by shares of each class, or by what the names of the files say.

    Args:
      validation: the share of the training utterances that chooses.
      test: the share of all that is scored, where no file is for that.
      validation_rule: which files choose, in place of a share; None for no rule.
      test_rule: which files are scored, likewise.
      apart: a field such as speaker: the files of one value of it are never in two parts; "" for none.
    """

    validation: float
    test: float
    validation_rule: Rule | None = None
    test_rule: Rule | None = None
    apart: str = ""

    def rules(self) -> dict[str, str]:
        """What only the names of files can tell, by the options that ask for it."""
        asked = {
            "test_where": self.test_rule.field if self.test_rule else "",
            "validation_where": self.validation_rule.field if self.validation_rule else "",
            "apart": self.apart,
        }
        return {name: asked_field for name, asked_field in asked.items() if asked_field}

    def __call__(self, records: Sequence[Record]) -> dict[str, list[Record]]:
        """The files for train, validation and test.

        Raises:
          DataError: a share is no whole group, or a rule puts a group into two parts.
        """
        rest, test = self.taken(records, self.test, self.test_rule, "test")
        train, validation = self.taken(rest, self.validation, self.validation_rule, "validation")
        parts = {"train": train, "validation": validation, "test": test}
        if self.apart:
            homes: dict[str, str] = {}
            for name, part in parts.items():
                for record in part:
                    group = record.fields[self.apart]
                    if (home := homes.setdefault(group, name)) != name:
                        raise DataError(
                            f"{self.apart} {group} is in {home} and in {name}, and should be in one"
                        )
        return parts

    def taken(
        self, records: Sequence[Record], share: float, rule: Rule | None, part: str
    ) -> tuple[list[Record], list[Record]]:
        """What is left of some files, and what was taken for a part."""
        if rule is not None:
            meant = [rule.covers(record.fields) for record in records]
            found = [record for record, is_meant in zip(records, meant, strict=True) if is_meant]
            return [record for record, is_meant in zip(records, meant, strict=True) if not is_meant], found
        if not self.apart:
            return drawn(records, share)
        groups = sorted({record.fields[self.apart] for record in records})
        _, chosen = drawn([Example("", (group,)) for group in groups], share)
        names = {group for _, (group,) in chosen}
        if not names:
            mend = f"raise data.{part}, or name some in data.{part}_where"
            raise DataError(
                f"{len(groups)} values of {self.apart}, of which a share of {share} is none; {mend}"
            )
        sides: tuple[list[Record], list[Record]] = [], []
        for record in records:
            sides[record.fields[self.apart] in names].append(record)
        return sides
