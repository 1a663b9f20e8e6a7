"""A result lives in the scene: saved, reopened in another process, it is complete and can be exported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_cases import loaded, save_modified, sequence_in_scene, study

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.results.map_display import colour_of, threshold_of, window_of
from DynamicPETKineticsLib.results.restore_folder import restore_steps
from DynamicPETKineticsLib.results.result_nodes import all_results
from petkinetics.errors import InputError
from petkinetics.read.maps import read_map
from petkinetics.read.result_folder import read_record, result_maps
from petkinetics.write.tables import read_table

REOPEN = Path(__file__).parent / "reopen_result.py"


def reopened(scene: Path, out: Path) -> dict[str, Any]:
    out.mkdir()
    run = subprocess.run(
        [sys.executable, str(REOPEN), str(scene), str(study().dicom), str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout.splitlines()[-1]))


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("how", ["mrb", "mrml"])
def test_a_result_survives_until_another_day(tmp_path: Path, how: str) -> None:
    """Run, lose the temporary folder, save what counts as modified, reopen in a new process, export, report."""
    result = loaded(sequence_in_scene())
    ki = result.maps["ki"]
    look = [colour_of(ki), list(window_of(ki)), threshold_of(ki)]
    scene = tmp_path / "saved" / "scene.mrml"
    if how == "mrml":
        written = save_modified(tmp_path / "saved")
        assert {node.GetName() for node in result.maps.values()} <= set(written)
    else:
        scene = tmp_path / "scene.mrb"
        assert slicer.util.saveScene(str(scene), {})
    slicer.mrmlScene.Clear(0)
    found = reopened(scene, tmp_path / "out")
    assert found["errors"] == []
    assert found["name"] == "Patlak 14:32"
    assert found["maps"] == ["ki", "v0", "ki_sd", "v0_sd", "residual", "suv"]
    assert found["missing"] == []
    assert found["files"] == files_of(study().patlak)
    assert found["dicom"] == 6 + 5 * 16 + 16  # a parametric map each, and a PET image a slice of each
    assert found["report"]
    assert found["sequence"] == "FDG dynamic"
    assert found["input"][0] == "whole blood"
    assert found["unit"] == "mL/min/mL"
    assert found["quantity"] == "KI_WB"
    assert found["look"] == look
    restored = tmp_path / "out" / "restored"
    for name in found["maps"]:
        before, after = (read_map(folder / f"{name}.nii") for folder in (study().patlak, restored))
        np.testing.assert_array_equal(after.values, before.values)
        assert after.geometry.difference(before.geometry, 1e-3) is None
    for name in ("input_function.tsv", "input_function.json"):
        assert (restored / name).read_text(encoding="utf-8") == (study().patlak / name).read_text(encoding="utf-8")
    # table files keep six digits
    for kept, made in zip(
        *(read_table(f / "input_function_frames.tsv") for f in (restored, study().patlak)), strict=True
    ):
        assert kept == pytest.approx(made, rel=1e-5)
    assert read_record(restored) == read_record(study().patlak)
    # the same maps again, bit for bit, in what was exported
    import pydicom

    exported = pydicom.dcmread(tmp_path / "out" / "dicom" / "ki.dcm")
    pixels = np.frombuffer(exported.FloatPixelData, dtype="<f4")
    assert np.array_equal(np.sort(pixels), np.sort(read_map(study().patlak / "ki.nii").values.ravel()))


def test_saving_twice_keeps_the_result(tmp_path: Path) -> None:
    loaded(sequence_in_scene())
    save_modified(tmp_path / "first")
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "first" / "scene.mrml"), {})
    slicer.util.saveScene(str(tmp_path / "second.mrb"), {})
    shutil.rmtree(tmp_path / "first")
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "second.mrb"), {})
    (result,) = all_results()
    restored = at_once(restore_steps(result, tmp_path / "restored"))
    assert files_of(restored) == files_of(study().patlak)


def test_a_folder_restored_after_a_deletion_says_what_is_missing(tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    slicer.mrmlScene.RemoveNode(result.maps["v0"])
    folder = at_once(restore_steps(result, tmp_path / "restored"))
    record = read_record(folder)
    assert "v0" not in [m.quantity.name for m in result_maps(folder, record)]
    assert "Deleted from the scene before this folder was written: V0." in record["warnings"]
    for node in list(result.maps.values()):
        slicer.mrmlScene.RemoveNode(node)
    with pytest.raises(InputError, match="All maps of Patlak 14:32 were deleted"):
        at_once(restore_steps(result, tmp_path / "again"))
    assert not (tmp_path / "again").exists()


def test_a_restored_folder_is_private(tmp_path: Path) -> None:
    folder = at_once(restore_steps(loaded(sequence_in_scene()), tmp_path / "restored"))
    assert folder.stat().st_mode & 0o077 == 0
