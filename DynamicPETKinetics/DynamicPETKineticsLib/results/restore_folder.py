"""A result folder again, from what the scene holds."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import slicer
from DynamicPETKineticsLib.results.distrust import distrust_on
from DynamicPETKineticsLib.results.result_nodes import ResultNodes
from DynamicPETKineticsLib.results.table_nodes import rows_of
from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.read.result_folder import RECORD_NAME
from petkinetics.write.nifti import write_volume
from petkinetics.write.result_folder import write_distrust, write_record
from petkinetics.write.tables import write_table


def restore_steps(result: ResultNodes, to: Path) -> Generator[float, None, Path]:
    """Write a result folder from the scene alone, a map a step.

    Maps that were deleted from the scene are left out of the folder and of its record, whose warnings say so.

    :param to: folder to make; its parent must be there.
    :returns: (of the generator) *to*, complete.
    :raises InputError: all maps were deleted, or the texts were changed.
    """
    maps, missing = result.maps, result.missing_maps
    record = dict(result.record)
    if not maps:
        raise InputError(
            _("All maps of {name} were deleted from the scene.").format(name=result.name), _("Run the estimate again.")
        )
    to.mkdir(mode=0o700)
    for done, (name, node) in enumerate(maps.items(), start=1):
        write_map(to / f"{name}.nii", node)
        yield done / (len(maps) + 1)
    if result.distrust is not None:
        like = next(iter(maps.values()))
        geometry = geometry_of(like)
        write_distrust(to, distrust_on(result.distrust, geometry, like), geometry, compress=False)
    for file, node in result.texts.items():
        if file != RECORD_NAME:
            (to / file).write_text(node.GetText(), encoding="utf-8", newline="\n")
    for file, node in result.tables.items():
        rows = rows_of(node)
        if rows:
            write_table(to / file, rows)
    if missing:
        record["maps"] = {name: about for name, about in record["maps"].items() if name in maps}
        said = _("Deleted from the scene before this folder was written: {maps}.").format(maps=", ".join(missing))
        record["warnings"] = [*record.get("warnings", []), said]
    record["options"] = {**record.get("options", {}), "compress": False}
    write_record(to, record)
    return to


def write_map(path: Path, node: Any) -> None:
    """Write the voxels of a map node, without the transforms above it."""
    write_volume(path, slicer.util.arrayFromVolume(node), geometry_of(node))
