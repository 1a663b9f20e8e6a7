"""The abdomen of a real CT, bent, turned and scaled into a patient of its own for every seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import as_file, files
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Labels, Motion, Position
from petkinetics.simulate.fields import Deformation
from petkinetics.simulate.physiology import blood_labels
from petkinetics.simulate.plan import TRUNK_VOXELS, ScanPlan
from petkinetics.simulate.seeds import stream
from petkinetics.simulate.variants import Aneurysm

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: the place of the CT (its voxels: column, row, slice) that lies in the middle of the scan: upper
#: diaphragm to fourth lumbar vertebra, with the kidneys and the abdominal aorta
_CENTRE_VOXEL = (60.5, 50.0, 74.0)
#: about the weight of the person in the CT
_CT_WEIGHT_KG = 76.0
#: slices painted at a time, which bounds the memory
_SLAB = 8


@dataclass(frozen=True)
class LabelVolume:
    """Tissue labels of a CT.

    :param labels: uint8 (slices, rows, columns), axes along the patient's (left, back, head).
    :param spacing_mm: of its cubic voxels.
    :param names: label -> tissue.
    """

    labels: Labels
    spacing_mm: float
    names: dict[int, str]

    def at(self, column: Float32, row: Float32, slice_: Float32) -> Labels:
        """Labels at positions in voxels: the one with most of the eight neighbours' trilinear weight.

        That makes surfaces smooth where the nearest neighbour would make steps. Air lies around the
        CT; above and below, its first and last slices go on.

        :param column: any shape; *row*, *slice_*: likewise; in units of voxels.
        """
        depth, height, width = self.labels.shape
        where, share = [], []
        for position, size in ((slice_, depth), (row, height), (column, width)):
            inside = np.clip(position, 0.0, size - 1.0)
            lower = np.minimum(inside.astype(np.intp), size - 2)
            where.append(lower)
            share.append((inside - lower).astype(np.float32))
        flat = self.labels.ravel()
        first = (where[0] * height + where[1]) * width + where[2]
        corners = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
        around = [flat[first + (a * height + b) * width + c] for a, b, c in corners]
        out = around[0].copy()
        mixed = np.zeros(out.shape, dtype=bool)
        for other in around[1:]:
            mixed |= other != out
        votes = [labels[mixed] for labels in around]
        parts = [(1.0 - s[mixed], s[mixed]) for s in share]
        weights = [parts[0][a] * parts[1][b] * parts[2][c] for a, b, c in corners]
        most = np.full(votes[0].shape, -1.0, dtype=np.float32)
        chosen = votes[0].copy()
        for candidate in votes:
            support = sum(weight * (vote == candidate) for weight, vote in zip(weights, votes, strict=True))
            better = support > most
            chosen[better] = candidate[better]
            most = np.where(better, support, most)
        out[mixed] = chosen
        beside = (row < -0.5) | (row > height - 0.5) | (column < -0.5) | (column > width - 0.5)
        out[beside] = 0
        return out


@lru_cache(maxsize=1)
def ct_labels() -> LabelVolume:
    """The label volume that comes with the package (origin and licence stand beside it)."""
    import SimpleITK

    folder = files("petkinetics.simulate") / "data"
    rows = (folder / "torso_ct.tsv").read_text(encoding="utf-8").splitlines()[1:]
    names = {int(index): name for index, name in (row.split("\t") for row in rows)}
    with as_file(folder / "torso_ct.nii.gz") as path:
        image = SimpleITK.ReadImage(str(path))
    return LabelVolume(SimpleITK.GetArrayFromImage(image), float(image.GetSpacing()[0]), names)


class TorsoCT:
    """One random patient made of the CT (see :class:`petkinetics.simulate.anatomy.Anatomy`).

    From patient to patient the CT is scaled (with the body weight across, at random along the body),
    turned about the long axis by up to 10 degrees and tilted by up to 5, and bent by a smooth
    deformation that displaces organs against each other.

    :param seed: of the patient.
    :param weight_kg: scales the cross-section.
    :param aneurysm: whether the aorta below the kidneys' arteries has one.
    """

    plan: ClassVar[ScanPlan] = ScanPlan(TRUNK_VOXELS, body_part="ABDOMEN")

    def __init__(self, seed: int, weight_kg: float, aneurysm: bool = False) -> None:
        rng = stream(seed, "torso-ct")

        def around(mean: float, sd: float) -> float:
            return float(mean + sd * np.clip(rng.standard_normal(), -2.0, 2.0))

        self.low_mm: Position = (-225.0, -185.0, -140.0)
        self.high_mm: Position = (225.0, 190.0, 150.0)
        across = (weight_kg / _CT_WEIGHT_KG) ** 0.33
        self.scale = np.array([across * around(1.0, 0.025), across * around(1.0, 0.03), around(1.0, 0.035)])
        #: about the long axis, then tilts to the side and to the front
        self.angles_degrees = (around(0.0, 5.0), around(0.0, 2.5), around(0.0, 1.5))
        self.respiratory_sd_mm = float(np.clip(around(3.4, 1.2), 1.2, 6.0))
        self.deformation = Deformation.random(rng, 55.0, self.low_mm, self.high_mm, 4.0, 15.0)
        self.volume = ct_labels()
        self.names: dict[int, str] = dict(self.volume.names)
        self.blood: frozenset[int] = blood_labels(self.names)
        if aneurysm:
            self.volume = _with_aneurysm(self.volume, seed)

    def paint(self, x: Float32, y: Float32, z: Float32) -> Labels:
        """Tissue labels on a grid of three axes (mm), uint8 (len(z), len(y), len(x))."""
        from scipy.spatial.transform import Rotation

        turn = Rotation.from_euler("zyx", self.angles_degrees, degrees=True).as_matrix()
        to_voxels = (turn / self.scale[:, None] / self.volume.spacing_mm).astype(np.float32)
        centre = np.float32(self.plan.centre_mm)
        out = np.empty((len(z), len(y), len(x)), dtype=np.uint8)
        for start in range(0, len(z), _SLAB):
            level = z[start : start + _SLAB]
            px, py, pz = self.deformation.displaced(x, y, level)
            pz -= centre
            column, row, slice_ = (
                a * px + b * py + c * pz + np.float32(at)
                for (a, b, c), at in zip(to_voxels, _CENTRE_VOXEL, strict=True)
            )
            out[start : start + _SLAB] = self.volume.at(column, row, slice_)
        return out

    def motion(self, x: Float32, y: Float32, z: Float32) -> Motion:
        """Breathing moves the upper abdomen in front of the spine, less and less downwards.

        Its weight at *x*, *y*, *z* (mm) is (slices, rows, columns); the heart moves nothing.
        """
        level = 1.0 / (1.0 + np.exp(-(z - 25.0) / 28.0))[:, None, None]
        front = 1.0 / (1.0 + np.exp((y - 22.0) / 6.0))[None, :, None]
        wall = 115.0 * float(self.scale[0])
        inside = np.exp(-0.5 * (np.maximum(np.abs(x) - wall, 0.0) / 10.0) ** 2)[None, None, :]
        weight = (level * front * inside).astype(np.float32)
        return Motion(self.respiratory_sd_mm, weight, 0.0, np.zeros_like(weight))

    def input_region(self, x: Float32, y: Float32, z: Float32) -> NDArray[np.bool_]:
        """The whole aorta that the CT shows, between diaphragm and bifurcation.

        :param x: patient axes, mm; *y*, *z*: likewise.
        :returns: true everywhere, (slices, rows, columns).
        """
        return np.ones((len(z), len(y), len(x)), dtype=bool)


def _with_aneurysm(volume: LabelVolume, seed: int) -> LabelVolume:
    """The CT with a spindle around its aorta's centre line; the spine gives way to nothing."""
    by_name = {name: label for label, name in volume.names.items()}
    aorta = volume.labels == by_name["aorta"]
    step = volume.spacing_mm
    levels = np.flatnonzero(aorta.any(axis=(1, 2)))
    spindle = Aneurysm.random(seed, step * (levels[0] + 12), step * (levels[-1] - 18))
    bones = [by_name[name] for name in ("vertebrae", "intervertebral discs", "spinal cord", "inferior vena cava")]
    labels = volume.labels.copy()
    rows, columns = (step * np.arange(n) for n in labels.shape[1:])
    for k in levels:
        y, x = step * np.argwhere(aorta[k]).mean(axis=0)
        dx, dy = spindle.shift(step * k)
        radius = step * np.sqrt(np.count_nonzero(aorta[k]) / np.pi) + spindle.widening(step * k)
        if spindle.widening(step * k) > 0.5 * step:
            within = np.hypot(columns[None, :] - x - dx, rows[:, None] - y - dy) < radius
            labels[k][within & ~np.isin(labels[k], bones)] = by_name["aorta"]
    return replace(volume, labels=labels)
