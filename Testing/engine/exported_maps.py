"""Maps on grids of all kinds, and the series they are said to come from: shared by the tests of DICOM export."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from petkinetics import __version__
from petkinetics.frames import FrameTiming
from petkinetics.maps import KI, ParametricMap, Quantity
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry
from petkinetics.simulate.dicom_series import write_dicom_series

DATA = Path(__file__).parents[1] / "data"
TIMING = FrameTiming.parse("2x60,2x120,2x300")
PROVENANCE = {
    "method": "patlak",
    "version": __version__,
    "input_function_kind": "whole blood",
    "frames_used": [3, 4, 5],
    "t_star_min": 4.0,
    "until_min": 16.0,
}


def rotation(x_deg: float, y_deg: float, z_deg: float) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, degrees in enumerate((x_deg, y_deg, z_deg)):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        matrix = turn @ matrix
    return matrix


HEAD_FIRST = np.eye(3)
MIRRORED = np.diag([1.0, 1.0, -1.0])
OBLIQUE = rotation(12.0, -25.0, 40.0)
#: (slices, rows, columns), spacing (x, y, z), direction
GRIDS = {
    "axial": VolumeGeometry((5, 6, 7), (2.0, 2.0, 3.27), (-11.0, -22.0, 33.0), HEAD_FIRST),
    "reversed slices": VolumeGeometry((5, 6, 7), (2.0, 2.0, 3.27), (-11.0, -22.0, 33.0), MIRRORED),
    "oblique": VolumeGeometry((4, 6, 5), (1.95, 1.95, 2.79), (-100.1, 45.67, -512.34), OBLIQUE),
    "oblique, reversed, anisotropic": VolumeGeometry((4, 9, 5), (1.7, 2.3, 4.1), (9.9, -8.8, 7.7), OBLIQUE @ MIRRORED),
    "coronal": VolumeGeometry((3, 4, 8), (2.5, 1.5, 6.0), (0.0, 0.0, 0.0), rotation(90.0, 0.0, 0.0)),
    "one slice": VolumeGeometry((1, 4, 6), (2.0, 3.0, 5.0), (1.0, 2.0, 3.0), HEAD_FIRST),
}


def write_source(directory: Path, grid: VolumeGeometry, timing: FrameTiming = TIMING, **options: object) -> Path:
    """A simulated dynamic series on a grid."""
    values = np.random.default_rng(5).uniform(0.0, 40.0, (len(timing), *grid.shape)).astype(np.float32)
    series = DynamicSeries(
        timing, grid, Tracer("FDG", "F-18", 6586.2), ArrayVoxels(values), injected_activity_mbq=300.0, weight_kg=70.0
    )
    write_dicom_series(directory, series, **options)  # type: ignore[arg-type]
    return directory


def make_map(grid: VolumeGeometry, quantity: Quantity = KI, **changes: object) -> ParametricMap:
    """Noise, with the values that careless writers lose: negative, tiny, huge, minus zero, plateaus of zero."""
    rng = np.random.default_rng(sum(map(ord, quantity.name)))
    values = rng.normal(0.02, 0.03, grid.shape).astype(np.float32)
    special = np.array([-0.0, 0.0, 1e-45, -1.5e-39, 3.1e38, 1.0 / 3.0, -7.25e-3], dtype=np.float32)
    values.ravel()[: special.size] = special
    values[:, -1] = 0.0
    return ParametricMap(values, quantity, grid, {**PROVENANCE, **changes})


def header(path: Path) -> Dataset:
    return pydicom.dcmread(path, stop_before_pixels=True)


def source_headers(directory: Path) -> list[Dataset]:
    return [header(path) for path in sorted(directory.rglob("*.dcm"))]


def run(tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command-line tool that is installed beside this Python."""
    path = shutil.which(tool, path=str(Path(sys.executable).parent))
    assert path, f"{tool} is not installed beside {sys.executable} (see the development dependencies)"
    return subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=False)


def neighbouring_slices(folder: Path) -> tuple[list[Path], list[Dataset]]:
    """The longest stack of slices without a hole."""
    headers = sorted(source_headers(folder), key=lambda h: float(h.ImagePositionPatient[2]))
    z = np.array([float(h.ImagePositionPatient[2]) for h in headers])
    runs = np.split(np.arange(z.size), np.flatnonzero(np.diff(z) > 1.5 * np.diff(z).min()) + 1)
    stack = [headers[k] for k in max(runs, key=len)]
    return [Path(h.filename) for h in stack], stack


def grid_of(headers: Sequence[Dataset]) -> VolumeGeometry:
    """Mean spacing between the end slices, as the reader of the project has it."""
    first, last = headers[0], headers[-1]
    depth = float(last.ImagePositionPatient[2]) - float(first.ImagePositionPatient[2])
    between_rows, between_columns = map(float, first.PixelSpacing)
    return VolumeGeometry(
        (len(headers), first.Rows, first.Columns),
        (between_columns, between_rows, depth / (len(headers) - 1)),
        tuple(map(float, first.ImagePositionPatient)),
    )
