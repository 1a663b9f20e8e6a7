"""A digital patient: from a seed to the frames of a dynamic PET scan, with everything known about it.

The face of the simulator: a person is drawn (``body``) and scanned (``body_scan``): without noise (``noise_free``), and
with the noise of a dose (``calibration``, ``scanner``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Progress, no_progress
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, SeriesOrigin, VolumeGeometry
from petkinetics.simulate.anatomy import Labels, grid_axes
from petkinetics.simulate.blood import BloodChange
from petkinetics.simulate.body import ANATOMIES, FDG, LESION_LABEL, PATLAK_WINDOW_MIN, TRACERS, Body, PaintedBody, grid
from petkinetics.simulate.body_scan import BodyScan
from petkinetics.simulate.calibration import label_of, noise_cov
from petkinetics.simulate.lesions import Lesion
from petkinetics.simulate.movement import Movement, moved_grids
from petkinetics.simulate.noise_free import noise_free_frames
from petkinetics.simulate.scanner import NOISE_FWHM_MM
from petkinetics.simulate.unusual_lesions import USUAL_LESIONS
from petkinetics.simulate.variants import Variant, partly_out_of_view

__all__ = [
    "ANATOMIES",
    "FDG",
    "LESION_LABEL",
    "NOISE_WORLDS",
    "PATLAK_WINDOW_MIN",
    "Body",
    "DigitalPatient",
    "PaintedBody",
    "grid",
    "noise_cov",
    "noise_free_frames",
    "simulate_patient",
]

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: where noise comes from
NOISE_WORLDS = ("gaussian", "osem")
#: content of the blood region's voxels that is blood, and the volume (mL) that a region has even if it is less pure
_BLOOD_PURITY = 0.995
_SMALLEST_BLOOD_ML = 1.0


@dataclass(frozen=True, eq=False)
class DigitalPatient:
    """A simulated dynamic scan and its truth.

    :param series: the scan (noisy unless asked otherwise), kBq/mL decay-corrected to injection.
    :param noise_free: its frames before noise, motion- and resolution-blurred, float32 (frames,
        slices, rows, columns).
    :param labels: tissue labels; *label_names* names them, lesions are one label here.
    :param lesions: lesion numbers; *lesion_list* describes them.
    :param aorta: the region for an image-derived input function: the core of the (descending) aorta,
        where blur lets less than 0.5 % of other tissue in; in the brain the purest millilitre of the
        carotid arteries. ``settings["blood_region_purity"]`` says how much of it is blood.
    :param truth: maps by name: ki, v0, k1, k2, k3, k4, fv as the voxels' true parameters (not
        blurred); ki_patlak_9_65 and v0_patlak_9_65, slope and intercept of Patlak with the true
        plasma curve on noise-free, blurred frames of liang2023 from 9 to 65 min, whatever the frames
        of this scan.
    :param input_function: true plasma and whole blood.
    :param settings: seed, size, dose ... for ``simulation.json``.
    """

    series: DynamicSeries
    noise_free: Float32
    labels: Labels
    label_names: dict[int, str]
    lesions: NDArray[np.uint8]
    lesion_list: list[Lesion]
    aorta: Mask
    truth: dict[str, Float32]
    input_function: InputFunction
    settings: dict[str, object]

    @cached_property
    def body_mask(self) -> Mask:
        """Everything that is not air around the patient."""
        return np.asarray(self.labels > 0)


def simulate_patient(
    anatomy: str = "thorax",
    size: str = "small",
    seed: int = 0,
    dose: float = 1.0,
    timing: FrameTiming | None = None,
    noise: bool = True,
    geometry: VolumeGeometry | None = None,
    variant: Variant | None = None,
    reversible: bool = False,
    noise_world: str = "gaussian",
    noise_fwhm_mm: float = NOISE_FWHM_MM,
    blood: BloodChange | None = None,
    lesions: str = USUAL_LESIONS,
    weight_kg: float | None = None,
    movement: Movement | None = None,
    tracer: str = TRACERS[0],
    progress: Progress = no_progress,
) -> DigitalPatient:
    """Simulate a dynamic FDG scan of a random patient.

    Dose 1 means that voxels of the anatomy's calibration tissue (liver; white matter in the brain)
    vary by 12 % in the frame from 60 to 65 min, times the square root of the number of beds; other
    doses scale the variance of the noise by 1/dose. The same seed is the same person, anatomy,
    physiology and noise stream, whatever size, framing and dose.

    :param anatomy: one of :data:`ANATOMIES`.
    :param size: "small" or "full", see :func:`grid`.
    :param seed: see :mod:`petkinetics.simulate.seeds` for which seeds are for what.
    :param timing: frames from injection; liang2023 by default.
    :param noise: False leaves the series noise-free.
    :param geometry: another voxel grid, such as a crop or some slices of :func:`grid`.
    :param variant: "aneurysm" widens the aorta by 28-40 mm; "partly-out-of-view" lets the scan end
        within the aorta, so that 35-55 % of its length is seen (fewer slices of the same grid).
    :param reversible: brain tissue releases FDG again, with the k4 of Huang et al. 1980; V0 is NaN there.
    :param noise_world: "gaussian" adds noise of known variance and correlation; "osem" counts sinograms
        and reconstructs them, see :mod:`petkinetics.simulate.osem_world` (seconds a slice).
    :param noise_fwhm_mm: of the kernel whose autocorrelation gaussian noise has; its variance stays.
    :param blood: another input function for the person.
    :param lesions: "usual", "none", "hot" or "ring", see :mod:`petkinetics.simulate.unusual_lesions`.
    :param weight_kg: the person at another weight, see :meth:`petkinetics.simulate.body.Body.random`; the scanner's
        sensitivity stays that of dose 1 at the person's own weight, so a heavy body's frames are noisier.
    :param movement: the patient moves between frames; truth, labels and aorta are those of the first position.
    :param tracer: "fdg", or "reversible": a tracer that every tissue releases again, called FDG all the same. Patlak's
        slope has no meaning then; ``ki_patlak_9_65`` is still the noise-free slope, v0 is NaN.
    :raises InputError: no such anatomy, size, noise, lesions, tracer or variant, a variant of an aorta where there is
        none, a dose not above zero, frames before injection, an impossible weight.
    """
    _refuse_the_impossible(dose, variant, noise_world, noise_fwhm_mm)
    where = grid(size, anatomy) if geometry is None else geometry
    frames = FrameTiming.parse("liang2023") if timing is None else timing
    if frames.end_s[0] <= 0:
        raise InputError("A simulated scan cannot have frames that end before injection.")
    body = Body.random(anatomy, seed, variant == "aneurysm", reversible, weight_kg)
    body = body if blood is None else body.with_blood(blood)
    body = body.with_lesions(lesions).with_tracer(tracer)
    calibrated = None if weight_kg is None else Body.random(anatomy, seed, reversible=reversible).with_tracer(tracer)
    if variant == "partly-out-of-view":
        where = partly_out_of_view(body.anatomy, seed, where)
    moved = [] if movement is None else list(moved_grids(movement.offsets(seed, frames), where))
    scan = BodyScan(body, where, frames, body.input_until(float(frames.end_s[-1])), moved, calibrated)
    noise_free, slope, intercept = scan.noise_free()
    values = noise_free
    if noise and noise_world == "osem":
        values = scan.reconstructed(dose, progress)
    elif noise:
        values = scan.with_noise(noise_free, dose, noise_fwhm_mm)
    blood_region, purity = _blood_core(scan)
    return DigitalPatient(
        series=_series(body, where, frames, values),
        noise_free=noise_free,
        labels=scan.painted.labels,
        label_names={**body.anatomy.names, LESION_LABEL: "lesion"},
        lesions=scan.painted.lesions,
        lesion_list=body.lesions,
        aorta=blood_region,
        truth=_true_maps(scan) | {"ki_patlak_9_65": slope, "v0_patlak_9_65": intercept},
        input_function=scan.blood,
        settings={
            "anatomy": anatomy,
            "size": size if geometry is None else "custom",
            "seed": seed,
            "dose": dose,
            "noise": noise,
            "noise_world": noise_world if noise else None,
            "noise_fwhm_mm": noise_fwhm_mm if noise and noise_world == "gaussian" else None,
            "variant": variant,
            "lesions": lesions,
            "reversible": reversible,
            "tracer": tracer,
            "movement_mm": None if movement is None else movement.mm,
            "drift": movement is not None and movement.drift,
            **_settings_of_body(body, purity),
        },
    )


def _refuse_the_impossible(dose: float, variant: str | None, noise_world: str, noise_fwhm_mm: float) -> None:
    if not (np.isfinite(dose) and dose > 0):
        raise InputError(f"The dose is {dose:g}; it must be above zero (1 is a usual scan).")
    if variant is not None and variant not in get_args(Variant):
        raise InputError(f"'{variant}' is not a variant of patients; choose {' or '.join(get_args(Variant))}.")
    if noise_world not in NOISE_WORLDS:
        raise InputError(f"'{noise_world}' is not a kind of noise; choose {' or '.join(NOISE_WORLDS)}.")
    if not (np.isfinite(noise_fwhm_mm) and noise_fwhm_mm > 0):
        raise InputError(f"The noise's FWHM is {noise_fwhm_mm:g} mm; it must be above zero.")


def _series(body: Body, where: VolumeGeometry, frames: FrameTiming, values: Float32) -> DynamicSeries:
    weight, activity = body.weight_kg, body.injected_activity_mbq
    return DynamicSeries(
        timing=frames,
        geometry=where,
        tracer=FDG,
        voxels=ArrayVoxels(values),
        injected_activity_mbq=activity,
        weight_kg=weight,
        decay_weighted=True,
        suv_factor=weight / activity,
        origin=SeriesOrigin(manufacturer="simulated"),
    )


def _true_maps(scan: BodyScan) -> dict[str, Float32]:
    """The voxels' own parameters, not blurred."""
    parameters = scan.painted.parameters
    return {
        "ki": parameters.ki,
        "v0": parameters.v0(1.0 / scan.body.blood.plasma_ratio),
        **{name: getattr(parameters, name) for name in ("k1", "k2", "k3", "k4", "fv")},
    }


def _settings_of_body(body: Body, purity: float | None) -> dict[str, object]:
    """What the person adds to the settings."""
    return {
        "beds": body.anatomy.plan.beds,
        "blood_region": body.anatomy.plan.blood_region,
        "blood_region_purity": purity,
        "weight_kg": body.weight_kg,
        "injected_activity_mbq": body.injected_activity_mbq,
        "plasma_to_whole_blood": body.blood.plasma_ratio,
        "bolus_delay_s": body.blood.delay_s,
        "injection_duration_s": body.blood.injection_s,
    }


def _blood_core(scan: BodyScan) -> tuple[Mask, float | None]:
    """Where an observer would place the blood region, and how much of what it shows is its own blood.

    The voxels of the vessel whose blurred content is the vessel's by more than 99.5 %; of a vessel too
    thin for that, the purest millilitre. None where the grid shows no such vessel.
    """
    anatomy = scan.body.anatomy
    vessel = scan.painted.labels == label_of(anatomy, anatomy.plan.blood_region)
    share = scan.blur(vessel.astype(np.float32))
    vessel &= anatomy.input_region(*grid_axes(scan.geometry))
    if not vessel.any():
        return vessel, None
    inside = np.sort(share[vessel])
    wanted = min(int(np.ceil(_SMALLEST_BLOOD_ML / scan.geometry.voxel_volume_ml)), inside.size)
    core = vessel & (share >= min(_BLOOD_PURITY, float(inside[inside.size - wanted])))
    return core, round(float(share[core].mean()), 4)
