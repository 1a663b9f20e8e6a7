"""One program's way from a folder of PET slices to all frames in memory as float32.

    python peer_reading.py petkinetics|SimpleITK|dicom2nifti FOLDER [FILE.npy]

FILE gets what was read, in Bq/mL, (frames, slices, rows, columns), each axis in either direction.

petkinetics is given the folder. The others are told which files are which frame, in order (that is in their favour:
neither sorts the slices of a PET series into frames): files are named as ``make_dicom.py`` names them.
"""

import argparse
from itertools import groupby
from pathlib import Path


def frames_of(folder):
    """The files of each frame, by their names: PT_<frame>_<slice>.dcm."""
    files = sorted(folder.glob("*.dcm"))
    return [list(group) for _, group in groupby(files, key=lambda file: file.name.split("_")[1])]


def by_petkinetics(folder):
    """All that a series needs besides: times, units, decay, geometry, checked against each other."""
    from petkinetics.read.series import read_series

    series = read_series(folder)
    # kBq/mL
    return series.read(range(len(series.timing)), 0, series.geometry.shape[0]), 1000.0


def by_simpleitk(folder):
    """Voxels in stored units and geometry; no frame times."""
    import numpy as np
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    frames = []
    for files in frames_of(folder):
        reader.SetFileNames([str(file) for file in files])
        frames.append(sitk.GetArrayFromImage(reader.Execute()).astype(np.float32))
    return frames, 1.0


def by_dicom2nifti(folder):
    """As SimpleITK. It asks for MR's RepetitionTime when it is given all frames of a PET series at once."""
    import numpy as np
    from dicom2nifti.convert_generic import dicom_to_nifti
    from pydicom import dcmread

    frames = []
    for files in frames_of(folder):
        image = dicom_to_nifti([dcmread(file) for file in files], None)["NII"]
        frames.append(np.asarray(image.dataobj, dtype=np.float32).T)
    return frames, 1.0


WAYS = {"petkinetics": by_petkinetics, "SimpleITK": by_simpleitk, "dicom2nifti": by_dicom2nifti}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=WAYS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", nargs="?")
    args = parser.parse_args()
    read, factor = WAYS[args.program](args.folder)
    if args.file:
        import numpy as np

        np.save(args.file, np.float32(factor) * np.asarray(read))
