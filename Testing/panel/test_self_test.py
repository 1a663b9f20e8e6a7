"""The self-test that Slicer runs, on the stand-in: with everything installed, and with what Slicer bundles only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: not among what Slicer 5.12 brings along
NOT_BUNDLED = ("torch", "safetensors", "matplotlib", "isal", "pylibjpeg", "libjpeg", "openjpeg", "jpeg_ls", "skimage")
SCRIPT = """
import sys
sys.path[:0] = [{testing!r}, {modules!r}]
from standin.panel import start
start()
sys.excepthook = sys.__excepthook__
from standin.panel.events import slot_errors
from standin.panel.module_host import load_module
import unittest
module = load_module({modules!r} + "/DynamicPETKinetics.py")
module.widgetRepresentation().enter()
import DynamicPETKinetics
suite = unittest.defaultTestLoader.loadTestsFromName("DynamicPETKineticsTest.test_workflow", DynamicPETKinetics)
result = unittest.TextTestRunner().run(suite)
errors = slot_errors().take()
print("errors in slots:", errors)
sys.exit(0 if result.wasSuccessful() and result.testsRun == 1 and not errors else 1)
"""


@pytest.mark.parametrize("bundled_only", [False, True], ids=["everything installed", "what Slicer bundles"])
def test_the_self_test_passes(bundled_only: bool, tmp_path: Path) -> None:
    """In a process of its own, whose background process finds the same packages."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "TMPDIR": str(tmp_path)}
    if bundled_only:
        blocked = tmp_path / "blocked"
        for name in NOT_BUNDLED:
            (blocked / name).mkdir(parents=True)
            (blocked / name / "__init__.py").write_text(f'raise ImportError("{name} is not bundled with Slicer")\n')
        environment["PYTHONPATH"] = str(blocked)
    script = SCRIPT.format(testing=str(ROOT / "Testing"), modules=str(ROOT / "DynamicPETKinetics"))
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    assert "Ran 1 test" in run.stderr
    left = [path.name for path in tmp_path.rglob("*") if path.name.startswith("DynamicPETKinetics-test-")]
    assert left == []
