"""Bad input of the whole command: exit status 2, a sentence that names what is wrong, and nothing written.

The table is the list. DICOM's own cases stand in test_read_dicom_refused.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from synthetic import Patient, result, run, save_nifti, starts_of

Spoil = Callable[["Case"], None]


@dataclass
class Case:
    """A folder with a good series, aorta and blood table; *options* of the command that would work."""

    folder: Path
    patient: Patient

    def __post_init__(self) -> None:
        self.patient.save(self.folder)
        self.patient.save_blood(self.folder / "blood.tsv")
        self.source: list[str] = ["--roi", str(self.folder / "aorta.nii")]
        self.options: list[str] = []

    def say(self, **changes: object) -> None:
        """Change the sidecar; None removes a key."""
        (self.folder / "pet.json").write_text(json.dumps(self.patient.sidecar(**changes)))

    def voxels(self, frames: np.ndarray, **changes: object) -> None:
        self.patient.save(self.folder, frames=frames, **changes)

    def region(self, labels: np.ndarray, affine: np.ndarray | None = None) -> None:
        save_nifti(self.folder / "aorta.nii", labels, self.patient.affine() if affine is None else affine)

    def table(self, time: np.ndarray | None = None, values: np.ndarray | None = None, **statements: str) -> None:
        self.patient.save_blood(self.folder / "blood.tsv", time=time, values=values)
        self.source = ["--input-function", str(self.folder / "blood.tsv")]
        for key, value in statements.items():
            self.options += ["--set", f"{key}={value}"]

    def text(self, text: str) -> None:
        self.source = ["--input-function", str(self.folder / "blood.tsv")]
        (self.folder / "blood.tsv").write_text(text)

    def use(self, *options: object) -> None:
        self.options += [str(o) for o in options]


def at(values: np.ndarray, place: object, value: float) -> np.ndarray:
    changed = values.copy()
    changed[place] = value  # type: ignore[index]
    return changed


def moved(affine: np.ndarray, mm: float) -> np.ndarray:
    out = affine.copy()
    out[:3, 3] += mm
    return out


def late_start(case: Case) -> None:
    late = Patient(duration=np.full(12, 300.0), start=starts_of(np.full(12, 300.0), 600.0))
    case.patient = late
    late.save(case.folder)


#: what is wrong -> (how it comes about, words that the message or its hint holds)
BAD: dict[str, tuple[Spoil, list[str]]] = {
    # the series
    "there is no series": (lambda c: (c.folder / "pet.nii").unlink(), ["pet.nii"]),
    "there is no sidecar": (lambda c: (c.folder / "pet.json").unlink(), ["pet.json"]),
    "a truncated file": (
        lambda c: (c.folder / "pet.nii").write_bytes((c.folder / "pet.nii").read_bytes()[:50000]),
        ["truncated"],
    ),
    "not an image": (lambda c: (c.folder / "pet.nii").write_text("hello"), ["pet.nii"]),
    "a static image": (
        lambda c: c.voxels(c.patient.frames[27], FrameTimesStart=[3600], FrameDuration=[300]),
        ["one volume", "frames"],
    ),
    "a frame without duration": (lambda c: c.say(FrameDuration=None), ["FrameDuration"]),
    "a frame of no duration": (
        lambda c: c.say(FrameDuration=at(c.patient.duration, 4, 0.0).tolist()),
        ["Frame 5", "duration"],
    ),
    "overlapping frames": (
        lambda c: c.say(FrameTimesStart=at(c.patient.start, 20, 1440.0).tolist()),
        ["overlap", "20", "21"],
    ),
    "frames not in order": (lambda c: c.say(FrameTimesStart=c.patient.start[::-1].tolist()), ["order"]),
    "fewer frame times than frames": (lambda c: c.say(FrameTimesStart=[0, 10]), ["FrameTimesStart", "2", "28"]),
    "no half-life and no nuclide": (
        lambda c: c.say(RadionuclideHalfLife=None, TracerRadionuclide=None),
        ["--half-life"],
    ),
    "an unknown nuclide": (
        lambda c: c.say(RadionuclideHalfLife=None, TracerRadionuclide="Kr-85"),
        ["Kr-85", "--half-life"],
    ),
    "no units": (lambda c: c.say(Units=None), ["Units", "--set units"]),
    "units that are no activity": (lambda c: c.say(Units="counts"), ["counts"]),
    "SUV without the dose": (lambda c: c.say(Units="g/mL", InjectedRadioactivity=None), ["--dose"]),
    "decay correction unknown": (
        lambda c: c.say(ImageDecayCorrected=None, ImageDecayCorrectionTime=None),
        ["ImageDecayCorrected"],
    ),
    "decay reference unknown": (lambda c: c.say(ImageDecayCorrectionTime=None), ["ImageDecayCorrectionTime"]),
    "NaN in the body": (lambda c: c.voxels(at(c.patient.frames, (25, 3, 8, 6), np.nan)), ["Frame 26", "NaN"]),
    "infinity in the body": (lambda c: c.voxels(at(c.patient.frames, (25, 3, 8, 6), np.inf)), ["Frame 26", "infinite"]),
    "NaN in the aorta": (
        lambda c: c.voxels(at(c.patient.frames, (3, 3, 12, 12), np.nan)),
        ["frame 4", "again", "--until"],
    ),
    "an empty image": (lambda c: (c.voxels(0 * c.patient.frames), c.table()), ["activity"]),
    # the region
    "there is no region file": (lambda c: (c.folder / "aorta.nii").unlink(), ["aorta.nii"]),
    "an empty region": (lambda c: c.region(0 * c.patient.aorta), ["empty"]),
    "a region outside the image": (lambda c: c.region(c.patient.aorta, moved(c.patient.affine(), 900.0)), ["outside"]),
    "a label that does not occur": (lambda c: c.source.__setitem__(1, c.source[1] + ":9"), ["9"]),
    "several labels and no choice": (lambda c: c.region(at(c.patient.aorta, (0, 4, 9), 5)), ["aorta.nii", ":"]),
    "an image in place of a region": (lambda c: c.region(c.patient.frames[20]), ["label map"]),
    # the blood curve
    "there is no blood table": (lambda c: (c.table(), (c.folder / "blood.tsv").unlink()), ["blood.tsv"]),
    "NaN in the blood": (lambda c: c.table(values=at(c.patient.cp, 40, np.nan)), ["blood.tsv", "not a number"]),
    "infinity in the blood": (lambda c: c.table(values=at(c.patient.cp, 40, np.inf)), ["blood.tsv", "not a number"]),
    "blood times that do not increase": (lambda c: c.table(time=at(c.patient.nodes, 40, 5.0)), ["increas"]),
    "blood that ends before the frames": (
        lambda c: c.table(c.patient.nodes[:200], c.patient.cp[:200]),
        ["ends at", "65.0"],
    ),
    "blood a thousandfold too high": (lambda c: c.table(values=1e3 * c.patient.cp), ["unit"]),
    "blood a thousandfold too low": (lambda c: c.table(values=1e-3 * c.patient.cp), ["unit"]),
    "blood that says Bq/mL and is kBq/mL": (
        lambda c: c.table(
            input_units="Bq/mL", input_time_units="s", input_time_zero="injection", input_decay="injection"
        ),
        ["unit"],
    ),
    "blood of zeros": (lambda c: c.table(values=0 * c.patient.cp), ["zero"]),
    "blood without units": (
        lambda c: (
            c.text("time (s)\tplasma\n0\t0\n30\t9\n4000\t5\n"),
            c.use("--set", "input_time_zero=0", "--set", "input_decay=0"),
        ),
        ["input_units"],
    ),
    "blood without a unit of time": (
        lambda c: c.text("time\tplasma [kBq/mL]\n0\t0\n30\t9\n4000\t5\n"),
        ["input_time_units"],
    ),
    "blood without a time zero": (
        lambda c: c.text("time [s]\tplasma [kBq/mL]\n0\t0\n30\t9\n4000\t5\n"),
        ["input_time_zero"],
    ),
    "blood without a decay reference": (
        lambda c: (
            c.text("time [s]\tplasma [kBq/mL]\n0\t0\n30\t9\n4000\t5\n"),
            c.use("--set", "input_time_zero=injection"),
        ),
        ["input_decay"],
    ),
    "blood of an unknown kind": (
        lambda c: (
            c.text("time [s]\tvalue [kBq/mL]\n0\t0\n30\t9\n4000\t5\n"),
            c.use("--set", "input_time_zero=0", "--set", "input_decay=0"),
        ),
        ["input_blood"],
    ),
    "a table that is none": (lambda c: c.text("hello"), ["blood.tsv"]),
    "the bolus was not scanned": (late_start, ["10", "--input-function"]),
    # the options
    "fewer than three frames": (lambda c: c.use("--t-star", "56"), ["3", "--t-star"]),
    "a window without frames": (lambda c: c.use("--t-star", "20", "--until", "20"), ["frame"]),
    "an end before the first frame": (lambda c: c.use("--until", "0.05"), ["--until"]),
    "an output that exists": (lambda c: (c.folder / "out").mkdir(), ["exists"]),
    "an output that cannot be written": (lambda c: c.use("-o", c.folder / "pet.json" / "out"), ["out"]),
    "an unknown method": (lambda c: c.use("--method", "logan-plot"), ["logan-plot", "patlak"]),
    "an unknown option of the method": (lambda c: c.use("--set", "wieghts=ratio"), ["wieghts", "weights"]),
    "an unknown value of an option": (lambda c: c.use("--set", "weights=heavy"), ["heavy", "frame"]),
    "a mask that is not there": (lambda c: c.use("--mask", c.folder / "mask.nii"), ["mask.nii"]),
    "a mask outside the image": (
        lambda c: c.use("--mask", save_nifti(c.folder / "mask.nii", c.patient.aorta, moved(c.patient.affine(), 900.0))),
        ["mask.nii"],
    ),
    "regions that are not there": (lambda c: c.use("--rois", c.folder / "rois.nii"), ["rois.nii"]),
    "an impossible plasma ratio": (lambda c: c.use("--plasma-ratio", "11"), ["11"]),
    "an impossible haematocrit": (lambda c: c.use("--hct", "0.9"), ["0.9", "0.75"]),
    "a plasma ratio for plasma": (
        lambda c: (
            c.text("time [s]\tplasma [kBq/mL]\n0\t0\n30\t40\n300\t12\n4000\t5\n"),
            c.use("--set", "input_time_zero=0", "--set", "input_decay=0", "--plasma-ratio", "1.1"),
        ),
        ["plasma"],
    ),
    "an injection time that is none": (lambda c: c.use("--injection-time", "noon"), ["noon"]),
    "an injection after the scan": (
        lambda c: c.use("--injection-time", "12:30:00"),
        ["before injection", "--injection-time"],
    ),
    "a dose of nothing": (lambda c: c.use("--dose", "0"), ["0"]),
    "a negative weight": (lambda c: c.use("--weight", "-70"), ["-70"]),
    "a weight in grams": (lambda c: c.use("--weight", "70300"), ["70,300 kg", "70,300 g would be 70.3 kg"]),
    "a dose in kBq": (lambda c: c.use("--dose", "321900"), ["321,900 MBq", "321,900 kBq would be 321.9 MBq"]),
    "a dose in Bq": (lambda c: c.use("--dose", "321900000"), ["321,900,000 Bq would be 321.9 MBq"]),
    "a half-life of nothing": (lambda c: c.use("--half-life", "0"), ["half-life"]),
}


@pytest.fixture
def case(tmp_path) -> Case:
    return Case(tmp_path, Patient())


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_with_a_sentence_and_nothing_is_written(case, capsys, what):
    spoil, words = BAD[what]
    spoil(case)
    before = {p: p.stat().st_mtime_ns for p in case.folder.rglob("*")}
    options = case.options if "-o" in case.options else ["-o", str(case.folder / "out"), *case.options]
    method = [] if "--method" in case.options else ["--method", "patlak"]
    status = run("estimate", case.folder / "pet.nii", *case.source, *method, *options)
    said = capsys.readouterr()
    assert status == 2, said.err
    message = said.err[said.err.index("petkinetics: ") :]
    for word in words:
        assert word.lower() in message.lower(), message
    sentence = message.splitlines()[0]
    assert sentence.rstrip().endswith((".", "?")), "a sentence"
    assert len(sentence) < 300
    assert "Traceback" not in said.err
    assert "Error" not in said.err, "a clinician's words"
    assert said.out == ""
    assert {p: p.stat().st_mtime_ns for p in case.folder.rglob("*")} == before


def test_the_good_case_works(case):
    for source in (case.source, ["--input-function", str(case.folder / "blood.tsv")]):
        out = case.folder / f"out{len(source[0])}"
        assert run("estimate", case.folder / "pet.nii", *source, "--method", "patlak", "-o", out) == 0


@pytest.mark.parametrize(
    ("what", "shape", "words"),
    [
        ("late", lambda t: 10.0 * np.exp(-(((t - 1200.0) / 500.0) ** 2)), ["20"]),
        ("flat", lambda t: 8.0 * (1.0 - np.exp(-t / 30.0)), []),
    ],
)
def test_a_curve_that_is_no_input_function_is_used_with_a_warning_and_its_numbers(case, capsys, what, shape, words):
    t = np.arange(0.0, 3901.0, 10.0)
    case.table(t, shape(t))
    out = case.folder / what
    assert run("estimate", case.folder / "pet.nii", *case.source, "--method", "patlak", "-o", out) == 0
    warnings = " ".join(result(out)["warnings"][1:])
    assert any(c.isdigit() for c in warnings), warnings
    for word in words:
        assert word in warnings
    assert "warning: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["info", "tac", "input-function"])
def test_the_other_commands_refuse_a_bad_series_alike(case, capsys, command):
    case.say(FrameDuration=at(case.patient.duration, 4, 0.0).tolist())
    before = {p.name for p in case.folder.iterdir()}
    roi = [] if command == "info" else ["--roi", str(case.folder / "aorta.nii"), "-o", str(case.folder / "out.tsv")]
    assert run(command, case.folder / "pet.nii", *roi) == 2
    assert "Frame 5" in capsys.readouterr().err
    assert {p.name for p in case.folder.iterdir()} == before
