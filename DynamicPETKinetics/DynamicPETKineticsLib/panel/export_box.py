"""What leaves Slicer: DICOM maps, tables, the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from DynamicPETKineticsLib.panel.agreement_box import AgreementBox
from DynamicPETKineticsLib.panel.dialogs import ask_folder, ask_new_file
from DynamicPETKineticsLib.panel.package_offers import FiguresOffer
from DynamicPETKineticsLib.panel.region_box import RegionBox
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import allow, say
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError

FORMATS = ("parametric-map", "pet-image", "both")
INTO_FOLDER, INTO_DATABASE = range(2)


class ExportBox:
    """Exports the chosen result in the background; says why it cannot, and asks for the folder that is missing."""

    def __init__(self, ui: Any, session: Session, regions: RegionBox, agreement: AgreementBox) -> None:
        self.ui, self.session, self.regions, self.agreement = ui, session, regions, agreement
        self._run: Any = None
        #: folder of the source series that the user showed, by result
        self._located: dict[str, Path] = {}
        ui.exportButton.clicked.connect(self._on_export)
        ui.locateButton.clicked.connect(self._on_locate)
        ui.csvButton.clicked.connect(self._on_tables)
        ui.reportButton.clicked.connect(self._on_report)
        self._figures = FiguresOffer(ui)
        ui.exportProgressBar.hide()
        say(ui.exportStatusLabel, "")
        ui.locateButton.hide()
        session.measured.connect(self.update)

    @property
    def running(self) -> bool:
        """Whether an export is under way."""
        return self._run is not None and bool(self._run.running)

    def update(self) -> None:
        """Enable what can be done, and say what is missing for the rest."""
        ui, result = self.ui, self.session.result
        no_result = "" if result is not None else _("There is no result yet: run an estimate in step 3.")
        ui.exportButton.text = _("Cancel") if self.running else _("Export DICOM")
        allow(ui.exportButton, no_result, _("Write the maps of the result as DICOM, in the patient's study."))
        busy = _("Wait until what runs here is done, or cancel it.") if self.running else ""
        tip = _("Save a report with maps, curves, tables and all settings as one HTML file.")
        allow(ui.reportButton, no_result or busy, tip)
        no_rows = "" if self.regions.rows else _("There is no region table yet: add a region.")
        allow(
            ui.csvButton,
            no_result or busy or no_rows,
            _("Save region table, curves and Bland–Altman statistics as CSV."),
        )

    # ---------------------------------------------------------------------------------------- DICOM

    def _source(self) -> Path | None:
        """Folder of the series' DICOM files; where it is not known, the reason is shown."""
        from DynamicPETKineticsLib.results.export_maps import source_folder

        result = self.session.the_result
        try:
            folder = self._located.get(result.id) or source_folder(result, self.session.series_of_result)
        except PetKineticsError as error:
            say(self.ui.exportStatusLabel, f"⚠ {error}")
            self.ui.locateButton.show()
            return None
        self.ui.locateButton.hide()
        return Path(folder)

    def _on_export(self, _checked: bool = False) -> None:
        if self.running:
            self._run.cancel()
            return
        source = self._source()
        if source is None:
            return
        to = None
        if self.ui.exportTargetCombo.currentIndex == INTO_FOLDER:
            to = ask_folder(_("Folder for the DICOM files"))
            if to is None:
                return
        from DynamicPETKineticsLib.runs.export_run import ExportRun

        run = ExportRun(self.session.services)
        self._start(run, _("Exporting"))
        formats = FORMATS[self.ui.exportFormatCombo.currentIndex]
        run.start(self.session.the_result, to=to, formats=formats, series_dir=source)
        self.update()

    def _on_locate(self, _checked: bool = False) -> None:
        folder = ask_folder(_("Folder with the DICOM files of the series"))
        if folder is None:
            return
        from DynamicPETKineticsLib.results.export_maps import require_series

        try:
            require_series(self.session.the_result, folder, self.session.series_of_result)
        except PetKineticsError as error:
            say(self.ui.exportStatusLabel, f"⚠ {error}")
            return
        self._located[self.session.the_result.id] = folder
        self.ui.locateButton.hide()
        say(self.ui.exportStatusLabel, _("The series was found. Press Export DICOM."))

    # -------------------------------------------------------------------------------- tables, report

    def _on_tables(self, _checked: bool = False) -> None:
        folder = ask_folder(_("Folder for the tables"))
        if folder is None:
            return
        from DynamicPETKineticsLib.results.export_tables import write_csv_tables

        try:
            written = write_csv_tables(
                folder,
                self.session.the_result,
                rows=self.regions.rows,
                comparison=self.agreement.comparison,
                sequence=self.session.series_of_result,
                segmentation=self.session.state.regions,
            )
        except (PetKineticsError, OSError) as error:
            say(self.ui.exportStatusLabel, f"✗ {error}")
            return
        names = ", ".join(path.name for path in written)
        say(self.ui.exportStatusLabel, _("✓ Saved {names}.").format(names=names))

    def _on_report(self, _checked: bool = False) -> None:
        path = ask_new_file(_("Save the report"), "report.html", _("Web page") + " (*.html)")
        if path is None:
            return
        from DynamicPETKineticsLib.runs.report_run import ReportRun

        run = ReportRun(self.session.services)
        self._start(run, _("Writing the report"))
        run.start(
            self.session.the_result,
            to=path,
            segmentation=self.session.state.regions,
            sequence=self.session.series_of_result,
            rows=self.regions.rows,
            comparison=self.agreement.comparison,
        )
        self.update()

    # ----------------------------------------------------------------------------------------- runs

    def _start(self, run: Any, message: str) -> None:
        self._run = run
        self._warnings: list[str] = []
        run.progressed.connect(self._on_progress)
        run.warned.connect(self._warnings.append)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.cancelled.connect(self._on_cancelled)
        self.ui.exportProgressBar.show()
        self._on_progress(0.0, message, None)

    def _on_progress(self, fraction: float, message: str, _remaining_s: float | None) -> None:
        self.ui.exportProgressBar.value = round(1000 * fraction)
        say(self.ui.exportStatusLabel, message)

    def _end(self, sentence: str) -> None:
        self.ui.exportProgressBar.hide()
        say(self.ui.exportStatusLabel, "\n".join([sentence, *("⚠ " + warning for warning in self._warnings)]))
        self.update()

    def _on_finished(self, written: Any) -> None:
        self._end("✓ " + written.sentence)

    def _on_failed(self, message: str, hint: str) -> None:
        self._end(f"✗ {message} {hint}".strip())

    def _on_cancelled(self) -> None:
        self._end(_("Cancelled."))

    def close(self) -> None:
        """The scene closes or Slicer quits: stop what runs, say no more of its files."""
        say(self.ui.exportStatusLabel, "")
        self.ui.locateButton.hide()
        if self.running:
            self._run.cancel()
        self._located = {}
