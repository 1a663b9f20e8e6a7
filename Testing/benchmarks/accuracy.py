"""Ki and V0 of the programs measured, against Patlak in float64 made here in another way.

    python accuracy.py PET.nii OURS PEER

The reference reads the voxels with nibabel, integrates the input function's nodes piece by piece with
Simpson's rule (exact, as the curve is a line on each piece) and solves each voxel with
numpy.linalg.lstsq in float64. Prints one JSON object.
"""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from positionals import paths

Float64 = NDArray[np.float64]


def design_of(nodes_s: Float64, plasma: Float64, start_s: Float64, duration_s: Float64) -> Float64:
    """Frame means of the integral of Cp (kBq/mL*min) and of Cp (kBq/mL), shape (frames, 2)."""
    grid = np.unique(np.concatenate([nodes_s, start_s, start_s + duration_s]))
    curve = np.interp(grid, nodes_s, plasma, left=0.0)
    h, middle = np.diff(grid) / 60.0, 0.5 * (curve[:-1] + curve[1:])
    integral = np.concatenate([[0.0], np.cumsum(h * middle)])
    at_middle = integral[:-1] + 0.5 * h * 0.5 * (curve[:-1] + middle)
    rows = []
    for start, duration in zip(start_s, duration_s, strict=True):
        inside = (grid[:-1] >= start - 1e-9) & (grid[1:] <= start + duration + 1e-9)
        simpson = h / 6.0 * (integral[:-1] + 4.0 * at_middle + integral[1:])
        length = h[inside].sum()
        rows.append([simpson[inside].sum() / length, (h * middle)[inside].sum() / length])
    return np.array(rows)


def solve(frames: Float64, design: Float64, weights: Float64) -> Float64:
    """Weighted least squares of (frames, voxels): (2, voxels)."""
    root = np.sqrt(weights)[:, None]
    return np.linalg.lstsq(design * root, frames * root, rcond=None)[0]


def difference(found: Float64, reference: Float64) -> dict[str, float]:
    """Bias of the mean, and RMS difference over RMS reference."""
    return {
        "bias": float(np.mean(found - reference) / np.mean(reference)),
        "rms": float(np.sqrt(np.mean((found - reference) ** 2) / np.mean(reference**2))),
    }


def volume(path: Path) -> Float64:
    """A volume as float64, in the file's own order of voxels."""
    return np.asarray(nib.load(path).dataobj, dtype=np.float64)


def main(pet: Path, ours: Path, peer: Path) -> dict[str, dict[str, float]]:
    """The comparison in the voxels of our mask."""
    record = json.loads((ours / "result.json").read_text(encoding="utf-8"))
    used = record["frames_used"]
    start, duration, weights = (np.array([f[k] for f in used]) for k in ("start_s", "duration_s", "weight"))
    table = np.loadtxt(ours / "input_function.tsv", delimiter="\t", skiprows=1)
    design = design_of(table[:, 0], table[:, -1], start, duration)
    our_ki, our_v0, peer_ki, peer_v0 = (volume(f / n) for f in (ours, peer) for n in ("ki.nii", "v0.nii"))
    image = nib.load(pet).dataobj
    mine: list[Float64] = []
    classical: list[Float64] = []
    inside = []
    for k in range(our_ki.shape[2]):
        body = our_ki[:, :, k] != 0
        if not body.any():
            continue
        inside.append((k, body))
        frames = np.asarray(image[:, :, k, used[0]["index"] : used[-1]["index"] + 1], dtype=np.float64)[body].T
        mine.append(solve(frames, design, weights))
        # The classical plot, C/Cp against the integral over Cp, unweighted: what the peer fits.
        classical.append(solve(frames, design, 1.0 / design[:, 1] ** 2))

    def picked(values: Float64) -> Float64:
        return np.concatenate([values[:, :, k][body] for k, body in inside])

    reference, plot = np.concatenate(mine, axis=1), np.concatenate(classical, axis=1)
    return {
        "petkinetics Ki": difference(picked(our_ki), reference[0]),
        "petkinetics V0": difference(picked(our_v0), reference[1]),
        "nifti_dynamic Ki": difference(picked(peer_ki), plot[0]),
        "nifti_dynamic V0": difference(picked(peer_v0), plot[1]),
    }


if __name__ == "__main__":
    print(json.dumps(main(*paths(__doc__, "pet", "ours", "peer"))))
