"""The Slicer side of DynamicPETKinetics: it translates between the scene and the engine.

Rooms, each importing only from those above it and from the engine: ``process`` (the background process),
``scene`` (series), ``regions`` (segments, curves, statistics), ``results`` (maps), ``runs`` (one run from the
scene and back), ``panel`` (what people see; the only room that imports qt).
"""

from __future__ import annotations

import sys
from pathlib import Path


def _take_own_engine() -> None:
    """Import the engine that lies beside this package.

    Slicer appends a module's folder to the path, so that a petkinetics that somebody installed into Slicer's
    Python would come first.
    """
    folder = str(Path(__file__).resolve().parents[1])
    sys.path.insert(0, folder)
    try:
        import petkinetics  # noqa: F401 (its modules are found in its own folder from now on)
    finally:
        sys.path.remove(folder)


_take_own_engine()
