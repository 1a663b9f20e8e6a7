"""The report of a result that was made before: complete, from its folder alone, with regions and a second map."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic import SHORT, Patient, run, save_nifti
from test_report import parse

from petkinetics.errors import InputError
from petkinetics.evaluate.figures import NO_MATPLOTLIB, three_digits, with_error
from petkinetics.job import ReportJob
from petkinetics.job_file import job_from_json, job_to_json
from petkinetics.write.tables import read_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patient, two estimates of it, and regions."""
    folder = tmp_path_factory.mktemp("saved")
    patient = Patient(duration=SHORT.copy())
    labels = np.zeros(patient.shape, dtype=np.uint8)
    labels[1:4, 5:9, 6:10], labels[1:5, 14:18, 8:13], labels[2:4, 15:17, 15:17] = 1, 2, 3
    save_nifti(folder / "regions.nii.gz", labels, patient.affine())
    (folder / "regions.tsv").write_text("index\tname\n1\tLiver\n2\tTumour <1>\n3\tNode\n")
    noise = np.random.default_rng(3).normal(0, 0.3, patient.frames.shape).astype(np.float32)
    series = patient.save(folder / "patient", frames=patient.frames + noise * patient.body)
    aorta = folder / "patient" / "aorta.nii"
    regions = ("--rois", folder / "regions.nii.gz")
    assert run("estimate", series, "--roi", aorta, "--method", "patlak", "-o", folder / "patlak", *regions) == 0
    assert run("estimate", series, "--roi", aorta, "--method", "gaussian", "-o", folder / "gaussian") == 0
    assert run("estimate", series, "--roi", aorta, "--method", "two-tissue", "-o", folder / "two", *regions) == 0
    return folder


def words(path: Path) -> str:
    return " ".join(" ".join(parse(path).text).split())


def write(folder: Path, result: str, to: Path, **more: str | None) -> tuple[str, list[str]]:
    said: list[str] = []
    ReportJob(str(folder / result), str(to), **more).run(warn=said.append)  # type: ignore[arg-type]
    return words(to), said


def test_a_report_shows_what_the_folder_holds(folder: Path, tmp_path: Path) -> None:
    text, said = write(folder, "patlak", tmp_path / "report.html")
    assert said == []
    for section in ("Maps", "Regions", "Input function", "Frames used", "How it was made"):
        assert f" {section} " in text
    assert "in colour over late SUV" in text
    assert "Patlak plot." in text
    assert "Bars: mean of each frame" in text
    assert "Agreement" not in text
    assert "not for diagnosis" in text
    # the figures are inside, nothing else was written
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_places_not_to_trust_are_outlined_and_named(folder: Path, tmp_path: Path) -> None:
    from petkinetics.read.maps import read_map
    from petkinetics.write.result_folder import write_distrust

    marked = tmp_path / "marked"
    shutil.copytree(folder / "patlak", marked)
    ki = read_map(marked / "ki.nii.gz")
    _, j, i = np.unravel_index(ki.values.argmax(), ki.values.shape)
    for near, said in ((True, "Outlined: where not to trust it"), (False, "none lies in this picture")):
        where = np.zeros(ki.values.shape, dtype=bool)
        if near:
            # in every slice: of a thin series one is shown, through the hottest neighbourhood
            where[:, max(j - 2, 0) : j + 3, max(i - 2, 0) : i + 3] = True
        else:
            where[0, 0, 0] = True
        (marked / "distrust.nii.gz").unlink(missing_ok=True)
        write_distrust(marked, where, ki.geometry, compress=True)
        text, warned = write(tmp_path, "marked", tmp_path / f"{near}.html")
        assert said in text and warned == []
    assert "trust" not in write(folder, "patlak", tmp_path / "plain.html")[0]


def test_rows_and_errors_are_those_of_the_estimate(folder: Path, tmp_path: Path) -> None:
    text, _ = write(folder, "patlak", tmp_path / "own.html")
    again, _ = write(folder, "patlak", tmp_path / "measured.html", rois=str(folder / "regions.nii.gz"))
    table = re.compile(r"Volume mL.*?roi map unit.*?Patlak plot")
    assert table.search(text)[0] == table.search(again)[0]  # type: ignore[index]


def test_errors_follow_from_the_curves_where_the_table_is_gone(folder: Path, tmp_path: Path) -> None:
    for result in ("patlak", "two"):
        bare = tmp_path / result
        shutil.copytree(folder / result, bare)
        known = {row["roi"]: row["se"] for row in read_table(bare / "roi.tsv") if row["map"] == "ki"}
        (bare / "roi.tsv").unlink()
        text, _ = write(tmp_path, result, tmp_path / f"{result}.html", rois=str(folder / "regions.nii.gz"))
        assert len(known) == 3
        for name, se in known.items():
            assert re.search(rf"{re.escape(str(name))} ki mL/min/mL \d+ \S+ \S+ \S+ {three_digits(se)} ", text), name


def test_fit_and_map_of_a_regularised_method_are_two_numbers_in_every_report(folder: Path, tmp_path: Path) -> None:
    series, aorta = folder / "patient", folder / "patient" / "aorta.nii"
    series = next(path for path in series.iterdir() if path.name.startswith("pet.nii"))
    out = tmp_path / "wide"
    options = ("--method", "gaussian", "--set", "strength=15", "--rois", folder / "regions.nii.gz", "--report")
    assert run("estimate", series, "--roi", aorta, "-o", out, *options) == 0
    fits = {row["roi"]: row for row in read_table(out / "region_fits.tsv")}
    rows = {row["roi"]: row for row in read_table(out / "roi.tsv") if row["map"] == "ki"}
    plain = {row["roi"]: row for row in read_table(folder / "patlak" / "roi.tsv") if row["map"] == "ki"}
    own = words(out / "report.html")
    again, _ = write(tmp_path, "wide", tmp_path / "again.html", rois=str(folder / "regions.nii.gz"))
    for name, fit in fits.items():
        # the fit of the region's curve is plain Patlak's, whatever was done to the map
        assert fit["ki"] == pytest.approx(plain[name]["mean"], rel=1e-4)
        assert fit["ki_se"] == pytest.approx(rows[name]["se"], rel=1e-5)
        assert abs(rows[name]["mean"] - fit["ki"]) > 0.001 * fit["ki"]  # type: ignore[operator]
        for text in (own, again):
            value = with_error(fit["ki"], fit["ki_se"])  # type: ignore[arg-type]
            assert re.search(rf"{re.escape(str(name))} \S+ {three_digits(rows[name]['mean'])} \S+ \S+ {value} ", text)  # type: ignore[arg-type]


def test_without_curves_regions_have_no_errors_and_the_report_says_so(folder: Path, tmp_path: Path) -> None:
    text, said = write(folder, "gaussian", tmp_path / "report.html", rois=str(folder / "regions.nii.gz"))
    assert said == []
    assert "±" not in text.split("Regions Region Volume")[1].split("Two estimates stand")[0].replace("± SE", "")
    assert "Patlak plot." not in text


def test_compartment_models_show_their_fits(folder: Path, tmp_path: Path) -> None:
    text, said = write(folder, "two", tmp_path / "report.html")
    assert said == []
    assert "Compartment model in regions." in text


def test_a_second_result_is_compared_in_the_regions(folder: Path, tmp_path: Path) -> None:
    regions = str(folder / "regions.nii.gz")
    text, _ = write(folder, "patlak", tmp_path / "a.html", rois=regions, compare=str(folder / "gaussian"))
    assert "Agreement (Bland–Altman)" in text
    assert "Differences are patlak ki − gaussian ki." in text
    assert "across regions" in text
    assert parse(tmp_path / "a.html").tags.count("figure") == 4 + 4
    # a map alone; names of one's own
    v0 = next((folder / "gaussian").glob("v0.nii*"))
    job = ReportJob(
        str(folder / "patlak"), str(tmp_path / "b.html"), regions, str(v0), names={"a": "Mon <x>", "b": "Tue"}
    )
    job.run()
    assert "Differences are Mon <x> − Tue." in words(tmp_path / "b.html")


def test_two_other_maps_may_be_compared(folder: Path, tmp_path: Path) -> None:
    maps = [str(next((folder / name).glob("ki.nii*"))) for name in ("two", "gaussian")]
    regions = str(folder / "regions.nii.gz")
    text, _ = write(folder, "patlak", tmp_path / "a.html", rois=regions, compare_from=maps[0], compare=maps[1])
    assert "Differences are two-tissue ki − gaussian ki." in text


def test_maps_of_other_windows_and_input_functions_are_told_apart(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One method, twice: the names say what differs, and so does a warning, in both commands."""
    series, aorta = folder / "patient" / "pet.nii", folder / "patient" / "aorta.nii"
    options = ("--plasma-ratio", "1.1", "--until", "50")
    other, regions = tmp_path / "Doe_John", folder / "regions.nii.gz"
    assert run("estimate", series, "--roi", aorta, "--method", "patlak", "-o", other, *options) == 0
    maps = [next(place.glob("ki.nii*")) for place in (folder / "patlak", other)]
    capsys.readouterr()
    assert run("compare", *maps, "--roi", regions, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().err
    whole, plasma = "patlak ki (whole blood, 32-67 min)", "patlak ki (plasma, 12-47 min)"
    assert f"different input functions: {whole} has whole blood, {plasma} has plasma." in said
    assert f"different windows: {whole} of 32-67 min, {plasma} of 12-47 min." in said
    assert f"Differences are {whole} − {plasma}." in words(tmp_path / "out" / "report.html")
    assert "Doe" not in (tmp_path / "out" / "result.json").read_text(encoding="utf-8")
    text, warnings = write(folder, "patlak", tmp_path / "a.html", rois=str(regions), compare=str(other))
    assert f"Differences are {whole} − {plasma}." in text
    assert sum("different" in sentence for sentence in warnings) == 2
    # SUV is of its window alone; methods without a t* are compared by their end
    for name, there, expected in (("suv", other, 1), ("ki", folder / "two", 0)):
        paths = [next(place.glob(f"{name}.nii*")) for place in (folder / "patlak", there)]
        assert run("compare", *paths, "--roi", regions, "-o", tmp_path / name) == 0
        assert capsys.readouterr().err.count("different") == expected, name


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"compare": "gaussian"}, "compared in regions"),
        ({"compare": "nowhere.nii", "rois": "regions.nii.gz"}, "no map nowhere.nii"),
        ({"rois": "nowhere.nii"}, "nowhere.nii"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_written(
    folder: Path, tmp_path: Path, more: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write(folder, "patlak", tmp_path / "report.html", **{k: str(folder / v) for k, v in more.items()})
    assert list(tmp_path.iterdir()) == []


def test_a_report_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    write(folder, "patlak", tmp_path / "report.html")
    with pytest.raises(InputError, match=r"already holds report\.html"):
        write(folder, "patlak", tmp_path / "report.html")


def test_without_matplotlib_there_are_no_figures_and_one_warning(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text, said = write(folder, "patlak", tmp_path / "report.html")
    assert said == [NO_MATPLOTLIB]
    assert parse(tmp_path / "report.html").tags.count("figure") == 0
    assert NO_MATPLOTLIB in text


def test_the_command_line_and_the_job_file_make_the_same_job(folder: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    job = ReportJob("a", "b.html", compare="c", names={"a": "x"})
    assert job_from_json(job_to_json(job)) == job
    out = tmp_path / "report.html"
    arguments = ("--rois", folder / "regions.nii.gz", "--compare", folder / "gaussian")
    assert run("report", folder / "patlak", "-o", out, *arguments) == 0
    assert str(out) in capsys.readouterr().out
    assert "Agreement" in words(out)
    assert run("report", folder, "-o", tmp_path / "other.html") == 2
    assert "result.json" in capsys.readouterr().err
