"""Regions of step 4: spheres and segments, their table for the shown map, their curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import slicer
from DynamicPETKineticsLib.panel.map_box import MapBox
from DynamicPETKineticsLib.panel.measuring import Measuring
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.stroke_watch import StrokeWatch
from DynamicPETKineticsLib.panel.widgets import allow, choice, fill_table, say
from DynamicPETKineticsLib.process.faults import in_words
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError
from petkinetics.maps import QUANTITIES

if TYPE_CHECKING:
    from DynamicPETKineticsLib.regions.region_table import Measured
    from DynamicPETKineticsLib.results.result_nodes import ResultNodes
    from petkinetics.evaluate.region_statistics import RegionFits

#: the table that is kept with a result
ROI_TABLE = "roi.tsv"


class RegionBox:
    """Measures the segments of the *Regions* segmentation in the maps of the result."""

    def __init__(self, ui: Any, session: Session, maps: MapBox) -> None:
        self.ui, self.session, self.maps = ui, session, maps
        self.rows: list[dict[str, Any]] = []
        #: of the regions' mean curves, whose standard errors the rows have
        self.fits: RegionFits = {}
        self._strokes = StrokeWatch(self._after_change, delay_ms=200)
        self._measuring = Measuring(session.turns)
        ui.sphereButton.clicked.connect(self._on_sphere)
        ui.segmentEditorButton.clicked.connect(self._on_segment_editor)
        ui.regionCurvesButton.clicked.connect(self._on_curves)
        ui.backButton.clicked.connect(self._on_back)
        session.map_changed.connect(self._on_map_changed)

    def update(self) -> None:
        """Measure anew; the table follows when the numbers are there."""
        from DynamicPETKineticsLib.regions.region_table import measurement

        self._measuring.cancel()
        state, result = self.session.state, self.session.result
        segmentation = state.regions if state else None
        self._strokes.watch(segmentation)
        self.rows, self.fits = [], {}
        notes: list[str] = []
        try:
            if result is not None and segmentation is not None and segmentation.GetSegmentation().GetNumberOfSegments():
                work = measurement(result, segmentation, self.session.series_of_result, warn=notes.append)
                self._measuring.run(
                    work,
                    lambda measured: self._on_measured(result, measured, notes),
                    lambda error: self._on_not_measured(error, notes),
                )
        except PetKineticsError as error:
            notes.append(f"⚠ {error}")
        if not self._measuring.running:
            self._show_rows(notes)
        self._update_buttons()

    def _on_measured(self, result: ResultNodes, measured: Measured, notes: list[str]) -> None:
        from DynamicPETKineticsLib.regions.region_table import fill_table as fill_node

        self.rows, self.fits = measured.rows, measured.fits
        # Saved with the scene: a region's standard error cannot be had again without the series.
        result.keep_table(ROI_TABLE, lambda node: fill_node(measured.rows, node))
        self._show_rows(notes)

    def _on_not_measured(self, error: Exception, notes: list[str]) -> None:
        self._show_rows([*notes, f"⚠ {in_words(error)[0]}"])

    def _show_rows(self, notes: list[str]) -> None:
        say(self.ui.regionNoteLabel, "\n".join(notes))
        self._fill()
        self.session.measured.emit()

    def _on_map_changed(self) -> None:
        """Another map is shown, or a plot."""
        self._fill()
        self._update_buttons()

    def _fill(self) -> None:
        """The rows of the shown map."""
        shown = [row for row in self.rows if row["map"] == choice(self.ui.mapCombo)]
        first = _("Region")
        if shown and shown[0]["unit"]:
            first = f"{QUANTITIES[str(shown[0]['map'])].symbol} ({shown[0]['unit']})"
        apart = self._two_estimators(shown)
        fill_table(self.ui.regionTable, *_table(first, shown, self.fits, apart))
        self.ui.regionTable.toolTip = _two_estimators_tip() if apart else _one_estimator_tip()

    def _two_estimators(self, shown: list[dict[str, Any]]) -> bool:
        """Whether the shown map's mean and the fit of a region's curve, which has the SE, are two things."""
        from petkinetics.evaluate.region_statistics import mean_is_the_fit

        result = self.session.result
        return (
            result is not None
            and any((row["roi"], row["map"]) in self.fits for row in shown)
            and not mean_is_the_fit(result.record)
        )

    def _update_buttons(self) -> None:
        ui, state, sequence = self.ui, self.session.state, self.session.sequence
        reason = "" if self.session.result or sequence else _("Choose a dynamic series in step 1 first.")
        allow(ui.sphereButton, reason, _("Add a sphere to the regions, centred at the crosshair."))
        segmentation = state.regions if state else None
        has_regions = segmentation is not None and segmentation.GetSegmentation().GetNumberOfSegments() > 0
        allow(ui.segmentEditorButton, reason, _("Draw and change the regions with all tools of the Segment Editor."))
        no_regions = "" if has_regions else _("There is no region yet: add a sphere or draw one.")
        shown = self._series
        no_series = "" if shown and not shown.missing else _("The dynamic series is not in the scene.")
        tip = _("Activity of every region over all frames, with the fit of the model.")
        allow(ui.regionCurvesButton, no_regions or no_series, tip)
        from DynamicPETKineticsLib.regions.plot_nodes import plot_is_shown

        ui.backButton.visible = plot_is_shown()

    @property
    def _series(self) -> Any:
        """The series whose curves belong to the table: the result's, before there is one the chosen one."""
        return self.session.series_of_result if self.session.result is not None else self.session.sequence

    def segmentation(self) -> Any:
        """The *Regions* segmentation, made where there is none."""
        state = self.session.state
        if state.regions is None:
            from DynamicPETKineticsLib.regions.sphere import regions_segmentation

            state.regions = regions_segmentation(self._series)
        return state.regions

    def _on_sphere(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.regions.sphere import add_sphere, crosshair_ras

        add_sphere(self.segmentation(), crosshair_ras(), self.ui.sphereSpin.value)

    def _on_segment_editor(self, _checked: bool = False) -> None:
        segmentation = self.segmentation()
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(self.maps.node or self.session.state.anatomy)

    def _on_curves(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.regions.plot_nodes import show_plot
        from DynamicPETKineticsLib.regions.region_curves import region_tacs, tac_plot

        notes: list[str] = []
        try:
            tacs = region_tacs(self._series, self.session.state.regions, self.session.result, warn=notes.append)
        except PetKineticsError as error:
            say(self.ui.regionNoteLabel, f"⚠ {error}")
            return
        show_plot(tac_plot(tacs))
        say(self.ui.regionNoteLabel, "\n".join(notes))
        self._update_buttons()

    def _on_back(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.regions.plot_nodes import back_to_images

        back_to_images()
        self._update_buttons()

    # -------------------------------------------------------------------------- following the strokes

    def _after_change(self) -> None:
        if self.session.state is not None:
            self.update()
            self.session.regions_changed.emit()

    def close(self) -> None:
        """Let go of the observed segmentation."""
        self._strokes.close()
        self._measuring.cancel()
        self.rows, self.fits = [], {}


def _one_estimator_tip() -> str:
    return _(
        "The shown map in every region: mean, standard error of the region's fit (SE), spread of the voxels (SD), mean "
        "of the hottest 1 mL (peak; with surroundings where a region is smaller), volume."
    )


def _two_estimators_tip() -> str:
    return _(
        "The shown map in every region: mean of its voxels (Map), mean of the hottest 1 mL (peak; with surroundings "
        "where a region is smaller), volume. Fit ± SE: fit of the region's mean curve, which is another estimate than "
        "the map; the standard error belongs to it, not to the map's mean. The voxels' SD is in the exported table."
    )


def _table(
    first: str, shown: list[dict[str, Any]], fits: RegionFits, two_estimators: bool
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the shown map.

    :param two_estimators: the fit of a region's curve stands in a column of its own, with its standard error.
    """
    if two_estimators:
        # without the SD, for which a narrow panel has no room; it is in the exported table
        header = [first, _("Map"), _("Peak"), _("mL"), _("Fit ± SE")]
        columns: tuple[str, ...] = ("mean", "peak", "volume_ml")
        return header, [
            [
                str(row["roi"]),
                *(_cell(row, column) for column in columns),
                _fit_cell(fits.get((row["roi"], row["map"]))),
            ]
            for row in shown
        ]
    header = [first, _("Mean"), _("± SE"), _("SD"), _("Peak"), _("mL")]
    columns = ("mean", "se", "sd", "peak", "volume_ml")
    return header, [[str(row["roi"]), *(_cell(row, column) for column in columns)] for row in shown]


def _fit_cell(fit: tuple[float | None, float | None] | None) -> str:
    value, error = fit or (None, None)
    if _missing(value):
        return ""
    return number(value) if _missing(error) else f"{number(value)} ± {number(error)}"


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _cell(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    return f"{value:.2f}" if column == "volume_ml" and not _missing(value) else number(value)


def number(value: Any) -> str:
    """A number for a cell: four digits, no exponent for what maps hold; "" for what is not known."""
    if _missing(value):
        return ""
    if isinstance(value, int):
        return str(value)
    size = abs(float(value))
    if size != 0 and (size < 1e-4 or size >= 1e5):
        return f"{value:.3g}"
    decimals = 1 if size >= 100 else 2 if size >= 1 else 4
    return f"{value:.{decimals}f}"
