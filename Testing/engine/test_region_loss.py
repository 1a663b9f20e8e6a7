"""Losses of whole regions and of the response to an impulse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from petkinetics.training.examples import regions_of
from petkinetics.training.impulse_loss import IMPULSE, IMPULSE_MIN, IMPULSE_UNIT, impulse_loss, impulse_of
from petkinetics.training.impulse_maps import ALPHA, MAPS, impulse_rows
from petkinetics.training.kinetic_loss import FIRST_LESION, region_loss


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
    assert found[0] == pytest.approx(0.08 * 0.5 * (0.2 / 1.05 / 0.25) ** 2, rel=0.05)


def test_regions_of_a_few_voxels_and_air_do_not_count() -> None:
    truth = torch.ones((1, 20, 20))
    regions = torch.zeros((1, 20, 20), dtype=torch.int64)
    regions[0, :2, :2] = 5
    assert float(region_loss(truth * 2.0, truth, regions)) == 0.0


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
