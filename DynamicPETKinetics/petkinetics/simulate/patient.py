"""A digital patient: from a seed to the frames of a dynamic PET scan, with everything known about it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Progress, no_progress
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import ResponseTable, two_tissue_frames
from petkinetics.kinetics.patlak import patlak_design, weighted_fit
from petkinetics.series import ArrayVoxels, DynamicSeries, SeriesOrigin, Tracer, VolumeGeometry
from petkinetics.simulate.anatomy import Anatomy, Labels, grid_axes
from petkinetics.simulate.blood import BloodChange, BloodParameters, input_function, random_blood
from petkinetics.simulate.brain import Brain
from petkinetics.simulate.fields import SmoothField
from petkinetics.simulate.kernels import FWHM_PER_SD
from petkinetics.simulate.lesions import Lesion, paint_lesions, place_lesions
from petkinetics.simulate.physiology import TEXTURE, Kinetics, ParameterMaps, draw_kinetics, parameter_maps, untextured
from petkinetics.simulate.scanner import (
    LIVER_COV,
    NOISE_FWHM_MM,
    RESOLUTION_FWHM_MM,
    Blur,
    CountNoise,
    line_mean,
    liver_calibration,
)
from petkinetics.simulate.seeds import stream
from petkinetics.simulate.thorax import Thorax
from petkinetics.simulate.torso_ct import TorsoCT
from petkinetics.simulate.total_body import TotalBody
from petkinetics.simulate.variants import Variant, partly_out_of_view

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

FDG = Tracer("Fluorodeoxyglucose", "F-18", 6586.2)
#: name -> class; built from seed and body weight (kg)
ANATOMIES: dict[str, type[Anatomy]] = {
    "thorax": Thorax,
    "torso-ct": TorsoCT,
    "total-body": TotalBody,
    "brain": Brain,
}
#: where noise comes from
NOISE_WORLDS = ("gaussian", "osem")
#: weight 63 +- 10 kg and 202-406 MBq: the patients of Liang et al. 2023
WEIGHT_KG = (63.0, 10.0)
DOSE_MBQ = (202.0, 406.0)
#: frames of the reference of learned methods (DESIGN: ki_patlak_9_65), minutes
PATLAK_WINDOW_MIN = (9.0, 65.0)
#: label of lesion voxels in the label map
LESION_LABEL = 200
_COARSE_MM = 11.0
_TEXTURE_MM = 10.0
#: content of the blood region's voxels that is blood, and the volume (mL) that a region has even if it is less pure
_BLOOD_PURITY = 0.995
_SMALLEST_BLOOD_ML = 1.0


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
    a body, paints crops of it and passes them to :func:`noise_free_frames`.

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
    def random(cls, anatomy: str, seed: int, aneurysm: bool = False, reversible: bool = False) -> Body:
        """Draw a person.

        :param aneurysm: the same person with an aneurysm of the aorta.
        :param reversible: the same person with k4 in the tissues that have one (the brain's).
        :raises InputError: no such anatomy, a negative seed, or an aneurysm where there is no aorta.
        """
        kind = _kind(anatomy)
        if seed < 0:
            raise InputError(f"The seed is {seed}; it must be 0 or above.")
        weight, dose = draw_weight_and_dose(seed)
        body = kind(seed, weight, aneurysm)
        blood = random_blood(stream(seed, "blood"), dose, weight)
        fields = {
            name: SmoothField.random(stream(seed, name), spacing, body.low_mm, body.high_mm)
            for name, spacing in (("flow", _TEXTURE_MM), ("trapping", _TEXTURE_MM), ("lesion surface", 7.0))
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
    :raises InputError: no such anatomy, size, noise or variant, a variant of an aorta where there is none, a
        dose not above zero, frames before injection.
    """
    if not (np.isfinite(dose) and dose > 0):
        raise InputError(f"The dose is {dose:g}; it must be above zero (1 is a usual scan).")
    if variant is not None and variant not in get_args(Variant):
        raise InputError(f"'{variant}' is not a variant of patients; choose {' or '.join(get_args(Variant))}.")
    if noise_world not in NOISE_WORLDS:
        raise InputError(f"'{noise_world}' is not a kind of noise; choose {' or '.join(NOISE_WORLDS)}.")
    where = grid(size, anatomy) if geometry is None else geometry
    frames = FrameTiming.parse("liang2023") if timing is None else timing
    if frames.end_s[0] <= 0:
        raise InputError("A simulated scan cannot have frames that end before injection.")
    if not (np.isfinite(noise_fwhm_mm) and noise_fwhm_mm > 0):
        raise InputError(f"The noise's FWHM is {noise_fwhm_mm:g} mm; it must be above zero.")
    body = Body.random(anatomy, seed, aneurysm=variant == "aneurysm", reversible=reversible)
    body = body if blood is None else body.with_blood(blood)
    if variant == "partly-out-of-view":
        where = partly_out_of_view(body.anatomy, seed, where)
    painted = body.paint(where)
    axes = grid_axes(where)
    curve = body.input_until(float(frames.end_s[-1]))
    blur = Blur(where.spacing_mm, body.anatomy.motion(*axes))
    noise_free, slope, intercept = noise_free_frames(painted, curve, frames, blur)
    values = noise_free
    if noise and noise_world == "osem":
        from petkinetics.simulate.osem_world import reconstructed_frames

        values = reconstructed_frames(body, where, curve, frames, dose, progress=progress)
    elif noise:
        values = _with_noise(noise_free, replace(_count_noise(body, curve, frames, dose), fwhm_mm=noise_fwhm_mm), axes)
    parameters = painted.parameters
    truth = {
        "ki": parameters.ki,
        "v0": parameters.v0(1.0 / body.blood.plasma_ratio),
        **{name: getattr(parameters, name) for name in ("k1", "k2", "k3", "k4", "fv")},
        "ki_patlak_9_65": slope,
        "v0_patlak_9_65": intercept,
    }
    weight, activity = body.weight_kg, body.injected_activity_mbq
    blood_region, purity = _blood_core(body, painted, blur, axes)
    return DigitalPatient(
        series=DynamicSeries(
            timing=frames,
            geometry=where,
            tracer=FDG,
            voxels=ArrayVoxels(values),
            injected_activity_mbq=activity,
            weight_kg=weight,
            decay_weighted=True,
            suv_factor=weight / activity,
            origin=SeriesOrigin(manufacturer="simulated"),
        ),
        noise_free=noise_free,
        labels=painted.labels,
        label_names={**body.anatomy.names, LESION_LABEL: "lesion"},
        lesions=painted.lesions,
        lesion_list=body.lesions,
        aorta=blood_region,
        truth=truth,
        input_function=curve,
        settings={
            "anatomy": anatomy,
            "size": size if geometry is None else "custom",
            "seed": seed,
            "dose": dose,
            "noise": noise,
            "noise_world": noise_world if noise else None,
            "noise_fwhm_mm": noise_fwhm_mm if noise and noise_world == "gaussian" else None,
            "variant": variant,
            "reversible": reversible,
            "beds": body.anatomy.plan.beds,
            "blood_region": body.anatomy.plan.blood_region,
            "blood_region_purity": purity,
            "weight_kg": weight,
            "injected_activity_mbq": activity,
            "plasma_to_whole_blood": body.blood.plasma_ratio,
            "bolus_delay_s": body.blood.delay_s,
            "injection_duration_s": body.blood.injection_s,
        },
    )


def _reference_frames() -> FrameTiming:
    """The frames of liang2023 from 9 to 65 min."""
    paper = FrameTiming.parse("liang2023")
    return paper.select(paper.window(*PATLAK_WINDOW_MIN))


def noise_free_frames(
    painted: PaintedBody, curve: InputFunction, timing: FrameTiming, blur: Callable[[Float32], Float32]
) -> tuple[Float32, Float32, Float32]:
    """Blurred frames, and slope and intercept of Patlak over the reference frames, blurred likewise.

    Patlak's fit is linear in the frames and so is the blur: blurring its maps equals fitting blurred frames.

    :param blur: turns a sharp volume into what the scanner shows, see :class:`Blur`.
    :returns: frames (frames, slices, rows, columns) in kBq/mL, slope, intercept.
    """
    decay = FDG.decay_per_s
    reference = _reference_frames()
    table = ResponseTable(curve, timing, decay)
    reference_table = ResponseTable(curve, reference, decay)
    design = patlak_design(curve, reference, decay)
    weights = reference.duration_s / reference.decay_factors(decay) / design[:, 1]
    solution = weighted_fit(design, weights).solution.astype(np.float32)
    shape = painted.geometry.shape
    frames = np.zeros((len(timing), *shape), dtype=np.float32)
    patlak = np.zeros((2, *shape), dtype=np.float32)
    p = painted.parameters

    def fill(k: int) -> None:
        inside = painted.labels[k] > 0
        values = [m[k][inside] for m in (p.k1, p.k2, p.k3, p.k4, p.fv)]
        frames[:, k][:, inside] = table.two_tissue(*values).T
        patlak[:, k][:, inside] = solution @ reference_table.two_tissue(*values).T

    def blur_in_place(volume: Float32) -> None:
        volume[...] = blur(volume)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(shape[0])))
        list(pool.map(blur_in_place, [*frames, *patlak]))
    return frames, patlak[0], patlak[1]


def _count_noise(body: Body, curve: InputFunction, timing: FrameTiming, dose: float) -> CountNoise:
    """The noise model of a body's scan, calibrated in its liver (or what takes its place) at dose 1.

    Works on a coarse lattice of the whole body without texture and lesions, so a crop has the noise
    of the full volume.
    """
    anatomy, decay = body.anatomy, FDG.decay_per_s
    axes = [
        np.arange(lo, hi, _COARSE_MM, dtype=np.float32) for lo, hi in zip(anatomy.low_mm, anatomy.high_mm, strict=True)
    ]
    coarse = anatomy.paint(axes[0], axes[1], axes[2])
    tissues = [body.kinetics[label] for label in sorted(anatomy.names)]
    constants = {name: np.array([getattr(t, name) for t in tissues]) for name in ("k1", "k2", "k3", "k4", "fv")}
    lattice = (axes[0], axes[1], axes[2])
    last = _reference_frames()
    calibration = last.select([len(last) - 1])
    activity = two_tissue_frames(curve, calibration, **constants, decay_per_s=decay)
    liver_label = _label(anatomy, anatomy.plan.calibration)
    low, high = anatomy.plan.extent_mm
    in_liver = coarse == liver_label
    in_liver &= ((axes[2] >= low) & (axes[2] <= high))[:, None, None]
    lines = line_mean(coarse, anatomy.names, activity, lattice).values[0][in_liver].mean()
    liver = float(activity[liver_label, 0])
    texture = _texture_cov(body.kinetics[liver_label], liver, curve, calibration)
    kappa = liver_calibration(liver, float(lines), texture, calibration, 0, decay)
    frames = two_tissue_frames(curve, timing, **constants, decay_per_s=decay)
    lines_of_frames = line_mean(coarse, anatomy.names, frames, lattice)
    return CountNoise(lines_of_frames, kappa, dose / anatomy.plan.beds, timing, decay, body.seed)


def noise_cov(body: Body) -> float:
    """What noise alone leaves of the calibration tissue's 12 % (CoV): its own texture is taken off."""
    last = _reference_frames()
    calibration = last.select([len(last) - 1])
    tissue = body.kinetics[_label(body.anatomy, body.anatomy.plan.calibration)]
    curve = body.input_until(float(calibration.end_s[-1]))
    constants = {name: np.array([getattr(tissue, name)]) for name in ("k1", "k2", "k3", "k4", "fv")}
    activity = float(two_tissue_frames(curve, calibration, **constants, decay_per_s=FDG.decay_per_s)[0, 0])
    texture = _texture_cov(tissue, activity, curve, calibration)
    return float(np.sqrt(LIVER_COV**2 - texture**2))


def _texture_cov(tissue: Kinetics, activity: float, curve: InputFunction, frame: FrameTiming) -> float:
    """Coefficient of variation that texture leaves in a tissue's blurred activity, to first order."""
    sd = RESOLUTION_FWHM_MM / FWHM_PER_SD
    # A field of B-splines over white nodes is white noise under a kernel of variance 1/3 node^2.
    kept = (_TEXTURE_MM**2 / 3.0 / (_TEXTURE_MM**2 / 3.0 + sd**2)) ** 1.5
    flow, fv, trapping = 1.0 + TEXTURE["k1"], 1.0 + TEXTURE["fv"], 1.0 + TEXTURE["k3"]
    changed = two_tissue_frames(
        curve,
        frame,
        np.array([tissue.k1 * flow, tissue.k1]),
        np.array([tissue.k2 * flow, tissue.k2]),
        np.array([tissue.k3, tissue.k3 * trapping]),
        tissue.k4,
        np.array([tissue.fv * fv, tissue.fv]),
        FDG.decay_per_s,
    )[:, 0]
    return float(np.sqrt(kept * np.sum((changed / activity - 1.0) ** 2)))


def _label(anatomy: Anatomy, tissue: str) -> int:
    return next(label for label, name in anatomy.names.items() if name == tissue)


def _with_noise(noise_free: Float32, noise: CountNoise, axes: tuple[Float32, Float32, Float32]) -> Float32:
    values = np.empty_like(noise_free)

    def fill(frame: int) -> None:
        values[frame] = noise.sample(frame, noise_free[frame], *axes)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(len(values))))
    return values


def _blood_core(
    body: Body, painted: PaintedBody, blur: Blur, axes: tuple[Float32, Float32, Float32]
) -> tuple[Mask, float | None]:
    """Where an observer would place the blood region, and how much of what it shows is its own blood.

    The voxels of the vessel whose blurred content is the vessel's by more than 99.5 %; of a vessel too
    thin for that, the purest millilitre. None where the grid shows no such vessel.
    """
    vessel = painted.labels == _label(body.anatomy, body.anatomy.plan.blood_region)
    share = blur(vessel.astype(np.float32))
    vessel &= body.anatomy.input_region(*axes)
    if not vessel.any():
        return vessel, None
    inside = np.sort(share[vessel])
    wanted = min(int(np.ceil(_SMALLEST_BLOOD_ML / painted.geometry.voxel_volume_ml)), inside.size)
    core = vessel & (share >= min(_BLOOD_PURITY, float(inside[inside.size - wanted])))
    return core, round(float(share[core].mean()), 4)
