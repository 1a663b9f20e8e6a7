"""The DICOM export of a result, in the background."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from DynamicPETKineticsLib.runs.background_run import BackgroundRun
from DynamicPETKineticsLib.runs.written import Written
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError, PetKineticsError
from petkinetics.job import AnyJob, ExportJob

if TYPE_CHECKING:
    from DynamicPETKineticsLib.results.result_nodes import ResultNodes


class ExportRun(BackgroundRun):
    """Exports the maps of a result from the scene alone; ``finished(Written)``."""

    what: ClassVar[str] = "export"
    share_before: ClassVar[float] = 0.15
    share_after: ClassVar[float] = 0.1

    def start(self, result: ResultNodes, to: Path | None, formats: str, series_dir: Path) -> None:
        """Begin.

        :param to: folder for the files; None for the Slicer DICOM database, which copies them.
        :param formats: "parametric-map", "pet-image" or "both".
        :param series_dir: folder with the DICOM files of the series that the maps came from.
        """
        try:
            if not series_dir.is_dir():
                raise InputError(
                    _("The folder with the DICOM files of the series is gone."), _("Press Locate series folder.")
                )
            self._job = ExportJob("result", str(series_dir), str(to or "dicom"), formats)
        except PetKineticsError as error:
            self._refuse(error)
            return
        self._result, self._to = result, to
        self._there = _dicom_files(to) if to is not None else set()
        self._begin([result.record_node])

    def _messages(self) -> tuple[str, str]:
        taking = _("Adding to the DICOM database") if self._to is None else _("Finishing")
        return _("Handing over the maps"), taking

    def _prepare(self, folder: Path) -> Generator[float, None, AnyJob]:
        from DynamicPETKineticsLib.results.export_maps import export_steps

        source, to = Path(self._job.series), self._to or folder / "dicom"
        job = yield from export_steps(self._result, folder, source, to, self._job.formats)
        return job

    def _take(self, result: Path) -> Generator[float, None, tuple[Any, ...]]:
        files = tuple(sorted(_dicom_files(result) - self._there))
        yield 0.1
        if self._to is None:
            from DynamicPETKineticsLib.results.export_maps import into_database

            into_database(result)
            yield 1.0
            sentence = _("{n} DICOM files were added to the DICOM database.").format(n=len(files))
            return (Written((), sentence),)
        sentence = _("{n} DICOM files were written to {folder}.").format(n=len(files), folder=self._to.name)
        return (Written(files, sentence),)


def _dicom_files(folder: Path) -> set[Path]:
    return set(folder.glob("*.dcm"))
