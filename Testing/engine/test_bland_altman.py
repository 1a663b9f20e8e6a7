"""Bland-Altman: the authors' own numbers, intervals that cover under correlated noise, and maps compared."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter

from petkinetics.errors import InputError
from petkinetics.evaluate.bland_altman import (
    COLUMNS,
    Differences,
    agreement_across_regions,
    agreement_in_region,
    agreement_of_pairs,
)
from petkinetics.evaluate.compare import compare_maps
from petkinetics.evaluate.image_quality import image_quality
from petkinetics.evaluate.limits_of_agreement import limits_of_agreement
from petkinetics.evaluate.spatial_correlation import region_lags, spatial_correlation
from petkinetics.maps import KI, V0, ParametricMap
from petkinetics.read.regions import Regions
from petkinetics.series import VolumeGeometry

# Peak expiratory flow of 17 subjects, L/min, first reading with each meter:
# Bland JM, Altman DG. Lancet 1986;i:307-310, table (Wright peak flow meter, mini Wright meter).
WRIGHT = (494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427)
MINI = (512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451)

GRID = VolumeGeometry((20, 24, 24), (2.0, 2.0, 2.8))


def ball(radius: float, grid: VolumeGeometry = GRID) -> np.ndarray:
    z, y, x = np.indices(grid.shape)
    c = [n / 2 for n in grid.shape]
    return np.flatnonzero((z - c[0]) ** 2 + (y - c[1]) ** 2 + (x - c[2]) ** 2 < radius**2)


def noise(rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Unit-variance noise, Gaussian-correlated with *sigma* voxels, cut from a larger field."""
    white = rng.standard_normal([n + 20 for n in GRID.shape])
    if sigma == 0:
        return white[10:-10, 10:-10, 10:-10]
    kernel = gaussian_filter(np.pad([[[1.0]]], 12), sigma)
    return gaussian_filter(white, sigma)[10:-10, 10:-10, 10:-10] / np.sqrt((kernel**2).sum())


# ------------------------------------------------------------------------------- the published examples


def test_peak_flow_example_of_1986_is_reproduced():
    result = agreement_of_pairs(WRIGHT, MINI)
    a = result.absolute
    assert a.n == a.n_effective == 17
    assert a.bias == pytest.approx(-2.1, abs=0.05)
    assert a.sd == pytest.approx(38.8, abs=0.05)
    # the paper takes 2 SD (-79.7 and 75.5), this package 1.96 as the authors later did
    assert a.bias - 2 * a.sd == pytest.approx(-79.7, abs=0.1)
    assert a.bias + 2 * a.sd == pytest.approx(75.5, abs=0.1)
    np.testing.assert_allclose(a.loa, (a.bias - 1.96 * a.sd, a.bias + 1.96 * a.sd))
    np.testing.assert_allclose(a.bias_ci, (-22.1, 17.8), atol=0.06)
    # published for the limits at 2 SD with SE sqrt(3 s^2/n): half-width (-45.1 + 114.3)/2 = 34.6
    half = (a.loa_lower_ci[1] - a.loa_lower_ci[0]) / 2
    assert half == pytest.approx(34.6, rel=0.02)


def test_blood_pressure_example_of_1999_is_reproduced():
    """Stat Methods Med Res 1999;8:135-160, sections 2 and 2.2: 85 subjects, observer J minus machine S.

    Bias and SD determine everything else, so any 85 differences with them will do.
    """
    sample = np.random.default_rng(0).standard_normal(85)
    differences = -16.29 + 19.61 * (sample - sample.mean()) / sample.std(ddof=1)
    a = limits_of_agreement(differences)
    np.testing.assert_allclose(a.loa, (-54.7, 22.1), atol=0.06)
    np.testing.assert_allclose(a.bias_ci, (-20.5, -12.1), atol=0.06)
    # printed to one decimal from a standard error rounded to 1.71 s/sqrt(n)
    np.testing.assert_allclose(a.loa_lower_ci, (-61.9, -47.5), atol=0.15)
    np.testing.assert_allclose(a.loa_upper_ci, (14.9, 29.3), atol=0.15)


# ------------------------------------------------------------------------------------ correlated voxels


@pytest.mark.parametrize("sigma", [0.8, 1.3])
def test_effective_number_is_that_of_the_known_correlation(sigma):
    """Gaussian-filtered noise has rho(h) = exp(-h^2/(4 sigma^2)) exactly; the sum over the region is known."""
    index = ball(8.5)
    zyx = np.array(np.unravel_index(index, GRID.shape), dtype=float).T
    square = ((zyx[:, None, :] - zyx[None, :, :]) ** 2).sum(axis=2)
    rho = np.exp(-square / (4 * sigma**2))
    lags, _ = region_lags(index, GRID)
    rng = np.random.default_rng(5)
    found = []
    for _ in range(100):
        values = noise(rng, sigma).ravel()[index]
        c = spatial_correlation(values - values.mean(), lags)
        found.append((c.n_effective, c.n_effective_limits))
    assert np.median([f[0] for f in found]) == pytest.approx(index.size**2 / rho.sum(), rel=0.15)
    assert np.median([f[1] for f in found]) == pytest.approx(index.size**2 / (rho**2).sum(), rel=0.15)


@pytest.mark.parametrize("sigma", [0.0, 0.8])
def test_intervals_cover_what_they_say_under_correlated_noise(sigma):
    """95 % intervals of bias and limits hold the truth in 91-99 % of 200 noise worlds; naive ones don't."""
    index = ball(8.5)
    rng = np.random.default_rng(6)
    bias, sd, worlds = 0.3, 0.5, 200
    hits = np.zeros(4)
    for _ in range(worlds):
        b = 5.0 + np.zeros(index.size)
        a = b + bias + sd * noise(rng, sigma).ravel()[index]
        limits = agreement_in_region(a, b, index, GRID, against="truth").absolute
        hits += (
            limits.bias_ci[0] < bias < limits.bias_ci[1],
            limits.loa_lower_ci[0] < bias - 1.96 * sd < limits.loa_lower_ci[1],
            limits.loa_upper_ci[0] < bias + 1.96 * sd < limits.loa_upper_ci[1],
            abs(limits.bias - bias) < 1.96 * limits.sd / np.sqrt(limits.n),
        )
    coverage = hits / worlds
    assert ((coverage[:3] > 0.91) & (coverage[:3] < 0.99)).all(), coverage
    if sigma:
        assert coverage[3] < 0.6, "ignoring correlation should have failed here"


def test_slope_p_value_is_honest_under_correlated_noise():
    """No proportional bias, smooth reference: p < 0.05 in about 5 % of noise worlds (naively about a third)."""
    index = ball(8.5)
    rng = np.random.default_rng(7)
    truth = 5 + 0.5 * np.sin(np.unravel_index(index, GRID.shape)[2] / 5)
    below, naive, worlds = 0, 0, 150
    for _ in range(worlds):
        a = truth + 0.5 * noise(rng, 0.8).ravel()[index]
        below += agreement_in_region(a, truth, index, GRID, against="truth").slope_p < 0.05
        naive += stats.linregress(truth, a - truth).pvalue < 0.05
    assert below / worlds < 0.12
    assert naive / worlds > 0.3


def test_a_small_lesion_takes_its_correlation_from_around_it():
    """33 voxels cannot show their correlation: intervals from the surroundings cover, their own do not."""
    index = ball(2.1)
    assert index.size == 33
    rng = np.random.default_rng(11)
    everywhere = np.ones(GRID.shape, dtype=bool)
    hits, worlds = np.zeros(2), 200
    for _ in range(worlds):
        field = noise(rng, 0.9)
        a = 5.3 + field.ravel()[index]
        b = np.full(index.size, 5.0)
        with_others = agreement_in_region(a, b, index, GRID, differences=Differences(field, everywhere)).absolute
        alone = agreement_in_region(a, b, index, GRID).absolute
        hits += [limits.bias_ci[0] < 0.3 < limits.bias_ci[1] for limits in (with_others, alone)]
    assert 0.90 < hits[0] / worlds < 0.995
    assert hits[1] / worlds < hits[0] / worlds - 0.05


def test_a_difference_without_spread_gives_a_bias_without_width():
    index = ball(4)
    a = agreement_in_region(np.full(index.size, 3.0), np.full(index.size, 2.0), index, GRID).absolute
    assert (a.bias, a.sd, a.loa, a.bias_ci) == (1.0, 0.0, (1.0, 1.0), (1.0, 1.0))


def test_long_range_structure_leaves_few_independent_voxels():
    """A ramp across the region is one pattern, not thousands of independent differences."""
    index = ball(8.5)
    ramp = np.unravel_index(index, GRID.shape)[0] - 10.0
    assert agreement_in_region(ramp, np.zeros(index.size), index, GRID, against="truth").absolute.n_effective < 30


# ------------------------------------------------------------------------------- percent and proportional


def test_percent_differences_leave_out_and_count_small_pairs():
    a = np.array([1.1, 2.2, 3.3, 0.01, 0.02])
    b = np.array([1.0, 2.0, 3.0, 0.03, -0.01])
    result = agreement_of_pairs(a, b)
    assert result.percent_left_out == 2
    assert result.percent.n == 3
    assert result.percent.bias == pytest.approx(100 * 0.1 / 1.05)
    assert result.absolute.n == 5
    assert result.row()["percent_left_out"] == 2


def test_percent_is_missing_where_the_mean_is_not_positive():
    result = agreement_of_pairs([-1.0, -2.0, -3.0], [-1.1, -2.1, -2.7])
    assert result.percent is None
    assert result.row()["percent_bias"] is None


def test_slope_against_truth_sees_only_proportional_bias_and_slope_between_estimates_says_what_it_holds():
    rng = np.random.default_rng(8)
    truth = rng.normal(10, 2, 4000)
    a = 1.2 * truth + rng.normal(0, 1, truth.size)
    against_truth = agreement_of_pairs(a, truth, against="truth")
    reference = stats.linregress(truth, a - truth)
    assert against_truth.slope == pytest.approx(reference.slope, rel=1e-9)
    assert against_truth.slope_p == pytest.approx(reference.pvalue, rel=1e-6, abs=1e-300)
    assert "truth" in against_truth.row()["slope_meaning"]
    # equal means, unequal noise: no proportional bias, and yet a slope against the pair mean
    noisy, clean = truth + rng.normal(0, 3, truth.size), truth + rng.normal(0, 0.5, truth.size)
    between = agreement_of_pairs(noisy, clean)
    assert between.slope > 0.5
    assert "includes the difference in variance" in between.row()["slope_meaning"]
    assert abs(agreement_of_pairs(noisy, truth, against="truth").slope) < 0.1


def test_p_value_of_a_slope_equals_scipys_for_independent_pairs():
    rng = np.random.default_rng(9)
    a, b = rng.normal(0, 1, 30) + 4, rng.normal(0, 1, 30) + 4
    reference = stats.linregress((a + b) / 2, a - b)
    result = agreement_of_pairs(a, b)
    assert result.slope == pytest.approx(reference.slope)
    assert result.intercept == pytest.approx(reference.intercept)
    assert result.slope_p == pytest.approx(reference.pvalue)


def test_a_constant_reference_has_no_slope():
    assert np.isnan(agreement_of_pairs([1.0, 2.0, 4.0], [0.1, 0.1, 0.1], against="truth").slope)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0, np.nan], [1.0, 2.0], r"1 of 2 pairs in the region 'liver' are not numbers"),
        ([1.0], [1.0], "need at least two pairs of values in the region 'liver', not 1"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "have 3 and 2 values in the region 'liver'"),
    ],
)
def test_what_is_no_pair_is_refused(a, b, message):
    with pytest.raises(InputError, match=message):
        agreement_of_pairs(a, b, roi="liver")


# ------------------------------------------------------------------------------------------- two maps


def three_regions() -> Regions:
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[3:8, 4:12, 4:12], labels[3:8, 14:20, 4:12], labels[10:17, 5:15, 10:20] = 1, 2, 3
    labels[0, 0, 0] = 9
    return Regions(labels, {1: "Liver", 2: "Spleen", 3: "Lesion", 9: "Speck"}, GRID, "labels.nii.gz")


def maps(seed: int = 10) -> tuple[ParametricMap, ParametricMap]:
    rng = np.random.default_rng(seed)
    regions = three_regions()
    truth = np.choose(np.minimum(regions.labels, 4), [0.001, 0.004, 0.003, 0.03, 0.0]).astype(float)
    values = (truth + 0.001 * noise(rng, 0.8)).astype(np.float32)
    return ParametricMap(values, KI, GRID), ParametricMap(truth.astype(np.float32), KI, GRID)


def test_two_maps_are_compared_in_every_region_and_across_them():
    a, b = maps()
    comparison = compare_maps(a, b, three_regions(), "noisy", "truth", against="truth")
    rows = comparison.rows()
    assert [r["roi"] for r in rows] == ["Liver", "Spleen", "Lesion", "across regions"]
    agreed = "roi n n_effective bias sd loa_lower loa_upper bias_ci_lower bias_ci_upper slope slope_p"
    assert " ".join(list(rows[0])[:11]) == agreed
    assert tuple(rows[0]) == COLUMNS
    inside = three_regions().labels == 3
    d = (a.values.astype(float) - b.values)[inside]
    assert rows[2]["n"] == inside.sum()
    assert rows[2]["bias"] == pytest.approx(d.mean(), rel=1e-9)
    assert rows[2]["sd"] == pytest.approx(d.std(ddof=1), rel=1e-9)
    assert 1 < rows[2]["n_effective"] < rows[2]["n"] / 5
    assert rows[3]["n"] == 3
    assert rows[3]["bias"] == pytest.approx(np.mean([r["bias"] for r in rows[:3]]))
    assert comparison.warnings == (
        "The region 'Speck' has 1 voxel on the maps' grid and was left out; two are needed.",
    )
    assert comparison.record()["difference"] == "noisy - truth"
    np.testing.assert_array_equal(comparison.pairs["Lesion"].a, a.values[inside])


def test_voxels_outside_of_both_masks_are_no_pairs():
    """A region half in air has the statistics of its other half; one wholly in air has none."""
    a, b = maps()
    masked = []
    for shown in (a, b):
        values = shown.values.copy()
        values[:, :, 8:12] = 0.0  # half of the liver
        values[:, 14:20] = 0.0  # all of the spleen, part of the lesion
        masked.append(ParametricMap(values, KI, GRID))
    comparison = compare_maps(*masked, three_regions(), "noisy", "truth", against="truth")
    inside = (three_regions().labels == 1) & (masked[0].values != 0)
    d = (a.values.astype(float) - b.values)[inside]
    liver = comparison.rows()[0]
    assert (liver["n"], liver["bias"]) == (160, pytest.approx(d.mean(), rel=1e-9))
    assert liver["sd"] == pytest.approx(d.std(ddof=1), rel=1e-9)
    assert comparison.pairs["Liver"].a.size == 160
    assert [row["roi"] for row in comparison.rows()] == ["Liver", "Lesion"]
    assert comparison.warnings[:2] == (
        "160 of the 320 voxels in the region 'Liver' lie where both maps are 0, outside of what was estimated; they "
        "were left out, and 160 were compared.",
        "240 of the 240 voxels in the region 'Spleen' lie where both maps are 0, outside of what was estimated; the "
        "region was left out.",
    )
    empty = ParametricMap(np.zeros(GRID.shape, np.float32), KI, GRID)
    with pytest.raises(InputError, match="where one of them is not 0"):
        compare_maps(empty, empty, three_regions())
    # a value of 0 in one map alone is a value
    assert compare_maps(masked[0], b, three_regions()).rows()[0]["n"] == 320


def test_maps_on_different_grids_or_of_different_quantities_are_refused():
    a, b = maps()
    moved = VolumeGeometry(GRID.shape, GRID.spacing_mm, (3.0, 0.0, 0.0))
    with pytest.raises(InputError, match=r"different grids \(truth has voxels lying up to 3.00 mm apart\)"):
        compare_maps(a, ParametricMap(b.values, KI, moved), three_regions(), "noisy", "truth")
    with pytest.raises(InputError, match="noisy shows Ki, other shows V0"):
        compare_maps(a, ParametricMap(b.values, V0, GRID), three_regions(), "noisy", "other")


def test_a_region_with_bad_voxels_is_named():
    a, b = maps()
    broken = a.values.copy()
    broken[4, 5, 5] = np.nan
    with pytest.raises(InputError, match=r"1 of 320 pairs in the region 'Liver' are not numbers"):
        compare_maps(ParametricMap(broken, KI, GRID), b, three_regions())


def test_fewer_than_three_regions_have_no_row_across():
    assert agreement_across_regions({"a": (1.0, 2.0), "b": (2.0, 2.0)}) is None


def test_image_quality_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = maps()
    body = np.zeros(GRID.shape, dtype=bool)
    body[2:18, 2:22, 2:22] = True
    found = image_quality(a.values, b.values, body)
    peak = np.percentile(b.values[body], 99.9)
    _, ssim = metrics.structural_similarity(
        a.values.astype(float),
        b.values.astype(float),
        data_range=peak,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert found.ssim == pytest.approx(ssim[body].mean(), abs=1e-6)
    rmse = np.sqrt(np.mean((a.values.astype(float) - b.values)[body] ** 2))
    assert found.rmse == pytest.approx(rmse, rel=1e-9)
    assert found.psnr_db == pytest.approx(
        metrics.peak_signal_noise_ratio(b.values[body].astype(float), a.values[body].astype(float), data_range=peak)
    )
    perfect = image_quality(b.values, b.values, body)
    assert (perfect.rmse, perfect.psnr_db) == (0.0, np.inf)
    assert perfect.ssim == pytest.approx(1.0)
