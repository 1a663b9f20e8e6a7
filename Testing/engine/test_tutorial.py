"""The tutorial's commands run, and print what the tutorial says."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of the console blocks with the lines shown below it."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        first, *rest = re.split(r"^\$ ", block, flags=re.MULTILINE)
        assert first == ""
        for part in rest:
            command, *shown = part.splitlines()
            yield command, [line for line in shown if line.strip()]


def same(shown: str, printed: str) -> bool:
    """Whether two lines say the same, numbers to the digits shown.

    Where a mean nearly cancels, as a bias does, its last digits hang on the version of numpy and on
    the processor, so numbers may differ by 2 in their last digit shown.
    """
    words, found = shown.split(), printed.split()
    return len(words) == len(found) and all(a == b or _close(a, b) for a, b in zip(words, found, strict=True))


def _close(shown: str, printed: str) -> bool:
    number = re.fullmatch(r"(-?\d*)\.?(\d*)(?:e([+-]?\d+))?", shown)
    if number is None or not any(number.groups()[:2]):
        return False
    step = 10.0 ** (int(number[3] or 0) - len(number[2]))
    try:
        return math.isclose(float(shown), float(printed), rel_tol=1e-4, abs_tol=2.0 * step if "." in shown else 0.0)
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("bias 27.6", "bias 27.58402", True),
        ("bias 27.6", "bias 29.1", False),
        ("n 31", "n 32", False),
        ("a 3.3e-05", "a 3.291e-05", True),
        ("a 3.3e-05", "a 5.1e-05", False),
        ("Done: result", "Done: other", False),
    ],
)
def test_lines_are_compared_to_the_digits_shown(shown: str, printed: str, expected: bool) -> None:
    assert same(shown, printed) is expected


@pytest.mark.slow
def test_the_tutorial_can_be_followed_to_the_letter(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    found = list(commands(TUTORIAL.read_text(encoding="utf-8")))
    assert {command.split()[1] for command, _ in found if command.startswith("petkinetics")} == {
        "simulate", "info", "aorta", "input-function", "tac", "estimate", "suv", "compare", "report", "export"
    }  # fmt: skip
    for command, shown in found:
        run = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        printed = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
        assert len(printed) == len(shown) and all(map(same, shown, printed)), (command, printed)
        wanted = 2 if shown and shown[0].startswith("petkinetics: ") else 0
        assert run.returncode == wanted, command
