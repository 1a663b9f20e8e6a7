"""Run in a process of its own: a saved scene is opened in the panel, which must go on where it was left.

``python reopen_panel.py SCENE DICOM_FOLDER OUT ORDER`` prints one JSON object. ORDER is "scene first" or
"panel first".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [
    str(Path(__file__).parents[1]),
    str(Path(__file__).parent),
    str(Path(__file__).parents[2] / "DynamicPETKinetics"),
]


def main(scene: str, dicom: Path, out: Path, order: str) -> dict[str, Any]:
    """Open, look, export and report where the scene came first, and run once more."""
    from standin.panel import start

    start()
    from panel_driver import PanelDriver

    import slicer
    from standin.panel.events import slot_errors
    from standin.vtk_errors import vtk_errors

    slot_errors().take()
    if order == "panel first":
        driver = PanelDriver(out / "temporary")
        slicer.util.loadScene(scene, {})
        driver.settle()
    else:
        slicer.util.loadScene(scene, {})
        driver = PanelDriver(out / "temporary")
        driver.settle()
    ui = driver.ui
    for name in ("seriesStep", "inputStep", "estimateStep", "reviewStep"):
        driver.unfold(name)
    found: dict[str, Any] = {
        "summary": driver.text("summaryLabel"),
        "verdict": driver.text("verdictLabel"),
        "method": ui.methodCombo.itemData(ui.methodCombo.currentIndex),
        "t_star": ui.tStarSpin.value,
        "plasma": [ui.plasmaCombo.currentIndex, ui.plasmaSpin.value],
        "map": ui.mapCombo.itemData(ui.mapCombo.currentIndex),
        "opacity": ui.opacitySlider.value,
        "results": [ui.resultCombo.itemText(i) for i in range(ui.resultCombo.count)],
        "regions": [[row["roi"], row["map"], row["mean"], row["se"]] for row in driver.panel.review.regions.rows],
        "run": bool(ui.runButton.enabled),
    }
    if order == "scene first":
        found |= leave(driver, dicom, out)
    found["again"] = driver.estimate("gaussian").name
    found["count"] = ui.resultCombo.count
    driver.settle()
    driver.close()
    found["left"] = driver.leftovers()
    found["errors"] = [*slot_errors().take(), *vtk_errors().take()]
    return found


def leave(driver: Any, dicom: Path, out: Path) -> dict[str, Any]:
    """Export, with the files of the series in another place; report and tables."""
    left: dict[str, Any] = {}
    dicom_out = out / "dicom"
    dicom_out.mkdir()
    left["first export"] = driver.export("exportButton", dicom_out)
    left["locate offered"] = driver.visible("locateButton")
    if left["locate offered"]:
        left["wrong folder"] = driver.export("locateButton", out)
        left["located"] = driver.export("locateButton", dicom)
        left["export"] = driver.export("exportButton", dicom_out)
    left["dicom"] = sorted(path.name for path in dicom_out.glob("*.dcm"))
    left["report"] = driver.export("reportButton", file=out / "report.html")
    left["csv"] = driver.export("csvButton", out)
    return left


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])))
