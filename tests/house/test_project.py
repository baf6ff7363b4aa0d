"""The project's papers agree with each other and with the code."""

import re
import tomllib
from pathlib import Path

import pytest

import jaxgru

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMMANDS = ["pip install -e . && python train.py", 'pip install -e ".[dev]" && pytest']
SOURCES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("jaxgru/**/*.py"))
FILE_LINES = 320


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_has_the_command(command: str) -> None:
    assert command in read("README.md")


def test_the_version_is_one() -> None:
    assert jaxgru.__version__ == PROJECT["version"]
    assert f"## [{jaxgru.__version__}]" in read("CHANGELOG.md")


def test_the_oldest_environment_is_the_lower_bounds() -> None:
    pinned = re.findall(r"^\S+==\S+$", read(".ci/oldest.txt"), re.MULTILINE)
    assert pinned == [dependency.replace(">=", "==") for dependency in PROJECT["dependencies"]]


@pytest.mark.parametrize("name", jaxgru.__all__)
def test_a_public_name_is_documented(name: str) -> None:
    """By a docstring with an example, which the doctests run, and by an entry in the reference."""
    thing = getattr(jaxgru, name)
    if callable(thing) or isinstance(thing, type):
        assert ">>>" in (thing.__doc__ or ""), f"the docstring of jaxgru.{name} has no example"
    assert re.search(rf"jaxgru\.{name}\b", read("docs/reference.md"))


@pytest.mark.parametrize("path", SOURCES)
def test_a_file_is_one_idea(path: str) -> None:
    assert len(read(path).splitlines()) <= FILE_LINES
