import jax
import pytest

from jaxgru.tasks import TASKS


@pytest.fixture
def linear(monkeypatch):
    """Makes the task `linear` known to the command line."""
    monkeypatch.setitem(TASKS, "linear", "tests.training.linear:Linear")


jax.devices()  # JAX has begun: a command line that runs in this process finds the devices as they are
