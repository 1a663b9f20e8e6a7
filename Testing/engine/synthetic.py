"""Small patients whose Ki and V0 are known, and an independent float64 reference: shared by the tests.

Nothing here uses the engine: integrals are Gauss-Legendre sums (exact for the polynomials at hand),
the fit is numpy's least squares, files are written by nibabel. So agreement with the engine says something.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

HALF_LIFE_S = 6586.2
LAMBDA = np.log(2.0) / HALF_LIFE_S
#: the framing of the network paper: 28 frames, 65 min
LIANG = np.repeat([10.0, 30.0, 60.0, 120.0, 300.0], [6, 4, 4, 4, 10])
#: an hour and five minutes in few frames, early ones short
SHORT = np.repeat([10.0, 30.0, 60.0, 300.0], [6, 4, 4, 12])
#: voxel size of the small patient (x, y, z), mm
SPACING = (8.0, 8.0, 6.0)
SHAPE = (6, 24, 24)

_GL_X, _GL_W = np.polynomial.legendre.leggauss(12)


def starts_of(duration_s: Float64, first: float = 0.0) -> Float64:
    return first + np.concatenate([[0.0], np.cumsum(duration_s)[:-1]])


def feng(t_s: Float64, delay_s: float = 20.0) -> Float64:
    """Feng's model 2 (its A and lambda), scaled to a peak near 60 kBq/mL; zero before the delay."""
    t = np.maximum((np.asarray(t_s, float) - delay_s) / 60.0, 0.0)
    return 0.45 * (
        (851.1 * t - 21.88 - 20.81) * np.exp(-4.134 * t) + 21.88 * np.exp(-0.1191 * t) + 20.81 * np.exp(-0.01043 * t)
    )


def feng_nodes(end_s: float = 4000.0) -> Float64:
    """Times at which feng() is well described by lines."""
    return np.unique(
        np.concatenate(
            [[0.0], np.arange(20.0, 200.0, 1.0), np.arange(200.0, 600.0, 10.0), np.arange(600.0, end_s + 60.0, 60.0)]
        )
    )


def frame_mean(function, start: Float64, duration: Float64, breaks: Float64, lam: float = 0.0) -> Float64:  # type: ignore[no-untyped-def]
    """Frame means of a function that is smooth between *breaks* (s), weighted by e^(-lam t)."""
    means = []
    for a, d in zip(start, duration, strict=True):
        edges = np.unique(np.concatenate([[a, a + d], breaks[(breaks > a) & (breaks < a + d)]]))
        half, mid = np.diff(edges) / 2.0, (edges[1:] + edges[:-1]) / 2.0
        t = (mid[:, None] + half[:, None] * _GL_X).ravel()
        w = (half[:, None] * _GL_W).ravel() * np.exp(-lam * (t - a))
        means.append(np.sum(w * function(t)) / np.sum(w))
    return np.array(means)


def piecewise(time_s: Float64, value: Float64):  # type: ignore[no-untyped-def]
    """(curve, running integral in unit*min) of a piecewise-linear curve: zero before its first node."""
    area = np.concatenate([[0.0], np.cumsum(np.diff(time_s) * (value[1:] + value[:-1]) / 2.0)]) / 60.0

    def curve(t: Float64) -> Float64:
        return np.interp(t, time_s, value, left=0.0)

    def integral(t: Float64) -> Float64:
        k = np.clip(np.searchsorted(time_s, t, side="right") - 1, 0, len(time_s) - 1)
        step = np.maximum(t - time_s[k], 0.0) / 60.0
        return np.where(t < time_s[0], 0.0, area[k] + step * (value[k] + curve(t)) / 2.0)

    return curve, integral


def reference_design(time_s: Float64, cp: Float64, start: Float64, duration: Float64, lam: float = 0.0) -> Float64:
    """Patlak's regressors (frame means of the integral of Cp, and of Cp), shape (frames, 2)."""
    curve, integral = piecewise(np.asarray(time_s, float), np.asarray(cp, float))
    breaks = np.asarray(time_s, float)
    return np.stack([frame_mean(f, start, duration, breaks, lam) for f in (integral, curve)], axis=1)


def reference_patlak(frames: Float64, design: Float64, weights: Float64) -> tuple[Float64, Float64]:
    """(Ki, V0) by weighted least squares in float64; frames of shape (frames, ...)."""
    root = np.sqrt(np.asarray(weights, float))
    flat = np.asarray(frames, float).reshape(len(root), -1)
    found = np.linalg.lstsq(design * root[:, None], flat * root[:, None], rcond=None)[0]
    return found[0].reshape(frames.shape[1:]), found[1].reshape(frames.shape[1:])


@dataclass
class Patient:
    """A box of tissue in air with an aorta; every voxel obeys Patlak's equation from the start.

    The blood is piecewise linear (feng() at feng_nodes()), so the frames are exact.
    """

    duration: Float64 = field(default_factory=lambda: LIANG.copy())
    start: Float64 | None = None
    shape: tuple[int, int, int] = SHAPE
    spacing: tuple[float, float, float] = SPACING
    lam: float = 0.0
    delay_s: float = 20.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.start is None:
            self.start = starts_of(self.duration)
        end = float(self.start[-1] + self.duration[-1])
        self.nodes = feng_nodes(end)
        self.cp = feng(self.nodes, self.delay_s)
        self.design = reference_design(self.nodes, self.cp, self.start, self.duration, self.lam)
        _nz, ny, nx = self.shape
        y, x = np.mgrid[:ny, :nx]
        inside = ((y - ny / 2 + 0.5) / (0.40 * ny)) ** 2 + ((x - nx / 2 + 0.5) / (0.40 * nx)) ** 2 < 1.0
        self.body = np.broadcast_to(inside, self.shape).copy()
        rng = np.random.default_rng(self.seed)
        self.ki = np.where(self.body, rng.uniform(0.002, 0.03, self.shape), 0.0)
        self.v0 = np.where(self.body, rng.uniform(0.2, 0.7, self.shape), 0.0)
        self.aorta = np.zeros(self.shape, np.uint8)
        self.aorta[:, ny // 2 - 1 : ny // 2 + 2, nx // 2 - 1 : nx // 2 + 2] = 1
        blood = self.aorta > 0
        self.ki[blood], self.v0[blood] = 0.0, 1.0
        self.frames = (
            self.design[:, 0, None, None, None] * self.ki + self.design[:, 1, None, None, None] * self.v0
        ).astype(np.float32)

    @property
    def end(self) -> Float64:
        return self.start + self.duration

    @property
    def tissue(self) -> NDArray[np.bool_]:
        return self.body & (self.aorta == 0)

    def affine(self) -> Float64:
        """NIfTI (RAS) affine of an axial volume as DICOM lays it out."""
        affine = np.diag([-self.spacing[0], -self.spacing[1], self.spacing[2], 1.0])
        affine[:3, 3] = [90.0, 100.0, -40.0]
        return affine

    def sidecar(self, **changes: object) -> dict[str, object]:
        meta: dict[str, object] = {
            "Manufacturer": "Example",
            "TracerName": "FDG",
            "TracerRadionuclide": "F18",
            "RadionuclideHalfLife": HALF_LIFE_S,
            "InjectedRadioactivity": 300.0,
            "InjectedRadioactivityUnits": "MBq",
            "BodyWeight": 70.0,
            "Units": "kBq/mL",
            "TimeZero": "10:00:00",
            "ScanStart": 0,
            "InjectionStart": 0,
            "FrameTimesStart": [float(v) for v in self.start],
            "FrameDuration": [float(v) for v in self.duration],
            "ImageDecayCorrected": True,
            "ImageDecayCorrectionTime": 0,
        }
        meta.update(changes)
        return {key: value for key, value in meta.items() if value is not None}

    def save(
        self, folder: Path, *, frames: NDArray[np.float32] | None = None, name: str = "pet.nii", **changes: object
    ) -> Path:
        """Write series, sidecar and aorta.nii; changes to the sidecar by key (None removes one)."""
        folder.mkdir(parents=True, exist_ok=True)
        save_nifti(folder / name, self.frames if frames is None else frames, self.affine())
        stem = name.removesuffix(".gz").removesuffix(".nii")
        (folder / f"{stem}.json").write_text(json.dumps(self.sidecar(**changes)), encoding="utf-8")
        save_nifti(folder / "aorta.nii", self.aorta, self.affine())
        return folder / name

    def save_blood(self, path: Path, *, time: Float64 | None = None, values: Float64 | None = None) -> Path:
        """The true blood as the table that petkinetics writes."""
        time = self.nodes if time is None else time
        values = self.cp if values is None else values
        rows = [f"{t:.6f}\t{v:.12g}\t{v:.12g}" for t, v in zip(time, values, strict=True)]
        path.write_text(
            "time\twhole_blood_radioactivity\tplasma_radioactivity\n" + "\n".join(rows) + "\n", encoding="utf-8"
        )
        return path


def save_nifti(path: Path, values: NDArray, affine: Float64) -> Path:  # type: ignore[type-arg]
    """Write (frame, slice, row, column) or (slice, row, column) by nibabel, which counts axes the other way."""
    image = nib.Nifti1Image(np.ascontiguousarray(values.T), affine)
    image.set_data_dtype(values.dtype)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, str(path))
    return path


def load_map(path: Path) -> NDArray[np.float32]:
    """A map as (slice, row, column), by nibabel."""
    if not path.exists():
        path = path.with_name(path.name.removesuffix(".gz"))
    return np.asarray(nib.load(str(path)).dataobj).T


def result(folder: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def run(*arguments: object) -> int:
    """The command line in this process; argparse's own refusals become their exit status."""
    from petkinetics.cli import main

    try:
        return main([str(a) for a in arguments])
    except SystemExit as left:
        return int(left.code or 0)
