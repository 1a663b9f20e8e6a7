"""Figures: what is drawn, in which orientation, and doing without matplotlib."""

from __future__ import annotations

import builtins
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from petkinetics.curves import InputFunction
from petkinetics.evaluate.compare import compare_maps
from petkinetics.evaluate.figure_agreement import MOST_POINTS, agreement_drawings, bland_altman_plot
from petkinetics.evaluate.figure_curves import PatlakCurve, blood_curve, patlak_plot
from petkinetics.evaluate.figure_planes import ki_over_anatomy, map_overview, round_top
from petkinetics.evaluate.figures import NO_MATPLOTLIB, draw, three_digits, with_error
from petkinetics.evaluate.planes import Upright, mean_of_27, planes_of
from petkinetics.frames import FrameTiming
from petkinetics.maps import KI, KI_SD, RESIDUAL, V0, ParametricMap
from petkinetics.read.regions import Regions
from petkinetics.series import VolumeGeometry

SHAPE = (20, 30, 36)
GRID = VolumeGeometry(SHAPE, (4.0, 4.0, 5.0), (-72.0, -60.0, -50.0))


def phantom(geometry: VolumeGeometry = GRID) -> tuple[ParametricMap, np.ndarray, np.ndarray]:
    """An ellipse body with one hot spot: (Ki, anatomy, body)."""
    z, y, x = np.indices(geometry.shape)
    body = ((y - 15) / 12) ** 2 + ((x - 18) / 15) ** 2 < 1
    spot = (z - 12) ** 2 + (y - 10) ** 2 + (x - 25) ** 2 < 9
    ki = np.where(body, 0.003, 0.0) + np.where(spot, 0.027, 0.0)
    return ParametricMap(ki.astype(np.float32), KI, geometry), np.where(body, 4.0, 0.0).astype(np.float32), body


def blood() -> InputFunction:
    t = np.arange(0.0, 3901.0, 5.0)
    c = np.where(t > 20, 80 * np.exp(-(t - 20) / 60) * np.minimum((t - 20) / 15, 1) + 12 * np.exp(-t / 2500), 0.0)
    return InputFunction(t, c, c, kind="whole blood", source="mean of the region aorta.nii.gz")


def pixels(path: Path) -> np.ndarray:
    import matplotlib.image

    return matplotlib.image.imread(path)[..., :3]


# ------------------------------------------------------------------------------------------ orientation


@pytest.mark.parametrize(
    "direction",
    [
        np.eye(3),
        np.diag([-1.0, -1.0, 1.0]),
        np.diag([1.0, -1.0, -1.0]),
        np.eye(3)[:, [1, 2, 0]],
        np.eye(3)[:, [2, 0, 1]] * [-1, 1, -1],
        np.array([[0.97, -0.24, 0], [0.24, 0.97, 0], [0, 0, 1]]) / [[0.99925]],
    ],
)
def test_any_storage_order_is_shown_upright(direction):
    """Upright axes grow to superior, posterior, left: each voxel's patient position says so."""
    direction = np.linalg.qr(direction)[0] * np.sign(np.diag(np.linalg.qr(direction)[1]))
    geometry = VolumeGeometry((4, 5, 6), (2.0, 3.0, 4.0), (7.0, 8.0, 9.0), direction)
    k, j, i = np.indices(geometry.shape)
    position = np.tensordot(geometry.affine_lps[:3, :3], np.stack([i, j, k]), axes=1)
    upright = Upright.of(geometry)
    for axis, patient in enumerate((2, 1, 0)):
        turned = upright.turn(position[patient])
        assert (np.diff(turned, axis=axis) > 0).all()
        assert np.abs(np.diff(turned, axis=axis)).mean() == pytest.approx(upright.spacing_zyx[axis], rel=0.05)


def test_planes_follow_the_radiological_view():
    ki, _, body = phantom()
    planes = planes_of(ki, Upright.of(GRID), body, None)
    np.testing.assert_allclose(planes.centre, (12, 10, 25), atol=2)  # within the hot spot
    volume = np.zeros(SHAPE, dtype=int)
    volume[planes.centre] = 1  # patient's left, front
    row, column = np.argwhere(planes.cut(volume, "axial"))[0]
    assert column > planes.cut(volume, "axial").shape[1] / 2, "the patient's left is at the right"
    assert row < planes.cut(volume, "axial").shape[0] / 2, "the front is on top"
    row, column = np.argwhere(planes.cut(volume, "coronal"))[0]
    assert row < SHAPE[0] / 2, "the head is on top"
    row, column = np.argwhere(planes.cut(volume, "sagittal"))[0]
    assert column < planes.cut(volume, "sagittal").shape[1] / 2, "the front is at the left"
    for plane in ("axial", "coronal", "sagittal"):
        shown = planes.cut(volume, plane)
        row, column = np.argwhere(shown)[0]
        left, right, bottom, top = planes.extent(plane)
        x, y = planes.cross(plane)
        assert x == pytest.approx((column + 0.5) / shown.shape[1] * (right - left))
        assert y == pytest.approx((row + 0.5) / shown.shape[0] * (bottom - top))


def test_scales_end_on_round_numbers():
    assert [round_top(v) for v in (0.0273, 0.0061, 1.0, 0.00012, 0.0)] == pytest.approx([0.03, 0.008, 1, 0.00015, 1])
    assert round_top(9.5) == pytest.approx(10, rel=1e-3)


# --------------------------------------------------------------------------------------------- pictures


def test_ki_is_coloured_where_it_is_high_and_grey_where_it_is_not(tmp_path):
    ki, anatomy, body = phantom()
    made = ki_over_anatomy(tmp_path, ki, anatomy, "Ki (whole-blood input)", body=body)
    image = pixels(made.path)
    assert 1000 < image.shape[1] < 1300
    colourful = image.max(axis=2) - image.min(axis=2) > 0.3
    assert 0.002 < colourful.mean() < 0.1
    flat = ki_over_anatomy(
        tmp_path, ParametricMap(np.minimum(ki.values, 0), KI, GRID), anatomy, "Ki", body=body, name="flat.png"
    )
    # the colour bar and the thin crossing lines stay coloured, the spot is gone
    rest = pixels(flat.path).max(axis=2) - pixels(flat.path).min(axis=2) > 0.3
    assert rest.mean() < colourful.mean() - 0.001
    assert "mL/min/mL" in made.caption
    assert "Ki (whole-blood input)" in made.title


@pytest.mark.parametrize(("slices", "alone"), [(1, True), (7, True), (8, False)])
def test_a_thin_series_is_shown_in_the_transverse_plane_alone(tmp_path, monkeypatch, slices, alone):
    import petkinetics.evaluate.figure_planes as module

    dressed = []
    own = module._dress
    monkeypatch.setattr(module, "_dress", lambda *args, **more: (dressed.append(args[2]), own(*args, **more)))
    grid = VolumeGeometry((slices, *SHAPE[1:]), (4.0, 4.0, 5.0), (-72.0, -60.0, -50.0))
    ki, anatomy, body = phantom()
    values = ki.values[12 - slices // 2 :][:slices]
    made = ki_over_anatomy(
        tmp_path, ParametricMap(values, KI, grid), anatomy[:slices], "Ki", anatomy_unit="g/mL", body=body[:slices]
    )
    assert sorted(dressed) == (["axial"] if alone else ["axial", "coronal", "sagittal"])
    assert ("Other planes are left out: the images are" in made.caption) == alone
    assert ("the planes cross" in made.caption) == (not alone)
    image = pixels(made.path)
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (border > 0.98).all()


def test_the_scale_of_one_slice_is_that_of_its_hottest_place():
    ki, _, _ = phantom()
    one = mean_of_27(ki.values[12:13])
    assert one.max() == pytest.approx(0.03, rel=1e-5)
    assert mean_of_27(ki.values).max() == pytest.approx(0.03, rel=1e-5)


def test_numbers_below_a_colour_bar_do_not_meet(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    checked = []

    def saved(self, path, own=Figure.savefig, **more):
        own(self, path, **more)
        boxes = [
            sorted((t.get_window_extent() for t in bar.get_xticklabels() if t.get_text()), key=lambda box: box.x0)
            for axes in self.axes
            for bar in axes.child_axes
        ]
        checked.extend(b.x0 - a.x1 for row in boxes for a, b in pairwise(row))

    monkeypatch.setattr(Figure, "savefig", saved)
    ki, anatomy, _ = phantom()
    for slices in (1, 20):
        grid = VolumeGeometry((slices, *SHAPE[1:]), (4.0, 4.0, 5.0), (-72.0, -60.0, -50.0))
        third = ParametricMap((ki.values[12:13] if slices == 1 else ki.values) / 3, KI, grid)
        ki_over_anatomy(tmp_path, third, anatomy[:slices], "Ki (whole-blood input)", anatomy_unit="g/mL")
    assert checked and min(checked) > 2


def test_nothing_touches_the_border_of_a_picture(tmp_path):
    """Labels that are cut off leave ink on the outermost pixels."""
    ki, anatomy, body = phantom()
    timing = FrameTiming.parse("liang2023")
    curve = blood()
    mean = curve.whole_blood_frame_mean(timing)
    made = draw(
        tmp_path,
        [
            partial(ki_over_anatomy, ki=ki, anatomy=anatomy, label="Ki (whole-blood input)", body=body),
            partial(
                map_overview,
                maps=[ki, ParametricMap(anatomy, V0, GRID), ParametricMap(ki.values / 9, KI_SD, GRID)],
                labels=["Ki", "V0", "SD of Ki"],
                body=body,
            ),
            partial(map_overview, maps=[ki], labels=["Ki"], body=body, distrust=body, name="distrust.png"),
            partial(blood_curve, curve=curve, timing=timing, frame_mean=mean, frame_sd=0.1 * mean),
            partial(patlak_plot, curves=region_curves_in_plot(), t_star_min=30.0),
            *agreement_drawings(comparison()),
        ],
        pytest.fail,
    )
    assert len(made) == 6 + 3
    for figure in made:
        image = pixels(figure.path)
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert (border > 0.98).all(), figure.path.name
        assert figure.path.stat().st_size < 600_000
        assert figure.title
        assert figure.caption.endswith(".")


def test_every_figure_is_there_for_print_too(tmp_path):
    """The same as PDF: fonts embedded as outlines with letters (TrueType), and nothing that changes from run to run."""
    patlak_plot(tmp_path / ".", region_curves_in_plot(), 30.0)
    first = (tmp_path / "patlak.pdf").read_bytes()
    assert first.startswith(b"%PDF-") and b"/FontFile2" in first and b"/Type3" not in first
    assert b"CreationDate" not in first
    patlak_plot(tmp_path / ".", region_curves_in_plot(), 30.0)
    assert (tmp_path / "patlak.pdf").read_bytes() == first


def test_where_not_to_trust_a_map_is_outlined_and_said_in_the_legend(tmp_path):
    ki, anatomy, body = phantom()
    spot = ki.values > 0.02
    plain = pixels(ki_over_anatomy(tmp_path, ki, anatomy, "Ki", body=body).path)
    made = ki_over_anatomy(tmp_path, ki, anatomy, "Ki", body=body, distrust=spot)
    shown = pixels(made.path)
    # bright blue-green lines, of which the picture has none otherwise
    lines = [(p[..., 0] < 0.15) & (p[..., 1] > 0.75) & (p[..., 2] > 0.9) for p in (plain, shown)]
    assert not lines[0].any()
    middle = (shown.shape[0] // 2, shown.shape[1] // 2)
    # around the spot in three planes, and one stroke in the legend at the lower right
    assert all(part.any() for half in np.split(lines[1], [middle[0]]) for part in np.split(half, [middle[1]], axis=1))
    assert lines[1].mean() < 0.01
    assert made.caption.endswith("does not explain the frames there.")
    overview = map_overview(tmp_path, [ki], ["Ki"], body, distrust=spot)
    assert "Outlined: where not to trust it" in overview.caption
    elsewhere = np.zeros_like(spot)
    elsewhere[1, 15, 10] = True
    assert map_overview(tmp_path, [ki], ["Ki"], body, distrust=elsewhere).caption.endswith("none lies in this picture.")


def test_the_anatomy_has_a_bar_where_its_unit_is_known(tmp_path):
    ki, anatomy, body = phantom()
    bare = pixels(ki_over_anatomy(tmp_path, ki, anatomy, "Ki", body=body).path)
    with_bar = pixels(ki_over_anatomy(tmp_path, ki, anatomy, "Ki", anatomy_unit="kBq/mL", body=body).path)
    changed = np.argwhere(np.abs(bare - with_bar).max(axis=2) > 0.5)
    assert changed[:, 0].min() > bare.shape[0] / 2 and changed[:, 1].min() > bare.shape[1] / 2


def region_curves_in_plot() -> list[PatlakCurve]:
    x = np.linspace(2, 130, 20)
    used = x > 50
    return [
        PatlakCurve(f"Region number {n}", x, 0.5 + 0.004 * n * x, used, 0.004 * n, 0.5, 0.0001 if n % 2 else None)
        for n in range(1, 10)
    ]


def comparison():
    ki, _, _ = phantom()
    rng = np.random.default_rng(0)
    noisy = ParametricMap((ki.values + rng.normal(0, 1e-3, SHAPE)).astype(np.float32), KI, GRID)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[2:9, 6:20, 8:24], labels[10:15, 8:13, 23:28], labels[14:18, 12:20, 10:20] = 1, 2, 3
    return compare_maps(noisy, ki, Regions(labels, {1: "Liver", 2: "Lesion", 3: "Spleen"}, GRID), "35 min", "65 min")


def test_residual_map_is_scaled_about_one(tmp_path):
    _, _, body = phantom()
    made = map_overview(tmp_path, [ParametricMap(np.ones(SHAPE, np.float32), RESIDUAL, GRID)], ["Residual"], body)
    assert made.path.is_file()


def test_a_plot_of_many_points_says_how_many_are_drawn(tmp_path):
    shape = (20, 30, 36)
    ki = ParametricMap(np.random.default_rng(1).normal(1, 0.1, shape).astype(np.float32), KI, GRID)
    other = ParametricMap(np.random.default_rng(2).normal(1, 0.1, shape).astype(np.float32), KI, GRID)
    labels = np.ones(shape, dtype=np.uint8)
    compared = compare_maps(ki, other, Regions(labels, {1: "All"}, GRID), "A", "B")
    made = bland_altman_plot(tmp_path, compared, compared.agreements[0])
    assert labels.size > MOST_POINTS
    assert f"{labels.size} voxels" in made.caption
    assert f"{MOST_POINTS} of them are drawn" in made.caption


def test_intervals_that_overlap_are_bars_and_not_shades(tmp_path):
    """Of few regions they are wide: orange over blue would be neither."""
    compared = comparison()
    across = next(a for a in compared.agreements if a.roi == "across regions")
    assert "Bars at the right: 95 % confidence intervals" in bland_altman_plot(tmp_path, compared, across).caption
    within = bland_altman_plot(tmp_path, compared, compared.agreements[0]).caption
    assert "Shading: 95 % confidence intervals" in within


def test_nothing_is_drawn_over_the_place_where_the_planes_cross(tmp_path):
    ki, anatomy, body = phantom()
    blue = (np.abs(pixels(ki_over_anatomy(tmp_path, ki, anatomy, "Ki", body=body).path) * 255 - (0, 114, 178))).max(2)
    rows = np.flatnonzero((blue < 70).sum(axis=1) > 0.2 * blue.shape[1])
    assert rows.size, "there are lines"
    for row in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        columns = np.flatnonzero((blue[row] < 70).any(axis=0))
        assert np.diff(columns).max() > 10, "each is open somewhere"


def test_more_regions_than_colours_are_not_drawn_and_the_caption_says_so(tmp_path):
    assert "The first 7 of 9 regions are drawn" in patlak_plot(tmp_path, region_curves_in_plot(), 30.0).caption


# -------------------------------------------------------------------------------- without matplotlib


def test_without_matplotlib_there_are_no_figures_and_one_warning(tmp_path, monkeypatch):
    for name in [m for m in sys.modules if m.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    warnings: list[str] = []
    made = draw(tmp_path / "figures", agreement_drawings(comparison()), warnings.append)
    assert made == []
    assert warnings == [NO_MATPLOTLIB]
    assert not (tmp_path / "figures").exists()


def test_drawing_leaves_matplotlibs_global_settings_alone(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    patlak_plot(tmp_path, region_curves_in_plot(), 30.0)
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


# ------------------------------------------------------------------------------------ numbers and fits


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.02734, "0.0273"),
        (0.003, "0.00300"),
        (-0.00187, "−0.00187"),
        (-1.65e-5, "−1.65×10⁻⁵"),
        (95.2, "95.2"),
        (1110.4, "1110"),
        (999.6, "1000"),
        (float("nan"), "n/a"),
    ],
)
def test_numbers_are_written_as_people_write_them(value, text):
    assert three_digits(value) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.0036621, 0.0000154, "0.003662 ± 0.000015"),
        (1.12543, 0.014, "1.125 ± 0.014"),
        (0.41, None, "0.410"),
        (12.0, 3.44, "12.0 ± 3.4"),
    ],
)
def test_a_value_is_given_to_the_place_of_its_error(value, error, text):
    assert with_error(value, error) == text
