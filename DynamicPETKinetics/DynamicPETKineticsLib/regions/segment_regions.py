"""Segments as regions of the engine, in the coordinates of the PET whatever transforms there are.

Labelmaps are read in place and only where they are not empty. Each segment keeps its own grid, so that the
engine can tell which share of each PET voxel it covers; transforms that keep right angles (translations,
rotations, scaling along the axes) move that grid. Under any other transform the segments are sampled on a grid
parallel to the PET's and some times finer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from DynamicPETKineticsLib.regions.labelmap_pieces import Piece, join, pieces_of, sampled
from DynamicPETKineticsLib.regions.node_geometry import has_right_angles, transform_between
from DynamicPETKineticsLib.scene.volume_geometry import RAS_TO_LPS, geometry_from
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.read.regions import Regions
from petkinetics.series import VolumeGeometry

Warn = Callable[[str], None]


def names(segmentation: Any) -> dict[str, str]:
    """Segment ID -> name, in the order of the segmentation."""
    inside = segmentation.GetSegmentation()
    return {segment_id: inside.GetSegment(segment_id).GetName() for segment_id in inside.GetSegmentIDs()}


def regions_of(
    segmentation: Any,
    sequence_geometry: VolumeGeometry,
    pet_node: Any = None,
    segment_ids: Sequence[str] | None = None,
    warn: Warn | None = None,
) -> Regions:
    """The segments as regions in the PET's own coordinates (LPS).

    The label of a segment is its place, from 1, in *segment_ids* (or in the segmentation); segments that overlap
    lie in layers. Nothing in the scene changes, unless segments have no binary labelmap yet, which is then made.

    :param sequence_geometry: grid of the PET (or map), without its parent transform.
    :param pet_node: the volume whose parent transform places that grid in the scene; None for none.
    :param segment_ids: the segments wanted, all by default.
    :param warn: receives a sentence for each empty segment that is left out.
    :raises InputError: there is no segment, a segment wanted is gone, all are empty, or all lie outside the PET.
    """
    known = names(segmentation)
    wanted = list(known) if segment_ids is None else list(segment_ids)
    gone = [segment_id for segment_id in wanted if segment_id not in known]
    if gone:
        raise InputError(
            _("The segmentation '{name}' no longer has the segment '{segment}'.").format(
                name=segmentation.GetName(), segment=gone[0]
            )
        )
    if not wanted:
        raise InputError(
            _("The segmentation '{name}' has no segment.").format(name=segmentation.GetName()),
            _("Draw a region, or add a sphere."),
        )
    _require_labelmaps(segmentation)
    pieces = pieces_of(segmentation, wanted)
    filled = {label for piece in pieces for label in piece.labels_present}
    empty = [known[segment_id] for label, segment_id in enumerate(wanted, start=1) if label not in filled]
    if not filled:
        raise InputError(_empty(empty), _("Paint it, or choose another."))
    if empty and warn is not None:
        warn(_("{what} It was left out.").format(what=_empty(empty)))
    layers, geometry = _in_pet_coordinates(pieces, sequence_geometry, segmentation, pet_node)
    return Regions(
        layers[0],
        _distinct({label: known[wanted[label - 1]] for label in sorted(filled)}),
        geometry,
        segmentation.GetName(),
        layers=tuple(layers[1:]),
    )


def _in_pet_coordinates(
    pieces: list[Piece], pet: VolumeGeometry, segmentation: Any, pet_node: Any
) -> tuple[list[NDArray[Any]], VolumeGeometry]:
    general, matrix = transform_between(segmentation, pet_node)
    if matrix is not None and all(has_right_angles(matrix @ piece.matrix) for piece in pieces):
        layers, lattice = join(pieces)
        return layers, geometry_from(RAS_TO_LPS @ matrix @ lattice, layers[0].shape)
    found = sampled(pieces, general, pet)
    if found is None:
        raise InputError(
            _("The regions of '{name}' lie outside the PET image.").format(name=segmentation.GetName()),
            _("Check the transforms of the segmentation and of the PET."),
        )
    return found


def _require_labelmaps(segmentation: Any) -> None:
    """Make binary labelmaps where a segmentation has only surfaces or contours."""
    inside = segmentation.GetSegmentation()
    kind = "Binary labelmap"
    if not inside.ContainsRepresentation(kind) and not segmentation.CreateBinaryLabelmapRepresentation():
        raise InputError(
            _("The segments of '{name}' cannot be turned into voxels.").format(name=segmentation.GetName()),
            _("Create their binary labelmap in the Segmentations module."),
        )


def _empty(segments: Sequence[str]) -> str:
    if len(segments) == 1:
        return _("The segment '{name}' is empty.").format(name=segments[0])
    return _("The segments {names} are empty.").format(names=", ".join(f"'{name}'" for name in segments))


def _distinct(named: dict[int, str]) -> dict[int, str]:
    from petkinetics.read.region_map import distinct_names

    return distinct_names(named.items())
