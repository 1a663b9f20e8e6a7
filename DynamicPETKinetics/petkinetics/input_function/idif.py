"""The image-derived input function: an aorta region's curve made continuous.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.input_function.checks import require_bolus
from petkinetics.input_function.from_frames import continuous_curve
from petkinetics.read.region_curves import region_mean_curve
from petkinetics.read.regions import RegionWeights
from petkinetics.series import DynamicSeries


@dataclass(frozen=True)
class ImageDerivedInput:
    """A region's curve and the input function made from it.

    :param frames: the region's mean and SD a frame, as measured.
    :param function: the continuous curve that keeps these means.
    :param roi_volume_ml: the region's volume.
    """

    frames: TimeActivityCurve
    function: InputFunction
    roi_volume_ml: float


def image_derived_input(
    series: DynamicSeries, region: RegionWeights, frames: Sequence[int] | None = None
) -> ImageDerivedInput:
    """Input function from the mean of a blood region in every frame.

    :param region: share of each voxel that the region covers, on the series' grid.
    :param frames: indices of the frames that may be used (those until T); all by default.
    :raises InputError: the region holds voxels that are not numbers, or the bolus was not scanned.
    """
    curve = blood_region_curve(series, region, frames)
    return input_of_region(curve, region.volume_ml)


def blood_region_curve(
    series: DynamicSeries, region: RegionWeights, frames: Sequence[int] | None = None
) -> TimeActivityCurve:
    """Mean and SD of a region in every frame, as :func:`image_derived_input` measures them.

    :raises InputError: the region holds voxels that are not numbers.
    """
    indices = list(range(len(series.timing))) if frames is None else list(frames)
    mean, sd = region_mean_curve(series, region, indices)
    return TimeActivityCurve(
        series.timing.select(indices), mean, sd, decay_per_s=series.frame_decay_per_s, name=region.name
    )


def input_of_region(curve: TimeActivityCurve, volume_ml: float) -> ImageDerivedInput:
    """Input function from a blood region's frame means.

    :param volume_ml: of the region.
    :raises InputError: the bolus was not scanned.
    """
    warnings = require_bolus(curve)
    time, value, notes = continuous_curve(curve)
    function = InputFunction(
        time_s=time,
        plasma_kbq_per_ml=value,
        whole_blood_kbq_per_ml=value,
        kind="whole blood",
        source=f"image-derived, region '{curve.name}' ({volume_ml:.1f} mL)",
        warnings=tuple(warnings + notes),
    )
    return ImageDerivedInput(curve, function, volume_ml)
