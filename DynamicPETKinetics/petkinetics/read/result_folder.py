"""The result folder of an estimate: its record and its maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.maps import QUANTITIES, ParametricMap
from petkinetics.read.text_files import read_json

#: file of the record
RECORD_NAME = "result.json"
#: file of where not to trust the maps, without its ending
DISTRUST = "distrust"


def read_record(result: Path) -> dict[str, Any]:
    """The record of a result folder.

    :raises InputError: the folder is no complete result.
    """
    path = result / RECORD_NAME
    if not path.is_file():
        raise InputError(
            f"'{result}' is not a result folder: it has no {RECORD_NAME}.", "Give the folder made by 'estimate'."
        )
    try:
        record = read_json(path)
    except InputError as error:
        raise InputError(f"{RECORD_NAME} in '{result}' is damaged: {error.message}") from error
    if not isinstance(record, dict) or record.get("job") != "estimate":
        raise InputError(f"'{result}' does not hold the result of an estimate.")
    return record


def result_maps(result: Path, record: dict[str, Any]) -> list[ParametricMap]:
    """The maps of a result folder, with its record as their provenance.

    :raises InputError: a map that the record names is missing or unreadable.
    """
    from petkinetics.read.maps import read_map

    maps = []
    for name in record.get("maps", {}):
        files = [result / f"{name}.nii.gz", result / f"{name}.nii"]
        found = [file for file in files if file.is_file()]
        if not found:
            raise InputError(f"'{result}' lacks the map {name}.nii.gz that its {RECORD_NAME} names.")
        maps.append(replace(read_map(found[0]), quantity=QUANTITIES[name], provenance=record))
    return maps


def read_result_map(path: Path) -> ParametricMap:
    """One map, with the record of the result folder it lies in as its provenance; a map on its own has none.

    :raises InputError: the map is missing or unreadable.
    """
    from petkinetics.read.maps import read_map

    found = read_map(path)
    try:
        return replace(found, provenance=read_record(path.parent))
    except InputError:
        return found


def distrust_path(result: Path) -> Path | None:
    """The file that marks where not to trust the maps; None where nothing was found against them."""
    files = [result / f"{DISTRUST}.nii", result / f"{DISTRUST}.nii.gz"]
    return next((file for file in files if file.is_file()), None)


def read_distrust(result: Path) -> NDArray[np.bool_] | None:
    """Where not to trust the maps of a result folder, bool (slices, rows, columns); None as :func:`distrust_path`.

    :raises InputError: the file is unreadable.
    """
    from petkinetics.read.maps import read_map

    path = distrust_path(result)
    return None if path is None else np.asarray(read_map(path).values > 0.5)
