"""A folder of static patients for the diffusion prior: simulated ones by their seeds, or own static PET."""

from __future__ import annotations

from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.estimators.body import body_mask
from petkinetics.networks.score_network import SLICES
from petkinetics.read.series import read_series
from petkinetics.read.text_files import read_rows
from petkinetics.training.seed_pool import SeedPool
from petkinetics.training.static_patient import StaticPatient, static_only, static_patient


class StaticPool(SeedPool):
    """Simulated patients in a folder, one file a seed."""

    def path(self, seed: int) -> Path:
        """Where a patient's file is, or will be."""
        return self.folder / f"{seed:05d}.npz"

    def is_complete(self, path: Path) -> bool:
        """Whether the file is there."""
        return path.is_file()

    def make(self, seed: int) -> None:
        """Simulate a patient and save it."""
        static_patient(seed).save(self.path(seed))

    def patients(self) -> list[StaticPatient]:
        """Those made so far."""
        return [StaticPatient.load(file) for file in self.ready()]


def read_static_table(path: Path) -> dict[str, StaticPatient]:
    """Own static PET: a table whose column ``series`` names DICOM folders or NIfTI files, relative to the table.

    Of a series of several frames the last one is taken. Images by the names of their folders or files.
    :raises InputError: the table or a series cannot be used, or an image has too few slices.
    """
    rows = read_rows(path)
    if not rows or "series" not in rows[0]:
        raise InputError(f"The table '{path.name}' needs the column 'series' and at least one row.")
    return {
        Path(row["series"]).name: _own_patient(path.parent / row["series"], number)
        for number, row in enumerate(rows, start=2)
    }


def _own_patient(path: Path, row: int) -> StaticPatient:
    series = read_series(path, require_dynamic=False)
    slices = series.geometry.shape[0]
    if slices < SLICES:
        raise InputError(f"Row {row}: '{path.name}' has {slices} slices; the prior learns from at least {SLICES}.")
    last = len(series.timing) - 1
    x, y, z = series.geometry.spacing_mm
    return static_only(series.read([last], 0, slices)[0], body_mask(series, [last]), (z, y, x))
