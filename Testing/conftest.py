"""What all tests share: a run in which a test was skipped has failed.

A skip that nobody sees is a layer of tests that is gone. Someone who knows why a test cannot run on
their machine says so with ``PETKINETICS_ALLOW_SKIPS=1``.
"""

from __future__ import annotations

import os

import pytest

# As the program does: BLAS's threads on matrices of a few numbers wait for each other, awake. On a busy
# machine of two cores that made tests thirty times slower. Read when numpy is imported, so set before.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

ALLOW = "PETKINETICS_ALLOW_SKIPS"


def _skipped(session: pytest.Session) -> int:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter is not None else 0


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail the run for skipped tests; with xdist in the process that gathers the reports."""
    if exitstatus == pytest.ExitCode.OK and _skipped(session) and os.environ.get(ALLOW) != "1":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why."""
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped and os.environ.get(ALLOW) != "1":
        terminalreporter.section("skipped tests fail the run", red=True)
        terminalreporter.line(f"{skipped} skipped (listed below); {ALLOW}=1 accepts that.")
