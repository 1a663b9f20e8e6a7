"""Regions to a file, in the format that its name asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from petkinetics.errors import InputError
from petkinetics.read.file_names import file_stem
from petkinetics.read.regions import Regions
from petkinetics.write.nifti import write_volume
from petkinetics.write.staging import staged_files
from petkinetics.write.tables import write_table


def write_regions(regions: Regions, path: Path, source: Path | None = None) -> None:
    """Write regions: ``.nii``/``.nii.gz`` with a table of names, ``.seg.nrrd`` for Slicer, ``.dcm`` as a DICOM SEG.

    A structure set is written where the name ends in ``.rtstruct.dcm``. Files appear when complete.

    :param regions: on any grid, which is kept; only the selected ones where a selection was made.
    :param source: folder of the DICOM series that the regions belong to; needed for ``.dcm``.
    :raises InputError: regions overlap and the format has no room for that, the source is missing, the
        name asks for no known format, or the file is there already.
    """
    name = path.name.lower()
    if name.endswith(".dcm"):
        if source is None:
            raise InputError(
                f"{path.name} is to be a DICOM object, which needs the series that its regions belong to.",
                "Give the DICOM folder, or write .nii.gz or .seg.nrrd.",
            )
        if name.endswith(".rtstruct.dcm"):
            from petkinetics.write.dicom_structure_set import write_structure_set

            write_structure_set(regions, source, path)
        else:
            from petkinetics.write.dicom_segmentation import write_dicom_segmentation

            write_dicom_segmentation(regions, source, path)
    elif name.endswith(".seg.nrrd"):
        from petkinetics.write.slicer_segmentation import write_slicer_segmentation

        write_slicer_segmentation(regions, path)
    elif name.endswith((".nii", ".nii.gz")):
        _write_label_map(regions, path)
    else:
        raise InputError(
            f"'{path.name}' asks for no format that regions are written in.",
            "Use .nii.gz, .seg.nrrd, .dcm (DICOM segmentation) or .rtstruct.dcm.",
        )


def _write_label_map(regions: Regions, path: Path) -> None:
    if len([layer for layer in regions.all_layers if np.isin(layer, regions.label_values).any()]) > 1:
        raise InputError(
            f"Regions of {regions.source} overlap, and a label map such as {path.name} has no room for that.",
            "Write .seg.nrrd or .dcm.",
        )
    table = file_stem(path) + ".tsv"
    with staged_files(path.absolute().parent, [path.name, table]) as folder:
        write_volume(folder / path.name, regions.flattened().astype(np.int32), regions.geometry)
        write_table(folder / table, [{"index": v, "name": regions.name(v)} for v in regions.label_values])
