"""The study that turns a real static image into a dynamic scan."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import study_tables

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.blood import input_function, random_blood
from petkinetics.simulate.noise_free import noise_free_frames

GRID = VolumeGeometry((6, 30, 30), (4.0, 4.0, 4.0), (-58.0, -58.0, -10.0))


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return study_tables.study("real_texture")


def test_the_last_frame_shows_the_image_and_hot_tissue_traps(study: ModuleType) -> None:
    suv = np.zeros(GRID.shape, np.float32)
    suv[:, 4:26, 4:26], suv[:, 8:14, 8:14], suv[:, 18:24, 8:14] = 0.7, 2.2, 9.0
    curve = input_function(random_blood(np.random.default_rng(0), 300.0, 60.0), 3900.0)
    body = study.body_of(suv, curve, 5.0, GRID, 90_050)
    timing = FrameTiming.parse("liang2023")
    frames, slope, _ = noise_free_frames(body, curve, timing, lambda volume: volume)
    inside = suv > 0
    np.testing.assert_array_equal(body.labels > 0, inside)
    np.testing.assert_allclose(frames[-1][inside] / 5.0, suv[inside], rtol=0.15)
    assert not frames[:, ~inside].any()
    # muscle, liver and a hot lesion as the literature has them, mL/min/mL
    for level, (low, high) in {0.7: (0.0005, 0.006), 2.2: (0.002, 0.02), 9.0: (0.03, 0.12)}.items():
        assert low < np.median(slope[suv == np.float32(level)]) < high
    noise = study.count_noise(frames, suv, GRID, timing, 1.0, 90_050)
    x, y, z = study.grid_axes(GRID)
    sd = np.sqrt(noise.variance(len(timing) - 1, frames[-1], x, y, z))
    liver = suv == np.float32(2.2)
    assert 0.06 < np.median(sd[liver] / frames[-1][liver]) < 0.2


def test_slabs_divide_the_image_and_those_that_do_not_fit_are_refused(study: ModuleType, tmp_path: Path) -> None:
    import SimpleITK as sitk

    sitk.WriteImage(sitk.GetImageFromArray(np.ones((8, 4, 4), np.float32)), str(tmp_path / "suv.nii"))
    values, spacing = study.read_suv(tmp_path / "suv.nii")
    assert values.shape == (8, 4, 4) and spacing == (1.0, 1.0, 1.0)
    assert study.slabs(8, 4, 1) == [2] and study.slabs(24, 4, 3) == [2, 10, 18]
    with pytest.raises(InputError, match="There are 8 slices; 3 times 4 are not there"):
        study.slabs(8, 4, 3)


def test_the_last_table_is_the_mean_of_the_slabs(study: ModuleType) -> None:
    one = {run: study.Found(1e-3, 1.0, 0.5, run[0] == "kinetic-network" or None) for run in study.RUNS}
    two = {run: study.Found(3e-3 if run[0] == "patlak" else 1e-3, 0.5, 0.7, None) for run in study.RUNS}
    lines = study.table([one, two]).splitlines()
    assert "| patlak | 35 | 2.00 | 1.00 | 0.600 | – |" in lines
    assert "| kinetic-network | 35 | 1.00 | 0.50 | 0.600 | 1 of 1 |" in lines
