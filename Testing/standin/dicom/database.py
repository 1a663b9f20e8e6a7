"""``slicer.dicomDatabase``: the part of ctkDICOMDatabase that scripted plugins use, in memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

Tag = tuple[int, int]
PATIENT_ID, STUDY, SERIES, INSTANCE = (0x10, 0x20), (0x20, 0xD), (0x20, 0xE), (0x8, 0x18)


def _text(element: Any) -> str:
    """The value as the database stores it: several ones joined by a backslash, sequences and bytes as ""."""
    value = element.value
    if element.VR == "SQ" or value is None or isinstance(value, bytes):
        return ""
    return "\\".join(map(str, value)) if element.VM > 1 else str(value)


class DicomDatabase:
    """Files by patient, study, series and instance, and the values in their headers as strings."""

    isOpen = True

    def __init__(self) -> None:
        self.initializeDatabase()

    def initializeDatabase(self) -> bool:
        """Forget all files, and remove those that were copied."""
        self._folder = tempfile.TemporaryDirectory(prefix="slicer-standin-dicom-")
        self._headers: dict[str, Any] = {}
        self._file_of_instance: dict[str, str] = {}
        return True

    @property
    def databaseDirectory(self) -> str:
        """Where copies go."""
        return self._folder.name

    def _add(self, path: Path, copy: bool) -> bool:
        import pydicom

        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except pydicom.errors.InvalidDicomError:
            return False
        if "SeriesInstanceUID" not in header or "SOPInstanceUID" not in header:  # a DICOMDIR
            return False
        if copy:
            folder = Path(self.databaseDirectory, "dicom", header.StudyInstanceUID, header.SeriesInstanceUID)
            folder.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copy(path, folder / header.SOPInstanceUID))
        self._file_of_instance.setdefault(str(header.SOPInstanceUID), str(path))
        if self._file_of_instance[str(header.SOPInstanceUID)] == str(path):
            self._headers[str(path)] = header
        return True

    def _unique(self, wanted: Tag, where: Tag | None = None, value: str = "") -> list[str]:
        """Values of one tag among the files in which another has `value`, each once, in order of arrival."""
        files = [file for file in self._headers if where is None or self._value(file, where) == value]
        return list(dict.fromkeys(self._value(file, wanted) for file in files))

    def _value(self, file: str, tag: Tag) -> str:
        header = self._headers.get(file)
        if header is None:  # a file that was never imported is read on request, as ctk does
            import pydicom

            if not Path(file).is_file():
                return ""
            header = pydicom.dcmread(file, stop_before_pixels=True)
        return _text(header[tag]) if tag in header else ""

    @staticmethod
    def _tag(tag: str) -> Tag:
        group, element = tag.split(",")
        if len(group) != 4 or len(element) != 4:
            raise ValueError(f"a tag is 'gggg,eeee', not {tag!r}")
        return int(group, 16), int(element, 16)

    def patients(self) -> tuple[str, ...]:
        """Keys of the patients: numbers that mean nothing outside."""
        return tuple(str(number + 1) for number, _ in enumerate(self._unique(PATIENT_ID)))

    def studiesForPatient(self, patient: str) -> tuple[str, ...]:
        """Study UIDs."""
        return tuple(self._unique(STUDY, PATIENT_ID, self._unique(PATIENT_ID)[int(patient) - 1]))

    def seriesForStudy(self, study: str) -> tuple[str, ...]:
        """Series UIDs."""
        return tuple(self._unique(SERIES, STUDY, study))

    def studyForSeries(self, series: str) -> str:
        """Study UID, "" for an unknown series."""
        return next(iter(self._unique(STUDY, SERIES, series)), "")

    def instancesForSeries(self, series: str, hits: int = -1) -> tuple[str, ...]:
        """Instance UIDs, at most `hits` unless negative."""
        return tuple(self._unique(INSTANCE, SERIES, series)[: hits if hits >= 0 else None])

    def filesForSeries(self, series: str, hits: int = -1) -> tuple[str, ...]:
        """Paths, at most `hits` unless negative."""
        return tuple(self._file_of_instance[uid] for uid in self.instancesForSeries(series, hits))

    def allFiles(self) -> tuple[str, ...]:
        """Paths of all files."""
        return tuple(self._headers)

    def fileForInstance(self, instance: str) -> str:
        """Path, "" when unknown."""
        return self._file_of_instance.get(instance, "")

    def seriesForFile(self, file: str) -> str:
        """Series UID, "" when the file isn't in the database."""
        return self._value(file, SERIES) if file in self._headers else ""

    def instanceForFile(self, file: str) -> str:
        """Instance UID, "" when the file isn't in the database."""
        return self._value(file, INSTANCE) if file in self._headers else ""

    def fileValue(self, file: str, tag: str) -> str:
        """Value of a top-level tag 'gggg,eeee' as text, "" when absent.

        Raises:
            TypeError: a path that isn't a str, which Qt would refuse.
        """
        if not isinstance(file, str):
            raise TypeError(f"a file is a str for Qt, not {file!r}")
        return self._value(file, self._tag(tag))

    def instanceValue(self, instance: str, tag: str) -> str:
        """As `fileValue`, by instance UID."""
        return self.fileValue(self.fileForInstance(instance), tag)

    def fileValueExists(self, file: str, tag: str) -> bool:
        """Does the header have the tag?"""
        return self._tag(tag) in self._headers.get(file, ())

    def removeSeries(self, series: str) -> bool:
        """Forget a series."""
        for instance in self.instancesForSeries(series):
            self._headers.pop(self._file_of_instance.pop(instance))
        return True


class DicomIndexer:
    """``ctk.ctkDICOMIndexer``: puts files into a database; here it is done when the call returns."""

    def addDirectory(self, database: DicomDatabase, directory: str, copyFiles: bool = False) -> None:
        """All DICOM files below a folder; others are passed over."""
        if not isinstance(directory, str):
            raise TypeError(f"a folder is a str for Qt, not {directory!r}")
        for path in sorted(path for path in Path(directory).rglob("*") if path.is_file()):
            database._add(path, copyFiles)

    def addFile(self, database: DicomDatabase, file: str, copyFile: bool = False) -> None:
        """One file."""
        database._add(Path(file), copyFile)

    def waitForImportFinished(self) -> None:
        """It is."""
