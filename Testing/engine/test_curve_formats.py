"""Curves of PMOD and Turku PET Centre: units in the titles, what is not stated asked for, written and read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic import LAMBDA, Patient, load_map, run

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.input_function.from_file import input_function_from_file
from petkinetics.read.curve_statements import CurveContext
from petkinetics.read.curves import read_activity_curves, read_input_function
from petkinetics.write.curve_formats import write_activity_curves, write_blood_curve
from petkinetics.write.tables import read_table

CONTEXT = CurveContext(LAMBDA)
AT_INJECTION = {"input_time_zero": "injection", "input_decay": "injection"}
PLASMA = AT_INJECTION | {"input_blood": "plasma"}
TIMING = FrameTiming([0.0, 60.0, 120.0, 300.0], [60.0, 60.0, 120.0, 300.0])


def saved(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def some_curves() -> list[TimeActivityCurve]:
    a, b = np.array([0.1, 20.5, 11.25, 6.0]), np.array([0.0, 1.5, 2.25, 3.125])
    return [TimeActivityCurve(TIMING, a, name="aorta"), TimeActivityCurve(TIMING, b, name="grey matter, left [roi]")]


# ----------------------------------------------------------------------------------------- PMOD

BLD = "sample-time[seconds]\tplasma[kBq/cc]\n0\t0\n30\t25.5\n60\t12\n600\t4\n"


def test_a_blood_file_of_pmod_is_read(tmp_path):
    curve = read_input_function(saved(tmp_path / "p.bld", BLD), CONTEXT, AT_INJECTION)
    np.testing.assert_array_equal(curve.time_s, [0, 30, 60, 600])
    np.testing.assert_array_equal(curve.plasma_kbq_per_ml, [0, 25.5, 12, 4])
    assert curve.kind == "plasma"


@pytest.mark.parametrize(
    ("title", "seconds", "kbq"),
    [
        ("sample-time[minutes]\tplasma[Bq/ml]", 60.0, 1e-3),
        ("sample-time[seconds]\tplasma.1[nCi/cc]", 1.0, 0.037),
        ("sample-time[min]\twhole-blood[MBq/cc]", 60.0, 1e3),
        ("time[seconds]\tplasma[uCi/cc]", 1.0, 37.0),
        ("sample-time[seconds] plasma[kBq/cc]", 1.0, 1.0),
    ],
)
def test_units_in_pmods_titles_are_obeyed(tmp_path, title, seconds, kbq):
    separator = "\t" if "\t" in title else "  "
    rows = "\n".join(f"{t}{separator}{v}" for t, v in ((0, 0), (1, 5), (2, 3)))
    curve = read_input_function(saved(tmp_path / "p.crv", f"{title}\n{rows}\n"), CONTEXT, AT_INJECTION)
    np.testing.assert_allclose(curve.time_s, np.array([0, 1, 2]) * seconds)
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, np.array([0, 5, 3]) * kbq)


TAC = "start[minutes]\tend[kBq/cc]\taorta\tliver\n0\t1\t10\t1\n1\t2\t20.5\t2\n2\t4\t11\t3\n4\t9\t6\t4\n"


def test_frames_of_pmod_are_read_with_the_unit_of_the_second_title(tmp_path):
    aorta, liver = read_activity_curves(saved(tmp_path / "x.tac", TAC), CONTEXT, AT_INJECTION)
    np.testing.assert_array_equal(aorta.timing.start_s, [0, 60, 120, 240])
    np.testing.assert_array_equal(aorta.timing.duration_s, [60, 60, 120, 300])
    np.testing.assert_array_equal(aorta.mean_kbq_per_ml, [10, 20.5, 11, 6])
    assert (aorta.name, liver.name) == ("aorta", "liver")


def test_the_format_is_told_by_its_titles_whatever_the_file_is_called(tmp_path):
    found = read_activity_curves(saved(tmp_path / "x.txt", TAC), CONTEXT, AT_INJECTION)
    assert [c.name for c in found] == ["aorta", "liver"]


def test_frames_of_uncorrected_activity_are_corrected_by_the_factor_of_their_mean(tmp_path):
    options = {"input_time_zero": "injection", "input_decay": "none"}
    (aorta, _) = read_activity_curves(saved(tmp_path / "x.tac", TAC), CONTEXT, options)
    np.testing.assert_allclose(aorta.mean_kbq_per_ml, np.array([10, 20.5, 11, 6]) * TIMING_OF_TAC.decay_factors(LAMBDA))
    assert aorta.decay_per_s == LAMBDA


TIMING_OF_TAC = FrameTiming([0, 60, 120, 240], [60, 60, 120, 300])


def test_an_input_function_from_frames_keeps_every_mean(tmp_path):
    options = AT_INJECTION | {"input_region": "aorta", "input_blood": "whole blood"}
    path = saved(tmp_path / "x.tac", TAC)
    curve = input_function_from_file(path, CONTEXT, options)
    np.testing.assert_allclose(curve.whole_blood_frame_mean(TIMING_OF_TAC), [10, 20.5, 11, 6], rtol=1e-9)
    assert curve.kind == "whole blood" and "aorta" in curve.source
    early = input_function_from_file(path, CONTEXT, options, until_s=241.0)
    assert early.end_s == pytest.approx(240.0)
    with pytest.raises(InputError, match="means over frames"):
        read_input_function(path, CONTEXT, options)


def test_frames_after_until_and_other_curves_are_not_looked_at(tmp_path):
    options = AT_INJECTION | {"input_region": "aorta", "input_blood": "whole blood"}
    text = TAC.replace("4\t9\t6\t4", "4\t9\tnan\t4").replace("1\t2\t20.5\t2", "1\t2\t20.5\tn/a")
    spoiled = input_function_from_file(saved(tmp_path / "b.tac", text), CONTEXT, options, until_s=241.0)
    whole = input_function_from_file(saved(tmp_path / "a.tac", TAC), CONTEXT, options, until_s=241.0)
    np.testing.assert_array_equal(spoiled.plasma_kbq_per_ml, whole.plasma_kbq_per_ml)
    with pytest.raises(InputError, match="not a number in frame 4"):
        input_function_from_file(tmp_path / "b.tac", CONTEXT, options)


@pytest.mark.parametrize("left_out", ["input_time_zero", "input_decay", "input_blood"])
def test_what_pmods_format_has_no_place_for_is_asked_for(tmp_path, left_out):
    options = {k: v for k, v in PLASMA.items() if k != left_out}
    path = saved(tmp_path / "p.bld", BLD.replace("plasma", "curve"))
    with pytest.raises(InputError, match=f"--set {left_out}="):
        read_input_function(path, CONTEXT, options)


@pytest.mark.parametrize(
    ("title", "option"),
    [("sample-time\tplasma[kBq/cc]", "input_time_units"), ("sample-time[seconds]\tplasma", "input_units")],
)
def test_a_unit_that_is_missing_is_asked_for(tmp_path, title, option):
    path = saved(tmp_path / "p.bld", f"{title}\n0\t0\n1\t5\n2\t3\n")
    with pytest.raises(InputError, match=f"--set {option}="):
        read_input_function(path, CONTEXT, AT_INJECTION)


# ------------------------------------------------------------------------------------------ DFT

DFT = """# a comment of the scanner
DFT     put     put     cereb
UI0042  dx      sin     .
kBq/mL  Pl07    Pl07    Pl10
Times (min)     1.2e3   1.1e3   9.0e3
0.0  1.0   3.19  3.62  1.0
1.0  2.0   5.51  6.53  2.0
# 2.0 4.0  9.99  9.99  9.99
2.0  9.0   5.40  7.41  .
"""


WHOLE_DFT = DFT.replace("7.41  .", "7.41  2.5")


def test_a_dft_file_is_read(tmp_path):
    curves = read_activity_curves(saved(tmp_path / "x.dft", WHOLE_DFT), CONTEXT, AT_INJECTION)
    assert [c.name for c in curves] == ["put dx Pl07", "put sin Pl07", "cereb Pl10"]
    np.testing.assert_array_equal(curves[1].mean_kbq_per_ml, [3.62, 6.53, 7.41])
    np.testing.assert_array_equal(curves[0].timing.end_s, [60, 120, 540])


def test_a_missing_value_in_a_dft_is_no_zero(tmp_path):
    with pytest.raises(InputError, match="not a number in frame 3"):
        read_activity_curves(saved(tmp_path / "x.dft", DFT), CONTEXT, AT_INJECTION)


def test_samples_in_a_dft_with_tabs_and_weights(tmp_path):
    titles = "DFT1\tplasma\tblood\n.\t.\t.\nBq/ml\t(PET)\t.\t.\nTime (sec)\t.\t.\n"
    text = titles + "0\t0\t0\t1\n30\t900\t800\t1\n60\t500\t400\t1\n"
    curve = read_input_function(saved(tmp_path / "b.dft", text), CONTEXT, AT_INJECTION)
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, [0, 0.9, 0.5])
    np.testing.assert_allclose(curve.whole_blood_kbq_per_ml, [0, 0.8, 0.4])


def test_comments_of_others_are_not_believed(tmp_path):
    text = "# decay_correction := yes\n# injection_time := 0\n" + WHOLE_DFT
    with pytest.raises(InputError, match="--set input_time_zero"):
        read_activity_curves(saved(tmp_path / "x.dft", text), CONTEXT)


# ------------------------------------------------------------------------------- written and read


@pytest.mark.parametrize("name", ["x.tac", "x.crv", "x.dft", "x.tsv"])
def test_curves_that_were_written_read_back_without_statements(tmp_path, name):
    write_activity_curves(tmp_path / name, some_curves())
    found = read_activity_curves(tmp_path / name, CONTEXT)
    for curve, true in zip(found, some_curves(), strict=True):
        np.testing.assert_allclose(curve.mean_kbq_per_ml, true.mean_kbq_per_ml, rtol=1e-8)
        np.testing.assert_array_equal(curve.timing.start_s, TIMING.start_s)
        np.testing.assert_array_equal(curve.timing.duration_s, TIMING.duration_s)


@pytest.mark.parametrize("name", ["b.bld", "b.crv", "b.dft", "b.tsv"])
@pytest.mark.parametrize("kind", ["whole blood", "plasma", "parent plasma"])
def test_blood_that_was_written_reads_back_without_statements(tmp_path, name, kind):
    time, whole = np.array([-3.0, 0.0, 30.5, 60.0, 600.0]), np.array([0.0, 0.0, 30.25, 14.0, 4.0])
    plasma = whole if kind == "whole blood" else whole * 1.1
    curve = InputFunction(time, plasma, whole, kind, "a test")
    write_blood_curve(tmp_path / name, curve)
    found = read_input_function(tmp_path / name, CONTEXT)
    np.testing.assert_allclose(found.time_s, time)
    np.testing.assert_allclose(found.plasma_kbq_per_ml, plasma, rtol=1e-8)
    np.testing.assert_allclose(found.whole_blood_kbq_per_ml, whole, rtol=1e-8)
    assert found.kind == kind


def test_titles_are_as_pmod_and_turku_write_them(tmp_path):
    write_activity_curves(tmp_path / "x.tac", some_curves())
    first = (tmp_path / "x.tac").read_text(encoding="utf-8").splitlines()[0].split("\t")
    assert first == ["start[seconds]", "end[kBq/cc]", "aorta", "grey_matter,_left_(roi)"]
    write_activity_curves(tmp_path / "x.dft", some_curves())
    lines = [v for v in (tmp_path / "x.dft").read_text(encoding="utf-8").splitlines() if not v.startswith("#")]
    assert lines[0].split("\t") == ["DFT", "aorta", "grey_matter,_left_(roi)"]
    assert lines[2].startswith("kBq/mL\t") and lines[3].startswith("Times (sec)\t")
    assert len({len(line.split("\t")) for line in lines[:4]}) == 1


@pytest.mark.parametrize(
    ("write", "name"), [(write_activity_curves, "x.bld"), (write_blood_curve, "x.tac")], ids=["curves", "blood"]
)
def test_a_format_that_cannot_hold_the_curve_is_refused(tmp_path, write, name):
    curve = InputFunction(np.arange(3.0), np.ones(3), np.ones(3))
    with pytest.raises(InputError, match="asks for"):
        write(tmp_path / name, some_curves() if write is write_activity_curves else curve)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.bld", "depth[mm]\tplasma[kBq/cc]\n0\t1\n", "not a PMOD curve file: its first column is 'depth"),
        ("a.tac", "start[seconds]\tend[kBq/cc]\n0\t1\n", "frames, but no curve"),
        ("a.tac", "start[seconds]\tend[kBq/cc]\ta\n0\t1\n", "Row 2 of a.tac has 2 cells, its header 3"),
        ("a.tac", "start[seconds]\tend[kBq/cc]\ta\n0\tsoon\t1\n", "'soon' for end, not a number"),
        ("a.tac", "start[seconds]\tend[kBq/cc]\ta\n0\t0\t1\n", "duration of 0 s"),
        ("a.tac", "start[seconds]\tend[kBq/cc]\ta\n0\t60\t1\n30\t90\t1\n", "overlap"),
        ("a.tac", "start[seconds]\tend[HU]\ta\n0\t60\t1\n", "'HU' is not a unit of activity"),
        ("a.tac", "start[weeks]\tend[kBq/cc]\ta\n0\t60\t1\n", "'weeks' is not a unit of time"),
        ("a.tac", "start[seconds]\n", "holds no table"),
        ("a.dft", "DFT\ta\n.\t.\nkBq/mL\t.\n", "not a whole DFT file"),
        ("a.dft", "DFT\ta\n.\t.\nkBq/mL\t.\nWhen (min)\t.\n0\t1\n", "fourth line begins with 'When"),
        ("a.dft", "DFT\ta\n.\t.\nkBq/mL\t.\nStart (min)\t.\n0\t1\n", "only the start times"),
        ("a.dft", "DFT\ta\n.\t.\n.\t.\nTimes (min)\t.\n0\t1\t1\n", "input_units"),
        ("a.crv", BLD, "holds samples, not means over frames"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read_activity_curves(saved(tmp_path / name, text), CONTEXT, AT_INJECTION)


def test_a_curve_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no curve named 'brain'; it has aorta, liver"):
        read_activity_curves(saved(tmp_path / "x.tac", TAC), CONTEXT, AT_INJECTION | {"input_region": "brain"})


# -------------------------------------------------------------------------------- on the command line


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patient")
    found = Patient()
    found.save(folder)
    labels = sitk.ReadImage(str(folder / "aorta.nii"))
    sitk.WriteImage(labels, str(folder / "regions.nrrd"))
    return found, folder


@pytest.mark.parametrize("name", ["t.tac", "t.dft", "t.crv", "t.tsv"])
def test_tac_writes_the_format_of_the_name(patient, tmp_path, name):
    _, folder = patient
    assert run("tac", folder / "pet.nii", "--roi", folder / "aorta.nii", "-o", tmp_path / name) == 0
    (curve,) = read_activity_curves(tmp_path / name, CONTEXT)
    run("tac", folder / "pet.nii", "--roi", folder / "aorta.nii", "-o", tmp_path / "plain.tsv")
    true = [row["label 1"] for row in read_table(tmp_path / "plain.tsv")]
    np.testing.assert_allclose(curve.mean_kbq_per_ml, true, rtol=1e-6)


@pytest.mark.parametrize("name", ["i.bld", "i.dft", "i.crv"])
def test_an_input_function_goes_out_and_in_by_any_format(patient, tmp_path, name):
    true, folder = patient
    blood = tmp_path / name
    assert run("input-function", folder / "pet.nii", "--roi", folder / "aorta.nii", "-o", blood) == 0
    maps = []
    for out, source in (("a", ("--input-function", blood)), ("b", ("--roi", folder / "aorta.nii"))):
        assert run("estimate", folder / "pet.nii", *source, "--method", "patlak", "-o", tmp_path / out) == 0
        maps.append(load_map(tmp_path / out / "ki.nii.gz"))
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-6, atol=1e-9)
    assert json.loads((tmp_path / "a" / "result.json").read_text())["ki_label"] == "Ki (whole-blood input)"
    assert np.abs(maps[0] - true.ki)[true.tissue].max() < 2e-3


def test_a_frame_table_serves_as_input_function(patient, tmp_path):
    _, folder = patient
    run("tac", folder / "pet.nii", "--roi", folder / "aorta.nii", "-o", tmp_path / "t.tac")
    common = ("--method", "patlak", "-o")
    stated = ("--set", "input_blood=whole blood")
    table = ("--input-function", tmp_path / "t.tac", *stated)
    assert run("estimate", folder / "pet.nii", *table, *common, tmp_path / "a") == 0
    assert run("estimate", folder / "pet.nii", "--roi", folder / "aorta.nii", *common, tmp_path / "b") == 0
    a, b = (load_map(tmp_path / name / "ki.nii.gz") for name in "ab")
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8)


def test_nothing_is_left_when_the_format_cannot_hold_the_curve(patient, tmp_path, capsys):
    _, folder = patient
    assert run("tac", folder / "pet.nii", "--roi", folder / "aorta.nii", "-o", tmp_path / "t.bld") == 2
    assert "samples of blood" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert run("input-function", folder / "pet.nii", "--roi", folder / "aorta.nii", "-o", tmp_path / "t.json") == 2
    assert "'t.json' is the name of the file that states units" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
