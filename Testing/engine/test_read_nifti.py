"""4-D NIfTI with a BIDS-PET sidecar: times, units, decay and geometry, against nibabel."""

from __future__ import annotations

import gzip
import json
import resource
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from synthetic import HALF_LIFE_S, LAMBDA

from petkinetics.errors import InputError
from petkinetics.read.info import series_info
from petkinetics.read.overrides import Overrides
from petkinetics.read.series import read_series

START = [0.0, 10.0, 60.0, 300.0]
DURATION = [10.0, 50.0, 120.0, 600.0]
VOLUME = np.random.default_rng(2).uniform(0.0, 50.0, (4, 3, 5, 6)).astype(np.float32)
AXIAL = np.diag([-4.0, -4.0, 3.0, 1.0])


def sidecar(**changes: object) -> dict[str, object]:
    meta: dict[str, object] = {
        "TracerName": "FDG",
        "TracerRadionuclide": "F18",
        "Units": "kBq/mL",
        "TimeZero": "10:00:00",
        "ScanStart": 0,
        "InjectionStart": 0,
        "InjectedRadioactivity": 300.0,
        "InjectedRadioactivityUnits": "MBq",
        "BodyWeight": 75.0,
        "RadionuclideHalfLife": HALF_LIFE_S,
        "FrameTimesStart": START,
        "FrameDuration": DURATION,
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
    }
    meta.update(changes)
    return {key: value for key, value in meta.items() if value is not None}


def write(  # type: ignore[no-untyped-def]
    folder: Path,
    values=VOLUME,
    *,
    name="pet.nii",
    dtype=None,
    affine=AXIAL,
    slope=None,
    big=False,
    image=nib.Nifti1Image,
    **changes,
) -> Path:
    path = folder / name
    header = image.header_class(endianness=">" if big else "<")
    made = image(np.ascontiguousarray(np.asarray(values).T), affine, header)
    made.set_data_dtype(dtype or values.dtype)
    if slope:
        made.header.set_slope_inter(*slope)
    nib.save(made, str(path))
    path.with_name(name.removesuffix(".gz").removesuffix(".nii") + ".json").write_text(json.dumps(sidecar(**changes)))
    return path


def whole(series) -> np.ndarray:  # type: ignore[no-untyped-def]
    return series.read(range(len(series.timing)))


def stored(path: Path) -> np.ndarray:
    return nib.load(str(path)).get_fdata().T


# ------------------------------------------------------------------------------------ voxels


@pytest.mark.parametrize("name", ["pet.nii", "pet.nii.gz"])
@pytest.mark.parametrize("big", [False, True], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_every_number_type_and_byte_order_is_read_as_nibabel_reads_it(tmp_path, name, big, dtype):
    values = np.round(VOLUME).astype(dtype)
    path = write(tmp_path, values, name=name, dtype=dtype, big=big)
    found = whole(read_series(path))
    assert found.dtype == np.float32
    assert found.shape == VOLUME.shape
    np.testing.assert_allclose(found, stored(path), rtol=1e-6)


@pytest.mark.parametrize("slope", [(0.0123, 0.0), (2.0, -7.5), (-0.5, 3.0)])
@pytest.mark.parametrize("name", ["pet.nii", "pet.nii.gz"])
def test_int16_with_slope_and_intercept(tmp_path, slope, name):
    image = nib.Nifti1Image(np.ascontiguousarray((100 * VOLUME).astype(np.int16).T), AXIAL)
    nib.save(image, str(tmp_path / name))
    # nibabel rescales when it saves, so the header is set in the bytes of the file
    packed = name.endswith("gz")
    data = (tmp_path / name).read_bytes()
    data = bytearray(gzip.decompress(data) if packed else data)
    data[112:120] = np.array(slope, "<f4").tobytes()
    (tmp_path / name).write_bytes(gzip.compress(data) if packed else data)
    (tmp_path / "pet.json").write_text(json.dumps(sidecar()))
    raw = (100 * VOLUME).astype(np.int16).astype(float)
    np.testing.assert_allclose(
        whole(read_series(tmp_path / name)), raw * np.float32(slope[0]) + np.float32(slope[1]), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(stored(tmp_path / name), raw * np.float32(slope[0]) + np.float32(slope[1]), rtol=1e-5)


def test_slope_of_zero_means_unscaled(tmp_path):
    path = write(tmp_path)
    data = bytearray(path.read_bytes())
    data[112:120] = np.array([0.0, 5.0], "<f4").tobytes()
    path.write_bytes(data)
    np.testing.assert_array_equal(whole(read_series(path)), VOLUME)


@pytest.mark.parametrize("name", ["pet.nii", "pet.nii.gz"])
def test_slabs_in_any_order_and_into_a_buffer_are_parts_of_the_whole(tmp_path, name):
    series = read_series(write(tmp_path, name=name))
    np.testing.assert_array_equal(series.read([2, 0], 1, 3), VOLUME[[2, 0], 1:3])
    np.testing.assert_array_equal(series.read([3]), VOLUME[3:])
    buffer = np.empty((1, 1, 5, 6), np.float32)
    assert series.voxels.read([1], 2, 3, buffer) is buffer
    np.testing.assert_array_equal(buffer[0, 0], VOLUME[1, 2])


def test_nifti_2_and_an_extension_before_the_voxels(tmp_path):
    path = write(tmp_path)
    image = nib.load(str(path))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 100))
    nib.save(nib.Nifti1Image(image.get_fdata(dtype=np.float32), AXIAL, image.header), str(tmp_path / "ext.nii"))
    (tmp_path / "ext.json").write_text(json.dumps(sidecar()))
    np.testing.assert_array_equal(whole(read_series(tmp_path / "ext.nii")), VOLUME)
    second = write(tmp_path, name="two.nii", image=nib.Nifti2Image)
    try:
        np.testing.assert_array_equal(whole(read_series(second)), VOLUME)
    except InputError as refused:
        assert "NIfTI" in refused.message  # an honest refusal is allowed, wrong voxels are not


def test_negative_voxels_are_kept(tmp_path):
    np.testing.assert_array_equal(whole(read_series(write(tmp_path, VOLUME - 25.0))), VOLUME - 25.0)


def test_voxels_are_read_by_slabs_not_whole(tmp_path):
    values = np.zeros((4, 40, 256, 256), np.float32)  # 42 MB
    values[:, 7] = 3.0
    series = read_series(write(tmp_path, values))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert float(series.read([0, 3], 7, 8).mean()) == 3.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


# ------------------------------------------------------------------------------------ geometry


def oblique(*, flip: bool = False) -> np.ndarray:
    a, b = np.radians(17.0), np.radians(-8.0)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-4.1, -3.9, -2.7 if flip else 2.7])
    affine[:3, 3] = [101.5, 77.25, -310.0]
    return affine


PLACES = {
    "axial": AXIAL,
    "neurological": np.diag([4.0, 4.0, 3.0, 1.0]),
    "slices reversed": np.diag([-4.0, -4.0, -3.0, 1.0]),
    "oblique": oblique(),
    "oblique reversed": oblique(flip=True),
    "sagittal": np.array([[0.0, 0.0, 3.0, -5.0], [-4.0, 0.0, 0.0, 9.0], [0.0, -4.0, 0.0, 2.0], [0, 0, 0, 1.0]]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", ["both", "sform", "qform"])
def test_voxels_lie_where_nibabels_affine_puts_them(tmp_path, place, form):
    path = write(tmp_path, affine=PLACES[place])
    image = nib.load(str(path))
    image.set_sform(PLACES[place], 1 if form != "qform" else 0)
    image.set_qform(PLACES[place], 1 if form != "sform" else 0)
    nib.save(image, str(path))
    geometry = read_series(path).geometry
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.affine_lps  # NIfTI counts to the right and front
    np.testing.assert_allclose(ras, PLACES[place], atol=1e-4)
    assert geometry.shape == (3, 5, 6)


# ------------------------------------------------------------------------------------ times


def test_frames_start_at_frame_times_minus_injection(tmp_path):
    series = read_series(write(tmp_path, InjectionStart=30, ImageDecayCorrectionTime=30))
    np.testing.assert_array_equal(series.timing.start_s, np.array(START) - 30.0)
    np.testing.assert_array_equal(series.timing.duration_s, DURATION)
    np.testing.assert_array_equal(whole(series), VOLUME)


def test_frame_times_count_from_time_zero_not_from_scan_start(tmp_path):
    # BIDS: FrameTimesStart, InjectionStart and ScanStart are all relative to TimeZero
    series = read_series(
        write(
            tmp_path,
            ScanStart=120,
            InjectionStart=60,
            FrameTimesStart=[120.0, 130.0, 180.0, 420.0],
            ImageDecayCorrectionTime=60,
        )
    )
    np.testing.assert_array_equal(series.timing.start_s, [60.0, 70.0, 120.0, 360.0])


@pytest.mark.parametrize(
    ("when", "injection"), [("10:00:45", 45.0), ("2024-05-06T10:00:45", 45.0), ("100045", 45.0), ("09:59:30", -30.0)]
)
def test_injection_time_overrides_by_time_of_day(tmp_path, when, injection):
    path = write(tmp_path)
    try:
        series = read_series(path, Overrides(injection_time=when))
    except InputError as refused:
        assert "T" in when, refused.message  # a sidecar has no date: a date may be refused, a time of day not
        return
    np.testing.assert_allclose(series.timing.start_s, np.array(START) - injection)
    assert series.overrides["injection_time"] == when
    # decay-corrected to TimeZero, so now to 45 s before injection
    np.testing.assert_allclose(whole(series), VOLUME * np.exp(-LAMBDA * injection), rtol=1e-6)


def test_injection_before_midnight(tmp_path):
    series = read_series(write(tmp_path, TimeZero="00:01:00"), Overrides(injection_time="23:59:30"))
    np.testing.assert_allclose(series.timing.start_s, np.array(START) + 90.0)


# ------------------------------------------------------------------------------------ decay and units


@pytest.mark.parametrize("to", [0.0, 30.0, 600.0, -120.0])
def test_values_corrected_to_any_time_are_brought_to_injection(tmp_path, to):
    series = read_series(write(tmp_path, InjectionStart=30, ImageDecayCorrectionTime=to))
    np.testing.assert_allclose(whole(series), VOLUME * np.exp(LAMBDA * (to - 30.0)), rtol=1e-6)
    assert str(int(to - 30)) in series.origin.decay_corrected_to or (
        to == 30.0 and series.origin.decay_corrected_to == "injection"
    )


def test_uncorrected_frames_get_the_factor_of_their_mean(tmp_path):
    series = read_series(write(tmp_path, ImageDecayCorrected=False, ImageDecayCorrectionTime=None))
    x = LAMBDA * np.array(DURATION)
    factor = np.exp(LAMBDA * np.array(START)) * x / (1.0 - np.exp(-x))
    np.testing.assert_allclose(whole(series), VOLUME * factor[:, None, None, None], rtol=1e-6)
    assert series.decay_weighted, "one factor a frame weights the activity within it"
    assert series.frame_decay_per_s == pytest.approx(LAMBDA)
    info = series_info(series)
    assert info["suv_factor"] is None
    np.testing.assert_allclose(info["suv_factors"], factor * 75.0 / 300.0, rtol=1e-6)


def test_corrected_frames_are_plain_means_unless_the_factor_says_otherwise(tmp_path):
    assert not read_series(write(tmp_path)).decay_weighted
    x = LAMBDA * np.array(DURATION)
    factor = np.exp(LAMBDA * np.array(START)) * x / (1.0 - np.exp(-x))
    assert read_series(write(tmp_path, DecayCorrectionFactor=factor.tolist())).decay_weighted
    assert not read_series(write(tmp_path, DecayCorrectionFactor=["n/a"] * len(START))).decay_weighted


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("Bq/mL", 1e-3),
        ("kBq/mL", 1.0),
        ("MBq/mL", 1e3),
        ("Bq/ml", 1e-3),
        ("kBq/cc", 1.0),
        ("nCi/mL", 0.037),
        ("uCi/mL", 37.0),
        ("µCi/cc", 37.0),
        ("g/mL", 4.0),
    ],
)
def test_units_become_kbq_per_ml(tmp_path, units, factor):
    series = read_series(write(tmp_path, Units=units))
    np.testing.assert_allclose(whole(series), factor * VOLUME, rtol=1e-6)
    # SUVbw per stored unit: 75 kg, 300 MBq
    assert series_info(series)["suv_factor"] == pytest.approx(factor * 75.0 / 300.0, rel=1e-9)
    assert series_info(series)["units"] == units


def test_suv_does_not_depend_on_the_time_it_is_corrected_to(tmp_path):
    # SUV divides by the dose decayed to the same moment
    series = read_series(write(tmp_path, Units="g/mL", ImageDecayCorrectionTime=600))
    np.testing.assert_allclose(whole(series), 4.0 * VOLUME, rtol=1e-6)
    assert series_info(series)["suv_factor"] == pytest.approx(1.0)


def test_suv_factor_of_late_correction_divides_by_the_decayed_dose(tmp_path):
    info = series_info(read_series(write(tmp_path, ImageDecayCorrectionTime=3600)))
    assert info["suv_factor"] == pytest.approx(75.0 / (300.0 * np.exp(-LAMBDA * 3600)), rel=1e-9)


@pytest.mark.parametrize(
    ("value", "units"), [(300.0, "MBq"), (300e6, "Bq"), (300e3, "kBq"), (0.3, "GBq"), (300.0 / 37.0, "mCi")]
)
def test_injected_activity_is_read_in_its_unit(tmp_path, value, units):
    series = read_series(write(tmp_path, InjectedRadioactivity=value, InjectedRadioactivityUnits=units))
    assert series.injected_activity_mbq == pytest.approx(300.0)


def test_half_life_comes_from_the_nuclide_where_it_is_not_given(tmp_path):
    assert read_series(
        write(tmp_path, RadionuclideHalfLife=None, TracerRadionuclide="C11")
    ).tracer.half_life_s == pytest.approx(1221.8, abs=3.0)
    assert read_series(
        write(tmp_path, RadionuclideHalfLife=None, TracerRadionuclide="18F")
    ).tracer.half_life_s == pytest.approx(6586.2, abs=1.0)


def test_overrides_replace_the_sidecar_and_are_recorded(tmp_path):
    series = read_series(write(tmp_path), Overrides(dose_mbq=150.0, weight_kg=60.0, half_life_s=1221.8))
    assert (series.injected_activity_mbq, series.weight_kg, series.tracer.half_life_s) == (150.0, 60.0, 1221.8)
    assert series.overrides == {"dose_mbq": 150.0, "weight_kg": 60.0, "half_life_s": 1221.8}
    assert any("1221.8 s" in w and "F-18" in w for w in series.warnings), "said, since it is carbon's"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BodyWeight": 70300.0}, ["weight is 70,300 kg", "70,300 g would be 70.3 kg", "--weight"]),
        ({"BodyWeight": 0.02}, ["weight is 0.02 kg", "a small animal"]),
        ({"InjectedRadioactivity": 300e3}, ["activity is 300,000 MBq", "300,000 kBq would be 300 MBq", "--dose"]),
        ({"InjectedRadioactivity": 0.3}, ["activity is 0.3 MBq", "0.3 GBq would be 300 MBq"]),
        ({"BodyWeight": 3.2, "InjectedRadioactivity": 0.5}, []),
        ({"BodyWeight": 400.0, "InjectedRadioactivity": 5000.0}, []),
    ],
)
def test_a_weight_or_activity_that_is_hardly_one_is_used_with_a_warning(tmp_path, changes, words):
    series = read_series(write(tmp_path, **changes))
    assert series.weight_kg == changes.get("BodyWeight", 75.0)
    said = " ".join(series.warnings)
    assert all(word in said for word in words), said
    assert ("small animal" in said or "no patient" in said) is bool(words)


@pytest.mark.parametrize("small", [{"dose_mbq": 0.2}, {"weight_kg": 0.02}, {"weight_kg": 400.0}, {"dose_mbq": 5000.0}])
def test_a_mouse_and_a_phantom_are_not_refused(small):
    assert Overrides(**small).record() == small


@pytest.mark.parametrize(
    "bad",
    [
        {"dose_mbq": 0.0},
        {"weight_kg": -5.0},
        {"half_life_s": float("nan")},
        {"injection_time": "noon"},
        {"injection_time": "25:00:00"},
    ],
)
def test_impossible_overrides_are_refused(bad):
    with pytest.raises(InputError):
        Overrides(**bad)


@pytest.mark.parametrize(
    ("changes", "statement"),
    [({"Units": None}, {"units": "kBq/mL"}), ({"ImageDecayCorrectionTime": None}, {"decay_corrected_to": "injection"})],
)
def test_what_the_sidecar_does_not_say_can_be_stated(tmp_path, changes, statement):
    path = write(tmp_path, **changes)
    with pytest.raises(InputError) as refused:
        read_series(path)
    assert next(iter(statement)) in (refused.value.message + refused.value.hint)
    np.testing.assert_array_equal(whole(read_series(path, statements=statement)), VOLUME)


@pytest.mark.parametrize("value", ["nan", "inf", "noon"])
def test_a_stated_time_of_decay_correction_is_a_number(tmp_path, value):
    with pytest.raises(InputError, match=f"'{value}' is not a value for decay_corrected_to"):
        read_series(write(tmp_path), statements={"decay_corrected_to": value})


def test_a_missing_injection_start_is_taken_as_zero_and_told(tmp_path):
    series = read_series(write(tmp_path, InjectionStart=None))
    np.testing.assert_array_equal(series.timing.start_s, START)
    assert any("InjectionStart" in sentence for sentence in series.warnings)


# ------------------------------------------------------------------------------------ info


def test_info_has_the_keys_of_the_contract(tmp_path):
    info = series_info(read_series(write(tmp_path, Manufacturer="Example")))
    assert json.loads(json.dumps(info)) == info
    assert list(info) == [
        "frames", "shape", "spacing_mm", "units", "tracer", "half_life_s", "decay_corrected_to",
        "injected_activity_mbq", "weight_kg", "suv_factor", "suv_factors", "manufacturer", "dynamic", "warnings",
    ]  # fmt: skip
    assert info["frames"] == [{"start_s": a, "duration_s": b} for a, b in zip(START, DURATION, strict=True)]
    assert info["shape"] == [4, 3, 5, 6]
    np.testing.assert_allclose(info["spacing_mm"], [4.0, 4.0, 3.0])
    assert (info["manufacturer"], info["dynamic"], info["tracer"], info["weight_kg"]) == ("Example", True, "FDG", 75.0)


# ------------------------------------------------------------------------------------ refused


REFUSED = {
    "no sidecar": (lambda p: p.with_suffix(".json").unlink(), "json"),
    "sidecar is no JSON": (lambda p: p.with_suffix(".json").write_text("{,"), "pet.json"),
    "sidecar is a list": (lambda p: p.with_suffix(".json").write_text("[]"), "pet.json"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-100]), "pet.nii"),
    "only a header": (lambda p: p.write_bytes(p.read_bytes()[:352]), "pet.nii"),
    "empty file": (lambda p: p.write_bytes(b""), "pet.nii"),
    "another file": (lambda p: p.write_bytes(b"hello" * 1000), "pet.nii"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_damaged_file_is_refused_by_name(tmp_path, case):
    spoil, word = REFUSED[case]
    path = write(tmp_path)
    spoil(path)
    with pytest.raises(InputError) as refused:
        whole(read_series(path))
    assert word in refused.value.message + refused.value.hint


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_truncated_gzip_file_is_refused(tmp_path, share):
    path = write(tmp_path, name="pet.nii.gz")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match="pet"):
        whole(read_series(path))


@pytest.mark.parametrize("at", range(0, 100, 7))
def test_a_damaged_gzip_file_is_refused(tmp_path, at):
    values = np.round(np.random.default_rng(1).gamma(2.0, 5.0, (4, 3, 64, 64))).astype(np.float32)
    path = write(tmp_path, values, name="pet.nii.gz")
    data = bytearray(path.read_bytes())
    place = int((0.05 + 0.009 * at) * len(data))
    data[place : place + 30] = np.random.default_rng(at).bytes(30)
    path.write_bytes(data)
    with pytest.raises(InputError, match="pet"):
        whole(read_series(path))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"FrameTimesStart": None}, "FrameTimesStart"),
        ({"FrameDuration": None}, "FrameDuration"),
        ({"FrameTimesStart": START[:3]}, "3"),
        ({"FrameDuration": [10.0, 50.0, 0.0, 600.0]}, "frame 3"),
        ({"FrameDuration": [10.0, 60.0, 120.0, 600.0]}, "overlap"),
        ({"FrameTimesStart": "soon"}, "FrameTimesStart"),
        ({"FrameTimesStart": [0.0, 10.0, None, 300.0]}, "frame 3"),
        ({"Units": "counts"}, "counts"),
        ({"Units": "g/mL", "InjectedRadioactivity": None}, "dose"),
        ({"Units": "g/mL", "BodyWeight": None}, "weight"),
        ({"RadionuclideHalfLife": None, "TracerRadionuclide": None}, "half-life"),
        ({"RadionuclideHalfLife": -5}, "RadionuclideHalfLife"),
        ({"RadionuclideHalfLife": "long"}, "RadionuclideHalfLife"),
        ({"ImageDecayCorrected": None, "ImageDecayCorrectionTime": None}, "ImageDecayCorrected"),
        ({"InjectionStart": "noon"}, "InjectionStart"),
        ({"Units": "g/mL", "ImageDecayCorrected": False}, "SUV"),
        ({"InjectedRadioactivityUnits": "tons"}, "tons"),
    ],
)
def test_what_a_sidecar_lacks_is_named(tmp_path, changes, word):
    with pytest.raises(InputError) as refused:
        read_series(write(tmp_path, **changes))
    assert word.lower() in (refused.value.message + " " + refused.value.hint).lower(), refused.value.message


def test_a_volume_without_frames_is_no_dynamic_series(tmp_path):
    path = write(tmp_path, VOLUME[0], FrameTimesStart=[0.0], FrameDuration=[600.0])
    with pytest.raises(InputError, match=r"pet\.nii"):
        read_series(path)


def test_one_frame_is_no_dynamic_series_but_info_describes_it(tmp_path):
    path = write(tmp_path, VOLUME[:1], FrameTimesStart=[0.0], FrameDuration=[600.0])
    with pytest.raises(InputError):
        read_series(path)


@pytest.mark.parametrize("name", ["nothing.nii", "nothing.nii.gz", "folder"])
def test_a_missing_series_is_named(tmp_path, name):
    with pytest.raises(InputError, match=r"nothing|folder"):
        read_series(tmp_path / name)


def test_complex_and_colour_images_are_refused(tmp_path):
    image = nib.Nifti1Image(np.ones((6, 5, 3, 4), np.complex64), AXIAL)
    nib.save(image, str(tmp_path / "pet.nii"))
    (tmp_path / "pet.json").write_text(json.dumps(sidecar()))
    with pytest.raises(InputError, match=r"pet\.nii"):
        read_series(tmp_path / "pet.nii")


def test_messages_do_not_tell_folders_that_may_name_patients(tmp_path):
    folder = tmp_path / "Doe_John"
    folder.mkdir()
    path = write(folder)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError) as refused:
        whole(read_series(path))
    assert "Doe" not in refused.value.message + refused.value.hint
