"""Worlds of a study in which the person weighs more or less, moves, or was given a tracer that is not trapped."""

from __future__ import annotations

import numpy as np
import pytest

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.body import Body
from petkinetics.simulate.calibration import count_noise
from petkinetics.simulate.movement import Movement, moved_grids
from petkinetics.simulate.osem_world import calibrated_sensitivity, reconstructed_frames
from petkinetics.simulate.patient import DigitalPatient, noise_cov, simulate_patient
from petkinetics.simulate.physiology import RELEASE
from petkinetics.studies.patient_problem import middle_slices
from petkinetics.studies.ratios import kind_of
from petkinetics.studies.worlds import World

SEED = 90_005
FRAMES = "1x120,3x300,1x2880,1x300"
LAST = FrameTiming([3600.0], [300.0])
HERE = middle_slices("small", 4)


def patient(world: str, noise: bool = True) -> DigitalPatient:
    if noise:
        return World.parse(f"frames={FRAMES}+{world}").patient("thorax", "small", SEED, 1.0, HERE, lambda *_: None)
    settings = World.parse(world)
    return simulate_patient(
        seed=SEED, timing=FrameTiming.parse(FRAMES), noise=False, geometry=HERE,
        movement=settings.movement, tracer=settings.tracer, weight_kg=settings.weight_kg,
    )  # fmt: skip


def test_a_heavy_person_is_wider_gets_as_much_a_kilogram_and_is_noisier() -> None:
    usual = Body.random("thorax", SEED)
    light, heavy = (Body.random("thorax", SEED, weight_kg=kg) for kg in (45.0, 130.0))
    assert (light.weight_kg, heavy.weight_kg) == (45.0, 130.0)
    for body in (light, heavy):
        per_kg = body.injected_activity_mbq / body.weight_kg
        assert per_kg == pytest.approx(usual.injected_activity_mbq / usual.weight_kg, rel=1e-3)
        np.testing.assert_allclose(body.blood.feng, usual.blood.feng, rtol=1e-3)
        assert body.kinetics == usual.kinetics
    volumes = [float((b.paint(HERE).labels > 0).sum()) for b in (light, usual, heavy)]
    assert volumes[0] < volumes[1] < volumes[2] and volumes[2] > 1.4 * volumes[0]
    axes = grid_axes(HERE)
    flat = np.ones(HERE.shape, np.float32)

    def variance(body: Body, calibrated: Body | None) -> float:
        noise = count_noise(body, usual.input_function, LAST, 1.0, calibrated)
        return float(noise.variance(0, flat, *axes)[body.paint(HERE).labels > 0].mean())

    one = variance(usual, None)
    assert variance(usual, usual) == pytest.approx(one)
    assert variance(light, usual) < 0.9 * one
    assert 1.3 * one < variance(heavy, usual) < 4.0 * one
    # where the scanner is calibrated anew, weight makes no noise
    assert variance(heavy, None) == pytest.approx(one, rel=0.25)


@pytest.mark.slow
def test_counted_and_reconstructed_a_heavy_person_is_noisier_as_well() -> None:
    usual, heavy = Body.random("thorax", SEED), Body.random("thorax", SEED, weight_kg=130.0)
    where = middle_slices("small", 1, shift=-6)
    sensitivity = calibrated_sensitivity(usual, noise_cov(usual))

    def cov(body: Body) -> float:
        liver = body.paint(where).labels == next(k for k, n in body.anatomy.names.items() if n == "liver")
        found = reconstructed_frames(body, where, usual.input_function, LAST, 1.0, sensitivity)[0][liver]
        return float(found.std() / found.mean())

    assert 1.15 * cov(usual) < cov(heavy) < 2.2 * cov(usual)


def test_the_scan_says_what_was_injected_and_at_what_weight() -> None:
    found = patient("weight=130")
    assert found.series.weight_kg == 130.0
    assert found.settings["injected_activity_mbq"] == found.series.injected_activity_mbq
    with pytest.raises(InputError, match="The weight is 5 kg"):
        Body.random("thorax", SEED, weight_kg=5.0)


def test_a_patient_who_moves_is_seen_in_another_place_and_with_the_noise_of_that_place() -> None:
    still, moved = patient("dose=1", noise=False), patient("move=8", noise=False)
    timing = FrameTiming.parse(FRAMES)
    offsets = Movement(8.0).offsets(SEED, timing)
    late = np.linalg.norm(offsets, axis=1) > 0
    np.testing.assert_array_equal(late, [False, False, False, False, True, True])
    assert np.linalg.norm(offsets[-1]) == pytest.approx(8.0)
    np.testing.assert_array_equal(moved.noise_free[~late], still.noise_free[~late])
    # the scanner sees at a place what lay that far before it
    there = next(moved_grids(offsets, HERE))[1]
    np.testing.assert_allclose(np.subtract(HERE.origin_mm, there.origin_mm), offsets[-1])
    elsewhere = simulate_patient(seed=SEED, timing=timing, noise=False, geometry=there)
    np.testing.assert_array_equal(moved.noise_free[late], elsewhere.noise_free[late])
    assert np.abs(moved.noise_free[-1] - still.noise_free[-1]).max() > 0.2 * still.noise_free[-1].max()
    # truth, labels and aorta are those of the first position
    np.testing.assert_array_equal(moved.truth["ki_patlak_9_65"], still.truth["ki_patlak_9_65"])
    np.testing.assert_array_equal(moved.labels, still.labels)
    noisy, noisy_still = patient("move=8"), patient("dose=1")
    values = [p.series.voxels.read([5], 0, 4)[0] - p.noise_free[5] for p in (noisy, noisy_still)]
    inside = still.body_mask
    assert values[0][inside].std() == pytest.approx(values[1][inside].std(), rel=0.1)
    np.testing.assert_array_equal(noisy.noise_free, moved.noise_free)


def test_a_drift_goes_on_from_frame_to_frame_in_one_direction() -> None:
    timing = FrameTiming.parse("13x300")
    offsets = Movement(6.0, drift=True).offsets(SEED, timing)
    lengths = np.linalg.norm(offsets, axis=1)
    assert lengths[0] == 0 and lengths[-1] == pytest.approx(6.0) and (np.diff(lengths) >= 0).all()
    assert len(list(moved_grids(offsets, HERE))) == 6
    parallel = offsets @ (offsets[-1] / 6.0)
    np.testing.assert_allclose(parallel, lengths, atol=1e-9)


def test_a_tracer_that_is_released_leaves_little_of_patlaks_slope() -> None:
    usual, released = patient("dose=1", noise=False), patient("tracer=reversible", noise=False)
    liver = usual.labels == next(k for k, n in usual.label_names.items() if n == "liver")
    k4 = released.truth["k4"][released.truth["k3"] > 0]
    assert k4.min() >= RELEASE[0] and k4.max() <= np.float32(RELEASE[1])
    np.testing.assert_array_equal(released.truth["k3"], usual.truth["k3"])
    body = usual.body_mask
    before, after = (p.truth["ki_patlak_9_65"][body].mean() for p in (usual, released))
    assert abs(after) < 0.25 * before
    assert np.isnan(released.truth["v0"][liver]).all() and np.isfinite(released.truth["v0_patlak_9_65"]).all()
    # what was injected is the same, and so is the blood
    np.testing.assert_array_equal(usual.input_function.plasma_kbq_per_ml, released.input_function.plasma_kbq_per_ml)
    lesions = Body.random("thorax", SEED).with_tracer("reversible").lesions
    assert len({one.kinetics.k4 for one in lesions}) == len(lesions)
    with pytest.raises(InputError, match="'glue' is not a tracer"):
        Body.random("thorax", SEED).with_tracer("glue")


def test_a_world_of_75_minutes_keeps_the_reference_of_65_and_can_be_cut() -> None:
    world = World.parse("frames=6x10,4x30,4x60,4x120,12x300")
    found = world.patient("thorax", "small", SEED, 1.0, middle_slices("small", 1), lambda *_: None)
    timing = found.series.timing
    assert timing.end_s[-1] == 75 * 60 and found.input_function.end_s >= 75 * 60
    assert timing.end_s[timing.until(70.0)[-1]] == 70 * 60
    usual = simulate_patient(seed=SEED, geometry=middle_slices("small", 1), noise=False)
    np.testing.assert_allclose(found.truth["ki_patlak_9_65"], usual.truth["ki_patlak_9_65"], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weight=5", "30 to 200"),
        ("move=80", "0.1 to 50"),
        ("move=3+drift=3", "not both"),
        ("tracer=glue", "'glue' is not a tracer"),
    ],
)
def test_impossible_worlds_are_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        World.parse(text)


def test_what_a_world_changes() -> None:
    kinds = [kind_of(world) for world in ("weight=45", "move=6", "drift=6", "tracer=reversible", "move=6+weight=130")]
    assert kinds == ["body", "movement", "movement", "tracer", "several"]
