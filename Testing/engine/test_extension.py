"""The extension as Slicer's build and the Extensions Index see it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ("DynamicPETKinetics", "DICOMDynamicPETPlugin")
LARGEST_CLONE = 80e6
LARGEST_WEIGHTS = 20e6


def listed(module: str, name: str) -> list[str]:
    """The entries of a list in a module's CMakeLists.txt."""
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(rf"set\({name}\n(.*?)\)", text, re.DOTALL)
    if found is None:
        return []
    assert name.split("_")[-1] in text.split("slicerMacroBuildScriptedModule", 1)[1]
    entries = [line.strip() for line in found[1].splitlines()]
    return [entry.replace("${MODULE_NAME}", module) for entry in entries if entry and not entry.startswith("#")]


def in_tree(module: str) -> set[str]:
    """The module's files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", module]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    files = {name.removeprefix(module + "/") for name in names if (ROOT / name).is_file()}
    return {name for name in files if name != "CMakeLists.txt"}


@pytest.mark.parametrize("module", MODULES)
def test_cmake_lists_every_file_of_a_module_and_no_other(module: str) -> None:
    scripts, resources = listed(module, "MODULE_PYTHON_SCRIPTS"), listed(module, "MODULE_PYTHON_RESOURCES")
    assert len(set(scripts + resources)) == len(scripts) + len(resources)
    assert set(scripts) == {name for name in in_tree(module) if name.endswith(".py")}
    assert set(resources) == {name for name in in_tree(module) if not name.endswith(".py")}


def test_the_module_carries_the_files_of_the_wheel() -> None:
    everything = listed("DynamicPETKinetics", "MODULE_PYTHON_SCRIPTS") + listed(
        "DynamicPETKinetics", "MODULE_PYTHON_RESOURCES"
    )
    engine = {name for name in everything if name.startswith("petkinetics/")}
    # test_packaging holds the wheel to this same set
    assert engine == {name for name in in_tree("DynamicPETKinetics") if name.startswith("petkinetics/")}


def test_no_python_file_lies_beside_a_module_file() -> None:
    """Slicer takes each for a module of its own."""
    for module in MODULES:
        assert [p.name for p in (ROOT / module).glob("*.py")] == [f"{module}.py"]


def test_the_extension_builds_both_modules_under_its_name() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "project(DynamicPETKinetics)" in text
    for module in MODULES:
        assert f"add_subdirectory({module})" in text
    assert "EXTENSION_STATUS" not in text and "EXTENSION_CATEGORY" not in text
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert f"set(EXTENSION_{name} " in text


def test_the_entry_of_the_extensions_index_has_what_its_schema_asks_for() -> None:
    entry = json.loads((ROOT / "DynamicPETKinetics.json").read_text(encoding="utf-8"))
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    allowed = {
        *("$schema", "build_dependencies", "build_subdirectory", "category", "dicom_support_rule"),
        *("enabled", "scm_revision", "scm_type", "scm_url", "tier"),
    }
    assert set(entry) <= allowed
    assert entry["category"] == "Nuclear Medicine"
    assert entry["scm_url"].endswith("/SlicerDynamicPETKinetics.git")
    assert entry["dicom_support_rule"] == "Modality == 'PT'"
    assert entry["build_dependencies"] == ["PyTorch"]


@pytest.mark.parametrize("picture", ["Resources/DynamicPETKinetics.png", "Resources/screenshots/slicer_ki_over_ct.png"])
def test_the_pictures_that_the_index_shows_are_there(picture: str) -> None:
    assert picture in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")


def test_a_fresh_clone_is_small_enough_for_the_index(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-local", str(ROOT), str(clone)], check=True, timeout=120)
    assert sum(file.lstat().st_size for file in clone.rglob("*") if not file.is_dir()) < LARGEST_CLONE


def test_weights_are_safetensors_and_small() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert not [name for name in names if name.endswith((".pkl", ".pt", ".pth", ".ckpt"))]
    weights = [ROOT / name for name in names if name.endswith(".safetensors")]
    assert sum(file.stat().st_size for file in weights) < LARGEST_WEIGHTS


def imports_at_the_top(file: Path) -> set[str]:
    """Packages imported when a file is imported, not inside its functions."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_only_the_panel_imports_qt() -> None:
    library = ROOT / "DynamicPETKinetics" / "DynamicPETKineticsLib"
    for file in library.rglob("*.py"):
        if file.parent.name != "panel":
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(import|from) (qt|ctk|PythonQt)\b", text, re.MULTILINE), file.name


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    heavy = {"torch", "highdicom", "matplotlib", "pydicom", "scipy", "SimpleITK", "pandas"}
    for module in MODULES:
        assert not imports_at_the_top(ROOT / module / f"{module}.py") & {*heavy, "petkinetics", f"{module}Lib"}
    for file in (ROOT / "DynamicPETKinetics" / "DynamicPETKineticsLib").rglob("*.py"):
        assert not imports_at_the_top(file) & heavy, file.name


ROOMS = ("process", "scene", "regions", "results", "runs", "panel")


def test_each_room_of_the_slicer_side_imports_only_from_those_above_it() -> None:
    library = ROOT / "DynamicPETKinetics" / "DynamicPETKineticsLib"
    for rank, room in enumerate(ROOMS):
        for file in (library / room).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                level = node.level if isinstance(node, ast.ImportFrom) else 0
                assert level == 0, f"relative import in {file.name}"
                for name in names:
                    parts = name.split(".")
                    if parts[0] == "DynamicPETKineticsLib" and len(parts) > 1 and parts[1] in ROOMS:
                        assert ROOMS.index(parts[1]) <= rank, f"{room}/{file.name} imports {name}"
