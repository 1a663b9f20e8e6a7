"""The blood curve of an aorta segment, measured after every stroke of the brush."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from DynamicPETKineticsLib.regions.segment_regions import regions_of
from DynamicPETKineticsLib.regions.verdict import Verdict, judge, refuse
from DynamicPETKineticsLib.translation import _
from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.input_function.idif import blood_region_curve, input_of_region
from petkinetics.input_function.plasma import ratio_from_haematocrit, with_plasma
from petkinetics.read.regions import Regions, fractional_coverage

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence


#: no vessel holds as much
_MOST_ML = 1000.0


@dataclass(frozen=True, eq=False)
class BloodMeasurement:
    """A blood curve and what to think of it.

    :param verdict: in plain words.
    :param frames: the region's mean and SD a frame; None for a curve from a file, or where nothing was measured.
    :param function: the continuous curve (kBq/mL); None where there is no input function.
    :param volume_ml: of the region.
    """

    verdict: Verdict
    frames: TimeActivityCurve | None = None
    function: InputFunction | None = None
    volume_ml: float | None = None

    @property
    def peak_kbq_per_ml(self) -> float | None:
        """Whole blood at its peak."""
        return None if self.function is None else self.function.peak[1]


class BloodCurve:
    """Measures one segment in all frames; only the rows in which it lies are read.

    ``BloodCurve(sequence, segmentation, "Aorta").measure().verdict.sentence``
    """

    def __init__(self, sequence: DynamicSequence, segmentation: Any, segment_id: str) -> None:
        self._sequence, self._segmentation, self._segment_id = sequence, segmentation, segment_id

    def measure(self, plasma_ratio: float | None = None, haematocrit: float | None = None) -> BloodMeasurement:
        """Measure now; whatever is wrong with the drawing becomes the verdict.

        :param plasma_ratio: plasma/whole-blood ratio; or give *haematocrit*, from which it follows.
        """
        frames: TimeActivityCurve | None = None
        volume_ml: float | None = None
        try:
            series = self._sequence.series()
            regions = regions_of(self._segmentation, series.geometry, self._sequence.proxy, [self._segment_id])
            _require_vessel(regions)
            region = fractional_coverage(regions, series.geometry, 1)
            volume_ml = region.volume_ml
            frames = blood_region_curve(series, region)
            function = _plasma(input_of_region(frames, volume_ml).function, plasma_ratio, haematocrit)
        except InputError as error:
            return BloodMeasurement(refuse(error.message), frames, None, volume_ml)
        return BloodMeasurement(judge(function, frames, volume_ml), frames, function, volume_ml)


def blood_from_file(
    path: Path, sequence: DynamicSequence, plasma_ratio: float | None = None, haematocrit: float | None = None
) -> BloodMeasurement:
    """The blood curve in a table of any format that the engine reads; what is wrong becomes the verdict."""
    from petkinetics.input_function.from_file import input_function_from_file
    from petkinetics.read.curve_statements import CurveContext

    try:
        series = sequence.series()
        end_s = float(series.timing.end_s[-1])
        context = CurveContext(series.tracer.decay_per_s, series.origin.time_zero_s)
        function = _plasma(input_function_from_file(path, context, until_s=end_s), plasma_ratio, haematocrit)
    except InputError as error:
        return BloodMeasurement(refuse(error.message))
    except (OSError, UnicodeDecodeError) as error:
        reason = _("{file} cannot be read as a table ({error}).").format(file=path.name, error=error)
        return BloodMeasurement(refuse(reason))
    return BloodMeasurement(judge(function, scan_end_s=end_s), function=function)


def save_curve(measurement: BloodMeasurement, path: Path) -> Path:
    """Write the curve's nodes (s, kBq/mL) as TSV, and a sidecar of the same name that says what they are.

    :returns: the table; ``.tsv`` is added where another ending was given.
    :raises InputError: there is no curve, or the files cannot be written.
    """
    from petkinetics.write.input_function import write_input_function

    if measurement.function is None:
        raise InputError(_("There is no blood curve to save."), _("Find or draw the aorta first."))
    path = path if path.suffix.lower() == ".tsv" else path.with_name(path.name + ".tsv")
    try:
        write_input_function(path, measurement.function)
    except OSError as error:
        raise InputError(
            _("{file} cannot be written ({error}).").format(file=path.name, error=error.strerror or error),
            _("Choose another folder."),
        ) from error
    return path


def _require_vessel(regions: Regions) -> None:
    """Refuse what is far too large for a vessel, such as a threshold gone wide, before it takes seconds to measure."""
    volume_ml = np.count_nonzero(regions.labels) * regions.geometry.voxel_volume_ml
    if volume_ml > _MOST_ML:
        raise InputError(_("The region has {volume:.0f} mL, far more than the aorta holds.").format(volume=volume_ml))


def _plasma(function: InputFunction, ratio: float | None, haematocrit: float | None) -> InputFunction:
    if ratio is not None:
        return with_plasma(function, ratio, f"ratio {ratio:g}")
    if haematocrit is not None:
        return with_plasma(function, ratio_from_haematocrit(haematocrit), f"haematocrit {haematocrit:g}")
    return function
