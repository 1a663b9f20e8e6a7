"""A dynamic PET series in the scene: what it says, what it lacks, and the series that the engine reads."""

from __future__ import annotations

from typing import Any

import numpy as np

import slicer
from DynamicPETKineticsLib.scene.frame_attributes import (
    read_attributes,
    reapply_units,
    record_override,
    set_times,
)
from DynamicPETKineticsLib.scene.sequence_questions import Missing, missing_of, wanting_of
from DynamicPETKineticsLib.scene.sequence_values import set_sequence_value, value_of
from DynamicPETKineticsLib.scene.sequence_voxels import SequenceNodeVoxels, frame_arrays, frame_geometry
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.sequence_attributes import SequenceAttributes
from petkinetics.series import DynamicSeries, SeriesOrigin, VolumeGeometry


def is_dynamic_sequence(node: Any) -> bool:
    """Whether a node is a sequence of at least two scalar volumes."""
    return (
        node is not None
        and node.IsA("vtkMRMLSequenceNode")
        and node.GetNumberOfDataNodes() > 1
        and node.GetDataNodeClassName() == "vtkMRMLScalarVolumeNode"
    )


def dynamic_sequences() -> list[DynamicSequence]:
    """All that are in the scene."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
    return [DynamicSequence(node) for node in nodes if is_dynamic_sequence(node)]


class DynamicSequence:
    """Translates a sequence node into the engine's series; the node holds all the state.

    Sequences of our DICOM plugin say everything in their attributes (docs/formats.md); those of
    MultiVolumeImporter and of other programs lack most of it, which *missing* lists and
    :meth:`set_value` takes. Nothing is guessed.

    :param node: a sequence of scalar volumes (vtkMRMLSequenceNode).
    """

    def __init__(self, node: Any) -> None:
        self.node = node
        reapply_units(node)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DynamicSequence) and other.node is self.node

    def __hash__(self) -> int:
        return hash(self.node)

    @property
    def name(self) -> str:
        """As it stands in the selector."""
        return str(self.node.GetName() or "")

    # ------------------------------------------------------------------------------- what it says

    @property
    def timing(self) -> FrameTiming | None:
        """The frames, seconds from injection; None while they are not known."""
        said = self._said()
        return said.timing if isinstance(said, SequenceAttributes) else None

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What has to be typed before anything can be estimated."""
        return missing_of(self._said())

    @property
    def wanting(self) -> tuple[Missing, ...]:
        """What only SUV needs."""
        return wanting_of(self._said())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was assumed when the series was read, and what does not fit together."""
        said = self._said()
        if isinstance(said, InputError):
            return (str(said),)
        return (*said.recorded_warnings(), *said.notes)

    def value(self, key: str) -> str:
        """What the series says, as text; "" where it says nothing. Keys: see :meth:`set_value`."""
        return value_of(self.node, key)

    def set_value(self, key: str, text: str) -> None:
        """Take what somebody typed; it is kept in the node and recorded in results.

        :param key: ``frames`` ("6x10,4x30", seconds), ``first_frame`` (its start, s from injection),
            ``units``, ``decay_corrected_to`` ("injection", "none" or s from injection), ``half_life_s``
            (or the nuclide, "F-18"), ``tracer``, ``injected_activity_mbq``, ``weight_kg``, ``height_m``, ``sex``.
        :raises InputError: the text is not plausible for that.
        """
        set_sequence_value(self.node, key, text)

    def set_timing(self, timing: FrameTiming) -> None:
        """Replace the frames' times; results record that they were edited.

        :raises InputError: the number of frames differs.
        """
        frames = self.node.GetNumberOfDataNodes()
        if len(timing) != frames:
            raise InputError(
                _("{given} times were given, but the series has {frames} frames.").format(
                    given=len(timing), frames=frames
                )
            )
        set_times(self.node, timing)
        record_override(self.node, "frame_times", "edited in the scene")

    def summary(self) -> str:
        """One line: tracer, frames, duration, unit, weight and dose, as far as they are known."""
        said = self._said()
        frames = _("{n} frames").format(n=self.node.GetNumberOfDataNodes())
        if isinstance(said, InputError):
            return frames
        tracer = said.tracer
        parts = []
        if tracer is not None:
            parts.append("FDG" if tracer.is_fdg else tracer.name or tracer.radionuclide)
        parts.append(frames)
        if said.timing is not None:
            start, end = said.timing.start_s[0] / 60.0, said.timing.end_s[-1] / 60.0
            parts.append(_("{start:.3g}–{end:.4g} min").format(start=start, end=end))
        parts.append(said.units or "")
        if said.weight_kg:
            parts.append(_("{weight:.4g} kg").format(weight=said.weight_kg))
        if said.dose_mbq:
            parts.append(_("{dose:.4g} MBq").format(dose=said.dose_mbq))
        return " · ".join(part for part in parts if part)

    @property
    def source_series_uids(self) -> tuple[str, ...]:
        """DICOM Series Instance UIDs of the files that the series came from."""
        said = self._said()
        return said.series_uids if isinstance(said, SequenceAttributes) else ()

    def _said(self) -> SequenceAttributes | InputError:
        try:
            return read_attributes(self.node)
        except InputError as error:
            return error

    # ---------------------------------------------------------------------------------- what it is

    @property
    def geometry(self) -> VolumeGeometry:
        """The voxel grid of its frames (LPS), without the transforms above the proxy node.

        :raises InputError: the frames differ, or their axes are not at right angles.
        """
        return frame_geometry(self.node)

    def series(self) -> DynamicSeries:
        """The series, whose voxels are read in place, in the scene's own arrays.

        :raises InputError: something is missing, or the frames cannot be used.
        """
        said = read_attributes(self.node)
        missing = missing_of(said)
        if missing:
            raise InputError(
                _("'{name}' does not say: {questions}.").format(
                    name=self.name, questions="; ".join(asked.question for asked in missing)
                ),
                _("Type it in step 1 of the panel."),
            )
        geometry = self.geometry
        voxels = SequenceNodeVoxels(frame_arrays(self.node), np.asarray(said.scale()))
        return said.series(geometry, voxels, SeriesOrigin(format="scene"))

    @property
    def browser(self) -> Any:
        """The sequence browser node that shows it; None where there is none."""
        return slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(self.node)

    @property
    def proxy(self) -> Any:
        """The volume node that shows the browsed frame; None where no browser does."""
        browser = self.browser
        return browser.GetProxyNode(self.node) if browser is not None else None
