"""What our network sees: the same numbers in any framing and at any dose, and a model that explains them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import exponents, two_tissue_frames
from petkinetics.networks.default_network import (
    FAST,
    SLICES,
    DefaultNetwork,
    TurnedMean,
    TwoTissueHead,
    linear_response,
    rate_constants,
    with_neighbours,
)
from petkinetics.networks.features import (
    CONDITIONS,
    FEATURES,
    KI_UNIT,
    LINEAR,
    WINDOWS,
    FeatureDesign,
    condition,
    feature_design,
    late_frames,
    log_sd,
)
from petkinetics.networks.model_rows import KNEE, STEP, model_rows
from petkinetics.simulate.blood import input_function, random_blood

DECAY = np.log(2.0) / 6586.2
PAPER = FrameTiming.parse("liang2023")
SHORT = PAPER.select(PAPER.until(35.0))


@pytest.fixture(scope="module")
def blood() -> InputFunction:
    return input_function(random_blood(np.random.default_rng(3), 300.0, 70.0), 66 * 60.0)


def design_of(blood: InputFunction, timing: FrameTiming) -> FeatureDesign:
    return feature_design(blood, timing, timing.duration_s[late_frames(timing)], DECAY)


def tissue(blood: InputFunction, timing: FrameTiming, *rates: float) -> np.ndarray:
    return two_tissue_frames(blood, timing, *rates, decay_per_s=DECAY)


def test_a_dose_twice_as_high_changes_no_feature(blood: InputFunction) -> None:
    twice = replace(
        blood,
        plasma_kbq_per_ml=2 * blood.plasma_kbq_per_ml,
        whole_blood_kbq_per_ml=2 * blood.whole_blood_kbq_per_ml,
    )
    once, double = design_of(blood, SHORT), design_of(twice, SHORT)
    frames = tissue(blood, SHORT, 0.1, 0.3, 0.02, 0.0, 0.05)
    assert double.rows @ (2 * frames) == pytest.approx(once.rows @ frames, rel=1e-9)
    assert double.condition == pytest.approx(once.condition, abs=1e-9)


@pytest.mark.parametrize(
    "spec", ["35x60", "12x10,6x20,6x60,4x150,3x300", "7x300", "4x15,4x30,3x60,2x120,2x180,2x270,1x600"]
)
def test_another_framing_of_the_same_half_hour_gives_about_the_same_features(blood: InputFunction, spec: str) -> None:
    timing = FrameTiming.parse(spec)
    end = float(timing.end_s[-1]) / 60
    mine, paper = design_of(blood, timing), design_of(blood, SHORT)
    for rates in ((0.1, 0.3, 0.02, 0.0, 0.05), (0.9, 0.95, 0.004, 0.0, 0.15), (0.02, 0.2, 0.015, 0.0, 0.02)):
        a = mine.rows @ tissue(blood, timing, *rates)
        b = paper.rows @ tissue(blood, SHORT, *rates)
        assert a[WINDOWS:] == pytest.approx(b[WINDOWS:], rel=0.05), f"until {end}"
        assert a[WINDOWS - 4 : WINDOWS] == pytest.approx(b[WINDOWS - 4 : WINDOWS], rel=0.12)


def test_blood_itself_is_one_in_every_late_window(blood: InputFunction) -> None:
    plasma = blood.plasma_frame_mean(SHORT, DECAY)
    late = design_of(blood, SHORT).rows[WINDOWS - 4 : WINDOWS] @ plasma
    assert late == pytest.approx(np.ones(4), rel=1e-9)


def test_ki_and_v0_of_a_trapping_tissue_are_patlak_s(blood: InputFunction) -> None:
    design = design_of(blood, SHORT)
    integral = blood.plasma_integral_frame_mean(SHORT, DECAY)
    plasma = blood.plasma_frame_mean(SHORT, DECAY)
    found = design.rows[WINDOWS:] @ (0.013 * integral + 0.4 * plasma)
    assert found == pytest.approx([0.013 / KI_UNIT, 0.4], rel=1e-6)


def test_the_condition_has_its_length_and_stays_of_size_one(blood: InputFunction) -> None:
    found = condition(design_of(blood, SHORT), (1.95, 1.95, 2.79), (2.3, 2.3, 2.3))
    assert found.shape == (CONDITIONS,) and np.abs(found).max() < 4
    assert FEATURES == LINEAR + 1
    assert log_sd(np.float32([1e-3, 1e-2, 0.0])) == pytest.approx([0.0, 1.0, -3.0])


def test_a_scan_with_too_few_late_frames_is_refused_with_what_to_do(blood: InputFunction) -> None:
    with pytest.raises(InputError, match="after 9 min") as caught:
        design_of(blood, PAPER.select(PAPER.until(12.0)))
    assert "--until" in (caught.value.hint or "")


# ---------------------------------------------------------------------------------- the head and its model


def test_the_head_s_response_is_the_two_tissue_model_of_its_rate_constants() -> None:
    torch.manual_seed(1)
    response = TwoTissueHead()(2 * torch.randn(1, 5, 9, 9))
    k1, k2, k3, k4, fv = rate_constants(response[0]).double().numpy()
    alpha1, alpha2, a, b = exponents(k1, k2, k3, k4)
    own = response[0].double().numpy()
    assert a * (1 - fv) == pytest.approx(own[0], rel=1e-3, abs=1e-7)
    assert b * (1 - fv) == pytest.approx(own[1], rel=1e-3, abs=1e-6)
    assert alpha1 == pytest.approx(own[2], rel=1e-2, abs=1e-6)
    assert alpha2 == pytest.approx(own[3], rel=1e-3)
    assert (own[3] >= FAST[0] - 1e-6).all() and (own[3] <= FAST[1] + 1e-6).all()


def test_linear_response_gives_the_exact_model_s_features_ki_and_v0(blood: InputFunction) -> None:
    k1, k2, k3, fv = 0.12, 0.35, 0.025, 0.06
    design = design_of(blood, SHORT)
    rows = model_rows(blood, SHORT, design.rows, DECAY, DECAY)
    alpha1, alpha2, a, b = (float(v) for v in exponents(k1, k2, k3, 0.0))
    response = torch.tensor([(1 - fv) * a, (1 - fv) * b, alpha1, alpha2, fv]).float().reshape(1, 5, 1, 1)
    found = linear_response(
        response, torch.from_numpy(rows.table)[None], torch.from_numpy(rows.blood)[None], KNEE, STEP
    )
    exact = design.rows @ tissue(blood, SHORT, k1, k2, k3, 0.0, fv)
    assert found[0, :LINEAR, 0, 0].numpy() == pytest.approx(exact, rel=2e-3)
    ki = (1 - fv) * k1 * k3 / (k2 + k3)
    assert float(found[0, LINEAR]) * KI_UNIT == pytest.approx(ki, rel=0.03)  # Patlak on a plot not yet straight


@pytest.mark.parametrize("raw", [0.0, 30.0, -30.0])
def test_gradients_are_finite_at_every_bound(blood: InputFunction, raw: float) -> None:
    design = design_of(blood, SHORT)
    rows = model_rows(blood, SHORT, design.rows, DECAY, DECAY)
    values = torch.full((1, 5, 3, 3), raw, requires_grad=True)
    response = TwoTissueHead()(values)
    found = linear_response(
        response, torch.from_numpy(rows.table)[None], torch.from_numpy(rows.blood)[None], KNEE, STEP
    )
    (found.square().sum() + rate_constants(response[0]).square().sum()).backward()
    assert values.grad is not None and bool(torch.isfinite(values.grad).all())


def test_neighbours_beyond_the_ends_are_the_last_slices_again() -> None:
    features = torch.arange(4.0).reshape(4, 1, 1, 1)
    found = with_neighbours(features, [0, 3])[:, :, 0, 0]
    assert SLICES == 5
    assert found.tolist() == [[0, 0, 0, 1, 2], [1, 2, 3, 3, 3]]


@pytest.mark.parametrize("shape", [(32, 32), (45, 31)])
def test_the_network_answers_for_any_size_of_image(shape: tuple[int, int]) -> None:
    network = DefaultNetwork(widths=(8, 8), blocks=(1, 1))
    found = network(torch.randn(2, SLICES * FEATURES, *shape), torch.zeros(2, CONDITIONS))
    assert found.shape == (2, 5, *shape)


def test_without_normalisation_a_crop_answers_as_the_whole_does() -> None:
    torch.manual_seed(2)
    network = DefaultNetwork(widths=(8, 8), blocks=(1, 1)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    image, zeros = torch.randn(1, SLICES * FEATURES, 96, 96), torch.zeros(1, CONDITIONS)
    with torch.no_grad():
        whole, part = network(image, zeros), network(image[..., 32:96, 32:96], zeros)
    inner = slice(24, 64)
    assert part[..., inner, inner].numpy() == pytest.approx(whole[..., 56:96, 56:96].numpy(), rel=1e-4, abs=1e-6)


def test_in_use_a_turned_body_gets_the_turned_answer() -> None:
    torch.manual_seed(3)
    network = DefaultNetwork(widths=(8, 8), blocks=(1, 1))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    features, condition_ = torch.randn(1, SLICES * FEATURES, 24, 20), torch.zeros(1, CONDITIONS)
    turned = features.flip(-2, -1)
    with torch.inference_mode():
        alone = [network(x, condition_) for x in (features, turned)]
        mean = [TurnedMean(network)(x, condition_) for x in (features, turned)]
    assert not torch.allclose(alone[0], alone[1].flip(-2, -1), rtol=1e-2)
    assert torch.allclose(mean[0], mean[1].flip(-2, -1), rtol=1e-5)
    # one set of numbers: the head's parameters lie between the two answers
    low, high = torch.minimum(alone[0], alone[1].flip(-2, -1)), torch.maximum(alone[0], alone[1].flip(-2, -1))
    assert ((mean[0] >= low - 1e-6) & (mean[0] <= high + 1e-6)).all()
