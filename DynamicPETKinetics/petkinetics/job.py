"""What to run: a Job says it, and running it makes a complete result folder or nothing.

The panel, the command line and the tests build the same Job. It travels to the background process as JSON
(:mod:`petkinetics.job_file`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias, get_args

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Progress, no_progress

#: receives sentences for the user while a job runs
Warn = Callable[[str], None]


class Job(Protocol):
    """Work that ends in files: run it in this process, or send it to the worker."""

    kind: ClassVar[str]

    def run(self, progress: Progress = no_progress, warn: Warn | None = None) -> Path:
        """Do it.

        :param progress: called with the share done and a message; may raise Cancelled.
        :param warn: receives each warning as it arises.
        :returns: where the result is.
        :raises InputError: the data or the options cannot be used; nothing was written.
        """
        ...


@dataclass(frozen=True)
class EstimateJob:
    """Estimate parametric maps of a dynamic series.

    :param series: DICOM folder, or 4-D NIfTI with a BIDS-PET sidecar.
    :param output: result folder to make; must not exist.
    :param method: name of the estimator.
    :param roi: aorta region, ``FILE`` or ``FILE:LABEL``; or give *input_function* or *aorta*.
    :param input_function: table of a blood curve.
    :param aorta: "auto" finds the aorta in the early frames.
    :param t_star: minutes from injection, "auto", or None for the default.
    :param until_min: nothing after this is used, minutes from injection.
    :param mask: "body", "none" or a label map.
    :param rois: label map of the regions to report.
    :param plasma_ratio: plasma/whole-blood ratio; *haematocrit* estimates it.
    :param injection_time: overrides the header, as do *dose_mbq*, *weight_kg*, *half_life_s*.
    :param device: "auto", "cpu" or "cuda".
    :param report: write report.html and figures.
    :param check_scan: look for faults of the scan with plain Patlak, too, without a report; with a report, and with
        every other method, they are looked for anyway.
    :param compress: gzip the maps.
    :param hashes: record SHA-256 of input and output files.
    :param options: of method and readers, by name (``--set``).
    :raises InputError: not exactly one of *roi*, *input_function* and *aorta*, both *plasma_ratio* and *haematocrit*,
        or a value that is none of those above.
    """

    series: str
    output: str
    method: str = "patlak"
    roi: str | None = None
    input_function: str | None = None
    t_star: float | str | None = None
    until_min: float | None = None
    mask: str = "body"
    rois: str | None = None
    plasma_ratio: float | None = None
    haematocrit: float | None = None
    injection_time: str | None = None
    dose_mbq: float | None = None
    weight_kg: float | None = None
    half_life_s: float | None = None
    device: str = "auto"
    weights: str | None = None
    seed: int = 0
    samples: int = 0
    report: bool = False
    compress: bool = True
    hashes: bool = False
    options: dict[str, str] = field(default_factory=dict)
    aorta: str | None = None
    check_scan: bool = False

    kind: ClassVar[str] = "estimate"

    def __post_init__(self) -> None:
        if sum(source is not None for source in (self.roi, self.input_function, self.aorta)) != 1:
            raise InputError(
                "An estimate needs one input function: the aorta region, a table, or the automatic aorta.",
                "Give either --roi, --input-function or --aorta auto.",
            )
        if self.aorta not in (None, "auto"):
            raise InputError(f"'{self.aorta}' is not a way to find the aorta.", "Give --aorta auto, or a --roi.")
        if self.plasma_ratio is not None and self.haematocrit is not None:
            raise InputError("Give either --plasma-ratio or --hct, not both.")
        if isinstance(self.t_star, str) and self.t_star != "auto":
            raise InputError(f"'{self.t_star}' is not a t*; give minutes from injection, or auto.")
        for name, value in (("--t-star", self.t_star), ("--until", self.until_min)):
            if isinstance(value, float | int) and not 0 <= value < 1e4:
                raise InputError(f"{name} {value:g} is not a time in minutes from injection.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError(f"'{self.device}' is not a device; use auto, cpu or cuda.")
        for name, number in (("--seed", self.seed), ("--samples", self.samples)):
            if number < 0:
                raise InputError(f"{name} {number} is below zero.")

    def run(self, progress: Progress = no_progress, warn: Warn | None = None) -> Path:
        """See :class:`Job`."""
        from petkinetics.estimate import run_estimate

        return run_estimate(self, progress, warn)


@dataclass(frozen=True)
class ExportJob:
    """Export the maps of a result folder to DICOM.

    :param result: result folder of an estimate.
    :param series: DICOM folder of the series that the maps were estimated from.
    :param to: folder for the DICOM files.
    :param formats: "parametric-map", "pet-image" or "both".
    :raises InputError: *formats* is none of these.
    """

    result: str
    series: str
    to: str
    formats: str = "parametric-map"

    kind: ClassVar[str] = "export"

    def __post_init__(self) -> None:
        if self.formats not in ("parametric-map", "pet-image", "both"):
            raise InputError(
                f"'{self.formats}' is not a DICOM format that maps can be exported to.",
                "Use parametric-map, pet-image or both.",
            )

    def run(self, progress: Progress = no_progress, warn: Warn | None = None) -> Path:
        """See :class:`Job`."""
        from petkinetics.export import run_export

        return run_export(self, progress, warn)


@dataclass(frozen=True)
class AortaJob:
    """Find the aorta in the early frames of a dynamic series.

    :param series: DICOM folder, or 4-D NIfTI with a BIDS-PET sidecar.
    :param output: label map to make (``.nii.gz``); a table of the same name (``.tsv``) names its label.
    :param until_min: nothing after this is used, minutes from injection.
    :param injection_time: overrides the header, as does *half_life_s*.
    :param options: of the readers, by name (``--set``).
    :raises InputError: *until_min* is below zero or not below 10,000.
    """

    series: str
    output: str
    until_min: float | None = None
    injection_time: str | None = None
    half_life_s: float | None = None
    options: dict[str, str] = field(default_factory=dict)

    kind: ClassVar[str] = "aorta"

    def __post_init__(self) -> None:
        if self.until_min is not None and not 0 <= self.until_min < 1e4:
            raise InputError(f"--until {self.until_min:g} is not a time in minutes from injection.")

    def run(self, progress: Progress = no_progress, warn: Warn | None = None) -> Path:
        """See :class:`Job`."""
        from petkinetics.propose_aorta import run_aorta

        return run_aorta(self, progress, warn)


@dataclass(frozen=True)
class SimulateJob:
    """Make a digital patient with known truth.

    :param output: folder to make; must not exist.
    :param anatomy: "thorax", "torso-ct", "total-body" or "brain".
    :param size: "small" or "full".
    :param seed: of the person and the noise.
    :param dose: share of the usual counts.
    :param frames: "liang2023", or counts and seconds such as ``6x10,4x30,10x300``.
    :param vendor: whose DICOM header habits to follow.
    :param format: "dicom" or "nifti".
    :param noise: "gaussian", "osem" or "none".
    :param lesions: "usual", "none", "hot" or "ring".
    :raises InputError: *vendor*, *format*, *noise* or *lesions* is none of these.
    """

    output: str
    anatomy: str = "thorax"
    size: str = "small"
    seed: int = 0
    dose: float = 1.0
    frames: str = "liang2023"
    vendor: str = "ge"
    format: str = "dicom"
    noise: str = "gaussian"
    lesions: str = "usual"

    kind: ClassVar[str] = "simulate"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("vendor", self.vendor, ("ge", "siemens", "philips")),
            ("format", self.format, ("dicom", "nifti")),
            ("noise", self.noise, ("gaussian", "osem", "none")),
            ("kind of lesions", self.lesions, ("usual", "none", "hot", "ring")),
        ):
            if value not in allowed:
                raise InputError(f"'{value}' is not a {name} of simulated scans; choose {', '.join(allowed)}.")

    def run(self, progress: Progress = no_progress, warn: Warn | None = None) -> Path:  # noqa: ARG002 - nothing is assumed
        """See :class:`Job`."""
        from petkinetics.frames import FrameTiming
        from petkinetics.simulate.patient import simulate_patient
        from petkinetics.simulate.write import write_patient

        output = Path(self.output)
        if output.exists():
            raise InputError(f"'{output}' exists already.", "Choose another folder.")
        patient = simulate_patient(
            self.anatomy,
            self.size,
            self.seed,
            self.dose,
            FrameTiming.parse(self.frames),
            noise=self.noise != "none",
            noise_world="gaussian" if self.noise == "none" else self.noise,
            lesions=self.lesions,
            progress=lambda done, what: progress(0.9 * done, what),
        )
        progress(0.9, "Writing the patient")
        write_patient(patient, output, fmt=self.format, vendor=self.vendor)  # type: ignore[arg-type]
        progress(1.0, "Done")
        return output


@dataclass(frozen=True)
class ReportJob:
    """Write the report of a result that was made before.

    :param result: result folder of an estimate.
    :param output: HTML file to make.
    :param rois: label map of the regions to measure; by default the report shows the result's own ``roi.tsv``.
    :param compare: a second result folder, or one map of it, for Bland-Altman statistics in the regions.
    :param compare_from: the map to compare with that one; by default this result's of the same quantity.
    :param names: what the two maps are called, by "a" and "b"; their methods by default.
    """

    result: str
    output: str
    rois: str | None = None
    compare: str | None = None
    compare_from: str | None = None
    names: dict[str, str] = field(default_factory=dict)

    kind: ClassVar[str] = "report"

    def run(self, progress: Progress = no_progress, warn: Warn | None = None) -> Path:
        """See :class:`Job`."""
        from petkinetics.report import run_report

        return run_report(self, progress, warn)


AnyJob: TypeAlias = EstimateJob | ExportJob | AortaJob | SimulateJob | ReportJob
JOBS: dict[str, type[AnyJob]] = {job.kind: job for job in get_args(AnyJob)}
