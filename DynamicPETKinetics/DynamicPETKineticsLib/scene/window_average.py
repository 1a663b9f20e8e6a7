"""Averages of the frames in a window of time, as volumes: early for blood, late for uptake."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.subject_hierarchy import place_beside
from DynamicPETKineticsLib.scene.volume_geometry import empty_image, ijk_to_ras
from DynamicPETKineticsLib.scene.voxel_units import set_units
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S, FrameTiming

#: blood is brightest from the bolus's arrival until about two minutes
ARRIVAL_S = 10.0
BLOOD_UNTIL_S = 120.0
#: uptake is looked at in this last part of the scan
UPTAKE_MIN = 15.0
#: on a volume: what an average shows: kind, from and to in s
AVERAGE = "DynamicPET.Average"
INVERTED_GREY, _GREY = "vtkMRMLColorTableNodeInvertedGrey", "vtkMRMLColorTableNodeGrey"
_SEQUENCE_ROLE = "DynamicPET.Sequence"
_KINDS = {"activity": "activity", "suv": "bw"}


def early_window(timing: FrameTiming) -> tuple[float, float]:
    """The window in which blood is brightest, at borders of frames; minutes from injection.

    A scan that begins later than that gives its first two minutes, or its first frame.
    """
    end = max(BLOOD_UNTIL_S, float(timing.start_s[0]) + BLOOD_UNTIL_S)
    early = np.flatnonzero((timing.start_s >= ARRIVAL_S - TOLERANCE_S) & (timing.end_s <= end + TOLERANCE_S))
    if early.size == 0:
        early = np.array([int(np.argmax(timing.end_s > ARRIVAL_S))])
    return _borders(timing, early)


def late_window(timing: FrameTiming) -> tuple[float, float]:
    """The last quarter of an hour at borders of frames, or the last frame; minutes from injection."""
    late = np.flatnonzero(timing.start_s >= timing.end_s[-1] - 60.0 * UPTAKE_MIN - TOLERANCE_S)
    return _borders(timing, late if late.size else np.array([len(timing) - 1]))


def average(sequence: DynamicSequence, from_min: float, to_min: float, kind: str = "activity") -> Any:
    """Mean of the frames within a window, weighted by their durations.

    :param from_min: minutes from injection; frames count that lie within the window.
    :param kind: "activity" (kBq/mL decay-corrected to injection) or "suv" (g/mL by body weight).
    :returns: vtkMRMLScalarVolumeNode with unit and quantity; the same node for the same window.
    :raises InputError: no frame lies in the window, the series lacks something, or SUV needs dose and weight.
    """
    return at_once(average_steps(sequence, from_min, to_min, kind))


def average_steps(
    sequence: DynamicSequence, from_min: float, to_min: float, kind: str = "activity"
) -> Generator[float, None, Any]:
    """The same in steps of some slices; the node changes when all is there.

    :raises InputError: SUV without activity or weight; see :func:`petkinetics.estimators.window_image.window_image`.
    """
    from petkinetics.estimators.window_image import window_image

    series = sequence.series()
    if kind == "suv" and not (series.injected_activity_mbq and series.weight_kg):
        raise InputError(
            _("SUV needs the injected activity and the patient's weight."), _("Type them in step 1 of the panel.")
        )
    plan = window_image(series, _KINDS[kind], (from_min, to_min))
    image, voxels = empty_image(series.geometry)
    for first, slab in plan.slabs(series):
        voxels[first : first + len(slab)] = slab
        yield (first + len(slab)) / len(voxels)
    volume = _node(sequence, kind, plan.record["from_s"], plan.record["to_s"])
    if volume.GetDisplayNode() is None:
        # Before the image is there: Slicer would look through all of it for a window.
        volume.CreateDefaultDisplayNodes()
        volume.GetDisplayNode().SetAndObserveColorNodeID(INVERTED_GREY)
        set_window(volume.GetDisplayNode(), 0.0, upper_window(voxels))
    volume.SetIJKToRASMatrix(ijk_to_ras(series.geometry))
    volume.SetAndObserveImageData(image)
    set_units(volume, plan.quantity.unit)
    _keep_transform(sequence, volume)
    return volume


def newest_average(series_node: Any) -> Any:
    """The newest average of a series, whatever its window; None where there is none.

    :param series_node: the sequence node; None for averages whose series is not in the scene any more.
    """
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next((volume for volume in reversed(volumes) if is_average_of(volume, series_node)), None)


def is_average_of(volume: Any, series_node: Any) -> bool:
    """Whether a volume is an average of this series."""
    return bool(volume.GetAttribute(AVERAGE)) and volume.GetNodeReference(_SEQUENCE_ROLE) is series_node


def upper_window(voxels: NDArray[Any]) -> float:
    """The upper end of a window that shows a PET image: most of the patient below, hot organs above.

    The 99th percentile of what lies above 5 % of the nearly hottest voxels, from a sample of them.
    """
    step = max(1, round((voxels.size / 2e5) ** (1 / 3)))
    sample = np.asarray(voxels[::step, ::step, ::step], dtype=np.float32)
    sample = sample[np.isfinite(sample)]
    top = float(np.percentile(sample, 99.9)) if sample.size else 0.0
    if not top > 0:
        return 1.0
    return float(np.percentile(sample[sample > 0.05 * top], 99.0))


def set_window(display: Any, low: float, high: float) -> None:
    """A fixed window of a volume's display."""
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(low, high)


def set_background_dark(volume: Any, dark: bool) -> None:
    """Swap inverted grey for grey or back; other colours are somebody's choice.

    PET is read alone in inverted grey. Under a map its air has to be black: white would shine through the colours of
    low values, and hide legend and scale bar, which are white.
    """
    display = volume.GetDisplayNode()
    if display is not None and display.GetColorNodeID() == (INVERTED_GREY if dark else _GREY):
        display.SetAndObserveColorNodeID(_GREY if dark else INVERTED_GREY)


def _borders(timing: FrameTiming, frames: NDArray[np.intp]) -> tuple[float, float]:
    return float(timing.start_s[frames[0]]) / 60.0, float(timing.end_s[frames[-1]]) / 60.0


def _node(sequence: DynamicSequence, kind: str, from_s: float, to_s: float) -> Any:
    """The volume of this window: the one that is there, else a new one beside the series."""
    window = f"{kind} {from_s:.0f} {to_s:.0f}"
    for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if volume.GetAttribute(AVERAGE) == window and volume.GetNodeReference(_SEQUENCE_ROLE) is sequence.node:
            return volume
    shown = _("SUV") if kind == "suv" else _("mean")
    # Two decimals without needless zeros: "0.17–2", "75–105", never "1e+02".
    start, end = (f"{seconds / 60:.2f}".rstrip("0").rstrip(".") for seconds in (from_s, to_s))
    name = f"{sequence.name} {shown} {start}–{end} min"
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name))
    volume.SetAttribute(AVERAGE, window)
    volume.SetNodeReferenceID(_SEQUENCE_ROLE, sequence.node.GetID())
    place_beside(sequence.node, volume)
    return volume


def _keep_transform(sequence: DynamicSequence, volume: Any) -> None:
    """Where the browsed frame was moved by a transform, its averages lie with it."""
    proxy = sequence.proxy
    if proxy is not None:
        volume.SetAndObserveTransformNodeID(proxy.GetTransformNodeID())
