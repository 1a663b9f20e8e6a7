"""A coarse grid along the patient's axes, in which the aorta is looked for.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from petkinetics.series import VolumeGeometry

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: voxels are averaged to blocks of about this size: finer than a vessel, coarser than the noise
BLOCK_MM = 4.0


@dataclass(frozen=True, eq=False)
class PatientGrid:
    """A coarse grid along the patient's axes: z to the head, y to the back, x to the left (mm, increasing).

    The patient's axis nearest to each image axis is taken for it: scans tilted against the patient by
    less than 45 degrees need no interpolation.

    :param order: image axes (0 slice, 1 row, 2 column) that run along z, y and x.
    :param flipped: whether they run the other way.
    :param block: voxels averaged along each image axis (slice, row, column).
    :param steps_mm: spacing along z, y, x.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    block: tuple[int, int, int]
    shape: tuple[int, int, int]
    steps_mm: tuple[float, float, float]

    @classmethod
    def of(cls, geometry: VolumeGeometry) -> PatientGrid:
        """The grid for a volume."""
        # Columns of the direction matrix are the directions of column, row and slice index.
        along = geometry.direction[:, ::-1]
        order = max(permutations(range(3)), key=lambda axes: sum(abs(along[2 - i, a]) for i, a in enumerate(axes)))
        spacing = geometry.spacing_mm[::-1]
        block = tuple(max(1, round(BLOCK_MM / step)) if n > 1 else 1 for step, n in zip(spacing, geometry.shape))  # noqa: B905
        shape = tuple(max(1, n // b) for n, b in zip(geometry.shape, block, strict=True))
        steps = tuple(b * s for b, s in zip(block, spacing, strict=True))
        return cls(
            order=(order[0], order[1], order[2]),
            flipped=tuple(bool(along[2 - i, a] < 0) for i, a in enumerate(order)),  # type: ignore[arg-type]
            block=(block[0], block[1], block[2]),
            shape=tuple(shape[a] for a in order),  # type: ignore[arg-type]
            steps_mm=tuple(steps[a] for a in order),  # type: ignore[arg-type]
        )

    def bring(self, volume: Float32, window: tuple[slice, slice] = (slice(None), slice(None))) -> Float32:
        """A volume (slices, rows, columns) as block means on this grid, likewise; remainders at the end are left out.

        :param window: the part of the grid's y and x that is wanted.
        """
        whole = tuple(slice(0, n // b * b) for n, b in zip(volume.shape, self.block, strict=True))
        turned = volume[whole].transpose(self.order)
        turned = turned[tuple(slice(None, None, -1 if back else 1) for back in self.flipped)]
        blocks = [self.block[axis] for axis in self.order]
        parts = (slice(None), *window)
        turned = turned[
            tuple(
                slice(None if w.start is None else w.start * b, None if w.stop is None else w.stop * b)
                for w, b in zip(parts, blocks, strict=True)
            )
        ]
        for axis, count in enumerate(blocks):
            if count > 1:
                steps = [
                    turned[tuple(slice(first, None, count) if a == axis else slice(None) for a in range(3))]
                    for first in range(count)
                ]
                total = steps[0] + steps[1]
                for part in steps[2:]:
                    total += part
                turned = total / np.float32(count)
        return turned

    def axes_mm(self) -> tuple[Float64, Float64, Float64]:
        """Positions of the grid's planes along z, y, x, from the first: (slices,), (rows,), (columns,)."""
        z, y, x = (step * np.arange(n, dtype=np.float64) for step, n in zip(self.steps_mm, self.shape, strict=True))
        return z, y, x

    def index_axes_mm(self, shape: tuple[int, int, int]) -> tuple[Float64, Float64, Float64]:
        """Positions along z, y, x of the planes of the image itself.

        :param shape: of the image (slices, rows, columns).
        :returns: for each image axis in :attr:`order`, the positions of its planes as :meth:`axes_mm` counts.
        """
        out: list[Float64] = []
        for position, axis in enumerate(self.order):
            count = self.block[axis]
            step = self.steps_mm[position] / count
            at = np.arange(shape[axis], dtype=np.float64) * step - 0.5 * (count - 1) * step
            if self.flipped[position]:
                at = (self.shape[position] - 1) * self.steps_mm[position] - at
            out.append(at)
        return out[0], out[1], out[2]
