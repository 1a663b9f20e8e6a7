"""One person, drawn from a seed: all that does not depend on voxels or frames; and that person on a voxel grid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.series import Tracer, VolumeGeometry
from petkinetics.simulate.anatomy import Anatomy, Labels, grid_axes
from petkinetics.simulate.blood import BloodChange, BloodParameters, input_function, random_blood
from petkinetics.simulate.brain import Brain
from petkinetics.simulate.fields import SmoothField
from petkinetics.simulate.lesions import Lesion, paint_lesions, place_lesions
from petkinetics.simulate.physiology import Kinetics, ParameterMaps, draw_kinetics, parameter_maps, released, untextured
from petkinetics.simulate.seeds import stream
from petkinetics.simulate.thorax import Thorax
from petkinetics.simulate.torso_ct import TorsoCT
from petkinetics.simulate.total_body import TotalBody
from petkinetics.simulate.unusual_lesions import lesions_of

FDG = Tracer("Fluorodeoxyglucose", "F-18", 6586.2)
#: name -> class; built from seed and body weight (kg)
ANATOMIES: dict[str, type[Anatomy]] = {
    "thorax": Thorax,
    "torso-ct": TorsoCT,
    "total-body": TotalBody,
    "brain": Brain,
}
#: weight 63 +- 10 kg and 202-406 MBq: the patients of Liang et al. 2023
WEIGHT_KG = (63.0, 10.0)
DOSE_MBQ = (202.0, 406.0)
#: what was injected: FDG, which stays in the cells; or a tracer that every tissue releases again
TRACERS = ("fdg", "reversible")
#: weights that an anatomy can be drawn at, kg
WEIGHTS_KG = (30.0, 200.0)
#: frames of the reference of learned methods (ki_patlak_9_65), minutes
PATLAK_WINDOW_MIN = (9.0, 65.0)
#: label of lesion voxels in the label map
LESION_LABEL = 200
#: nodes of the texture within organs
TEXTURE_MM = 10.0


def grid(size: str, anatomy: str = "thorax") -> VolumeGeometry:
    """The voxel grid of a size and an anatomy; both sizes show the same place of the patient.

    ``full`` of the thorax is that of Liang et al. 2023, 256x256x71 voxels of 1.95x1.95x2.79 mm;
    ``small`` is 96x96x44 voxels of 4.4x4.4x4.5 mm for demonstrations and tests.
    :raises InputError: no such size or anatomy.
    """
    return _kind(anatomy).plan.grid(size)


def _kind(anatomy: str) -> type[Anatomy]:
    if anatomy not in ANATOMIES:
        raise InputError(f"'{anatomy}' is not an anatomy that can be simulated; choose {', '.join(ANATOMIES)}.")
    return ANATOMIES[anatomy]


def draw_weight_and_dose(seed: int) -> tuple[float, float]:
    """Body weight (kg, 63 +- 10 within 40-95) and injected activity (MBq, 202-406) of a seed, to a decimal."""
    rng = stream(seed, "person")
    weight = float(np.clip(rng.normal(*WEIGHT_KG), 40.0, 95.0))
    return round(weight, 1), round(float(rng.uniform(*DOSE_MBQ)), 1)


@dataclass(frozen=True, eq=False)
class Body:
    """One random person: all that does not depend on voxels or frames.

    Paint it on as many grids, crops or slices as wanted; the person stays the same. A trainer draws
    a body, paints crops of it and passes them to :func:`petkinetics.simulate.noise_free.noise_free_frames`.

    :param kinetics: two-tissue parameters by tissue label, without lesions.
    :param input_function: plasma and whole blood, decay-corrected to injection.
    """

    seed: int
    anatomy_name: str
    anatomy: Anatomy
    weight_kg: float
    injected_activity_mbq: float
    kinetics: dict[int, Kinetics]
    lesions: list[Lesion]
    blood: BloodParameters
    input_function: InputFunction
    _fields: dict[str, SmoothField] = field(repr=False, default_factory=dict)

    @classmethod
    def random(
        cls,
        anatomy: str,
        seed: int,
        aneurysm: bool = False,
        reversible: bool = False,
        weight_kg: float | None = None,
    ) -> Body:
        """Draw a person.

        :param aneurysm: the same person with an aneurysm of the aorta.
        :param reversible: the same person with k4 in the tissues that have one (the brain's).
        :param weight_kg: the same person at another weight: the trunk as wide as the anatomy makes it, the activity
            injected per kg as it was drawn, so the same blood curve. Lesions are drawn in that body.
        :raises InputError: no such anatomy, a negative seed, an aneurysm where there is no aorta, or a weight outside
            of 30-200 kg.
        """
        kind = _kind(anatomy)
        if seed < 0:
            raise InputError(f"The seed is {seed}; it must be 0 or above.")
        weight, dose = draw_weight_and_dose(seed)
        if weight_kg is not None:
            if not WEIGHTS_KG[0] <= weight_kg <= WEIGHTS_KG[1]:
                raise InputError(f"The weight is {weight_kg:g} kg; it must be {WEIGHTS_KG[0]:g} to {WEIGHTS_KG[1]:g}.")
            weight, dose = weight_kg, round(dose * weight_kg / weight, 1)
        body = kind(seed, weight, aneurysm)
        blood = random_blood(stream(seed, "blood"), dose, weight)
        fields = {
            name: SmoothField.random(stream(seed, name), spacing, body.low_mm, body.high_mm)
            for name, spacing in (("flow", TEXTURE_MM), ("trapping", TEXTURE_MM), ("lesion surface", 7.0))
        }
        return cls(
            seed=seed,
            anatomy_name=anatomy,
            anatomy=body,
            weight_kg=weight,
            injected_activity_mbq=dose,
            kinetics=draw_kinetics(seed, body.names, reversible),
            lesions=place_lesions(seed, body, *kind.plan.extent_mm),
            blood=blood,
            input_function=input_function(blood, PATLAK_WINDOW_MIN[1] * 60.0),
            _fields=fields,
        )

    def input_until(self, end_s: float) -> InputFunction:
        """The input function, reaching at least *end_s*."""
        return self.input_function if end_s <= self.input_function.end_s else input_function(self.blood, end_s)

    def with_blood(self, change: BloodChange) -> Body:
        """The same person with another input function."""
        blood = change.of(self.blood)
        return replace(self, blood=blood, input_function=input_function(blood, PATLAK_WINDOW_MIN[1] * 60.0))

    def with_lesions(self, kind: str) -> Body:
        """The same person with none, hot or ring lesions (see :mod:`petkinetics.simulate.unusual_lesions`).

        :raises InputError: no such kind.
        """
        return replace(
            self, lesions=lesions_of(kind, self.seed, self.lesions, self.anatomy, self.anatomy.plan.extent_mm)
        )

    def with_tracer(self, tracer: str) -> Body:
        """The same person after another tracer; "reversible": all tissues and lesions have a k4 of .05-.1/min.

        :raises InputError: no such tracer.
        """
        if tracer not in TRACERS:
            raise InputError(f"'{tracer}' is not a tracer that can be simulated; choose {' or '.join(TRACERS)}.")
        if tracer == TRACERS[0]:
            return self
        kinetics = {
            label: released(stream(self.seed, "release", label), tissue) for label, tissue in self.kinetics.items()
        }
        lesions = [
            replace(one, kinetics=released(stream(self.seed, "release of lesions", one.number), one.kinetics))
            for one in self.lesions
        ]
        return replace(self, kinetics=kinetics, lesions=lesions)

    def paint(self, geometry: VolumeGeometry) -> PaintedBody:
        """Labels, lesions and parameters on a voxel grid."""
        axes = grid_axes(geometry)
        labels = self.anatomy.paint(*axes)
        lesions = paint_lesions(labels, self.anatomy.blood, self.lesions, self._fields["lesion surface"], *axes)
        kinetics = dict(self.kinetics)
        keys = labels.copy()
        for lesion in self.lesions:
            keys[lesions == lesion.number] = LESION_LABEL + lesion.number
            kinetics[LESION_LABEL + lesion.number] = lesion.kinetics
        parameters = parameter_maps(
            keys,
            kinetics,
            self._fields["flow"].on_axes(*axes),
            self._fields["trapping"].on_axes(*axes),
            untextured(self.anatomy.names),
        )
        labels[lesions > 0] = LESION_LABEL
        return PaintedBody(geometry, labels, lesions, parameters)


@dataclass(frozen=True, eq=False)
class PaintedBody:
    """A body on a voxel grid.

    :param labels: tissue labels, :data:`LESION_LABEL` in lesions, uint8 (slices, rows, columns).
    :param lesions: lesion numbers.
    :param parameters: true two-tissue parameters.
    """

    geometry: VolumeGeometry
    labels: Labels
    lesions: NDArray[np.uint8]
    parameters: ParameterMaps
