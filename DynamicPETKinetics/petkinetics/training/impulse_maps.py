"""A simulated patient as the scanner's image of its impulse response: frames for any blood curve and framing.

A voxel's response to an impulse of plasma, fv delta(t) + a e^(-alpha1 t) + b e^(-alpha2 t), is laid on a grid of
31 exponents (linear between neighbours in log alpha: frames within 0.3 %), and each of these 32 maps is
blurred by motion and resolution once. All that a scan shows, and Patlak's slope and intercept of it, are
then small matrix products, whatever the input function and the frames.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.estimators.boxes import box_in_slices
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import exponents
from petkinetics.kinetics.convolution import frame_mean_convolved
from petkinetics.kinetics.patlak import patlak_design, plot_weights, weighted_fit
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.blood import BloodParameters
from petkinetics.simulate.patient import FDG, LESION_LABEL, PATLAK_WINDOW_MIN, Body, PaintedBody, noise_cov
from petkinetics.simulate.scanner import Blur, line_mean
from petkinetics.training.impulse_loss import IMPULSE, IMPULSE_MIN, IMPULSE_UNIT

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: exponents (1/min); whole blood's delta follows as the last map
ALPHA = np.concatenate([[0.0], np.geomspace(0.004, 5.0, 30)])
MAPS = ALPHA.size + 1
#: maps of lines of response are kept on every fourth voxel of a slice: they are smooth
LINE_STEP = 4
_LATTICE_MM = 11.0
_MARGIN = 6


@dataclass(frozen=True)
class ImpulseInfo:
    """What is known of a slab besides its maps.

    :param calibration: impulse response of the calibration tissue (liver), (MAPS,).
    :param calibration_lines: mean of its lines of response, likewise.
    :param noise_cov: that noise leaves in this tissue's voxels in the frame of 60-65 min at dose 1, one bed.
    """

    seed: int
    anatomy: str
    spacing_mm: tuple[float, float, float]
    weight_kg: float
    injected_activity_mbq: float
    blood: dict[str, object]
    beds: int
    calibration: list[float]
    calibration_lines: list[float]
    noise_cov: float

    @property
    def blood_parameters(self) -> BloodParameters:
        """The patient's own input function."""
        values = dict(self.blood)
        values["feng"] = tuple(values["feng"])  # type: ignore[arg-type]
        return BloodParameters(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class ImpulseMaps:
    """A slab of a patient.

    :param maps: float16 (MAPS, slices, rows, columns).
    :param lines: float16 (MAPS, slices, rows / LINE_STEP, columns / LINE_STEP): mean over the lines of response.
    :param labels: tissues, lesions as 200, uint8.
    """

    maps: Float16
    lines: Float16
    labels: NDArray[np.uint8]
    info: ImpulseInfo

    @classmethod
    def of_body(cls, body: Body, geometry: VolumeGeometry) -> ImpulseMaps:
        """Paint and blur a body on a grid, cut to what lies in the body."""
        painted = body.paint(geometry)
        axes = grid_axes(geometry)
        blur = Blur(geometry.spacing_mm, body.anatomy.motion(*axes))
        box = box_in_slices(painted.labels > 0, _MARGIN)
        maps = np.empty((MAPS, *painted.labels[box].shape), np.float16)
        for n, sharp in enumerate(_sharp_maps(painted)):
            maps[n] = blur(sharp)[box] if sharp.any() else 0.0
        lines, calibration, calibration_lines = _lines(body, axes, box)
        info = ImpulseInfo(
            seed=body.seed,
            anatomy=body.anatomy_name,
            spacing_mm=geometry.spacing_mm,
            weight_kg=body.weight_kg,
            injected_activity_mbq=body.injected_activity_mbq,
            blood=asdict(body.blood),
            beds=body.anatomy.plan.beds,
            calibration=calibration.tolist(),
            calibration_lines=calibration_lines.tolist(),
            noise_cov=noise_cov(body),
        )
        return cls(maps, lines, painted.labels[box], info)

    def save(self, folder: Path) -> None:
        """Write ``maps.npy``, ``lines.npy``, ``labels.npy`` and, last, ``info.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "maps.npy", self.maps)
        np.save(folder / "lines.npy", self.lines)
        np.save(folder / "labels.npy", self.labels)
        (folder / "info.json").write_text(json.dumps(asdict(self.info)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ImpulseMaps:
        """Open a slab that :meth:`save` wrote; its maps stay on the disk until they are used."""
        values = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        values["spacing_mm"] = tuple(values["spacing_mm"])
        maps, lines = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("maps", "lines"))
        return cls(maps, lines, np.load(folder / "labels.npy"), ImpulseInfo(**values))

    @cached_property
    def lesions(self) -> NDArray[np.bool_]:
        """Lesion voxels."""
        return self.labels == LESION_LABEL


def responses(curve: InputFunction, timing: FrameTiming) -> Float64:
    """Frame means of plasma convolved with every exponential, and of whole blood: (frames, MAPS), kBq/mL*min."""
    decay = FDG.decay_per_s
    tissue = frame_mean_convolved(curve.time_s, curve.plasma_kbq_per_ml, timing, ALPHA, decay)
    return np.concatenate([tissue.T, curve.whole_blood_frame_mean(timing, decay)[:, None]], axis=1)


def reference_patlak(curve: InputFunction, timing: FrameTiming | None = None) -> Float64:
    """Rows that give slope and intercept, 9-65 min of liang2023, of noise-free maps: (2, MAPS)."""
    if timing is None:
        paper = FrameTiming.parse("liang2023")
        timing = paper.select(paper.window(*PATLAK_WINDOW_MIN))
    decay = FDG.decay_per_s
    design = patlak_design(curve, timing, decay)
    return weighted_fit(design, plot_weights(timing, design, decay)).solution @ responses(curve, timing)


def impulse_rows() -> Float64:
    """Rows that give the response to an impulse, as the loss judges it, of the maps: (IMPULSE, MAPS)."""
    rows = np.zeros((IMPULSE, MAPS))
    rows[0, -1] = 1.0
    rows[1:, :-1] = np.exp(-np.outer(IMPULSE_MIN, ALPHA)) / IMPULSE_UNIT
    return rows


def _sharp_maps(painted: PaintedBody):  # type: ignore[no-untyped-def]
    """Yield the maps before blur, float32."""
    p, inside = painted.parameters, painted.labels > 0
    k1, k2, k3, k4, fv = (m[inside] for m in (p.k1, p.k2, p.k3, p.k4, p.fv))
    spread = _spread(k1, k2, k3, k4, fv)
    for n in range(MAPS):
        out = np.zeros(painted.labels.shape, np.float32)
        out[inside] = spread[n]
        yield out


def _spread(k1: Float32, k2: Float32, k3: Float32, k4: Float32, fv: Float32) -> Float32:
    """Weights on the grid of exponents, (MAPS, voxels)."""
    alpha1, alpha2, a, b = exponents(k1, k2, k3, k4)
    out = np.zeros((MAPS, k1.size), np.float32)
    voxel = np.arange(k1.size)
    for alpha, weight in ((alpha1, a), (alpha2, b)):
        lower = np.clip(np.searchsorted(ALPHA, alpha, side="right") - 1, 0, ALPHA.size - 2)
        low, high = ALPHA[lower], ALPHA[lower + 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(lower == 0, alpha / ALPHA[1], np.log(alpha / low) / np.log(high / low))
        share = np.clip(np.nan_to_num(share), 0.0, 1.0)
        amount = (1.0 - fv) * weight
        out[lower, voxel] += (1.0 - share) * amount
        out[lower + 1, voxel] += share * amount
    out[-1] = fv
    return out


def _lines(body: Body, axes: tuple[Float32, ...], box: tuple[slice, ...]) -> tuple[Float16, Float64, Float64]:
    """Lines of response through the slab, and the calibration tissue's response and lines."""
    anatomy = body.anatomy
    x, y, z = (
        np.arange(low, high, _LATTICE_MM, dtype=np.float32)
        for low, high in zip(anatomy.low_mm, anatomy.high_mm, strict=True)
    )
    coarse = anatomy.paint(x, y, z)
    tissues = [body.kinetics[label] for label in sorted(anatomy.names)]
    table = _spread(
        *(np.array([getattr(t, name) for t in tissues], np.float32) for name in ("k1", "k2", "k3", "k4", "fv"))
    )
    # The mean over lines of every map; its scale to the body's mean is the maps', so the sum is that of frames.
    found = line_mean(coarse, anatomy.names, table.T.astype(np.float64), (x, y, z))
    slab_z = axes[2][box[0]]
    rows, columns = axes[1][box[1]][::LINE_STEP], axes[0][box[2]][::LINE_STEP]
    lines = np.stack([found.on_grid(n, columns, rows, slab_z) for n in range(MAPS)]).astype(np.float16)
    label = next(label for label, name in anatomy.names.items() if name == anatomy.plan.calibration)
    low, high = anatomy.plan.extent_mm
    in_tissue = (coarse == label) & ((z >= low) & (z <= high))[:, None, None]
    place = sorted(anatomy.names).index(label)
    return lines, table[:, place].astype(np.float64), found.values[:, in_tissue].mean(axis=1).astype(np.float64)
