"""Losses of whole regions, of structure and of the response to an impulse; which slices are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from petkinetics.simulate.patient import LESION_LABEL
from petkinetics.training.examples import chosen_slices, regions_of
from petkinetics.training.impulse_loss import IMPULSE, IMPULSE_MIN, IMPULSE_UNIT, impulse_loss, impulse_of
from petkinetics.training.impulse_maps import ALPHA, MAPS, impulse_rows
from petkinetics.training.kinetic_loss import FIRST_LESION, region_loss, structure_loss


def test_regions_are_organs_and_single_lesions() -> None:
    labels = np.zeros((2, 20, 20), np.uint8)
    labels[:, 2:10, 2:10] = 7
    labels[:, 3:5, 3:5] = 200
    labels[:, 15:18, 15:18] = 200
    regions = regions_of(labels)
    assert set(np.unique(regions)) == {0, 7, FIRST_LESION, FIRST_LESION + 1}
    assert (regions[:, 3:5, 3:5] == FIRST_LESION).all() and (regions[:, 15:18, 15:18] == FIRST_LESION + 1).all()


def test_a_small_lesion_counts_as_much_as_a_large_one_and_noise_within_it_does_not() -> None:
    truth = torch.full((1, 40, 40), 1.0)
    regions = torch.zeros((1, 40, 40), dtype=torch.int64)
    regions[0, 2:6, 2:6] = FIRST_LESION
    regions[0, 10:30, 10:30] = FIRST_LESION + 1
    small, large, noise = truth.clone(), truth.clone(), truth.clone()
    small[0, 2:6, 2:6] *= 0.8
    large[0, 10:30, 10:30] *= 0.8
    noise[0, 2:6, 2:6] += torch.tensor([0.3, -0.3]).repeat(8).reshape(4, 4)
    found = [float(region_loss(x, truth, regions)) for x in (small, large, noise)]
    assert found[0] == pytest.approx(found[1], rel=1e-5) and found[0] > 0
    assert found[2] == pytest.approx(0.0, abs=1e-6)
    # -20 % relative to 1.05, in units of .25: nearly the square of it, halved by the lesion that is right
    assert found[0] == pytest.approx(0.15 * 0.5 * (0.2 / 1.05 / 0.25) ** 2, rel=0.05)


def test_regions_of_a_few_voxels_and_air_do_not_count() -> None:
    truth = torch.ones((1, 20, 20))
    regions = torch.zeros((1, 20, 20), dtype=torch.int64)
    regions[0, :2, :2] = 5
    assert float(region_loss(truth * 2.0, truth, regions)) == 0.0


def test_structure_is_what_scikit_image_finds() -> None:
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(3)
    truth = np.abs(rng.normal(1.0, 0.5, (2, 48, 40))).astype(np.float32)
    found = truth + rng.normal(0.0, 0.3, truth.shape).astype(np.float32)
    body = np.zeros(truth.shape, bool)
    body[:, 8:-8, 8:-8] = True
    span = float(truth[body].max())
    window = {"gaussian_weights": True, "sigma": 1.5, "truncate": 3.4, "use_sample_covariance": False}
    maps = [
        structural_similarity(a, b, data_range=span, full=True, **window)[1] for a, b in zip(found, truth, strict=True)
    ]
    expected = 1.5 * (1.0 - np.stack(maps)[body].mean())
    tensors = (torch.from_numpy(x) for x in (found, truth, body))
    assert float(structure_loss(*tensors)) == pytest.approx(expected, rel=1e-3)
    right = torch.from_numpy(truth)
    assert float(structure_loss(right, right, torch.from_numpy(body))) == pytest.approx(0.0, abs=1e-5)


def test_half_of_the_slices_go_through_lesions() -> None:
    labels = np.ones((10, 8, 8), np.uint8)
    labels[3:5, 2, 2] = LESION_LABEL
    rng = np.random.default_rng(1)
    for _ in range(20):
        chosen = chosen_slices(labels, 4, rng)
        assert len(set(chosen)) == 4 and {3, 4} <= set(chosen)
    assert len(set(chosen_slices(np.ones_like(labels), 4, rng))) == 4
    assert chosen_slices(np.full_like(labels, LESION_LABEL), 10, rng) == list(range(10))


def test_impulse_response_of_head_and_of_maps_are_the_same_numbers() -> None:
    a, b, slow, fast, fv = 0.02, 0.5, float(ALPHA[1]), float(ALPHA[20]), 0.1
    maps = np.zeros(MAPS)
    maps[1], maps[20], maps[-1] = a, b, fv
    head = torch.tensor([a, b, slow, fast, fv]).reshape(1, 5, 1, 1)
    expected = [fv, *((a * np.exp(-slow * t) + b * np.exp(-fast * t)) / IMPULSE_UNIT for t in IMPULSE_MIN)]
    assert impulse_rows() @ maps == pytest.approx(expected, rel=1e-6)
    assert impulse_of(head)[0, :, 0, 0].numpy() == pytest.approx(expected, rel=1e-5)
    truth = torch.tensor(expected).float().reshape(1, IMPULSE, 1, 1)
    body = torch.ones(1, 1, 1, dtype=torch.bool)
    assert float(impulse_loss(head, truth, body)) == pytest.approx(0.0, abs=1e-6)
    assert float(impulse_loss(head, truth * 1.2, body)) > 0.0
    assert float(impulse_loss(head, truth * 1.2, ~body)) == 0.0
