"""The voxels of a sequence in the scene, read where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.series import Float32, VolumeGeometry


@dataclass(frozen=True, eq=False)
class SequenceNodeVoxels:
    """Frames of any scalar type, brought to kBq/mL decay-corrected to injection as they are read.

    Holds views of the frames' arrays, no copies (:class:`petkinetics.series.RowVoxelSource`).

    :param frames: (slices, rows, columns) each.
    :param scale: kBq/mL in a stored unit, of every frame.
    """

    frames: tuple[NDArray[Any], ...]
    scale: NDArray[np.float64]

    def read(self, frames: Sequence[int], first: int, last: int, out: Float32 | None = None) -> Float32:
        """See :class:`petkinetics.series.VoxelSource`."""
        if out is None:
            out = np.empty((len(frames), last - first, *self.frames[0].shape[1:]), dtype=np.float32)
        for i, frame in enumerate(frames):
            self._take(frame, self.frames[frame][first:last], out[i])
        return out

    def read_rows(self, frame: int, first: int, last: int, top: int, bottom: int) -> Float32:
        """See :class:`petkinetics.series.RowVoxelSource`."""
        stored = self.frames[frame][first:last, top:bottom]
        out = np.empty(stored.shape, dtype=np.float32)
        self._take(frame, stored, out)
        return out

    def _take(self, frame: int, stored: NDArray[Any], out: NDArray[np.float32]) -> None:
        if self.scale[frame] == 1.0:
            np.copyto(out, stored, casting="unsafe")
        else:
            np.multiply(stored, np.float32(self.scale[frame]), out=out, casting="unsafe")


def frame_geometry(sequence: Any) -> VolumeGeometry:
    """The grid that all frames share; the frames' voxels are not touched.

    :raises InputError: a frame is no scalar volume, has another grid, or axes that are not at right angles.
    """
    first: VolumeGeometry | None = None
    for i in range(sequence.GetNumberOfDataNodes()):
        node = sequence.GetNthDataNode(i)
        if not node.IsA("vtkMRMLScalarVolumeNode"):
            raise InputError(
                _("Frame {frame} of '{name}' is not a scalar volume.").format(frame=i + 1, name=sequence.GetName())
            )
        grid = geometry_of(node)
        if first is None:
            first = grid
        elif (difference := first.difference(grid)) is not None:
            raise InputError(
                _("Frame {frame} of '{name}' has another grid than the first: {difference}.").format(
                    frame=i + 1, name=sequence.GetName(), difference=difference
                ),
                _("All frames must show the same voxels."),
            )
    if first is None:
        raise InputError(_("'{name}' has no frames.").format(name=sequence.GetName()))
    return first


def frame_arrays(sequence: Any) -> tuple[NDArray[Any], ...]:
    """The frames' voxels (slices, rows, columns), as views.

    :raises InputError: a frame has no voxels, or several values a voxel.
    """
    from vtk.util.numpy_support import vtk_to_numpy

    found = []
    for i in range(sequence.GetNumberOfDataNodes()):
        image = sequence.GetNthDataNode(i).GetImageData()
        scalars = image.GetPointData().GetScalars() if image is not None else None
        if scalars is None or scalars.GetNumberOfComponents() != 1:
            raise InputError(
                _("Frame {frame} of '{name}' does not hold one value a voxel.").format(
                    frame=i + 1, name=sequence.GetName()
                )
            )
        found.append(vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1]))
    return tuple(found)
