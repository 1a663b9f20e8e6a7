"""Tests on real MRML: one scene for the process, empty at the start of each test, no C++ error unnoticed."""

from __future__ import annotations

from standin.application import start
from standin.fixtures import scene, vtk_errors

__all__ = ["scene", "vtk_errors"]

# At import: test files say `import slicer` at their top, and must get the completed one.
start()
