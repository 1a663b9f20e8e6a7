"""Fixtures of every layer that runs on real MRML; a conftest imports the ones it wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from standin.vtk_errors import VtkErrors
from standin.vtk_errors import vtk_errors as collector


@pytest.fixture(autouse=True)
def vtk_errors() -> Iterator[VtkErrors]:
    """Fails the test when VTK or MRML reported an error; ``vtk_errors.expected("words")`` allows one."""
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
    from standin.rendering import close_added_views

    close_added_views()
    slicer.mrmlScene.Clear(0)
    return slicer.mrmlScene
