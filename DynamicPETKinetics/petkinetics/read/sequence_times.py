"""When the frames of a volume sequence were: by our attributes, MultiVolumeImporter's labels, its index or the user."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.sequence_statements import PREFIX, SequenceStatements

_TIME_UNITS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0}


def frame_times(said: SequenceStatements) -> FrameTiming | None:
    """The frames from injection; None where something has to be asked for.

    :raises InputError: numbers that cannot be frames.
    """
    duration, start = _durations(said), _starts(said)
    if start is None:
        # nothing but an order: the frames follow one another
        if duration is not None and (first := _first_frame(said)) is not None:
            return FrameTiming(first + np.concatenate([[0.0], np.cumsum(duration)[:-1]]), duration)
        return None
    return FrameTiming(start, duration) if duration is not None else None


def _durations(said: SequenceStatements) -> NDArray[np.float64] | None:
    spec = said.statements.get("frames")
    if spec is not None:
        stated = FrameTiming.parse(spec).duration_s
        if stated.size != said.frames:
            raise InputError(f"--set frames={spec} gives {stated.size} frames, but {said.name} has {said.frames}.")
        return stated
    found = [item.get(PREFIX + "FrameDuration_s") for item in said.items]
    if all(v is not None for v in found):
        return np.array([said.number(str(v), f"{PREFIX}FrameDuration_s") for v in found])
    said.ask("frames", "how long its frames last", "--set frames=6x10,4x30,... (counts x seconds)")
    return None


def _starts(said: SequenceStatements) -> NDArray[np.float64] | None:
    """Starts from injection; None where only the order of the frames is known."""
    found = [item.get(PREFIX + "FrameStart_s") for item in said.items]
    if all(v is not None for v in found):
        start = np.array([said.number(str(v), f"{PREFIX}FrameStart_s") for v in found])
        first = said.statements.get("first_frame")
        return start if first is None else start - start[0] + said.number(first, "first_frame")
    relative = _relative_starts(said)
    if relative is None:
        return None
    first_s = _first_frame(said)
    return None if first_s is None else relative - relative[0] + first_s


def _relative_starts(said: SequenceStatements) -> NDArray[np.float64] | None:
    """Starts on a clock of their own: MultiVolumeImporter's labels, or index values with a unit of time."""
    labels = said.pairs.get("MultiVolume.FrameLabels")
    if labels is not None:
        texts = [t for t in re.split(r"[,\s]+", labels) if t]
        unit = said.pairs.get("MultiVolume.FrameIdentifyingDICOMTagUnits", "").lower()
        if len(texts) != said.frames:
            raise InputError(
                f"{said.name} has {said.frames} frames, but MultiVolume.FrameLabels has {len(texts)} values."
            )
        if unit in _TIME_UNITS:
            tag = said.pairs.get("MultiVolume.FrameIdentifyingDICOMTagName", "an unnamed tag")
            said.notes.append(
                f"The frames' starts were taken from {tag}, relative to the first frame, as MultiVolumeImporter "
                "keeps them; on some scanners this is not when a frame began."
            )
            return np.array([said.number(t, "MultiVolume.FrameLabels") for t in texts]) * _TIME_UNITS[unit]
    if said.index_unit in _TIME_UNITS and len(said.index) == said.frames:
        values = np.array([said.number(t, "the index") for t in said.index])
        return values * _TIME_UNITS[said.index_unit]
    return None


def _first_frame(said: SequenceStatements) -> float | None:
    """Start of the first frame from injection; asked for where nobody says it."""
    text = said.statements.get("first_frame") or said.own.get("FirstFrame_s")
    if text is not None:
        return said.number(text, "first_frame")
    said.ask("first_frame", "when its first frame began", "--set first_frame=0 (seconds from injection to its start)")
    return None
