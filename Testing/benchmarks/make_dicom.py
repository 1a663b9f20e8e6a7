"""Write a dynamic DICOM series of many files for the benchmark of `petkinetics info`.

python make_dicom.py FOLDER FRAMES SLICES
"""

from pathlib import Path

import numpy as np
from positionals import positionals

from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry
from petkinetics.simulate.dicom_series import write_dicom_series

_MATRIX = 128

if __name__ == "__main__":
    folder, frames, slices = positionals(__doc__, folder=Path, frames=int, slices=int)
    rng = np.random.default_rng(4)
    values = rng.uniform(0.0, 10.0, (frames, slices, _MATRIX, _MATRIX)).astype(np.float32)
    series = DynamicSeries(
        FrameTiming.parse(f"{frames}x120"),
        VolumeGeometry(values.shape[1:], (3.9, 3.9, 3.27)),
        Tracer("FDG", "F-18", 6586.2),
        ArrayVoxels(values),
        injected_activity_mbq=300.0,
        weight_kg=70.0,
    )
    write_dicom_series(folder, series, vendor="ge")
