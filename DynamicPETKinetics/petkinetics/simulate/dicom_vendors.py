"""What GE, Siemens and Philips write differently: names, corrections and the tags that time a frame."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log
from typing import Literal

Vendor = Literal["ge", "siemens", "philips"]
#: Bq/mL per count in Philips series stored as counts; of the size real headers show
PHILIPS_BQML_PER_COUNT = 1.602563
#: Corrected Image, by vendor
CORRECTIONS = {
    "ge": ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "RADL", "DCAL", "SLSENS", "NORM"],
    "siemens": ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"],
    "philips": ["DECY", "RADL", "ATTN", "SCAT", "DTIM", "RAN", "NORM"],
}
#: manufacturer, model and reconstruction
EQUIPMENT = {
    "ge": ("GE MEDICAL SYSTEMS", "Discovery 690", "VPFX"),
    "siemens": ("SIEMENS", "Biograph64", "OSEM3D 4i8s"),
    "philips": ("Philips Medical Systems", "GEMINI TF TOF 64", "BLOB-OS-TF"),
}


@dataclass(frozen=True)
class FrameTags:
    """The timing tags of one frame; times in seconds from the series time."""

    acquisition_s: float
    reference_s: float
    decay_factor: str


def vendor_timing(vendor: Vendor, start_s: float, duration_s: float, decay_per_s: float, factor: float) -> FrameTags:
    """Each vendor's way to say when a frame was.

    GE: AcquisitionTime is the series time, FrameReferenceTime the frame's start. Siemens:
    AcquisitionTime is the frame's start, FrameReferenceTime the moment of average activity.
    Philips: one AcquisitionTime, FrameReferenceTime the middle, decay factor always 1.

    :param start_s: from the series time; *duration_s*: of the frame.
    :param decay_per_s: lambda of the tracer, 1/s.
    :param factor: the decay factor that was applied.
    """
    if vendor == "ge":
        return FrameTags(0.0, start_s, f"{factor:.6g}")
    if vendor == "siemens":
        x = decay_per_s * duration_s
        average_s = log(x / -expm1(-x)) / decay_per_s
        return FrameTags(start_s, start_s + average_s, f"{factor:.13g}")
    return FrameTags(1.0, start_s + 0.5 * duration_s, "1")
