"""What a person chooses for an estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from DynamicPETKineticsLib.regions.segment_regions import names
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.estimators import METHODS
from petkinetics.job import EstimateJob


@dataclass(frozen=True)
class SegmentInput:
    """The blood curve is the mean of a segment.

    :param segmentation: vtkMRMLSegmentationNode.
    :param segment_id: of the blood region.
    """

    segmentation: Any
    segment_id: str

    def require(self) -> None:
        """:raises InputError: the segment is not there."""
        if self.segmentation is None or self.segment_id not in names(self.segmentation):
            raise InputError(_("There is no segment for the blood curve."), _("Find or draw the aorta in step 2."))


@dataclass(frozen=True)
class CurveInput:
    """The blood curve is in a file.

    :param path: of the table.
    """

    path: Path

    def require(self) -> None:
        """:raises InputError: the file is not there."""
        if not self.path.is_file():
            raise InputError(
                _("There is no file '{name}' with a blood curve.").format(name=self.path.name),
                _("Choose the file in step 2."),
            )


@dataclass(frozen=True)
class EstimateChoices:
    """An estimate's choices; None leaves a choice to the engine. Refuses what no series can satisfy.

    :param input: where the blood curve comes from.
    :param method: name of the estimator.
    :param t_star: minutes from injection, or "auto".
    :param until_min: nothing after this is used.
    :param mask: "body" or "none".
    :param device: "auto", "cpu" or "cuda".
    :param plasma_ratio: plasma/whole-blood ratio; or *haematocrit*, which estimates it.
    :param rois: segmentation node whose regions the engine reports as well.
    :param options: of the method, by name.
    """

    input: SegmentInput | CurveInput
    method: str = "patlak"
    t_star: float | str | None = None
    until_min: float | None = None
    mask: str = "body"
    device: str = "auto"
    plasma_ratio: float | None = None
    haematocrit: float | None = None
    rois: Any = None
    options: Mapping[str, str] = field(default_factory=dict)

    def require(self) -> None:
        """Check all that can be checked before anything is handed over.

        :raises InputError: a choice cannot be used.
        """
        if self.method not in METHODS:
            raise InputError(_("There is no method '{name}'.").format(name=self.method), _("Choose one in step 3."))
        self.input.require()
        self.job(Path("pet.seq.nrrd"), Path("result"), input_function="blood.tsv")

    def job(
        self,
        series: Path,
        output: Path,
        *,
        roi: str | None = None,
        input_function: str | None = None,
        rois: str | None = None,
    ) -> EstimateJob:
        """The engine's job for these choices.

        :raises InputError: a choice is out of its range.
        """
        return EstimateJob(
            series=str(series),
            output=str(output),
            method=self.method,
            roi=roi,
            input_function=input_function,
            t_star=self.t_star,
            until_min=self.until_min,
            mask=self.mask,
            rois=rois,
            plasma_ratio=self.plasma_ratio,
            haematocrit=self.haematocrit,
            device=self.device,
            report=False,
            check_scan=True,
            compress=False,
            options=dict(self.options),
        )
