"""docs/training.md: its commands can be given, and run as they stand, with few patients and steps."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from petkinetics.cli import _parser, main
from petkinetics.simulate.patient import simulate_patient
from petkinetics.simulate.write import write_patient
from petkinetics.studies.patient_problem import middle_slices

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
#: those that stand in blocks, in order
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"^ *```\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
SENTENCES = [shlex.split(words) for words in re.findall(r"`(petkinetics [^`]*)`", PAGE)]
#: of every training here, in the place of what the page says
TINY = {"--patients": "2", "--steps": "2", "--workers": "0", "--device": "cpu"}


def table(head: str) -> str:
    """The page's table whose first column is so named, tab-separated, without marks."""
    found = re.search(rf"^ *\| {head} \|.*\n((?: *\|.*\n)+)", PAGE, re.MULTILINE)
    assert found is not None
    lines = [line for line in found[0].splitlines() if not set(line) <= set(" |-")]
    rows = [[re.sub("`", "", cell).strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    return "\n".join("\t".join(row) for row in rows) + "\n"


@pytest.mark.parametrize("words", [*COMMANDS, *SENTENCES], ids=" ".join)
def test_the_command_line_takes_the_command(words: list[str]) -> None:
    assert words[0] == "petkinetics"
    if "-o" not in words and words[1] == "train":
        words = [*words, "-o", "somewhere"]
    if len(words) > 2:
        assert _parser().parse_args(words[1:]).run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the page takes for granted: two own series, a scan to use the weights on, a table of static PET."""
    patient = simulate_patient("thorax", seed=31, geometry=middle_slices("small", 12))
    write_patient(patient, tmp_path / "patient01", fmt="dicom")
    (tmp_path / "patient01" / "dicom").rename(tmp_path / "patient01" / "pet")
    write_patient(patient, tmp_path / "patient02", fmt="nifti")
    (tmp_path / "pet").symlink_to(tmp_path / "patient01" / "pet")
    # organs as regions: lesions may lie outside of the few slices
    for name, made in (("aorta.nii.gz", "aorta.nii.gz"), ("lesions.nii.gz", "labels.nii.gz")):
        (tmp_path / name).symlink_to(tmp_path / "patient02" / made)
    (tmp_path / "series.tsv").write_text(table("series"))
    (tmp_path / "static.tsv").write_text("series\npatient01/pet\npatient02/pet.nii.gz\n")
    return tmp_path


@pytest.mark.slow
def test_the_page_can_be_followed_to_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for words in COMMANDS:
        tiny = dict(TINY)
        if "--resume" in words:
            tiny["--steps"] = "3"
        if words[1] == "train":
            for option, value in tiny.items():
                if option in words:
                    words[words.index(option) + 1] = value
                else:
                    words = [*words, option, value]
        assert main(words[1:]) == 0, words
    assert {"short", "full", "agreement", "own", "own-prior", "result"} <= {path.name for path in folder.iterdir()}
