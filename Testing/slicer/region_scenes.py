"""Volumes, segments and transforms at known places, for the tests of regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import slicer
from DynamicPETKineticsLib.regions.node_geometry import ijk_to_ras, oriented_image
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.load_sequence import add_sequence, show_in_browser
from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.read.regions import Regions
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry

Float64 = NDArray[np.float64]
FLIP = np.array([-1.0, -1.0, 1.0])


def rotation(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> Float64:
    """Rotations about x, then y, then z, 3x3."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad([x_deg, y_deg, z_deg])):
        a, b = [i for i in range(3) if i != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def grid(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], turn: Float64 | None = None
) -> VolumeGeometry:
    """A grid around the origin of the patient."""
    direction = np.eye(3) if turn is None else turn
    centre = (np.array(shape[::-1]) - 1) / 2 * np.array(spacing)
    return VolumeGeometry(shape, spacing, (-direction @ centre).tolist(), direction)


def volume(geometry: VolumeGeometry, values: Any = 0.0, name: str = "PET") -> Any:
    """A volume node on a grid."""
    voxels = np.array(np.broadcast_to(np.asarray(values, np.float32), geometry.shape))
    return slicer.util.addVolumeFromArray(voxels, ijk_to_ras(geometry), name)


def points(geometry: VolumeGeometry) -> Float64:
    """RAS of the voxel centres, (slices, rows, columns, 3)."""
    k, j, i = np.indices(geometry.shape, dtype=np.float64)
    ijk = np.stack([i, j, k, np.ones_like(i)], axis=-1)
    return (ijk @ ijk_to_ras(geometry).T)[..., :3]


def ball(geometry: VolumeGeometry, centre: Any, radius: float) -> NDArray[np.bool_]:
    """Voxels of a grid within a ball (RAS, mm)."""
    return np.sum((points(geometry) - np.asarray(centre)) ** 2, axis=-1) <= radius**2


def segmentation(name: str = "Regions") -> Any:
    """An empty segmentation node."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    return node


def add_segment(node: Any, mask: NDArray[np.bool_], geometry: VolumeGeometry, name: str = "lesion") -> str:
    """A segment with a labelmap of its own."""
    image = oriented_image(mask.astype(np.uint8), ijk_to_ras(geometry))
    return str(node.AddSegmentFromBinaryLabelmapRepresentation(image, name))


def linear_transform(matrix: Float64) -> Any:
    """A transform node; what hangs under it is moved by the matrix (RAS)."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


def affine(linear: Float64 | None = None, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Float64:
    """A 4x4 matrix."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) if linear is None else linear
    matrix[:3, 3] = shift
    return matrix


#: ten-second frames at the start, five-minute frames at the end, as in FDG studies
TIMING = FrameTiming.parse("6x10,4x30,4x60,4x120,10x300")


def blood_and_tissue(timing: FrameTiming = TIMING) -> tuple[Float64, Float64]:
    """Frame means of a plausible arterial curve and of a tissue that traps FDG (Ki 0.02, V0 0.4), kBq/mL."""
    curve = arterial_curve(float(timing.end_s[-1]))
    blood = curve.plasma_frame_mean(timing)
    return blood, 0.02 * curve.plasma_integral_frame_mean(timing) + 0.4 * blood


def arterial_curve(end_s: float) -> InputFunction:
    """A bolus that arrives 12 s after injection and peaks half a minute later."""
    time = np.unique(np.concatenate([np.arange(0.0, 180.0, 2.0), np.arange(180.0, end_s, 20.0), [end_s]]))
    t = np.maximum(time - 12.0, 0.0) / 60.0
    value = 140.0 * t * np.exp(-t / 0.35) + 9.0 * (1 - np.exp(-t / 0.3)) * np.exp(-t / 90.0)
    return InputFunction(time, value, value, "whole blood")


def series(
    geometry: VolumeGeometry,
    curves: Sequence[tuple[Any, Float64]],
    timing: FrameTiming = TIMING,
    noise: float = 0.0,
) -> DynamicSeries:
    """FDG in memory: each curve where its mask is, later ones over earlier ones.

    :param noise: SD of every voxel, kBq/mL.
    """
    values = np.zeros((len(timing), *geometry.shape), np.float32)
    for mask, curve in curves:
        values[:, mask] = curve[:, None]
    if noise:
        values += np.random.default_rng(1).normal(0.0, noise, values.shape).astype(np.float32)
    return DynamicSeries(timing, geometry, Tracer("FDG", "F-18", 6586.2), ArrayVoxels(values), 300.0, 70.0)


def dynamic_sequence(given: DynamicSeries, name: str = "FDG dynamic", browsed: bool = True) -> DynamicSequence:
    """A series in the scene."""
    node = add_sequence(given, name)
    if browsed:
        show_in_browser(node)
    return DynamicSequence(node)


#: a small patient: tissue that traps FDG everywhere, a vessel, and a hot ball
SMALL = grid((16, 40, 40), (3.0, 3.0, 3.0), rotation(0, 5, 10))
VESSEL_AT, HOT_AT = (12.0, -15.0, 3.0), (-18.0, 14.0, -4.0)


def small_patient(noise: float = 0.3) -> DynamicSeries:
    """FDG in the small patient: Ki 0.02 in tissue, twice that in the hot ball."""
    blood, tissue = blood_and_tissue()
    vessel, hot = ball(SMALL, VESSEL_AT, 12.0), ball(SMALL, HOT_AT, 11.0)
    body = np.ones(SMALL.shape, bool)
    return series(SMALL, [(body, tissue), (hot, 2.0 * tissue - 0.4 * blood), (vessel, blood)], noise=noise)


def estimated(folder: Path, method: str, rois: Regions | None = None, **more: Any) -> Path:
    """A result folder of the small patient, by the engine.

    :param rois: regions to report.
    """
    from petkinetics.job import EstimateJob
    from petkinetics.write.regions import write_regions
    from sequence_files import write_sequence

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "pet.seg.nrrd").exists():
        write_sequence(small_patient(), folder / "pet.seg.nrrd")
        vessel = ball(SMALL, VESSEL_AT, 9.0).astype(np.uint8)
        write_regions(Regions(vessel, {1: "Aorta"}, SMALL), folder / "aorta.seg.nrrd")
    if rois is not None and not (folder / "rois.seg.nrrd").exists():
        write_regions(rois, folder / "rois.seg.nrrd")
    job = EstimateJob(
        str(folder / "pet.seg.nrrd"),
        str(folder / method),
        method,
        roi=str(folder / "aorta.seg.nrrd"),
        rois=str(folder / "rois.seg.nrrd") if rois is not None else None,
        compress=False,
        **more,
    )
    return job.run()
