"""The whole workflow through the panel's own buttons: what Slicer's self-test and ``make test-slicer`` run."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import slicer
from DynamicPETKineticsLib.panel import export_box

#: a slow machine simulates the patient in this time
_LONGEST_S = 300.0


class Workflow:
    """Clicks through the four steps and checks what comes of each.

    :param test: a unittest.TestCase.
    :param shown: called with a name after each step: to take a picture, say.
    """

    def __init__(self, test: Any, shown: Callable[[str], None] = lambda _name: None) -> None:
        self.test, self.shown = test, shown
        if slicer.util.mainWindow() is not None:
            slicer.util.selectModule("DynamicPETKinetics")
        self.widget = slicer.modules.dynamicpetkinetics.widgetRepresentation().self()
        # Without a main window selecting a module opens nothing.
        self.widget.enter()
        self.ui, self.panel = self.widget.ui, self.widget.panel

    def run(self) -> None:
        """Everything, in a person's order."""
        self.shown("1 empty scene")
        self.load()
        self.find_aorta()
        self.estimate("patlak")
        self.look()
        self.shown("4 Ki over the late PET with SUV")
        self.estimate("gaussian")
        self.measure()
        self.compare()
        self.export()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Let Slicer work until something is so."""
        end = time.monotonic() + _LONGEST_S
        while not condition():
            self.test.assertLess(time.monotonic(), end, f"{what} took longer than {_LONGEST_S:.0f} s")
            slicer.app.processEvents()
            time.sleep(0.005)
        slicer.app.processEvents()

    def load(self) -> None:
        """Step 1: the simulated patient."""
        self.ui.sampleButton.click()
        self.wait(lambda: self.panel.session.sequence is not None, "simulating a patient")
        self.test.assertIn("28", self.panel.session.sequence.summary())
        self.test.assertFalse(self.panel.session.sequence.missing)
        self.shown("2 series loaded")

    def find_aorta(self) -> None:
        """Step 2: the proposed aorta gives a blood curve."""
        self.ui.findAortaButton.click()
        self.wait(lambda: self.panel.session.blood is not None, "finding the aorta")
        self.test.assertEqual(self.panel.session.blood.verdict.level, "good")
        self.shown("3 aorta found")

    def estimate(self, method: str) -> None:
        """Step 3: one method."""
        from DynamicPETKineticsLib.results.result_nodes import all_results

        before = len(all_results())
        combo = self.ui.methodCombo
        combo.setCurrentIndex(next(i for i in range(combo.count) if combo.itemData(i) == method))
        self.test.assertTrue(self.ui.runButton.enabled)
        self.ui.runButton.click()
        self.wait(lambda: not self.panel.estimate.running, f"estimating with {method}")
        self.test.assertEqual(len(all_results()), before + 1, str(self.ui.runStatusLabel.text))
        ki = self.panel.session.result.maps["ki"]
        self.test.assertIsNone(ki.GetStorageNode())
        self.test.assertGreater(float(slicer.util.arrayFromVolume(ki).max()), 0.0)

    def look(self) -> None:
        """Step 4: SUV in the lower row, unless somebody has arranged the views; a scale bar in every view."""
        from DynamicPETKineticsLib.results.beside import rows_are_shown, suv_of

        if slicer.util.mainWindow() is None:
            return
        self.test.assertEqual(rows_are_shown(), bool(self.ui.besideCheckBox.checked))
        suv = suv_of(self.panel.session.result).GetID()
        for layers in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if rows_are_shown() and layers.GetLayoutName().endswith("+"):
                self.test.assertEqual(layers.GetForegroundVolumeID(), suv)
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            self.test.assertNotEqual(view.GetRulerType(), view.RulerTypeNone)

    def measure(self) -> None:
        """Step 4: a sphere in the aorta's place has a row with a standard error."""
        from DynamicPETKineticsLib.regions.aorta_segment import aorta_centre_ras

        state = self.panel.session.state
        centre = aorta_centre_ras(state.inputSegmentation, state.inputSegment)
        assert centre is not None
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is None:
            crosshair = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCrosshairNode")
        crosshair.SetCrosshairRAS(*centre)
        self.ui.sphereButton.click()
        self.wait(lambda: bool(self.panel.review.regions.rows), "measuring the region")
        row = next(row for row in self.panel.review.regions.rows if row["map"] == "ki")
        self.test.assertGreater(row["se"], 0.0)
        self.shown("5 region measured")

    def compare(self) -> None:
        """Step 4: Bland-Altman of the two methods, and its plot."""
        from DynamicPETKineticsLib.regions.plot_nodes import plot_is_shown

        self.ui.agreementBox.collapsed = False
        box = self.panel.review.agreement
        self.wait(lambda: box.comparison is not None, "comparing the maps")
        self.test.assertGreater(box.comparison.agreements[0].absolute.n, 2)
        self.ui.agreementPlotButton.click()
        slicer.app.processEvents()
        self.shown("6 Bland-Altman")
        if plot_is_shown():
            self.ui.backButton.click()

    def export(self) -> None:
        """Step 4: DICOM files that say what they are."""
        import pydicom

        from DynamicPETKineticsLib.runs.sample_run import sample_folder

        folder = Path(tempfile.mkdtemp(prefix="DynamicPETKinetics-test-"))
        box = self.panel.review.export
        try:
            self._click(self.ui.exportButton, folder / "dicom")
            if not box.running:
                # Without a DICOM database nobody knows where the series lies: show it, as a person would.
                self.test.assertTrue(self.ui.locateButton.visible, str(self.ui.exportStatusLabel.text))
                self._click(self.ui.locateButton, sample_folder() / "dicom")
                self._click(self.ui.exportButton, folder / "dicom")
            self.wait(lambda: not box.running, "exporting")
            files = sorted((folder / "dicom").glob("*.dcm"))
            self.test.assertTrue(files, str(self.ui.exportStatusLabel.text))
            kinds = {pydicom.dcmread(file, stop_before_pixels=True).SOPClassUID.name for file in files}
            self.test.assertEqual(kinds, {"Parametric Map Storage"})
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.shown("7 exported")

    @staticmethod
    def _click(button: Any, answer: Path) -> None:
        """Click a button and answer its dialog with a folder."""
        with patch.object(export_box, "ask_folder", lambda _title: answer):
            button.click()


def run_workflow(test: Any, shown: Callable[[str], None] = lambda _name: None) -> None:
    """See :class:`Workflow`."""
    Workflow(test, shown).run()
