"""The search for the aorta, in the background."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from DynamicPETKineticsLib.runs.background_run import BackgroundRun
from DynamicPETKineticsLib.runs.hand_over import write_series_steps
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError
from petkinetics.job import AnyJob, AortaJob

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence


class AortaRun(BackgroundRun):
    """Proposes the aorta; ``finished(mask, geometry, sentence)``.

    The mask is bool (k, j, i) on the PET's grid, the sentence says how sure the search is and to check it.
    "Not sure" and "not possible" are ``failed(message, hint)``.
    """

    what: ClassVar[str] = "aorta"
    share_before: ClassVar[float] = 0.3
    share_after: ClassVar[float] = 0.02

    def start(self, sequence: DynamicSequence, until_min: float | None = None) -> None:
        """Begin.

        :param until_min: nothing after this is used, minutes from injection.
        """
        try:
            sequence.series()
            self._job = AortaJob("pet.seq.nrrd", "aorta.nii", until_min=until_min)
        except PetKineticsError as error:
            self._refuse(error)
            return
        self._sequence, self._sentence = sequence, ""
        self._begin([sequence.node])

    def _messages(self) -> tuple[str, str]:
        return _("Handing over the series"), _("Taking the aorta")

    def _prepare(self, folder: Path) -> Generator[float, None, AnyJob]:
        series = yield from write_series_steps(self._sequence, folder)
        return AortaJob(str(series), str(folder / "aorta.nii"), until_min=self._job.until_min)

    def _warn(self, sentence: str) -> None:
        # The engine's last sentence is about what it found; it belongs to the result.
        if self._sentence:
            super()._warn(self._sentence)
        self._sentence = sentence

    def _take(self, result: Path) -> Generator[float, None, tuple[Any, ...]]:
        from petkinetics.read.regions import read_regions

        found = read_regions(str(result)).flattened() > 0
        yield 1.0
        return found, self._sequence.geometry, self._sentence
