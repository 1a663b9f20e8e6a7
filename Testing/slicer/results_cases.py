"""A small patient as DICOM, estimates of it, and saving as Slicer's dialog does: for the tests of results."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from region_scenes import SMALL, VESSEL_AT, ball, small_patient

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.results.load_result import load_result_steps
from DynamicPETKineticsLib.results.result_nodes import ResultNodes
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.load_sequence import add_sequence, show_in_browser
from petkinetics.job import EstimateJob
from petkinetics.read.maps import read_map
from petkinetics.read.regions import Regions
from petkinetics.read.series import read_series
from petkinetics.simulate.dicom_series import write_dicom_series
from petkinetics.write.regions import write_regions
from petkinetics.write.result_folder import write_distrust
from sequence_files import write_sequence


@dataclass(frozen=True)
class Study:
    """Made once a process; tests copy what they change.

    :param dicom: folder of the series.
    :param patlak: result folder with uncompressed maps, as the panel asks for.
    :param gaussian: one with compressed maps.
    """

    dicom: Path
    patlak: Path
    gaussian: Path


@cache
def study() -> Study:
    """The patient and two results, estimated from what the scene hands over."""
    folder = Path(tempfile.mkdtemp(prefix="results-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_dicom_series(folder / "dicom", small_patient())
    write_sequence(read_series(folder / "dicom"), folder / "pet.seq.nrrd")
    vessel = ball(SMALL, VESSEL_AT, 9.0).astype("uint8")
    write_regions(Regions(vessel, {1: "Aorta"}, SMALL), folder / "aorta.nii")
    made = {}
    for method, compress in (("patlak", False), ("gaussian", True)):
        job = EstimateJob(
            str(folder / "pet.seq.nrrd"),
            str(folder / method),
            method,
            roi=str(folder / "aorta.nii"),
            t_star=30.0,
            compress=compress,
        )
        made[method] = job.run()
    return Study(folder / "dicom", made["patlak"], made["gaussian"])


def sequence_in_scene() -> DynamicSequence:
    """The patient's series, browsed, in a study of the subject hierarchy as the DICOM plugin places it."""
    node = add_sequence(read_series(study().dicom), "FDG dynamic")
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    place = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "PET study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), place)
    show_in_browser(node)
    return DynamicSequence(node)


def loaded(sequence: DynamicSequence, name: str = "Patlak 14:32", folder: Path | None = None) -> ResultNodes:
    """A result in the scene, whose folder is gone again."""
    copy = Path(tempfile.mkdtemp()) / "result"
    shutil.copytree(folder or study().patlak, copy)
    result = at_once(load_result_steps(copy, sequence, name))
    shutil.rmtree(copy.parent)
    return result


def save_modified(folder: Path) -> list[str]:
    """What the save dialog does: write nodes that count as modified, then the scene (.mrml).

    :returns: names of the nodes that were written to files of their own.
    """
    folder.mkdir()
    slicer.mrmlScene.SetRootDirectory(str(folder))
    written = []
    for index in range(slicer.mrmlScene.GetNumberOfNodes()):
        node = slicer.mrmlScene.GetNthNode(index)
        if not node.IsA("vtkMRMLStorableNode") or node.GetHideFromEditors() or not node.GetSaveWithScene():
            continue
        if node.GetStorageNode() is None and not node.AddDefaultStorageNode():
            raise AssertionError(f"{node.GetName()} cannot be saved")
        storage = node.GetStorageNode()
        if storage is None or not node.GetModifiedSinceRead():
            continue
        ending = storage.GetDefaultWriteFileExtension()
        storage.SetFileName(str(folder / f"{len(written)} {_valid(node.GetName())}.{ending}"))
        assert storage.WriteData(node), node.GetName()
        written.append(node.GetName())
    slicer.mrmlScene.SetURL(str(folder / "scene.mrml"))
    assert slicer.mrmlScene.Commit()
    return written


def _valid(name: str) -> str:
    return "".join(c if c.isalnum() or c in " ._-" else "_" for c in name)


def distrusted(folder: Path) -> NDArray[np.bool_]:
    """Mark a corner of a result folder's maps as not to be trusted, as a network's check of the scan does."""
    ki = read_map(folder / "ki.nii")
    where = np.zeros(ki.values.shape, dtype=bool)
    where[2:5, 3:9, 4:12] = True
    where[3, 5, 6] = False
    write_distrust(folder, where, ki.geometry, compress=False)
    return where
