"""An image of a time window as a file of its own, with a sidecar that says what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from petkinetics import __version__
from petkinetics.errors import InputError
from petkinetics.estimators.window_image import WindowImage
from petkinetics.read.file_names import file_stem
from petkinetics.series import DynamicSeries, Float32
from petkinetics.write.json_text import write_json
from petkinetics.write.nifti import NiftiWriter
from petkinetics.write.staging import staged_files


def write_window_image(series: DynamicSeries, image: WindowImage, output: Path) -> None:
    """Write the image as NIfTI, and beside it a ``.json`` with quantity, unit, window, dose and size.

    :param output: ends in ``.nii`` or ``.nii.gz``; neither file may be there.
    :raises InputError: another ending, the files are there already, or a voxel is not a number.
    """
    if not output.name.endswith((".nii.gz", ".nii")):
        raise InputError(f"'{output.name}' is not a name for a NIfTI image.", "End it in .nii.gz or .nii.")
    sidecar = file_stem(output) + ".json"
    quantity = image.quantity
    with staged_files(output.absolute().parent, [output.name, sidecar]) as folder:
        with NiftiWriter(
            folder / output.name, series.geometry, description=f"{quantity.symbol} [{quantity.ucum}] petkinetics"
        ) as writer:
            image.write(series, _OneMap(writer))
        says = {
            "quantity": quantity.symbol,
            "meaning": quantity.meaning,
            "Units": quantity.unit,
            "decay_corrected_to": "injection",
            **image.record,
            "overrides": dict(series.overrides),
            "input_uids": list(series.origin.series_uids),
            "warnings": [*series.warnings, *image.warnings],
            "version": __version__,
        }
        write_json(folder / sidecar, says)


@dataclass(frozen=True)
class _OneMap:
    """A sink of one map, whatever its name."""

    writer: NiftiWriter

    def write(self, name: str, slab: Float32) -> None:  # noqa: ARG002 - there is one
        """See :class:`petkinetics.estimators.estimator.MapSink`."""
        self.writer.write(slab)
