"""Tests of the background process on real MRML and without Qt: an empty scene for each, no C++ error unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from standin.application import start
from standin.vtk_errors import VtkErrors
from standin.vtk_errors import vtk_errors as collector

# At import: test files say `import slicer` at their top, and must get the completed one.
start()


@pytest.fixture(autouse=True)
def vtk_errors() -> Iterator[VtkErrors]:
    """Fails the test when VTK or MRML reported an error."""
    errors = collector()
    errors.take()
    yield errors
    messages = errors.take()
    if messages:
        pytest.fail("VTK reported errors:\n" + "\n".join(messages), pytrace=False)


@pytest.fixture(autouse=True)
def scene(vtk_errors: VtkErrors) -> Any:  # noqa: ARG001 (set up before, so that clearing is watched, too)
    """The scene, empty but for Slicer's singletons."""
    import slicer

    slicer.mrmlScene.Clear(0)
    return slicer.mrmlScene
