"""A small region is read row by row, and its curve is the one that whole slices give."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from petkinetics.errors import InputError
from petkinetics.read.nifti import read_nifti
from petkinetics.read.region_curves import region_mean_curve
from petkinetics.read.regions import RegionWeights
from petkinetics.series import DynamicSeries

SHAPE = (11, 9, 6, 4)
"""(x, y, z, frame), all different"""
SIDECAR = {
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
    "Units": "Bq/mL",
    "FrameTimesStart": [0, 10, 20, 30],
    "FrameDuration": [10, 10, 10, 10],
    "InjectionStart": 0,
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 600,
}


def written(folder: Path, dtype: str, ending: str, slope: float = 1.0, intercept: float = 0.0) -> DynamicSeries:
    stored = np.random.default_rng(1).uniform(0, 3000, SHAPE).astype(dtype)
    image = nib.Nifti1Image(stored, np.diag([2.0, 2.0, 3.0, 1.0]))
    image.header.set_slope_inter(slope, intercept)
    nib.save(image, folder / f"pet{ending}")
    (folder / "pet.json").write_text(json.dumps(SIDECAR))
    return read_nifti(folder / f"pet{ending}")


def region(series: DynamicSeries) -> RegionWeights:
    """A few voxels in slices 1 to 4 and rows 2 to 6, some of them covered in part."""
    voxels = np.array([(1, 3, 0), (1, 6, 10), (2, 2, 5), (4, 4, 7)])
    index = np.ravel_multi_index(tuple(voxels.T), series.geometry.shape)
    return RegionWeights("aorta", 1, series.geometry, index, np.array([1.0, 0.25, 0.5, 1.0], dtype=np.float32))


@pytest.mark.parametrize(
    ("dtype", "ending", "slope", "intercept"),
    [("<f4", ".nii", 1.0, 0.0), ("<f4", ".nii.gz", 1.0, 0.0), (">i2", ".nii", 0.5, 20.0), ("<i2", ".nii.gz", 2.0, 0.0)],
)
def test_rows_hold_the_same_values_as_whole_slices(
    tmp_path: Path, dtype: str, ending: str, slope: float, intercept: float
) -> None:
    series = written(tmp_path, dtype, ending, slope, intercept)
    for frame in (0, 3):
        whole = series.read([frame], 1, 5)[0]
        assert np.array_equal(series.voxels.read_rows(frame, 1, 5, 2, 7), whole[:, 2:7])


def test_a_curve_read_row_by_row_is_that_of_its_voxels(tmp_path: Path) -> None:
    series = written(tmp_path, "<i2", ".nii", 0.5, 20.0)
    weights = region(series)
    all_voxels = series.read(range(4)).reshape(4, -1)[:, weights.index].astype(float)
    mean, sd = region_mean_curve(series, weights)
    w = weights.weight.astype(float)
    expected = all_voxels @ w / w.sum()
    freedom = w.sum() - w @ w / w.sum()
    assert mean == pytest.approx(expected, rel=1e-12)
    assert sd == pytest.approx(np.sqrt((all_voxels - expected[:, None]) ** 2 @ w / freedom), rel=1e-12)


def test_only_the_rows_of_the_region_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = written(tmp_path, "<f4", ".nii")
    monkeypatch.setattr(type(series.voxels), "read", lambda *_: pytest.fail("whole slices were read"))
    assert region_mean_curve(series, region(series))[0].shape == (4,)


def test_a_file_cut_off_after_it_was_opened_is_refused(tmp_path: Path) -> None:
    series = written(tmp_path, "<f4", ".nii")
    with (tmp_path / "pet.nii").open("r+b") as stream:
        stream.truncate(1000)
    with pytest.raises(InputError, match="truncated"):
        region_mean_curve(series, region(series))
