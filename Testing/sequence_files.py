"""A series as the file that the Slicer module hands to its background process, written at once."""

from __future__ import annotations

from pathlib import Path

from petkinetics.series import DynamicSeries
from petkinetics.write.sequence_nrrd import sequence_header, slabs_in_order


def write_sequence(series: DynamicSeries, path: Path) -> None:
    """Write kBq/mL, decay-corrected to injection, as ``.seq.nrrd``."""
    with path.open("xb") as file:
        file.write(sequence_header(series))
        for slab in slabs_in_order(series):
            file.write(slab.data)
