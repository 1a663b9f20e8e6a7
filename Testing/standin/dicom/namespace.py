"""Makes the DICOM side importable under Slicer's names."""

from __future__ import annotations

import sys
from types import ModuleType

import slicer
from standin.dicom import plugin, utils
from standin.dicom.database import DicomDatabase


class PluginHandler:
    """qSlicerSubjectHierarchyPluginHandler as far as DICOM items are named by it."""

    displayPatientIDInSubjectHierarchyItemName = True
    displayPatientBirthDateInSubjectHierarchyItemName = True
    displayStudyIDInSubjectHierarchyItemName = False
    displayStudyDateInSubjectHierarchyItemName = True

    @staticmethod
    def instance() -> PluginHandler:
        """The one."""
        return _handler


_handler = PluginHandler()


def add_dicom() -> None:
    """slicer.dicomDatabase, slicer.modules.dicomPlugins, the Qt classes and the DICOMLib package."""
    slicer.dicomDatabase = DicomDatabase()
    slicer.dicomDatabaseDirectorySettingsKey = "DatabaseDirectory_0.8"
    slicer.modules.dicomPlugins = {}
    slicer.qSlicerDICOMLoadable = plugin.QtLoadable
    slicer.qSlicerDICOMExportable = plugin.QtExportable
    slicer.qSlicerSubjectHierarchyPluginHandler = PluginHandler
    package = ModuleType("DICOMLib")
    package.__path__ = []
    package.DICOMUtils = utils
    package.DICOMPlugin = plugin.DICOMPlugin
    package.DICOMLoadable = plugin.DICOMLoadable
    for name, module in {"": package, ".DICOMUtils": utils, ".DICOMPlugin": plugin}.items():
        sys.modules[f"DICOMLib{name}"] = module
