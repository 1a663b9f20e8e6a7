"""The scene is saved, the temporary folders go, another process opens it: the panel goes on where it was left."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from panel_driver import PanelDriver, lesion_centres

import slicer
from DynamicPETKineticsLib.results.export_maps import SOURCE_FOLDER
from standin.panel import start

SCRIPT = Path(__file__).with_name("reopen_panel.py")


@pytest.fixture(autouse=True)
def panel_app(vtk_errors: Any, qt_errors: Any) -> Any:  # noqa: ARG001 (they watch; the scene is the module's)
    """Takes the place of the one that empties the scene."""
    return start()


@dataclass
class Saved:
    """What was saved, and what the panel showed then."""

    scene: Path
    dicom: Path
    result: str
    rows: list[list[Any]]
    verdict: str
    summary: str
    t_star: float


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, patient: Path) -> Iterator[Saved]:
    start()
    slicer.mrmlScene.Clear(0)
    folder = tmp_path_factory.mktemp("saved")
    driver = PanelDriver(folder / "temporary")
    driver.load_patient()
    # as a series from a clinic: only the DICOM database would know where its files are
    driver.session.sequence.node.RemoveAttribute(SOURCE_FOLDER)
    driver.find_aorta()
    driver.ui.plasmaCombo.setCurrentIndex(1)
    driver.ui.plasmaSpin.value = 1.15
    driver.unfold("estimateStep")
    driver.ui.tStarSpin.value = 25.0
    result = driver.estimate()
    driver.choose("mapCombo", "v0")
    driver.ui.opacitySlider.value = 45
    for centre in lesion_centres(patient):
        driver.sphere(centre)
    rows = [[row["roi"], row["map"], row["mean"], row["se"]] for row in driver.panel.review.regions.rows]
    driver.unfold("inputStep")
    verdict, summary = driver.text("verdictLabel"), driver.text("summaryLabel")
    scene = folder / "scene.mrb"
    assert slicer.util.saveScene(str(scene), {})
    driver.require_no_errors()
    found = Saved(scene, patient / "dicom", result.name, rows, verdict, summary, driver.ui.tStarSpin.value)
    driver.close()
    slicer.mrmlScene.Clear(0)
    shutil.rmtree(folder / "temporary")
    yield found


@pytest.mark.parametrize("order", ["scene first", "panel first"])
def test_everything_is_there_in_another_process(saved: Saved, tmp_path: Path, order: str) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(SCRIPT), str(saved.scene), str(saved.dicom), str(tmp_path), order],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["errors"] == []
    assert found["summary"] == saved.summary
    assert found["verdict"] == saved.verdict
    assert found["method"] == "patlak"
    assert found["t_star"] == saved.t_star == 25.0
    assert found["plasma"] == [1, pytest.approx(1.15)]
    assert found["map"] == "v0"
    assert found["opacity"] == pytest.approx(45)
    assert found["results"] == [saved.result]
    assert found["run"]
    assert len(found["regions"]) == len(saved.rows)
    for now, then in zip(found["regions"], saved.rows, strict=True):
        assert now[:2] == then[:2]
        assert now[2:] == [pytest.approx(value, rel=1e-4) if value is not None else None for value in then[2:]]
    if order == "scene first":
        assert found["first export"].startswith("⚠")
        assert found["locate offered"]
        assert found["wrong folder"].startswith("⚠")
        assert found["located"].startswith("The series was found")
        assert found["export"].startswith("✓"), found["export"]
        assert "ki.dcm" in found["dicom"]
        assert found["report"].startswith("✓"), found["report"]
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert "Sphere 1" in page and str(saved.scene.parent) not in page
        assert found["csv"].startswith("✓"), found["csv"]
    assert found["again"].startswith("Patlak, smoothed")
    assert found["count"] == 2
    assert found["left"] == []
