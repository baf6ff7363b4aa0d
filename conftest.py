"""Pytest set-up for the library's doctests and the tests alike."""

import importlib.util
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let CI find what an environment skips, run just that in a fuller one, and accept no skip there."""
    parser.addoption("--skipped-to", type=Path, metavar="FILE", help="write what was skipped to FILE")
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Skips(config), "skips")


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
