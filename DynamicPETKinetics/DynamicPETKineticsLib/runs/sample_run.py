"""The simulated patient: made on this computer in the background, kept for the next time, loaded."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, ClassVar

import petkinetics
import slicer
from DynamicPETKineticsLib.results.export_maps import SOURCE_FOLDER
from DynamicPETKineticsLib.runs.background_run import BackgroundRun, scaled
from DynamicPETKineticsLib.runs.side_thread import thread_steps
from DynamicPETKineticsLib.translation import _
from petkinetics.job import AnyJob, SimulateJob

#: of the person and the noise: one of the training seeds, so that no study's test patient gets known
SEED = 7
_PATIENT, _DICOM = "DynamicPETKinetics-simulated-patient", "dicom"


def sample_folder() -> Path:
    """Where the patient is kept: beside what Slicer's Sample Data module keeps, one for each version."""
    cache = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory())
    return cache / f"{_PATIENT}-{petkinetics.__version__}"


def sample_job(folder: Path) -> SimulateJob:
    """A small thorax as a DICOM series."""
    return SimulateJob(str(folder), seed=SEED)


class SampleRun(BackgroundRun):
    """Simulates a patient (or takes the one that is there) and loads the series; ``finished(sequence node)``.

    The DICOM files stay, as those of a real scan would, since exported maps refer to them; the series says where.
    They are kept out of Slicer's DICOM database, which is for patients.
    """

    what: ClassVar[str] = "sample"
    share_before: ClassVar[float] = 0.0
    share_after: ClassVar[float] = 0.3

    def start(self) -> None:
        """Begin."""
        self._begin([])

    def _messages(self) -> tuple[str, str]:
        return _("Simulating a patient"), _("Loading the series")

    def _prepare(self, folder: Path) -> Generator[float, None, AnyJob | Path]:  # noqa: ARG002 (nothing is handed over)
        kept = sample_folder()
        yield 0.5
        if (kept / _DICOM).is_dir():
            return kept
        kept.parent.mkdir(parents=True, exist_ok=True)
        return sample_job(kept)

    def _take(self, result: Path) -> Generator[float, None, tuple[Any, ...]]:
        from DynamicPETKineticsLib.scene.load_sequence import load_steps
        from petkinetics.read.series import read_series

        series = yield from scaled(thread_steps(lambda: read_series(result / _DICOM)), 0.0, 0.3)
        node = yield from scaled(load_steps(series, _("Simulated FDG patient")), 0.3, 0.9)
        node.SetAttribute(SOURCE_FOLDER, str(result / _DICOM))
        return (node,)
