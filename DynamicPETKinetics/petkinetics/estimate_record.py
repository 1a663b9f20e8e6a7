"""The record of an estimate: what was done with what, as ``result.json`` keeps it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from petkinetics import __version__
from petkinetics.curves import InputFunction
from petkinetics.estimators.estimator import Estimate
from petkinetics.estimators.frames_used import FramesUsed
from petkinetics.input_function.idif import ImageDerivedInput
from petkinetics.job import EstimateJob
from petkinetics.maps import Quantity
from petkinetics.series import DynamicSeries
from petkinetics.write.result_folder import file_hash, made_now

if TYPE_CHECKING:
    from petkinetics.input_function.aorta import ProposedAorta


def ki_label(curve: InputFunction) -> str:
    """What the slope is to be called: with an uncorrected image-derived curve it says so."""
    return "Ki (whole-blood input)" if curve.kind == "whole blood" else "Ki"


def record_of(
    job: EstimateJob,
    quantities: Sequence[Quantity],
    series: DynamicSeries,
    curve: InputFunction,
    measured: ImageDerivedInput | None,
    used: FramesUsed,
    found: Estimate,
    found_aorta: ProposedAorta | None,
) -> dict[str, Any]:
    """What ``result.json`` says of an estimate; what the estimator itself records goes over the defaults here.

    :param measured: the image-derived curve; None where it came from a file.
    :param found_aorta: where the aorta was found automatically.
    """
    peak_s, peak = curve.peak
    return {
        "job": job.kind,
        "method": job.method,
        "ki_label": ki_label(curve),
        "maps": {q.name: {"symbol": q.symbol, "meaning": q.meaning, "unit": q.unit} for q in quantities},
        "options": _options(job),
        "overrides": series.overrides | _plasma_override(job),
        "t_star_min": used.t_star_min,
        "t_star_choice": used.choice,
        "until_min": job.until_min,
        "weights_hash": None,
        "device": "cpu",
        **found.record,
        "input_function": {
            "kind": curve.kind,
            "source": curve.source,
            "nodes": int(curve.time_s.size),
            "peak_s": peak_s,
            "peak_kbq_per_ml": peak,
            "end_s": curve.end_s,
            "roi_volume_ml": measured.roi_volume_ml if measured else None,
            "confidence": found_aorta.confidence if found_aorta else None,
        },
        "series": {
            "format": series.origin.format,
            "shape": list(series.shape),
            "spacing_mm": list(series.geometry.spacing_mm),
            "manufacturer": series.origin.manufacturer,
            "tracer": series.tracer.name,
            "half_life_s": series.tracer.half_life_s,
            "injected_activity_mbq": series.injected_activity_mbq,
            "weight_kg": series.weight_kg,
            "units": series.origin.units,
            "decay_corrected_to": series.origin.decay_corrected_to,
            "frame_mean": "decay-weighted" if series.decay_weighted else "plain",
            "frame_start_s": series.timing.start_s.tolist(),
            "frame_duration_s": series.timing.duration_s.tolist(),
            "gaps_s": [list(gap) for gap in series.timing.gaps()],
        },
        "input_uids": list(series.origin.series_uids),
        "input_fingerprint": series.origin.fingerprint or None,
        "made": made_now(),
        "versions": _versions(),
    }


def _options(job: EstimateJob) -> dict[str, Any]:
    """The options by their names on the command line; files by name only, since folders may name patients."""

    def named(spec: str | None) -> str | None:
        return None if spec is None else Path(spec).name

    return {
        "roi": named(job.roi),
        "input_function": named(job.input_function),
        "aorta": job.aorta,
        "t_star": job.t_star,
        "until": job.until_min,
        "mask": job.mask if job.mask in ("body", "none") else named(job.mask),
        "rois": named(job.rois),
        "plasma_ratio": job.plasma_ratio,
        "hct": job.haematocrit,
        "device": job.device,
        "weights": named(job.weights),
        "seed": job.seed,
        "samples": job.samples,
        "compress": job.compress,
        "set": dict(job.options),
    }


def _plasma_override(job: EstimateJob) -> dict[str, object]:
    given = {"plasma_ratio": job.plasma_ratio, "hct": job.haematocrit}
    return {name: value for name, value in given.items() if value is not None}


def _versions() -> dict[str, str]:
    import SimpleITK as sitk

    return {
        "petkinetics": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "SimpleITK": sitk.Version.VersionString(),
    }


def input_hashes(job: EstimateJob) -> dict[str, str]:
    """SHA-256 of the files that were read; of a DICOM folder, one over its files in order of name."""
    import hashlib

    hashes = {}
    mask = None if job.mask in ("body", "none") else job.mask
    read = {"series": job.series, "roi": job.roi, "input_function": job.input_function, "mask": mask, "rois": job.rois}
    for name, spec in read.items():
        if spec is None:
            continue
        path = Path(spec)
        if path.is_dir():
            total = hashlib.sha256()
            for file in sorted(p for p in path.rglob("*") if p.is_file()):
                total.update(file_hash(file).encode())
            hashes[name] = total.hexdigest()
        else:
            path = path if path.is_file() else Path(spec.rpartition(":")[0])
            hashes[name] = file_hash(path)
    return hashes
