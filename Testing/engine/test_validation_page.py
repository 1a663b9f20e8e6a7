"""docs/validation.md: the README rounds its numbers, and its commands under "Run it again" can be given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from petkinetics.cli import _parser

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
AGAIN = PAGE.split("## Run it again\n")[1]
COMMANDS = [shlex.split(c) for c in re.findall(r"`((?:python|petkinetics|make) [^`]*)`", AGAIN)]
SCRIPTS = [words[1:] for words in COMMANDS if words[0] == "python"]


def found(asked: str) -> str:
    """What stands in the row of the kinetic network's table that begins so."""
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {asked}"))
    return row.split(" | ")[1]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("RMSE of Ki ÷ weighted Patlak of the same frames", r"`kinetic-network`'s Ki map is (\S+) of Patlak's"),
        ("… ÷ best tuned regularised Patlak", r"(\S+) of the best tuned noise reduction's"),
        ("… ÷ Patlak of the noisy full scan", r"(\S+) of Patlak's on the full 65 minutes"),
        ("lesions: mean absolute error; mean bias", r"a single lesion's Ki is off by (\S+) % on average"),
    ],
)
def test_the_readme_rounds_what_the_page_found(asked: str, sentence: str) -> None:
    said = re.search(sentence, " ".join(README.split()))
    assert said is not None
    digits = len(said[1].partition(".")[2])
    assert f"{float(found(asked).split()[0]):.{digits}f}" == said[1]


def test_every_study_and_the_networks_can_be_run_again() -> None:
    files = (ROOT / "Testing" / "studies").glob("*.py")
    # the others are parts of these
    studies = {f"Testing/studies/{file.name}" for file in files if "argparse" in file.read_text(encoding="utf-8")}
    # its table compares trainings: two folders of simulated scans and hours, told in the experiments
    studies.remove("Testing/studies/network_variants.py")
    assert {words[0] for words in SCRIPTS} == studies | {"Testing/benchmarks/networks.py"}


@pytest.mark.parametrize("words", SCRIPTS, ids=" ".join)
def test_the_script_knows_what_the_page_gives_it(words: list[str]) -> None:
    """Read from the source: its import alone takes seconds."""
    source = (ROOT / words[0]).read_text(encoding="utf-8")
    for option in [word for word in words if word.startswith("--")]:
        assert f'add_argument("{option}"' in source
    first_option = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    places = words[1:first_option]
    if "add_subparsers" in source:
        assert f'"{places[0]}"' in source and len(places) > 1
    else:
        needed = re.findall(r'add_argument\("\w+"(?!.*nargs="\*")', source)
        assert len(places) >= len(needed)


@pytest.mark.parametrize("words", [words[1:] for words in COMMANDS if words[0] == "petkinetics"], ids=" ".join)
def test_the_command_line_takes_the_command(words: list[str]) -> None:
    assert _parser().parse_args(words).run


@pytest.mark.parametrize("words", [words[1:] for words in COMMANDS if words[0] == "make"], ids=" ".join)
def test_make_knows_target_and_variables_and_the_benchmarks_their_options(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE)
    for variable in (word.partition("=")[0] for word in words[1:]):
        (line,) = (line for line in makefile.splitlines() if f"$(call option,{variable}," in line)
        option = re.search(rf"option,{variable},(\w+)", line)[1]  # type: ignore[index]
        script = re.search(r"Testing/benchmarks/\w+\.py", line)[0]  # type: ignore[index]
        assert re.search(rf"^    python {script} .*\[--{option} [A-Z]+\]", (ROOT / script).read_text(), re.MULTILINE)
