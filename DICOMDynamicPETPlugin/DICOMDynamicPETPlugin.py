"""Dynamic PET from the DICOM browser into the scene, and Ki and V0 maps from the scene to DICOM.

What is read, and what it means, is the engine's business (petkinetics); it is imported only when a series
may be dynamic PET, so that Slicer starts, and browses other patients, without it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

from DICOMLib import DICOMLoadable, DICOMPlugin
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

import slicer

#: MultiVolumeImporter claims dynamic PET with 1.0, and what ties for the highest is all loaded
CONFIDENCE = 1.05
#: for a series that the engine refuses: listed with the reason, not chosen
REFUSED_CONFIDENCE = 0.1
#: of exported maps, unless the user gives another
FIRST_SERIES_NUMBER = 9001
_ENHANCED_PET = ("1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1")
_PET = ("1.2.840.10008.5.1.4.1.1.128", *_ENHANCED_PET)


class DICOMDynamicPETPlugin(ScriptedLoadableModule):
    """Hidden module that registers the plugin."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = "DICOM Dynamic PET Plugin"
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.dependencies = []
        parent.contributors = ["The DynamicPETKinetics developers"]
        parent.helpText = _(
            "Loads dynamic PET series as volume sequences with the times of their frames, and exports Ki and V0 maps. "
            "Hidden: the DICOM module uses it."
        )
        parent.acknowledgementText = ""
        parent.hidden = True
        if not hasattr(slicer.modules, "dicomPlugins"):
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins["DICOMDynamicPETPlugin"] = DICOMDynamicPETPluginClass


class DICOMDynamicPETPluginClass(DICOMPlugin):
    """Recognises, loads and exports; one loadable a series (parts of a scan are joined in the panel)."""

    def __init__(self) -> None:
        super().__init__()
        self.loadType = _("Dynamic PET")
        self.tags["modality"] = "0008,0060"
        self.tags["sopClassUID"] = "0008,0016"
        self.tags["seriesInstanceUID"] = "0020,000E"
        self.tags["position"] = "0020,0032"
        self.tags["numberOfFrames"] = "0028,0008"
        self.tags["frameOfReferenceUID"] = "0020,0052"

    # ----------------------------------------------------------------------------------- recognise

    def examineForImport(self, fileLists: Sequence[Sequence[str]]) -> list[Any]:
        """One loadable for every dynamic PET series among the lists of files.

        Everything else is turned away by what the database knows, before a file is opened.
        """
        loadables = []
        for files in fileLists:
            for series in self._by_series(files):
                if self._may_be_dynamic(series) and (loadable := self._loadable(series)) is not None:
                    loadables.append(loadable)
        return loadables

    def examine(self, _fileLists: Sequence[Sequence[str]]) -> list[Any]:
        """Nothing more: Slicer calls this name again when the first call found nothing."""
        return []

    def _by_series(self, files: Sequence[str]) -> list[list[str]]:
        groups: dict[str, list[str]] = {}
        for file in files:
            groups.setdefault(slicer.dicomDatabase.seriesForFile(file), []).append(file)
        return list(groups.values())

    def _may_be_dynamic(self, files: Sequence[str]) -> bool:
        """PET images, with a place that was imaged more than once or several images in a file."""
        value = slicer.dicomDatabase.fileValue
        if value(files[0], self.tags["modality"]) != "PT":
            return False
        sop_class = value(files[0], self.tags["sopClassUID"])
        if sop_class and sop_class not in _PET:
            return False
        if sop_class in _ENHANCED_PET:
            return any(value(file, self.tags["numberOfFrames"]) not in ("", "1") for file in files)
        seen: set[str] = set()
        for file in files:
            position = value(file, self.tags["position"])
            if position and position in seen:
                return True
            seen.add(position)
        return False

    def _loadable(self, files: Sequence[str]) -> Any:
        """What the DICOM browser lists; None for a static series, which is no business of ours."""
        from petkinetics.errors import PetKineticsError

        loadable = DICOMLoadable()
        loadable.files = list(files)
        try:
            series = self._read(files)
        except PetKineticsError as error:
            if self._is_static(files):
                return None
            loadable.name = _("Dynamic PET that cannot be used as it is")
            loadable.tooltip = loadable.warning = str(error)
            loadable.confidence = REFUSED_CONFIDENCE
            return loadable
        loadable.name = _("{tracer} dynamic, {frames} frames, {start:.0f}–{end:.0f} min").format(
            tracer=_tracer(series),
            frames=len(series.timing),
            start=max(0.0, series.timing.start_s[0] / 60.0),
            end=series.timing.end_s[-1] / 60.0,
        )
        loadable.tooltip = _("As a sequence in kBq/mL, decay-corrected to injection, for kinetic analysis.")
        loadable.warning = "\n".join(series.warnings)
        loadable.confidence = CONFIDENCE
        loadable.selected = True
        return loadable

    def _is_static(self, files: Iterable[str]) -> bool:
        """Whether each place was imaged once: of images within one file the database does not tell."""
        from petkinetics.errors import PetKineticsError
        from petkinetics.read.dicom import read_dicom

        try:
            return not read_dicom([Path(file) for file in files], require_dynamic=False).dynamic
        except PetKineticsError:
            return False

    def _read(self, files: Iterable[str]) -> Any:
        """The engine's series; its voxels are read when it is loaded.

        :raises PetKineticsError: it cannot be used, and why.
        """
        from petkinetics.read.dicom import read_dicom

        return read_dicom([Path(file) for file in files])

    # ---------------------------------------------------------------------------------------- load

    def load(self, loadable: Any) -> Any:
        """Load a series as a sequence and show it.

        :returns: the sequence node; None where the user cancelled.
        :raises PetKineticsError: the series cannot be used, and why.
        """
        from DynamicPETKineticsLib.process.worker_lines import without_names
        from DynamicPETKineticsLib.scene.anatomy import ct_of_same_patient_space
        from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
        from DynamicPETKineticsLib.scene.load_sequence import load_steps
        from DynamicPETKineticsLib.scene.series_display import show_series
        from petkinetics.errors import InputError, PetKineticsError

        try:
            series = self._read(loadable.files)
        except PetKineticsError as error:
            # Slicer logs what a plugin raises, and folders may name patients.
            raise InputError(without_names(error.message), error.hint) from None
        node = _with_progress(load_steps(series, _("{tracer} dynamic").format(tracer=_tracer(series))), loadable.name)
        if node is None:
            return None
        reference = slicer.dicomDatabase.fileValue(loadable.files[0], self.tags["frameOfReferenceUID"])
        if reference:
            node.SetAttribute("DynamicPET.FrameOfReferenceUID", reference)
        self.addSeriesInSubjectHierarchy(loadable, node)
        sequence = DynamicSequence(node)
        show_series(sequence, ct_of_same_patient_space(sequence))
        return node

    # -------------------------------------------------------------------------------------- export

    def examineForExport(self, subjectHierarchyItemID: int) -> list[Any]:
        """One exportable for a map of ours, none for anything else."""
        from DynamicPETKineticsLib.scene.map_attribute import MAP

        node = slicer.mrmlScene.GetSubjectHierarchyNode().GetItemDataNode(subjectHierarchyItemID)
        if node is None or not node.IsA("vtkMRMLScalarVolumeNode") or not node.GetAttribute(MAP):
            return []
        exportable = slicer.qSlicerDICOMExportable()
        exportable.name = _("Parametric map")
        exportable.tooltip = _(
            "DICOM parametric map with unit and quantity, in the study of the PET series it was computed from. "
            "For research, not for diagnosis."
        )
        exportable.subjectHierarchyItemID = subjectHierarchyItemID
        exportable.pluginClass = self.__module__
        exportable.confidence = 1.0
        exportable.setTag("SeriesNumber", str(FIRST_SERIES_NUMBER))
        return [exportable]

    def export(self, exportables: Sequence[Any]) -> str:
        """Write each map as one file into its exportable's folder.

        :returns: what went wrong, in words; "" when all are written.
        """
        from DynamicPETKineticsLib.process.faults import in_words

        for done, exportable in enumerate(exportables):
            try:
                self._export(exportable, done)
            except ImportError as error:
                return _("The Python package {name} is needed for DICOM export.").format(name=error.name)
            except OSError as error:
                return _("The map could not be written ({reason}).").format(
                    reason=error.strerror or type(error).__name__
                )
            except Exception as error:
                # What is raised here Slicer's dialog takes for success.
                return " ".join(in_words(error)).strip()
        return ""

    def _export(self, exportable: Any, done: int) -> None:
        from DynamicPETKineticsLib.results.export_one_map import export_one_map

        node = slicer.mrmlScene.GetSubjectHierarchyNode().GetItemDataNode(exportable.subjectHierarchyItemID)
        number = exportable.tag("SeriesNumber")
        export_one_map(
            node, Path(exportable.directory), (int(number) if number.isdigit() else FIRST_SERIES_NUMBER) + done
        )


def _tracer(series: Any) -> str:
    tracer = series.tracer
    return "FDG" if tracer.is_fdg else str(tracer.name or tracer.radionuclide or "PET")


def _with_progress(steps: Generator[float, None, Any], label: str) -> Any:
    """Run all steps, with a progress bar where there is a main window; None where the user cancelled."""
    dialog = None
    try:
        if _has_window():
            import qt

            dialog = slicer.util.createProgressDialog(
                labelText=label, maximum=100, windowModality=qt.Qt.WindowModal, windowTitle=_("Dynamic PET")
            )
        while True:
            try:
                fraction = next(steps)
            except StopIteration as done:
                return done.value
            if dialog is not None:
                dialog.setValue(int(100 * fraction))
                slicer.app.processEvents()
                if dialog.wasCanceled:
                    logging.info("Loading of a dynamic PET series was cancelled.")
                    return None
    finally:
        steps.close()
        if dialog is not None:
            dialog.close()


def _has_window() -> bool:
    try:
        return slicer.util.mainWindow() is not None
    except (AttributeError, RuntimeError):
        return False
