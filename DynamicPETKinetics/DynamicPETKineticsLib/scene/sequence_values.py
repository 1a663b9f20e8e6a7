"""Taking what somebody types about a sequence: checked, kept in the node, recorded for the results."""

from __future__ import annotations

import json
import math
from typing import Any

from DynamicPETKineticsLib.scene.frame_attributes import (
    read_attributes,
    record_override,
    set_attribute,
    set_frame_attribute,
    set_times,
)
from DynamicPETKineticsLib.scene.voxel_units import set_units
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.activity_units import activity_unit, is_suv_unit
from petkinetics.read.nuclides import find_nuclide
from petkinetics.read.sequence_statements import PREFIX

#: key -> attribute of the sequence, name in results, smallest and largest plausible value
_NUMBERS = {
    "half_life_s": ("HalfLife_s", "half_life_s", 10.0, 1e7),
    "injected_activity_mbq": ("InjectedActivity_MBq", "dose_mbq", 0.1, 20_000.0),
    "weight_kg": ("Weight_kg", "weight_kg", 0.01, 500.0),
    "height_m": ("Height_m", "height_m", 0.2, 2.8),
}
_WORDS = {"tracer": "Tracer", "sex": "Sex", "decay_corrected_to": "DecayCorrectedTo"}
_SPELLED = {"kbq/ml": "kBq/mL", "bq/ml": "Bq/mL", "mbq/ml": "MBq/mL", "g/ml": "g/mL", "suv": "g/mL", "suvbw": "g/mL"}


def value_of(node: Any, key: str) -> str:
    """What the sequence says, as text; "" where it says nothing."""
    if key in _NUMBERS or key in _WORDS:
        attribute = _NUMBERS[key][0] if key in _NUMBERS else _WORDS[key]
        return str(node.GetAttribute(PREFIX + attribute) or "")
    try:
        said = read_attributes(node)
    except InputError:
        return ""
    if key == "units":
        return said.units or ""
    if key not in ("frames", "first_frame"):
        raise KeyError(key)
    if said.timing is None:
        return ""
    return f"{said.timing.start_s[0]:g}" if key == "first_frame" else _specification(said.timing)


def set_sequence_value(node: Any, key: str, text: str) -> None:
    """See :meth:`DynamicPETKineticsLib.scene.dynamic_sequence.DynamicSequence.set_value`.

    :raises InputError: the text is not plausible.
    """
    text = text.strip()
    if key in _NUMBERS:
        _set_number(node, key, text)
    elif key == "frames":
        _set_frames(node, text)
    elif key == "first_frame":
        _set_first_frame(node, text)
    elif key == "units":
        _set_unit(node, text)
    elif key == "decay_corrected_to":
        _set_decay(node, text)
    else:
        set_attribute(node, _WORDS[key], text.upper()[:1] if key == "sex" else text)
        record_override(node, key, text)


def _set_number(node: Any, key: str, text: str) -> None:
    attribute, recorded, low, high = _NUMBERS[key]
    nuclide = find_nuclide(text=text) if key == "half_life_s" else None
    value = nuclide.half_life_s if nuclide is not None else _number(text)
    if not low <= value <= high:
        raise InputError(
            _("{value:g} is not plausible here; it should lie between {low:g} and {high:g}.").format(
                value=value, low=low, high=high
            )
        )
    set_attribute(node, attribute, repr(value))
    record_override(node, recorded, value)


def _set_frames(node: Any, text: str) -> None:
    spec = text.replace("×", "x").replace("X", "x").replace(";", ",").replace(" ", "")
    parsed = FrameTiming.parse(spec)
    frames = node.GetNumberOfDataNodes()
    if len(parsed) != frames:
        raise InputError(
            _("'{spec}' gives {given} frames, but the series has {frames}.").format(
                spec=spec, given=len(parsed), frames=frames
            )
        )
    try:
        said = read_attributes(node)
        starts = None if said.timing is None else said.timing.start_s
    except InputError:
        starts = None  # times that contradict each other: those typed now replace them
        _forget_starts(node)
    if starts is not None:
        FrameTiming(starts, parsed.duration_s)  # refuses durations that overlap
    set_frame_attribute(node, "FrameDuration_s", [repr(float(d)) for d in parsed.duration_s])
    record_override(node, "frames", spec)
    _settle(node)


def _set_first_frame(node: Any, text: str) -> None:
    first = _number(text)
    try:
        timing = read_attributes(node).timing
    except InputError:
        timing = None
        _forget_starts(node)
    if timing is not None:
        set_times(node, timing.shifted(first - float(timing.start_s[0])))
    else:
        set_attribute(node, "FirstFrame_s", repr(first))
        _settle(node)
    record_override(node, "first_frame", text)


def _set_unit(node: Any, text: str) -> None:
    if activity_unit(text) is None and not is_suv_unit(text):
        raise InputError(
            _("'{text}' is not an activity concentration.").format(text=text),
            _("Example: kBq/mL, Bq/mL or g/mL (SUV)."),
        )
    unit = _SPELLED.get(text.lower(), text)
    frames = node.GetNumberOfDataNodes()
    set_frame_attribute(node, "Units", [unit] * frames)
    for i in range(frames):
        set_units(node.GetNthDataNode(i), unit)
    record_override(node, "units", unit)


def _set_decay(node: Any, text: str) -> None:
    stated = text.lower()
    if stated not in ("injection", "admin", "none"):
        _number(text)
    set_attribute(node, "DecayCorrectedTo", stated)
    record_override(node, "decay_corrected_to", stated)


def _settle(node: Any) -> None:
    """Once starts and durations are known, every frame gets its own."""
    said = read_attributes(node)
    if said.timing is not None:
        if said.notes:  # on how the source gives times, which it then no longer does
            set_attribute(node, "Warnings", json.dumps([*said.recorded_warnings(), *said.notes]))
        set_times(node, said.timing)


def _forget_starts(node: Any) -> None:
    """Leave the frames nothing but their order."""
    node.SetIndexUnit("")
    for i in range(node.GetNumberOfDataNodes()):
        node.GetNthDataNode(i).RemoveAttribute(PREFIX + "FrameStart_s")


def _specification(timing: FrameTiming) -> str:
    parts: list[tuple[int, float]] = []
    for duration in timing.duration_s:
        if parts and parts[-1][1] == duration:
            parts[-1] = (parts[-1][0] + 1, parts[-1][1])
        else:
            parts.append((1, float(duration)))
    return ",".join(f"{count}x{duration:g}" for count, duration in parts)


def _number(text: str) -> float:
    """A number, with a decimal point or comma."""
    try:
        value = float(text.replace(",", "."))
    except ValueError as error:
        raise InputError(_("'{text}' is not a number.").format(text=text)) from error
    if not math.isfinite(value):
        raise InputError(_("'{text}' is not a number.").format(text=text))
    return value
