"""Set-up shared by the tests."""

from collections.abc import Iterator

import hypothesis
import pytest

from tests.cases import double

# No deadline, because an example may compile; the same examples each time, so that CI keeps to its word.
hypothesis.settings.register_profile("jaxgru", deadline=None, derandomize=True, max_examples=8)
hypothesis.settings.load_profile("jaxgru")


@pytest.fixture
def x64() -> Iterator[None]:
    """JAX with float64 for one test."""
    with double():
        yield
