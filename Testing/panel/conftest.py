"""Tests of the panel: Qt without a screen, an empty scene at the start of each test, no error unnoticed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from standin.fixtures import vtk_errors
from standin.panel import start
from standin.vtk_errors import VtkErrors

__all__ = ["vtk_errors"]

# At import: test files say `import qt` and `import slicer` at their top.
start()

from standin.panel.events import SlotErrors, process_events, slot_errors  # noqa: E402
from standin.panel.slicer_source import description  # noqa: E402


def pytest_report_header() -> str:
    """Say whether Slicer's own Python files run."""
    return description()


@pytest.fixture(autouse=True)
def qt_errors() -> Iterator[SlotErrors]:
    """Fails the test for an exception in a slot or a warning of Qt; ``qt_errors.take()`` accepts what there is."""
    errors = slot_errors()
    errors.take()
    yield errors
    messages = errors.take()
    if messages:
        pytest.fail("in Qt's callbacks:\n" + "\n".join(messages), pytrace=False)


@pytest.fixture(autouse=True)
def panel_app(vtk_errors: VtkErrors, qt_errors: SlotErrors) -> Iterator[Any]:  # noqa: ARG001 (they watch this one)
    """The QApplication, with an empty scene; windows of the test are deleted after it."""
    import slicer

    application = start()
    slicer.mrmlScene.Clear(0)
    yield application
    for widget in application.topLevelWidgets():
        widget.close()
        widget.deleteLater()
    process_events()
    slicer.mrmlScene.Clear(0)


@pytest.fixture
def main_window(panel_app: Any) -> Iterator[Any]:  # noqa: ARG001 (the application comes first)
    """A main window with a module selector; without this fixture there is none."""
    from standin.panel.main_window import main_window

    with main_window() as window:
        yield window


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated patient of the sample button: its folder, with DICOM series, truth and lesions."""
    from panel_driver import simulated_patient

    base = tmp_path_factory.getbasetemp()
    # Processes that share a run share the patient.
    return simulated_patient((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "sample-data")


@pytest.fixture
def driver(panel_app: Any, tmp_path: Path) -> Iterator[Any]:  # noqa: ARG001 (the panel is closed before the windows)
    """The panel over an empty scene."""
    from panel_driver import PanelDriver

    person = PanelDriver(tmp_path / "temporary")
    yield person
    person.close()
