"""Whether a learned method says that it was not made for a scan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.applicability import (
    NAMES,
    SHORT_SCAN,
    WHOLE_SCAN,
    SlabWatch,
    applicability,
    described,
    learned_ranges,
    learned_residuals,
    residual_numbers,
)
from petkinetics.estimators.scan_numbers import SCAN_NUMBERS
from petkinetics.frames import FrameTiming
from petkinetics.networks.features import CONDITIONS, condition, feature_design, late_frames
from petkinetics.networks.weight_files import SHIPPED
from petkinetics.series import VolumeGeometry
from petkinetics.write.result_folder import write_distrust

SPACING = (4.0, 4.0, 4.0)


def scans(seed: int, count: int) -> np.ndarray:
    """Scans in whose description the end of the scan and the stretched time go together."""
    values = np.random.default_rng(seed).standard_normal((count, len(NAMES)))
    names = list(NAMES)
    values[:, names.index("stretched_time")] = values[:, names.index("end")] + 0.05 * values[:, -1]
    return values


@pytest.fixture(scope="module")
def card() -> dict:
    known = learned_ranges(list(scans(0, 600)))
    residual = learned_residuals([(1.0, 1.4), (1.1, 1.3)])
    # a card is a JSON file
    return json.loads(json.dumps({"applicability": {**known, "residual": residual}}))


def test_a_scan_is_described_by_its_condition_and_its_noise() -> None:
    scan = described(np.arange(CONDITIONS), np.array([1e-3, 2e-3, 4e-3], np.float32))
    assert scan.size == len(NAMES) == CONDITIONS + 1
    assert scan[-1] == pytest.approx(np.log10(2.0))


def test_it_seldom_fires_on_scans_as_training_drew_them(card: dict) -> None:
    fired = [bool(applicability(scan, card, "net").warnings) for scan in scans(1, 400)]
    # of 20 bounds at once, a few are passed by chance
    assert np.mean(fired) < 0.05


def test_what_lies_outside_is_named_in_natural_units_with_its_range_and_what_to_do(card: dict) -> None:
    scan = np.zeros(len(NAMES))
    scan[list(NAMES).index("noise")] = 9.0
    scan[list(NAMES).index("voxel")] = -6.0
    ranges = card["applicability"]["ranges"]
    ranges["plasma_ratio"] = [-0.11, 0.09]
    scan[list(NAMES).index("plasma_ratio")] = 0.1
    found = applicability(scan, card, "kinetic-network")
    (sentence,) = found.warnings
    assert sentence.startswith(
        "kinetic-network was not trained on scans like this: noise (SD) of Patlak's Ki in the body's voxels is "
    )
    low, high = (2.0 * np.exp(bound) for bound in ranges["voxel"])
    assert f"voxel size in the slice is 0.005 mm, below the range of training ({low:.2g} to {high:.2g} mm)" in sentence
    assert "whole blood over plasma is 1, above the range of training (0.79 to 0.99)" in sentence
    assert "What to do: use more of the scan" in sentence
    assert "--plasma-ratio or --hct" in sentence and "reconstruct the scan with voxels" in sentence
    # the record keeps what the network sees
    assert set(found.record["outside"]) == {"noise", "voxel", "plasma_ratio"}
    assert found.record["outside"]["voxel"]["value"] == -6.0


def test_natural_units_are_those_that_the_scan_was_described_from() -> None:
    timing = FrameTiming.parse("6x10,4x30,4x60,4x120,4x300")
    time = np.linspace(0.0, 2400.0, 600)
    plasma = 100.0 * np.exp(-(((time - 40.0) / 15.0) ** 2)) + 20.0 * np.exp(-time / 3000.0)
    curve = InputFunction(time, plasma, 0.88 * plasma, "plasma")
    design = feature_design(curve, timing, np.ones(late_frames(timing).size), 0.0)
    scan = described(condition(design, (1.95, 1.95, 2.79), (2.0, 2.0, 3.0)), 2e-3)
    said = {name: number.natural(value) for (name, number), value in zip(SCAN_NUMBERS.items(), scan, strict=True)}
    late = late_frames(timing)
    means, integral = curve.plasma_frame_mean(timing), curve.plasma_integral_frame_mean(timing)
    level = np.average(means[late], weights=timing.duration_s[late])
    assert said["blood_0_1"] == pytest.approx(np.average(means[:4], weights=timing.duration_s[:4]) / level, rel=1e-5)
    assert said["end"] == pytest.approx(timing.end_s[-1] / 60.0, rel=1e-5)
    assert said["stretched_time"] == pytest.approx(integral[-1] / means[-1], rel=1e-5)
    assert said["stretched_start"] == pytest.approx(100.0 * integral[late[0]] / integral[-1], rel=1e-5)
    spread = np.sqrt(np.diag(design.fit.covariance))
    assert said["sd_v0_ki"] == pytest.approx(spread[1] / spread[0], rel=1e-5)
    assert said["plasma_ratio"] == pytest.approx(0.88, abs=1e-5)
    assert (said["voxel"], said["slice"]) == pytest.approx((1.95, 2.79), rel=1e-5)
    assert (said["noise_in_plane"], said["noise_axial"]) == pytest.approx((4.7096, 7.0645), rel=1e-4)
    assert said["noise"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("value", "said"),
    [(np.log(0.9951 / 2.0), "is 0.995 mm, below the range of training (1 to 4 mm)"), (1.0, "is 5.4 mm, above")],
)
def test_a_value_just_outside_does_not_look_like_the_bound(value: float, said: str) -> None:
    assert said in SCAN_NUMBERS["voxel"].outside(value, np.log(0.5), np.log(2.0))


def test_an_unusual_combination_of_usual_numbers_is_seen(card: dict) -> None:
    scan = np.zeros(len(NAMES))
    scan[list(NAMES).index("end")], scan[list(NAMES).index("stretched_time")] = 1.8, -1.8
    found = applicability(scan, card, "net")
    assert not found.record["outside"]
    assert "this combination of blood curve, framing and noise" in found.warnings[0]


def body() -> np.ndarray:
    inside = np.zeros((6, 20, 20), bool)
    inside[:, 2:18, 2:18] = True
    return inside


def test_where_the_frames_are_not_explained_the_map_is_not_to_be_trusted(card: dict) -> None:
    inside = body()
    rng = np.random.default_rng(0)
    residual = np.where(inside, np.abs(rng.normal(1.0, 0.2, inside.shape)), 0).astype(np.float32)
    fine = applicability(np.zeros(len(NAMES)), card, "net", residual, inside, SPACING)
    assert fine.warnings == ()
    assert fine.distrust is not None and fine.distrust.sum() == 0
    residual[1:5, 4:9, 4:9] = 4.0
    found = applicability(np.zeros(len(NAMES)), card, "net", residual, inside, SPACING)
    assert "does not explain the measured frames in" in found.warnings[0]
    assert found.distrust is not None
    assert found.distrust[1:5, 5:8, 5:8].all()
    assert not found.distrust[:, 14:, 14:].any()
    everywhere = applicability(np.zeros(len(NAMES)), card, "net", 2 * residual, inside, SPACING)
    assert "the median residual is" in everywhere.warnings[0]


def test_a_card_that_says_nothing_checks_nothing() -> None:
    found = applicability(np.zeros(len(NAMES)), {"name": "old"}, "net")
    assert found.warnings == () and found.record == {"checked": False} and found.distrust is None


def test_residuals_of_the_air_do_not_count() -> None:
    inside = body()
    residual = np.where(inside, 1.2, 50.0).astype(np.float32)
    median, local = residual_numbers(residual, inside, SPACING)
    assert median == pytest.approx(1.2)
    assert local == pytest.approx(1.2, rel=1e-3)


def test_what_cannot_be_described_or_learned_is_refused() -> None:
    with pytest.raises(InputError, match="18 numbers and its noise, not by 3"):
        described([1.0, 2.0, 3.0], 0.001)
    with pytest.raises(InputError, match="must be above zero"):
        described(np.zeros(18), 0.0)
    with pytest.raises(InputError, match="5 scans are too few"):
        learned_ranges(list(scans(0, 5)))
    with pytest.raises(InputError, match="no bound of residuals"):
        learned_residuals([])
    with pytest.raises(InputError, match="body mask is empty"):
        residual_numbers(np.ones((2, 2, 2), np.float32), np.zeros((2, 2, 2), bool), SPACING)


def test_a_watch_puts_slabs_together_and_the_map_on_the_series_grid(card: dict) -> None:
    inside = body()
    residual = np.where(inside, 1.2, 0).astype(np.float32)
    residual[1:5, 4:9, 4:9] = 5.0
    box = (slice(0, 6), slice(3, 23), slice(1, 21))
    watch = SlabWatch((6, 30, 24), box)
    log_sd = np.zeros(inside.shape, np.float32)
    for first in (0, 4):
        part = slice(first, min(first + 4, 6))
        watch.see(part.start, part.stop, log_sd[part], residual[part], inside[part])
    found = watch.judge(np.zeros(CONDITIONS), card, "net", SPACING)
    assert found.distrust is not None and found.distrust.shape == (6, 30, 24)
    assert found.distrust[2, 3 + 6, 1 + 6] and not found.distrust[2, 3 + 14, 1 + 14]
    assert found.record["outside"] == {}
    assert watch.judge(np.zeros(CONDITIONS), {}, "net", SPACING).record == {"checked": False}


def test_the_map_of_distrust_is_written_where_there_is_something_in_it(tmp_path: Path) -> None:
    import SimpleITK as sitk

    geometry = VolumeGeometry((2, 3, 4), (2.0, 2.0, 3.0))
    where = np.zeros((2, 3, 4), bool)
    for nothing in (None, where):
        write_distrust(tmp_path, nothing, geometry, compress=True)
    assert not list(tmp_path.iterdir())
    where[1, 2, 3] = True
    write_distrust(tmp_path, where, geometry, compress=True)
    read = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "distrust.nii.gz")))
    np.testing.assert_array_equal(read, where)


def test_the_ranges_of_a_card_are_those_of_the_scans_that_training_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from petkinetics.networks.features import FEATURES
    from petkinetics.training import scan_ranges as module
    from petkinetics.training.pool import PatientPool
    from petkinetics.training.scan_settings import ScanRanges

    crops: list[int] = []
    drawn: list[ScanRanges] = []

    def draw(_: object, ranges: ScanRanges, rng: np.random.Generator, _banks: Path):  # type: ignore[no-untyped-def]
        crops.append(ranges.crop)
        drawn.append(ranges)
        features = np.full((2, FEATURES, 40, 40), 0.5, np.float32)
        condition = rng.uniform(1.0, 2.0, CONDITIONS)
        if len(crops) == 5:
            # no late blood at all: such a scan says nothing of the others
            condition[0] = np.nan
        return SimpleNamespace(labels=np.ones((2, 40, 40), np.uint8), features=features, condition=condition)

    monkeypatch.setattr(module, "draw_scan", draw)
    monkeypatch.setattr(module, "random_slab", lambda *_: None)
    found = module.scan_ranges(PatientPool(tmp_path, range(3)), ScanRanges(crop=112), 200)
    assert set(found) == {SHORT_SCAN, WHOLE_SCAN} and len(crops) == 201 + 200 and set(crops) == {64}
    assert [r.whole_share for r in drawn[::201]] == [0.0, 0.7], "the two uses are described each by its own scans"
    found = found[SHORT_SCAN]
    assert found["scans"] == 200
    assert found["ranges"]["noise"] == [0.5, 0.5]
    low, high = found["ranges"]["end"]
    assert 0.8 < low < 1.0 and 2.0 < high < 2.2
    json.dumps(found)


@pytest.mark.parametrize("part", [SHORT_SCAN, WHOLE_SCAN])
def test_slices_of_two_millimetres_are_usual_and_much_finer_or_coarser_ones_are_not(part: str) -> None:
    """Slices of 2.02 mm are a common scanner's, and cost the shipped network 5 % (docs/experiments.md)."""
    shipped = json.loads((SHIPPED / "kinetic-network.json").read_text(encoding="utf-8"))
    scan = np.array(shipped[part]["mean"])
    for thickness_mm, usual in {1.5: False, 2.0: True, 2.79: True, 5.0: True, 6.0: False}.items():
        scan[list(NAMES).index("slice")] = np.log(thickness_mm / 3.0)
        assert ("slice" not in applicability(scan, shipped, "kinetic-network", part=part).record["outside"]) == usual
