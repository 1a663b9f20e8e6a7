"""Series of one study that are parts of one scan, joined into one sequence without copying a voxel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import vtk

import slicer
from DynamicPETKineticsLib.scene.anatomy import frame_of_reference
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence, dynamic_sequences
from DynamicPETKineticsLib.scene.frame_attributes import attributes_of, read_attributes, reapply_units
from DynamicPETKineticsLib.scene.sequence_voxels import frame_geometry
from DynamicPETKineticsLib.scene.subject_hierarchy import place_beside
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.sequence_attributes import SequenceAttributes
from petkinetics.read.sequence_statements import PREFIX

#: attributes that differ between parts of one scan, or that joining settles
_OF_A_PART = ("SourceSeriesUIDs", "Warnings", "Overrides", "FirstFrame_s", "Units")


def joinable_with(node: Any) -> list[Any]:
    """Sequences of the scene whose frames fit before, after or between those of *node*, in order of time."""
    fitting = []
    for other in dynamic_sequences():
        if other.node is node:
            continue
        try:
            _check([node, other.node])
        except InputError:
            continue
        fitting.append(other.node)
    # Two that each fit may overlap: then the later one is left.
    kept: list[Any] = []
    for other in sorted(fitting, key=_first_start):
        try:
            _check([node, *kept, other])
        except InputError:
            continue
        kept.append(other)
    return kept


def join(nodes: Sequence[Any]) -> Any:
    """One sequence with the frames of several, in order of time; images are shared, not copied.

    The parts stay in the scene.

    :param nodes: sequences of one study: same patient space, grid, unit, tracer, dose and weight.
    :returns: vtkMRMLSequenceNode.
    :raises InputError: they are not parts of one scan; says why.
    """
    said = _check(nodes)
    ordered = sorted(nodes, key=_first_start)
    joined = slicer.vtkMRMLSequenceNode()
    joined.SetName(slicer.mrmlScene.GenerateUniqueName(_("{name} joined").format(name=ordered[0].GetName())))
    joined.SetIndexName("time")
    joined.SetIndexUnit("s")
    joined.SetIndexType(joined.NumericIndex)
    for name, text in _merged(said).items():
        joined.SetAttribute(PREFIX + name, text)
    for start, node in _frames(nodes):
        _share(joined, node, repr(start))
    reapply_units(joined)
    slicer.mrmlScene.AddNode(joined)
    place_beside(ordered[0], joined)
    return joined


def _check(nodes: Sequence[Any]) -> list[SequenceAttributes]:
    """What the parts say, in order of time.

    :raises InputError: they do not fit together.
    """
    if len(nodes) < 2:
        raise InputError(_("Joining takes at least two series."))
    parts = sorted((DynamicSequence(node) for node in nodes), key=lambda part: _first_start(part.node))
    said = [read_attributes(part.node) for part in parts]
    first = parts[0]
    for part, its in zip(parts, said, strict=True):
        if part.missing or its.timing is None:
            raise InputError(
                _("'{name}' does not say everything about its frames yet.").format(name=part.name),
                _("Choose it in step 1 and type what is missing."),
            )
        difference = frame_geometry(first.node).difference(frame_geometry(part.node))
        if difference:
            raise InputError(
                _("'{name}' has another grid: {difference}.").format(name=part.name, difference=difference)
            )
        known = [frame_of_reference(first), frame_of_reference(part)]
        if all(known) and known[0] != known[1]:
            raise InputError(_("'{name}' does not lie in the same patient space.").format(name=part.name))
        _refuse_other_values(said[0], its)
    timings = [its.timing for its in said if its.timing is not None]
    FrameTiming(np.concatenate([t.start_s for t in timings]), np.concatenate([t.duration_s for t in timings]))
    return said


def _refuse_other_values(first: SequenceAttributes, other: SequenceAttributes) -> None:
    values = {
        _("tracer"): (first.tracer, other.tracer),
        _("unit"): (first.units, other.units),
        _("decay correction"): (first.decay_corrected_to, other.decay_corrected_to),
        _("averaging within frames"): (first.own.get("FrameMean"), other.own.get("FrameMean")),
        _("injected activity"): (first.dose_mbq, other.dose_mbq),
        _("patient's weight"): (first.weight_kg, other.weight_kg),
    }
    for what, (ours, theirs) in values.items():
        if ours != theirs:
            raise InputError(
                _("'{first}' and '{other}' differ in {what}.").format(first=first.name, other=other.name, what=what)
            )


def _merged(said: Sequence[SequenceAttributes]) -> dict[str, str]:
    """Our attributes of the whole, without the prefix."""
    merged = {name: text for name, text in said[0].own.items() if name not in _OF_A_PART}
    uids = dict.fromkeys(uid for its in said for uid in its.series_uids)
    warnings = dict.fromkeys(sentence for its in said for sentence in (*its.recorded_warnings(), *its.notes))
    overrides: dict[str, object] = {}
    for its in said:
        overrides |= its.recorded_overrides()
    merged["SourceSeriesUIDs"] = " ".join(uids)
    merged["Warnings"] = json.dumps(list(warnings)) if warnings else ""
    merged["Overrides"] = json.dumps(overrides) if overrides else ""
    return {name: text for name, text in merged.items() if text}


def _frames(nodes: Sequence[Any]) -> list[tuple[float, Any]]:
    """(start, frame node) of all parts, in order of time."""
    found = []
    for node in nodes:
        timing = DynamicSequence(node).timing
        assert timing is not None
        found += [(float(start), node.GetNthDataNode(i)) for i, start in enumerate(timing.start_s)]
    return sorted(found, key=lambda frame: frame[0])


def _share(joined: Any, frame: Any, start: str) -> None:
    """Append a frame whose image is that of the part's frame."""
    bare = slicer.vtkMRMLScalarVolumeNode()
    bare.SetName(frame.GetName())
    matrix = vtk.vtkMatrix4x4()
    frame.GetIJKToRASMatrix(matrix)
    bare.SetIJKToRASMatrix(matrix)
    joined.SetDataNodeAtValue(bare, start)
    node = joined.GetDataNodeAtValue(start)
    for name, text in attributes_of(frame).items():
        node.SetAttribute(name, text)
    node.SetAndObserveImageData(frame.GetImageData())


def _first_start(node: Any) -> float:
    timing = DynamicSequence(node).timing
    return float(timing.start_s[0]) if timing is not None else float("inf")
