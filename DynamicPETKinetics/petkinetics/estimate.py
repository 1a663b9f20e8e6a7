"""Running an estimate: from series and input function to a complete result folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimate_options import require_known_options, without_effect
from petkinetics.estimate_record import input_hashes, record_of
from petkinetics.estimators import make_estimator
from petkinetics.estimators.blood_and_body import not_above_body
from petkinetics.estimators.body import body_mask
from petkinetics.estimators.derived import plan_derived
from petkinetics.estimators.estimator import Problem, Progress, quantities_of, uses_whole_series
from petkinetics.estimators.frames_used import FramesUsed, frames_from, longest_linear_window, whole_series
from petkinetics.estimators.noise import body_sample
from petkinetics.estimators.patlak import Patlak
from petkinetics.input_function.checks import doubts
from petkinetics.input_function.idif import ImageDerivedInput, image_derived_input
from petkinetics.input_function.plasma import ratio_from_haematocrit, with_plasma
from petkinetics.job import EstimateJob
from petkinetics.read.overrides import Overrides
from petkinetics.read.regions import one_region, read_regions, to_grid_nearest
from petkinetics.read.series import read_series
from petkinetics.series import DynamicSeries
from petkinetics.write.input_function import write_frames, write_input_function
from petkinetics.write.result_folder import (
    NiftiSink,
    file_hashes,
    write_distrust,
    write_predicted_frames,
    write_record,
)
from petkinetics.write.staging import staged_folder

if TYPE_CHECKING:
    from petkinetics.input_function.aorta import ProposedAorta
    from petkinetics.write.result_report import RegionCurves

#: the automatic aorta in the result folder
AORTA_FILE = "aorta.nii.gz"


@dataclass
class _Warnings:
    """Collects each sentence once and passes it on."""

    tell: Callable[[str], None] | None
    said: list[str] = field(default_factory=list)

    def __call__(self, *sentences: str) -> None:
        for sentence in sentences:
            if sentence not in self.said:
                self.said.append(sentence)
                if self.tell:
                    self.tell(sentence)


def run_estimate(job: EstimateJob, progress: Progress, tell: Callable[[str], None] | None = None) -> Path:
    """Run an estimate; see :class:`petkinetics.job.EstimateJob`.

    :returns: the result folder, complete.
    :raises InputError: something cannot be used as given; no folder was made.
    :raises Cancelled: through *progress*; no folder was made.
    """
    began = time.monotonic()
    output = Path(job.output)
    warn = _Warnings(tell)
    estimator = make_estimator(job.method)
    require_known_options(job, estimator)
    warn(*without_effect(job, estimator))
    with staged_folder(output) as folder:
        progress(0.0, "Reading the series")
        series = read_series(Path(job.series), _overrides(job), job.options)
        warn(*series.warnings)
        if series.tracer.is_fdg is False:
            warn(f"The tracer is {series.tracer.name}, not FDG: the Patlak slope is not a rate of glucose uptake.")
        elif series.tracer.is_fdg is None:
            warn("The series does not name its tracer; the slope is Ki only for a tracer that tissue traps, as FDG.")
        own = quantities_of(estimator, job.samples)
        derived = plan_derived(series, own, job.options, job.until_min)
        warn(*derived.warnings)
        progress(0.02, "Taking the input function")
        found_aorta = None
        if job.aorta is not None:
            from petkinetics.input_function.aorta import CHECK_IT, find_aorta
            from petkinetics.write.aorta import write_aorta

            found_aorta = find_aorta(
                series, job.until_min, lambda done, _what: progress(0.02 + 0.03 * done, "Looking for the aorta")
            )
            warn(f"{found_aorta.summary} {CHECK_IT}")
            write_aorta(folder, AORTA_FILE, found_aorta.mask, series.geometry)
        measured, curve = _input_function(job, series, found_aorta)
        warn(*curve.warnings, *doubts(curve))
        regions = None
        if job.rois:
            # Imported here: scipy is not needed for maps alone.
            from petkinetics.estimate_regions import measure_regions, regions_within

            regions = measure_regions(job.rois, series, series.timing.until(job.until_min), warn)
        if uses_whole_series(estimator):
            if job.t_star is not None:
                warn(f"{job.method} uses all frames: --t-star has no effect.")
            used = whole_series(series.timing, job.until_min, curve)
        else:
            used = _frames_used(job, series, curve, regions)
        warn(*used.warnings)
        curve.require_cover(series.timing.select(used.indices))
        progress(0.05, "Finding the body")
        mask = _mask(job, series, used.indices)
        if regions is not None:
            regions = regions_within(regions, series.geometry, mask, warn)
        body = mask if job.mask == "body" else None
        warn(*not_above_body(series, curve, used.indices, job.until_min, body, measured is not None))
        problem = Problem(
            series, curve, used.indices, mask, job.options, job.device,
            None if job.weights is None else Path(job.weights), job.seed, job.samples,
        )  # fmt: skip
        quantities = (*own, *derived.quantities)
        with NiftiSink(folder, quantities, series.geometry, job.compress) as sink:
            found = estimator.estimate(
                problem, derived.beside(sink), lambda done, what: progress(0.08 + 0.8 * done, what)
            )
            if derived.image is not None:
                derived.image.write(series, sink, lambda done, what: progress(0.88 + 0.02 * done, what))
        found = derived.in_regions(found)
        # plain Patlak is done in a third of a second, which the check lengthens by more than half
        if job.check_scan or job.report or not isinstance(estimator, Patlak):
            from petkinetics.estimators.scan_check import check_scan
            from petkinetics.estimators.scan_faults import with_scan_faults

            faults = check_scan(estimator, problem, progress)
            found = replace(found, applicability=with_scan_faults(found.applicability, faults))
        progress(0.91, "Writing tables")
        write_input_function(folder / "input_function.tsv", curve)
        if measured is not None:
            write_frames(folder / "input_function_frames.tsv", measured.frames)
        if found.predicted is not None:
            write_predicted_frames(folder, found.predicted, series.geometry, job.compress)
        record = record_of(job, quantities, series, curve, measured, used, found, found_aorta)
        if found.applicability is not None:
            warn(*found.applicability.warnings)
            record["applicability"] = found.applicability.record
            write_distrust(folder, found.applicability.distrust, series.geometry, job.compress)
        record["derived"] = derived.record
        record["body_voxels"] = None if mask is None else int(mask.sum())
        if regions is not None or job.report:
            # Imported here: matplotlib and scipy are not needed for maps alone.
            from petkinetics.write.result_report import write_region_tables, write_result_report

            rows = [] if regions is None else write_region_tables(folder, record, regions, found, problem, warn)
            if job.report:
                progress(0.93, "Drawing the report")
                frames = measured.frames if measured else None
                write_result_report(folder, record, problem, frames, rows, regions, found, warn.said, warn)
        record["warnings"] = warn.said
        record["seconds"] = round(time.monotonic() - began, 3)
        if job.hashes:
            record["sha256"] = {"outputs": file_hashes(folder), "inputs": input_hashes(job)}
        write_record(folder, record)
        progress(1.0, "Done")
    return output


def _overrides(job: EstimateJob) -> Overrides:
    return Overrides(
        injection_time=job.injection_time,
        dose_mbq=job.dose_mbq,
        weight_kg=job.weight_kg,
        half_life_s=job.half_life_s,
    )


def _input_function(
    job: EstimateJob, series: DynamicSeries, found: ProposedAorta | None
) -> tuple[ImageDerivedInput | None, InputFunction]:
    """The input function, from nothing later than T.

    :param found: the automatic aorta, where that was asked for.
    """
    if series.timing.end_s[-1] <= 0:
        raise InputError(
            f"The last frame ends {-series.timing.end_s[-1] / 60:.1f} min before injection.",
            "Check the injection time; --injection-time replaces that of the file.",
        )
    frames = series.timing.until(job.until_min)
    if frames.size == 0:
        raise InputError(
            f"No frame ends within {job.until_min:g} min of injection.",
            f"The first ends at {series.timing.end_s[0] / 60:.1f} min; choose a later --until.",
        )
    measured = None
    if found is not None:
        measured = image_derived_input(series, found.region(series), frames.tolist())
        from petkinetics.input_function.aorta import SOURCE

        curve = replace(measured.function, source=SOURCE)
    elif job.roi is not None:
        measured = image_derived_input(series, one_region(job.roi, series.geometry), frames.tolist())
        curve = measured.function
    else:
        from petkinetics.input_function.from_file import input_function_from_file
        from petkinetics.read.curve_statements import CurveContext

        assert job.input_function is not None
        last_s = float(series.timing.end_s[frames[-1]])
        curve = input_function_from_file(
            Path(job.input_function),
            CurveContext(series.tracer.decay_per_s, series.origin.time_zero_s),
            job.options,
            until_s=last_s,
        )
    if job.plasma_ratio is not None:
        curve = with_plasma(curve, job.plasma_ratio, f"ratio {job.plasma_ratio:g}")
    elif job.haematocrit is not None:
        curve = with_plasma(curve, ratio_from_haematocrit(job.haematocrit), f"haematocrit {job.haematocrit:g}")
    return measured, curve


def _frames_used(
    job: EstimateJob, series: DynamicSeries, curve: InputFunction, regions: RegionCurves | None
) -> FramesUsed:
    if job.t_star != "auto":
        return frames_from(series.timing, None if job.t_star is None else float(job.t_star), job.until_min)
    frames = series.timing.until(job.until_min)
    if regions is not None and regions.curves:
        means = np.stack([region.mean_kbq_per_ml for region in regions.curves])
    else:
        means = _body_curves(series, frames)
    curves = np.zeros((means.shape[0], len(series.timing)))
    curves[:, frames] = means
    return longest_linear_window(series.timing, job.until_min, curve, curves, series.frame_decay_per_s)


def _body_curves(series: DynamicSeries, frames: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean curves of the body and of its tenth with the highest late activity, (2, frames)."""
    late = frames[-3:]
    mask = body_mask(series, late.tolist())
    activity = body_sample(series, late.tolist(), mask).mean(axis=0)
    hot = activity >= np.quantile(activity, 0.9)
    means = np.empty((2, frames.size))
    for i, frame in enumerate(frames):
        values = body_sample(series, [int(frame)], mask)[0]
        means[:, i] = values.mean(dtype=np.float64), values[hot].mean(dtype=np.float64)
    return means


def _mask(job: EstimateJob, series: DynamicSeries, frames: NDArray[np.intp]) -> NDArray[np.bool_] | None:
    if job.mask == "none":
        return None
    if job.mask == "body":
        return body_mask(series, frames.tolist())
    regions = read_regions(job.mask)
    return np.isin(to_grid_nearest(regions, series.geometry), regions.label_values)
