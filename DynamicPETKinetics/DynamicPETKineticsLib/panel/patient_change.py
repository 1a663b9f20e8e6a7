"""What was chosen for one patient is not used for another."""

from __future__ import annotations

from typing import Any

from DynamicPETKineticsLib.regions.aorta_segment import INPUT_ROLE, known_aorta
from DynamicPETKineticsLib.regions.sphere import REGIONS_ROLE
from DynamicPETKineticsLib.scene.anatomy import frame_of_reference
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence, is_dynamic_sequence


class PatientChange:
    """Notices that a series lies in another patient space (DICOM frame of reference) than the one before.

    Series without a frame of reference cannot be told apart: what is chosen stays.
    """

    def __init__(self) -> None:
        self._space = ""

    def forget(self) -> None:
        """The scene closes."""
        self._space = ""

    def comes_with(self, node: Any) -> bool:
        """Whether this series, which is chosen now, is of another patient space than the last one that had any."""
        space = frame_of_reference(DynamicSequence(node)) if is_dynamic_sequence(node) else ""
        before, self._space = self._space, space or self._space
        return bool(before and space and before != space)


def take_own(state: Any, node: Any) -> None:
    """Take what belongs to a series, and let go of what was chosen for the patient before.

    Aorta and regions are those that were drawn for the series earlier, if any were.

    :param state: the parameter node's wrapper.
    :param node: the sequence node.
    """
    drawn = node.GetNodeReference(INPUT_ROLE)
    state.inputSegment = known_aorta(drawn) if drawn is not None else ""
    state.inputSegmentation = drawn
    state.regions = node.GetNodeReference(REGIONS_ROLE)
    state.anatomy = None
    state.inputFile = ""
    state.glucose = 0.0
    if state.plasmaKind == "haematocrit":
        state.plasmaKind = "none"
