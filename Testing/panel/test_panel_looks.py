"""How the panel looks at 400 pixels, in light and in dark: nothing cut off, and pictures of every state.

The pictures are kept in the folder that PANEL_PICTURES names, else in the test's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
from panel_driver import STEPS, PanelDriver, lesion_centres
from panel_scenes import multivolume

import slicer
from DynamicPETKineticsLib.results.export_maps import SOURCE_FOLDER
from standin.panel import grab, start
from standin.panel.events import process_events
from standin.panel.picture import fit, theme

WIDTH = 400
#: lowest contrast of text on its ground that WCAG calls legible
CONTRAST = 4.5


@pytest.fixture(autouse=True)
def panel_app(vtk_errors: Any, qt_errors: Any) -> Any:  # noqa: ARG001 (they watch; the scene stays from test to test)
    """Takes the place of the one that empties the scene."""
    return start()


class Gallery:
    """States of one panel, one after the other."""

    def __init__(self, driver: PanelDriver, patient: Path) -> None:
        self.driver, self.patient = driver, patient
        self.reached: list[str] = []

    def only(self, *steps: str) -> None:
        """Unfold these steps and fold the others."""
        for name in STEPS:
            getattr(self.driver.ui, name).collapsed = name not in steps
        process_events()

    def lacking(self) -> None:
        self.driver.take(multivolume())

    def loaded(self) -> None:
        # the multivolume goes, so that the sample button can be seen
        for node in slicer.util.getNodesByClass("vtkMRMLSequenceNode"):
            slicer.mrmlScene.RemoveNode(node)
        self.driver.shown.exit()
        self.driver.shown.enter()
        process_events()
        self.driver.load_patient()
        self.only("seriesStep")

    def times(self) -> None:
        self.driver.unfold("frameTimesBox")
        self.driver.ui.otherWindowButton.checked = True
        process_events()

    def aorta(self) -> None:
        self.driver.ui.frameTimesBox.collapsed = True
        self.only("inputStep")
        self.driver.find_aorta()

    def editing(self) -> None:
        self.driver.click("editAortaButton")

    def plasma(self) -> None:
        self.driver.click("doneButton")
        self.driver.ui.plasmaCombo.setCurrentIndex(2)
        process_events()

    def estimating(self) -> None:
        self.only("estimateStep")
        self.driver.start()
        self.driver.until(lambda: self.driver.ui.progressBar.value > 0, "the run to begin")

    def options(self) -> None:
        self.driver.end()
        for name in ("moreOptionsBox", "logBox"):
            self.driver.unfold(name)
        self.only("estimateStep")

    def reviewing(self) -> None:
        for name in ("moreOptionsBox", "logBox"):
            getattr(self.driver.ui, name).collapsed = True
        self.only("reviewStep")

    def agreement(self) -> None:
        self.only("estimateStep", "reviewStep")
        self.driver.estimate("gaussian")
        for centre in lesion_centres(self.patient):
            self.driver.sphere(centre)
        self.driver.unfold("agreementBox")
        self.only("reviewStep")
        self.driver.settle()

    def plotted(self) -> None:
        self.driver.click("agreementPlotButton")

    def unlocated(self) -> None:
        slicer.dicomDatabase.initializeDatabase()
        self.driver.session.sequence.node.RemoveAttribute(SOURCE_FOLDER)
        self.driver.ui.exportButton.click()
        process_events()

    def everything(self) -> None:
        self.only(*STEPS)

    def reach(self, state: str) -> PanelDriver:
        """Go on to a state, through those before it."""
        for name in STATES:
            if name not in self.reached:
                getattr(self, name, lambda: None)()
                self.reached.append(name)
                self.driver.require_no_errors()
            if name == state:
                return self.driver
        raise AssertionError(state)


STATES = (
    "empty",
    "lacking",
    "loaded",
    "times",
    "aorta",
    "editing",
    "plasma",
    "estimating",
    "options",
    "reviewing",
    "agreement",
    "plotted",
    "unlocated",
    "everything",
)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, patient: Path) -> Iterator[Gallery]:
    start()
    slicer.mrmlScene.Clear(0)
    slicer.dicomDatabase.initializeDatabase()
    driver = PanelDriver(tmp_path_factory.mktemp("looks") / "temporary")
    yield Gallery(driver, patient)
    driver.close()
    slicer.mrmlScene.Clear(0)


def text_of(widget: Any) -> tuple[str, int]:
    """What a widget writes on one line, and how many pixels it has for it; ("", 0) where it has none or wraps."""
    if isinstance(widget, qt.QLabel) and not widget.wordWrap and widget.text:
        return str(widget.text), widget.contentsRect().width()
    if isinstance(widget, qt.QCheckBox):
        return str(widget.text), widget.width - 20
    if isinstance(widget, (qt.QPushButton, qt.QToolButton)) and widget.text:
        return str(widget.text), widget.width - 4
    if isinstance(widget, qt.QComboBox):
        return str(widget.currentText), widget.width - 24
    if isinstance(widget, qt.QDoubleSpinBox):
        return str(widget.text), widget.width - 18
    return "", 0


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_cut_off_at_400_pixels(gallery: Gallery, state: str, tmp_path: Path) -> None:
    driver = gallery.reach(state)
    folder = Path(os.environ.get("PANEL_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for dark in (False, True):
        with theme(dark):
            driver.shown.enter()
        grab(driver.shown, folder / f"{STATES.index(state):02} {state}{' dark' if dark else ''}.png", WIDTH, dark)
    fit(driver.shown, WIDTH)
    area = driver.ui.stepsScrollArea
    viewport = area.viewport()
    assert driver.shown.width == WIDTH
    assert driver.ui.stepsWidget.width <= viewport.width
    too_wide, elided = [], []
    for widget in driver.ui.stepsWidget.findChildren(qt.QWidget):
        if not widget.isVisible():
            continue
        left = widget.mapTo(driver.ui.stepsWidget, qt.QPoint(0, 0)).x()
        inside_table = isinstance(widget.parentWidget().parentWidget(), qt.QAbstractItemView)
        if not inside_table and (left < 0 or left + widget.width > viewport.width):
            too_wide.append((str(widget.objectName), left, widget.width))
        text, room = text_of(widget)
        needed = widget.fontMetrics().horizontalAdvance(text)
        if text and needed > room:
            elided.append((str(widget.objectName), text, needed, room))
        if isinstance(widget, qt.QLabel) and widget.wordWrap and widget.text:
            assert widget.height >= widget.heightForWidth(widget.width) - 1, (widget.objectName, "lines are cut off")
    assert too_wide == []
    assert elided == []


@pytest.mark.parametrize("state", STATES)
def test_tables_need_no_sideways_scrolling(gallery: Gallery, state: str) -> None:
    driver = gallery.reach(state)
    fit(driver.shown, WIDTH)
    for name in ("frameTable", "regionTable", "agreementTable"):
        table = getattr(driver.ui, name)
        if table.isVisible() and table.columnCount:
            assert table.horizontalScrollBar().maximum == 0, name
            for column in range(table.columnCount):
                for row in range(table.rowCount):
                    text = table.item(row, column).text()
                    room = table.columnWidth(column) - 4
                    assert table.fontMetrics().horizontalAdvance(text) <= room, (name, text)
                header = table.horizontalHeaderItem(column).text()
                assert table.fontMetrics().horizontalAdvance(header) <= table.columnWidth(column), (name, header)


@pytest.mark.parametrize("state", STATES)
def test_for_research_not_for_diagnosis_stays_in_sight_when_scrolled(gallery: Gallery, state: str) -> None:
    driver = gallery.reach(state)
    driver.shown.show()
    driver.shown.resize(WIDTH, 500)
    process_events()
    label, bar = driver.ui.researchLabel, driver.ui.stepsScrollArea.verticalScrollBar()
    assert label.text == "For research, not for diagnosis."
    for place in (0, bar.maximum):
        bar.value = place
        process_events()
        assert label.isVisible()
        top = label.mapTo(driver.shown, qt.QPoint(0, 0)).y()
        assert top >= 0 and top + label.height <= driver.shown.height
        assert label.visibleRegion().boundingRect().height() >= label.fontMetrics().height() - 2
    assert not driver.ui.stepsWidget.isAncestorOf(label), "it must not scroll away"


def luminance(colour: Any) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [c / 255.0 for c in (colour.red(), colour.green(), colour.blue())]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_texts_stand_out_from_their_ground(gallery: Gallery, dark: bool) -> None:
    driver = gallery.reach("everything")
    with theme(dark):
        process_events()
        for name in ("summaryLabel", "verdictLabel", "methodSentenceLabel", "researchLabel", "regionNoteLabel"):
            label = getattr(driver.ui, name)
            assert not str(label.styleSheet), name
            palette = label.palette
            pair = [luminance(palette.color(role)) for role in (qt.QPalette.WindowText, qt.QPalette.Window)]
            assert (max(pair) + 0.05) / (min(pair) + 0.05) >= CONTRAST, name


def test_the_blood_curve_follows_the_theme(gallery: Gallery) -> None:
    driver = gallery.reach("everything")
    grounds = []
    for dark in (False, True):
        with theme(dark):
            fit(driver.shown, WIDTH)
            driver.shown.enter()
            image = driver.ui.curveView.grab().toImage()
            grounds.append(luminance(image.pixelColor(image.width() - 3, 2)))
    assert grounds[0] > 0.8 and grounds[1] < 0.2
