"""Pytest set-up for the library's doctests and the tests alike."""

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let CI find what an environment skips, run just that in a fuller one, and accept no skip there."""
    parser.addoption("--skipped-to", type=Path, metavar="FILE", help="write what was skipped to FILE")
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Skips(config), "skips")
    share_compilations(config)


def share_compilations(config: pytest.Config) -> None:
    """Let a program that was compiled be loaded where the same comes again; most of a test's time is compiling.

    That is JAX's own cache, in a folder of this session, so that nothing of an earlier one is loaded. What it gives
    is the machine code of the first time. Processes that tests start compile as a user's do.
    """
    folder = tempfile.TemporaryDirectory(prefix="jaxgru-compiled-")
    config.add_cleanup(folder.cleanup)
    jax.config.update("jax_compilation_cache_dir", folder.name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(autouse=True, scope="module")
def bounded_memory() -> Iterator[None]:
    """Let go of a module's programs at its end: thousands of them take gigabytes."""
    yield
    jax.clear_caches()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the doctests that need PyTorch, by name, where it is not installed."""
    if importlib.util.find_spec("torch"):
        return
    for item in items:
        if isinstance(item, pytest.DoctestItem) and item.name.startswith("jaxgru.interop.torch"):
            item.add_marker(pytest.mark.skip(reason='needs PyTorch: pip install -e ".[interop]"'))


class Skips:
    """Collects what was skipped: whole modules at collection, single tests at run time."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.names: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.names.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.names.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if path := self.config.getoption("--skipped-to"):
            path.write_text("".join(f"{name}\n" for name in self.names))
        if self.names and self.config.getoption("--no-skips") and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
