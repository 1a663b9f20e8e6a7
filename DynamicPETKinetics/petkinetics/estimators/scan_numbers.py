"""The numbers that describe a scan, as people say them: in natural units, and what to do about them.

Networks see logarithms, ratios and shares (:func:`petkinetics.networks.features.condition`); model cards and records
keep those. Sentences have mm, minutes, percent and ratios instead (docs/methods.md, "Kinetic network").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from petkinetics.estimators.gaussian_width import FWHM_PER_SD

_BLOOD = "check the blood region (in the vessel in every frame, not at its wall) and the injection time"
_FRAMING = "check the frame times"
_SIZE = "reconstruct the scan with voxels of such a size"
_FILTER = "reconstruct the scan with a filter of such a width"
_RATIO = "tell how whole blood becomes plasma (--plasma-ratio or --hct), or check what was told"
_LENGTH = "let the estimate end within this range (--until)"
_MORE_COUNTS = "use more of the scan, or check the injected activity"


@dataclass(frozen=True)
class ScanNumber:
    """One number of a scan.

    :param label: what it is, in words.
    :param unit: of the natural value; "" for a ratio.
    :param natural: from the number that the network sees to the natural one; never falling.
    :param below: what the user can do where it is below the range of training; "" for nothing.
    :param above: likewise.
    """

    label: str
    unit: str
    natural: Callable[[float], float]
    below: str = ""
    above: str = ""

    def outside(self, value: float, low: float, high: float) -> str:
        """Such as "voxel size in the slice is 0.9 mm, below the range of training (1.6 to 4.1 mm)".

        :param value: as the network sees it, as *low* and *high*.
        """
        numbers = [self.natural(each) for each in (value, low, high)]
        bound = numbers[1] if value < low else numbers[2]
        # a value just outside must not look like the bound
        digits = next((d for d in range(2, 7) if f"{numbers[0]:.{d}g}" != f"{bound:.{d}g}"), 7)
        said, least, most = (f"{float(f'{n:.{digits}g}'):g}" for n in numbers)
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"{self.label} is {said}{unit}, {'below' if value < low else 'above'} the range of training "
            f"({least} to {most}{unit})"
        )

    def advice(self, value: float, low: float) -> str:
        """What to do about a value outside the range that begins at *low*; "" where there is nothing."""
        return self.below if value < low else self.above


def _early(start: str) -> ScanNumber:
    return ScanNumber(
        f"mean blood {start}, over that of the late frames,", "", lambda v: max(float(np.exp(v)) - 0.05, 0.0),
        _BLOOD, _BLOOD,
    )  # fmt: skip


def _late(part: str) -> ScanNumber:
    return ScanNumber(
        f"blood in the {part} quarter of the time after 9 min, over its mean there,", "", lambda v: float(np.exp(v)),
        _BLOOD, _BLOOD,
    )  # fmt: skip


#: in the order of :func:`petkinetics.networks.features.condition`, then log10 of the median SD of Patlak's Ki in the
#: body over 0.001 mL/min/mL
SCAN_NUMBERS: Mapping[str, ScanNumber] = {
    "blood_0_1": _early("in the first 45 s"),
    "blood_1_2": _early("from 45 to 90 s"),
    "blood_2_3": _early("from 1.5 to 3 min"),
    "blood_3_5": _early("from 3 to 5 min"),
    "blood_5_9": _early("from 5 to 9 min"),
    "fall_1": _late("first"),
    "fall_2": _late("second"),
    "fall_4": _late("last"),
    "end": ScanNumber("end of the frames used", "min", lambda v: 60.0 * v, "use more of the scan (--until)", _LENGTH),
    "stretched_time": ScanNumber(
        "Patlak's stretched time (integral of plasma over plasma) at the end", "min", lambda v: 60.0 * float(np.exp(v)),
        _BLOOD, _BLOOD,
    ),
    "stretched_start": ScanNumber(
        "the share of plasma's integral that lies before the frames from 9 min on", "%", lambda v: 100.0 * v,
        _BLOOD, _BLOOD,
    ),
    "sd_v0_ki": ScanNumber(
        "SD of V0 over SD of Ki, which framing and blood set,", "min", lambda v: 30.0 * float(np.exp(v)),
        _FRAMING, _FRAMING,
    ),
    "correlation_v0_ki": ScanNumber(
        "the correlation of V0 with Ki, which framing and blood set,", "", float, _FRAMING, _FRAMING
    ),
    "plasma_ratio": ScanNumber("whole blood over plasma", "", lambda v: v + 0.9, _RATIO, _RATIO),
    "voxel": ScanNumber("voxel size in the slice", "mm", lambda v: 2.0 * float(np.exp(v)), _SIZE, _SIZE),
    "slice": ScanNumber("slice thickness", "mm", lambda v: 3.0 * float(np.exp(v)), _SIZE, _SIZE),
    "noise_in_plane": ScanNumber(
        "width (FWHM) of the noise's grain in the slice", "mm", lambda v: 2.5 * FWHM_PER_SD * v, _FILTER, _FILTER
    ),
    "noise_axial": ScanNumber(
        "width (FWHM) of the noise's grain across slices", "mm", lambda v: 2.5 * FWHM_PER_SD * v, _FILTER, _FILTER
    ),
    "noise": ScanNumber(
        "noise (SD) of Patlak's Ki in the body's voxels", "×10⁻³ mL/min/mL", lambda v: 10.0**v, "", _MORE_COUNTS
    ),
}  # fmt: skip
