"""Maps out of Slicer as DICOM: the source files that they refer to, the job, the way into Slicer's database."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from DynamicPETKineticsLib.results.restore_folder import restore_steps
from DynamicPETKineticsLib.results.result_nodes import ResultNodes
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.job import ExportJob

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence


#: of a sequence: where its DICOM files lie; set for simulated patients only, whose folders name nobody
SOURCE_FOLDER = "DynamicPET.SourceFolder"


def source_folder(result: ResultNodes, sequence: DynamicSequence | None = None) -> Path:
    """The folder that holds the DICOM files of the series, as far as Slicer's database knows it.

    An exported map is filed in the patient's study and refers to the images it was computed from, so they must be
    there.

    :param sequence: asked where the result does not say which series it came from.
    :raises InputError: the reason why they cannot be found, for the panel to offer *Locate series folder…*.
    """
    series = result.sequence or sequence
    said = series.node.GetAttribute(SOURCE_FOLDER) if series is not None else None
    if said and Path(said).is_dir():
        return Path(said)
    uids = source_uids(result, sequence)
    if not uids:
        raise InputError(
            _("The series did not come from DICOM, so it is not known in which patient's study the maps belong."),
            _("Locate the folder of the same scan's DICOM files, if there is one."),
        )
    files = files_in_database(uids)
    try:
        return Path(os.path.commonpath([str(file.parent) for file in files]))
    except ValueError as error:
        raise InputError(
            _("The DICOM files of the series lie on several drives."),
            _("Copy them into one folder, and locate that."),
        ) from error


def files_in_database(uids: Sequence[str]) -> list[Path]:
    """The files of some series, all of them.

    :param uids: Series Instance UIDs.
    :raises InputError: the database is not open, lacks a series, or names files that are gone.
    """
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        raise InputError(
            _("Slicer's DICOM database is not open, so the files of the series cannot be looked up."),
            _("Open the DICOM module once, or locate the folder of the series."),
        )
    of_series = [database.filesForSeries(uid) for uid in uids]
    files = [Path(file) for some in of_series for file in some]
    if not files or not all(of_series):
        raise InputError(
            _("The DICOM files of the series are not in Slicer's database."),
            _("Locate the folder of the series, or import it in the DICOM module."),
        )
    gone = [file for file in files if not file.is_file()]
    if gone:
        raise InputError(
            _("{gone} of the {count} DICOM files of the series are no longer at {folder}.").format(
                gone=len(gone), count=len(files), folder=gone[0].parent
            ),
            _("Locate the folder to which they were moved, or import the series again."),
        )
    return files


def source_uids(result: ResultNodes, sequence: DynamicSequence | None = None) -> tuple[str, ...]:
    """Series Instance UIDs of the files that the maps were computed from; none where it was no DICOM."""
    said = tuple(str(uid) for uid in result.record.get("input_uids") or ())
    return said or (sequence.source_series_uids if sequence is not None else ())


def require_series(result: ResultNodes, folder: Path, sequence: DynamicSequence | None = None) -> None:
    """Refuse a folder that does not hold the series of a result.

    :raises InputError: it holds no DICOM, or other series only.
    """
    wanted = set(source_uids(result, sequence))
    found: set[str] = set()
    for uid in _series_in(folder):
        found.add(uid)
        if wanted and wanted <= found:
            return
    if not found:
        raise InputError(_("There are no DICOM files in {folder}.").format(folder=folder))
    if wanted:
        raise InputError(
            _("{folder} holds other series, not the one that the maps were computed from.").format(folder=folder),
            _("Choose the folder with the files of that series."),
        )


def _series_in(folder: Path) -> Iterator[str]:
    """Series Instance UID of each DICOM file in a folder and those below it."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
            except (InvalidDicomError, OSError):
                continue
            uid = str(header.get("SeriesInstanceUID") or "")
            if uid:
                yield uid


def export_job(restored: Path, series_dir: Path, to: Path, formats: str = "parametric-map") -> ExportJob:
    """What the background process is to do.

    :param restored: result folder; see :func:`export_steps`.
    :param series_dir: of :func:`source_folder`, or as located.
    :param to: folder for the DICOM files, without folders below it.
    :param formats: "parametric-map", "pet-image" or "both".
    """
    return ExportJob(str(restored), str(series_dir), str(to), formats)


def export_steps(
    result: ResultNodes, work: Path, series_dir: Path, to: Path, formats: str = "parametric-map"
) -> Generator[float, None, ExportJob]:
    """Restore the result folder, a map a step, and say what the background process is to do with it.

    :param work: private folder for what is handed over; remove it when the job has ended.
    :returns: (of the generator) the job.
    :raises InputError: as :func:`DynamicPETKineticsLib.results.restore_folder.restore_steps`.
    """
    restored = yield from restore_steps(result, work / "result")
    return export_job(restored, series_dir, to, formats)


def into_database(folder: Path) -> Sequence[str]:
    """Import exported files into Slicer's DICOM database, which keeps copies: *folder* may be removed afterwards.

    :returns: UIDs of the series that came.
    :raises InputError: there is no open database, or it did not take the files.
    """
    from DICOMLib import DICOMUtils

    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        raise InputError(
            _("Slicer's DICOM database is not open, so the maps cannot be put into it."),
            _("Open the DICOM module once, or export into a folder."),
        )
    wanted = dict.fromkeys(_series_in(folder))
    DICOMUtils.importDicom(str(folder), copyFiles=True)
    taken = [uid for uid in wanted if _held(database, uid, folder)]
    if not wanted or len(taken) < len(wanted):
        raise InputError(
            _("Slicer's DICOM database did not take the exported maps."), _("Export into a folder instead.")
        )
    return taken


def _held(database: Any, uid: str, outside: Path) -> bool:
    """Whether the database has copies of its own of a series."""
    files = [Path(file) for file in database.filesForSeries(uid)]
    return bool(files) and not any(outside in file.parents for file in files)
