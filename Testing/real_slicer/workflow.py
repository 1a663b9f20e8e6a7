"""Inside a real Slicer: the self-test and the generic checks, with a picture of the main window after each step."""

from __future__ import annotations

import os
import time
import traceback
import unittest
from pathlib import Path

import slicer

FOLDER = Path(os.environ["DYNAMICPET_TEST_FOLDER"])


def picture(name: str) -> None:
    """The main window as it is now, as ``NAME.png``."""
    # Views are drawn in idle time.
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        slicer.app.processEvents()
    window = slicer.util.mainWindow()
    if window is not None:
        window.grab().save(str(FOLDER / f"{name.replace(' ', '_')}.png"))


class RealSlicer(unittest.TestCase):
    """What only the application can show."""

    def test_1_both_modules_are_loaded(self) -> None:
        self.assertTrue(hasattr(slicer.modules, "dynamicpetkinetics"))
        self.assertIn("DICOMDynamicPETPlugin", slicer.modules.dicomPlugins)

    def test_2_opening_the_module_imports_nothing_heavy(self) -> None:
        import sys

        slicer.util.selectModule("DynamicPETKinetics")
        self.assertFalse({"torch", "matplotlib", "highdicom"} & set(sys.modules))

    def test_3_the_whole_workflow(self) -> None:
        from DynamicPETKineticsLib.panel.self_test import run_workflow

        slicer.mrmlScene.Clear()
        run_workflow(self, picture)

    def test_4_the_scene_closes_with_the_module_open(self) -> None:
        slicer.mrmlScene.Clear()
        slicer.app.processEvents()
        self.assertIsNone(slicer.modules.dynamicpetkinetics.widgetRepresentation().self().panel.session.sequence)
        picture("8 scene closed")

    def test_5_the_module_reloads(self) -> None:
        slicer.util.reloadScriptedModule("DynamicPETKinetics")
        slicer.app.processEvents()
        picture("9 reloaded")


def main() -> None:
    """Run them, write the verdict, end Slicer."""
    slicer.util.mainWindow().resize(1560, 1120)
    try:
        result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(RealSlicer))
        failed = [f"{test}\n{text}" for test, text in (*result.failures, *result.errors)]
        verdict = f"passed: {result.testsRun} tests in Slicer {slicer.app.applicationVersion}"
        if failed:
            verdict = f"failed: {len(failed)} of {result.testsRun}\n" + "\n".join(failed)
    except BaseException:
        verdict = "failed:\n" + traceback.format_exc()
    (FOLDER / "verdict.txt").write_text(verdict + "\n", encoding="utf-8")
    slicer.util.exit(0 if verdict.startswith("passed") else 1)


main()
