"""Exporting maps to DICOM: as parametric maps, as PET images, or both, all files together or none."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.maps import ParametricMap
from petkinetics.write.dicom_codes import pet_units
from petkinetics.write.dicom_map_header import require_exportable
from petkinetics.write.dicom_parametric_map import parametric_map_names, write_parametric_map
from petkinetics.write.dicom_pet_image import pet_image_names, write_pet_images
from petkinetics.write.dicom_same_scan import require_same_scan
from petkinetics.write.dicom_sources import SourceSeries, find_source_series
from petkinetics.write.map_provenance import MapProvenance
from petkinetics.write.staging import staged_files

#: called with the fraction done and what is being done; may raise to stop the export
Progress = Callable[[float, str], None]

FORMATS = ("parametric-map", "pet-image")
#: series numbers of PET images lie this far above those of parametric maps
_PET_SERIES = 100


def export_maps(
    maps: Sequence[ParametricMap],
    source_dir: Path | Sequence[Path],
    to: Path,
    formats: Sequence[str] = ("parametric-map",),
    *,
    series_description_prefix: str = "",
    series_number: int = 9001,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write each map as DICOM of the patient and study it was computed from.

    Every map is a series of its own, numbered from *series_number* (PET images 100 higher): archives list it
    by its description, and Slicer offers each by name. What is said of how they were made comes from their
    provenance (:class:`~petkinetics.write.map_provenance.MapProvenance`).

    :param maps: one of each quantity, all on the grid of the source series (in either slice order).
    :param source_dir: folder of the series the maps were computed from, or its files.
    :param to: folder for ``ki.dcm`` (a parametric map), ``ki_0001.dcm`` ... (PET images, one a slice); made if
        it is not there, never with folders below it.
    :param formats: some of :data:`FORMATS`.
    :param series_description_prefix: put before the quantity in the series description.
    :param progress: called with the fraction done and a message.
    :param warn: receives sentences for the user: maps without a PET unit, voxels beyond what 16 bits hold, a source
        with more frames than the maps' series had, what could be compared where the maps do not name their series.
    :returns: the files, by format in the order of the maps.
    :raises InputError: a map holds NaN or infinite voxels or is not float32, a quantity comes twice or has
        no code, no map can be a PET image, the source images are not those of the maps (or contradict what their
        provenance says, where it has no UIDs) or some of them are missing, or the files are there already or cannot
        be written.
    :raises ResourceError: the disk is full.
    """
    require_exportable(maps)
    work = _work(maps, formats, warn)
    if progress:
        progress(0.0, "Reading the headers of the source images")
    names = [name for format_name, _, parametric_map in work for name in _names(format_name, parametric_map)]
    sources: SourceSeries | None = None
    compared = ""
    with staged_files(to, names) as folder:
        for done, (format_name, number, parametric_map) in enumerate(work):
            provenance = MapProvenance.of(parametric_map.provenance, parametric_map.quantity.name)
            if sources is None or not sources.fit(parametric_map.geometry):
                sources = find_source_series(source_dir, parametric_map.geometry, provenance.series_uids)
            record = parametric_map.provenance
            if record.get("job") == "estimate" and not provenance.series_uids and not compared:
                # a result that was made from a file
                compared = require_same_scan(source_dir, record)
                if warn:
                    warn(compared)
            more = sources.compared(provenance.frame_count)
            if more and warn and not done:
                warn(more)
            if progress:
                progress((done + 0.5) / len(work), f"Writing {_names(format_name, parametric_map)[0]}")
            with warnings.catch_warnings():
                # highdicom and pydicom quote values that look wrong in their warnings: the patient's name
                warnings.simplefilter("ignore")
                write = write_parametric_map if format_name == "parametric-map" else write_pet_images
                said = write(
                    folder, parametric_map, provenance, sources, series_description_prefix, series_number + number
                )
            if said and warn:
                warn(said)
    if progress:
        progress(1.0, "DICOM maps written")
    return [to / name for name in names]


def _work(
    maps: Sequence[ParametricMap], formats: Sequence[str], warn: Callable[[str], None] | None
) -> list[tuple[str, int, ParametricMap]]:
    """What to write: (format, number of the series from 0, map)."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise InputError(f"'{', '.join(unknown)}' is not a DICOM format for maps; there is {', '.join(FORMATS)}.")
    work = []
    for format_name in dict.fromkeys(formats):
        first = 0 if format_name == "parametric-map" else _PET_SERIES
        for i, parametric_map in enumerate(maps):
            quantity = parametric_map.quantity
            if format_name == "pet-image" and pet_units(quantity) is None:
                if warn:
                    warn(
                        f"DICOM has no unit {quantity.unit} for PET images, so {quantity.symbol} was not written as "
                        "such; a parametric map holds it."
                    )
                continue
            work.append((format_name, first + i, parametric_map))
    if not work:
        raise InputError(
            "None of these maps has a unit that DICOM knows for PET images.", "Export them as parametric maps."
        )
    return work


def _names(format_name: str, parametric_map: ParametricMap) -> list[str]:
    return (parametric_map_names if format_name == "parametric-map" else pet_image_names)(parametric_map)
