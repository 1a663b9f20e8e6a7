"""The figures of a result's report: maps, input function, curves of regions with their fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.evaluate.figure_curves import PatlakCurve, blood_curve, patlak_plot
from petkinetics.evaluate.figure_planes import ki_over_anatomy, map_overview
from petkinetics.evaluate.figure_tissue import TissueCurve, tissue_plot
from petkinetics.evaluate.figures import Drawing, FigureFile
from petkinetics.frames import TOLERANCE_S
from petkinetics.kinetics.patlak import patlak_design
from petkinetics.maps import ParametricMap
from petkinetics.read.regions import Regions, voxels_on_grid
from petkinetics.series import Float32

Float64 = NDArray[np.float64]
#: fit of a region's means in the frames used: quantity -> (value, SE), and the fitted means
Fit = Callable[[Float64], tuple[dict[str, tuple[float, float]], Float64]]

#: the maps that a report shows, where a method has them
_PICTURED = ("ki", "suv", "mrglc", "v0", "k1", "vt", "fv", "ki_sd", "residual")
#: maps of activity that may lie under Ki, what people know best first
_ANATOMY = {"suv": "late SUV", "suv_lbm": "late SUV", "suv_bsa": "late SUV", "activity": "late PET"}
#: frames with less blood than this share of the peak are not drawn in the Patlak plot
_LEAST_BLOOD = 0.02


def main_map(maps: Mapping[str, ParametricMap]) -> ParametricMap:
    """The map that a report is about."""
    return next((maps[name] for name in ("ki", "k1") if name in maps), next(iter(maps.values())))


def anatomy_of(maps: Mapping[str, ParametricMap]) -> tuple[Float32, str, str] | None:
    """What may lie under Ki: (slices, rows, columns), its name and its unit; None where there is no such map.

    :param maps: by quantity name.
    """
    name = next((name for name in _ANATOMY if name in maps), None)
    return None if name is None else (maps[name].values, _ANATOMY[name], maps[name].quantity.unit)


def map_drawings(
    maps: Mapping[str, ParametricMap],
    ki_label: str,
    body: NDArray[np.bool_],
    anatomy: tuple[Float32, str, str] | None,
    regions: Regions | None = None,
    distrust: NDArray[np.bool_] | None = None,
) -> list[Drawing]:
    """The main map over the anatomy, and one plane of every map.

    :param body: what the pictures are cut to, (slices, rows, columns).
    :param anatomy: on the maps' grid, likewise, its name and its unit; None for no such picture.
    :param regions: the planes cross in the one with the highest mean.
    :param distrust: where not to trust the maps, on their grid: outlined; None for nowhere.
    """
    main = main_map(maps)
    centre = None if regions is None else _centre_of_hottest(regions, main)
    shown = [maps[name] for name in _PICTURED if name in maps]
    drawings: list[Drawing] = []
    if anatomy is not None:
        values, name, unit = anatomy
        drawings.append(
            partial(
                ki_over_anatomy,
                ki=main,
                anatomy=values,
                label=_map_label(main, ki_label),
                anatomy_label=name,
                anatomy_unit=unit,
                body=body,
                centre=centre,
                name=f"{main.quantity.name}_over_anatomy.png",
                distrust=distrust,
            )
        )
    labels = [_map_label(m, ki_label) for m in shown]
    return [*drawings, partial(map_overview, maps=shown, labels=labels, body=body, centre=centre, distrust=distrust)]


def blood_drawing(curve: InputFunction, measured: TimeActivityCurve | None) -> Drawing:
    """The input function.

    :param measured: frame means of the blood region; None where the curve came from a file.
    """
    if measured is None:
        return partial(blood_curve, curve=curve)
    return partial(
        blood_curve,
        curve=curve,
        timing=measured.timing,
        frame_mean=measured.mean_kbq_per_ml,
        frame_sd=measured.sd_kbq_per_ml,
    )


def curve_drawing(
    curves: Sequence[TimeActivityCurve],
    used: NDArray[np.bool_],
    curve: InputFunction,
    fit: Fit,
    compartments: bool,
) -> Drawing:
    """The regions' curves with the model's fit: Patlak's plot, or measured and fitted means of a compartment model.

    :param curves: of the regions, all on the same frames.
    :param used: which of these frames were fitted, bool (frames,).
    :param fit: called with a region's means in the frames used.
    """
    draw = _draw_compartments if compartments else _draw_patlak
    return partial(draw, curves=curves, used=used, curve=curve, fit=fit)


def _draw_patlak(
    folder: Path, curves: Sequence[TimeActivityCurve], used: NDArray[np.bool_], curve: InputFunction, fit: Fit
) -> FigureFile:
    timing = curves[0].timing
    covered = timing.end_s <= curve.end_s + TOLERANCE_S
    design = np.full((len(timing), 2), np.nan)
    design[covered] = patlak_design(curve, timing.select(np.flatnonzero(covered)), curves[0].decay_per_s)
    # Before the bolus the ratios are noise over nothing.
    blood = np.where(design[:, 1] > _LEAST_BLOOD * np.nanmax(design[:, 1]), design[:, 1], np.nan)
    lines = []
    for region in curves:
        fitted = fit(region.mean_kbq_per_ml[used])[0]
        (ki, ki_se), (v0, _) = fitted["ki"], fitted["v0"]
        ratio = region.mean_kbq_per_ml / blood
        lines.append(PatlakCurve(region.name, design[:, 0] / blood, ratio, used, ki, v0, ki_se))
    return patlak_plot(folder, lines, float(timing.start_s[np.argmax(used)]) / 60.0)


def _draw_compartments(
    folder: Path, curves: Sequence[TimeActivityCurve], used: NDArray[np.bool_], curve: InputFunction, fit: Fit
) -> FigureFile:
    del curve  # the fit holds it
    tissue = []
    for region in curves:
        means = region.mean_kbq_per_ml[used]
        values, fitted = fit(means)
        tissue.append(TissueCurve(region.name, means, fitted, values))
    return tissue_plot(folder, tissue, curves[0].timing.select(np.flatnonzero(used)))


def _map_label(shown: ParametricMap, ki_label: str) -> str:
    return ki_label if shown.quantity.name == "ki" else shown.quantity.symbol


def _centre_of_hottest(regions: Regions, ki: ParametricMap) -> tuple[int, int, int] | None:
    """The voxel nearest the centre of the region with the highest mean Ki: where the pictures cross."""
    found = voxels_on_grid(regions, ki.geometry)
    wanted = [found[label] for label in regions.label_values if label in found]
    if not wanted:
        return None
    hottest = max(wanted, key=lambda voxels: float(ki.values.reshape(-1)[voxels].mean()))
    places = np.array(np.unravel_index(hottest, ki.geometry.shape))
    nearest = places[:, np.argmin(((places - places.mean(axis=1, keepdims=True)) ** 2).sum(axis=0))]
    return int(nearest[0]), int(nearest[1]), int(nearest[2])
