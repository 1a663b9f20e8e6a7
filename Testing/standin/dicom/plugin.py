"""Base class of scripted DICOM plugins and what they hand over."""

from __future__ import annotations

from typing import Any

import slicer


class DICOMLoadable:
    """One thing that could be loaded; plugins may add attributes of their own."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.name = "Unknown"
        self.tooltip = "No further information available"
        self.warning = ""
        self.selected = False
        self.confidence = 0.5


class QtLoadable:
    """qSlicerDICOMLoadable: the same as a Qt object, which takes no further attributes."""

    __slots__ = (
        "confidence",
        "files",
        "loadSuccess",
        "name",
        "referencedInstanceUIDs",
        "selected",
        "tooltip",
        "warning",
    )

    def __init__(self) -> None:
        self.files: list[str] = []
        self.name = "Unknown"
        self.tooltip = "No further information available"
        self.warning = ""
        self.selected = False
        self.confidence = 0.5
        self.loadSuccess = False
        self.referencedInstanceUIDs: list[str] = []


class QtExportable:
    """qSlicerDICOMExportable: one way to export an item, with the tags that the user may edit."""

    __slots__ = (
        "_tags",
        "confidence",
        "directory",
        "name",
        "pluginClass",
        "subjectHierarchyItemID",
        "tooltip",
    )

    def __init__(self) -> None:
        self.name = "Unknown exporter"
        self.tooltip = "Creates a DICOM file from the selected data"
        self.subjectHierarchyItemID = 0
        self.pluginClass = ""
        self.directory = ""
        self.confidence = 0.0
        self._tags: dict[str, str] = {}

    def setTag(self, name: str, value: str) -> None:
        """Offer a tag with its value.

        Raises:
            TypeError: not text; Qt takes nothing else here.
        """
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"tags are text, not {name!r}: {value!r}")
        self._tags[name] = value

    def tag(self, name: str) -> str:
        """The value, "" when absent."""
        return self._tags.get(name, "")


class DICOMPlugin:
    """What plugins inherit: names of tags, the cache, and the place in the subject hierarchy."""

    def __init__(self) -> None:
        self.loadType = "Generic DICOM"
        self.loadableCache: dict[Any, Any] = {}
        self.tags = {
            "seriesDescription": "0008,103E",
            "seriesNumber": "0020,0011",
            "frameOfReferenceUID": "0020,0052",
            "seriesInstanceUID": "0020,000E",
            "modality": "0008,0060",
            "instanceUID": "0008,0018",
            "sopClassUID": "0008,0016",
        }

    def examineForImport(self, fileLists: list[Any]) -> list[Any]:
        """Loadables of lists of files."""
        return [loadable for files in fileLists for loadable in self.examineFiles(files)]

    def examine(self, fileLists: list[Any]) -> list[Any]:
        """The old name, called a second time when the first call gave nothing."""
        return self.examineForImport(fileLists)

    def examineFiles(self, _files: Any) -> list[Any]:
        """Loadables of one list of files."""
        return []

    def load(self, _loadable: Any) -> Any:
        """Nodes of a loadable; something true when it worked."""
        return True

    def examineForExport(self, _subjectHierarchyItemID: int) -> list[Any]:
        """Exportables of an item."""
        return []

    def export(self, _exportables: list[Any]) -> str:
        """Write; the error, "" when it worked."""
        return ""

    def defaultSeriesNodeName(self, seriesUID: str) -> str:
        """Number and description of a series."""
        files = slicer.dicomDatabase.filesForSeries(seriesUID, 1)
        if not files:
            return "Unnamed Series"
        name = slicer.dicomDatabase.fileValue(files[0], self.tags["seriesDescription"]) or "Unnamed Series"
        number = slicer.dicomDatabase.fileValue(files[0], self.tags["seriesNumber"])
        return f"{number}: {name}" if number else name

    def addSeriesInSubjectHierarchy(self, loadable: Any, dataNode: Any) -> None:
        """Put the node below its patient and study, with the identifiers that an export asks for."""

        def value(tag: str) -> str:
            return str(slicer.dicomDatabase.fileValue(loadable.files[0], tag))

        hierarchy, names = slicer.mrmlScene.GetSubjectHierarchyNode(), slicer.vtkMRMLSubjectHierarchyConstants
        item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), dataNode)
        series, study, patient = value("0020,000E"), value("0020,000D"), value("0010,0020")
        hierarchy.SetItemUID(item, names.GetDICOMUIDName(), series)
        instances = [slicer.dicomDatabase.fileValue(file, self.tags["instanceUID"]) for file in loadable.files]
        hierarchy.SetItemUID(item, names.GetDICOMInstanceUIDName(), " ".join(instances))
        hierarchy.SetItemAttribute(item, names.GetDICOMSeriesModalityAttributeName(), value("0008,0060"))
        hierarchy.SetItemAttribute(item, names.GetDICOMSeriesNumberAttributeName(), value("0020,0011"))
        hierarchy.SetItemAttribute(item, names.GetDICOMFrameOfReferenceUIDAttributeName(), value("0020,0052"))
        patient = patient or f"Patient-{study}"
        slicer.vtkSlicerSubjectHierarchyModuleLogic.InsertDicomSeriesInHierarchy(hierarchy, patient, study, series)
        above = hierarchy.GetItemByUID(names.GetDICOMUIDName(), study)
        hierarchy.SetItemName(above, value("0008,1030") or "No study description")
        hierarchy.SetItemAttribute(above, names.GetDICOMStudyInstanceUIDAttributeName(), study)
        person = hierarchy.GetItemByUID(names.GetDICOMUIDName(), patient)
        hierarchy.SetItemName(person, value("0010,0010") or "No name")
        hierarchy.SetItemAttribute(person, names.GetDICOMPatientIDAttributeName(), patient)
