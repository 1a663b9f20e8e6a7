"""Where the maps of a result are not to be trusted: a segmentation beside them, hidden until somebody shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import slicer
from DynamicPETKineticsLib.regions.node_geometry import ijk_to_ras, oriented_image
from DynamicPETKineticsLib.regions.sequence_segmentation import outline
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.read.region_map import bounding_box

if TYPE_CHECKING:
    from petkinetics.series import VolumeGeometry

_COLOUR = (0.0, 0.84, 1.0)


def title() -> str:
    """What people call it."""
    return _("Where not to trust it")


def add_distrust(where: NDArray[np.bool_], geometry: VolumeGeometry, result_name: str) -> Any:
    """A hidden segmentation of one segment.

    :param where: (slices, rows, columns), with something in it.
    :param result_name: of the result that it belongs to.
    """
    name = f"{title()} ({result_name})"
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    outline(node)
    node.GetDisplayNode().SetVisibility(False)
    box = bounding_box(where)
    assert box is not None
    first = tuple(int(part.start) for part in box)
    image = oriented_image(where[box].astype(np.uint8), ijk_to_ras(geometry), (first[0], first[1], first[2]))
    node.AddSegmentFromBinaryLabelmapRepresentation(image, title(), _COLOUR)
    return node


def show_distrust(node: Any, visible: bool) -> None:
    """Outline the places in the views, or hide them."""
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetVisibility(visible)


def hide_others(node: Any) -> None:
    """Hide the places of all results but one.

    :param node: the segmentation of that one; None for none.
    """
    from DynamicPETKineticsLib.results.result_nodes import all_results

    for result in all_results():
        other = result.distrust
        if other is not None and other is not node and distrust_is_shown(other):
            show_distrust(other, False)


def distrust_is_shown(node: Any) -> bool:
    """Whether the places are outlined in the views."""
    display = node.GetDisplayNode()
    return display is not None and bool(display.GetVisibility())


def distrust_on(node: Any, geometry: VolumeGeometry, map_node: Any) -> NDArray[np.bool_]:
    """The segmentation again as voxels of a map: empty where somebody emptied it.

    :param geometry: of the map, without the transforms above it.
    :returns: (slices, rows, columns).
    """
    from DynamicPETKineticsLib.regions.segment_regions import regions_of
    from petkinetics.read.regions import voxels_on_grid

    where = np.zeros(geometry.shape, dtype=bool)
    try:
        regions = regions_of(node, geometry, map_node)
    except InputError:
        return where
    for voxels in voxels_on_grid(regions, geometry).values():
        where.reshape(-1)[voxels] = True
    return where
