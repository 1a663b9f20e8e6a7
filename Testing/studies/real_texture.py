"""A real static FDG image turned into a dynamic scan whose truth is known. The table in docs/experiments.md.

    python Testing/studies/real_texture.py IMAGE [--places 3] [--slices 12] [--dose 1 0.25] [--seed 90050]

IMAGE is a DICOM folder of one static series (of a folder with gaps the longest run of slices), or a NIfTI in SUV. From
it --places slabs are taken, evenly along the patient (one: the middle), each with kinetics, blood and noise of a seed
of its own: the given one and those after it. The last tables are means over the slabs.

No anatomy is drawn: shapes, edges and contrasts are the patient's. Each voxel gets the two-tissue parameters that lead
to its SUV an hour after injection, with shares that vary smoothly from place to place:

* V0 is 35-75 % of activity over plasma (less in hot tissue: at most 0.9 mL/mL), the rest is trapped: Ki;
* fv is 3-9 %, k2 + k3 is 0.25/min at a V0 of 0.2 and grows with it; K1, k2 and k3 follow.

The image is smoothed by 5 mm first, since its own noise would count as tissue; then nothing is blurred again. The input
function is drawn as for simulated patients, and given to the methods as it is: this is about texture. The noise is the
simulator's; dose 1 is 12 % at an SUV of 2 in the body's middle.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators import make_estimator
from petkinetics.estimators.body import body_mask
from petkinetics.estimators.estimator import MemorySink, Problem, uses_whole_series
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.estimators.scan_faults import scan_faults, with_scan_faults
from petkinetics.evaluate.image_quality import image_quality
from petkinetics.frames import FrameTiming
from petkinetics.read.series import read_series
from petkinetics.series import ArrayVoxels, DynamicSeries, VolumeGeometry
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.blood import input_function, random_blood
from petkinetics.simulate.body import FDG, PATLAK_WINDOW_MIN, PaintedBody, draw_weight_and_dose
from petkinetics.simulate.fields import SmoothField
from petkinetics.simulate.noise_free import noise_free_frames, reference_frames
from petkinetics.simulate.physiology import LARGEST, ParameterMaps
from petkinetics.simulate.scanner import CountNoise, line_mean, liver_calibration
from petkinetics.simulate.seeds import stream

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Run = tuple[str, float]

CLASSICAL = ("patlak", "gaussian", "total-variation", "hypr", "nlm")
#: method and end of the scan, minutes
RUNS = (
    *((method, 35.0) for method in (*CLASSICAL, "kinetic-network")),
    *((method, 65.0) for method in (*CLASSICAL, "kinetic-network", "diffusion-prior")),
)
HEAD = "| method | until, min | RMSE ×10⁻³ | ÷ Patlak | SSIM | check fires |\n|---|---|---|---|---|---|"
SMOOTHING_MM, FIELD_MM = 5.0, 14.0
V0_SHARE, V0_MOST, FV, EXCHANGE_PER_MIN = (0.35, 0.75), 0.9, (0.03, 0.09), 0.25
_AIR_SUV, _LEVELS, _COARSE, _SUV_OF_DOSE = 0.15, 24, 4, 2.0


def read_suv(path: Path) -> tuple[Float32, tuple[float, float, float]]:
    """SUV (slices, rows, columns) and the voxel size (x, y, z).

    :raises InputError: the image cannot be read.
    """
    if not path.is_dir():
        import SimpleITK as sitk

        image = sitk.ReadImage(str(path), sitk.sitkFloat32)
        x, y, z = image.GetSpacing()
        return sitk.GetArrayFromImage(image), (x, y, z)
    with tempfile.TemporaryDirectory() as folder:
        for file in longest_run(path):
            shutil.copy(file, folder)
        series = read_series(Path(folder), require_dynamic=False)
        if not series.weight_kg or not series.injected_activity_mbq:
            raise InputError("The series does not say body weight and injected activity, which SUV needs.")
        to_suv = np.float32(series.weight_kg / series.injected_activity_mbq)
        return series.read([0], 0, series.geometry.shape[0])[0] * to_suv, series.geometry.spacing_mm


def slabs(available: int, slices: int, places: int) -> list[int]:
    """First slices of slabs whose middles divide the image evenly.

    :raises InputError: they would not fit side by side.
    """
    if slices * places > available:
        raise InputError(f"There are {available} slices; {places} times {slices} are not there.")
    return [round((place + 0.5) * available / places - 0.5 * slices) for place in range(places)]


def longest_run(folder: Path) -> list[Path]:
    """The files of a folder's longest run of evenly spaced slices."""
    import pydicom

    files = sorted(folder.glob("*.dcm"))
    places = [float(pydicom.dcmread(f, stop_before_pixels=True).ImagePositionPatient[2]) for f in files]
    order = np.argsort(places)
    steps = np.diff(np.array(places)[order])
    runs = np.split(order, np.flatnonzero(steps > 1.5 * np.median(steps)) + 1)
    return [files[i] for i in max(runs, key=len)]


def body_of(suv: Float32, curve: InputFunction, kbq_per_suv: float, geometry: VolumeGeometry, seed: int) -> PaintedBody:
    """The parameters that lead to an image; see the top of this file."""
    last = reference_frames().select([-1])
    plasma = float(np.interp(last.mid_s[0], curve.time_s, curve.plasma_kbq_per_ml))
    at = np.linspace(0.0, last.mid_s[0], 4000)
    stretched = float(np.trapezoid(np.interp(at, curve.time_s, curve.plasma_kbq_per_ml), at)) / 60.0 / plasma
    x, y, z = axes = grid_axes(geometry)
    low, high = ((float(x[i]), float(y[i]), float(z[i])) for i in (0, -1))

    def smooth(name: str) -> Float32:
        return SmoothField.random(stream(seed, name), FIELD_MM, low, high).on_axes(*axes)

    def between(name: str, bounds: tuple[float, float]) -> Float32:
        return np.float32(bounds[0]) + np.float32(bounds[1] - bounds[0]) / (1 + np.exp(-1.5 * smooth(name)))

    inside = suv > _AIR_SUV
    ratio = np.where(inside, suv * kbq_per_suv / plasma, 0.0)
    fv = np.minimum(between("share of blood", FV), 0.3 * ratio)
    blood = float(curve.whole_blood_kbq_per_ml[-1] / curve.plasma_kbq_per_ml[-1])
    v0 = np.minimum(between("share of V0", V0_SHARE) * ratio, V0_MOST)
    free = np.maximum(v0 - fv * blood, 1e-3) / (1 - fv)
    trapped = (ratio - v0) / stretched / (1 - fv)
    total = EXCHANGE_PER_MIN * (free / 0.2) ** 0.7 * np.exp(0.25 * smooth("exchange"))
    k1 = np.where(inside, np.minimum(trapped + free * total, LARGEST["k1"]), 0.0)
    k3 = np.divide(total * trapped, k1, out=np.zeros_like(k1), where=k1 > 0)
    k2 = np.where(inside, np.maximum(total - k3, 1e-3), 0.0)
    maps = [np.asarray(m, np.float32) for m in (k1, k2, k3, np.zeros_like(k1), np.where(inside, fv, 0.0))]
    return PaintedBody(geometry, inside.astype(np.uint8), np.zeros(suv.shape, np.uint8), ParameterMaps(*maps))


def count_noise(frames: Float32, suv: Float32, geometry: VolumeGeometry, timing: FrameTiming, dose: float, seed: int):  # type: ignore[no-untyped-def]
    """The simulator's noise for these frames: lines of response through a coarse picture of some levels of SUV."""
    coarse = suv[:, ::_COARSE, ::_COARSE]
    edges = np.geomspace(_AIR_SUV, max(float(coarse.max()), 1.0), _LEVELS)
    labels = np.digitize(coarse, edges).astype(np.uint8)
    values = frames[:, :, ::_COARSE, ::_COARSE]
    activity = np.zeros((_LEVELS + 1, len(timing)))
    for label in range(1, _LEVELS + 1):
        if (labels == label).any():
            activity[label] = values[:, labels == label].mean(axis=1)
    x, y, z = grid_axes(geometry)
    lines = line_mean(labels, {0: "air"}, activity, (x[::_COARSE], y[::_COARSE], z))
    last, body = len(timing) - 1, labels > 0
    scale = float(values[last][body].mean()) / float(coarse[body].mean())
    kappa = liver_calibration(
        _SUV_OF_DOSE * scale, float(lines.values[last][body].mean()), 0.0, timing, last, FDG.decay_per_s
    )
    return CountNoise(lines, kappa, dose, timing, FDG.decay_per_s, seed)


@dataclass(frozen=True)
class Found:
    """What a method made of a slab; *fires* is None where nothing is checked."""

    rmse: float
    ratio: float
    ssim: float
    fires: bool | None
    warnings: tuple[str, ...] = ()


def judged(series: DynamicSeries, curve: InputFunction, reference: Float32, body: Mask) -> dict[Run, Found]:
    """Every method on one scan."""
    found: dict[Run, Found] = {}
    for method, until in RUNS:
        estimator = make_estimator(method)
        start = 0.0 if uses_whole_series(estimator) else PATLAK_WINDOW_MIN[0]
        frames = series.timing.window(start, until)
        known = curve.until(float(series.timing.end_s[frames[-1]]))
        problem = Problem(series, known, frames, body_mask(series, frames.tolist()))
        sink = MemorySink()
        result = estimator.estimate(problem, sink)
        quality = image_quality(sink.volume("ki"), reference, body)
        plain = found["patlak", until].rmse if method != "patlak" else quality.rmse
        fires, warnings = None, ()
        if "network" in result.record:
            warnings = tuple(with_scan_faults(result.applicability, scan_faults(problem)).warnings)
            fires = bool(warnings)
        found[method, until] = Found(quality.rmse, quality.rmse / plain, quality.ssim, fires, warnings)
    return found


def table(slabs_found: list[dict[Run, Found]]) -> str:
    """Means over slabs (the ratio: of the mean errors), and in how many the check fires."""
    lines = [HEAD]
    for run in RUNS:
        mine, plain = [one[run] for one in slabs_found], [one["patlak", run[1]] for one in slabs_found]
        rmse, ssim = (float(np.mean([getattr(one, name) for one in mine])) for name in ("rmse", "ssim"))
        ratio = rmse / float(np.mean([one.rmse for one in plain]))
        told = [one.fires for one in mine if one.fires is not None]
        fires = f"{sum(told)} of {len(told)}" if told else "–"
        lines.append(f"| {run[0]} | {run[1]:g} | {1e3 * rmse:.2f} | {ratio:.2f} | {ssim:.3f} | {fires} |")
    return "\n".join(lines)


def scan_of(
    suv: Float32, spacing: tuple[float, float, float], dose: float, seed: int
) -> tuple[DynamicSeries, InputFunction, Float32, Mask]:
    """Series, blood curve, noise-free slope and body of a slab of SUV (slices, rows, columns)."""
    size = suv.shape
    origin = tuple(-0.5 * (n - 1) * step for n, step in zip(size[::-1], spacing, strict=True))
    geometry = VolumeGeometry((size[0], size[1], size[2]), spacing, (origin[0], origin[1], origin[2]))
    timing = FrameTiming.parse("liang2023")
    weight, injected = draw_weight_and_dose(seed)
    blood = random_blood(stream(seed, "blood"), injected, weight)
    curve = input_function(blood, float(timing.end_s[-1]))
    body = body_of(suv, curve, injected / weight, geometry, seed)
    noise_free, slope, _ = noise_free_frames(body, curve, timing, lambda volume: volume)
    inside = body.labels > 0
    made = noise_free[-1][inside] / (injected / weight)
    off = float(np.median(np.abs(made / suv[inside] - 1.0)))
    print(f"dose {dose:g}, seed {seed}: Ki median {np.median(slope[inside]):.3g}, largest {slope[inside].max():.3g}")
    print(f"the SUV of the last frame is off by {100 * off:.1f} % (median)", flush=True)
    noise = count_noise(noise_free, suv, geometry, timing, dose, seed)
    axes = grid_axes(geometry)
    values = np.stack([noise.sample(i, frame, *axes) for i, frame in enumerate(noise_free)])
    series = DynamicSeries(
        timing=timing,
        geometry=geometry,
        tracer=FDG,
        voxels=ArrayVoxels(values),
        injected_activity_mbq=injected,
        weight_kg=weight,
        decay_weighted=True,
        suv_factor=weight / injected,
    )
    return series, curve, slope, inside


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--places", type=int, default=1)
    parser.add_argument("--slices", type=int, default=12)
    parser.add_argument("--dose", type=float, nargs="+", default=[0.25])
    parser.add_argument("--seed", type=int, default=90_050)
    asked = parser.parse_args()
    from scipy.ndimage import gaussian_filter

    suv, spacing = read_suv(asked.image)
    firsts = slabs(len(suv), asked.slices, asked.places)
    suv = gaussian_filter(suv, sd_in_voxels(SMOOTHING_MM, spacing[::-1]), mode="nearest")
    voxel = " x ".join(f"{step:.2f}" for step in spacing)
    size = " x ".join(str(n) for n in suv.shape[1:])
    print(f"{asked.image.name}: {len(suv)} slices of {size}, {voxel} mm; {asked.slices} from {firsts}")
    for dose in asked.dose:
        found = []
        for place, first in enumerate(firsts):
            slab = np.ascontiguousarray(suv[first : first + asked.slices])
            found.append(judged(*scan_of(slab, spacing, dose, asked.seed + place)))
            print(table(found[-1:]), flush=True)
            for (method, until), one in found[-1].items():
                for warning in one.warnings:
                    print(f"    {method}, {until:g} min: {warning}", flush=True)
        print(f"\nDose {dose:g}, means of {len(found)}:\n{table(found)}\n", flush=True)


if __name__ == "__main__":
    main()
