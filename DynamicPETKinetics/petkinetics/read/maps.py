"""Parametric maps from image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from petkinetics.errors import InputError
from petkinetics.maps import QUANTITIES, ParametricMap, Quantity
from petkinetics.read.file_names import file_stem
from petkinetics.read.nifti import NiftiHeader, NiftiVoxels
from petkinetics.read.regions import image_geometry
from petkinetics.series import Float32, VolumeGeometry


def read_map(path: Path) -> ParametricMap:
    """A parametric map from NIfTI (or another volume format that SimpleITK reads).

    What it shows follows from its file name: ``ki.nii.gz`` and ``ki_smoothed.nii`` are Ki,
    ``v0_sd.nii.gz`` is the SD of V0; any other name is kept as it is, with an unknown unit.

    :raises InputError: the file is missing, unreadable or not one 3-D volume.
    """
    if not path.is_file():
        raise InputError(f"There is no map {path.name}.")
    values, geometry = _read_nifti(path) if path.name.endswith((".nii", ".nii.gz")) else _read_other(path)
    return ParametricMap(values, quantity_of(file_stem(path)), geometry, {"file": path.name})


def _read_nifti(path: Path) -> tuple[Float32, VolumeGeometry]:
    # SimpleITK turns NaN in a NIfTI file into 0 without a word, so the voxels are read directly.
    header = NiftiHeader.read(path)
    if header.frames != 1:
        raise InputError(f"{path.name} is not one map: it holds {header.frames} volumes.")
    voxels = NiftiVoxels(path, header, np.ones(1))
    return voxels.read([0], 0, header.geometry.shape[0])[0], header.geometry


def _read_other(path: Path) -> tuple[Float32, VolumeGeometry]:
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path), sitk.sitkFloat32)
    except RuntimeError as error:
        raise InputError(f"{path.name} could not be read as an image.", "A map is a NIfTI file (.nii.gz).") from error
    if image.GetDimension() != 3:
        raise InputError(f"{path.name} is not one map: it has {image.GetDimension()} dimensions.")
    return sitk.GetArrayFromImage(image), image_geometry(image)


def quantity_of(stem: str) -> Quantity:
    """The quantity that a file name stands for."""
    known = [name for name in QUANTITIES if stem.lower() == name or stem.lower().startswith(name + "_")]
    if known:
        return QUANTITIES[max(known, key=len)]
    return Quantity(stem, stem, stem, "", "1")
