"""Inside a real Slicer: the pauses of its main thread while the panel estimates, and while the maps arrive.

Started by ``responsiveness.py --slicer``, which says in DYNAMICPET_RESPONSIVENESS (JSON) what to run, and where
the findings go. The module is open, the button is the panel's own, and Slicer's views draw what comes.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import qt

import slicer

TOLD = json.loads(os.environ["DYNAMICPET_RESPONSIVENESS"])
sys.path.append(TOLD["testing"])

from background.heartbeat import CLEANING_MS, Heartbeat, Responsiveness, Watch  # noqa: E402
from background.run_cases import drawn_aorta, scene_sequence  # noqa: E402
from petkinetics.frames import FrameTiming  # noqa: E402

_LONGEST_S = 600.0


def wait(condition: Any, what: str) -> None:
    """Let Slicer work until something is so, as its event loop would."""
    loop, timer = qt.QEventLoop(), qt.QTimer()
    end = time.monotonic() + _LONGEST_S

    def look() -> None:
        if condition() or time.monotonic() > end:
            loop.quit()

    timer.timeout.connect(look)
    timer.start(50)
    loop.exec_()
    timer.stop()
    if not condition():
        raise RuntimeError(f"{what} took longer than {_LONGEST_S:.0f} s")


def settle() -> None:
    """Everything that was put off is done."""
    until = time.monotonic() + 2.0
    wait(lambda: time.monotonic() > until, "nothing")


def prepare(panel: Any) -> None:
    """A series and its aorta, shown by the panel, in an empty scene."""
    slicer.mrmlScene.Clear()
    slicer.app.processEvents()
    shape = (TOLD["slices"], TOLD["matrix"], TOLD["matrix"])
    sequence = scene_sequence(shape, FrameTiming.parse(TOLD["frames"]))
    state = panel.session.state
    state.sequence = sequence.node
    wait(lambda: panel.session.sequence is not None, "choosing the series")
    blood = drawn_aorta(panel.session.sequence)
    state.inputSegmentation, state.inputSegment = blood.segmentation, blood.segment_id
    state.method = TOLD["method"]
    panel.input.measure()
    wait(lambda: panel.session.blood is not None, "measuring the blood curve")
    settle()


def measure(widget: Any) -> Responsiveness:
    """One estimate, from the click to the overlay on the screen."""
    panel, before = widget.panel, widget.panel.session.result
    heart, red = Heartbeat(), slicer.app.layoutManager().sliceWidget("Red")
    drawn: list[float] = []
    window = red.sliceView().renderWindow()

    def on_drawn(_caller: Any, _event: str) -> None:
        result = panel.session.result
        if drawn or result is None or result == before:
            return
        if red.mrmlSliceCompositeNode().GetForegroundVolumeID() == result.maps["ki"].GetID():
            watch.shown()
            drawn.append(time.perf_counter())

    wait(lambda: "before" in heart.pauses, "the first beats")
    clicked = time.perf_counter()
    heart.enter("click")
    widget.ui.runButton.click()
    heart.enter("handing over")
    watch = Watch(panel.estimate._run, heart, clicked)
    tag = window.AddObserver("EndEvent", on_drawn)
    # The panel's own reaction, which lays the map over the images, comes before this and counts as loading.
    panel.estimate._run.finished.connect(lambda _result: heart.enter("drawing"))
    wait(lambda: bool(drawn or watch.failure), "the estimate")
    window.RemoveObserver(tag)
    # With the first result the views are arranged anew, when they know their sizes.
    cleaned = time.monotonic() + CLEANING_MS / 1000.0
    wait(lambda: time.monotonic() > cleaned, "cleaning up")
    measured = watch.measured()
    settle()
    return measured


def main() -> None:
    """Measure the first result of a scene and as many later ones as were asked for, write the findings, end Slicer."""
    slicer.util.mainWindow().resize(1560, 1120)
    found: dict[str, Any] = {"runs": [], "slicer": str(slicer.app.applicationVersion)}
    try:
        slicer.util.selectModule("DynamicPETKinetics")
        widget = slicer.modules.dynamicpetkinetics.widgetRepresentation().self()
        prepare(widget.panel)
        for _ in range(1 + TOLD["runs"]):
            found["runs"].append(asdict(measure(widget)))
    except BaseException:
        found["failed"] = traceback.format_exc()
    Path(TOLD["findings"]).write_text(json.dumps(found), encoding="utf-8")
    slicer.util.exit(1 if "failed" in found else 0)


main()
