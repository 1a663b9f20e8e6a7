"""Whether a DICOM series is the scan of maps that were made from a file that names none, such as NIfTI.

Maps of a DICOM series carry its UIDs. Those of a file do not, and series of one protocol lie on one grid: without a
further look a map would be filed in another patient's study. What a result and the series both say is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from petkinetics.errors import InputError
from petkinetics.read.dicom import read_dicom
from petkinetics.read.overrides import Overrides
from petkinetics.series import DynamicSeries, Tracer

#: converters round times to the second, doses and weights to three digits
_TIME_S = 1.0
_SHARE = 0.01
#: clocks of injection and scanner may disagree by this much without a word, s
_CLOCKS_S = 30.0


def require_same_scan(source: Path | Sequence[Path], record: Mapping[str, Any]) -> str:
    """Refuse a series that contradicts what is known of the maps.

    Frame times (from the first frame on, since converters lose the injection's clock), injected activity, weight,
    half-life and whether the tracer is FDG; what the user replaced for the estimate is not compared.

    :param source: folder of the series, or its files.
    :param record: provenance of the maps; ``result.json``.
    :returns: a sentence for the user: what could be compared.
    :raises InputError: a contradiction, with both values.
    """
    agreed, against, notes = ["the grid"], list[str](), list[str]()
    given = record.get("overrides") or {}
    try:
        series = read_dicom(
            source,
            Overrides(injection_time=given.get("injection_time"), half_life_s=given.get("half_life_s")),
            require_dynamic=False,
        )
    except InputError as error:
        notes.append(f"The headers could not be compared: {error.message}")
    else:
        _compare_frames(record, series, agreed, against, notes)
        _compare_values(record, series, agreed, against)
    if against:
        raise InputError(
            f"This series is not that of the maps, which were made from a file: {'; '.join(against)}.",
            "Choose the folder of the series that the file was converted from.",
        )
    listed = agreed[0] if len(agreed) == 1 else f"{', '.join(agreed[:-1])} and {agreed[-1]}"
    verb = "agrees" if len(agreed) == 1 else "agree"
    return " ".join(
        [
            f"The maps were made from a file that names no DICOM series, so only {listed} could be compared with this "
            f"one; {'it' if len(agreed) == 1 else 'they'} {verb}. Make sure that it is the same patient's scan.",
            *notes,
        ]
    )


def _compare_frames(
    record: Mapping[str, Any], series: DynamicSeries, agreed: list[str], against: list[str], notes: list[str]
) -> None:
    about = record.get("series") or {}
    count = len(series.timing)
    frames = (about.get("shape") or [None])[0]
    if frames is not None and frames != count:
        against.append(f"the maps are of {frames} frames, the series has {count}")
        return
    start, duration, index = about.get("frame_start_s"), about.get("frame_duration_s"), np.arange(count)
    if start is None or duration is None:
        used = [f for f in record.get("frames_used") or () if isinstance(f, Mapping) and "duration_s" in f]
        start, duration = [f["start_s"] for f in used], [f["duration_s"] for f in used]
        index = np.array([f["index"] for f in used], dtype=np.intp)
    if not len(start) or len(start) != index.size or index.max() >= count:
        return
    ours = np.array([start, duration], dtype=np.float64)
    theirs = np.array([series.timing.start_s[index], series.timing.duration_s[index]])
    clock = float(theirs[0, 0] - ours[0, 0])
    theirs[0] -= clock
    apart = np.abs(ours - theirs).max(axis=0) > _TIME_S
    if apart.any():
        k = int(np.argmax(apart))
        # each from its first frame, so that the two can be held against each other
        told = [f"{v[0, k] - ours[0, 0]:.4g} s after the first for {v[1, k]:.4g} s" for v in (ours, theirs)]
        against.append(f"frame {int(index[k]) + 1} of the maps begins {told[0]}, that of the series {told[1]}")
        return
    agreed.append("frame times")
    if abs(clock) > _CLOCKS_S:
        notes.append(f"Its frames lie {abs(clock):.0f} s {'later' if clock > 0 else 'earlier'} from injection.")


def _compare_values(record: Mapping[str, Any], series: DynamicSeries, agreed: list[str], against: list[str]) -> None:
    about, given = record.get("series") or {}, record.get("overrides") or {}
    for meaning, unit, ours, theirs, override in (
        ("injected activity", "MBq", about.get("injected_activity_mbq"), series.injected_activity_mbq, "dose_mbq"),
        ("weight", "kg", about.get("weight_kg"), series.weight_kg, "weight_kg"),
        ("half-life", "s", about.get("half_life_s"), series.tracer.half_life_s, "half_life_s"),
    ):
        if ours is None or theirs is None or override in given:
            continue
        if abs(ours - theirs) > _SHARE * max(ours, theirs):
            against.append(f"the {meaning} of the maps is {ours:.4g} {unit}, that of the series {theirs:.4g} {unit}")
        else:
            agreed.append(meaning)
    name = str(about.get("tracer") or "")
    ours_fdg, theirs_fdg = Tracer(name, "", 1.0).is_fdg, series.tracer.is_fdg
    if ours_fdg is None or theirs_fdg is None:
        return
    if ours_fdg != theirs_fdg:
        against.append(f"the tracer of the maps is {name}, that of the series {series.tracer.name}")
    elif ours_fdg:
        agreed.append("tracer")
