"""Names of files: patterns and rules say what they mean, and splits by them keep groups in one part."""

from collections import Counter
from pathlib import Path

import pytest

from jaxgru.data import DataError
from jaxgru.data.filenames import Pattern, Record, Rule, Split


def records(speakers: str = "abcde", takes: int = 10) -> list[Record]:
    return [
        Record(Path(f"{label}_{speaker}_{take}.wav"), {"label": label, "speaker": speaker, "take": str(take)})
        for label in ("yes", "no")
        for speaker in speakers
        for take in range(takes)
    ]


def values(part: list[Record], field: str) -> set[str]:
    return {record.fields[field] for record in part}


@pytest.mark.parametrize(
    ("pattern", "name", "fields"),
    [
        ("{label}/{take}", "yes/a_b.c", {"label": "yes", "take": "a_b.c"}),
        ("{label}/{take}", "yes/deeper/a", None),
        ("{label}/{take}", "yes", None),
        ("{label}_{speaker}_{take}", "3_ann_12", {"label": "3", "speaker": "ann", "take": "12"}),
        ("{label}_{speaker}_{take}", "3_ann", None),
        ("{label}_{speaker}_{take}", "3_ann_12_b", {"label": "3", "speaker": "ann", "take": "12_b"}),
        ("rec-{speaker}/{label}", "rec-x/go", {"speaker": "x", "label": "go"}),
        ("rec-{speaker}/{label}", "recx/go", None),
        ("{label}", "up", {"label": "up"}),
        ("(.*){label}", "(.*)up", {"label": "up"}),
        ("{label}]{take}", "a]b", {"label": "a", "take": "b"}),
    ],
)
def test_a_pattern_takes_a_name_apart(pattern: str, name: str, fields: dict[str, str] | None) -> None:
    assert Pattern(pattern).fields(name) == fields


def test_a_long_name_is_tried_once() -> None:
    """Of a pattern with many fields, a name that almost fits would take centuries if every cut were tried."""
    pattern = Pattern("_".join("{" + name + "}" for name in ["label", *"abcdefghijklmnopqrst"]) + "!")
    assert pattern.fields("_".join("x" * 12 for _ in range(200))) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{speaker}_{take}", "'{speaker}_{take}' has no {label}, the class of a file"),
        ("{label}_{label}", "'{label}_{label}' has {label} twice"),
        ("{label}{take}", "'{label}{take}' has two fields with nothing between them"),
        ("{label}_{", "'{label}_{' has a brace that is no field; a field is {small_letters}"),
        ("{label}_{Take}", "'{label}_{Take}' has a brace that is no field; a field is {small_letters}"),
    ],
)
def test_a_pattern_that_tells_nothing_apart_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 the whole message is compared
        Pattern(text)
    assert str(error.value) == message


def test_a_rule_names_values_and_ranges() -> None:
    assert Rule.of("take=0-2, 9,a-b").values == ("0", "1", "2", "9", "a-b")
    meant = Rule.of("take=1,4").meant(records("a", 5))
    assert meant == {Path(f"{label}_a_{take}.wav") for label in ("yes", "no") for take in "14"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("take=08-11", ("08", "09", "10", "11")),
        ("take=00-2", ("00", "01", "02")),
        ("take=099-101", ("099", "100", "101")),
        ("take=9-010", ("009", "010")),
        ("take=007", ("007",)),
    ],
)
def test_a_range_keeps_its_leading_zeros(text: str, values: tuple[str, ...]) -> None:
    assert Rule.of(text).values == values


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ((None, "take=a-b"), "data.test_where: no file has 'take=a-b'; take is one of 0, 1, 2, 3, 4, …"),
        ((None, "take=8-10"), "data.test_where: no file has 'take=10'; take is one of 0, 1, 2, 3, 4, …"),
        (
            ("speaker=ann", "take=1"),
            "data.validation_where: no file has 'speaker=ann'; speaker is one of a, b",
        ),
    ],
)
def test_a_value_that_no_file_has_is_refused(rules: tuple[str | None, str], message: str) -> None:
    """It was meant to be somewhere: what it should have named would be trained on."""
    with pytest.raises(DataError) as error:
        Split(0.2, 0.2, *(Rule.of(rule) if rule else None for rule in rules))(records("ab"))
    assert str(error.value) == message


def test_a_rule_for_validation_may_name_what_the_test_took() -> None:
    parts = Split(0.2, 0.2, Rule.of("take=4-5"), Rule.of("take=0-4"))(records())
    assert [values(part, "take") for part in parts.values()] == [{*"6789"}, {"5"}, {*"01234"}]


def test_a_test_that_takes_all_of_validation_is_refused() -> None:
    with pytest.raises(DataError, match=r"^the test has all files that data\.validation_where names$"):
        Split(0.2, 0.2, Rule.of("take=4"), Rule.of("take=0-4"))(records())


def test_the_values_of_a_rule_are_bounded_together() -> None:
    assert len(Rule.of("take=1-60000,70001-110000").values) == 100_000
    text = "take=1-60000,70001-110001"
    for wide in (text, "take=0-999999999"):
        with pytest.raises(ValueError) as error:  # noqa: PT011 the whole message is compared
            Rule.of(wide)
        assert str(error.value) == f"{wide!r} names more than 100000 values"


@pytest.mark.parametrize("text", ["take", "take=", "take=1,,2", "take=5-3", " = "])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match="is no rule; write a field and its values, such as take=0-4"
    ) as error:
        Rule.of(text)
    assert repr(text) in str(error.value)


def test_rules_say_what_is_for_what() -> None:
    split = Split(0.2, 0.2, Rule.of("take=5"), Rule.of("take=0-4"))
    parts = split(records())
    assert {name: len(part) for name, part in parts.items()} == {"train": 40, "validation": 10, "test": 50}
    assert values(parts["test"], "take") == {"0", "1", "2", "3", "4"}
    assert values(parts["validation"], "take") == {"5"}


def test_shares_are_drawn_class_by_class() -> None:
    parts = Split(0.25, 0.2)(records())
    assert Counter(record.label for record in parts["test"]) == {"yes": 10, "no": 10}
    assert Counter(record.label for record in parts["validation"]) == {"yes": 10, "no": 10}
    assert sorted((each for part in parts.values() for each in part), key=str) == sorted(records(), key=str)


def test_speakers_stay_apart() -> None:
    parts = Split(0.25, 0.2, apart="speaker")(records())
    speakers = [values(part, "speaker") for part in parts.values()]
    assert [len(found) for found in speakers] == [3, 1, 1]
    assert set.union(*speakers) == {*"abcde"}
    assert sum(map(len, parts.values())) == 100


def test_the_default_shares_take_twelve_speakers() -> None:
    """As the tutorial says."""
    parts = Split(0.1, 0.2, apart="speaker")(records(speakers="abcdefghijkl"))
    assert [len(values(part, "speaker")) for part in parts.values()] == [9, 1, 2]
    with pytest.raises(DataError, match=r"^9 values of speaker, of which a share of 0.1 is none; raise "):
        Split(0.1, 0.2, apart="speaker")(records(speakers="abcdefghijk"))


def test_speakers_that_do_not_stay_apart_are_refused() -> None:
    with pytest.raises(DataError, match=r"^speaker a is in train and in test, and should be in one$"):
        Split(0.25, 0.2, None, Rule.of("take=0"), apart="speaker")(records(speakers="abcdef"))
    what = r"^2 values of speaker, of which a share of 0.2 is none; raise data.test, or name some in data.test_where$"
    with pytest.raises(DataError, match=what):
        Split(0.25, 0.2, apart="speaker")(records(speakers="ab"))
    parts = Split(0.5, 0.2, None, Rule.of("speaker=a"), apart="speaker")(records(speakers="abc"))
    assert [values(part, "speaker") for part in parts.values()] == [{"b"}, {"c"}, {"a"}]
