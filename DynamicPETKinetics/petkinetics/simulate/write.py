"""A digital patient as a folder: the scan as a clinic would hand it over, and the truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from petkinetics import __version__
from petkinetics.errors import InputError
from petkinetics.simulate.dicom_series import write_dicom_series
from petkinetics.simulate.dicom_vendors import Vendor
from petkinetics.simulate.patient import ANATOMIES, DigitalPatient
from petkinetics.write.input_function import write_input_function
from petkinetics.write.json_text import write_json
from petkinetics.write.nifti import NiftiWriter, write_volume
from petkinetics.write.staging import staged_folder
from petkinetics.write.tables import write_table

Format = Literal["dicom", "nifti"]


def write_patient(patient: DigitalPatient, out: Path, fmt: Format = "dicom", vendor: Vendor = "ge") -> None:
    """Write a patient; *out* appears when it is complete.

    The folder holds the scan (``dicom/``, or ``pet.nii.gz`` with its BIDS-PET sidecar ``pet.json``),
    ``aorta.nii.gz``, ``lesions.nii.gz`` and ``labels.nii.gz`` with a table of index and name each,
    ``truth/`` with a map for every entry of :attr:`DigitalPatient.truth` and ``input_function.tsv``,
    and ``simulation.json``.

    :param fmt: "dicom" or "nifti".
    :param vendor: whose DICOM header habits to follow.
    :raises InputError: *out* exists already, or no such format or vendor.
    """
    if fmt not in get_args(Format):
        raise InputError(f"'{fmt}' is not a format of simulated scans; choose {' or '.join(get_args(Format))}.")
    if vendor not in get_args(Vendor):
        raise InputError(f"'{vendor}' is not a vendor to imitate; choose {', '.join(get_args(Vendor))}.")
    with staged_folder(out) as folder:
        if fmt == "dicom":
            # another scan of the same person is another study: what makes the scan makes its UIDs
            where, when = patient.series.geometry, patient.series.timing
            parts = (*patient.settings.values(), where.shape, where.origin_mm, *when.start_s, *when.end_s)
            scan = "/".join(str(part) for part in parts)
            body_part = ANATOMIES[str(patient.settings["anatomy"])].plan.body_part
            write_dicom_series(folder / "dicom", patient.series, vendor=vendor, seed=scan, body_part=body_part)
        else:
            _write_nifti(patient, folder)
        _write_labels(patient, folder)
        _write_truth(patient, folder / "truth")
        record = {
            "petkinetics": __version__,
            **patient.settings,
            "format": fmt,
            "vendor": vendor if fmt == "dicom" else None,
            "frame_start_s": patient.series.timing.start_s.tolist(),
            "frame_duration_s": patient.series.timing.duration_s.tolist(),
            "spacing_mm": patient.series.geometry.spacing_mm,
            "note": "Simulated; no real person.",
        }
        write_json(folder / "simulation.json", record)


def _write_nifti(patient: DigitalPatient, folder: Path) -> None:
    """``pet.nii.gz`` in Bq/mL, decay-corrected to injection, and ``pet.json`` (BIDS-PET)."""
    series = patient.series
    with NiftiWriter(folder / "pet.nii.gz", series.geometry, len(series.timing), description="Bq/mL") as writer:
        for frame in range(len(series.timing)):
            writer.write(series.read([frame])[0] * np.float32(1000.0))
    write_json(
        folder / "pet.json",
        {
            "Manufacturer": "petkinetics",
            "ManufacturersModelName": "simulated scanner",
            "Units": "Bq/mL",
            "TracerName": "FDG",
            "TracerRadionuclide": "F18",
            "InjectedRadioactivity": series.injected_activity_mbq,
            "InjectedRadioactivityUnits": "MBq",
            "ModeOfAdministration": "bolus",
            "BodyWeight": series.weight_kg,
            "BodyWeightUnits": "kg",
            "TimeZero": "09:30:00",
            "ScanStart": 0,
            "InjectionStart": 0,
            "FrameTimesStart": series.timing.start_s.tolist(),
            "FrameDuration": series.timing.duration_s.tolist(),
            "AcquisitionMode": "list mode",
            "ImageDecayCorrected": True,
            "ImageDecayCorrectionTime": 0,
            "DecayCorrectionFactor": series.timing.decay_factors(series.tracer.decay_per_s).tolist(),
            "ReconMethodName": "simulated in image space",
            "ReconFilterType": "Gaussian",
            "ReconFilterSize": 5.5,
        },
    )


def _write_labels(patient: DigitalPatient, folder: Path) -> None:
    geometry = patient.series.geometry
    blood = str(patient.settings["blood_region"])
    write_volume(folder / "aorta.nii.gz", patient.aorta, geometry, description=f"blood region: {blood}")
    write_table(folder / "aorta.tsv", [{"index": 1, "name": blood}])
    write_volume(folder / "lesions.nii.gz", patient.lesions, geometry, description="lesion number")
    lesions = [
        {
            "index": lesion.number,
            "name": lesion.name,
            "kind": "malignant" if lesion.malignant else "benign",
            "site": lesion.site,
            "diameter_mm": lesion.diameter_mm,
            "ki": lesion.kinetics.ki,
        }
        for lesion in patient.lesion_list
        if (patient.lesions == lesion.number).any()
    ]
    write_table(folder / "lesions.tsv", lesions, ["index", "name", "kind", "site", "diameter_mm", "ki"])
    write_volume(folder / "labels.nii.gz", patient.labels, geometry, description="tissue labels")
    present = set(np.unique(patient.labels).tolist()) - {0}
    rows = [{"index": i, "name": name} for i, name in sorted(patient.label_names.items()) if i in present]
    write_table(folder / "labels.tsv", rows, ["index", "name"])


def _write_truth(patient: DigitalPatient, folder: Path) -> None:
    folder.mkdir()
    for name, values in patient.truth.items():
        write_volume(folder / f"{name}.nii.gz", values, patient.series.geometry, description=f"true {name}")
    write_input_function(folder / "input_function.tsv", patient.input_function)
