"""A table that knows one data set more, a cache of its own, and a pip that reaches no network."""

from pathlib import Path

import pytest

from jaxgru.data import cache
from jaxgru.data.sources import SOURCES
from tests.data.door import TINY, FakePip, pack


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which is not there yet; the table knows the data set `tiny`."""
    path = tmp_path / "cache"
    monkeypatch.setenv(cache.VARIABLE, str(path))
    monkeypatch.setitem(SOURCES, "tiny", TINY)
    return path


@pytest.fixture
def fake(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """A pip that gives the right wheel."""
    fake = FakePip(tmp_path, monkeypatch)
    fake.gives(pack(tmp_path / "tiny_data-1.0-py3-none-any.whl"))
    return fake
