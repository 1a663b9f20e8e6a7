"""The table over alpha gives millions of voxels the exact model within 2e-5."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import LAMBDA, LIANG, feng, feng_nodes, starts_of
from two_tissue_reference import by_matrix

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import ResponseTable, net_influx, two_tissue_frames
from petkinetics.kinetics.convolution import frame_mean_convolved

NODES = feng_nodes(3900.0)
CURVE = InputFunction(NODES, feng(NODES), 0.9 * feng(NODES))
TIMING = FrameTiming(starts_of(LIANG), LIANG)


@pytest.fixture(scope="module", params=[0.0, LAMBDA], ids=["plain", "decay-weighted"])
def table(request) -> tuple[ResponseTable, float]:
    return ResponseTable(CURVE, TIMING, decay_per_s=request.param), request.param


def test_any_alpha_lies_within_2e_5_of_the_exact_curve(table):
    built, lam = table
    rng = np.random.default_rng(3)
    alpha = np.concatenate([[0.0], 10.0 ** rng.uniform(-6.0, 0.5, 400)])
    exact = frame_mean_convolved(NODES, CURVE.plasma_kbq_per_ml, TIMING, alpha, lam)
    found = built.convolved(alpha)
    assert found.dtype == np.float32
    late = exact > 1e-3 * exact.max(axis=1, keepdims=True)
    assert np.abs(found / np.where(late, exact, 1.0) - 1.0)[late].max() <= 2e-5
    assert np.abs(found - exact)[~late].max() <= 2e-5 * exact.max()


def test_trapped_tracer_is_a_node_of_the_table(table):
    built, lam = table
    exact = frame_mean_convolved(NODES, CURVE.plasma_kbq_per_ml, TIMING, 0.0, lam)
    np.testing.assert_allclose(built.convolved(0.0), exact, rtol=2e-7)


@pytest.mark.parametrize("k4", [0.0, 0.01])
def test_random_tissues_lie_within_2e_5_of_the_exact_model(table, k4):
    built, lam = table
    rng = np.random.default_rng(4)
    n = 200
    k1, k2, k3 = rng.uniform(0.02, 1.5, n), rng.uniform(0.05, 2.5, n), rng.uniform(0.0, 0.3, n)
    fv = rng.uniform(0.0, 0.3, n)
    exact = two_tissue_frames(CURVE, TIMING, k1, k2, k3, k4, fv, lam)
    found = built.two_tissue(k1, k2, k3, k4, fv)
    assert found.dtype == np.float32
    assert found.shape == (n, len(TIMING))
    scale = exact.max(axis=1, keepdims=True)
    assert np.abs((found - exact) / scale).max() <= 2e-5


def test_two_voxels_against_the_matrix_exponential(table):
    built, lam = table
    for k in ((0.102, 0.130, 0.062, 0.0068, 0.04), (1.535, 2.697, 0.007, 0.0, 0.062)):
        exact = by_matrix(
            NODES, CURVE.plasma_kbq_per_ml, CURVE.whole_blood_kbq_per_ml, TIMING.start_s, TIMING.duration_s, *k, lam
        )
        np.testing.assert_allclose(built.two_tissue(*k), exact, atol=2e-5 * exact.max())


def test_volumes_keep_their_shape(table):
    built, _ = table
    k1 = np.full((2, 3, 4), 0.3)
    assert built.two_tissue(k1, 0.4, 0.05).shape == (2, 3, 4, len(TIMING))
    assert np.isfinite(built.two_tissue(0.0, 0.0, 0.0, 0.0, 0.0)).all()


def test_rates_beyond_the_table_stay_finite_and_fast(table):
    built, _ = table
    k2 = np.array([50.0, 1e3])
    found = built.two_tissue(k2, k2, 0.0)  # K1 = k2 large: tissue follows plasma
    assert np.isfinite(found).all()


def test_equal_exponents_do_not_divide_by_zero(table):
    built, lam = table
    k2 = np.array([0.2, 0.2, 0.2])
    k3 = np.array([0.0, 1e-9, 1e-5])
    found = built.two_tissue(0.3, k2, k3, k2)
    exact = np.stack(
        [
            by_matrix(
                NODES,
                CURVE.plasma_kbq_per_ml,
                CURVE.plasma_kbq_per_ml,
                TIMING.start_s,
                TIMING.duration_s,
                0.3,
                0.2,
                c,
                0.2,
                0.0,
                lam,
            )
            for c in k3
        ]
    )
    np.testing.assert_allclose(found, exact, atol=2e-5 * exact.max())


def test_a_coarser_table_is_worse_so_the_nodes_matter():
    alpha = np.geomspace(1e-3, 3.0, 300)
    exact = frame_mean_convolved(NODES, CURVE.plasma_kbq_per_ml, TIMING, alpha)
    late = exact > 1e-3 * exact.max(axis=1, keepdims=True)

    def worst(nodes: int) -> float:
        found = ResponseTable(CURVE, TIMING, nodes=nodes).convolved(alpha)
        return float(np.abs(found / np.where(late, exact, 1.0) - 1.0)[late].max())

    assert worst(256) <= 4e-4
    assert worst(64) > worst(256) > worst(1024)


def test_ki_of_a_tabulated_voxel_is_the_slope_of_its_late_frames(table):
    built, lam = table
    from synthetic import reference_design, reference_patlak

    design = reference_design(NODES, CURVE.plasma_kbq_per_ml, TIMING.start_s, TIMING.duration_s, lam)
    k = (0.1, 0.5, 0.05, 0.0, 0.05)
    late = TIMING.start_s >= 2400
    ki, _ = reference_patlak(built.two_tissue(*k)[late], design[late], np.ones(late.sum()))
    assert float(ki) == pytest.approx(float(net_influx(*k[:3], k[4])), rel=0.02)
