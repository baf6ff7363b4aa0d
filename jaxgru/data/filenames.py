"""What the names of files say, a pattern such as `{label}_{speaker}_{take}`, and which of them are for what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from jaxgru.data import DataError
from jaxgru.data.labelled import Example, drawn, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FIELD = re.compile(r"\{([a-z_]+)\}")
RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
MOST = 100_000  # values that a rule may name
SHOWN = 5  # values of a field that a message names


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
      values: what it may be, of which each is the value of some file.

    Example:
      >>> Rule.of("take=0-2,7")
      Rule(field='take', values=('0', '1', '2', '7'))
      >>> Rule.of("take=08-10").values
      ('08', '09', '10')
    """

    field: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Rule:
        """A rule as it is written: a field, =, and values between commas; 3-5 means 3, 4 and 5.

        Where an end of a range begins with 0, all of its values have as many digits as that.

        Raises:
          ValueError: it is not written so, or names too many values.
        """
        field, _, words = text.partition("=")
        values: list[str] = []
        for word in words.split(","):
            ends = RANGE.fullmatch(word.strip())
            first, last = ends.groups() if ends else ("", "")
            if not word.strip() or (ends and int(first) > int(last)):
                raise ValueError(
                    f"{text!r} is no rule; write a field and its values, such as take=0-4 or speaker=ann,bob"
                )
            if ends and len(values) + int(last) - int(first) >= MOST:
                raise ValueError(f"{short(text)} names more than {MOST} values")
            width = max(len(end) if end.startswith("0") else 0 for end in (first, last))
            numbers = range(int(first), int(last) + 1) if ends else ()
            values += [str(number).zfill(width) for number in numbers] or [word.strip()]
        return cls(field.strip(), tuple(values))

    def meant(self, records: Sequence[Record]) -> set[Path]:
        """Which files are meant, of some whose names have the field.

        Raises:
          DataError: a value is that of none of them.
        """
        there = {record.fields[self.field] for record in records}
        for value in self.values:
            if value not in there:
                some = ", ".join([*sorted(there)[:SHOWN], *["…"] * (len(there) > SHOWN)])
                raise DataError(
                    f"no file has {short(f'{self.field}={value}')}; {self.field} is one of {some}"
                )
        wanted = {*self.values}
        return {record.path for record in records if record.fields[self.field] in wanted}


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
          DataError: a share is no whole group, or a rule names a value that no file has, or puts a group into
            two parts.
        """
        rules = {"test": self.test_rule, "validation": self.validation_rule}
        ruled = {part: chosen(records, rule, part) for part, rule in rules.items() if rule}
        rest, test = self.taken(records, self.test, ruled, "test")
        train, validation = self.taken(rest, self.validation, ruled, "validation")
        if self.validation_rule and not validation:
            raise DataError("the test has all files that data.validation_where names")
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
        self, records: Sequence[Record], share: float, ruled: Mapping[str, set[Path]], part: str
    ) -> tuple[list[Record], list[Record]]:
        """What is left of some files, and what was taken for a part: by its rule, or a share."""
        sides: tuple[list[Record], list[Record]] = [], []
        if part in ruled:
            for record in records:
                sides[record.path in ruled[part]].append(record)
            return sides
        if not self.apart:
            return drawn(records, share)
        groups = sorted({record.fields[self.apart] for record in records})
        _, taken = drawn([Example("", (group,)) for group in groups], share)
        names = {group for _, (group,) in taken}
        if not names:
            mend = f"raise data.{part}, or name some in data.{part}_where"
            raise DataError(
                f"{len(groups)} values of {self.apart}, of which a share of {share} is none; {mend}"
            )
        for record in records:
            sides[record.fields[self.apart] in names].append(record)
        return sides


def chosen(records: Sequence[Record], rule: Rule, part: str) -> set[Path]:
    """The files that the rule for a part means.

    Raises:
      DataError: the rule names a value that no file has.
    """
    try:
        return rule.meant(records)
    except DataError as error:
        raise DataError(f"data.{part}_where: {error}") from None
