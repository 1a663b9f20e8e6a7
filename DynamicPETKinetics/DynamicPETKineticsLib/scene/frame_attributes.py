"""Reading and writing what a sequence node says of itself and of its frames."""

from __future__ import annotations

import json
from typing import Any

from DynamicPETKineticsLib.scene.voxel_units import set_units, units_of
from petkinetics.frames import FrameTiming
from petkinetics.read.sequence_attributes import SequenceAttributes
from petkinetics.read.sequence_statements import PREFIX


def attributes_of(node: Any) -> dict[str, str]:
    """All attributes of a node."""
    return {name: node.GetAttribute(name) for name in node.GetAttributeNames()}


def read_attributes(sequence: Any) -> SequenceAttributes:
    """What the sequence and its frames say; voxels are not touched.

    :raises InputError: an attribute is not what it should be.
    """
    frames = range(sequence.GetNumberOfDataNodes())
    return SequenceAttributes(
        sequence.GetName() or "",
        attributes_of(sequence),
        [attributes_of(sequence.GetNthDataNode(i)) for i in frames],
        [sequence.GetNthIndexValue(i) for i in frames],
        sequence.GetIndexUnit() or "",
    )


def set_attribute(sequence: Any, name: str, text: str) -> None:
    """Set one of our attributes of the sequence, or remove it where *text* is empty."""
    if text:
        sequence.SetAttribute(PREFIX + name, text)
    else:
        sequence.RemoveAttribute(PREFIX + name)
    sequence.StorableModified()


def set_frame_attribute(sequence: Any, name: str, texts: list[str]) -> None:
    """Set one of our attributes of every frame.

    Slicer does not take that for a change that has to be saved, so the sequence is told.
    """
    for i, text in enumerate(texts):
        sequence.GetNthDataNode(i).SetAttribute(PREFIX + name, text)
    sequence.StorableModified()


def set_times(sequence: Any, timing: FrameTiming) -> None:
    """Write every frame's start and duration, and make its start the index value (time, s)."""
    set_frame_attribute(sequence, "FrameStart_s", [repr(float(s)) for s in timing.start_s])
    set_frame_attribute(sequence, "FrameDuration_s", [repr(float(s)) for s in timing.duration_s])
    set_attribute(sequence, "FirstFrame_s", "")
    wanted = [repr(float(start)) for start in timing.start_s]
    present = [sequence.GetNthIndexValue(i) for i in range(len(timing))]
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    if present == wanted:
        return
    sequence.SetIndexType(sequence.NumericIndex)
    # Slicer keeps frames sorted and index values unique at every moment: first beyond all, then in place.
    beyond = 1.0 + max(map(_number, [*present, *wanted]))
    for i, value in enumerate(present):
        sequence.UpdateIndexValue(value, repr(beyond + i))
    for i, value in enumerate(wanted):
        sequence.UpdateIndexValue(repr(beyond + i), value)


def record_override(sequence: Any, name: str, value: object) -> None:
    """Note what somebody typed in place of the source's value, for result.json."""
    found = read_attributes(sequence).recorded_overrides()
    found[name] = value
    set_attribute(sequence, "Overrides", json.dumps(found))


def reapply_units(sequence: Any) -> None:
    """Give the frames their coded units back, which a ``.seq.nrrd`` does not keep."""
    for i in range(sequence.GetNumberOfDataNodes()):
        node = sequence.GetNthDataNode(i)
        unit = node.GetAttribute(PREFIX + "Units") or sequence.GetAttribute(PREFIX + "Units")
        if unit and not units_of(node):
            set_units(node, unit)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
