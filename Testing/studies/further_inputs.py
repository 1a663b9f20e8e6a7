"""What further inputs of the kinetic network offer in the voxels of one validation patient, for what_is_left.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from petkinetics.estimators import make_estimator
from petkinetics.estimators.estimator import estimate_in_memory
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.maps import ParametricResult
from petkinetics.networks.default_network import _looked_up, linear_response
from petkinetics.networks.features import KI_UNIT, LINEAR, WINDOWS
from petkinetics.networks.model_rows import KNEE, STEP, model_rows
from petkinetics.series import ArrayVoxels
from petkinetics.simulate.patient import simulate_patient
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

UNTIL_MIN, T_STAR_MIN = 35.0, 9.0
#: slices estimated, and those at either end that are not judged: the network lacks their neighbours
SLICES, MARGIN = 10, 2
FWHM_MM = (0.0, 4.0, 8.0, 16.0)
#: of the frames for the second two-tissue fit
FRAMES_FWHM_MM = 6.0
REGULARISED = ("gaussian", "hypr", "nlm", "total-variation")
#: amplitudes' errors grow with the amplitudes; these (a, b: mL/min/mL; fv) are added
AMPLITUDE_FLOOR = np.array([0.002, 0.02, 0.02])


@dataclass(frozen=True, eq=False)
class Patient:
    """The judged voxels of one patient.

    :param names: of candidates, "group/map/mm"; *candidates*: (candidates, voxels).
    :param ki: the network's; *truth*: 9-65 min without noise, mL/min/mL, (voxels,); *patlak*: of the noisy frames.
    :param lesions: numbers, 0 outside.
    :param amplitudes: a, b, fv, (3, voxels); *jacobian*: of windows and Ki by them, (WINDOWS + 1, 3, voxels).
    :param residual: of windows, (widths, WINDOWS, voxels); *ki_sd*: of Patlak, (voxels,).
    :param noise: covariance of the windows' smoothed noise over ki_sd^2, (widths, WINDOWS, WINDOWS).
    :param error: that of the amplitudes' smoothed errors over their sizes, (widths, 3, 3).
    """

    names: NDArray[np.str_]
    candidates: Float32
    ki: Float32
    truth: Float32
    patlak: Float32
    lesions: NDArray[np.uint8]
    amplitudes: Float32
    jacobian: Float32
    residual: Float32
    ki_sd: Float32
    noise: Float64
    error: Float64


def measure(seed: int, weights: Path | None) -> Patient:
    """Simulate and estimate one patient by all methods."""
    where = middle_slices("full", SLICES, (seed % 5 - 2) * 8)
    patient = simulate_patient("thorax", "full", seed, 1.0, geometry=where)
    curve = aorta_input(patient, UNTIL_MIN)
    whole = replace(problem_of(patient, curve, 0.0, UNTIL_MIN), weights=weights)
    late = problem_of(patient, curve, T_STAR_MIN, UNTIL_MIN)
    volume = FeatureVolume.of(whole)
    box = volume.box
    assert whole.mask is not None
    inside = (whole.mask & patient.body_mask)[box]
    judged = inside.copy()
    judged[:MARGIN] = judged[-MARGIN:] = False
    spacing = where.spacing_mm[::-1]

    def maps_of(method: str, problem: object = late) -> ParametricResult:
        return estimate_in_memory(make_estimator(method), problem)  # type: ignore[arg-type]

    network = {name: m.values[box] for name, m in maps_of("kinetic-network", whole).maps.items()}
    # what was measured, what the network's model predicts, and what is true
    frames = volume.frames_of(0, SLICES)
    features = volume.features_of(frames).swapaxes(0, 1)
    ki_sd = np.float32(1e-3) * 10.0 ** features[-1]
    true_frames = patient.noise_free[whole.frames][:, :, box[1], box[2]]
    windows_true = np.tensordot(volume.design.rows.astype(np.float32), true_frames, 1)
    decay = patient.series.frame_decay_per_s
    rows = model_rows(volume.curve, volume.timing, volume.design.rows, decay, patient.series.tracer.decay_per_s)
    response = responses(network)
    table, blood = torch.from_numpy(rows.table)[None], torch.from_numpy(rows.blood)[None]
    shaped = torch.from_numpy(response[:, inside])[None, :, :, None]
    predicted = np.zeros((LINEAR + 2, *inside.shape), np.float32)
    predicted[:, inside] = linear_response(shaped, table, blood, KNEE, STEP)[0, :, :, 0].numpy()
    gap = float(np.abs(KI_UNIT * predicted[-2] - network["ki"])[judged].mean() / network["ki"][judged].mean())
    print(f"seed {seed}: Ki of the rate constants is off by {100 * gap:.2f} %", flush=True)
    which = judged[inside]
    slow, fast = (_looked_up(shaped[:, n, which], table, KNEE, STEP)[0, :, 0].numpy().T for n in (2, 3))
    of = [*range(WINDOWS), LINEAR]
    jacobian = np.stack([slow[of], fast[of], np.repeat(rows.blood[of, None], slow.shape[1], 1)], axis=1)

    def smooth(values: Float32, fwhm_mm: float) -> Float32:
        return smoothed(values, inside, spacing, fwhm_mm)

    candidates: dict[str, Float32] = {}

    def add(group: str, name: str, values: Float32, widths: tuple[float, ...] = FWHM_MM) -> None:
        for width in widths:
            candidates[f"{group}/{name}/{width:g}"] = smooth(values, width)[judged]

    for name in ("ki", "v0", "k1", "fv"):
        add("control", name, network[name])
    add("control", "log SD", features[-1])
    residual = (features[:LINEAR] - predicted[:LINEAR]) * inside
    for n in range(LINEAR):
        name = f"window {n + 1}" if n < WINDOWS else ("Patlak Ki", "Patlak V0")[n - WINDOWS]
        add("residual", name, residual[n])
    for method in REGULARISED:
        found = maps_of(method)
        for name in ("ki", "v0"):
            add("regularised", f"{method} {name}", found[name].values[box] - network[name], (0.0, 8.0))
    smooth_frames = np.stack(
        [gaussian(f, spacing, FRAMES_FWHM_MM) for f in whole.series.read(range(len(patient.series.timing)), 0, SLICES)]
    )
    softened = replace(whole, series=replace(whole.series, voxels=ArrayVoxels(smooth_frames)))
    for label, problem, widths in (("raw", whole, FWHM_MM), ("smoothed", softened, (0.0, 8.0))):
        found = maps_of("two-tissue", problem)
        for name in ("ki", "v0", "k1", "fv"):
            add("two-tissue", f"{label} {name}", found[name].values[box] - network[name], widths)
        sd = found["ki_sd"].values[box]
        add("two-tissue", f"{label} log SD", np.log10(np.clip(sd, 1e-5, 1e-1)), (0.0, 8.0))
        pull = (found["ki"].values[box] - network["ki"]) / (1.0 + (sd / 1e-3) ** 2)
        add("two-tissue", f"{label} ki by its SD", pull, (0.0, 8.0))
    # covariances of the closed-form step, at every width
    amplitudes = response[[0, 1, 4]][:, judged]
    noises, errors, residuals = [], [], []
    for width in FWHM_MM:
        noise, missed, left = (
            np.stack([smooth(m, width)[judged] for m in maps])
            for maps in (
                features[:WINDOWS] - windows_true[:WINDOWS],
                (windows_true[:WINDOWS] - predicted[:WINDOWS]) * inside,
                residual[:WINDOWS],
            )
        )
        unit = noise / ki_sd[judged]
        noises.append(np.cov(unit.astype(np.float64)))
        errors.append(amplitude_errors(missed, jacobian[:WINDOWS], amplitudes, noises[0]))
        residuals.append(left)
    patlak = features[WINDOWS][judged] * np.float32(KI_UNIT)
    return Patient(
        names=np.array(list(candidates)),
        candidates=np.stack(list(candidates.values())).astype(np.float32),
        ki=network["ki"][judged],
        truth=patient.truth["ki_patlak_9_65"][box][judged],
        patlak=patlak,
        lesions=patient.lesions[box][judged],
        amplitudes=amplitudes,
        jacobian=jacobian.astype(np.float32),
        residual=np.stack(residuals).astype(np.float32),
        ki_sd=ki_sd[judged].astype(np.float32),
        noise=np.stack(noises),
        error=np.stack(errors),
    )


def responses(maps: dict[str, Float32]) -> Float32:
    """K1...k4, fv -> a, b (mL/min/mL), slow, fast (1/min), fv: the inverse of the network's rate_constants."""
    k1, k2, k3, k4, fv = (maps[name].astype(np.float64) for name in ("k1", "k2", "k3", "k4", "fv"))
    total = k2 + k3 + k4
    root = np.sqrt(np.maximum(total**2 - 4.0 * k2 * k4, 0.0))
    slow, fast = 0.5 * (total - root), 0.5 * (total + root)
    amount = k1 * np.maximum(1.0 - fv, 0.02)
    share = np.divide(k3 + k4 - slow, root, out=np.zeros_like(root), where=root > 0)
    return np.stack([amount * share, amount * (1.0 - share), slow, fast, fv]).astype(np.float32)


def gaussian(values: Float32, spacing: tuple[float, ...], fwhm_mm: float) -> Float32:
    """The volume under a Gaussian."""
    sd = sd_in_voxels(fwhm_mm, spacing)
    return np.asarray(ndimage.gaussian_filter(values, sd, mode="nearest", truncate=3.0), np.float32)


def smoothed(values: Float32, inside: NDArray[np.bool_], spacing: tuple[float, ...], fwhm_mm: float) -> Float32:
    """A mean over the voxels *inside* around each, weighted by a Gaussian."""
    if fwhm_mm == 0.0:
        return np.asarray(values, np.float32)
    share = gaussian(inside.astype(np.float32), spacing, fwhm_mm)
    return gaussian(values * inside, spacing, fwhm_mm) / np.maximum(share, np.float32(1e-3))


def amplitude_errors(missed: Float32, jacobian: Float32, amplitudes: Float32, noise: Float64) -> Float64:
    """Covariance, over their sizes, of the changes of a, b, fv that explain what the network misses in the windows."""
    size = amplitudes + AMPLITUDE_FLOOR[:, None]
    scaled = jacobian * size
    weight = 1.0 / np.diag(noise)
    normal = np.einsum("wiv,w,wjv->vij", scaled, weight, scaled)
    normal += 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3.0
    change = np.linalg.solve(normal, np.einsum("wiv,w,wv->vi", scaled, weight, missed)[..., None])[..., 0]
    change = np.clip(change, -3.0, 3.0)
    return np.asarray(change.T @ change / len(change))
