"""The network paper's study: image metrics by the libraries that hold them, and its figures."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from test_study import GEOMETRY, known, maps

from petkinetics.cli import main
from petkinetics.commands import evaluate as command
from petkinetics.errors import InputError
from petkinetics.evaluate.bland_altman import agreement_of_pairs
from petkinetics.evaluate.figures import columns_of, in_lines
from petkinetics.evaluate.image_quality import image_quality
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import two_tissue_frames
from petkinetics.maps import FV, K1, K2, K3, KI, V0, ParametricMap, ParametricResult
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.blood import BloodParameters, input_function
from petkinetics.simulate.patient import FDG
from petkinetics.studies import metric_libraries, paper_study, perceptual, run_study
from petkinetics.studies.figure_doses import _share, errors_by_dose, lesions_by_dose
from petkinetics.studies.figure_image_quality import distributions, radar
from petkinetics.studies.figure_tumour import tumour_agreement
from petkinetics.studies.figure_views import View, views
from petkinetics.studies.late_frame import predicted_frame
from petkinetics.studies.paper_plan import PLANS, plan_of
from petkinetics.studies.perceptual import METRICS, lines_of_missing, perceptual_quality
from petkinetics.studies.slice_quality import slice_quality
from petkinetics.studies.study import Study
from petkinetics.studies.tumour_roi import tumour_box, why_no_box
from petkinetics.write.tables import read_table

#: of piq and scikit-image: those that need no weights
COMPUTED = ("NMI", "MS-SSIM", "IW-SSIM", "FSIM", "SR-SIM", "DSS", "HaarPSI", "VSI", "GMSD", "MDSI")


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reference, body and noise of a slice of 164 pixels."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[-1:1:164j, -1:1:164j]
    body = np.broadcast_to(x**2 + y**2 < 0.8, (1, 164, 164))
    shape = 0.01 * (1 + np.cos(9 * x) * np.sin(7 * y)) + 0.03 * ((x - 0.3) ** 2 + y**2 < 0.02)
    return np.where(body, shape, 0).astype(np.float32), body, rng.standard_normal(body.shape).astype(np.float32)


def test_noise_is_worse_by_every_metric(images: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    reference, body, noise = images
    found = [perceptual_quality(reference + s * noise, reference, body)[0] for s in (0.0, 0.003)]
    assert set(found[0]) == set(COMPUTED)
    for metric in METRICS:
        if metric.name not in COMPUTED:
            continue
        perfect, noisy = (values[metric.name] for values in found)
        if metric.better == "high":
            assert perfect > noisy, metric.name
        else:
            assert perfect < noisy, metric.name
    assert found[0]["FSIM"] == pytest.approx(1.0, abs=1e-4)
    assert found[0]["GMSD"] == pytest.approx(0.0, abs=1e-6)


def test_what_is_not_computed_is_said_with_its_reason(images: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    reference, body, _ = images
    _, missing = perceptual_quality(reference[:, :96, :96], reference[:, :96, :96], body[:, :96, :96])
    assert missing["MS-SSIM"] == "needs images of 161 pixels a side, these have 96"
    assert missing["LPIPS"] == "weights not present: vgg16-397923af.pth, lpips_weights.pt"
    assert missing["MAD"] == "pyiqa is not installed (pip install petkinetics[quality-all])"
    lines = lines_of_missing(missing)
    assert "Not computed: MAD, NLPD, AHIQ (pyiqa is not installed (pip install petkinetics[quality-all]))." in lines


def test_weights_that_lie_in_torchs_folder_are_looked_for_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    lpips = next(m for m in METRICS if m.name == "LPIPS")
    assert perceptual.why_not(lpips, 256) is not None
    (tmp_path / "checkpoints").mkdir()
    for name in lpips.weights:
        (tmp_path / "checkpoints" / name).write_bytes(b"")
    assert perceptual.why_not(lpips, 256) is None


def test_metrics_of_pyiqa_are_taken_where_it_is_installed(
    images: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    reference, body, noise = images
    stand_in = ModuleType("pyiqa")
    asked: list[tuple[str, tuple[int, ...]]] = []

    def create_metric(name: str):  # type: ignore[no-untyped-def]
        def metric(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            asked.append((name, tuple(x.shape)))
            return (x - y).abs().mean(dim=(1, 2, 3))

        return metric

    stand_in.create_metric = create_metric  # type: ignore[attr-defined]
    whole = metric_libraries.library
    monkeypatch.setattr(metric_libraries, "library", lambda name: stand_in if name == "pyiqa" else whole(name))
    monkeypatch.setattr(perceptual, "METRICS", tuple(m for m in METRICS if m.library == "pyiqa"))
    found, missing = perceptual_quality(reference + 0.002 * noise, reference, body)
    assert [name for name, _ in asked] == ["mad", "nlpd"]
    assert {shape for _, shape in asked} == {(1, 3, 164, 164)}
    assert found["MAD"] > 0
    assert set(missing) == {"AHIQ"}


def test_without_the_libraries_the_study_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_libraries, "library", lambda _: None)
    metric = next(m for m in METRICS if m.name == "FSIM")
    assert perceptual.why_not(metric, 256) == "piq is not installed (pip install petkinetics[quality])"


def test_without_scikit_image_a_study_goes_on_without_nmi(
    images: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reference, body, noise = images
    whole = metric_libraries.library
    monkeypatch.setattr(metric_libraries, "library", lambda name: None if name == "skimage" else whole(name))
    _, missing = perceptual_quality(reference, reference, body)
    line = "Not computed: NMI (scikit-image is not installed (pip install petkinetics[quality]))."
    assert line in lines_of_missing(missing)
    rows = slice_quality(reference + 0.002 * noise, reference, body)
    assert [(row["nmi"], row["psnr_db"] is not None) for row in rows] == [(None, True)]
    distributions(tmp_path, "Ki", "truth", [{"seed": 1, "method": "ours", **row} for row in rows])
    text = (tmp_path / "distributions_ki.svg").read_text(encoding="utf-8")
    assert ">SSIM<" in text and "NMI" not in text


def test_images_that_cannot_be_judged_are_refused(images: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    reference, body, _ = images
    with pytest.raises(InputError, match="the body"):
        perceptual_quality(reference, reference, body[:, :9])
    with pytest.raises(InputError, match="nowhere above zero"):
        perceptual_quality(reference, np.zeros_like(reference), body)


def test_operators_that_torchvision_misses_are_declared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    declared: list[str] = []
    tries = iter([RuntimeError("operator torchvision::nms does not exist"), None])

    def import_module(_: str) -> None:
        error = next(tries)
        if error:
            raise error

    monkeypatch.setattr("importlib.import_module", import_module)
    monkeypatch.setattr(metric_libraries, "_declare", declared.append)
    kept = dict(sys.modules)
    metric_libraries.import_torchvision()
    sys.modules.update(kept)
    assert declared == ["nms"]


def test_slices_are_judged_one_by_one_and_agree_with_the_whole() -> None:
    patient = known()
    reference = patient.truth["ki_patlak_9_65"]
    noise = 0.002 * np.random.default_rng(0).standard_normal(reference.shape).astype(np.float32)
    rows = slice_quality(reference + noise, reference, patient.body_mask)
    assert [row["slice"] for row in rows] == list(range(12))
    whole = image_quality(reference + noise, reference, patient.body_mask)
    # every slice has as much body, so that their mean is the whole's
    assert np.mean([row["ssim"] for row in rows]) == pytest.approx(whole.ssim, rel=1e-4)
    assert np.mean([row["psnr_db"] for row in rows]) == pytest.approx(whole.psnr_db, abs=0.1)


def test_a_late_frame_follows_from_the_maps_of_the_first_half_hour() -> None:
    blood = BloodParameters((298.0, 16.4, 9.3, 3.58, 0.443, 0.0151), 15.0, 10.0, 1.12)
    true = input_function(blood, 3900.0)
    geometry = VolumeGeometry((1, 1, 2), (4.0, 4.0, 4.0))
    rates = {K1: 0.3, K2: 0.5, K3: 0.05, FV: 0.05}
    two_tissue = {q.name: ParametricMap(np.full((1, 1, 2), v, np.float32), q, geometry) for q, v in rates.items()}
    frame = FrameTiming([3600.0], [300.0])
    body = np.array([[[True, False]]])
    short = true.until(2100.0)
    wanted = two_tissue_frames(true, frame, 0.3, 0.5, 0.05, 0.0, 0.05, FDG.decay_per_s)[0]
    found = predicted_frame(ParametricResult(two_tissue), short, frame, FDG.decay_per_s, body)
    assert found[0, 0, 0] == pytest.approx(wanted, rel=0.01)
    assert found[0, 0, 1] == 0.0
    ki, v0 = 0.95 * 0.3 * 0.05 / 0.55, 0.95 * 0.3 * 0.5 / 0.55**2 + 0.05 / 1.12
    patlak = {q.name: ParametricMap(np.full((1, 1, 2), v, np.float32), q, geometry) for q, v in ((KI, ki), (V0, v0))}
    found = predicted_frame(ParametricResult(patlak), short, frame, FDG.decay_per_s, body)
    assert found[0, 0, 0] == pytest.approx(wanted, rel=0.03)
    with pytest.raises(InputError, match="Without V0"):
        predicted_frame(ParametricResult({"ki": patlak["ki"]}), short, frame, FDG.decay_per_s, body)
    with pytest.raises(InputError, match="One frame"):
        predicted_frame(ParametricResult(patlak), short, FrameTiming([0.0, 10.0], [10.0, 10.0]), 0.0, body)


def test_the_command_makes_every_figure_and_table_of_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the metrics themselves are tested above; here they only have to arrive
    def quick(values: np.ndarray, reference: np.ndarray, body: np.ndarray):  # type: ignore[no-untyped-def]
        error = float(np.abs(values - reference)[body].mean())
        return {"FSIM": 1.0 / (1.0 + error), "GMSD": error}, {"LPIPS": "weights not present: there.pth"}

    monkeypatch.setattr(paper_study, "perceptual_quality", quick)
    arguments = ["evaluate", "hypr", "--patients", "1", "--slices", "11", "--until", "35", "--full"]
    assert main([*arguments, "--beside", "full-scan", "-o", str(tmp_path / "out")]) == 0
    out = tmp_path / "out"
    stems = {f"{kind}_{image}" for kind in ("radar", "distributions") for image in ("ki", "suv")}
    stems |= {f"views_{image}_{kind}" for image in ("ki", "suv") for kind in ("grey", "colour")}
    stems |= {"tumour_bland_altman"}
    assert written(out / "figures") == {f"{stem}.{ext}" for stem in stems for ext in ("png", "svg", "pdf")}
    rows = read_table(out / "quality.tsv")
    assert {(r["method"], r["image"], r["reference"]) for r in rows} == {
        (method, image, reference)
        for method in ("patlak", "hypr")
        for image in ("Ki", "SUV")
        for reference in ("truth (noise-free)", "noisy full scan")
    }
    by_method = {r["method"]: r for r in rows if (r["image"], r["reference"]) == ("SUV", "truth (noise-free)")}
    # half an hour of Patlak foretells the last frame's SUV, with its noise
    assert 0 < by_method["hypr"]["RMSE"] < by_method["patlak"]["RMSE"] < 1.0
    text = (out / "study.md").read_text()
    assert "Not computed: LPIPS (weights not present: there.pth)." in text
    assert "![Agreement in the tumour](figures/tumour_bland_altman.png)" in text
    table = [line for line in text.splitlines() if line.startswith("| 1 | 35 | SUV | noisy full scan | hypr |")]
    assert len(table) == 1
    assert table[0].count("|") == text.split("| dose | until, min | image |")[1].splitlines()[0].count("|") + 4


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_radar_places_the_best_at_the_rim_and_leaves_out_what_somebody_lacks(tmp_path: Path) -> None:
    means = {
        "ours": {"SSIM": 0.9, "RMSE": 1.0, "VSI": 0.99, "DSS": 0.5},
        "patlak": {"SSIM": 0.5, "RMSE": 2.0, "VSI": 0.9},
        "kinetic-network:preset=compact": {"SSIM": 0.6, "RMSE": 1.5, "VSI": 0.9},
    }
    better = {"SSIM": "high", "RMSE": "low", "VSI": "high", "DSS": "high"}
    drawn = radar(tmp_path, "Ki", "noisy full scan", means, better)
    assert written(tmp_path) == {"radar_ki.png", "radar_ki.svg", "radar_ki.pdf"}
    assert drawn.path.stat().st_size > 10_000
    from petkinetics.studies.figure_image_quality import _places

    text = drawn.path.with_suffix(".svg").read_text(encoding="utf-8")
    # what the circles are stands above, not among the curves
    assert "rim: best of these methods; inner ring: worst" in text
    assert ">compact<" in text and "preset=" not in text
    places = _places(["SSIM", "RMSE"], means, better)
    assert places["ours"] == pytest.approx([1.0, 1.0])
    assert places["patlak"] == pytest.approx([0.3, 0.3])


def test_names_of_a_radars_axes_do_not_lie_on_its_rim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    inside: list[str] = []

    def saved(self: Figure, path: Path, own=Figure.savefig, **more: object) -> None:  # type: ignore[no-untyped-def]
        own(self, path, **more)
        (axes,) = self.axes
        middle = axes.transData.transform((0.0, 0.0))
        rim = np.linalg.norm(axes.transData.transform((0.0, 1.0)) - middle)
        for text in axes.texts:
            box = text.get_window_extent()
            nearest = np.clip(middle, (box.x0, box.y0), (box.x1, box.y1))
            inside.extend([text.get_text()] * bool(np.linalg.norm(nearest - middle) < rim + 3))

    monkeypatch.setattr(Figure, "savefig", saved)
    better = {"RMSE": "low", "PSNR": "high", "SSIM": "high", **{m.name: m.better for m in METRICS}}
    means = {name: dict.fromkeys(better, value) for name, value in (("patlak", 0.1), ("ours", 0.2))}
    radar(tmp_path, "Ki", "noisy full scan", means, better)
    assert inside == []


def test_two_numbers_called_nmi_say_of_which_voxels_they_are(tmp_path: Path) -> None:
    rows = [
        {"seed": 90_000, "method": method, "nmi": 1.2, "psnr_db": 20.0 + k, "ssim": 0.5}
        for method in ("patlak", "kinetic-network:preset=compact")
        for k in range(5)
    ]
    drawn = distributions(tmp_path, "Ki", "noisy full scan", rows)
    assert "NMI is that of the body's voxels; table and radar plot have that of whole slices" in drawn.caption
    text = drawn.path.with_suffix(".svg").read_text(encoding="utf-8")
    assert ">NMI in the body<" in text and ">compact<" in text
    case = {"dose": 1.0, "until_min": 35.0, "image": "Ki", "reference": "truth", "seed": 90_000}
    none = dict.fromkeys(["PSNR", "SSIM", *(metric.name for metric in METRICS)])
    row = {**case, "method": rows[-1]["method"], **none, "NMI": 1.3, "RMSE": 0.1}
    study = paper_study.PaperStudy(quality=[row])
    head, _, cells = study._table()
    assert "NMI (slices with air) ↑" in head
    assert "| compact |" in cells


def test_the_other_figures_are_written_as_pictures_and_vectors(tmp_path: Path) -> None:
    patient = known()
    ki, _ = maps(patient, ki_factor=0.8)
    reference = patient.truth["ki_patlak_9_65"]
    rows = [
        {"seed": seed, "method": method, **row}
        for seed in (90_000, 90_001)
        for method, factor in (("patlak", 0.8), ("ours", 0.95))
        for row in slice_quality(np.float32(factor) * reference, reference, patient.body_mask)
    ]
    distributions(tmp_path, "Ki", "truth", rows)
    pictures = [View("truth", reference), View("ours", ki.values)]
    for colour in (False, True):
        views(tmp_path, pictures, ki, patient.body_mask, "Ki", "mL/min/mL", colour)
    a, b = ki.values.ravel()[:1000], reference.ravel()[:1000]
    noise = np.random.default_rng(0).normal(0, 0.002, 1000).astype(np.float32)
    tumour_agreement(tmp_path, {"ours": (a + noise, b)}, {"ours": agreement_of_pairs(a + noise, b, "ours")}, "truth")
    stems = {"distributions_ki", "views_ki_grey", "views_ki_colour", "tumour_bland_altman"}
    assert written(tmp_path) == {f"{stem}.{ext}" for stem in stems for ext in ("png", "svg", "pdf")}
    assert GEOMETRY.shape == reference.shape


@pytest.mark.parametrize(
    ("slices", "planes"),
    [(12, {"transverse"}), (30, {"transverse", "coronal", "sagittal"}), (90, {"transverse", "coronal", "sagittal"})],
)
def test_views_are_as_long_as_the_images_and_leave_out_slivers(slices: int, planes: set[str], tmp_path: Path) -> None:
    values = np.ones((slices, 80, 120), np.float32)
    like = ParametricMap(values, KI, VolumeGeometry(values.shape, (3.0, 3.0, 3.0)))
    pictures = [View(label, values) for label in ("truth", "patlak", "ours")]
    drawn = views(tmp_path, pictures, like, np.ones(values.shape, bool), "Ki", "mL/min/mL", colour=False)
    text = drawn.path.with_suffix(".svg").read_text(encoding="utf-8")
    # letters are text, which can be searched and set in a journal's own
    assert {label for label in ("truth", "patlak", "ours") if f">{label}<" in text} == {"truth", "patlak", "ours"}
    told = {plane for plane in ("transverse", "coronal", "sagittal") if f">{plane}<" in text}
    assert told == (planes if len(planes) > 1 else set())
    assert drawn.caption.endswith("the images are 36 mm thick.") == (len(planes) == 1)


def test_the_unit_beside_the_colours_is_not_cut_off(tmp_path: Path) -> None:
    from matplotlib.image import imread

    values = np.full((8, 80, 120), 0.01, np.float32)
    like = ParametricMap(values, KI, VolumeGeometry(values.shape, (3.0, 3.0, 3.0)))
    pictures = [View(label, values) for label in ("truth", "patlak", "ours")]
    drawn = views(tmp_path, pictures, like, np.ones(values.shape, bool), "Ki", "mL/min/mL", colour=True)
    edge = imread(drawn.path)[:, -6:, :3]
    assert edge.min() > 0.99


def test_panels_fill_their_rows() -> None:
    assert [columns_of(panels) for panels in range(1, 9)] == [1, 2, 3, 2, 3, 3, 4, 4]


def test_numbers_at_the_axes_of_the_tumours_plot_do_not_meet(tmp_path: Path) -> None:
    reference = np.random.default_rng(1).uniform(0.0, 0.007, 500).astype(np.float32)
    noise = np.random.default_rng(2).normal(0, 0.001, 500).astype(np.float32)
    names = ("patlak", "nlm", "ours", "another", "a fifth")
    pairs = dict.fromkeys(names, (reference + noise, reference))
    agreements = {name: agreement_of_pairs(*pair, name) for name, pair in pairs.items()}
    drawn = tumour_agreement(tmp_path, pairs, agreements, "the truth")
    text = drawn.path.with_suffix(".svg").read_text(encoding="utf-8")
    assert "10⁻³ mL/min/mL" in text and ">0.00" not in text


def test_points_beyond_the_axes_of_the_tumours_plot_are_counted(tmp_path: Path) -> None:
    reference = np.random.default_rng(1).uniform(0.0, 0.007, 2000).astype(np.float32)
    calm = reference + np.random.default_rng(2).normal(0, 0.0001, 2000).astype(np.float32)
    wild = calm.copy()
    wild[:3] += 0.5
    wild[3] -= 0.5
    pairs = {"patlak": (wild, reference), "ours": (calm, reference)}
    agreements = {name: agreement_of_pairs(*pair, name) for name, pair in pairs.items()}
    # the limits of the wild one would hold its points
    agreements["patlak"] = agreements["ours"]
    caption = tumour_agreement(tmp_path, pairs, agreements, "the truth").caption
    assert caption.endswith(" Beyond the axes lie, of 2000 voxels: patlak 4; the limits count them.")
    del pairs["patlak"], agreements["patlak"]
    assert "Beyond the axes" not in tumour_agreement(tmp_path, pairs, agreements, "the truth").caption


@pytest.mark.parametrize(
    ("slices", "lesions", "why"),
    [
        (6, True, "a box of 10 voxels a side does not fit into 6 slices"),
        (12, False, "no malignant lesion lies in the slices judged"),
        (12, True, ""),
    ],
)
def test_a_study_says_why_there_is_no_figure_of_the_tumour(slices: int, lesions: bool, why: str) -> None:
    patient = known()
    numbers = np.zeros((slices, 30, 30), np.uint8)
    malignant = next(lesion for lesion in patient.lesion_list if lesion.malignant)
    numbers[2:5, 10:14, 10:14] = malignant.number if lesions else 0
    cut = replace(patient, lesions=numbers)
    geometry = VolumeGeometry(numbers.shape, (3.0, 3.0, 3.0))
    assert why_no_box(cut, geometry) == why
    assert (tumour_box(cut, geometry) is None) == bool(why)
    said: list[str] = []
    study = paper_study.PaperStudy(_no_box=why)
    study._drawings(said.append)
    assert said == [f"Not drawn: agreement in the tumour ({why})."]


def _summary_rows(methods: tuple[str, ...]) -> list[dict[str, object]]:
    return [
        {
            "dose": dose,
            "method": method,
            "until_min": None,
            **{f"{name}_mean": (k + 1) / dose for name in ("ki_rmse", "v0_rmse", "ki_ssim", "v0_ssim")},
            "lesion_mean_bias_percent_0-10_mm": -10.0 * (k + 1),
            "lesion_mean_bias_percent_10-20_mm": None if k else -3.0,
        }
        for k, method in enumerate(methods)
        for dose in (1.0, 0.25, 0.05)
    ]


def test_figures_over_dose_have_a_line_a_method_where_it_has_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from petkinetics.studies import figure_doses

    drawn: list[tuple[str, list[float]]] = []
    plain = figure_doses._lines

    def watched(axes, *arguments, **named):  # type: ignore[no-untyped-def]
        plain(axes, *arguments, **named)
        drawn.extend((axes.get_ylabel(), [float(y) for y in line.get_ydata()]) for line in axes.get_lines())

    monkeypatch.setattr(figure_doses, "_lines", watched)
    rows = _summary_rows(("patlak", "ours"))
    errors_by_dose(tmp_path, rows, ("patlak", "ours"))
    assert [values for _, values in drawn][:2] == [[1e3, 4e3, 2e4], [2e3, 8e3, 4e4]]
    drawn.clear()
    lesions_by_dose(tmp_path, rows, ("patlak", "ours"))
    # the line at zero, then one line a method, empty where it has no lesion of that size
    assert [values for _, values in drawn] == [[0, 0], [-10] * 3, [-20] * 3, [0, 0], [-3] * 3, []]
    stems = ("errors_by_dose", "lesions_by_dose")
    assert written(tmp_path) == {f"{stem}.{ext}" for stem in stems for ext in ("png", "svg", "pdf")}


def test_without_a_lesion_in_view_no_empty_page_is_drawn_and_the_study_says_why() -> None:
    rows = [
        {k: v for k, v in row.items() if not k.startswith("lesion")} | {"world": "usual", "input": "aorta ROI"}
        for row in _summary_rows(("patlak",))
    ]
    said: list[str] = []
    study = paper_study.PaperStudy((1.0, 0.25, 0.05), quality=[{"method": "patlak", "until_min": None}])
    assert len(study._drawings_of_doses(rows, said.append)) == 1
    assert said == ["Not drawn: lesions by size over dose (no lesion lies wholly in the slices judged)."]


@pytest.mark.parametrize(
    ("label", "lines"),
    [
        ("kinetic-network:preset=compact", ["kinetic-network:", "preset=compact"]),
        ("truth (noise-free)", ["truth", "(noise-free)"]),
        ("diffusion-prior:solver=hqs,samples=4", ["diffusion-prior:", "solver=hqs,", "samples=4"]),
        ("noisy full scan", ["noisy full scan"]),
    ],
)
def test_long_labels_are_broken_where_they_read_well(label: str, lines: list[str]) -> None:
    assert in_lines(label).splitlines() == lines


def test_doses_are_told_as_shares() -> None:
    assert [_share(dose) for dose in (2.0, 1.0, 0.25, 0.05, 0.3)] == ["2", "1", "1/4", "1/20", "0.3"]


@pytest.mark.parametrize("method", sorted(PLANS))
def test_a_papers_study_needs_no_option_but_full(method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Study] = []
    monkeypatch.setattr(run_study, "run_study", lambda wanted, *_: asked.append(wanted))
    monkeypatch.setattr(command, "print", lambda *_, **__: None, raising=False)
    (tmp_path / "study.md").write_text("", encoding="utf-8")
    for more in ([], ["--full"], ["--full", "--dose", "0.3", "--until", "20", "--beside", "none", "--samples", "2"]):
        assert main(["evaluate", method, *more, "-o", str(tmp_path)]) == 0
    plain, full, own = asked
    plan = plan_of(method, full=True)
    assert (plain.doses, plain.until_min, plain.samples) == ((1.0,), (None,), 0)
    assert (full.doses, full.until_min, full.samples) == (plan.doses, plan.until_min, plan.samples)
    assert full.company == plan.beside != plain.company
    assert (own.doses, own.until_min, own.samples, own.company) == ((0.3,), (20.0,), 2, ())
    # every label that the gates look for is there
    labels = {one.label for one in full.contestants("usual", 1.0, plan.until_min[0], "aorta ROI")}
    if method == "kinetic-network":
        assert {"patlak", "direct-network", "kinetic-network:preset=compact", "nlm (tuned)"} <= labels
    else:
        assert {f"diffusion-prior:solver={solver}" for solver in ("start", "red-diff", "hqs")} <= labels


def test_who_differs_in_samples_alone_is_shown_once() -> None:
    from petkinetics.studies.contestants import Contestant
    from petkinetics.studies.paper_study import _shown

    nothing = ParametricResult({})
    everybody = (
        Contestant("patlak", "patlak"),
        Contestant("diffusion-prior", "diffusion-prior", samples=4),
        Contestant("diffusion-prior:samples=0", "diffusion-prior"),
        Contestant("hypr", "hypr", classical=True),
        Contestant("nlm", "nlm", classical=True),
    )
    assert list(_shown({one.label: (one, nothing) for one in everybody})) == ["patlak", "diffusion-prior", "nlm"]


def test_a_full_scan_is_judged_by_slope_and_intercept_and_shown_at_a_quarter_of_the_dose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_study, "perceptual_quality", lambda *_: ({}, {}))
    arguments = ["evaluate", "gaussian", "--patients", "1", "--slices", "11", "--dose", "1", "--dose", "0.3", "--full"]
    assert main([*arguments, "--beside", "none", "-o", str(tmp_path / "out")]) == 0
    rows = read_table(tmp_path / "out" / "quality.tsv")
    assert {(r["image"], r["dose"]) for r in rows} == {(i, d) for i in ("Ki", "V0") for d in (1, 0.3)}
    stems = {path.stem for path in (tmp_path / "out" / "figures").iterdir()}
    assert {"radar_v0", "views_v0_colour", "errors_by_dose", "lesions_by_dose"} <= stems
    assert "radar_suv" not in stems
    assert "Figures of images and of slices: dose 0.3." in (tmp_path / "out" / "study.md").read_text()
