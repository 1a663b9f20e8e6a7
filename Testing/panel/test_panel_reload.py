"""The module is reloaded, installed elsewhere, and shadowed by an older engine: it works, and with its own engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from panel_driver import MODULE, ROOT, Launched, PanelDriver
from panel_scenes import draw_aorta, ready

import slicer
from background.installed_layout import lay_out
from background.worker_cases import gone_within
from DynamicPETKineticsLib.results.result_nodes import all_results
from standin.panel.events import process_events

LONG = (64, 128, 128)


def reload(driver: PanelDriver) -> Any:
    """What *Reload* of Slicer's developer section does; the old panel."""
    old = driver.widget
    slicer.util.reloadScriptedModule("DynamicPETKinetics")
    process_events()
    assert driver.widget is not old
    driver.session.services.process = Launched
    driver.shown.enter()
    process_events()
    return old


def test_reload_keeps_what_was_chosen(driver: PanelDriver) -> None:
    sequence = ready(driver)
    result = driver.estimate()
    reload(driver)
    assert driver.session.sequence == sequence
    assert driver.session.blood.verdict.level != "bad"
    assert driver.session.result == result
    assert driver.estimate("gaussian").name != result.name
    assert driver.ui.resultCombo.count == 2


def test_a_reloaded_panel_is_the_only_one_that_listens(driver: PanelDriver) -> None:
    ready(driver)
    old = reload(driver)
    seen = []
    old.panel.input.measure = lambda: seen.append("old")  # type: ignore[method-assign]
    old.panel.review.update = lambda: seen.append("old")  # type: ignore[method-assign]
    driver.unfold("reviewStep")
    draw_aorta(driver, driver.session.sequence)
    driver.sphere((-6.0, -6.0, -10.0))
    driver.state.tStar = 12.0
    driver.settle()
    slicer.mrmlScene.Clear(0)
    driver.settle(0.05)
    assert seen == []
    assert old.panel.session.state is None


def test_reload_during_a_run_ends_the_run(driver: PanelDriver) -> None:
    ready(driver, LONG)
    driver.start("gaussian")
    driver.until_computing()
    pid = driver.worker_pid
    reload(driver)
    assert gone_within(pid, 5.0)
    driver.until(lambda: driver.leftovers() == [], "the temporary folder to go", 10.0)
    assert all_results() == []
    assert driver.ui.runButton.text == "Run"
    driver.settle()
    ready(driver)
    assert driver.estimate().name.startswith("Patlak")


def test_reload_while_the_brush_is_in_hand(driver: PanelDriver) -> None:
    ready(driver)
    driver.click("editAortaButton")
    reload(driver)
    assert not driver.visible("editorBox")
    driver.click("editAortaButton")
    driver.click("doneButton")


# ----------------------------------------------------------------------------------------- where it lies

_PROGRAM = """
import json, os, sys
modules, tests, temporary, decoy = sys.argv[1:]
sys.path[:] = [tests, tests + "/panel", *(folder for folder in sys.path if folder)]
from pathlib import Path
from standin.panel import start
start()
from standin.panel.events import slot_errors
slot_errors()
from panel_driver import PanelDriver
from panel_scenes import ready
driver = PanelDriver(Path(temporary), Path(modules) / "DynamicPETKinetics.py")
ready(driver)
# Slicer's launcher puts the folders of its own Python before those of extensions.
os.environ["PYTHONPATH"] = os.pathsep.join([decoy, modules])
result = driver.estimate()
import petkinetics, DynamicPETKineticsLib
import DynamicPETKinetics as module
said = {
    "engine": petkinetics.__file__, "lib": DynamicPETKineticsLib.__file__, "module": module.__file__,
    "torch": "torch" in sys.modules, "result": result.name, "version": petkinetics.__version__,
}
driver.settle()
driver.close()
said["left"], said["errors"] = driver.leftovers(), slot_errors().take()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def decoy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An older petkinetics, as somebody's pip has left it, and a torch that cannot be imported."""
    folder = tmp_path_factory.mktemp("decoy")
    for name, text in {
        "petkinetics/__init__.py": '__version__ = "0.0.1"\n',
        "petkinetics/worker.py": "raise SystemExit('the decoy ran')\n",
        "torch/__init__.py": 'raise ImportError("torch is not there")\n',
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("where", ["source tree", "installed"])
def test_the_panel_runs_with_its_own_engine_beside_an_older_one(where: str, decoy: Path, tmp_path: Path) -> None:
    modules = MODULE.parent if where == "source tree" else lay_out(tmp_path / "Ünser Slicer" / "qt-scripted-modules")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(modules)}
    arguments = [modules, ROOT / "Testing", tmp_path / "t", decoy]
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _PROGRAM, *map(str, arguments)],
        env=environment,
        cwd=decoy,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    said = json.loads(run.stdout.splitlines()[-1])
    assert said["errors"] == []
    assert Path(said["module"]).parent == modules
    assert Path(said["engine"]).is_relative_to(modules)
    assert Path(said["lib"]).is_relative_to(modules)
    assert said["version"] != "0.0.1"
    assert said["result"].startswith("Patlak")
    assert not said["torch"]
    assert said["left"] == []


def test_every_file_of_the_panel_is_listed_and_installed(tmp_path: Path) -> None:
    lay_out(tmp_path)
    there = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    wanted = {
        path.relative_to(MODULE.parent)
        for pattern in ("DynamicPETKineticsLib/**/*.py", "Resources/**/*", "petkinetics/**/*.py")
        for path in MODULE.parent.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= there, sorted(map(str, wanted - there))
