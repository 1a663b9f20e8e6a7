"""What an estimate costs: seconds, processor time a slice, evaluations of a network."""

from __future__ import annotations

import time

from petkinetics.maps import ParametricResult
from petkinetics.series import VolumeGeometry
from petkinetics.studies.known_truth import Row

#: voxels of the slice that processor time is told for
SLICE_VOXELS = 256 * 256
#: on smaller slices a run's fixed cost would be told as many times its own
_LEAST_SHARE = 0.25


class Watch:
    """Starts when it is made."""

    def __init__(self) -> None:
        self._began, self._processor = time.monotonic(), time.process_time()

    def row(self, result: ParametricResult, geometry: VolumeGeometry) -> Row:
        """Cells of ``patients.tsv``.

        ``cpu_seconds_a_slice`` is processor time, all threads together, brought to slices of 256x256 voxels, and None
        for slices of less than a quarter of that; the first run of a process loads PyTorch within it.
        ``steps`` are evaluations a draw, ``evaluations`` those of all, of methods that have them.
        """
        slices, rows, columns = geometry.shape
        share = rows * columns / SLICE_VOXELS
        processor = time.process_time() - self._processor
        done = result.record.get("regularisation")
        done = done if isinstance(done, dict) else {}
        evaluations = done.get("evaluations")
        return {
            "seconds": time.monotonic() - self._began,
            "cpu_seconds_a_slice": processor / (slices * share) if share >= _LEAST_SHARE else None,
            "steps": done.get("steps"),
            "evaluations": sum(evaluations.values()) if isinstance(evaluations, dict) else None,
        }
