"""The two noise worlds of simulated patients side by side: the tables in docs/methods.md.

    python Testing/studies/noise_worlds.py [--write]

One validation patient, ten slices from liver dome to heart at the paper's voxels, 28 frames, two doses; noise added
with known variance ("gaussian") and counted sinograms reconstructed by OSEM ("osem"). Takes about ten minutes.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from petkinetics.curves import InputFunction
from petkinetics.estimators import make_estimator
from petkinetics.estimators.estimator import estimate_in_memory
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import NOISE_WORLDS, PATLAK_WINDOW_MIN, DigitalPatient, grid, simulate_patient
from petkinetics.studies.patient_problem import aorta_input, problem_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "methods.md"
SEED = 90_000
SLICES, LOWEST_MM = 10, -20.0
DOSES = (1.0, 0.1)
#: depth (mm) below the tissue's surface in the slice at which voxels count
TISSUES = {"liver": 8.0, "muscle": 4.0, "lung": 8.0, "subcutaneous fat": 2.5}
#: frames of liang2023 by number: 30 s at 2 min, 300 s at 60 min
FRAMES = {"30 s": 8, "300 s": 27}
#: sum of the correlations of a slice with those around it: what neighbours share, from the table of correlations
_SHARED = 1.0 + 2.0 * (0.67 + 0.22)

Mask = NDArray[np.bool_]
Scans = dict[tuple[str, float], DigitalPatient]


def scans() -> Scans:
    """The patient in both worlds and every dose."""
    full = grid("full")
    where = VolumeGeometry((SLICES, *full.shape[1:]), full.spacing_mm, (*full.origin_mm[:2], LOWEST_MM))
    return {
        (world, dose): simulate_patient(seed=SEED, geometry=where, dose=dose, noise_world=world)
        for world in NOISE_WORLDS
        for dose in DOSES
    }


def interior(patient: DigitalPatient, tissue: str) -> Mask:
    """Voxels of a tissue well inside it, slice by slice."""
    label = next(k for k, name in patient.label_names.items() if name == tissue)
    _, _, x_mm = patient.series.geometry.spacing_mm[::-1]
    depth = ndimage.distance_transform_edt(patient.labels == label, sampling=(1e4, x_mm, x_mm))
    return np.asarray(depth > TISSUES[tissue])


def noise_table(found: Scans) -> str:
    """Noise over activity and bias of the mean, in per cent, by tissue, frame and dose."""
    lines = [
        "| tissue | frame | dose | noise, gaussian | noise, osem | bias, gaussian | bias, osem |",
        "|---|---|---|---|---|---|---|",
    ]
    for tissue in TISSUES:
        for frame, number in FRAMES.items():
            for dose in DOSES:
                cells = [_noise_and_bias(found[world, dose], tissue, number) for world in NOISE_WORLDS]
                texts = [f"{100 * noise:.1f} %" for noise, _, _ in cells]
                texts += [f"{100 * bias:+.1f} ± {100 * error:.1f} %" for _, bias, error in cells]
                lines.append(f"| {tissue} | {frame} | {dose:g} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _noise_and_bias(patient: DigitalPatient, tissue: str, frame: int) -> tuple[float, float, float]:
    """SD and mean of the difference from the noise-free image, over its mean; the mean's error from its slices'."""
    inside = interior(patient, tissue)
    clean = patient.noise_free[frame]
    residual = patient.series.voxels.values[frame] - clean  # type: ignore[attr-defined]
    level = clean[inside].mean()
    slices = [r[m].mean() / level for r, m in zip(residual, inside, strict=True) if m.any()]
    error = np.std(slices, ddof=1) * np.sqrt(_SHARED / len(slices))
    return float(residual[inside].std() / level), float(residual[inside].mean() / level), float(error)


def correlation_table(found: Scans) -> str:
    """Correlation of the liver's noise with that of voxels further on, last frame, dose 1."""
    lines = [
        "| world | left-right: 1 | 2 | 3 voxels | front-back: 1 | 2 | 3 | head-foot: 1 | 2 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for world in NOISE_WORLDS:
        patient = found[world, 1.0]
        inside = interior(patient, "liver")
        residual = patient.series.voxels.values[-1] - patient.noise_free[-1]  # type: ignore[attr-defined]
        values = [
            _correlation(residual, inside, axis, lag)
            for axis, lags in ((2, 3), (1, 3), (0, 2))
            for lag in range(1, lags + 1)
        ]
        lines.append(f"| {world} | " + " | ".join(f"{v:.2f}" for v in values) + " |")
    return "\n".join(lines)


def _correlation(residual: NDArray[np.float32], inside: Mask, axis: int, lag: int) -> float:
    here = tuple(slice(None, -lag) if a == axis else slice(None) for a in range(3))
    there = tuple(slice(lag, None) if a == axis else slice(None) for a in range(3))
    both = inside[here] & inside[there]
    return float(np.corrcoef(residual[here][both], residual[there][both])[0, 1])


def ki_table(found: Scans) -> str:
    """Patlak's Ki with the true blood curve and the scan's own aorta, against the noise-free, blurred slope."""
    lines = [
        "| tissue | Ki | dose | true curve: gaussian | osem | aorta: gaussian | osem | voxel SD: gaussian | osem |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    true_curve = {key: _ki(patient, patient.input_function) for key, patient in found.items()}
    own_aorta = {key: _ki(patient, aorta_input(patient, None)) for key, patient in found.items()}
    for tissue in TISSUES:
        for dose in DOSES:
            inside = interior(found[NOISE_WORLDS[0], dose], tissue)
            truth = found[NOISE_WORLDS[0], dose].truth["ki_patlak_9_65"][inside]
            bias = [
                f"{100 * (maps[world, dose][inside].mean() / truth.mean() - 1):+.1f} %"
                for maps in (true_curve, own_aorta)
                for world in NOISE_WORLDS
            ]
            errors = (true_curve[world, dose][inside] - truth for world in NOISE_WORLDS)
            spread = [f"{100 * error.std() / truth.mean():.0f} %" for error in errors]
            lines.append(f"| {tissue} | {truth.mean():.4f} | {dose:g} | " + " | ".join(bias + spread) + " |")
    return "\n".join(lines)


def _ki(patient: DigitalPatient, curve: InputFunction) -> NDArray[np.float32]:
    problem = problem_of(patient, curve, PATLAK_WINDOW_MIN[0], None)
    return np.asarray(estimate_in_memory(make_estimator("patlak"), problem).maps["ki"].values)


def main() -> None:
    """Print the tables, or write them into the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    found = scans()
    tables = {
        "noise worlds": noise_table(found),
        "noise worlds correlation": correlation_table(found),
        "noise worlds ki": ki_table(found),
    }
    for table in tables.values():
        print(table, end="\n\n", flush=True)
    if not write:
        return
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, table in tables.items():
        pattern = rf"(<!-- table {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(pattern, lambda match, new=table: match[1] + new + "\n" + match[2], text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{DOCUMENT.name} has {count} places for the table '{name}', not one.")
    DOCUMENT.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
