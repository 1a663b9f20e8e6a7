"""A result in the scene: which nodes belong to it, however they are named.

The record (``result.json`` in a text node) refers to the maps, texts and tables of its result by node references,
which survive renaming, saving, reopening and importing. Attributes say what each node is, for everybody else:
``DynamicPET.Result`` on all of them, ``DynamicPET.Map`` on volumes (:mod:`DynamicPETKineticsLib.scene.map_attribute`),
``DynamicPET.File`` on texts, tables and the segmentation of where not to trust the maps.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import vtk

import slicer
from DynamicPETKineticsLib.scene.map_attribute import MAP
from DynamicPETKineticsLib.translation import _
from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.read.result_folder import RECORD_NAME

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence

#: id of the result that a node or a subject hierarchy folder belongs to
RESULT = "DynamicPET.Result"
#: on a volume: what people call it, such as "Ki (whole-blood input)"
LABEL = "DynamicPET.Label"
#: on a text, table or segmentation: which file of the result folder it holds
FILE = "DynamicPET.File"
#: on the record: what the result is called, where its folder is gone
NAME = "DynamicPET.Name"

MAP_ROLE = "DynamicPETMap"
FILE_ROLE = "DynamicPETFile"
SEQUENCE_ROLE = "DynamicPETSequence"
DISTRUST_ROLE = "DynamicPETDistrust"

INPUT_FUNCTION_FILES = ("input_function.tsv", "input_function.json")


def new_id() -> str:
    """An id for a result."""
    return uuid.uuid4().hex


class ResultNodes:
    """The nodes of one result.

    :param record_node: text node that holds ``result.json``.
    """

    def __init__(self, record_node: Any) -> None:
        self.record_node = record_node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResultNodes) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def id(self) -> str:
        """Tells results of a scene apart; stays the same when the scene is saved and reopened."""
        return str(self.record_node.GetAttribute(RESULT))

    @cached_property
    def record(self) -> dict[str, Any]:
        """What ``result.json`` says.

        :raises InputError: somebody edited the text, and it is no record any more.
        """
        try:
            record = json.loads(self.record_node.GetText() or "")
        except json.JSONDecodeError as error:
            raise InputError(
                _("The text {name} was changed and can't be read as a record ({reason}).").format(
                    name=self.record_node.GetName(), reason=error
                ),
                _("Reopen the saved scene, or run the estimate again."),
            ) from error
        if not isinstance(record, dict) or not isinstance(record.get("maps"), dict):
            raise InputError(
                _("The text {name} does not hold the record of an estimate.").format(name=self.record_node.GetName())
            )
        return record

    @property
    def name(self) -> str:
        """What its folder in the subject hierarchy is called now."""
        item = self.folder_item
        return str(_hierarchy().GetItemName(item) if item else self.record_node.GetAttribute(NAME) or self.id)

    @property
    def method(self) -> str:
        """Name of the estimator, such as "patlak"."""
        return str(self.record.get("method", ""))

    @property
    def ki_label(self) -> str:
        """What the slope is to be called: "Ki" or "Ki (whole-blood input)"."""
        return str(self.record.get("ki_label", "Ki"))

    @property
    def maps(self) -> dict[str, Any]:
        """Volume nodes by quantity name, in the order of the record; maps that were deleted are left out."""
        found = {node.GetAttribute(MAP): node for node in _referenced(self.record_node, MAP_ROLE)}
        return {name: found[name] for name in self.record["maps"] if name in found}

    @property
    def missing_maps(self) -> tuple[str, ...]:
        """Symbols of the maps that the record names and somebody deleted from the scene."""
        present = self.maps
        return tuple(str(about["symbol"]) for name, about in self.record["maps"].items() if name not in present)

    @property
    def texts(self) -> dict[str, Any]:
        """Text nodes by the file that they hold: ``result.json``, ``input_function.tsv``, ``input_function.json``."""
        return {RECORD_NAME: self.record_node, **self._files("vtkMRMLTextNode")}

    @property
    def tables(self) -> dict[str, Any]:
        """Table nodes by the file that they hold, such as ``input_function_frames.tsv``."""
        return self._files("vtkMRMLTableNode")

    @property
    def distrust(self) -> Any:
        """The segmentation of where not to trust the maps; None where nothing was found against them."""
        return next(iter(_referenced(self.record_node, DISTRUST_ROLE)), None)

    def _files(self, kind: str) -> dict[str, Any]:
        nodes = (node for node in _referenced(self.record_node, FILE_ROLE) if node.IsA(kind))
        return {str(node.GetAttribute(FILE)): node for node in nodes}

    @property
    def input_function(self) -> InputFunction:
        """The blood curve that drove the estimate, all its nodes.

        :raises InputError: its text was deleted from the scene, or changed.
        """
        texts = self.texts
        missing = [name for name in INPUT_FUNCTION_FILES if name not in texts]
        if missing:
            raise InputError(
                _("The input function of {name} was deleted from the scene ({files}).").format(
                    name=self.name, files=", ".join(missing)
                )
            )
        table, about = (texts[name].GetText() for name in INPUT_FUNCTION_FILES)
        try:
            header, *rows = (line.split("\t") for line in table.splitlines())
            columns = dict(zip(header, np.array(rows, dtype=np.float64).T, strict=True))
            sidecar = json.loads(about)
            return InputFunction(
                time_s=columns["time"],
                plasma_kbq_per_ml=columns["plasma_radioactivity"],
                whole_blood_kbq_per_ml=columns["whole_blood_radioactivity"],
                kind=sidecar["InputFunctionKind"],
                source=sidecar["Source"],
            )
        except (ValueError, KeyError) as error:
            raise InputError(
                _("The text of the input function of {name} was changed and can't be read.").format(name=self.name)
            ) from error

    @property
    def sequence(self) -> DynamicSequence | None:
        """The dynamic series that it was estimated from; None where that is not in the scene."""
        node = self.record_node.GetNodeReference(SEQUENCE_ROLE)
        if node is None:
            return None
        from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence, is_dynamic_sequence

        return DynamicSequence(node) if is_dynamic_sequence(node) else None

    def sequence_or(self, other: DynamicSequence | None) -> DynamicSequence | None:
        """Its series; where that is not in the scene, another one that was read from the same files.

        A series that came from other files is never taken: it may show another patient.
        """
        own = self.sequence
        if own is not None or other is None:
            return own
        said = {str(uid) for uid in self.record.get("input_uids") or ()}
        return other if said == set(other.source_series_uids) else None

    @property
    def folder_item(self) -> int:
        """Its folder in the subject hierarchy, 0 where somebody removed it."""
        return folder_of(self.id)

    @property
    def nodes(self) -> list[Any]:
        """All its nodes, the record last."""
        roles = (MAP_ROLE, DISTRUST_ROLE, FILE_ROLE)
        return [*(node for role in roles for node in _referenced(self.record_node, role)), self.record_node]

    def keep_table(self, file: str, fill: Callable[[Any], Any]) -> Any:
        """Keep a table with the result, under the name of a file of its folder; saved with the scene.

        :param fill: called with the table node of last time, or None; returns the table node.
        """
        known = self.tables.get(file)
        node = fill(known)
        if known is None:
            node.SetAttribute(FILE, file)
            node.SetAttribute(RESULT, self.id)
            self.record_node.AddNodeReferenceID(FILE_ROLE, node.GetID())
            item, folder = _hierarchy().GetItemByDataNode(node), self.folder_item
            if item and folder:
                _hierarchy().SetItemParent(item, folder)
        return node

    def remove(self) -> None:
        """Delete the result from the scene."""
        item = self.folder_item
        remove_nodes(self.nodes)
        if item:
            _hierarchy().RemoveItem(item, False, False)


def all_results() -> list[ResultNodes]:
    """The results in the scene, the newest last."""
    results: list[ResultNodes] = []
    for node in slicer.util.getNodesByClass("vtkMRMLTextNode"):
        if node.GetAttribute(RESULT) and node.GetAttribute(FILE) == RECORD_NAME:
            result = ResultNodes(node)
            if result in results:
                # A scene was imported into one that holds the same result: from now on they are two.
                _give_id(result, new_id())
            results.append(result)
    return results


def result_of(map_node: Any) -> ResultNodes | None:
    """The result that a map belongs to; None for other volumes."""
    if map_node is None or not map_node.GetAttribute(MAP):
        return None
    owned = (result for result in all_results() if map_node in result.maps.values())
    return next(owned, None)


def folder_of(result_id: str) -> int:
    """The subject hierarchy folder of a result, 0 where there is none."""
    hierarchy, items = _hierarchy(), vtk.vtkIdList()
    if hierarchy is None:
        return 0
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    found = (int(items.GetId(i)) for i in range(items.GetNumberOfIds()))
    return next((item for item in found if hierarchy.GetItemAttribute(item, RESULT) == result_id), 0)


def remove_nodes(nodes: Iterable[Any]) -> None:
    """Remove nodes and what only they use, their display and storage nodes."""
    for node in nodes:
        helpers = []
        if node.IsA("vtkMRMLDisplayableNode"):
            helpers = [node.GetNthDisplayNode(i) for i in range(node.GetNumberOfDisplayNodes())]
        helpers.append(node.GetStorageNode())
        for each in (node, *helpers):
            if each is not None and slicer.mrmlScene.IsNodePresent(each):
                slicer.mrmlScene.RemoveNode(each)


def _give_id(result: ResultNodes, name: str) -> None:
    folder = _hierarchy().GetItemParent(_hierarchy().GetItemByDataNode(result.record_node))
    for node in result.nodes:
        node.SetAttribute(RESULT, name)
    if folder and _hierarchy().GetItemAttribute(folder, RESULT):
        _hierarchy().SetItemAttribute(folder, RESULT, name)


def _referenced(node: Any, role: str) -> list[Any]:
    found = (node.GetNthNodeReference(role, i) for i in range(node.GetNumberOfNodeReferences(role)))
    return [each for each in found if each is not None]


def _hierarchy() -> Any:
    return slicer.mrmlScene.GetSubjectHierarchyNode()
