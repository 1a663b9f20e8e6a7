"""What regions need of a loaded result: its maps, where they hold values, and its fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import slicer
from DynamicPETKineticsLib.scene.map_attribute import MAP
from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
from DynamicPETKineticsLib.translation import _
from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.region_refit import RecordedFit, recorded_fit
from petkinetics.frames import FrameTiming
from petkinetics.maps import QUANTITIES, ParametricMap, Quantity

#: images beside the estimate, which the body mask does not touch
_NOT_MASKED = ("suv", "suv_lbm", "suv_bsa", "activity")


class ResultLike(Protocol):
    """A loaded result (:class:`DynamicPETKineticsLib.results.result_nodes.ResultNodes`)."""

    @property
    def record(self) -> Mapping[str, Any]:
        """What ``result.json`` says."""
        ...

    @property
    def maps(self) -> Mapping[str, Any]:
        """Volume nodes by name of quantity."""
        ...

    @property
    def input_function(self) -> InputFunction:
        """The input function; raises InputError where it is gone."""
        ...


def map_of(node: Any, name: str | None = None) -> ParametricMap:
    """A volume node as a map of the engine, in its own coordinates; its voxels are not copied.

    :param name: of its quantity; by default what the node itself says, else a quantity without a unit.
    :raises InputError: it has no voxels, or its axes are not at right angles.
    """
    geometry = geometry_of(node)
    values = slicer.util.arrayFromVolume(node)
    if values.ndim != 3:
        raise InputError(_("'{name}' does not hold one value a voxel.").format(name=node.GetName()))
    key = name or node.GetAttribute(MAP) or ""
    unknown = Quantity(node.GetName(), node.GetName(), node.GetName(), "", "1")
    return ParametricMap(values.astype(np.float32, copy=False), QUANTITIES.get(key, unknown), geometry)


def maps_of(result: ResultLike) -> dict[str, ParametricMap]:
    """All maps of a result whose quantity is known, by its name.

    :raises InputError: there is none any more.
    """
    found = {name: map_of(node, name) for name, node in result.maps.items() if name in QUANTITIES}
    if not found:
        raise InputError(_("The result has no map in the scene any more."))
    return found


def estimated_mask(result: ResultLike, maps: Mapping[str, ParametricMap]) -> Callable[[], NDArray[np.bool_] | None]:
    """Computes where the maps hold values: outside it they were set to 0. None where nothing was masked."""
    masked = (result.record.get("options") or {}).get("mask") != "none"
    return lambda: _nonzero(maps) if masked else None


def _nonzero(maps: Mapping[str, ParametricMap]) -> NDArray[np.bool_] | None:
    # The residual is above 0 in every voxel that was fitted; the others may touch it.
    wanted = [maps["residual"]] if "residual" in maps else [m for name, m in maps.items() if name not in _NOT_MASKED]
    if not wanted:
        return None
    mask = wanted[0].values != 0
    for other in wanted[1:]:
        mask |= other.values != 0
    return mask


def fit_of(result: ResultLike, timing: FrameTiming) -> RecordedFit:
    """The fit of the estimate, for curves of the series.

    :param timing: of the series now.
    :raises InputError: it cannot be repeated; says why.
    """
    curve = result.input_function if "model" in result.record else None
    fit = recorded_fit(result.record, curve)
    fit.require_same_frames(timing)
    return fit
