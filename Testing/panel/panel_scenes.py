"""Series in the scene for the tests of the panel: small, some without what a series should say."""

from __future__ import annotations

from typing import Any

import numpy as np

import slicer
from background.run_cases import WithAorta, drawn_aorta, scene_sequence
from background.worker_cases import FDG, FRAMES
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.load_sequence import add_sequence
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, VolumeGeometry

SHAPE = (6, 24, 24)
GRID = VolumeGeometry(SHAPE, (4.0, 4.0, 4.0), (-40.0, -40.0, -20.0))


def ready(driver: Any, shape: tuple[int, int, int] = SHAPE) -> DynamicSequence:
    """A series is chosen and its aorta drawn; only *Run* is missing."""
    sequence = scene_sequence(shape)
    driver.take(sequence)
    draw_aorta(driver, sequence)
    return sequence


def draw_aorta(driver: Any, sequence: DynamicSequence) -> None:
    """The vessel as the segment of step 2."""
    blood = drawn_aorta(sequence)
    driver.panel.input.take_segment(blood.segmentation, blood.segment_id)


def part(first: int, last: int, name: str) -> DynamicSequence:
    """A series of some of the frames, as a scan in two series gives."""
    timing = FrameTiming(FRAMES.start_s[first:last], FRAMES.duration_s[first:last])
    voxels = WithAorta(SHAPE, FRAMES).read(range(first, last), 0, SHAPE[0])
    series = DynamicSeries(timing, GRID, FDG, ArrayVoxels(voxels), injected_activity_mbq=300.0, weight_kg=70.0)
    return DynamicSequence(add_sequence(series, name))


def multivolume(kbq_to: float = 1000.0) -> DynamicSequence:
    """A series as MultiVolumeImporter makes it: starts in ms as labels, nothing of durations, units, tracer, dose."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "MultiVolume")
    node.SetIndexName("")
    node.SetIndexUnit("")
    labels = ",".join(f"{1000 * start:.0f}" for start in FRAMES.start_s)
    for name, text in {"FrameLabels": labels, "FrameIdentifyingDICOMTagUnits": "ms"}.items():
        node.SetAttribute(f"MultiVolume.{name}", text)
    node.SetAttribute("MultiVolume.FrameIdentifyingDICOMTagName", "AcquisitionTime")
    voxels = WithAorta(SHAPE, FRAMES)
    for frame in range(len(FRAMES)):
        volume = slicer.vtkMRMLScalarVolumeNode()
        volume.SetSpacing(4.0, 4.0, 4.0)
        volume.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)
        volume.SetOrigin(40.0, 40.0, -20.0)
        slicer.util.updateVolumeFromArray(volume, kbq_to * voxels.read([frame], 0, SHAPE[0])[0])
        node.SetDataNodeAtValue(volume, str(frame))
    return DynamicSequence(node)


def ct() -> Any:
    """A CT over the series."""
    voxels = np.full((30, 60, 60), -1000.0, np.float32)
    voxels[5:-5, 10:-10, 10:-10] = 40.0
    volume = slicer.util.addVolumeFromArray(voxels, np.diag([-2.0, -2.0, 2.0, 1.0]), "CT")
    volume.SetOrigin(50.0, 50.0, -30.0)
    return volume
