"""The brain: folded cortex, white matter, deep nuclei, ventricles, cerebellum, brainstem."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.canvas import Canvas, Part
from petkinetics.simulate.head.template import HeadTemplate, base_of_skull

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
_SIDES = (-1.0, 1.0)
#: how deep sulci of the two sizes reach below the surface of the brain, mm
_SULCI_DEPTH_MM = (20.0, 13.0)
#: about the distance (mm) from a zero surface of a field per unit of its value and node distance
_FIELD_SLOPE = 0.62
#: the brain keeps this from the skull
_SUBARACHNOID_MM = 1.6


def paint_brain(canvas: Canvas[Part], head: HeadTemplate) -> None:
    """Everything within the skull but vessels."""
    low, high = (-80.0, -95.0, -75.0), (80.0, 95.0, 80.0)
    where = canvas.box(low, high)
    if where is None:
        return
    g = canvas.whole[where]
    depth = -g.ellipsoid((0.0, 0.0, 0.0), head.cranium_mm)
    depth = np.minimum(depth, 0.85 * (g.z - base_of_skull(g)))
    inside = depth > 0.0
    g.labels[inside] = canvas.label["cerebrospinal fluid"]
    below = depth - _SUBARACHNOID_MM
    hind = _hindbrain_space(g)
    sulcus = _distance_to_sulci(g, below, head, [axis[w] for axis, w in zip(canvas.axes, where[::-1], strict=True)])
    cerebrum = (below > 0.0) & ~hind & (sulcus > 0.0)
    g.labels[cerebrum] = canvas.label["white matter"]
    thickness = head.cortex_mm * (1.0 + 0.08 * np.clip(g.rough, -2.0, 2.0))
    g.labels[cerebrum & ((below < thickness) | (sulcus < thickness)) & ~_no_cortex(g)] = canvas.label["grey matter"]
    _paint_hindbrain(canvas, g, below, hind)
    _paint_deep_structures(canvas, head)


def _hindbrain_space(g: Part) -> Mask:
    """Under the tentorium: falls from the midbrain to the back and the sides."""
    roof = 2.0 - 0.20 * np.maximum(g.y - 20.0, 0.0) - 0.25 * np.abs(g.x)
    return np.asarray((g.y > 8.0 + 0.25 * np.abs(g.x)) & (g.z < roof))


def _distance_to_sulci(g: Part, below: Float32, head: HeadTemplate, axes: list[Float32]) -> Float32:
    """About the distance (mm) to the nearest wall of a sulcus, negative in the fluid between the walls."""
    distance = np.full(below.shape, 99.0, dtype=np.float32)
    for field, deepest in zip(head.sulci, _SULCI_DEPTH_MM, strict=True):
        sheet = np.abs(field.on_axes(*axes)) * np.float32(_FIELD_SLOPE * field.spacing_mm) - np.float32(head.sulcus_mm)
        distance = np.minimum(distance, np.maximum(sheet, below - deepest))
    # between the hemispheres, down to the corpus callosum; and above the temporal lobes (Sylvian fissure)
    callosum = 26.0 - 0.0045 * (g.y - 4.0) ** 2
    cleft = np.where((g.z > callosum) | (g.y < -42.0) | (g.y > 48.0), np.abs(g.x) - 1.3, 99.0)
    lateral = np.abs(g.x) - 37.0
    plane = np.abs(g.z + 8.0 - 0.35 * (g.y + 20.0)) - 1.6
    sylvian = np.where((g.y > -34.0) & (g.y < 22.0), np.maximum(plane, -lateral), 99.0)
    return np.asarray(np.minimum(distance, np.minimum(cleft, sylvian)), dtype=np.float32)


def _no_cortex(g: Part) -> Mask:
    """The middle of the brain: corpus callosum, capsules and what lies between them."""
    return np.asarray(((g.x / 34.0) ** 2 + ((g.y - 2.0) / 46.0) ** 2 + ((g.z - 4.0) / 24.0) ** 2) < 1.0)


def _paint_hindbrain(canvas: Canvas[Part], g: Part, below: Float32, hind: Mask) -> None:
    """Cerebellum with its white core, and the brainstem."""
    room = hind & (below > 0.0)
    shape = np.minimum(
        g.ellipsoid((-25.0, 46.0, -30.0), (29.0, 29.0, 23.0)), g.ellipsoid((25.0, 46.0, -30.0), (29.0, 29.0, 23.0))
    )
    shape = np.minimum(shape, g.ellipsoid((0.0, 46.0, -28.0), (16.0, 25.0, 20.0)))
    g.labels[room & (shape < 0.0)] = canvas.label["cerebellum"]
    core = np.minimum(
        g.ellipsoid((-21.0, 38.0, -30.0), (15.0, 13.0, 9.0)), g.ellipsoid((21.0, 38.0, -30.0), (15.0, 13.0, 9.0))
    )
    g.labels[room & (core + 1.5 * g.rough < 0.0)] = canvas.label["white matter"]


def _paint_deep_structures(canvas: Canvas[Part], head: HeadTemplate) -> None:
    """Brainstem, thalamus, basal ganglia and ventricles."""
    stem = [[0.0, 12.0, 2.0], [0.0, 12.0, -14.0], [0.0, 14.0, -30.0], [0.0, 26.0, -50.0], [0.0, 40.0, -68.0]]
    canvas.tube("brainstem", stem, [15.0, 13.0, 13.5, 9.0, 7.0])
    canvas.tube("spinal cord", [[0.0, 40.0, -68.0], [0.0, 48.0, -84.0], [0.0, 50.0, -200.0]], [6.5, 5.5, 5.5])
    v = head.ventricles
    for side in _SIDES:
        canvas.ellipsoid("basal ganglia", (side * 26.0, -4.0, 2.0), (6.0, 18.0, 11.0), 0.6)
        caudate = [(15.0, -26.0, 7.0), (17.0, -14.0, 16.0), (20.0, 4.0, 21.0), (24.0, 18.0, 17.0)]
        canvas.tube("basal ganglia", [[side * x, y, z] for x, y, z in caudate], [7.0, 6.0, 3.5, 2.2])
        canvas.ellipsoid("thalamus", (side * 11.0, 12.0, 7.0), (8.5, 15.0, 9.0), 0.6)
        horn = [(9.0, -32.0, 8.0), (10.0, -14.0, 19.0), (12.0, 8.0, 22.0), (20.0, 28.0, 16.0), (27.0, 36.0, 4.0)]
        canvas.tube(
            "cerebrospinal fluid", [[side * x, y, z] for x, y, z in horn], [4.0 * v, 5.0 * v, 5.0 * v, 6.0 * v, 6.0 * v]
        )
        back = [(27.0, 36.0, 4.0), (26.0, 56.0, 4.0)]
        canvas.tube("cerebrospinal fluid", [[side * x, y, z] for x, y, z in back], [6.0 * v, 2.0 * v])
        temporal = [(27.0, 36.0, 4.0), (33.0, 18.0, -14.0), (33.0, -6.0, -22.0)]
        canvas.tube("cerebrospinal fluid", [[side * x, y, z] for x, y, z in temporal], [5.0 * v, 2.5 * v, 2.5 * v])
    canvas.ellipsoid("cerebrospinal fluid", (0.0, 8.0, 3.0), (2.5 * v, 15.0, 9.0), 0.6)
    canvas.ellipsoid("cerebrospinal fluid", (0.0, 30.0, -32.0), (7.0 * v, 5.0 * v, 11.0), 0.6)
