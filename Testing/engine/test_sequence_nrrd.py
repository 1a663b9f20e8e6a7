"""Volume sequences: as Slicer writes them, as MultiVolumeImporter leaves them, as we write them."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_cases import read_all, small_series
from synthetic import run

from petkinetics.errors import InputError, ResourceError
from petkinetics.frames import FrameTiming
from petkinetics.read.info import series_info
from petkinetics.read.overrides import Overrides
from petkinetics.read.regions import image_geometry
from petkinetics.read.series import read_series
from petkinetics.series import RowVoxelSource
from sequence_files import write_sequence

DATA = Path(__file__).parents[1] / "data" / "slicer_nrrd"
#: all that MultiVolumeImporter leaves out
STATED = {"frames": "1x10,1x30,1x60,1x120", "first_frame": "-5", "units": "kBq/mL", "decay_corrected_to": "injection"}
FDG = Overrides(half_life_s=6586.2)


def true_voxels() -> np.ndarray:
    """(i + 100 k)/8: see the data's ORIGIN."""
    return ((np.arange(60).reshape(3, 4, 5) + 100.0 * np.arange(4)[:, None, None, None]) / 8).astype(np.float32)


@pytest.mark.parametrize("name", ["pet_raw", "pet_gzip"])
def test_a_sequence_that_slicer_wrote_says_all_that_is_needed(name):
    found = read_series(DATA / f"{name}.seq.nrrd")
    np.testing.assert_array_equal(found.timing.start_s, [-5.0, 5.0, 35.0, 95.5])
    np.testing.assert_array_equal(found.timing.duration_s, [10.0, 30.0, 60.0, 120.0])
    np.testing.assert_array_equal(read_all(found), true_voxels())
    assert found.geometry.spacing_mm == pytest.approx((4.0, 4.0, 3.27))
    # Slicer's RAS origin (20, 24, -60) in LPS
    assert found.geometry.origin_mm == pytest.approx((-20.0, -24.0, -60.0))
    assert (found.tracer.name, found.tracer.radionuclide, found.tracer.half_life_s) == (
        "Fluorodeoxyglucose F18",
        "F-18",
        6586.2,
    )
    assert (found.injected_activity_mbq, found.weight_kg) == (370.0, 70.0)
    assert found.origin.series_uids == ("1.2.3", "1.2.4")
    assert found.suv_factor == pytest.approx(70.0 / 370.0)
    assert found.warnings == ()


def test_voxels_lie_where_simpleitk_puts_them():
    image = sitk.ReadImage(str(DATA / "pet_raw.seq.nrrd"))
    found = read_series(DATA / "pet_raw.seq.nrrd")
    assert image_geometry(image).difference(found.geometry, 1e-9) is None
    np.testing.assert_array_equal(np.moveaxis(sitk.GetArrayFromImage(image), -1, 0), read_all(found))


@pytest.mark.parametrize("name", ["pet_raw", "pet_gzip"])
def test_slabs_and_rows_are_those_of_the_whole(name):
    found = read_series(DATA / f"{name}.seq.nrrd")
    np.testing.assert_array_equal(found.voxels.read([3, 1], 1, 3), true_voxels()[[3, 1], 1:3])
    assert isinstance(found.voxels, RowVoxelSource)
    np.testing.assert_array_equal(found.voxels.read_rows(2, 0, 2, 1, 4), true_voxels()[2, 0:2, 1:4])


def test_what_was_assumed_and_replaced_goes_along(tmp_path):
    said = ('Weight "72 kg" of the header\\folder was taken.', "Zeitversatz: 30 s · geschätzt")
    series = replace(small_series(FrameTiming([0, 10], [10, 20])), warnings=said, overrides={"weight_kg": 72.0})
    write_sequence(series, tmp_path / "out.seq.nrrd")
    found = read_series(tmp_path / "out.seq.nrrd", Overrides(dose_mbq=300.0))
    assert found.warnings == said
    assert found.overrides == {"weight_kg": 72.0, "dose_mbq": 300.0}


def test_an_uncompressed_sequence_is_read_where_it_lies(monkeypatch):
    found = read_series(DATA / "pet_raw.seq.nrrd")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: pytest.fail("unpacked"))
    np.testing.assert_array_equal(found.voxels.read([0], 2, 3), true_voxels()[:1, 2:3])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["<f4", ">i2", "<u2", "<f8"])
def test_older_files_with_the_list_axis_first_are_read(tmp_path, packed, kind):
    """Slicer up to 5.0 wrote frames as the fastest axis."""
    values = np.round(true_voxels() * 8).astype(kind)
    names = {"f4": "float", "i2": "short", "u2": "unsigned short", "f8": "double"}
    lines = [
        "NRRD0005",
        f"type: {names[kind[1:]]}",
        "dimension: 4",
        "space: right-anterior-superior",
        "sizes: 4 5 4 3",
        "space directions: none (-4,0,0) (0,-4,0) (0,0,3.27)",
        "kinds: list domain domain domain",
        'labels: "time" "" "" ""',
        f"endian: {'big' if kind[0] == '>' else 'little'}",
        f"encoding: {'gzip' if packed else 'raw'}",
        "space origin: (20,24,-60)",
        "axis 0 index type:=numeric",
        "axis 0 index values:=-5 5 35 95.5",
        "DynamicPET.HalfLife_s:=6586.2",
        "DynamicPET.DecayCorrectedTo:=injection",
        "DynamicPET.Units:=Bq/mL",
    ]
    for i, (start, duration) in enumerate([(-5, 10), (5, 30), (35, 60), (95.5, 120)]):
        lines += [f"axis 0 item {i:04d} DynamicPET.FrameStart_s:={start}"]
        lines += [f"axis 0 item {i:04d} DynamicPET.FrameDuration_s:={duration}"]
    data = np.moveaxis(values, 0, -1).tobytes()
    path = tmp_path / "old.seq.nrrd"
    path.write_bytes(("\n".join(lines) + "\n\n").encode() + (gzip.compress(data) if packed else data))
    found = read_series(path)
    np.testing.assert_allclose(read_all(found), values.astype(np.float32) * np.float32(1e-3), rtol=1e-6)
    assert found.geometry.difference(read_series(DATA / "pet_raw.seq.nrrd").geometry, 1e-6) is None


def test_what_is_written_reads_back_the_same(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    series = small_series(
        FrameTiming([-3.5, 10.0, 100.25], [12.0, 60.0, 300.0]), direction=np.array([[c, -s, 0], [s, c, 0], [0, 0, -1]])
    )
    path = tmp_path / "out.seq.nrrd"
    write_sequence(series, path)
    found = read_series(path)
    np.testing.assert_array_equal(read_all(found), read_all(series))
    np.testing.assert_array_equal(found.timing.start_s, series.timing.start_s)
    np.testing.assert_array_equal(found.timing.duration_s, series.timing.duration_s)
    assert found.geometry.difference(series.geometry, 1e-9) is None
    assert (found.tracer, found.weight_kg, found.injected_activity_mbq, found.decay_weighted) == (
        series.tracer,
        series.weight_kg,
        series.injected_activity_mbq,
        series.decay_weighted,
    )
    # the frames, and their place, as a reader that knows nothing of us sees them
    image = sitk.ReadImage(str(path))
    assert image_geometry(image).difference(series.geometry, 1e-6) is None
    np.testing.assert_array_equal(np.moveaxis(sitk.GetArrayFromImage(image), -1, 0), read_all(series))


def test_a_sequence_names_no_patient(tmp_path):
    path = tmp_path / "out.seq.nrrd"
    write_sequence(small_series(), path)
    assert b"SIMULATED" not in path.read_bytes()


# -------------------------------------------------------------------------- what others leave out


def test_all_that_multivolumeimporter_leaves_out_is_asked_for_at_once():
    with pytest.raises(InputError) as refused:
        read_series(DATA / "multivolume.seq.nrrd")
    for part in ("frames=6x10", "first_frame=0", "units=", "decay_corrected_to=", "--half-life"):
        assert part in str(refused.value)


@pytest.mark.parametrize("left_out", list(STATED))
def test_each_statement_that_is_left_out_is_asked_for(left_out):
    statements = {k: v for k, v in STATED.items() if k != left_out}
    with pytest.raises(InputError, match=f"--set {left_out}="):
        read_series(DATA / "multivolume.seq.nrrd", FDG, statements)


def test_with_statements_multivolumeimporters_sequence_is_read():
    found = read_series(DATA / "multivolume.seq.nrrd", FDG, STATED)
    np.testing.assert_allclose(found.timing.start_s, [-5.0, 5.0, 35.0, 95.5])
    np.testing.assert_array_equal(read_all(found), true_voxels())
    assert found.overrides == {"half_life_s": 6586.2, **STATED}
    (warning,) = found.warnings
    assert "AcquisitionTime" in warning and "MultiVolumeImporter" in warning


def test_voxels_that_are_not_at_injection_are_brought_there():
    lam = np.log(2) / 6586.2
    at = read_series(DATA / "multivolume.seq.nrrd", FDG, STATED | {"decay_corrected_to": "600"})
    np.testing.assert_allclose(read_all(at), true_voxels() * np.exp(600 * lam), rtol=1e-6)
    none = read_series(DATA / "multivolume.seq.nrrd", FDG, STATED | {"decay_corrected_to": "none"})
    factors = none.timing.decay_factors(lam)[:, None, None, None]
    np.testing.assert_allclose(read_all(none), true_voxels() * factors, rtol=1e-6)
    assert none.decay_weighted and not at.decay_weighted


def test_suv_takes_dose_and_weight():
    given = Overrides(half_life_s=6586.2, dose_mbq=300.0, weight_kg=60.0)
    found = read_series(DATA / "multivolume.seq.nrrd", given, STATED | {"units": "g/mL"})
    np.testing.assert_allclose(read_all(found), true_voxels() * 5.0, rtol=1e-6)
    assert found.suv_factor == pytest.approx(1.0)
    with pytest.raises(InputError, match="--dose"):
        read_series(DATA / "multivolume.seq.nrrd", FDG, STATED | {"units": "g/mL"})


def test_statements_override_the_file():
    found = read_series(DATA / "pet_raw.seq.nrrd", Overrides(weight_kg=80.0), {"first_frame": "0", "units": "Bq/mL"})
    np.testing.assert_allclose(found.timing.start_s, [0.0, 10.0, 40.0, 100.5])
    np.testing.assert_allclose(read_all(found), true_voxels() * 1e-3, rtol=1e-6)
    assert found.weight_kg == 80.0


def edited(tmp_path: Path, old: bytes, new: bytes, source: str = "pet_raw") -> Path:
    data = (DATA / f"{source}.seq.nrrd").read_bytes()
    assert old in data
    path = tmp_path / "edited.seq.nrrd"
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"NRRD0004", b"PNG 0004", "is not a NRRD file"),
        (b"encoding: raw", b"encoding: bzip2", "encoding 'bzip2'"),
        (b"type: float", b"type: block", "type 'block'"),
        (b"space: left-posterior-superior\n", b"", "orientation of its axes"),
        (b"space origin: (-20,-24,-60.000000000000007)", b"space origin: (-20)", "not a volume in space"),
        (b"(4,0,0)", b"(0,0,0)", "axis without a length"),
        (b"(4,0,0)", b"(4,1,0)", "right angles"),
        (b"space directions: (4,0,0) (0,4,0) (0,0,3.27) none\n", b"", "where its voxels lie"),
        (b"sizes: 5 4 3 4", b"sizes: 5 4 9 4", "truncated"),
        (b"sizes: 5 4 3 4", b"sizes: 5 4 3 1", "one volume"),
        (b"sizes: 5 4 3 4", b"sizes: 5 4 x 4", "does not state its sizes"),
        (b"encoding: raw", b"data file: pet.raw\nencoding: raw", "in another file"),
        (b"encoding: raw", b"byte skip: 7\nencoding: raw", "skips bytes"),
        (b"item 0002 DynamicPET.Units:=kBq/mL", b"item 0002 DynamicPET.Units:=Bq/mL", "differ in DynamicPET.Units"),
        (b"DynamicPET.FrameDuration_s:=60.0", b"DynamicPET.FrameDuration_s:=sixty", "'sixty', not a number"),
        (b"DynamicPET.FrameDuration_s:=60.0", b"DynamicPET.FrameDuration_s:=90.0", "overlap"),
        (b"DynamicPET.FrameStart_s:=35.0", b"DynamicPET.FrameStart_s:=nan", "not a finite number"),
        (b"DynamicPET.HalfLife_s:=6586.2", b"DynamicPET.HalfLife_s:=0", "above zero"),
        (b"DynamicPET.DecayCorrectedTo:=injection", b"DynamicPET.DecayCorrectedTo:=soon", "'soon', not a number"),
        (b"DynamicPET.Units:=kBq/mL", b"DynamicPET.Units:=HU", "not an activity concentration"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, old, new, message):
    with pytest.raises(InputError, match=message) as refused:
        read_series(edited(tmp_path, old, new))
    assert str(tmp_path) not in str(refused.value)


def test_a_packed_file_that_breaks_off_is_refused_when_it_is_read(tmp_path):
    path = tmp_path / "short.seq.nrrd"
    path.write_bytes((DATA / "pet_gzip.seq.nrrd").read_bytes()[:-60])
    found = read_series(path)
    with pytest.raises(InputError, match="truncated or damaged"):
        read_all(found)


def test_a_packed_file_with_wrong_bytes_is_refused_when_it_is_read(tmp_path):
    whole = (DATA / "pet_gzip.seq.nrrd").read_bytes()
    path = tmp_path / "wrong.seq.nrrd"
    for at in range(whole.index(b"\n\n") + 2, len(whole) - 15, 20):
        data = bytearray(whole)
        data[at : at + 15] = np.random.default_rng(at).bytes(15)
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"wrong\.seq\.nrrd is truncated or damaged"):
            read_all(read_series(path))


def test_a_full_disk_is_said_and_nothing_is_left(monkeypatch):
    class Full:
        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

    found = read_series(DATA / "pet_gzip.seq.nrrd")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: Full())
    with pytest.raises(ResourceError, match="could not be unpacked: No space left"):
        read_all(found)


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ({"frames": "3x10"}, "gives 3 frames, but multivolume.seq.nrrd has 4"),
        ({"frames": "ten"}, "COUNTxSECONDS"),
        ({"first_frame": "soon"}, "first_frame in multivolume.seq.nrrd is 'soon'"),
        ({"units": "HU"}, "not an activity concentration"),
    ],
)
def test_impossible_statements_are_refused(statements, message):
    with pytest.raises(InputError, match=message):
        read_series(DATA / "multivolume.seq.nrrd", FDG, STATED | statements)


def test_an_injection_time_cannot_be_related_to_a_sequence():
    with pytest.raises(InputError, match="no clock times"):
        read_series(DATA / "pet_raw.seq.nrrd", Overrides(injection_time="09:30:00"))


def test_info_describes_a_sequence(capsys):
    assert run("info", DATA / "pet_gzip.seq.nrrd") == 0
    said = capsys.readouterr().out
    assert "dynamic, 4 frames" in said and "Fluorodeoxyglucose F18" in said
    info = series_info(read_series(DATA / "pet_gzip.seq.nrrd"))
    assert info["units"] == "kBq/mL" and info["frames"][1] == {"start_s": 5.0, "duration_s": 30.0}


def test_a_sequence_estimates_like_the_series_it_was_made_from(tmp_path):
    from synthetic import Patient, load_map

    patient = Patient()
    pet = patient.save(tmp_path / "nifti")
    series = read_series(pet)
    write_sequence(series, tmp_path / "pet.seq.nrrd")
    maps = []
    for name, source in (("a", pet), ("b", tmp_path / "pet.seq.nrrd")):
        arguments = ("--roi", tmp_path / "nifti" / "aorta.nii", "--method", "patlak", "-o", tmp_path / name)
        assert run("estimate", source, *arguments) == 0
        maps.append(load_map(tmp_path / name / "ki.nii.gz"))
    np.testing.assert_array_equal(*maps)
    assert np.abs(maps[0][patient.tissue]).max() > 0.01
