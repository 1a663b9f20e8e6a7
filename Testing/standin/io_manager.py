"""Reading and writing of files as ``slicer.util.load…``/``save…`` ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vtk

import slicer

# Longest ending first, as Slicer prefers the reader that knows more of the name.
FILE_TYPES = (
    (("mrb", "mrml"), "SceneFile"),
    (("seq.nrrd", "seq.nhdr", "seq.mrb"), "SequenceFile"),
    (("seg.nrrd", "seg.nhdr", "seg.vtm"), "SegmentationFile"),
    (("mrk.json", "fcsv"), "MarkupsFile"),
    (("tsv", "csv"), "TableFile"),
    (("txt", "xml", "json"), "TextFile"),
    (("tfm", "h5"), "TransformFile"),
    (("vtk", "vtp", "stl", "ply", "obj"), "ModelFile"),
    (("ctbl", "cxml"), "ColorTableFile"),
    (("nrrd", "nhdr", "nii", "nii.gz", "mha", "mhd", "dcm"), "VolumeFile"),
)
# vtkSlicerVolumesLogic.LoadingOptions
VOLUME_OPTIONS = {"labelmap": 1, "center": 2, "singleFile": 4, "autoWindowLevel": 8, "discardOrientation": 16}
WRITER_TYPES = {
    "vtkMRMLSegmentationNode": "SegmentationFile",
    "vtkMRMLVolumeNode": "VolumeFile",
    "vtkMRMLSequenceNode": "SequenceFile",
    "vtkMRMLMarkupsNode": "MarkupsFile",
    "vtkMRMLTableNode": "TableFile",
    "vtkMRMLTextNode": "TextFile",
    "vtkMRMLTransformNode": "TransformFile",
    "vtkMRMLModelNode": "ModelFile",
    "vtkMRMLColorNode": "ColorTableFile",
}


class CoreIOManager:
    """``slicer.app.coreIOManager()`` and ``slicer.app.ioManager()``."""

    def __init__(self, scene: Any) -> None:
        self._scene, self._logics, self._application = scene.scene, scene.logics, scene.application_logic

    def fileType(self, file_name: Any) -> str:
        """Kind of reader for the file, "NoFile" when nothing reads it."""
        name = str(file_name).lower()
        for endings, kind in FILE_TYPES:
            if name.endswith(tuple(f".{ending}" for ending in endings)):
                return kind
        return "NoFile"

    def fileWriterFileType(self, node: Any, _format: str = "") -> str:
        """Kind of writer for the node."""
        return next((kind for name, kind in WRITER_TYPES.items() if node.IsA(name)), "NoFile")

    def registeredFileReaderCount(self, file_type: str) -> int:
        """0 or 1."""
        return int(file_type in {kind for _, kind in FILE_TYPES})

    @staticmethod
    def createAndAddDefaultStorageNode(node: Any) -> Any:
        """The node's storage node, made when it has none."""
        node.AddDefaultStorageNode()
        return node.GetStorageNode()

    def loadNodes(self, file_type: str, properties: dict[str, Any], loaded: Any = None, messages: Any = None) -> bool:
        """Read one file; `loaded` (vtkCollection) gets its nodes.

        Raises:
            TypeError: a property that Slicer could not turn into a QVariant, such as a Path.
        """
        for key, value in properties.items():
            if not isinstance(value, (str, bool, int, float, list)):
                raise TypeError(f"property {key}={value!r}: Qt takes str, bool, numbers and lists of them only")
        readers = {"SceneFile": self._read_scene, "VolumeFile": self._read_volume, "SequenceFile": self._read_sequence}
        messages = slicer.vtkMRMLMessageCollection() if messages is None else messages
        if not Path(properties["fileName"]).exists():
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"File does not exist: {properties['fileName']}")
            return False
        nodes = readers.get(file_type, self._read_other)(file_type, properties, messages)
        for node in nodes or ():
            if loaded is not None:
                loaded.AddItem(node)
        return nodes is not None

    def _read_scene(self, _type: str, properties: dict[str, Any], messages: Any) -> list[Any] | None:
        file, clear = properties["fileName"], bool(properties.get("clear", False))
        if file.lower().endswith(".mrb"):
            return [] if self._scene.ReadFromMRB(file, clear, messages) else None
        self._scene.SetURL(file)
        return [] if (self._scene.Connect(messages) if clear else self._scene.Import(messages)) else None

    def _read_volume(self, _type: str, properties: dict[str, Any], messages: Any) -> list[Any] | None:
        options = sum(bit for name, bit in VOLUME_OPTIONS.items() if properties.get(name))
        file = properties["fileName"]
        name = properties.get("name", Path(file).name.split(".")[0])
        files = None
        if "fileNames" in properties:
            files = vtk.vtkStringArray()
            for other in properties["fileNames"]:
                files.InsertNextValue(other)
        node = self._logics["Volumes"].AddArchetypeVolume(file, name, options, files, messages)
        return self._shown(node, node, properties) if node else None

    def _read_sequence(self, _type: str, properties: dict[str, Any], messages: Any) -> list[Any] | None:
        node = self._logics["Sequences"].AddSequence(properties["fileName"], messages)
        if node is None:
            return None
        if "name" in properties:
            node.SetName(self._scene.GetUniqueNameByString(properties["name"]))
        if not properties.get("show", True):
            return [node]
        browser = self._scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{node.GetName()} browser")
        browser.SetAndObserveMasterSequenceNodeID(node.GetID())
        self._logics["Sequences"].UpdateProxyNodesFromSequences(browser)
        return [*self._shown(node, browser.GetProxyNode(node), properties), browser]

    def _shown(self, node: Any, volume: Any, properties: dict[str, Any]) -> list[Any]:
        """Colour and show what was read, as Slicer's readers do unless told ``show=False``."""
        if properties.get("colorNodeID") and volume.GetDisplayNode():
            volume.GetDisplayNode().SetAndObserveColorNodeID(properties["colorNodeID"])
        if properties.get("show", True) and volume.IsA("vtkMRMLVolumeNode"):
            selection = self._application.GetSelectionNode()
            if volume.IsA("vtkMRMLLabelMapVolumeNode"):
                selection.SetActiveLabelVolumeID(volume.GetID())
            else:
                selection.SetActiveVolumeID(volume.GetID())
            self._application.PropagateVolumeSelection()
        return [node]

    def _read_other(self, file_type: str, properties: dict[str, Any], messages: Any) -> list[Any] | None:
        file, logics = properties["fileName"], self._logics
        name = properties.get("name") or Path(file).name.split(".")[0]
        if file_type == "SegmentationFile":
            automatic = bool(properties.get("autoOpacities", True))
            node = logics["Segmentations"].LoadSegmentationFromFile(file, automatic, name, None, messages)
        elif file_type == "TableFile":
            node = logics["Tables"].AddTable(file, self._scene.GetUniqueNameByString(name), True, "", messages)
        elif file_type == "MarkupsFile":
            node = self._scene.GetNodeByID(logics["Markups"].LoadMarkups(file, name, messages) or "")
        elif file_type == "TransformFile":
            node = logics["Transforms"].AddTransform(file, self._scene, messages)
        elif file_type == "ModelFile":
            node = logics["Models"].AddModel(file, 0, messages)
        elif file_type == "ColorTableFile":
            node = logics["Colors"].LoadColorFile(file, name, messages)
        elif file_type == "TextFile":
            node = self._read_text(file, name)
        else:
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"No reader found for {file_type}")
            return None
        return [node] if node else None

    def _read_text(self, file: str, name: str) -> Any:
        storage = slicer.vtkMRMLTextStorageNode()
        storage.SetFileName(file)
        node = self._scene.AddNewNodeByClass("vtkMRMLTextNode", self._scene.GetUniqueNameByString(name))
        if not storage.ReadData(node):
            self._scene.RemoveNode(node)
            return None
        self._scene.AddNode(storage)
        node.SetAndObserveStorageNodeID(storage.GetID())
        return node

    def saveNodes(self, file_type: str, properties: dict[str, Any], messages: Any = None) -> bool:
        """Write a node (``nodeID``) or the scene to ``fileName``."""
        file = properties["fileName"]
        if not isinstance(file, str):
            raise TypeError(f"fileName={file!r}: Qt takes a str only")
        Path(file).absolute().parent.mkdir(parents=True, exist_ok=True)
        if file_type == "SceneFile":
            return self._save_scene(file, messages)
        node = self._scene.GetNodeByID(properties["nodeID"])
        if self.fileWriterFileType(node) != file_type:
            return False
        storage = self.createAndAddDefaultStorageNode(node)
        if storage is None:  # such as a short text, which lives in the scene file
            return False
        storage.SetFileName(file)
        storage.SetURI(None)
        if "fileFormat" in properties:
            storage.SetWriteFileFormat(properties["fileFormat"])
        if "useCompression" in properties:
            storage.SetUseCompression(int(properties["useCompression"]))
        return bool(storage.WriteData(node))

    def _save_scene(self, file: str, messages: Any) -> bool:
        if file.lower().endswith(".mrb"):
            return bool(self._scene.WriteToMRB(file, None, messages))
        if file.lower().endswith(".mrml"):
            self._scene.SetURL(file)
            return bool(self._scene.Commit("", messages))
        return bool(self._application.SaveSceneToSlicerDataBundleDirectory(file, None, messages))

    def saveScene(self, file_name: str, _screenshot: Any = None, messages: Any = None) -> bool:
        """The scene as .mrml, .mrb or folder."""
        return self.saveNodes("SceneFile", {"fileName": file_name}, messages)

    def loadScene(self, file_name: str, clear: bool = True, messages: Any = None) -> bool:
        """A .mrml or .mrb, by default in place of what is there."""
        return self.loadNodes("SceneFile", {"fileName": file_name, "clear": clear}, None, messages)
