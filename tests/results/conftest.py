"""A place for `python -m jaxgru results`, which trains nothing there."""

import sys
from pathlib import Path

import pytest

from jaxgru.results import command
from tests.results.helpers import FAKE, MACHINE, Place, Said


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(command, "TRAIN", (sys.executable, "-c", FAKE))
    monkeypatch.setattr(command, "machine", lambda: MACHINE)
    return Place(tmp_path)


@pytest.fixture
def error(capsys: pytest.CaptureFixture[str]) -> Said:
    """What was said on stderr, one line of it."""

    def said() -> str:
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        return text.removeprefix("error: ").rstrip("\n")

    return said
