"""PETPAL's two-tissue fit of a region (k4 = 0), called for some voxels of a series: it has none for images.

    python peer_petpal_two_tissue.py PET.nii OURS VOXELS INPUT_FUNCTION.csv

For an interpreter that has petpal. OURS is our result folder, uncompressed, for its mask; the table is that of
nifti_dynamic. Prints one JSON object, as peer_kmap_maps.py.
"""

import json
import time
from pathlib import Path

import numpy as np
from body_sample import body_sample
from petpal.kinetic_modeling.tac_fitting import TACFitter
from petpal.kinetic_modeling.tcms_as_convolutions import gen_tac_2tcm_with_k4zero_cpet_from_tac
from positionals import positionals

if __name__ == "__main__":
    pet, ours, count, table = positionals(__doc__, pet=Path, ours=Path, voxels=int, table=str)
    start, end, mean = np.loadtxt(table, delimiter=",", skiprows=1, unpack=True)
    plasma = np.stack([(start + end) / 120.0, mean])
    curves, in_body = body_sample(pet, ours, count)
    began = time.perf_counter()
    for curve in curves:
        fit = TACFitter(plasma, np.stack([plasma[0], curve]), tcm_func=gen_tac_2tcm_with_k4zero_cpet_from_tac)
        fit.run_fit()
    seconds = (time.perf_counter() - began) * in_body / len(curves)
    print(json.dumps({"seconds": seconds, "fitted": len(curves), "body": in_body}))
