"""What a volume sequence of 3D Slicer says about its frames, in a file or in the scene.

A sequence carries attributes of its own and of each frame (docs/formats.md). Ours say what the numbers
mean: frames in seconds from injection, unit, decay correction, tracer. Sequences of other programs lack
most of that: frame times made by MultiVolumeImporter are milliseconds from the first frame, without
durations. What is missing is collected, to be asked for together, and never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.activity_units import ACTIVITY_UNITS
from petkinetics.read.nuclides import find_nuclide, nuclide_of_half_life
from petkinetics.read.overrides import Overrides
from petkinetics.series import DynamicSeries, SeriesOrigin, Tracer, VolumeGeometry, VoxelSource

#: options (``--set``) that state what a sequence does not
STATEMENTS = ("frames", "first_frame", "units", "decay_corrected_to")
#: of our own attributes
PREFIX = "DynamicPET."
_TIME_UNITS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0}
#: names of the unit of SUV
SUV_UNITS = ("g/ml", "suv", "suvbw")


@dataclass(frozen=True)
class Unsaid:
    """Something that a sequence does not state and that nothing works without.

    :param key: one of :data:`STATEMENTS`, or "half_life_s".
    :param what: in words, to stand after "does not state".
    :param how: the option of the command line that states it.
    """

    key: str
    what: str
    how: str


class SequenceAttributes:
    """What a sequence and the user say; what neither says is collected in *unsaid*.

    :param name: of the sequence, for sentences.
    :param attributes: of the sequence.
    :param items: the attributes of every frame.
    :param index: the frames' index values, as text.
    :param index_unit: their unit, "" where there is none.
    :param given: values that replace those of the sequence.
    :param statements: what the user says (:data:`STATEMENTS`), stronger than the sequence.
    :raises InputError: an attribute is not what it should be.
    """

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, str],
        items: Sequence[Mapping[str, str]],
        index: Sequence[str] = (),
        index_unit: str = "",
        given: Overrides | None = None,
        statements: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.frames = name, len(items)
        self.given, self.statements = given or Overrides(), dict(statements or {})
        self.pairs = attributes
        self.own = {k.removeprefix(PREFIX): v for k, v in attributes.items() if k.startswith(PREFIX)}
        self._items, self._index, self._index_unit = items, index, index_unit.lower()
        self.notes: list[str] = []
        self.unsaid: list[Unsaid] = []
        self.units = self.statements.get("units") or self._of_every_frame("Units") or self.own.get("Units")
        if not self.units:
            self._ask("units", "the unit of its voxels", "--set units=kBq/mL (or Bq/mL, g/mL)")
        self.decay_corrected_to = self.statements.get("decay_corrected_to") or self.own.get("DecayCorrectedTo")
        if not self.decay_corrected_to:
            option = "--set decay_corrected_to=injection (or none, or seconds from injection)"
            self._ask("decay_corrected_to", "the moment its voxels are decay-corrected to", option)
        self.dose_mbq = self.given.dose_mbq or self._number("InjectedActivity_MBq")
        self.weight_kg = self.given.weight_kg or self._number("Weight_kg")
        self.height_m = self._number("Height_m")
        self.timing = self._timing()
        self.tracer = self._tracer()

    def _ask(self, key: str, what: str, how: str) -> None:
        if not any(asked.key == key for asked in self.unsaid):
            self.unsaid.append(Unsaid(key, what, how))

    def require_complete(self) -> None:
        """Ask for what is missing.

        :raises InputError: something is.
        """
        if self.unsaid:
            what = ", ".join(asked.what for asked in self.unsaid)
            raise InputError(
                f"{self.name} does not state {what}.",
                "State it with " + " ".join(asked.how for asked in self.unsaid) + ".",
            )

    def scale(self) -> NDArray[np.float64]:
        """Factor from a stored value to kBq/mL decay-corrected to injection, of every frame.

        :raises InputError: something is missing, or the unit is no activity concentration.
        """
        self.require_complete()
        assert self.timing is not None and self.tracer is not None
        unit, at, decay = self.kbq_per_stored_unit(), self._corrected_to_s(), self.tracer.decay_per_s
        return unit * (self.timing.decay_factors(decay) if at is None else np.full(self.frames, exp(decay * at)))

    def series(self, geometry: VolumeGeometry, voxels: VoxelSource, origin: SeriesOrigin) -> DynamicSeries:
        """The series that the sequence is.

        :param voxels: hand out kBq/mL decay-corrected to injection (stored values by :meth:`scale`).
        :param origin: path and format; what the attributes say is filled in.
        :raises InputError: something is missing.
        """
        scale, at = self.scale(), self._corrected_to_s()
        assert self.timing is not None and self.tracer is not None
        suv = scale * self.weight_kg / self.dose_mbq if self.dose_mbq and self.weight_kg else None
        return DynamicSeries(
            timing=self.timing,
            geometry=geometry,
            tracer=self.tracer,
            voxels=voxels,
            injected_activity_mbq=self.dose_mbq,
            weight_kg=self.weight_kg,
            height_m=self.height_m,
            sex=self.own.get("Sex", ""),
            decay_weighted=at is None or self.own.get("FrameMean") == "decay-weighted",
            suv_factor=float(suv[0]) if suv is not None and at is not None else None,
            suv_factors=tuple(float(f) for f in suv) if suv is not None and at is None else (),
            origin=SeriesOrigin(
                path=origin.path,
                format=origin.format,
                series_uids=self.series_uids,
                manufacturer=self.own.get("Manufacturer", ""),
                units=self.units or "",
                decay_corrected_to=self.decay_corrected_to or "",
            ),
            overrides=self.recorded_overrides()
            | self.given.record()
            | {k: v for k, v in self.statements.items() if k in STATEMENTS},
            warnings=(*self.recorded_warnings(), *self.notes),
        )

    @property
    def is_suv(self) -> bool:
        """Whether the voxels are SUV, which dose and weight turn into an activity."""
        return (self.units or "").strip().lower() in SUV_UNITS

    @property
    def series_uids(self) -> tuple[str, ...]:
        """DICOM Series Instance UIDs of the source."""
        return tuple(self.own.get("SourceSeriesUIDs", "").replace(",", " ").split())

    def recorded_overrides(self) -> dict[str, object]:
        """What a user had replaced or stated when the sequence was made or edited."""
        found = _recorded(self.own.get("Overrides"))
        return dict(found) if isinstance(found, dict) else {}

    def recorded_warnings(self) -> tuple[str, ...]:
        """What the reader of the source assumed."""
        found = _recorded(self.own.get("Warnings"))
        return tuple(str(sentence) for sentence in found) if isinstance(found, list) else ()

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

    def _timing(self) -> FrameTiming | None:
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
        self._ask("frames", "how long its frames last", "--set frames=6x10,4x30,... (counts x seconds)")
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
        text = self.statements.get("first_frame") or self.own.get("FirstFrame_s")
        if text is not None:
            return self._float(text, "first_frame")
        self._ask(
            "first_frame", "when its first frame began", "--set first_frame=0 (seconds from injection to its start)"
        )
        return None

    # ------------------------------------------------------------------------------- what was given

    def _tracer(self) -> Tracer | None:
        """Name, nuclide and half-life; None where the half-life has to be asked for."""
        name, nuclide = self.own.get("Tracer", ""), None
        half_life = self.given.half_life_s or self._number("HalfLife_s")
        if half_life is None and name and (nuclide := find_nuclide(text=name)) is not None:
            half_life = nuclide.half_life_s
        if half_life is None:
            self._ask("half_life_s", "the tracer's half-life", "--half-life 6586.2 (seconds; this is F-18)")
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
        if unit not in SUV_UNITS:
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

    def _corrected_to_s(self) -> float | None:
        """Decay reference in seconds from injection; None for uncorrected voxels."""
        stated = str(self.decay_corrected_to).strip().lower()
        if stated in ("injection", "admin"):
            return 0.0
        if stated == "none":
            return None
        return self._float(str(self.decay_corrected_to), "decay_corrected_to")


def _recorded(text: str | None) -> object:
    """A record kept as JSON; None where there is none, or another program's text."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
