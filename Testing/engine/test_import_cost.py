"""Importing the engine costs nothing that the user did not ask for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic import Patient

from petkinetics.estimators.light_numpy import evenly_spread, median

HEAVY = {"torch", "scipy", "SimpleITK", "matplotlib", "pydicom", "highdicom"}
SECONDS = 0.2


def import_in_new_process(module: str) -> tuple[float, set[str]]:
    """Seconds that an import took and the top-level packages that it loaded."""
    code = (
        f"import json, sys, time\nbegan = time.perf_counter()\nimport {module}\n"
        "print(json.dumps([time.perf_counter() - began, sorted({m.split('.')[0] for m in sys.modules})]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, loaded = json.loads(out)
    return seconds, set(loaded)


def test_the_package_imports_within_a_fifth_of_a_second() -> None:
    # the best of three: other processes of a busy machine only ever make it longer
    assert min(import_in_new_process("petkinetics")[0] for _ in range(3)) <= SECONDS


@pytest.mark.parametrize("module", ["petkinetics", "petkinetics.job", "petkinetics.cli", "petkinetics.worker"])
def test_heavy_packages_wait_until_they_are_used(module: str) -> None:
    assert import_in_new_process(module)[1] & HEAVY == set()


def test_plain_patlak_imports_neither_checks_nor_models_that_it_does_not_use(tmp_path: Path) -> None:
    series = Patient().save(tmp_path)
    arguments = ["estimate", series, "--roi", tmp_path / "aorta.nii", "--method", "patlak", "-o", tmp_path / "out"]
    code = (
        "import json, sys, numpy\nbefore = set(sys.modules)\nfrom petkinetics.cli import main\n"
        f"assert main({[str(a) for a in arguments]}) == 0\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(json.loads(out.splitlines()[-1]))
    dear = {"numpy.ma", "scipy", "torch", "matplotlib", "pydicom"}
    dear |= {f"petkinetics.{name}" for name in ("estimators.scan_faults", "kinetics.region_fit")}
    assert loaded & dear == set()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (4, 25), (101, 3)])
def test_the_median_is_numpy_s_to_the_bit(kind: type, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, shape).astype(kind)
    assert median(values) == float(np.median(values))


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 5), (27, 0), (0, 71), (3, 4)])
@pytest.mark.parametrize("count", [1, 2, 3, 14])
def test_numbers_are_spread_as_numpy_would(first: int, last: int, count: int) -> None:
    assert evenly_spread(first, last, count) == np.unique(np.linspace(first, last, count).round().astype(int)).tolist()
