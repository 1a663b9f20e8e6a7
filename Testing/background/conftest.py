"""Tests of the background process on real MRML and without Qt: an empty scene for each, no C++ error unnoticed."""

from __future__ import annotations

from standin.application import start
from standin.fixtures import scene, vtk_errors

__all__ = ["scene", "vtk_errors"]

# At import: test files say `import slicer` at their top, and must get the completed one.
start()
