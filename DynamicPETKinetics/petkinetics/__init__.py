"""Kinetic analysis of dynamic PET: from a frame series and a blood curve to Ki and V0.

The engine of DynamicPETKinetics. It imports no Slicer, Qt or VTK and runs on its own, as a library
and as the ``petkinetics`` command. Its rooms follow the journey of the data; see docs/methods.md.

Units everywhere: activity kBq/mL decay-corrected to injection, frame times in seconds from
injection, kinetic time in minutes; Ki and K1 in mL/min/mL, V0 in mL/mL, k2...k4 in 1/min.
Arrays of voxels are float32 with axes (frame, slice, row, column).

Not a medical device: for research, not for diagnosis.
"""

__version__ = "0.1.0"
