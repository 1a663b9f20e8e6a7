"""What opening Slicer and the panel cost, with a generous allowance for a busy machine; and what is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from panel_driver import PanelDriver

ROOT = Path(__file__).parents[2]
#: the requirements, and how much longer a machine may take that does other things meanwhile
IMPORT_S, SETUP_S, BUSY = 0.3, 1.0, 3.0
NEVER = {"torch", "highdicom", "matplotlib"}
#: may come when they are used, not when the module is loaded
LATER = {"SimpleITK", "scipy", "pydicom", "skimage", "safetensors"}

_IMPORT = """
import json, sys, time
sys.path[:0] = [{testing!r}, {modules!r}]
from standin.panel import start
start()
import slicer
from standin.panel.module_host import load_module
before = set(sys.modules)
begin, busy = time.perf_counter(), time.process_time()
module = load_module({modules!r} + "/DynamicPETKinetics.py")
took, busy = time.perf_counter() - begin, time.process_time() - busy
loaded = sorted({{name.split(".")[0] for name in set(sys.modules) - before}})
slicer.app.startupCompleted.emit()
started = sorted({{name.split(".")[0] for name in set(sys.modules) - before}})
if {open_panel!r}:
    module.widgetRepresentation().enter()
    slicer.app.processEvents()
opened = sorted({{name.split(".")[0] for name in set(sys.modules) - before}})
print(json.dumps([took, busy, loaded, started, opened]))
"""


def loading(open_panel: bool = False) -> tuple[float, float, set[str], set[str], set[str]]:
    """Seconds by the clock and of the processor, and packages after loading, after start-up, after opening."""
    code = _IMPORT.format(
        testing=str(ROOT / "Testing"), modules=str(ROOT / "DynamicPETKinetics"), open_panel=open_panel
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    took, busy, loaded, started, opened = json.loads(run.stdout.splitlines()[-1])
    return took, busy, set(loaded), set(started), set(opened)


def test_slicer_starts_without_waiting_for_the_module() -> None:
    runs = [loading() for _ in range(2)]
    assert min(run[0] for run in runs) <= BUSY * IMPORT_S
    assert min(run[1] for run in runs) <= IMPORT_S
    _took, _busy, loaded, started, _opened = runs[0]
    assert loaded & (NEVER | LATER) == set()
    assert "DynamicPETKineticsLib" not in loaded, "the panel's files are for when it is opened"
    assert started & (NEVER | LATER) == set()


def test_opening_the_panel_loads_nothing_heavy() -> None:
    opened = loading(open_panel=True)[4]
    assert opened & NEVER == set()


def test_the_panel_is_there_within_a_second(driver: PanelDriver) -> None:
    assert driver.setup_s <= BUSY * SETUP_S
    driver.close()
    begin_second = PanelDriver(driver.temporary.with_name("second"))
    try:
        assert begin_second.setup_s <= SETUP_S
    finally:
        begin_second.close()
