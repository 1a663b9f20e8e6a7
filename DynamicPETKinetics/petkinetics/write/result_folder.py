"""Maps and the record of an estimate, as files of the result folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.estimator import PredictedFrames
from petkinetics.maps import Quantity
from petkinetics.read.result_folder import DISTRUST, RECORD_NAME
from petkinetics.series import Float32, VolumeGeometry
from petkinetics.write.json_text import write_json
from petkinetics.write.nifti import NiftiWriter, write_volume


class NiftiSink:
    """Writes maps slab by slab as ``NAME.nii.gz`` or ``NAME.nii``; a context manager.

    :param folder: where the maps go.
    :param quantities: the maps that will come.
    :param compress: gzip them.
    """

    def __init__(
        self, folder: Path, quantities: Sequence[Quantity], geometry: VolumeGeometry, compress: bool = True
    ) -> None:
        ending = ".nii.gz" if compress else ".nii"
        self.paths = {q.name: folder / (q.name + ending) for q in quantities}
        self._writers = {
            q.name: NiftiWriter(self.paths[q.name], geometry, description=f"{q.symbol} [{q.ucum}] petkinetics")
            for q in quantities
        }

    def write(self, name: str, slab: Float32) -> None:
        """Append slices of a map, (slices, rows, columns), in its unit."""
        self._writers[name].write(slab)

    def __enter__(self) -> NiftiSink:
        return self

    def __exit__(self, *exception: object) -> None:
        for writer in self._writers.values():
            writer.close()


def write_predicted_frames(folder: Path, frames: PredictedFrames, geometry: VolumeGeometry, compress: bool) -> None:
    """Write ``predicted_frames.nii.gz`` (or ``.nii``), and its frame times and unit beside it, BIDS style."""
    path = folder / ("predicted_frames.nii" + ".gz" * compress)
    write_volume(path, frames.values, geometry, description=f"predicted frames [{frames.unit}] petkinetics")
    sidecar = {
        "Units": frames.unit,
        "TimeZero": "injection",
        "FrameTimesStart": frames.timing.start_s.tolist(),
        "FrameDuration": frames.timing.duration_s.tolist(),
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
    }
    write_json(folder / "predicted_frames.json", sidecar)


def write_distrust(folder: Path, where: NDArray[np.bool_] | None, geometry: VolumeGeometry, compress: bool) -> None:
    """Write ``distrust.nii.gz`` (or ``.nii``), 1 where not to trust the maps; nothing where all may be trusted.

    :param where: (slices, rows, columns); None for nowhere.
    """
    if where is not None and where.any():
        path = folder / (f"{DISTRUST}.nii" + ".gz" * compress)
        write_volume(path, where.astype(np.float32), geometry, description="where not to trust the maps; petkinetics")


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``result.json``; what is not a number is ``null`` in it."""
    write_json(folder / RECORD_NAME, record)


def made_now() -> str:
    """When a result is made, for its record: UTC to the second, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, by name."""
    return {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.is_file()}


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    # Imported here: OpenSSL's library takes some milliseconds that a run without --hash need not spend.
    import hashlib

    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
