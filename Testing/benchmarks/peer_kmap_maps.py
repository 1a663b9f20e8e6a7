"""KMAP's two-tissue fit in some voxels of a series, in as many threads as there are cores.

    python peer_kmap_maps.py PET.nii OURS VOXELS CHECKOUT

OURS is our result folder of the two-tissue fit, uncompressed: its mask, blood curve and weights are given to KMAP.
Prints one JSON object: seconds the fit would take in all voxels of the mask, voxels fitted, voxels of the mask.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from body_sample import body_sample
from peer_kmap import Kmap
from positionals import positionals

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming

if __name__ == "__main__":
    pet, ours, count, checkout = positionals(__doc__, pet=Path, ours=Path, voxels=int, checkout=Path)
    used = json.loads((ours / "result.json").read_text(encoding="utf-8"))["frames_used"]
    start, duration, weights = (np.array([frame[k] for frame in used]) for k in ("start_s", "duration_s", "weight"))
    time_s, blood, plasma = np.loadtxt(ours / "input_function.tsv", delimiter="\t", skiprows=1, unpack=True)
    with tempfile.TemporaryDirectory() as folder:
        kmap = Kmap(checkout, Path(folder))
    curves, in_body = body_sample(pet, ours, count)
    began = time.perf_counter()
    kmap.fit(InputFunction(time_s, plasma, blood), FrameTiming(start, duration), weights, curves)
    seconds = (time.perf_counter() - began) * in_body / len(curves)
    print(json.dumps({"seconds": seconds, "fitted": len(curves), "body": in_body}))
