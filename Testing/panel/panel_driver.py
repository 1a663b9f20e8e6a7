"""A person in front of the panel: clicks, waits, reads what stands there. Nothing goes round the widgets."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import slicer
from background.bench import LAUNCHER
from DynamicPETKineticsLib.panel import export_box, input_step
from DynamicPETKineticsLib.panel.qt_process import QtProcess
from DynamicPETKineticsLib.results.result_nodes import ResultNodes, all_results
from DynamicPETKineticsLib.runs.sample_run import sample_folder, sample_job
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from standin.panel.events import process_events, slot_errors
from standin.panel.module_host import load_module, unload_module
from standin.vtk_errors import vtk_errors

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "DynamicPETKinetics" / "DynamicPETKinetics.py"
STEPS = ("seriesStep", "inputStep", "estimateStep", "reviewStep")
#: nothing here takes as long, on the busiest of machines
LONGEST_S = 180.0


class Launched(QtProcess):
    """A process behind a launcher that forwards no signals; *pid_file* tells the worker's number."""

    pid_file = Path()

    def start(self, program: str, arguments: Any, environment: Any) -> None:
        launched = {**environment, "CHILD_PID_FILE": str(self.pid_file)}
        super().start(sys.executable, ["-S", str(LAUNCHER), program, *arguments], launched)


class PanelDriver:
    """The module, opened. Close it with :meth:`close`.

    :param temporary: Slicer's folder for temporary files while the panel is open.
    """

    def __init__(self, temporary: Path, module_file: Path = MODULE) -> None:
        temporary.mkdir(parents=True, exist_ok=True)
        self.temporary = temporary
        # The layout outlives a scene.
        slicer.app.layoutManager().layout = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        self._patches = ExitStack()
        self._patches.enter_context(patch.object(slicer.app, "temporaryPath", str(temporary)))
        self._patches.enter_context(patch.object(Launched, "pid_file", temporary.with_name(temporary.name + ".pid")))
        self.module = load_module(module_file)
        begin = time.perf_counter()
        self.shown = self.module.widgetRepresentation()
        #: that making the panel took
        self.setup_s = time.perf_counter() - begin
        self.shown.enter()
        self.widget.panel.session.services.process = Launched
        process_events()

    def close(self) -> None:
        """What the application does when it quits."""
        unload_module(self.module)
        process_events()
        self._patches.close()

    # ------------------------------------------------------------------------------------ what there is

    @property
    def widget(self) -> Any:
        return self.shown.self()

    @property
    def ui(self) -> Any:
        return self.widget.ui

    @property
    def panel(self) -> Any:
        return self.widget.panel

    @property
    def session(self) -> Any:
        return self.panel.session

    @property
    def state(self) -> Any:
        return self.session.state

    @property
    def result(self) -> ResultNodes:
        return self.session.the_result

    @property
    def worker_pid(self) -> int:
        """Of the worker behind the launcher that was started last."""
        self.until(Launched.pid_file.exists, "the worker to start")
        self.until(lambda: bool(Launched.pid_file.read_text()), "the worker to start")
        return int(Launched.pid_file.read_text())

    def text(self, name: str) -> str:
        """What stands in a label; "" where it cannot be seen."""
        label = getattr(self.ui, name)
        return str(label.text) if self.visible(name) else ""

    def visible(self, name: str) -> bool:
        """Whether it can be seen; a step that is folded is opened to look."""
        widget = getattr(self.ui, name)
        step = widget
        while step is not None and step.objectName not in STEPS:
            step = step.parentWidget()
        if step is not None and step.collapsed:
            step.collapsed = False
            process_events()
        while widget is not None and widget.objectName not in STEPS:
            if widget.isHidden():
                return False
            widget = widget.parentWidget()
        return True

    def leftovers(self) -> list[str]:
        """What is in the temporary folder."""
        return sorted(path.name for path in self.temporary.iterdir())

    # ------------------------------------------------------------------------------------------ waiting

    def until(self, condition: Callable[[], bool], what: str, seconds: float = LONGEST_S) -> None:
        """Let Qt work until something is so."""
        try:
            process_events(condition, seconds)
        except TimeoutError:
            said = [self.text(name) for name in ("aortaStatusLabel", "runStatusLabel", "exportStatusLabel")]
            raise AssertionError(f"waited in vain for {what}; the panel says {said}") from None
        process_events()

    def settle(self, seconds: float = 0.3) -> None:
        """Let what a change has set off come to its end: the panel gathers the strokes of a moment."""
        end = time.monotonic() + seconds
        process_events(lambda: time.monotonic() > end, seconds + 5.0)
        process_events()

    def require_no_errors(self) -> None:
        """For what happens in fixtures that outlive a test: there were no errors in callbacks, nor in VTK."""
        errors = slot_errors().take()
        assert errors == [], errors
        errors = vtk_errors().take()
        assert errors == [], errors

    # ------------------------------------------------------------------------------------------ actions

    def click(self, name: str) -> None:
        """Press a button that can be seen and pressed."""
        button = getattr(self.ui, name)
        assert self.visible(name), f"{name} is not shown"
        assert button.enabled, f"{name} cannot be pressed: {button.toolTip}"
        button.click()
        process_events()

    def choose(self, name: str, data: Any) -> None:
        """Choose an entry of a combo box by its data or by its text."""
        combo = getattr(self.ui, name)
        found = [i for i in range(combo.count) if data in (combo.itemData(i), combo.itemText(i))]
        assert found, f"{name} does not offer {data}"
        combo.setCurrentIndex(found[0])
        process_events()

    def unfold(self, name: str) -> None:
        """Open a section."""
        getattr(self.ui, name).collapsed = False
        process_events()

    def load_patient(self) -> None:
        """Step 1: the simulated patient, at the press of its button."""
        self.click("sampleButton")
        self.until(lambda: self.state.sequence is not None, "the simulated patient")

    def take(self, sequence: DynamicSequence) -> None:
        """Step 1: choose a series that is in the scene."""
        self.ui.sequenceSelector.setCurrentNode(sequence.node)
        process_events()

    def find_aorta(self) -> None:
        """Step 2."""
        self.click("findAortaButton")
        self.until(lambda: not self.panel.input._search.running, "the aorta")
        assert self.session.blood is not None, self.text("aortaStatusLabel")

    def start(self, method: str = "patlak") -> None:
        """Step 3: press *Run*."""
        self.choose("methodCombo", method)
        self.click("runButton")
        assert self.panel.estimate.running, self.text("runStatusLabel")

    def end(self) -> str:
        """Wait for the end of the run; what the panel says then."""
        self.until(lambda: not self.panel.estimate.running, "the estimate")
        return self.text("runStatusLabel")

    def estimate(self, method: str = "patlak") -> ResultNodes:
        """Step 3, to its good end."""
        before = len(all_results())
        self.start(method)
        said = self.end()
        assert said.startswith("✓"), said
        assert len(all_results()) == before + 1
        return self.result

    def until_computing(self) -> None:
        """Wait until the worker of an estimate is well under way."""
        self.until(lambda: self.ui.progressBar.value > 150, "the worker to compute")

    def sphere(self, centre_ras: Any, diameter_mm: float = 12.0) -> None:
        """Step 4: a sphere at the crosshair, and the table that follows."""
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        crosshair.SetCrosshairRAS(*map(float, centre_ras))
        self.ui.sphereSpin.value = diameter_mm
        self.click("sphereButton")
        self.settle()

    @contextmanager
    def answering(self, folder: Path | None = None, file: Path | None = None) -> Iterator[None]:
        """What the person chooses in the file dialogs meanwhile; None closes a dialog."""
        with ExitStack() as patches:
            patches.enter_context(patch.object(export_box, "ask_folder", lambda _title: folder))
            patches.enter_context(patch.object(export_box, "ask_new_file", lambda *_: file))
            patches.enter_context(patch.object(input_step, "ask_file", lambda *_: file))
            patches.enter_context(patch.object(input_step, "ask_new_file", lambda *_: file))
            yield

    def export(self, button: str, folder: Path | None = None, file: Path | None = None) -> str:
        """Step 4: press a button of the export, answer its dialog, wait; what the panel says then."""
        with self.answering(folder, file):
            self.click(button)
        self.until(lambda: not self.panel.review.export.running, "the export")
        return self.text("exportStatusLabel")


# --------------------------------------------------------------------------------------------- the scene


def simulated_patient(cache: Path) -> Path:
    """The folder of the sample patient, simulated once for all processes of this run, where the panel looks for it."""
    cache.mkdir(exist_ok=True)
    slicer.mrmlScene.GetCacheManager().SetRemoteCacheDirectory(str(cache))
    folder = sample_folder()
    try:
        os.close(os.open(cache / "being-made", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        end = time.monotonic() + LONGEST_S
        while not (folder / "dicom").is_dir():
            assert time.monotonic() < end, "the other process did not make the patient"
            time.sleep(0.1)
    else:
        sample_job(folder).run()
    return folder


def lesion_centres(patient: Path, count: int = 2) -> list[tuple[float, float, float]]:
    """RAS of the middles of the largest lesions of a simulated patient."""
    from petkinetics.read.regions import read_regions

    regions = read_regions(str(patient / "lesions.nii.gz"))
    sizes = {label: int(np.count_nonzero(regions.labels == label)) for label in regions.label_values}
    centres = []
    for label in sorted(sizes, key=sizes.__getitem__, reverse=True)[:count]:
        k, j, i = (float(np.mean(index)) for index in np.nonzero(regions.labels == label))
        x, y, z, _one = regions.geometry.affine_lps @ [i, j, k, 1.0]
        centres.append((-float(x), -float(y), float(z)))
    return centres


def layers(below: bool = False) -> dict[str, tuple[Any, Any, float]]:
    """What each slice view shows: background, foreground, and the foreground's opacity.

    :param below: of the lower row, which Slicer names "Red+" and so on, not of the views that are always there.
    """
    found = {}
    for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if node.GetLayoutName().endswith("+") is not below:
            continue
        get = slicer.mrmlScene.GetNodeByID
        found[node.GetLayoutName()] = (
            get(node.GetBackgroundVolumeID() or ""),
            get(node.GetForegroundVolumeID() or ""),
            node.GetForegroundOpacity(),
        )
    return found
