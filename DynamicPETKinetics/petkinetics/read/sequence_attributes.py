"""What a volume sequence of 3D Slicer says about its frames, in a file or in the scene.

A sequence carries attributes of its own and of each frame (docs/formats.md). Ours say what the numbers
mean: frames in seconds from injection, unit, decay correction, tracer. Sequences of other programs lack
most of that: frame times made by MultiVolumeImporter are milliseconds from the first frame, without
durations. What is missing is collected, to be asked for together, and never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp

import numpy as np
from numpy.typing import NDArray

from petkinetics.read.activity_units import is_suv_unit, voxel_unit
from petkinetics.read.nuclides import find_nuclide, nuclide_of_half_life
from petkinetics.read.overrides import Overrides
from petkinetics.read.sequence_statements import STATEMENTS, SequenceStatements
from petkinetics.read.sequence_times import frame_times
from petkinetics.series import DynamicSeries, SeriesOrigin, Tracer, VolumeGeometry, VoxelSource


class SequenceAttributes(SequenceStatements):
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
        super().__init__(name, attributes, items, index, index_unit, statements)
        self.given = given or Overrides()
        self.units = self.statements.get("units") or self.of_every_frame("Units") or self.own.get("Units")
        if not self.units:
            self.ask("units", "the unit of its voxels", "--set units=kBq/mL (or Bq/mL, g/mL)")
        self.decay_corrected_to = self.statements.get("decay_corrected_to") or self.own.get("DecayCorrectedTo")
        if not self.decay_corrected_to:
            option = "--set decay_corrected_to=injection (or none, or seconds from injection)"
            self.ask("decay_corrected_to", "the moment its voxels are decay-corrected to", option)
        self.dose_mbq = self.given.dose_mbq or self.positive("InjectedActivity_MBq")
        self.weight_kg = self.given.weight_kg or self.positive("Weight_kg")
        self.height_m = self.positive("Height_m")
        self.timing = frame_times(self)
        self.tracer = self._tracer()

    def scale(self) -> NDArray[np.float64]:
        """Factor from a stored value to kBq/mL decay-corrected to injection, (frames,).

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
                fingerprint=origin.fingerprint,
            ),
            overrides=self.recorded_overrides()
            | self.given.record()
            | {k: v for k, v in self.statements.items() if k in STATEMENTS},
            warnings=(*self.recorded_warnings(), *self.notes),
        )

    @property
    def is_suv(self) -> bool:
        """Whether the voxels are SUV, which dose and weight turn into an activity."""
        return is_suv_unit(self.units or "")

    @property
    def series_uids(self) -> tuple[str, ...]:
        """DICOM Series Instance UIDs of the source."""
        return tuple(self.own.get("SourceSeriesUIDs", "").replace(",", " ").split())

    def recorded_overrides(self) -> dict[str, object]:
        """What a user had replaced or stated when the sequence was made or edited."""
        found = self.recorded("Overrides")
        return dict(found) if isinstance(found, dict) else {}

    def recorded_warnings(self) -> tuple[str, ...]:
        """What the reader of the source assumed."""
        found = self.recorded("Warnings")
        return tuple(str(sentence) for sentence in found) if isinstance(found, list) else ()

    def _tracer(self) -> Tracer | None:
        """Name, nuclide and half-life; None where the half-life has to be asked for."""
        name, nuclide = self.own.get("Tracer", ""), None
        half_life = self.given.half_life_s or self.positive("HalfLife_s")
        if half_life is None and name and (nuclide := find_nuclide(text=name)) is not None:
            half_life = nuclide.half_life_s
        if half_life is None:
            self.ask("half_life_s", "the tracer's half-life", "--half-life 6586.2 (seconds; this is F-18)")
            return None
        nuclide = nuclide or nuclide_of_half_life(half_life)
        return Tracer(name, nuclide.name if nuclide else "", half_life)

    def kbq_per_stored_unit(self) -> float:
        """kBq/mL in a stored unit; SUV takes dose and weight.

        :raises InputError: an unknown unit, or SUV without dose and weight.
        """
        return voxel_unit(self.name, str(self.units), self.dose_mbq, self.weight_kg)

    def _corrected_to_s(self) -> float | None:
        """Decay reference in seconds from injection; None for uncorrected voxels."""
        stated = str(self.decay_corrected_to).strip().lower()
        if stated in ("injection", "admin"):
            return 0.0
        if stated == "none":
            return None
        return self.number(str(self.decay_corrected_to), "decay_corrected_to")
