"""A region drawn after the estimate gets the fit that the estimate would have given it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthetic import Patient

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators import METHODS, make_estimator
from petkinetics.estimators.derived import plan_derived
from petkinetics.estimators.estimator import MemorySink, Problem, uses_whole_series
from petkinetics.estimators.frames_used import frames_from, whole_series
from petkinetics.estimators.region_refit import recorded_fit
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry


def problem(method: str, decay_weighted: bool = False) -> Problem:
    patient = Patient()
    timing = FrameTiming(patient.start, patient.duration)
    noise = 1.0 + 0.05 * np.random.default_rng(3).standard_normal(patient.frames.shape)
    voxels = ArrayVoxels((patient.frames * noise).astype(np.float32))
    series = DynamicSeries(
        timing,
        VolumeGeometry(patient.frames.shape[1:], (4.0, 4.0, 4.0)),
        Tracer("FDG", "F-18", 6586.2),
        voxels,
        300.0,
        70.0,
        decay_weighted=decay_weighted,
    )
    curve = InputFunction(patient.nodes, patient.cp, patient.cp, "plasma")
    estimator = make_estimator(method)
    # the paper's networks take the frames that they were trained for
    until = 35.0 if method == "direct-network" else None
    used = (
        whole_series(timing, until, curve) if uses_whole_series(estimator) else frames_from(timing, 20.0, None)
    ).indices
    return Problem(series, curve, used)


@pytest.mark.parametrize("decay_weighted", [False, True], ids=["plain means", "decay-weighted"])
@pytest.mark.parametrize("method", METHODS)
def test_values_errors_and_frames_are_those_of_the_estimate(method: str, decay_weighted: bool) -> None:
    case = problem(method, decay_weighted)
    estimator, series = make_estimator(method), case.series
    options = {"glucose": "5.2", "lumped_constant": "0.89"} if method in ("patlak", "two-tissue") else {}
    derived = plan_derived(series, estimator.quantities, {**options, "suv": "none"}, None)
    found = derived.in_regions(estimator.estimate(case, MemorySink()))
    record = json.loads(
        json.dumps(
            {
                "method": method,
                **found.record,
                "derived": derived.record,
                "series": {"half_life_s": 6586.2, "frame_mean": "decay-weighted" if decay_weighted else "plain"},
            }
        )
    )
    again = recorded_fit(record, case.input_function)
    again.require_same_frames(series.timing)
    np.testing.assert_array_equal(again.frames, case.frames)
    curve = series.read(case.frames.tolist()).reshape(len(case.frames), -1)[:, :40].mean(axis=1, dtype=np.float64)
    values, frames = found.region_fit(curve)
    values_again, frames_again = again.fit(curve)
    assert list(values_again) == list(values)
    assert ("mrglc" in values) == bool(options)
    for name, pair in values.items():
        np.testing.assert_allclose(values_again[name], pair, rtol=1e-7)
    np.testing.assert_allclose(frames_again, frames, rtol=1e-7)


def test_what_cannot_be_repeated_says_why() -> None:
    case = problem("two-tissue")
    found = make_estimator("two-tissue").estimate(case, MemorySink())
    record = {"method": "two-tissue", **found.record, "series": {"half_life_s": 6586.2, "frame_mean": "plain"}}
    with pytest.raises(InputError, match="input function of the result is missing"):
        recorded_fit(record, None)
    with pytest.raises(InputError, match="does not say how a region is fitted"):
        recorded_fit({"method": "kinetic-network", "frames_used": [{"index": 1}]}, case.input_function)
    with pytest.raises(InputError, match="does not say how a region is fitted"):
        recorded_fit({"method": "kinetic-network"}, case.input_function)
    with pytest.raises(InputError, match="does not say how a region is fitted"):
        recorded_fit({**record, "method": "three-tissue"}, case.input_function)
    fit = recorded_fit(record, case.input_function)
    for other in (case.series.timing.shifted(30.0), case.series.timing.select(np.arange(4))):
        with pytest.raises(InputError, match="not those of the estimate"):
            fit.require_same_frames(other)
