"""From a result folder to nodes in the scene, a small piece at a time."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from DynamicPETKineticsLib.results.colours import COLOURS, default_colour
from DynamicPETKineticsLib.results.distrust import add_distrust
from DynamicPETKineticsLib.results.map_display import default_threshold, set_threshold
from DynamicPETKineticsLib.results.map_file import MapImage, map_path, read_map_image
from DynamicPETKineticsLib.results.result_nodes import (
    DISTRUST_ROLE,
    FILE,
    FILE_ROLE,
    INPUT_FUNCTION_FILES,
    LABEL,
    MAP_ROLE,
    NAME,
    RESULT,
    SEQUENCE_ROLE,
    ResultNodes,
    folder_of,
    new_id,
    remove_nodes,
)
from DynamicPETKineticsLib.results.table_nodes import add_table
from DynamicPETKineticsLib.results.window import percentile_window
from DynamicPETKineticsLib.scene.map_attribute import MAP, PROVENANCE
from DynamicPETKineticsLib.scene.volume_geometry import ijk_to_ras
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.maps import QUANTITIES, Quantity
from petkinetics.read.result_folder import DISTRUST, RECORD_NAME, distrust_path, read_record
from petkinetics.write.map_provenance import MapProvenance
from petkinetics.write.quantity_terms import Term, quantity_label, quantity_term, unit_term
from petkinetics.write.tables import read_table

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence


def table_titles() -> dict[str, str]:
    """Tables of a result folder that are kept in the scene, and what people call them."""
    return {
        "input_function_frames.tsv": _("Blood region"),
        "roi.tsv": _("Regions"),
        "tacs.tsv": _("Region curves"),
        "region_fits.tsv": _("Region fits"),
    }


def load_result_steps(folder: Path, sequence: DynamicSequence, name: str) -> Generator[float, None, ResultNodes]:
    """Load a result folder; each step takes a few hundredths of a second.

    Nothing of the scene points into the folder afterwards: it may be removed, and the nodes count as modified, so
    that saving the scene saves them.

    :param sequence: the series that it was estimated from; maps follow its transform and lie beside it in the
        subject hierarchy.
    :param name: of the result, such as "Patlak 14:32".
    :returns: (of the generator) the result.
    :raises InputError: the folder is no complete result; nothing was added to the scene then. Closing the generator
        before its end leaves nothing, either.
    """
    record = read_record(folder)
    missing = [text for text in INPUT_FUNCTION_FILES if not (folder / text).is_file()]
    if missing:
        raise InputError(
            _("The result is incomplete: {files} is missing.").format(files=", ".join(missing)),
            _("Run the estimate again."),
        )
    paths = {quantity: map_path(folder, quantity) for quantity in record["maps"]}
    distrust = distrust_path(folder)
    loading = _Loading(record, sequence, name)
    pieces = 2 * len(paths) + (4 if distrust else 2)
    try:
        for done, (quantity, path) in enumerate(paths.items()):
            image = read_map_image(path)
            yield (2 * done + 1) / pieces
            loading.add_map(quantity, image)
            yield (2 * done + 2) / pieces
        if distrust is not None:
            image = read_map_image(distrust)
            yield (pieces - 3) / pieces
            loading.add_distrust(image)
            yield (pieces - 2) / pieces
        loading.add_tables(folder)
        yield (pieces - 1) / pieces
        result = loading.add_texts(folder)
    except BaseException:  # GeneratorExit too: a cancelled load leaves no half result
        loading.undo()
        raise
    return result


class _Loading:
    """The nodes of a result that is being loaded."""

    def __init__(self, record: dict[str, Any], sequence: DynamicSequence, name: str) -> None:
        self.record, self.sequence, self.name = record, sequence, name
        self.id = new_id()
        self.maps: list[Any] = []
        self.files: list[Any] = []
        self.distrust: list[Any] = []
        proxy = sequence.proxy
        self.transform = proxy.GetTransformNodeID() if proxy is not None else None
        self.blood = MapProvenance.of(record).blood
        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        self.folder = hierarchy.CreateFolderItem(_parent_item(sequence), name)
        hierarchy.SetItemAttribute(self.folder, RESULT, self.id)

    def add_map(self, quantity_name: str, image: MapImage) -> None:
        quantity = QUANTITIES[quantity_name]
        label = self.record["ki_label"] if quantity_name == "ki" else quantity_label(quantity, self.blood)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", node_name(label, self.name))
        self.maps.append(node)
        node.SetIJKToRASMatrix(ijk_to_ras(image.geometry))
        node.SetAndObserveTransformNodeID(self.transform)
        node.SetVoxelValueQuantity(_coded(quantity_term(quantity, self.blood)))
        node.SetVoxelValueUnits(_coded(unit_term(quantity)))
        # Before the voxels, or Slicer looks for a window of its own: a histogram of every voxel.
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        window = percentile_window(image.voxels)
        display.SetWindowLevelMinMax(*window)
        display.SetAndObserveColorNodeID(COLOURS[default_colour(quantity_name)]())
        node.SetAndObserveImageData(image.image)
        set_threshold(node, default_threshold(quantity_name, window))
        node.SetAttribute(MAP, quantity_name)
        node.SetAttribute(LABEL, label)
        node.SetAttribute(PROVENANCE, self._provenance(quantity))
        self._own(node)

    def _provenance(self, quantity: Quantity) -> str:
        """Method, version, frames, t* and the like, of this map: a derived one has a history of its own."""
        how = asdict(MapProvenance.of(self.record, quantity.name))
        # The series' UIDs stand in the record; none of ours need be in an attribute.
        how.pop("series_uids")
        how |= {"ki_label": self.record["ki_label"], "quantity": quantity.meaning, "unit": quantity.unit}
        return json.dumps(how, ensure_ascii=False)

    def add_distrust(self, image: MapImage) -> None:
        where = image.voxels > 0.5
        if where.any():
            node = add_distrust(where, image.geometry, self.name)
            self.distrust.append(node)
            node.SetAndObserveTransformNodeID(self.transform)
            node.SetAttribute(FILE, f"{DISTRUST}.nii")
            self._own(node)

    def add_tables(self, folder: Path) -> None:
        for file, title in table_titles().items():
            if (folder / file).is_file():
                node = add_table(read_table(folder / file), f"{title} ({self.name})")
                node.SetAttribute(FILE, file)
                self.files.append(node)
                self._own(node)

    def add_texts(self, folder: Path) -> ResultNodes:
        """The texts; the record, which makes it a result, last."""
        for file in (*INPUT_FUNCTION_FILES, RECORD_NAME):
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", f"{file} ({self.name})")
            # Text within the scene file is safest, but XML turns tabs into blanks.
            within = node.CreateStorageNodeNever if file.endswith(".json") else node.CreateStorageNodeAlways
            node.SetForceCreateStorageNode(within)
            node.SetText((folder / file).read_text(encoding="utf-8"))
            node.SetAttribute(FILE, file)
            self.files.append(node)
            self._own(node)
        record_node = self.files.pop()
        for role, nodes in ((MAP_ROLE, self.maps), (FILE_ROLE, self.files), (DISTRUST_ROLE, self.distrust)):
            for node in nodes:
                record_node.AddNodeReferenceID(role, node.GetID())
        self.files.append(record_node)
        record_node.SetAttribute(NAME, self.name)
        record_node.SetNodeReferenceID(SEQUENCE_ROLE, self.sequence.node.GetID())
        return ResultNodes(record_node)

    def _own(self, node: Any) -> None:
        """Mark a node as the result's, put it into the folder, and see that saving the scene saves it."""
        node.SetAttribute(RESULT, self.id)
        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, self.folder)
        node.StorableModified()

    def undo(self) -> None:
        present = [node for node in (*self.maps, *self.distrust, *self.files) if slicer.mrmlScene.IsNodePresent(node)]
        remove_nodes(present)
        # By its mark, not its number: the scene may have been closed meanwhile.
        folder = folder_of(self.id)
        if folder:
            slicer.mrmlScene.GetSubjectHierarchyNode().RemoveItem(folder, False, False)


def node_name(label: str, result_name: str) -> str:
    """Name of a map's node: "Ki (Patlak 14:32)", "Ki (whole-blood input, Patlak 14:32)"."""
    return f"{label[:-1]}, {result_name})" if label.endswith(")") else f"{label} ({result_name})"


def _parent_item(sequence: DynamicSequence) -> int:
    """Where the series lies in the subject hierarchy: in its study, where it came from DICOM."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    for node in (sequence.proxy, sequence.node):
        item = hierarchy.GetItemByDataNode(node) if node is not None else 0
        if item:
            return int(hierarchy.GetItemParent(item))
    return int(hierarchy.GetSceneItemID())


def _coded(term: Term) -> Any:
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(*term)
    return entry
