"""Volume sequences of 3D Slicer (``.seq.nrrd``).

Slicer keeps the frames in one NRRD: the list axis last, or first in older files; index values, the
sequence's attributes and each frame's as key/value pairs ("axis 3 item 0007 NAME"). docs/formats.md
lists the attributes by which this program's sequences say what their numbers mean: frames in seconds
from injection, unit, decay correction, tracer. Sequences of other programs lack most of that: frame
times made by MultiVolumeImporter are milliseconds from the first frame, without durations. What is
missing is asked for, all of it in one sentence, and never guessed.

A raw file whose list axis is last is read where it lies; a compressed or interleaved one is unpacked
once into an unnamed temporary file, frame after frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import exp
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.curves import ACTIVITY_UNITS
from petkinetics.read.nifti import NiftiHeader
from petkinetics.read.nrrd_header import NrrdHeader
from petkinetics.read.nuclides import find_nuclide, nuclide_of_half_life
from petkinetics.read.overrides import Overrides
from petkinetics.read.sequence_voxels import SequenceVoxels, VoxelPlace
from petkinetics.series import DynamicSeries, SeriesOrigin, Tracer

#: options (``--set``) that state what a sequence does not
STATEMENTS = ("frames", "first_frame", "units", "decay_corrected_to")
#: of our own attributes
PREFIX = "DynamicPET."
_TIME_UNITS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0}
_AGAIN = "Copy it again from its source."
_SUV_UNITS = ("g/ml", "suv", "suvbw")


def read_sequence(
    path: Path, overrides: Overrides | None = None, statements: Mapping[str, str] | None = None
) -> DynamicSeries:
    """Open a volume sequence; voxels are read later, slab by slab.

    :param overrides: values that replace those of the file; a time of injection cannot, since a
        sequence has no clock times.
    :param statements: ``frames`` (durations such as 6x10,4x30, seconds), ``first_frame`` (its start,
        seconds from injection), ``units`` and ``decay_corrected_to`` ("injection", "none" or seconds
        from injection), said by the user; stronger than the file.
    :raises InputError: it is no sequence of volumes, or lacks what nobody states.
    """
    given, header = overrides or Overrides(), NrrdHeader.read(path)
    axis = header.list_axis
    if len(header.sizes) != 4 or axis not in (0, 3):
        raise InputError(
            f"{path.name} is not a sequence of volumes: its sizes are {' x '.join(map(str, header.sizes))}.",
            "A dynamic series has three axes in space and one of frames.",
        )
    frames = header.sizes[axis]
    if frames < 2:
        raise InputError(
            f"{path.name} holds one volume, not a dynamic series.", "Ki needs a series of frames over time."
        )
    if given.injection_time is not None:
        raise InputError(
            f"{path.name} has no clock times, so a time of injection cannot be related to its frames.",
            "Give the start of the first frame with --set first_frame=SECONDS (from injection).",
        )
    said = _Said(header, frames, axis, given, dict(statements or {}))
    timing, tracer = said.timing(), said.tracer()
    said.require_complete()
    assert timing is not None and tracer is not None
    unit, at = said.kbq_per_stored_unit(), said.corrected_to_s()
    decay = tracer.decay_per_s
    scale = unit * (timing.decay_factors(decay) if at is None else np.full(frames, exp(decay * at)))
    dose, weight = said.dose_mbq, said.weight_kg
    suv = scale * weight / dose if dose and weight else None
    in_place = axis == 3 and not header.compressed
    stored = NiftiHeader(header.geometry(), frames, header.dtype, header.voxels_at if in_place else 0, 1.0, 0.0)
    return DynamicSeries(
        timing=timing,
        geometry=stored.geometry,
        tracer=tracer,
        voxels=SequenceVoxels(path, stored, scale, source=VoxelPlace.of(path, header, stored, axis)),
        injected_activity_mbq=dose,
        weight_kg=weight,
        height_m=said.height_m,
        sex=said.own.get("Sex", ""),
        decay_weighted=at is None or said.own.get("FrameMean") == "decay-weighted",
        suv_factor=float(suv[0]) if suv is not None and at is not None else None,
        suv_factors=tuple(float(f) for f in suv) if suv is not None and at is None else (),
        origin=SeriesOrigin(
            path=str(path),
            format="seq.nrrd",
            series_uids=tuple(said.own.get("SourceSeriesUIDs", "").replace(",", " ").split()),
            manufacturer=said.own.get("Manufacturer", ""),
            units=said.units or "",
            decay_corrected_to=said.decay_corrected_to or "",
        ),
        overrides=given.record() | {k: v for k, v in (statements or {}).items() if k in STATEMENTS},
        warnings=tuple(said.notes),
    )


class _Said:
    """What a sequence and the user say; what neither says is collected, to be asked for together."""

    def __init__(
        self, header: NrrdHeader, frames: int, axis: int, given: Overrides, statements: dict[str, str]
    ) -> None:
        self.name, self.frames, self.given, self.statements = header.name, frames, given, statements
        self.pairs = header.pairs
        self.own = {k.removeprefix(PREFIX): v for k, v in header.pairs.items() if k.startswith(PREFIX)}
        self._items = _items(header, axis, frames)
        self._index = header.pairs.get(f"axis {axis} index values", "").split()
        units = header.words("units")
        self._index_unit = units[axis].lower() if len(units) > axis else ""
        self.notes: list[str] = []
        self._missing: list[tuple[str, str]] = []
        self.units = statements.get("units") or self._of_every_frame("Units") or self.own.get("Units")
        if not self.units:
            self._missing.append(("the unit of its voxels", "--set units=kBq/mL (or Bq/mL, g/mL)"))
        self.decay_corrected_to = statements.get("decay_corrected_to") or self.own.get("DecayCorrectedTo")
        if not self.decay_corrected_to:
            option = "--set decay_corrected_to=injection (or none, or seconds from injection)"
            self._missing.append(("the moment its voxels are decay-corrected to", option))
        self.dose_mbq = given.dose_mbq or self._number("InjectedActivity_MBq")
        self.weight_kg = given.weight_kg or self._number("Weight_kg")
        self.height_m = self._number("Height_m")

    def require_complete(self) -> None:
        """Ask for what is missing.

        :raises InputError: something is.
        """
        if self._missing:
            what = ", ".join(what for what, _ in self._missing)
            raise InputError(
                f"{self.name} does not state {what}.",
                "State it with " + " ".join(how for _, how in self._missing) + ".",
            )

    def _of_every_frame(self, attribute: str) -> str | None:
        """An attribute that all frames share."""
        found = {item.get(PREFIX + attribute) for item in self._items}
        if len(found) > 1:
            raise InputError(
                f"The frames of {self.name} differ in {PREFIX}{attribute}: {', '.join(sorted(map(str, found)))}."
            )
        return next(iter(found))

    def _number(self, attribute: str) -> float | None:
        text = self.own.get(attribute)
        if text is None or not text.strip():
            return None
        value = self._float(text, PREFIX + attribute)
        if not value > 0:
            raise InputError(f"{PREFIX}{attribute} in {self.name} is {text}; it must be above zero.")
        return value

    def _float(self, text: str, what: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise InputError(f"{what} in {self.name} is '{text}', not a number.") from error
        if not np.isfinite(value):
            raise InputError(f"{what} in {self.name} is {text}, not a finite number.")
        return value

    # -------------------------------------------------------------------------------------- times

    def timing(self) -> FrameTiming | None:
        """The frames from injection; None where something has to be asked for.

        :raises InputError: numbers that cannot be frames.
        """
        duration, start = self._durations(), self._starts()
        if start is None:
            # nothing but an order: the frames follow one another
            if duration is not None and (first := self._first_frame()) is not None:
                return FrameTiming(first + np.concatenate([[0.0], np.cumsum(duration)[:-1]]), duration)
            return None
        return FrameTiming(start, duration) if duration is not None else None

    def _durations(self) -> NDArray[np.float64] | None:
        spec = self.statements.get("frames")
        if spec is not None:
            stated = FrameTiming.parse(spec).duration_s
            if stated.size != self.frames:
                raise InputError(f"--set frames={spec} gives {stated.size} frames, but {self.name} has {self.frames}.")
            return stated
        found = [item.get(PREFIX + "FrameDuration_s") for item in self._items]
        if all(v is not None for v in found):
            return np.array([self._float(str(v), f"{PREFIX}FrameDuration_s") for v in found])
        self._missing.append(("how long its frames last", "--set frames=6x10,4x30,... (counts x seconds)"))
        return None

    def _starts(self) -> NDArray[np.float64] | None:
        """Starts from injection; None where only the order of the frames is known."""
        found = [item.get(PREFIX + "FrameStart_s") for item in self._items]
        if all(v is not None for v in found):
            start = np.array([self._float(str(v), f"{PREFIX}FrameStart_s") for v in found])
            first = self.statements.get("first_frame")
            return start if first is None else start - start[0] + self._float(first, "first_frame")
        relative = self._relative_starts()
        if relative is None:
            return None
        first_s = self._first_frame()
        return None if first_s is None else relative - relative[0] + first_s

    def _relative_starts(self) -> NDArray[np.float64] | None:
        """Starts on a clock of their own: MultiVolumeImporter's labels, or index values with a unit of time."""
        labels = self.pairs.get("MultiVolume.FrameLabels")
        if labels is not None:
            texts = [t for t in re.split(r"[,\s]+", labels) if t]
            unit = self.pairs.get("MultiVolume.FrameIdentifyingDICOMTagUnits", "").lower()
            if len(texts) != self.frames:
                raise InputError(
                    f"{self.name} has {self.frames} frames, but MultiVolume.FrameLabels has {len(texts)} values."
                )
            if unit in _TIME_UNITS:
                tag = self.pairs.get("MultiVolume.FrameIdentifyingDICOMTagName", "an unnamed tag")
                self.notes.append(
                    f"The frames' starts were taken from {tag}, relative to the first frame, as MultiVolumeImporter "
                    "keeps them; on some scanners this is not when a frame began."
                )
                return np.array([self._float(t, "MultiVolume.FrameLabels") for t in texts]) * _TIME_UNITS[unit]
        if self._index_unit in _TIME_UNITS and len(self._index) == self.frames:
            values = np.array([self._float(t, "the index") for t in self._index])
            return values * _TIME_UNITS[self._index_unit]
        return None

    def _first_frame(self) -> float | None:
        """Start of the first frame from injection; asked for where nobody says it."""
        text = self.statements.get("first_frame")
        if text is not None:
            return self._float(text, "first_frame")
        if not any("first frame" in what for what, _ in self._missing):
            self._missing.append(
                ("when its first frame began", "--set first_frame=0 (seconds from injection to its start)")
            )
        return None

    # ------------------------------------------------------------------------------- what was given

    def tracer(self) -> Tracer | None:
        """Name, nuclide and half-life; None where the half-life has to be asked for."""
        name, nuclide = self.own.get("Tracer", ""), None
        half_life = self.given.half_life_s or self._number("HalfLife_s")
        if half_life is None and name and (nuclide := find_nuclide(text=name)) is not None:
            half_life = nuclide.half_life_s
        if half_life is None:
            self._missing.append(("the tracer's half-life", "--half-life 6586.2 (seconds; this is F-18)"))
            return None
        nuclide = nuclide or nuclide_of_half_life(half_life)
        return Tracer(name, nuclide.name if nuclide else "", half_life)

    def kbq_per_stored_unit(self) -> float:
        """kBq/mL in a stored unit; SUV takes dose and weight.

        :raises InputError: an unknown unit, or SUV without dose and weight.
        """
        unit = str(self.units).strip().lower()
        if unit in ACTIVITY_UNITS:
            return ACTIVITY_UNITS[unit]
        if unit not in _SUV_UNITS:
            raise InputError(
                f"{self.name} gives voxels in '{self.units}', which is not an activity concentration.",
                "If it is one, say so with --set units=kBq/mL (or Bq/mL, g/mL).",
            )
        if not (self.dose_mbq and self.weight_kg):
            raise InputError(
                f"{self.name} gives SUV (g/mL), and converting it needs the injected activity and the weight.",
                "Give them with --dose (MBq) and --weight (kg).",
            )
        return self.dose_mbq / self.weight_kg

    def corrected_to_s(self) -> float | None:
        """Decay reference in seconds from injection; None for uncorrected voxels."""
        stated = str(self.decay_corrected_to).strip().lower()
        if stated in ("injection", "admin"):
            return 0.0
        if stated == "none":
            return None
        return self._float(str(self.decay_corrected_to), "decay_corrected_to")


def _items(header: NrrdHeader, axis: int, frames: int) -> list[dict[str, str]]:
    """The attributes of every frame."""
    found: list[dict[str, str]] = [{} for _ in range(frames)]
    pattern = re.compile(rf"axis {axis} item (\d+) (.+)")
    for key, value in header.pairs.items():
        match = pattern.fullmatch(key)
        if match and int(match[1]) < frames:
            found[int(match[1])][match[2]] = value
    return found
