"""The engine's series into the scene: a sequence node, frame by frame, held once."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.scene.subject_hierarchy import place_beside
from DynamicPETKineticsLib.scene.volume_geometry import empty_image, ijk_to_ras
from DynamicPETKineticsLib.scene.voxel_units import set_units
from petkinetics.read.sequence_statements import PREFIX
from petkinetics.series import DynamicSeries
from petkinetics.write.sequence_nrrd import frame_attributes, sequence_attributes

#: voxels a step: about 10 ms of reading and conversion
_VOXELS_A_STEP = 1 << 19


def load_steps(series: DynamicSeries, name: str) -> Generator[float, None, Any]:
    """Read a series into a new sequence node, some slices a step.

    Voxels go from the reader into the frame's own image; there is no second copy. A series given up
    half-way leaves nothing in the scene.

    :param name: of the node.
    :returns: vtkMRMLSequenceNode (of the generator), with the attributes of docs/formats.md.
    :raises InputError: the source cannot be read.
    """
    geometry, frames = series.geometry, len(series.timing)
    slices, rows, columns = geometry.shape
    depth = max(1, min(slices, _VOXELS_A_STEP // (rows * columns)))
    # Outside the scene until it is complete, so that nobody sees half a series.
    sequence = slicer.vtkMRMLSequenceNode()
    sequence.SetName(slicer.mrmlScene.GenerateUniqueName(name))
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    sequence.SetIndexType(sequence.NumericIndex)
    for attribute, text in sequence_attributes(series).items():
        sequence.SetAttribute(PREFIX + attribute, text)
    for frame in range(frames):
        image, voxels = empty_image(geometry)
        for first in range(0, slices, depth):
            last = min(first + depth, slices)
            series.voxels.read([frame], first, last, voxels[None, first:last])
            yield (frame + last / slices) / frames
        _append_frame(sequence, image, series, frame)
    slicer.mrmlScene.AddNode(sequence)
    return sequence


def _append_frame(sequence: Any, image: Any, series: DynamicSeries, frame: int) -> None:
    said = frame_attributes(series, frame)
    start = said["FrameStart_s"]
    # A sequence copies the node that it is given: so the image follows when the copy is made.
    sequence.SetDataNodeAtValue(_bare_volume(series, f"{sequence.GetName()} {start} s"), start)
    node = sequence.GetDataNodeAtValue(start)
    for attribute, text in said.items():
        node.SetAttribute(PREFIX + attribute, text)
    set_units(node, said["Units"])
    node.SetAndObserveImageData(image)


def _bare_volume(series: DynamicSeries, name: str) -> Any:
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(name)
    volume.SetIJKToRASMatrix(ijk_to_ras(series.geometry))
    return volume


def add_sequence(series: DynamicSeries, name: str) -> Any:
    """All of :func:`load_steps` at once; the caller waits.

    :returns: vtkMRMLSequenceNode.
    """
    return at_once(load_steps(series, name))


def show_in_browser(sequence: Any) -> tuple[Any, Any]:
    """A browser node for a sequence and the volume node that shows the browsed frame; made once.

    The volume has the sequence's name: in selectors and views it stands for the series.

    :returns: (vtkMRMLSequenceBrowserNode, vtkMRMLScalarVolumeNode).
    """
    logic = slicer.modules.sequences.logic()
    browser = logic.GetFirstBrowserNodeForSequenceNode(sequence)
    if browser is None:
        browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{sequence.GetName()} browser")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        browser.SetIndexDisplayFormat("%.0f")
    if browser.GetProxyNode(sequence) is None:
        logic.UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(sequence)
    unit = proxy.GetAttribute(PREFIX + "Units")
    if unit:
        set_units(proxy, unit)
    place_beside(sequence, browser, proxy)
    return browser, proxy
