"""The proposed aorta as files: a label map and the table that names its label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.read.file_names import file_stem
from petkinetics.series import VolumeGeometry
from petkinetics.write.nifti import write_volume
from petkinetics.write.tables import write_table

LABEL, NAME = 1, "aorta"


def aorta_files(name: str) -> list[str]:
    """The files that belong to a label map: ``aorta.nii.gz`` brings ``aorta.tsv``."""
    return [name, f"{file_stem(Path(name))}.tsv"]


def write_aorta(folder: Path, name: str, mask: NDArray[np.bool_], geometry: VolumeGeometry) -> None:
    """Write the label map (1 in the aorta) and its table, BIDS style (index, name).

    :param name: of the label map, ``.nii.gz`` or ``.nii``.
    :param mask: (slices, rows, columns).
    """
    label_map, table = aorta_files(name)
    write_volume(folder / label_map, mask.astype(np.uint8) * LABEL, geometry, description="proposed aorta petkinetics")
    rows: list[dict[str, Any]] = [{"index": LABEL, "name": NAME}]
    write_table(folder / table, rows)
