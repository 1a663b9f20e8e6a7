"""Worlds of a study: how a scan differs from the usual one, so that a method meets what it was not made for.

A world is written as changes joined by ``+``, such as ``frames=60x60`` or ``late=600+noise-fwhm=9``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.blood import BloodChange
from petkinetics.simulate.body import TRACERS, WEIGHTS_KG
from petkinetics.simulate.movement import MOST_MM, Movement
from petkinetics.simulate.patient import NOISE_WORLDS, DigitalPatient, simulate_patient
from petkinetics.simulate.scanner import NOISE_FWHM_MM
from petkinetics.simulate.unusual_lesions import LESION_KINDS, USUAL_LESIONS, require_lesions
from petkinetics.studies.names import DIFFUSION_PRIOR, USUAL

#: what a change may be called, and what it means
CHANGES = {
    "frames": "frame specification, such as 60x60",
    "late": "frames from 15 to 65 min last so many seconds",
    "bolus": "the injection takes so many seconds",
    "clearance": "factor of the blood's slowest rate",
    "noise-fwhm": "mm, of the noise's correlation",
    "noise": " or ".join(NOISE_WORLDS),
    "voxel": "mm, isotropic",
    "dose": "factor of the study's dose",
    "lesions": " or ".join(LESION_KINDS[1:]),
    "weight": "kg, of the same person",
    "move": "mm, the patient moves once during the late frames",
    "drift": "mm, the patient moves slowly throughout",
    "tracer": " or ".join(TRACERS[1:]),
}
#: unseen framing, input functions and noise: those of the gates
GATE_WORLDS = (
    *("frames=60x60", "late=600", "frames=6x10,4x30,4x60,4x120,12x300", "frames=6x5,6x15,8x45,9x100,8x315"),
    *("bolus=60", "clearance=0.4"),
    *("noise-fwhm=3.5", "noise-fwhm=9", "noise=osem"),
    *("voxel=3", "voxel=4"),
)
#: a dose between the tuned ones and one below all training, voxels, noise, and lesions never trained on
DIFFUSION_GATE_WORLDS = (
    *("dose=0.5", "dose=0.03"),
    *("voxel=2", "voxel=3", "voxel=4"),
    "noise=osem",
    *("lesions=none", "lesions=ring", "lesions=hot"),
)
_LATE_FROM_S, _LATE_TO_S = 900.0, 3900.0


def gate_worlds(gates: str, until_min: Sequence[float | None] = (None,)) -> tuple[str, ...]:
    """The worlds of somebody's gates, but those that a short scan cannot tell from the usual one.

    :param gates: a name in :data:`petkinetics.studies.gates.GATES`.
    :param until_min: ends of the scans judged, minutes; None for the whole scan. Of a scan of 75 min the frames
        until 65 min are the usual ones.
    """
    worlds = DIFFUSION_GATE_WORLDS if gates in (DIFFUSION_PRIOR, "prior-alone") else GATE_WORLDS
    return tuple(text for text in worlds if any(World.parse(text).differs(until) for until in until_min))


@dataclass(frozen=True)
class World:
    """How scans differ from the usual.

    :param name: as written.
    :param frames: specification of the framing.
    :param blood: change of the input function.
    :param noise_world: as of :func:`petkinetics.simulate.patient.simulate_patient`.
    :param noise_fwhm_mm: of the noise's correlation.
    :param voxel_mm: isotropic voxels; None for the size's own.
    :param dose_factor: of the study's dose.
    :param lesions: as of :func:`petkinetics.simulate.patient.simulate_patient`; likewise *weight_kg*, *movement* and
        *tracer*.
    """

    name: str = USUAL
    frames: str = "liang2023"
    blood: BloodChange | None = None
    noise_world: str = "gaussian"
    noise_fwhm_mm: float = NOISE_FWHM_MM
    voxel_mm: float | None = None
    dose_factor: float = 1.0
    lesions: str = USUAL_LESIONS
    weight_kg: float | None = None
    movement: Movement | None = None
    tracer: str = TRACERS[0]

    @classmethod
    def parse(cls, text: str) -> World:
        """A world from its changes; ``usual`` has none.

        :raises InputError: a change is not known, named twice, or has no such value.
        """
        if text == USUAL:
            return cls()
        changes: dict[str, str] = {}
        for part in text.split("+"):
            name, _, value = part.partition("=")
            if name not in CHANGES or not value or name in changes:
                raise InputError(
                    f"'{part}' in '{text}' is not a change of the simulated scan.",
                    "Use, each once and joined by +: " + "; ".join(f"{k}= ({v})" for k, v in CHANGES.items()) + ".",
                )
            changes[name] = value
        if "frames" in changes and "late" in changes:
            raise InputError(f"'{text}' gives the frames twice.", "Use either frames= or late=.")
        frames = changes.get("frames", "liang2023")
        if "late" in changes:
            frames = _late_frames(_number(changes, "late", 30.0, 3000.0))
        FrameTiming.parse(frames)
        blood = None
        if "bolus" in changes or "clearance" in changes:
            bolus = _number(changes, "bolus", 1.0, 600.0) if "bolus" in changes else None
            clearance = _number(changes, "clearance", 0.05, 5.0) if "clearance" in changes else 1.0
            blood = BloodChange(bolus, clearance)
        noise = changes.get("noise", "gaussian")
        if noise not in NOISE_WORLDS:
            raise InputError(f"'{noise}' is not a kind of noise; choose {' or '.join(NOISE_WORLDS)}.")
        fwhm = _number(changes, "noise-fwhm", 1.0, 20.0) if "noise-fwhm" in changes else NOISE_FWHM_MM
        voxel = _number(changes, "voxel", 1.0, 10.0) if "voxel" in changes else None
        factor = _number(changes, "dose", 0.001, 100.0) if "dose" in changes else 1.0
        lesions = changes.get("lesions", USUAL_LESIONS)
        require_lesions(lesions)
        weight = _number(changes, "weight", *WEIGHTS_KG) if "weight" in changes else None
        tracer = changes.get("tracer", TRACERS[0])
        if tracer not in TRACERS:
            raise InputError(f"'{tracer}' is not a tracer that can be simulated; choose {' or '.join(TRACERS)}.")
        return cls(text, frames, blood, noise, fwhm, voxel, factor, lesions, weight, _movement(changes), tracer)

    def differs(self, until_min: float | None) -> bool:
        """Whether a scan that ends at *until_min* differs from the usual one: in more than frames, or in these."""
        if replace(self, name=USUAL, frames=World.frames) != World():
            return True
        own, usual = (FrameTiming.parse(spec) for spec in (self.frames, World.frames))
        own_s, usual_s = (timing.end_s[timing.until(until_min)] for timing in (own, usual))
        return not np.array_equal(own_s, usual_s)

    def grid(self, usual: VolumeGeometry) -> VolumeGeometry:
        """The world's voxels over the extent of the usual ones."""
        if self.voxel_mm is None:
            return usual
        v = self.voxel_mm
        size = [n * step for n, step in zip(usual.shape, usual.spacing_mm[::-1], strict=True)]
        slices, rows, columns = (max(int(extent / v), 1) for extent in size)
        # voxel centres: the first voxel's outer corner stays where it is (simulated grids have no turn)
        x, y, z = (o + 0.5 * (v - step) for o, step in zip(usual.origin_mm, usual.spacing_mm, strict=True))
        return VolumeGeometry((slices, rows, columns), (v, v, v), (x, y, z), usual.direction)

    def patient(
        self,
        anatomy: str,
        size: str,
        seed: int,
        dose: float,
        geometry: VolumeGeometry,
        progress: Callable[[float, str], None],
    ) -> DigitalPatient:
        """A patient scanned in this world.

        :param dose: a factor, 1 is a usual scan.
        :param geometry: the usual voxels.
        :raises InputError: as :func:`petkinetics.simulate.patient.simulate_patient`.
        """
        return simulate_patient(
            anatomy,
            size,
            seed,
            dose * self.dose_factor,
            FrameTiming.parse(self.frames),
            geometry=self.grid(geometry),
            noise_world=self.noise_world,
            noise_fwhm_mm=self.noise_fwhm_mm,
            blood=self.blood,
            lesions=self.lesions,
            weight_kg=self.weight_kg,
            movement=self.movement,
            tracer=self.tracer,
            progress=progress,
        )


def _late_frames(duration_s: float) -> str:
    count = int((_LATE_TO_S - _LATE_FROM_S) // duration_s)
    return f"6x10,4x30,4x60,4x120,{count}x{duration_s:g}"


def _movement(changes: dict[str, str]) -> Movement | None:
    found = [name for name in ("move", "drift") if name in changes]
    if len(found) == 2:
        raise InputError("The patient moves once or slowly, not both.", "Use either move= or drift=.")
    return Movement(_number(changes, found[0], 0.1, MOST_MM), found[0] == "drift") if found else None


def _number(changes: dict[str, str], name: str, least: float, most: float) -> float:
    try:
        value = float(changes[name])
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise InputError(f"'{changes[name]}' is not a value of '{name}'; give a number from {least:g} to {most:g}.")
    return value
