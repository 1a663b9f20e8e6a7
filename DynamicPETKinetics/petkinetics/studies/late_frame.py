"""What a late frame of a scan that was cut short would have shown, from maps of its first part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.input_function.tail import extrapolated
from petkinetics.kinetics.compartments import ResponseTable
from petkinetics.kinetics.patlak import patlak_design
from petkinetics.maps import ParametricResult

Float32 = NDArray[np.float32]
_RATES = ("k1", "k2", "k3", "fv")


def predicted_frame(
    result: ParametricResult, curve: InputFunction, frame: FrameTiming, decay_per_s: float, body: NDArray[np.bool_]
) -> Float32:
    """Activity in one frame, by the two-tissue model where a method has its rates, else by Patlak's equation.

    :param curve: until the end of the short scan; its tail is extrapolated to the frame's end.
    :param frame: the timing of one frame.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within the frame, 1/s.
    :param body: where to predict, (slices, rows, columns); 0 elsewhere.
    :returns: kBq/mL, (slices, rows, columns).
    :raises InputError: not one frame, or the result has neither rates nor V0.
    """
    if len(frame) != 1:
        raise InputError(f"One frame is predicted at a time, not {len(frame)}.")
    longer = extrapolated(curve, float(frame.end_s[-1]))
    out = np.zeros(body.shape, np.float32)
    if all(name in result.maps for name in _RATES):
        k1, k2, k3, fv = (np.maximum(result[name].values[body], 0.0) for name in _RATES)
        k4 = np.maximum(result["k4"].values[body], 0.0) if "k4" in result.maps else np.zeros_like(k1)
        out[body] = ResponseTable(longer, frame, decay_per_s).two_tissue(k1, k2, k3, k4, fv)[:, 0]
    elif "v0" in result.maps:
        integral, blood = patlak_design(longer, frame, decay_per_s)[0].astype(np.float32)
        out[body] = integral * result["ki"].values[body] + blood * result["v0"].values[body]
    else:
        raise InputError("Without V0 or rate constants no later frame can be predicted from Ki.")
    return out
