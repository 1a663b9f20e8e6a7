"""What a late frame of a scan that was cut short would have shown, from maps of its first part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.input_function.tail import extrapolated
from petkinetics.kinetics.patlak import patlak_design
from petkinetics.maps import ParametricResult

Float32 = NDArray[np.float32]


def patlak_frame(result: ParametricResult, curve: InputFunction, frame: FrameTiming, decay_per_s: float) -> Float32:
    """Activity in one frame by Patlak's equation, Ki * mean integral of Cp + V0 * mean Cp.

    :param curve: until the end of the short scan; its tail is extrapolated to the frame's end.
    :param frame: the timing of one frame.
    :returns: kBq/mL, (slices, rows, columns).
    :raises InputError: not one frame, or the result has no V0.
    """
    if len(frame) != 1:
        raise InputError(f"One frame is predicted at a time, not {len(frame)}.")
    if "v0" not in result.maps:
        raise InputError("Without V0 no later frame can be predicted from Ki.")
    longer = extrapolated(curve, float(frame.end_s[-1]))
    integral, blood = patlak_design(longer, frame, decay_per_s)[0].astype(np.float32)
    return np.asarray(integral * result["ki"].values + blood * result["v0"].values, dtype=np.float32)
