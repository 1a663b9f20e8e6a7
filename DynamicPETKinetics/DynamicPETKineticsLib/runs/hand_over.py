"""What goes from the scene to the background process: the series, and regions."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from DynamicPETKineticsLib.regions.segment_regions import regions_of
from DynamicPETKineticsLib.scene.hand_over import hand_over_steps
from petkinetics.read.regions import Regions
from petkinetics.write.regions import write_regions

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence

SERIES_FILE = "pet.seq.nrrd"


def write_series_steps(sequence: DynamicSequence, folder: Path) -> Generator[float, None, Path]:
    """The series as a file that the engine reads in place.

    :returns: its path (of the generator).
    """
    series = yield from hand_over_steps(sequence.series(), folder / SERIES_FILE)
    return series


def write_regions_steps(
    sequence: DynamicSequence,
    segmentation: Any,
    path: Path,
    segment_ids: Sequence[str] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Generator[float, None, Path]:
    """Segments as a label map; labels count from 1 in the order of *segment_ids*.

    :param path: ``.nii``; where regions overlap, a ``.seg.nrrd`` of the same name is written.
    :returns: the path written (of the generator).
    :raises InputError: see :func:`~DynamicPETKineticsLib.regions.segment_regions.regions_of`.
    """
    regions = regions_of(segmentation, sequence.geometry, sequence.proxy, segment_ids, warn)
    yield 0.5
    if _overlap(regions):
        path = path.with_suffix(".seg.nrrd")
    write_regions(regions, path)
    yield 1.0
    return path


def _overlap(regions: Regions) -> bool:
    """Whether a label map has no room for them: :func:`write_regions` would refuse."""
    return sum(bool(np.isin(layer, regions.label_values).any()) for layer in regions.all_layers) > 1
