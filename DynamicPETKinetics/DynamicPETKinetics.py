"""DynamicPETKinetics: Ki and V0 maps from dynamic PET, in 3D Slicer.

The module as Slicer sees it, kept thin: ``DynamicPETKineticsLib`` translates between scene and engine, and
``petkinetics`` does the work, in a process of its own.
"""

from typing import Annotated

import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLSequenceNode

#: where users read more; also what the extension's description names
HOMEPAGE = "https://github.com/DynamicPETKinetics/SlicerDynamicPETKinetics"


class DynamicPETKinetics(ScriptedLoadableModule):
    """What the module is called, where it stands, and who made it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Dynamic PET Kinetics")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Nuclear Medicine")]
        # PythonQt gives lists back as tuples: nothing can be added to them.
        parent.dependencies = [
            *("Colors", "Plots", "SegmentEditor", "Segmentations", "Sequences"),
            *("SubjectHierarchy", "Tables", "Texts", "Volumes"),
        ]
        parent.contributors = ["The DynamicPETKinetics developers"]
        about = _(
            "Shows how fast tissue traps FDG: maps of the Patlak slope Ki and intercept V0 from a dynamic PET series "
            "and the blood curve of the aorta, with statistics of regions, Bland-Altman agreement and DICOM export. "
            "For research, not for diagnosis."
        )
        parent.helpText = f'{about} <a href="{HOMEPAGE}">{HOMEPAGE}</a>'
        parent.acknowledgementText = _(
            "The methods follow published work; the documentation names the sources of every equation."
        )
        slicer.app.startupCompleted.connect(register_sample_data)
        slicer.app.startupCompleted.connect(remove_leftovers)


def register_sample_data():
    """Offer the simulated patient in Slicer's Sample Data module: made on this computer, not downloaded."""
    from DynamicPETKineticsLib.runs.sample_data import register

    register()


def remove_leftovers():
    """Remove what a session that crashed has left in the temporary folder: it holds a patient's images."""
    from DynamicPETKineticsLib.panel.qt_services import temp_folders

    temp_folders().remove_stale()


@parameterNodeWrapper
class DynamicPETKineticsParameterNode:
    """What the user chose; saved with the scene.

    sequence - the dynamic PET series.
    anatomy - volume under the maps.
    inputSource - the blood curve comes from the "aorta" or from a "file".
    inputSegmentation, inputSegment - where the aorta is drawn, and the ID of its segment.
    inputFile - table of a blood curve.
    plasmaKind - how plasma follows from whole blood: "none", "ratio" or "haematocrit".
    method - name of the estimator.
    tStar, until - minutes from injection; 0 for the default and for the end of the scan.
    tStarAuto - choose t* from the curves.
    mask - estimate in the "body" or everywhere ("none").
    device - where learned methods compute.
    glucose, lumpedConstant - for MRglc; glucose 0 leaves it out (mmol/L).
    map - name of the shown map ("ki").
    opacity - of the map, per cent.
    legend - show its colours with values and unit.
    beside - show SUV beside it.
    regions - segmentation that is measured.
    """

    sequence: vtkMRMLSequenceNode
    anatomy: vtkMRMLScalarVolumeNode
    inputSource: Annotated[str, Choice(["aorta", "file"])] = "aorta"
    inputSegmentation: vtkMRMLSegmentationNode
    inputSegment: str = ""
    inputFile: str = ""
    plasmaKind: Annotated[str, Choice(["none", "ratio", "haematocrit"])] = "none"
    plasmaRatio: Annotated[float, WithinRange(0.5, 2.5)] = 1.1
    haematocrit: Annotated[float, WithinRange(0.15, 0.75)] = 0.42
    method: str = "patlak"
    tStar: float = 0.0
    until: float = 0.0
    tStarAuto: bool = False
    mask: Annotated[str, Choice(["body", "none"])] = "body"
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])] = "auto"
    glucose: float = 0.0
    lumpedConstant: Annotated[float, WithinRange(0.1, 2.0)] = 0.65
    map: str = "ki"
    opacity: Annotated[float, WithinRange(0.0, 100.0)] = 60.0
    legend: bool = True
    beside: bool = True
    regions: vtkMRMLSegmentationNode


class DynamicPETKineticsWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Mounts the panel and tells it when scene and module come and go."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self._state = None
        self._bound = None

    def setup(self):
        """Called once, when the module is first opened."""
        from DynamicPETKineticsLib.panel.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        root = slicer.util.loadUI(self.resourcePath("UI/DynamicPETKinetics.ui"))
        self.layout.addWidget(root)
        self.ui = slicer.util.childWidgetVariables(root)
        root.setMRMLScene(slicer.mrmlScene)
        self.logic = DynamicPETKineticsLogic()
        self.panel = Panel(self.ui, self.logic.services())
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._on_scene_start_close)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._on_scene_end_close)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._on_scene_end_import)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.panel.on_node_removed)
        slicer.app.aboutToQuit.connect(self._on_quit)
        self._use_state(self.logic.getParameterNode())

    def enter(self):
        """Called each time the module is opened."""
        self._use_state(self.logic.getParameterNode())
        self.panel.enter()

    def exit(self):
        """Called each time another module is opened; runs go on."""
        self.panel.leave()

    def cleanup(self):
        """Called before the widget is destroyed or reloaded."""
        slicer.app.aboutToQuit.disconnect(self._on_quit)
        if self.panel is not None:
            self._use_state(None)
            self.logic.shutdown()
        self.removeObservers()

    def _use_state(self, state, imported=False):
        old = self._state
        if not imported and state is not None and old is not None and state.parameterNode is old.parameterNode:
            return
        if old is not None:
            old.disconnectGui(self._bound)
            self.removeObserver(old.parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.update_from_state)
        self._state = state
        if state is not None:
            self._bound = state.connectGui(self.ui)
            self.addObserver(state.parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.update_from_state)
        self.panel.use(state, imported)

    def _on_scene_start_close(self, _caller=None, _event=None):
        self._use_state(None)

    def _on_scene_end_close(self, _caller=None, _event=None):
        if self.parent.isEntered:
            self._use_state(self.logic.getParameterNode())

    def _on_scene_end_import(self, _caller=None, _event=None):
        # While a scene is read its parameter node refers to nodes that are not there yet, and the wrapper keeps
        # what it found until the node is modified: another wrapper reads anew.
        if self._state is not None:
            self._use_state(self.logic.getParameterNode(), imported=True)

    def _on_quit(self):
        self.panel.close()
        self.logic.shutdown()


class DynamicPETKineticsLogic(ScriptedLoadableModuleLogic):
    """The module without its panel, for scripts and tests; the background process and its folders."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self._services = None

    def getParameterNode(self):
        """The parameter node, one a scene."""
        return DynamicPETKineticsParameterNode(super().getParameterNode())

    def services(self):
        """What runs need: ticks and processes of Qt, and temporary folders (leftovers of a crash are removed)."""
        if self._services is None:
            from DynamicPETKineticsLib.panel.qt_services import qt_services

            self._services = qt_services()
        return self._services

    def shutdown(self):
        """Stop what runs and remove temporary folders."""
        if self._services is not None:
            self._services.shutdown()
            self._services = None


class DynamicPETKineticsTest(ScriptedLoadableModuleTest):
    """The whole workflow in a real Slicer: simulated patient, aorta, Ki, regions, export, reading back."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run every test."""
        self.setUp()
        self.test_workflow()

    def test_workflow(self):
        """From the sample button to exported DICOM, as a person would click it."""
        from DynamicPETKineticsLib.panel.self_test import run_workflow

        run_workflow(self)
        self.delayDisplay(_("The whole workflow passed"))
