"""What is shipped is what is in the tree, under one version."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import petkinetics

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "DynamicPETKinetics"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that nothing left in the tree gets into it, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "project"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(SOURCE, copy / "DynamicPETKinetics", ignore=ignored)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", str(copy), *options, "--wheel-dir", str(folder)], check=True, timeout=120
    )
    (built,) = folder.glob("petkinetics-*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_engine_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    in_tree = {
        file.relative_to(SOURCE).as_posix()
        for file in (SOURCE / "petkinetics").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert shipped == in_tree
    assert "petkinetics/py.typed" in shipped


def test_the_wheel_carries_licence_version_and_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(f"{info}/METADATA").decode()
        commands = archive.read(f"{info}/entry_points.txt").decode()
        licence = archive.read(f"{info}/licenses/LICENSE").decode()
    assert f"\nVersion: {petkinetics.__version__}\n" in metadata
    assert "petkinetics = petkinetics.cli:main" in commands
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_one_version_everywhere() -> None:
    assert version("petkinetics") == petkinetics.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == petkinetics.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\d\S*)", changelog, re.MULTILINE)[1] == petkinetics.__version__


def test_the_command_is_installed() -> None:
    (command,) = (e for e in entry_points(group="console_scripts") if e.name == "petkinetics")
    assert command.load().__module__ == "petkinetics.cli"


def test_development_dependencies_are_pinned_and_every_one_has_its_reason() -> None:
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    chosen, _, brought_along = "\n".join(lines).partition("# --- what the packages above bring along")
    pins = [line for line in (chosen + brought_along).splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r'[\w.-]+==[\w.]+(; python_version (>=|<) "3\.\d+")?', pin) for pin in pins)
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    named = {line.split("==")[0] for line in chosen.splitlines() if "==" in line}
    assert [name for name in sorted(named) if name.lower() not in reasons] == []


def test_what_users_install_is_pinned_for_development_too() -> None:
    metadata = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = re.findall(r'^\s*(?:\w+ = \[)?"([\w-]+)>=[\d.]+"', metadata, re.MULTILINE)
    assert "numpy" in wanted and "matplotlib" in wanted
    pinned = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert [name for name in wanted if f"\n{name}==" not in pinned] == []
