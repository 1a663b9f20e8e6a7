"""An estimate: series and blood region out of the scene, maps into it."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from DynamicPETKineticsLib.runs.background_run import BackgroundRun, scaled
from DynamicPETKineticsLib.runs.estimate_choices import CurveInput, EstimateChoices, SegmentInput
from DynamicPETKineticsLib.runs.hand_over import write_regions_steps, write_series_steps
from DynamicPETKineticsLib.runs.methods import method_named
from DynamicPETKineticsLib.runs.result_names import result_name
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError
from petkinetics.job import AnyJob

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence


class EstimateRun(BackgroundRun):
    """Estimates maps of a series; ``finished(ResultNodes)``.

    >>> run = EstimateRun(services)                                    # doctest: +SKIP
    >>> run.finished.connect(show)                                     # doctest: +SKIP
    >>> choices = EstimateChoices(SegmentInput(segmentation, "Aorta"))  # doctest: +SKIP
    >>> run.start(sequence, choices)                                   # doctest: +SKIP
    """

    what: ClassVar[str] = "estimate"

    def start(self, sequence: DynamicSequence, choices: EstimateChoices) -> None:
        """Begin. What is wrong with the choices is told by ``failed``, before anything has begun."""
        try:
            choices.require()
            sequence.series()
        except PetKineticsError as error:
            self._refuse(error)
            return
        self._sequence, self._choices, self._clicked = sequence, choices, datetime.now()
        self._begin([sequence.node])

    def _messages(self) -> tuple[str, str]:
        return _("Handing over the series"), _("Loading the maps")

    def _prepare(self, folder: Path) -> Generator[float, None, AnyJob]:
        choices, blood = self._choices, self._choices.input
        sources: dict[str, Any] = {}
        if isinstance(blood, SegmentInput):
            path = folder / "input.nii"
            yield from scaled(
                write_regions_steps(self._sequence, blood.segmentation, path, [blood.segment_id]), 0.0, 0.05
            )
            sources["roi"] = f"{path}:1"
        elif isinstance(blood, CurveInput):
            sources["input_function"] = str(blood.path)
        if choices.rois is not None:
            written = yield from scaled(
                write_regions_steps(self._sequence, choices.rois, folder / "regions.nii", warn=self._warn), 0.05, 0.1
            )
            sources["rois"] = str(written)
        series = yield from scaled(write_series_steps(self._sequence, folder), 0.1, 1.0)
        return choices.job(series, folder / "result", **sources)

    def _take(self, result: Path) -> Generator[float, None, tuple[Any, ...]]:
        from DynamicPETKineticsLib.results.load_result import load_result_steps
        from DynamicPETKineticsLib.results.result_nodes import all_results

        taken = [other.name for other in all_results()]
        name = result_name(method_named(self._choices.method).title, self._clicked, taken)
        nodes = yield from load_result_steps(result, self._sequence, name)
        return (nodes,)
