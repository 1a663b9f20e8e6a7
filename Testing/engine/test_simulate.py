"""Digital patients: physiology, lesions, blood and the person behind a seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import two_tissue_frames
from petkinetics.series import VolumeGeometry
from petkinetics.simulate import seeds
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.blood import feng, input_function, random_blood
from petkinetics.simulate.body import draw_weight_and_dose
from petkinetics.simulate.lesions import BENIGN_KI, MALIGNANT_KI
from petkinetics.simulate.patient import (
    FDG,
    LESION_LABEL,
    Body,
    grid,
    noise_free_frames,
    simulate_patient,
)
from petkinetics.simulate.physiology import draw_kinetics
from petkinetics.simulate.thorax import Thorax
from petkinetics.simulate.thorax.template import TISSUES

NAMES = dict(enumerate(TISSUES))
LABEL = {name: label for label, name in NAMES.items()}
BLOOD = (
    *("left ventricle", "left atrium", "right heart", "pulmonary artery"),
    *("superior vena cava", "inferior vena cava", "aorta"),
)


@pytest.fixture(scope="module")
def patient():
    return simulate_patient(seed=1)


@pytest.fixture(scope="module")
def bodies():
    return [Body.random("thorax", seed) for seed in range(100, 110)]


# -- physiology --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tissue", "low", "high"),
    [
        ("muscle", 0.002, 0.004),
        ("lung", 0.001, 0.003),
        ("liver", 0.002, 0.006),
        ("spleen", 0.002, 0.006),
        ("vertebrae", 0.004, 0.008),
        ("myocardium", 0.01, 0.1),
    ],
)
def test_organ_means_of_ki_lie_in_the_literature(tissue: str, low: float, high: float) -> None:
    label = {LABEL[tissue]: tissue}
    ki = np.array([draw_kinetics(seed, label)[LABEL[tissue]].ki for seed in range(300)])
    assert low < ki.mean() < high
    assert low / 3 < ki.min()
    assert ki.max() < high * 2


@pytest.mark.parametrize("tissue", ["muscle", "lung", "liver", "spleen", "vertebrae", "myocardium", "kidney", "bowel"])
def test_patients_differ_by_a_quarter_or_more(tissue: str) -> None:
    label = {LABEL[tissue]: tissue}
    drawn = [draw_kinetics(seed, label)[LABEL[tissue]] for seed in range(300)]
    for name in ("ki", "k1", "k2", "k3", "fv"):
        values = np.array([getattr(k, name) for k in drawn])
        assert values.std() / values.mean() >= 0.25, name


@pytest.mark.parametrize("tissue", ["liver", "lung", "muscle", "spleen", "subcutaneous fat", "vertebrae"])
def test_texture_within_an_organ_is_a_tenth_or_more(patient, tissue: str) -> None:
    inside = patient.labels == LABEL[tissue]
    for name in ("ki", "k1", "k2", "k3"):
        values = patient.truth[name][inside]
        assert values.std() / values.mean() >= 0.10, name


def test_blood_has_no_texture_and_takes_up_nothing(patient) -> None:
    blood = np.isin(patient.labels, [LABEL[name] for name in BLOOD])
    assert np.all(patient.truth["fv"][blood] == 1.0)
    assert np.all(patient.truth["ki"][blood] == 0.0)
    ratio = patient.settings["plasma_to_whole_blood"]
    np.testing.assert_allclose(patient.truth["v0"][blood], 1.0 / ratio, rtol=1e-6)


def test_truth_follows_the_one_meaning_of_ki_and_v0(patient) -> None:
    k1, k2, k3, fv = (patient.truth[n].astype(float) for n in ("k1", "k2", "k3", "fv"))
    tissue = k2 + k3 > 0
    ki = ((1 - fv) * k1 * k3)[tissue] / (k2 + k3)[tissue]
    v0 = ((1 - fv) * k1 * k2)[tissue] / (k2 + k3)[tissue] ** 2
    v0 += fv[tissue] / patient.settings["plasma_to_whole_blood"]
    np.testing.assert_allclose(patient.truth["ki"][tissue], ki, rtol=1e-5)
    np.testing.assert_allclose(patient.truth["v0"][tissue], v0, rtol=1e-5)
    assert np.all(patient.truth["k4"] == 0.0)


def test_all_organs_are_in_the_picture_and_of_human_size(bodies) -> None:
    geometry = grid("small")
    volumes = []
    for body in bodies[:4]:
        labels = body.anatomy.paint(*grid_axes(geometry))
        volumes.append(np.bincount(labels.ravel(), minlength=len(TISSUES)) * geometry.voxel_volume_ml)
    mean = dict(zip(TISSUES, np.mean(volumes, axis=0), strict=True))
    assert all(volume > 1.0 for volume in mean.values())
    # mL in 198 mm of trunk; liver, lungs and kidneys are cut at the ends of the scan
    ranges = {"liver": (700, 1900), "lung": (1200, 3500), "spleen": (50, 300), "myocardium": (60, 160)}
    ranges |= {"aorta": (80, 200), "left ventricle": (30, 120), "kidney": (30, 250)}
    for name, (low, high) in ranges.items():
        assert low < mean[name] < high, (name, mean[name])


# -- lesions -----------------------------------------------------------------------------------


def test_every_patient_has_benign_and_malignant_lesions(bodies) -> None:
    for body in bodies:
        assert {lesion.malignant for lesion in body.lesions} == {True, False}
        for lesion in body.lesions:
            low, high = MALIGNANT_KI if lesion.malignant else BENIGN_KI
            assert low * 0.999 <= lesion.kinetics.ki <= high * 1.001
            assert lesion.kinetics.k3 <= 0.5


@pytest.mark.parametrize("seed", [0, 1])
def test_the_heaviest_patient_fits_into_the_field_of_view(seed: int) -> None:
    geometry = grid("small")
    labels = Thorax(seed, 95.0).paint(*grid_axes(geometry))
    assert not (labels[:, [0, -1]].any() or labels[:, :, [0, -1]].any())


def test_lesions_occur_in_many_places_the_skin_among_them(bodies) -> None:
    sites = {lesion.site for body in bodies for lesion in body.lesions}
    assert sites >= {"lung", "liver", "lymph node", "bone marrow", "soft tissue", "skin"}


def test_lesions_measure_6_to_40_mm(bodies) -> None:
    diameters = []
    for body in bodies[:3]:
        for lesion in body.lesions:
            step = lesion.diameter_mm / 16
            corner = [c - 14 * step for c in lesion.centre_mm]
            painted = body.paint(VolumeGeometry((29, 29, 29), (step, step, step), corner))
            volume = np.count_nonzero(painted.lesions == lesion.number) * step**3
            diameters.append((np.cbrt(6 * volume / np.pi), lesion.diameter_mm))
            assert np.all(painted.labels[painted.lesions > 0] == LESION_LABEL)
    measured, nominal = np.array(diameters).T
    assert np.all((measured > 6.0 * 0.97) & (measured < 40.0))
    np.testing.assert_allclose(measured, nominal, rtol=0.13)
    assert nominal.max() / nominal.min() > 2.5


def test_a_lesion_at_the_skin_hangs_on_to_the_body(bodies) -> None:
    found = [(body, lesion) for body in bodies for lesion in body.lesions if lesion.site == "skin"]
    for body, lesion in found:
        step = lesion.diameter_mm / 12
        corner = [c - 14 * step for c in lesion.centre_mm]
        painted = body.paint(VolumeGeometry((29, 29, 29), (step, step, step), corner))
        without = body.anatomy.paint(
            *((np.float32(c) + np.float32(step) * np.arange(29, dtype=np.float32)) for c in corner)
        )
        inside = without[painted.lesions == lesion.number] > 0
        assert inside.mean() > 0.3, "the lesion floats in air"
        from scipy import ndimage

        near = ndimage.binary_dilation(painted.lesions == lesion.number, iterations=3)
        assert (without[near] == 0).any(), "the lesion does not reach the surface"


def test_lesions_leave_blood_alone(bodies) -> None:
    geometry = grid("small")
    painted = bodies[0].paint(geometry)
    blood = np.isin(painted.labels, list(bodies[0].anatomy.blood))
    assert not (painted.lesions[blood] > 0).any()
    present = set(np.unique(painted.lesions)) - {0}
    assert present == {lesion.number for lesion in bodies[0].lesions}


# -- blood -------------------------------------------------------------------------------------


def test_feng_starts_at_zero_and_agrees_with_the_published_curve() -> None:
    published = (851.1, 21.88, 20.81, 4.134, 0.1191, 0.01043)
    t = np.array([0.0, 0.25, 10.0])
    c = feng(published, t)
    assert c[0] == 0.0
    expected = (851.1 * 0.25 - 21.88 - 20.81) * np.exp(-4.134 * 0.25) + 21.88 * np.exp(-0.1191 * 0.25)
    assert c[1] == pytest.approx(expected + 20.81 * np.exp(-0.01043 * 0.25))


def test_a_longer_injection_only_smooths_the_curve() -> None:
    blood = random_blood(np.random.default_rng(3), 300.0, 60.0)
    curve = input_function(blood, 3900.0)
    late = 2400.0
    area, _ = integrate.quad(lambda t: feng(blood.feng, np.array(t)).item(), 0, (late - blood.delay_s) / 60, limit=300)
    ours = np.trapezoid(curve.plasma_at(np.arange(0, late + 1)), np.arange(0, late + 1)) / 60
    # The injection moves activity later by half its length.
    lag = 0.5 * blood.injection_s / 60 * feng(blood.feng, np.array((late - blood.delay_s) / 60))
    assert ours == pytest.approx(area - lag, rel=1e-3)
    assert curve.plasma_at(blood.delay_s - 1.0) == 0.0


def test_input_functions_are_human() -> None:
    peaks, late, times = [], [], []
    for seed in range(60):
        blood = random_blood(np.random.default_rng(seed), 300.0, 60.0)
        curve = input_function(blood, 3900.0)
        time, height = curve.peak
        suv = 60.0 / 300.0
        peaks.append(height * suv)
        late.append(curve.whole_blood_at(3600.0) * suv)
        times.append(time)
        assert 1.04 <= blood.plasma_ratio <= 1.2
        assert curve.end_s >= 3900.0
    assert min(times) > 15
    assert max(times) < 120
    assert 10 < np.mean(peaks) < 25
    assert 1.0 < np.mean(late) < 2.0
    assert np.std(peaks) / np.mean(peaks) > 0.1


# -- the person and the seed -------------------------------------------------------------------


def test_weight_and_dose_are_those_of_the_paper() -> None:
    weight, dose = np.array([draw_weight_and_dose(seed) for seed in range(2000)]).T
    assert weight.mean() == pytest.approx(63.0, abs=1.0)
    assert weight.std() == pytest.approx(10.0, abs=0.7)
    assert 202.0 <= dose.min() < 206.0
    assert 402.0 < dose.max() <= 406.0


def test_seeds_of_training_validation_and_test_are_apart() -> None:
    ranges = [seeds.TRAINING_SEEDS, seeds.VALIDATION_SEEDS, seeds.TEST_SEEDS, seeds.AORTA_SEEDS]
    assert [(r[0], r[-1]) for r in ranges] == [(0, 89_999), (90_000, 90_099), (91_000, 91_029), (92_000, 92_099)]
    assert sum(len(r) for r in ranges) == len(set().union(*ranges))


def test_a_seed_is_one_patient_and_another_seed_another(patient) -> None:
    again = simulate_patient(seed=1)
    np.testing.assert_array_equal(again.series.voxels.values, patient.series.voxels.values)
    np.testing.assert_array_equal(again.labels, patient.labels)
    np.testing.assert_array_equal(again.input_function.plasma_kbq_per_ml, patient.input_function.plasma_kbq_per_ml)
    other = simulate_patient(seed=2, timing=FrameTiming([3600.0], [300.0]))
    assert np.mean(other.labels != patient.labels) > 0.05
    assert other.series.weight_kg != patient.series.weight_kg


def test_a_crop_shows_the_same_patient(patient) -> None:
    whole = patient.series.geometry
    origin = np.array(whole.origin_mm) + np.array([20, 22, 10]) * whole.spacing_mm
    crop = simulate_patient(seed=1, geometry=VolumeGeometry((20, 40, 44), whole.spacing_mm, origin), noise=False)
    where = (slice(10, 30), slice(22, 62), slice(20, 64))
    assert np.mean(crop.labels != patient.labels[where]) < 1e-3
    inner = (slice(6, -6),) * 3
    same = (crop.labels == patient.labels[where])[inner]
    np.testing.assert_allclose(crop.truth["ki"][inner][same], patient.truth["ki"][where][inner][same], rtol=1e-3)
    difference = crop.noise_free[-1][inner] - patient.noise_free[-1][where][inner]
    assert np.abs(difference).mean() < 1e-3 * patient.noise_free[-1].max()


def test_framing_changes_neither_patient_nor_reference(patient) -> None:
    short = simulate_patient(seed=1, timing=FrameTiming.parse("6x10,4x30,4x60,4x120,4x300"))
    np.testing.assert_array_equal(short.labels, patient.labels)
    np.testing.assert_array_equal(short.truth["ki_patlak_9_65"], patient.truth["ki_patlak_9_65"])
    np.testing.assert_allclose(short.noise_free[21], patient.noise_free[21], rtol=1e-5, atol=1e-5)


# -- kinetics ----------------------------------------------------------------------------------


def test_a_sharp_voxel_is_the_exact_two_tissue_model(patient) -> None:
    body = Body.random("thorax", 1)
    painted = body.paint(patient.series.geometry)
    timing = patient.series.timing
    frames, slope, intercept = noise_free_frames(painted, body.input_function, timing, lambda volume: volume)
    k, j, i = np.nonzero(painted.labels)
    some = np.random.default_rng(0).choice(k.size, 400, replace=False)
    where = (k[some], j[some], i[some])
    p = painted.parameters
    exact = two_tissue_frames(
        body.input_function, timing, *(m[where] for m in (p.k1, p.k2, p.k3, p.k4, p.fv)), decay_per_s=FDG.decay_per_s
    )
    scale = exact.max(axis=1, keepdims=True) + 1e-6
    assert np.abs(frames[(slice(None), *where)].T - exact).max() < 1e-3 * scale.max()
    assert np.abs((frames[(slice(None), *where)].T - exact) / scale).max() < 5e-4

    # Patlak on 9-65 min against Ki and V0, before any blur: its model error, largest where k2 is small
    ki, v0 = p.ki, p.v0(1.0 / body.blood.plasma_ratio)
    for name in ("liver", "lung", "muscle", "spleen", "vertebrae", "myocardium"):
        inside = painted.labels == LABEL[name]
        assert slope[inside].mean() == pytest.approx(ki[inside].mean(), rel=0.06), name
        assert intercept[inside].mean() == pytest.approx(v0[inside].mean(), rel=0.10), name
    blood = painted.labels == LABEL["aorta"]
    assert np.abs(slope[blood]).max() < 1e-5


def test_the_aorta_region_shows_the_true_blood(patient) -> None:
    measured = patient.noise_free[:, patient.aorta].mean(axis=1)
    true = patient.input_function.whole_blood_frame_mean(patient.series.timing, FDG.decay_per_s)
    arrived = true > 0.05 * true.max()
    assert patient.aorta.sum() >= 20
    np.testing.assert_allclose(measured[arrived], true[arrived], rtol=0.006)
    assert np.all(patient.labels[patient.aorta] == LABEL["aorta"])


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"anatomy": "foot"}, "'foot' is not an anatomy"),
        ({"size": "huge"}, "'huge' is not a size"),
        ({"dose": 0.0}, "dose is 0"),
        ({"dose": float("nan")}, "dose is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"timing": FrameTiming([-60.0], [30.0])}, "before injection"),
        ({"geometry": VolumeGeometry((2, 2, 2), (4, 4, 4), direction=np.eye(3)[[1, 0, 2]])}, "aligned"),
    ],
)
def test_the_impossible_is_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        simulate_patient(**arguments)  # type: ignore[arg-type]
