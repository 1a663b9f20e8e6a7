"""The one scene of the process and the logics that make it behave as in Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vtk

import slicer
from standin.color_files import write_color_files

# In subject-hierarchy order of preference: the first class that a node is decides who owns its item.
SUBJECT_HIERARCHY_OWNERS = {
    "vtkMRMLLabelMapVolumeNode": "LabelMaps",
    "vtkMRMLVolumeNode": "Volumes",
    "vtkMRMLSegmentationNode": "Segmentations",
    "vtkMRMLMarkupsNode": "Markups",
    "vtkMRMLModelNode": "Models",
    "vtkMRMLTransformNode": "Transforms",
    "vtkMRMLTableNode": "Tables",
    "vtkMRMLTextNode": "Texts",
    "vtkMRMLPlotChartNode": "Charts",
    "vtkMRMLPlotSeriesNode": "PlotSeries",
    "vtkMRMLSequenceNode": "Sequences",
    "vtkMRMLSequenceBrowserNode": "SequenceBrowsers",
}

LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Models": "vtkSlicerModelsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Texts": "vtkSlicerTextsLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Data": "vtkSlicerDataModuleLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
}


# Below the home directory, as in an installed Slicer.
SHARE = "share/Slicer-5.13"


class SubjectHierarchy:
    """Gives every node that a Slicer plugin would own an item, and takes it away with the node."""

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        scene.AddObserver(scene.NodeAddedEvent, self._added)
        scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._removed)
        for event in (scene.EndImportEvent, scene.EndCloseEvent, scene.EndBatchProcessEvent):
            scene.AddObserver(event, self._resolve)

    @staticmethod
    def owner(node: Any) -> str:
        """Name of the plugin that would own the node's item, "" for none."""
        if node.GetHideFromEditors():
            return ""
        return next((owner for name, owner in SUBJECT_HIERARCHY_OWNERS.items() if node.IsA(name)), "")

    def _add(self, node: Any) -> None:
        hierarchy = self.scene.GetSubjectHierarchyNode()
        if self.owner(node) and not hierarchy.GetItemByDataNode(node):
            item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
            hierarchy.SetItemOwnerPluginName(item, self.owner(node))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _added(self, _caller: Any, _event: str, node: Any) -> None:
        if not (self.scene.IsImporting() or self.scene.IsClosing() or self.scene.IsBatchProcessing()):
            self._add(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _removed(self, _caller: Any, _event: str, node: Any) -> None:
        if self.scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = self.scene.GetSubjectHierarchyNode()
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)

    def _resolve(self, _caller: Any, _event: str) -> None:
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(self.scene)
        for index in range(self.scene.GetNumberOfNodes()):
            self._add(self.scene.GetNthNode(index))


class Scene:
    """Builds the scene once: application logic, data input and output, every module's logic, views."""

    def __init__(self, home: str, temporary_path: str) -> None:
        write_color_files(Path(home) / SHARE / "ColorFiles")
        self.scene = slicer.vtkMRMLScene()
        # Before anything else: code that observers call looks here.
        slicer.mrmlScene = self.scene
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self.application_logic.SetTemporaryPath(temporary_path)
        self.application_logic.SetHomeDirectory(home)
        self.application_logic.SetShareDirectory(SHARE)
        self._data_io(temporary_path)
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        self.application_logic.SetMRMLScene(self.scene)
        self.application_logic.SetMRMLSceneDataIO(self.scene, self.remote_io, self.data_io)
        self.subject_hierarchy = SubjectHierarchy(self.scene)
        self.logics = {module: self._logic(module, name) for module, name in LOGICS.items()}
        self.layout_logic = slicer.vtkMRMLLayoutLogic()
        self.layout_logic.SetMRMLApplicationLogic(self.application_logic)
        self.layout_logic.SetMRMLScene(self.scene)

    def _data_io(self, cache: str) -> None:
        """What reads and writes storage nodes; without it a scene can't be bundled."""
        self.remote_io = slicer.vtkMRMLRemoteIOLogic()
        self.remote_io.GetCacheManager().SetRemoteCacheDirectory(cache)
        self.data_io = slicer.vtkDataIOManagerLogic()
        self.data_io.SetMRMLApplicationLogic(self.application_logic)
        self.data_io.SetAndObserveDataIOManager(self.remote_io.GetDataIOManager())

    def _logic(self, module: str, name: str) -> Any:
        logic = getattr(slicer, name)()
        logic.SetMRMLApplicationLogic(self.application_logic)
        if module == "Colors":  # others ask for it while they get their scene
            self.application_logic.SetColorLogic(logic)
        logic.SetMRMLScene(self.scene)
        self.application_logic.SetModuleLogic(module, logic)
        return logic
