"""Where not to trust a map: offered with the result that has such places, one click away, and its own only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from panel_driver import PanelDriver
from panel_scenes import ready

from DynamicPETKineticsLib.results import load_result
from petkinetics.write.result_folder import write_distrust
from standin.panel.events import process_events


@pytest.fixture
def marked(driver: PanelDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PanelDriver:
    """The panel with a result whose check of the scan has found such places, and one without."""
    sequence = ready(driver)
    where = np.zeros(sequence.geometry.shape, dtype=bool)
    where[2:4, 5:12, 5:12] = True
    (tmp_path / "found").mkdir()
    write_distrust(tmp_path / "found", where, sequence.geometry, compress=False)
    with monkeypatch.context() as patched:
        patched.setattr(load_result, "distrust_path", lambda _folder: tmp_path / "found" / "distrust.nii")
        first = driver.estimate()
    driver.estimate("gaussian")
    driver.choose("resultCombo", first.id)
    return driver


def test_one_click_outlines_it(marked: PanelDriver) -> None:
    display = marked.result.distrust.GetDisplayNode()
    assert marked.visible("distrustCheckBox") and not marked.ui.distrustCheckBox.checked
    assert "not to be trusted" in marked.text("mapNoteLabel")
    assert not display.GetVisibility()
    marked.ui.distrustCheckBox.click()
    assert display.GetVisibility()
    marked.choose("mapCombo", "v0")
    assert display.GetVisibility() and marked.ui.distrustCheckBox.checked
    marked.ui.distrustCheckBox.click()
    assert not display.GetVisibility()


def test_it_is_not_drawn_over_another_result(marked: PanelDriver) -> None:
    first = marked.result
    marked.ui.distrustCheckBox.click()
    other = next(
        marked.ui.resultCombo.itemData(i)
        for i in range(marked.ui.resultCombo.count)
        if marked.ui.resultCombo.itemData(i) != first.id
    )
    marked.choose("resultCombo", other)
    assert not first.distrust.GetDisplayNode().GetVisibility()
    assert not marked.visible("distrustCheckBox")
    assert "trust" not in marked.text("mapNoteLabel")


def test_what_was_shown_elsewhere_is_ticked_when_the_panel_is_opened_again(marked: PanelDriver) -> None:
    marked.shown.exit()
    marked.result.distrust.GetDisplayNode().SetVisibility(True)
    marked.shown.enter()
    process_events()
    assert marked.ui.distrustCheckBox.checked
