"""The regions that an estimate reports: measured before it begins, so that what is wrong is said early.

Maps are worth having without regions. A file that holds none, such as that of a patient without lesions, and regions
that lie elsewhere are therefore warnings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.region_statistics import voxels_within
from petkinetics.evaluate.tac import region_curves
from petkinetics.read.regions import NoRegions, read_regions
from petkinetics.series import DynamicSeries, VolumeGeometry
from petkinetics.write.result_report import RegionCurves

Warn = Callable[[str], None]


def measure_regions(spec: str, series: DynamicSeries, frames: NDArray[np.intp], warn: Warn) -> RegionCurves:
    """Read regions and their curves; those outside the PET are left out.

    :param spec: ``FILE`` or ``FILE:LABEL``, as of ``--rois``.
    :param frames: indices of the frames to read, (frames,); no other is touched.
    :param warn: receives a sentence for each region that is left out, and where none is there.
    :raises InputError: the file cannot be read, or a voxel within a region is not a number.
    """
    try:
        regions = read_regions(spec)
        curves = region_curves(series, regions, warn=warn, frames=frames.tolist())
    except NoRegions as error:
        warn(f"{error} No region is reported.")
        return RegionCurves(None, frames, ())
    return RegionCurves(regions, frames, curves)


def regions_within(
    measured: RegionCurves, geometry: VolumeGeometry, mask: NDArray[np.bool_] | None, warn: Warn
) -> RegionCurves:
    """Say now what the region table will leave out.

    :param geometry: of the maps.
    :param mask: where they will hold values, (slices, rows, columns); None for everywhere.
    :returns: without regions where none lies within the maps; their curves stay.
    """
    if measured.regions is None or voxels_within(measured.regions, geometry, mask, warn):
        return measured
    warn(f"No region of {measured.regions.source} lies within the maps, so none is reported.")
    return replace(measured, regions=None)
