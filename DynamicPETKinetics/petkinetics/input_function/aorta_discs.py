"""Round cross-sections of blood in every transverse plane: where vessels could pass.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.input_function.aorta_images import Float32
from petkinetics.input_function.body_outline import Outline

Float64 = NDArray[np.float64]

#: a voxel holds blood where the (normalised) blood fraction exceeds this
INSIDE = 0.5
#: the lumen's edge is found on a grid of this spacing
_FINE_MM = 2.0
#: smallest and largest radius: a great vessel, an aneurysm
RADIUS_MM = (5.5, 40.0)
#: what surrounds a vessel is looked at between these distances from its wall
_AROUND_MM = (4.0, 9.0)


@dataclass(frozen=True, eq=False)
class Discs:
    """Cross-sections, arrays (n,) over them; positions in mm on the patient grid.

    :param plane: index along z.
    :param x: to the left, and *y* to the back.
    :param radius: of the largest circle within the lumen.
    :param blood: blood fraction within.
    :param around: share of the ring around it that is blood too: 0 for a vessel by itself, 1 inside a heart chamber.
    :param from_middle: distance to the left of the body's middle.
    :param depth: share of the body's depth that lies in front.
    """

    plane: NDArray[np.intp]
    x: Float64
    y: Float64
    radius: Float64
    blood: Float64
    around: Float64
    from_middle: Float64
    depth: Float64

    def __len__(self) -> int:
        return int(self.plane.size)

    def select(self, keep: NDArray[np.bool_]) -> Discs:
        """Those that *keep*, bool (n,), is true of."""
        return Discs(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def find_discs(fraction: Float32, axes_mm: tuple[Float64, Float64, Float64], body: Outline) -> Discs:
    """The round cross-sections of blood near the middle of the body.

    Centres are the local maxima of the distance to the lumen's edge: two vessels that touch have two.

    :param fraction: blood fraction, near 1 in blood, (z, y, x).
    :param axes_mm: positions of its planes along z, y, x.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter, maximum_filter

    _, y, x = axes_mm
    fine_x = np.arange(x[0], x[-1] + 1e-6, _FINE_MM)
    fine_y = np.arange(y[0], y[-1] + 1e-6, _FINE_MM)
    fine = _linear(_linear(fraction, y, fine_y, 1), x, fine_x, 2)
    inside = fine > INSIDE
    used = np.flatnonzero(inside.any(axis=(0, 2)))
    if not used.size:
        nothing = np.zeros(0)
        return Discs(np.zeros(0, dtype=np.intp), *(nothing for _ in range(7)))
    low, high = max(used[0] - 10, 0), min(used[-1] + 11, fine_y.size)
    fine, inside, fine_y = fine[:, low:high], inside[:, low:high], fine_y[low:high]
    # Planes further apart than any radius make the distance one within each plane.
    distance = distance_transform_edt(inside, sampling=(1e4, _FINE_MM, _FINE_MM)).astype(np.float32)
    distance = np.minimum(distance, RADIUS_MM[1] + 10.0)
    smooth = gaussian_filter(distance, (0.0, 0.8, 0.8))
    peaks = (smooth == maximum_filter(smooth, size=(1, 5, 5))) & (distance >= RADIUS_MM[0] - 0.5 * _FINE_MM)
    found: list[tuple[float, ...]] = []
    kept: list[int] = []
    for k in np.flatnonzero(peaks.any(axis=(1, 2))):
        places = np.argwhere(peaks[k])
        order = np.argsort(-smooth[k][tuple(places.T)], kind="stable")
        taken: list[tuple[float, float, float]] = []
        for row, column in places[order]:
            radius = float(distance[k, row, column])
            cy, cx = float(fine_y[row]), float(fine_x[column])
            if radius > RADIUS_MM[1] or any(np.hypot(cy - a, cx - b) < 0.7 * r for a, b, r in taken):
                continue
            taken.append((cy, cx, radius))
            blood, around = _contrast(fine[k], fine_y, fine_x, cy, cx, radius)
            depth = (cy - body.front[k]) / max(body.back[k] - body.front[k], 1.0)
            found.append((cx, cy, radius, blood, around, cx - body.middle[k], depth))
            kept.append(int(k))
    columns_of = np.array(found, dtype=np.float64).reshape(-1, 7).T
    return Discs(np.array(kept, dtype=np.intp), *columns_of)


def _linear(values: Float32, nodes: Float64, wanted: Float64, axis: int) -> Float32:
    """Linear interpolation along one axis whose planes are evenly spaced."""
    step = float(nodes[1] - nodes[0]) if nodes.size > 1 else 1.0
    at = (wanted - nodes[0]) / step
    lower = np.clip(np.floor(at).astype(np.intp), 0, nodes.size - 1)
    upper = np.minimum(lower + 1, nodes.size - 1)
    shape = [1, 1, 1]
    shape[axis] = at.size
    share = (at - lower).astype(np.float32).reshape(shape)
    return np.take(values, lower, axis) * (1 - share) + np.take(values, upper, axis) * share


def _contrast(plane: Float32, y: Float64, x: Float64, cy: float, cx: float, radius: float) -> tuple[float, float]:
    """Mean blood fraction within a disc, and share of the ring around it that is blood."""
    reach = radius + _AROUND_MM[1]
    rows = slice(*np.searchsorted(y, [cy - reach, cy + reach]))
    columns = slice(*np.searchsorted(x, [cx - reach, cx + reach]))
    patch = plane[rows, columns]
    far = np.hypot(y[rows, None] - cy, x[None, columns] - cx)
    ring = (far > radius + _AROUND_MM[0]) & (far <= reach)
    within = far <= 0.7 * radius
    return float(patch[within].mean()), float((patch[ring] > INSIDE).mean()) if ring.any() else 1.0
