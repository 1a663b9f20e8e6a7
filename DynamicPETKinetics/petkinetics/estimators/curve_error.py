"""What a wrong blood curve does to a Patlak map, read off a network that sees the whole scan.

A tissue on Patlak's line is a combination of two curves made of the blood, Ki int Cp + V0 Cp. A weighted fit with
another blood curve is linear in the frames, so its slope is a combination of the same two numbers, the same for every
voxel: Ki' = a Ki + b A, with A the activity at the mean Patlak time. Nothing that looks at a Patlak map alone can tell
such a map from a true one. A network that was shown whole scans with noisy blood curves can: its answer differs by the
noise it takes away, which has no slope over the body, and by a and b.

The network errs, too. How far its level is believed follows from how noisy the blood curve is: late blood falls
smoothly, so what the frames scatter about a smooth fall is noise.

docs/methods.md, "Diffusion prior".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.estimators.regularised import smoothed
from petkinetics.frames import FrameTiming

Float32 = NDArray[np.float32]

#: both sides are smoothed by this (FWHM) before they are compared: noise in A and Ki would draw a to 0
SMOOTHING_MM = 30.0
#: relative standard error of a curve's level at which the network is as good a guide; tuned on validation patients
_EQUAL_ERROR = 0.0083
#: of the polynomial in log time that log plasma follows
_DEGREE = 3


def believed_share(curve: InputFunction, timing: FrameTiming, decay_per_s: float) -> float:
    """How far to believe the network's level rather than that of a map made with this curve, 0 to 1.

    The variance of the curve's level over the sum of it and the network's own. A smooth curve gives 0, and so do frames
    too few to tell.

    :param timing: of the frames that the map was fitted to.
    :param decay_per_s: that the frames are not corrected for within themselves.
    :raises InputError: the input function ends before the frames do.
    """
    curve.require_cover(timing)
    blood = curve.plasma_frame_mean(timing, decay_per_s)
    free = len(blood) - _DEGREE - 1
    if free < 2:
        return 0.0
    if np.any(blood <= 0):
        return 1.0
    time = np.log(timing.mid_s / timing.mid_s.mean())
    scatter = np.log(blood) - np.polyval(np.polyfit(time, np.log(blood), _DEGREE), time)
    variance = float(scatter @ scatter) / free / len(blood)
    return variance / (variance + _EQUAL_ERROR**2)


def curve_error(
    learned: Float32,
    measured: Float32,
    inside: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    believed: float,
) -> tuple[float, float]:
    """The numbers a and b that bring Ki of a map to the level of the network's.

    :param learned: the network's Ki, (slices, rows, columns).
    :param measured: Ki and activity of the fit with noise taken away, (2, slices, rows, columns), in the same units.
    :param inside: the body, (slices, rows, columns).
    :param spacing_mm: (slices, rows, columns).
    :param believed: share of what least squares find of a - 1 and of b, see :func:`believed_share`.
    :returns: a and b; (1, 0) where there is no body.
    """
    if not inside.any():
        return 1.0, 0.0
    own = smoothed(inside.astype(np.float32), spacing_mm, SMOOTHING_MM)[inside]
    ki, activity, wanted = (
        smoothed(image * inside, spacing_mm, SMOOTHING_MM)[inside] / own for image in (*measured, learned)
    )
    columns = np.stack([ki, activity], axis=1).astype(np.float64)
    found, *_ = np.linalg.lstsq(columns, wanted.astype(np.float64) - ki, rcond=None)
    return 1.0 + believed * float(found[0]), believed * float(found[1])


def brought_to_level(images: Float32, error: tuple[float, float]) -> Float32:
    """Images of Ki and activity, (2, ...), with a Ki + b A in the place of Ki.

    :param images: Ki and A, each in the unit in which *error* was found.
    :param error: a and b of :func:`curve_error`.
    """
    return np.stack([np.float32(error[0]) * images[0] + np.float32(error[1]) * images[1], images[1]])
