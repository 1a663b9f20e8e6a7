"""One map of the scene as a DICOM file, where Slicer's own *Export to DICOM* asks for it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import slicer
from DynamicPETKineticsLib.results.export_maps import files_in_database
from DynamicPETKineticsLib.results.result_nodes import result_of
from DynamicPETKineticsLib.scene.map_attribute import MAP
from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.maps import QUANTITIES, ParametricMap


def export_one_map(node: Any, folder: Path, series_number: int) -> None:
    """Write a map into a folder; a file of the same name that is there already stays.

    :param node: volume node of a map.
    :raises InputError: the record of its result is gone, or its series is not, or not wholly, in the DICOM database.
    :raises ImportError: the packages for DICOM are not there.
    """
    from petkinetics.write.dicom_export import export_maps

    result = result_of(node)
    if result is None:
        raise InputError(
            _("'{name}' has lost the record of how it was computed.").format(name=node.GetName()),
            _("Export it before its result is deleted from the scene."),
        )
    values = slicer.util.arrayFromVolume(node)
    quantity = QUANTITIES[node.GetAttribute(MAP)]
    # beside the files, so that nothing of a patient is left anywhere else when the application ends here
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        files = export_maps(
            [ParametricMap(values, quantity, geometry_of(node), result.record)],
            _source_files(result.record),
            Path(temporary, "dicom"),
            series_number=series_number,
        )
        # Slicer's export takes flat files; maps of several results have the same names.
        for file in files:
            shutil.move(file, _free_name(folder, file))


def _source_files(record: dict[str, Any]) -> list[Path]:
    """The files of the series that a result came from.

    :raises InputError: the database does not have them all, or they are not all there any more.
    """
    from petkinetics.write.map_provenance import MapProvenance

    try:
        return files_in_database(MapProvenance.of(record).series_uids)
    except InputError as error:
        # this export has no button that locates a folder
        hint = _("Import the series again, or export in step 4 of the panel, which can locate its folder.")
        raise InputError(error.message, hint) from error


def _free_name(folder: Path, file: Path) -> Path:
    names = (f"{file.stem}_{count}{file.suffix}" if count > 1 else file.name for count in itertools.count(1))
    return next(folder / name for name in names if not (folder / name).exists())
