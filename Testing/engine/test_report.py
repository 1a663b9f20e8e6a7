"""report.html: one valid, self-contained file without surprises."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from petkinetics.evaluate.figures import FigureFile
from petkinetics.evaluate.report import DISCLAIMER, write_report
from petkinetics.write.comparison import write_comparison
from petkinetics.write.tables import read_table

VOID = {"meta", "img", "br", "hr", "input", "link"}
#: the smallest PNG
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)

RECORD = {
    "job": "estimate",
    "method": "patlak",
    "options": {"weighting": "frame", "compress": True},
    "overrides": {"injection_time": "10:12:31"},
    "versions": {"petkinetics": "0.1.0", "numpy": "2.1.0"},
    "input_uids": ["1.2.3.4"],
    "device": "cpu",
    "seconds": 3.412,
    "ki_label": "Ki (whole-blood input)",
    "warnings": ["The curve is whole blood & not <plasma>."],
    "frames_used": [
        {"index": 21, "start_s": 1800.0, "duration_s": 300.0, "weight": 1.0},
        {"index": 22, "start_s": 2100.0, "duration_s": 300.0, "weight": 3.0},
    ],
    "t_star_min": 30.0,
    "t_star_choice": "default",
    "input_function": {
        "kind": "whole blood",
        "source": "region aorta.nii.gz",
        "roi_volume_ml": 12.3,
        "warnings": ["The region is small."],
    },
    "noise": {"common": 0.0123, "local": 0.0045, "body_mean_kbq_per_ml": 5.37},
}
INFO = {"shape": [28, 71, 256, 256], "tracer": "FDG", "half_life_s": 6586.2, "warnings": ["One slice step is uneven."]}
ROWS = [
    {
        "roi": roi,
        "map": name,
        "unit": unit,
        "voxels": 1200,
        "volume_ml": 12.7,
        "mean": mean,
        "sd": 0.001,
        "se": se,
        "median": mean,
        "min": 0.0,
        "max": 2 * mean,
        "p05": 0.5 * mean,
        "p95": 1.5 * mean,
        "peak": 1.8 * mean,
    }
    for roi in ("Liver", "Tumour <1>")
    for name, unit, mean, se in (("ki", "mL/min/mL", 0.02734, 0.00042), ("v0", "mL/mL", 0.51, None))
]


class Strict(HTMLParser):
    """Every tag closed in order, ids unique, and what the page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"repeated attribute in <{tag}>"
        self.fetched += [value for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def parse(path: Path) -> Strict:
    parser = Strict()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture
def report(tmp_path) -> Path:
    (tmp_path / "figure.png").write_bytes(PIXEL)
    figures = [
        FigureFile(tmp_path / "figure.png", "Ki over the anatomy", 'Ki in "colour".'),
        FigureFile(tmp_path / "figure.png", "Input function", "The curve.", "input function"),
    ]
    path = tmp_path / "report.html"
    write_report(path, RECORD, ROWS, (), figures, INFO)
    return path


def test_report_is_one_well_formed_file_that_fetches_nothing(report):
    page = parse(report)
    text = report.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert '<html lang="en">' in text
    assert 'name="viewport"' in text
    assert page.fetched
    assert all(source.startswith("data:image/png;base64,") for source in page.fetched)
    assert base64.b64decode(page.fetched[0].partition(",")[2]) == PIXEL
    assert not re.search(r"url\(|@import|https?://", text)
    assert "script" not in page.tags
    assert page.tags.count("h1") == 1


def test_report_puts_warnings_before_results_and_escapes_what_it_is_told(report):
    text = report.read_text(encoding="utf-8")
    assert "whole blood &amp; not &lt;plasma&gt;" in text
    assert "Tumour &lt;1&gt;" in text
    assert text.index("2 warnings") < text.index("<figure>") < text.index("<h2>Regions</h2>")


def test_report_says_what_was_done_with_what_and_that_it_is_no_medical_device(report):
    text = " ".join(" ".join(parse(report).text).split())
    for phrase in (
        DISCLAIMER,
        "Ki (whole-blood input) and V0",
        "Patlak graphical analysis",
        "2, from 30 to 40 min",
        "t*: default.",
        "whole blood",
        "region aorta.nii.gz",
        "Injection time, given by the user 10:12:31",
        "Maps are compressed yes",
        "Mean activity of the body, kBq/mL 5.37",
        "Version of numpy 2.1.0",
        "1.2.3.4",
        "The region is small.",
        "75.0",
        "28 × 71 × 256 × 256",
    ):
        assert phrase in text, phrase
    # the noise model's own scales have no meaning without its equation
    assert "0.0123" not in text and "Noise common" not in text


def test_region_table_gives_values_to_the_place_of_their_error(report):
    text = " ".join(" ".join(parse(report).text).split())
    assert "0.02734 ± 0.00042" in text
    assert "0.510" in text
    assert "12.7" in text


def test_the_region_table_calls_ki_what_the_title_calls_it_and_says_what_a_peak_holds(report):
    page = report.read_text(encoding="utf-8")
    heads = re.findall(r'<th scope="col">([^<]*)', page)
    assert heads[2] == "Ki (whole-blood input) ± SE"
    text = " ".join(" ".join(parse(report).text).split())
    assert "it includes surroundings where a region is below 1 mL, and can lie below the mean there" in text


def test_suv_stands_beside_ki_in_the_region_table(tmp_path):
    suv = {**ROWS[0], "map": "suv", "unit": "g/mL", "mean": 5.4, "se": None, "peak": 6.9, "max": 7.42}
    write_report(tmp_path / "report.html", {"method": "patlak"}, [*ROWS[:2], suv])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    heads = re.findall(r'<th scope="col">([^<]*)', page.split("</thead>")[0])
    assert heads[2:] == ["Ki ± SE", "Ki SD", "Ki peak", "SUV", "SUV peak", "SUV max", "V0 ± SE"]
    cells = re.findall("<td>(.*?)</td>", page.split("<tbody>")[1])
    assert cells[5:8] == ["5.40", "6.90", "7.42"]


@pytest.mark.parametrize(
    "record", [{"method": "nlm"}, {"method": "kinetic-network"}, {"method": "patlak", "weighting": "voxel"}, {}]
)
def test_a_standard_error_stands_beside_the_fit_that_it_belongs_to(tmp_path, record):
    fits = {("Liver", "ki"): (0.02511, 0.00042), ("Liver", "v0"): (0.48, 0.01)}
    path = tmp_path / "report.html"
    write_report(path, record, ROWS, region_fits=fits)
    page = path.read_text(encoding="utf-8")
    heads = re.findall(r'<th scope="col">([^<]*)(?:<small>([^<]*))?', page.split("</thead>")[0])
    assert heads[2:] == [
        ("Ki", "map mean, mL/min/mL"),
        ("Ki SD", "spatial"),
        ("Ki peak", "1 mL"),
        ("Ki ± SE", "curve fit, mL/min/mL"),
        ("V0", "map mean, mL/mL"),
    ]
    text = " ".join(" ".join(parse(path).text).split())
    # the map's mean without an error, the fit with its own; of a region without a curve nothing is made up
    assert "Liver 12.7 0.0273 0.00100 0.0492 0.02511 ± 0.00042 0.510" in text
    assert "Tumour <1> 12.7 0.0273 0.00100 0.0492 n/a 0.510" in text
    assert "the standard error belongs to this value, not to the map mean" in text


def test_report_needs_no_more_than_an_empty_record(tmp_path):
    write_report(tmp_path / "report.html", {})
    text = " ".join(parse(tmp_path / "report.html").text)
    assert DISCLAIMER in text
    assert "None" not in text
    assert "nan" not in text


def test_numbers_that_are_missing_are_said_to_be(tmp_path):
    rows = [{**ROWS[0], "mean": None, "sd": float("nan"), "peak": "n/a"}]
    write_report(tmp_path / "report.html", {"frames_used": [{}]}, rows)
    text = " ".join(parse(tmp_path / "report.html").text)
    assert "n/a" in text
    assert "nan" not in text


@pytest.mark.parametrize("beside", ["{", "[1]", '{"job": "estimate", "method": "patlak"}'])
def test_a_compared_map_is_called_by_the_method_of_its_folder_where_there_is_one(tmp_path, beside):
    labels = np.zeros((6, 12, 12), dtype=np.uint8)
    labels[1:5, 2:10, 2:10] = 1
    paths = [tmp_path / name for name in ("a/ki.nii.gz", "b/ki.nii.gz", "labels.nii.gz")]
    rng = np.random.default_rng(0)
    for path, voxels in zip(paths, [*rng.normal(0.02, 0.002, (2, *labels.shape)), labels], strict=True):
        path.parent.mkdir(exist_ok=True)
        sitk.WriteImage(sitk.GetImageFromArray(voxels), str(path))
    (tmp_path / "a" / "result.json").write_text(beside)
    compared = write_comparison(paths[0], paths[1], str(paths[2]), tmp_path / "out", False, lambda _: None)
    assert (compared.name_a, compared.name_b) == ("patlak ki" if "patlak" in beside else "a ki", "b ki")


def test_a_comparison_folder_holds_table_figures_report_and_record(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.zeros((10, 16, 16), dtype=np.uint8)
    labels[1:4, 2:8, 2:8], labels[5:9, 2:8, 2:8], labels[2:8, 9:15, 9:15], labels[0, 0, 0] = 1, 2, 3, 4
    paths = [tmp_path / f"{name}.nii.gz" for name in ("ki_35", "ki_65", "labels")]
    values = [*(rng.normal(0.02, 0.002, labels.shape).astype(np.float32) for _ in range(2)), labels]
    for path, voxels in zip(paths, values, strict=True):
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((3.0, 3.0, 3.0))
        sitk.WriteImage(image, str(path))
    (tmp_path / "labels.tsv").write_text("index\tname\n1\tLiver\n")
    said: list[str] = []
    out = tmp_path / "out"
    compared = write_comparison(paths[0], paths[1], str(paths[2]), out, False, said.append)
    table = read_table(out / "bland_altman.tsv")
    assert [row["roi"] for row in table] == ["Liver", "label 2", "label 3", "across regions"]
    difference = (values[0].astype(float) - values[1])[labels == 1]
    assert table[0]["bias"] == pytest.approx(difference.mean(), rel=1e-5)
    assert table[0]["sd"] == pytest.approx(difference.std(ddof=1), rel=1e-5)
    assert table[0]["n_effective"] == pytest.approx(compared.agreements[0].absolute.n_effective, rel=1e-6)
    assert sorted(p.name for p in (out / "figures").iterdir()) == [
        f"bland_altman_{n}.{kind}" for n in (1, 2, 3, 4) for kind in ("pdf", "png")
    ]
    record = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert record["job"] == "compare"
    assert "label 4" in record["warnings"][0]
    assert len(said) == 1
    page = parse(out / "report.html")
    assert page.tags.count("figure") == 4
    text = " ".join(" ".join(page.text).split())
    assert f"{compared.name_a} − {compared.name_b}" in text
    assert "includes the difference in variance" in text
