"""The series from the scene to the background process: one uncompressed file that it reads in place."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from DynamicPETKineticsLib.translation import _
from petkinetics.errors import ResourceError
from petkinetics.series import DynamicSeries
from petkinetics.write.sequence_nrrd import sequence_header, slabs_in_order

#: voxels a step: 2 MB of file, a few milliseconds
_VOXELS_A_STEP = 1 << 19


def hand_over_steps(series: DynamicSeries, path: Path) -> Generator[float, None, Path]:
    """Write a series as ``.seq.nrrd`` in kBq/mL decay-corrected to injection, some slices a step.

    A series given up half-way leaves no file.

    :param path: of the file; its folder is there and private.
    :returns: the path (of the generator).
    :raises InputError: voxels cannot be read.
    :raises ResourceError: the disk is full.
    """
    total = len(series.timing) * series.geometry.shape[0] * series.geometry.shape[1] * series.geometry.shape[2]
    written = 0
    complete = False
    try:
        with path.open("wb") as file:
            file.write(sequence_header(series))
            for slab in slabs_in_order(series, _VOXELS_A_STEP):
                file.write(slab.data)
                written += slab.size // 4
                yield written / total
        complete = True
    except OSError as error:
        raise ResourceError(
            _("The series could not be written for the background process ({reason}).").format(
                reason=error.strerror or type(error).__name__
            ),
            _("Free some space in the folder for temporary files."),
        ) from error
    finally:
        if not complete:
            path.unlink(missing_ok=True)
    return path
