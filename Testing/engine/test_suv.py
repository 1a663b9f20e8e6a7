"""SUV and mean images of a window, and MRglc: known numbers, any decay reference, and what is refused."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from acrin_dynamic import REAL, real_slices
from dicom_cases import small_series
from pydicom import dcmread
from synthetic import Patient

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.estimators.derived import plan_derived
from petkinetics.estimators.estimator import MemorySink
from petkinetics.estimators.window_image import window_image
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.glucose import GlucoseUptake
from petkinetics.kinetics.suv import Recipient, body_surface_area_m2, lean_body_mass_kg, suv_per_kbq_per_ml
from petkinetics.maps import K1, KI, KI_SD
from petkinetics.read.dicom import read_dicom
from petkinetics.series import ArrayVoxels, DynamicSeries, Float32, Tracer, VolumeGeometry
from petkinetics.simulate.dicom_series import write_dicom_series

ADULT = Recipient(dose_mbq=350.0, weight_kg=70.0, height_m=1.75, sex="M")


def load(path: Path) -> np.ndarray:
    """A NIfTI volume as (slices, rows, columns), by nibabel."""
    return np.asarray(nib.load(path).dataobj).transpose(2, 1, 0)


def picture(series: DynamicSeries, kind: str, window: str | None = None, **options: str) -> Float32:
    image, sink = window_image(series, kind, window, options=options), MemorySink()
    image.write(series, sink)
    return sink.volume(image.quantity.name)


def series_of(values: Float32, timing: FrameTiming, **known: object) -> DynamicSeries:
    grid = VolumeGeometry(values.shape[1:], (2.0, 2.0, 3.0))
    return DynamicSeries(timing, grid, Tracer("FDG", "F-18", 6586.2), ArrayVoxels(values), **known)  # type: ignore[arg-type]


# --- factors, by hand -------------------------------------------------------------------------------


def test_lean_body_mass_by_hand() -> None:
    """BMI of 70 kg and 1.75 m: 22.857. Man: 648900/(6680 + 4937.14); woman: 648900/(8780 + 5577.14)."""
    assert lean_body_mass_kg(70.0, 1.75, "M") == pytest.approx(55.857, abs=5e-4)
    assert lean_body_mass_kg(70.0, 1.75, "F") == pytest.approx(45.197, abs=5e-4)


def test_lean_body_mass_rises_with_weight_where_jamess_formula_falls() -> None:
    """Why this formula: a woman of 1.60 m, 90 to 160 kg."""
    weights = np.linspace(90.0, 160.0, 8)
    james = 1.07 * weights - 148.0 * (weights / 160.0) ** 2
    assert np.all(np.diff([lean_body_mass_kg(w, 1.60, "F") for w in weights]) > 0)
    assert np.any(np.diff(james) < 0)


def test_body_surface_area_by_hand() -> None:
    """0.007184 * 70^0.425 * 175^0.725 = 0.007184 * 6.0837 * 42.287."""
    assert body_surface_area_m2(70.0, 1.75) == pytest.approx(0.007184 * 6.0837 * 42.287, rel=2e-5)


@pytest.mark.parametrize(
    ("kind", "size"),
    [("bw", 70_000.0), ("lbm", 55_857.3), ("bsa", 18_481.4)],
    ids=["g of body", "g of lean body", "cm2 of surface"],
)
def test_a_dose_spread_evenly_over_the_body_has_suv_one(kind: str, size: float) -> None:
    """350 MBq in *size* g (1 g/mL) or cm2 gives dose/size kBq each, which is SUV 1."""
    assert suv_per_kbq_per_ml(kind, ADULT) * 350e3 / size == pytest.approx(1.0, rel=2e-5)


# --- real images ------------------------------------------------------------------------------------


def test_the_real_ge_series_becomes_suv_by_its_real_world_value_factor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.000421110 g/mL per Bq/mL: what the real-world-value object of the same study says."""
    assert main(["suv", str(REAL), "-o", str(tmp_path / "suv.nii.gz")]) == 0
    assert "SUVbw (g/mL), mean of 158.8-173.9 min from injection" in capsys.readouterr().out
    suv = load(tmp_path / "suv.nii.gz")
    for k in (10, 60, 120):
        ds = dcmread(real_slices()[k].filename)
        expected = ds.pixel_array * float(ds.RescaleSlope) * 0.000421110
        np.testing.assert_allclose(suv[k], expected, rtol=3e-6, atol=1e-6)
    says = json.loads((tmp_path / "suv.json").read_text())
    assert (says["quantity"], says["Units"], says["weight_kg"]) == ("SUVbw", "g/mL", 91.0)


def test_the_real_patients_height_and_sex_give_suv_by_lean_mass_and_surface() -> None:
    """A man of 91 kg and 1.88 m: BMI 25.747, lean 843570/12241.35 = 68.912 kg; surface 2.1763 m2."""
    series = read_dicom(REAL, require_dynamic=False)
    by_weight = window_image(series, "bw").factor
    assert window_image(series, "lbm").factor / by_weight == pytest.approx(68.912 / 91.0, rel=2e-5)
    assert window_image(series, "bsa").factor / by_weight == pytest.approx(2.1763 * 10.0 / 91.0, rel=5e-5)


@pytest.mark.parametrize(("stored", "metres"), [("1.88", 1.88), ("188", 1.88), ("0", None), ("19", None), ("", None)])
def test_a_header_height_is_in_metres_or_said_to_be_taken_as_cm(
    stored: str, metres: float | None, tmp_path: Path
) -> None:
    def change(ds, _frame, _slice):  # type: ignore[no-untyped-def]
        ds.PatientSize, ds.PatientSex = stored, "F"
        return ds

    write_dicom_series(tmp_path, small_series(), modify=change)
    found = read_dicom(tmp_path)
    assert (found.height_m, found.sex) == (metres, "F")
    assert any("taken as cm" in w for w in found.warnings) == (stored == "188")


# --- windows and decay ------------------------------------------------------------------------------


def test_the_image_is_the_mean_of_the_windows_frames_weighted_by_duration() -> None:
    timing = FrameTiming([0, 600, 1200, 1500, 2400], [600, 600, 300, 300, 1200])
    values = np.random.default_rng(1).normal(5.0, 3.0, (5, 9, 4, 6)).astype(np.float32)
    series = series_of(values, timing, injected_activity_mbq=300.0, weight_kg=60.0)
    expected = (600 * values[1] + 300 * values[2] + 300 * values[3]) / 1200
    np.testing.assert_allclose(picture(series, "activity", "10-30"), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(picture(series, "bw", "10-30"), 0.2 * expected, rtol=1e-5, atol=1e-6)
    image = window_image(series, "bw", "10-30")
    assert (image.record["frames_used"], image.record["from_s"], image.record["to_s"]) == ([1, 2, 3], 600, 1800)


def test_the_late_window_is_the_last_quarter_of_an_hour_and_at_least_a_frame() -> None:
    def frames(spec: str, until_min: float | None = None) -> list[int]:
        series = small_series(spec, shape=(1, 2, 2))
        return window_image(series, "bw", until_min=until_min).frames.tolist()

    assert frames("6x10,4x30,4x60,4x120,10x300") == [25, 26, 27]
    assert frames("6x10,4x30,4x60,4x120,10x300", until_min=35.0) == [19, 20, 21]
    assert frames("3x600") == [2]
    assert frames("2x1200") == [1]


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
@pytest.mark.parametrize(("decay_correction", "units"), [("START", "BQML"), ("ADMIN", "BQML"), ("START", "GML")])
def test_suv_is_the_same_however_the_series_is_stored(
    vendor: str, decay_correction: str, units: str, tmp_path: Path
) -> None:
    """A scan that starts 50 min after injection, when START lies 27 % of the dose away from injection."""
    series = replace(small_series(), timing=FrameTiming([3000, 3300, 3600], [300, 300, 300]))
    series = replace(series, voxels=ArrayVoxels(series.read([6, 7, 8])))
    write_dicom_series(tmp_path, series, vendor=vendor, decay_correction=decay_correction, units=units)  # type: ignore[arg-type]
    expected = series.read(range(3)).mean(axis=0) * series.weight_kg / series.injected_activity_mbq
    found = picture(read_dicom(tmp_path), "bw", "50-65")
    assert np.abs(found - expected).max() < 2e-4 * np.abs(expected).max()


def test_suv_of_uncorrected_images_is_corrected_frame_by_frame(tmp_path: Path) -> None:
    series = small_series("3x600")
    write_dicom_series(tmp_path, series, decay_correction="NONE")
    expected = series.read(range(3)).mean(axis=0) * series.weight_kg / series.injected_activity_mbq
    assert np.abs(picture(read_dicom(tmp_path), "bw", "0-30") - expected).max() < 2e-4 * np.abs(expected).max()


@pytest.mark.parametrize(("half_life_s", "bound"), [(6586.2, 0.0008), (1223.4, 0.0043)], ids=["F-18", "C-11"])
def test_a_static_scan_of_the_window_differs_by_less_than_is_said(half_life_s: float, bound: float) -> None:
    """Activity that rises by 10 % over 15 min, seen as three frames or as one (counts weighted by decay)."""
    decay, t = np.log(2) / half_life_s, np.linspace(0.0, 900.0, 90_001)
    counts, corrected = np.exp(-decay * t), 1.0 + 0.1 * t / 900.0

    def seen(part: slice) -> float:
        return float(np.trapezoid((corrected * counts)[part], t[part]) / np.trapezoid(counts[part], t[part]))

    frames = [seen(slice(i * 30_000, (i + 1) * 30_000 + 1)) for i in range(3)]
    values = np.array(frames, np.float32).reshape(3, 1, 1, 1)
    image = picture(series_of(values, FrameTiming([0, 300, 600], [300, 300, 300])), "activity")
    assert 0.3 * bound < image.item() / seen(slice(None)) - 1 < bound


def test_a_window_that_cuts_frames_says_which_it_holds() -> None:
    image = window_image(small_series("12x300", shape=(1, 2, 2)), "bw", "47-60")
    assert image.record["frames_used"] == [10, 11]
    assert image.warnings == ("The window 47-60 min holds whole frames of 50-60 min only; the image is their mean.",)
    assert window_image(small_series("12x300", shape=(1, 2, 2)), "bw", "45-60").warnings == ()


SERIES = small_series("12x300", shape=(2, 3, 4))
REFUSED = {
    "no dose": (replace(SERIES, injected_activity_mbq=None), "bw", None, {}, "needs the injected activity.*--dose"),
    "no weight": (replace(SERIES, weight_kg=None), "bw", None, {}, "needs the patient's weight.*--weight"),
    "no height": (SERIES, "bsa", None, {}, "needs the patient's height.*--set height_m"),
    "no sex": (SERIES, "lbm", None, {"height_m": "1.7"}, "says neither M nor F.*--set sex=M"),
    "sex O": (replace(SERIES, sex="O", height_m=1.7), "lbm", None, {}, "says neither M nor F"),
    "height in cm": (SERIES, "bsa", None, {"height_m": "172"}, "172 m is not a person's.*in metres"),
    "height in words": (SERIES, "bsa", None, {"height_m": "tall"}, "'tall' is not a height in metres"),
    "kind": (SERIES, "ibw", None, {}, "'ibw' is not an image of a window; there is bw, lbm, bsa, activity"),
    "window in words": (SERIES, "bw", "late", {}, "'late' is not a window; it is FROM-TO"),
    "one border": (SERIES, "bw", "50", {}, "'50' is not a window"),
    "backwards": (SERIES, "bw", "60-50", {}, "does not begin before it ends"),
    "before injection": (SERIES, "bw", "-5-10", {}, "is not a window"),
    "after the scan": (SERIES, "bw", "60-70", {}, r"No frame lies within 60-70 min.*45, 50, 55, 60 min"),
    "within a frame": (SERIES, "bw", "51-54", {}, "No frame lies within 51-54 min"),
    "static": (replace(SERIES, dynamic=False), "bw", "50-60", {}, "static: it has no frames"),
}


@pytest.mark.parametrize(("series", "kind", "window", "options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_what_to_give(
    series: DynamicSeries, kind: str, window: str | None, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError) as refused:
        window_image(series, kind, window, options=options)
    assert refused.match(message)


def test_a_window_after_t_is_refused() -> None:
    with pytest.raises(InputError, match="ends after 40 min"):
        window_image(SERIES, "bw", "35-45", until_min=40.0)


def test_voxels_that_are_not_numbers_are_refused() -> None:
    values = np.ones((12, 2, 3, 4), np.float32)
    values[11, 1, 2, 3] = np.nan
    series = replace(SERIES, voxels=ArrayVoxels(values))
    with pytest.raises(InputError, match="from 45 to 60 min hold voxels that are not numbers"):
        picture(series, "bw")
    assert np.all(picture(series, "bw", "40-55") > 0)


def test_the_command_writes_nothing_where_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pet = Patient().save(tmp_path / "in", BodyWeight=None)
    for more, says in (
        (["-o", str(tmp_path / "out" / "suv.nii")], "needs the patient's weight"),
        (["-o", str(tmp_path / "out" / "suv.mha"), "--weight", "70"], "End it in .nii.gz or .nii"),
        (["-o", str(tmp_path / "out" / "suv.nii"), "--set", "colour=red"], "'colour' is not an option"),
    ):
        assert main(["suv", str(pet), *more]) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    command = ["suv", str(pet), "-o", str(tmp_path / "suv.nii"), "--weight", "70", "--type", "lbm"]
    command += ["--set", "height_m=1.75", "--set", "sex=f"]
    assert main(command) == 0
    assert json.loads((tmp_path / "suv.json").read_text())["overrides"] == {"weight_kg": 70.0}
    assert main(command) == 2 and "already holds suv.nii" in capsys.readouterr().err


# --- beside Ki --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def patient() -> Patient:
    return Patient()


def estimate(patient: Patient, folder: Path, *options: str, **sidecar: object) -> int:
    pet = patient.save(folder / "in", **sidecar)
    aorta = str(pet.with_name("aorta.nii"))
    out = str(folder / "out")
    return main(["estimate", str(pet), "--roi", aorta, "--method", "patlak", "-o", out, "--no-compress", *options])


def test_suv_lies_beside_ki_and_nothing_after_t_is_in_it(patient: Patient, tmp_path: Path) -> None:
    spoiled = patient.frames.copy()
    spoiled[-3:] = np.nan
    folder = tmp_path / "spoiled"
    pet = patient.save(folder / "in", frames=spoiled)
    command = ["estimate", str(pet), "--roi", str(pet.with_name("aorta.nii")), "--method", "patlak", "--no-compress"]
    assert main([*command, "-o", str(folder / "out"), "--until", "50"]) == 0
    expected = patient.frames[-6:-3].mean(axis=0) * 70.0 / 300.0
    np.testing.assert_allclose(load(folder / "out" / "suv.nii"), expected, rtol=1e-6, atol=1e-6)
    record = json.loads((folder / "out" / "result.json").read_text())
    assert record["derived"]["suv"]["frames_used"] == [22, 23, 24]
    assert record["maps"]["suv"]["unit"] == "g/mL"
    assert main([*command, "-o", str(folder / "again"), "--until", "50", "--set", "suv_window=50-65"]) == 2


def test_without_a_weight_there_is_no_suv_and_a_sentence(
    patient: Patient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert estimate(patient, tmp_path / "default", BodyWeight=None) == 0
    assert "There is no SUV map: the series does not give the patient's weight (--weight)" in capsys.readouterr().err
    assert not (tmp_path / "default" / "out" / "suv.nii").exists()
    assert estimate(patient, tmp_path / "none", "--set", "suv=none", BodyWeight=None) == 0
    assert "SUV" not in capsys.readouterr().err
    assert estimate(patient, tmp_path / "asked", "--set", "suv=bw", BodyWeight=None) == 2
    assert not (tmp_path / "asked" / "out").exists()


def test_mrglc_is_ki_times_glucose_over_the_lumped_constant_in_maps_and_regions(
    patient: Patient, tmp_path: Path
) -> None:
    labels = np.where(patient.tissue, 1, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(labels.transpose(2, 1, 0), patient.affine()), tmp_path / "rois.nii")
    options = ["--set", "glucose=94mg/dL", "--set", "lumped_constant=0.65", "--set", "suv=activity"]
    assert estimate(patient, tmp_path, "--rois", str(tmp_path / "rois.nii"), *options) == 0
    out, factor = tmp_path / "out", 94 / 18.0156 / 0.65
    for rate, ki in (("mrglc", "ki"), ("mrglc_sd", "ki_sd")):
        np.testing.assert_allclose(load(out / f"{rate}.nii"), factor * load(out / f"{ki}.nii"), rtol=1e-6)
    with (out / "roi.tsv").open() as stream:
        rows = {row["map"]: row for row in csv.DictReader(stream, delimiter="\t")}
    assert rows["mrglc"]["unit"] == "µmol/min/mL"
    for column in ("mean", "sd", "se", "max", "peak"):
        assert float(rows["mrglc"][column]) == pytest.approx(factor * float(rows["ki"][column]), rel=1e-5)
    assert rows["activity"]["unit"] == "kBq/mL" and rows["mrglc_sd"]["se"] == "n/a"
    record = json.loads((out / "result.json").read_text())
    assert record["derived"]["mrglc"] == {"glucose_mmol_per_l": pytest.approx(5.2177), "lumped_constant": 0.65}


def test_mrglc_of_grey_matter_by_hand() -> None:
    """Huang 1980: Ki .0334, lumped constant .418; with 5.0 mmol/L .400 umol/min/mL, 40 umol/min/100 mL."""
    uptake = GlucoseUptake.parse("5.0", "0.418")
    assert uptake is not None and 0.0334 * uptake.per_ki == pytest.approx(0.3995, abs=1e-4)


@pytest.mark.parametrize("text", ["5.2", "5.2 mmol/L", "5.2mmol/l", "5.2 umol/mL", "5.2 µmol/mL", "93.681 mg/dL"])
def test_glucose_in_either_unit(text: str) -> None:
    uptake = GlucoseUptake.parse(text, "1")
    assert uptake is not None and uptake.per_ki == pytest.approx(5.2, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"glucose": "5.2"}, "needs the lumped constant as well; it has no default"),
        ({"lumped_constant": "1"}, "needs the plasma glucose as well; it has no default"),
        ({"glucose": "94", "lumped_constant": "1"}, "94 mmol/L is not plausible.*glucose=94mg/dL"),
        ({"glucose": "5.2 g/L", "lumped_constant": "1"}, "'5.2 g/L' is not a glucose concentration"),
        ({"glucose": "5.2", "lumped_constant": "0"}, "lumped constant of 0 is not plausible"),
        ({"glucose": "5.2", "lumped_constant": "one"}, "'one' is not a lumped constant"),
        ({"suv": "ibw"}, "'ibw' is not a value of the option 'suv'"),
    ],
)
def test_derived_maps_are_refused_with_what_to_give(options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_derived(SERIES, (KI, KI_SD), options, None)


def test_mrglc_is_of_fdg_and_of_ki() -> None:
    both = {"glucose": "5.2", "lumped_constant": "0.9"}
    water = replace(SERIES, tracer=Tracer("Water", "O-15", 122.24))
    with pytest.raises(InputError, match="of FDG only, and the tracer is Water"):
        plan_derived(water, (KI,), both, None)
    with pytest.raises(InputError, match="multiple of Ki, which this method does not estimate"):
        plan_derived(SERIES, (K1,), both, None)
    unnamed = plan_derived(replace(SERIES, tracer=Tracer("", "F-18", 6586.2)), (KI,), both, None)
    assert [q.name for q in unnamed.quantities] == ["mrglc", "suv"]
    assert unnamed.warnings == ("The series does not name its tracer; MRglc is right only if it is FDG.",)
