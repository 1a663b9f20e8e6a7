"""A series in the scene with an aorta drawn in it, and services on a plain loop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from background.bench import LAUNCHER
from background.plain_loop import PlainLoop, PlainProcess
from background.worker_cases import FDG, FRAMES, NoisyVoxels
from DynamicPETKineticsLib.process.temp_folders import TempFolders
from DynamicPETKineticsLib.regions.aorta_segment import add_aorta, input_segmentation
from DynamicPETKineticsLib.runs.estimate_choices import CurveInput, EstimateChoices, SegmentInput
from DynamicPETKineticsLib.runs.services import Services
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.load_sequence import add_sequence, show_in_browser
from petkinetics.frames import FrameTiming
from petkinetics.series import DynamicSeries, VolumeGeometry


class WithAorta:
    """NoisyVoxels with a vessel along the slices in which blood goes by."""

    def __init__(self, shape: tuple[int, int, int], timing: FrameTiming = FRAMES) -> None:
        self._tissue = NoisyVoxels(shape, timing)
        self.shape = self._tissue.shape
        minutes = (timing.start_s + timing.end_s) / 120.0
        self._blood = 60.0 * np.exp(-(((minutes - 0.7) / 0.3) ** 2)) + 8.0 * np.exp(-0.01 * minutes) * (minutes > 0.3)

    def mask(self) -> Any:
        mask = np.zeros(self.shape[1:], dtype=bool)
        rows, columns = (slice(size // 2 - 2, size // 2 + 2) for size in self.shape[2:])
        mask[1:-1, rows, columns] = True
        return mask

    def read(self, frames: Any, first_slice: int, last_slice: int, out: Any = None) -> Any:
        slab = self._tissue.read(frames, first_slice, last_slice)
        where = self.mask()[first_slice:last_slice]
        for i, frame in enumerate(frames):
            slab[i][where] = self._blood[frame]
        if out is not None:
            out[:] = slab
            return out
        return slab


def scene_sequence(shape: tuple[int, int, int] = (6, 24, 24), timing: FrameTiming = FRAMES) -> DynamicSequence:
    """The series as our DICOM plugin would leave it, shown in a browser."""
    geometry = VolumeGeometry(shape, (4.0, 4.0, 4.0), (-40.0, -40.0, -20.0))
    voxels = WithAorta(shape, timing)
    series = DynamicSeries(timing, geometry, FDG, voxels, injected_activity_mbq=300.0, weight_kg=70.0)
    node = add_sequence(series, "FDG dynamic")
    show_in_browser(node)
    return DynamicSequence(node)


def drawn_aorta(sequence: DynamicSequence) -> SegmentInput:
    """The vessel as a segment."""
    segmentation = input_segmentation(sequence)
    mask = WithAorta(sequence.geometry.shape).mask()
    return SegmentInput(segmentation, add_aorta(segmentation, mask, sequence.geometry))


def choices(blood: SegmentInput | CurveInput, **more: Any) -> EstimateChoices:
    """Patlak, with changes."""
    return EstimateChoices(blood, **more)


class Launched:
    """Makes processes behind the launcher; the last one's worker is *pid*."""

    def __init__(self, loop: PlainLoop, folder: Path) -> None:
        self._loop, self._pid_file = loop, folder / "pid"
        self.last: PlainProcess | None = None

    def __call__(self) -> PlainProcess:
        process = self.last = self._loop.process()
        process.prefix = (sys.executable, "-S", str(LAUNCHER))
        process.environment = {"CHILD_PID_FILE": str(self._pid_file)}
        return process

    @property
    def pid(self) -> int:
        return int(self._pid_file.read_text())


def services(loop: PlainLoop, folder: Path, launcher: Launched | None = None) -> Services:
    """Everything a run needs; temporary folders in ``folder/temporary``."""
    temp_folders = TempFolders(lambda: folder / "temporary")
    return Services(loop.ticker, launcher or loop.process, temp_folders, lambda: sys.executable)


def leftovers(folder: Path) -> list[Path]:
    """What is in ``folder/temporary``."""
    base = folder / "temporary"
    return list(base.iterdir()) if base.exists() else []
