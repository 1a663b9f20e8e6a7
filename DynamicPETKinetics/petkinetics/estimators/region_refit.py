"""The fit of a region's curve again, from what ``result.json`` says: for regions drawn after the estimate.

The maps of a result stay; what is fitted is only the mean curve of a region, with the frames, the weights and
the input function of the estimate, so that value and standard error are those the estimate itself would have
written into ``roi.tsv``.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.patlak import region_fit
from petkinetics.frames import TOLERANCE_S, FrameTiming
from petkinetics.kinetics.glucose import GlucoseUptake
from petkinetics.kinetics.patlak import weighted_fit
from petkinetics.kinetics.region_fit import PARAMETERS, CompartmentFitter
from petkinetics.maps import KI, MRGLC

Float64 = NDArray[np.float64]
#: value and standard error by quantity, and the fitted frame means
Fitted = tuple[dict[str, tuple[float, float]], Float64]


@dataclass(frozen=True, eq=False)
class RecordedFit:
    """The fit of a finished estimate, ready for more curves.

    :param frames: indices of the frames used.
    :param timing: of these frames, as they were when the estimate was made.
    :param fit: called with a curve's means in these frames (kBq/mL).
    """

    frames: NDArray[np.intp]
    timing: FrameTiming
    fit: Callable[[Float64], Fitted]

    def require_same_frames(self, timing: FrameTiming) -> None:
        """Refuse a series whose frames are no longer those of the estimate.

        :param timing: of the whole series now.
        :raises InputError: a frame used is not there, or was moved by more than 1 s.
        """
        if self.frames.max() < len(timing):
            now = timing.select(self.frames)
            moved = np.maximum(np.abs(now.start_s - self.timing.start_s), np.abs(now.end_s - self.timing.end_s))
            if moved.max() <= TOLERANCE_S:
                return
        raise InputError(
            "The frame times of the series are not those of the estimate, so its fit cannot be repeated.",
            "Estimate again.",
        )


def recorded_fit(record: Mapping[str, Any], input_function: InputFunction | None) -> RecordedFit:
    """The fit that a record describes.

    :param record: what ``result.json`` says.
    :param input_function: of the estimate; compartment models need it.
    :raises InputError: the record does not say how regions are fitted, or the input function is missing.
    """
    used = record.get("frames_used") or []
    model = record.get("model")
    if not used or (model is None and "integral_kbq_min_per_ml" not in used[0]):
        raise InputError(f"The result of {record.get('method', 'this method')} does not say how a region is fitted.")

    def column(name: str) -> Float64:
        return np.array([frame[name] for frame in used], dtype=np.float64)

    frames = np.array([frame["index"] for frame in used], dtype=np.intp)
    timing, weights = FrameTiming(column("start_s"), column("duration_s")), column("weight")
    if model is None:
        design = np.stack([column("integral_kbq_min_per_ml"), column("plasma_kbq_per_ml")], axis=1)
        fit = region_fit(weighted_fit(design, weights))
    else:
        fit = _compartment_fit(record, input_function, timing, weights)
    return RecordedFit(frames, timing, _with_glucose(record, fit))


def _compartment_fit(
    record: Mapping[str, Any], input_function: InputFunction | None, timing: FrameTiming, weights: Float64
) -> Callable[[Float64], Fitted]:
    # of learned methods: the model by which regions were fitted beside the maps
    method = str(record["model"].get("of_regions") or record.get("method"))
    if method not in PARAMETERS:
        raise InputError(f"The result of {method} does not say how a region is fitted.")
    if input_function is None:
        raise InputError("The input function of the result is missing, so its fit cannot be repeated.")
    series = record["series"]
    decay = np.log(2.0) / float(series["half_life_s"]) if series["frame_mean"] == "decay-weighted" else 0.0
    ratio = float(record["model"]["blood_to_plasma"])
    return CompartmentFitter(input_function, timing, weights, method, decay, ratio).region_fit


def _with_glucose(record: Mapping[str, Any], fit: Callable[[Float64], Fitted]) -> Callable[[Float64], Fitted]:
    """MRglc beside Ki, where the estimate made such a map."""
    made = (record.get("derived") or {}).get(MRGLC.name)
    if not made:
        return fit
    factor = GlucoseUptake(float(made["glucose_mmol_per_l"]), float(made["lumped_constant"])).per_ki

    def both(values: Float64) -> Fitted:
        found, frames = fit(values)
        ki, se = found[KI.name]
        return {**found, MRGLC.name: (factor * ki, factor * se)}, frames

    return both
