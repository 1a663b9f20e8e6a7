"""The floor of a learned method's arithmetic: its multiplications and additions at the rate of this machine.

Counts the floating-point operations of every convolution and matrix product of one estimate (torch's counter: a
multiply-add is two), and measures how many a second a product of two square matrices of 2,048 does, in the numbers
the networks use here: bfloat16 where the processor multiplies it, else float32. Element-wise work is not counted.

    python floor_operations.py METHOD PET.nii AORTA.nii UNTIL_MIN|0 OUT

Prints one JSON object: operations, operations_per_s, seconds, numbers.
"""

import json
import time

import torch
from positionals import positionals
from torch.utils.flop_counter import FlopCounterMode

from petkinetics.job import EstimateJob
from petkinetics.networks.run import is_mixed

_SIDE, _TRIES = 2048, 8


def rate(kind: torch.dtype) -> float:
    """Operations a second of a square matrix product, the best of some."""
    a, b = torch.randn(2, _SIDE, _SIDE).to(kind)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(_TRIES):
            began = time.perf_counter()
            a @ b
            best = min(best, time.perf_counter() - began)
    return 2.0 * _SIDE**3 / best


if __name__ == "__main__":
    method, pet, aorta, until, out = positionals(__doc__, method=str, pet=str, aorta=str, until_min=float, out=str)
    job = EstimateJob(
        series=pet,
        output=out,
        method=method,
        roi=aorta,
        compress=False,
        until_min=until or None,
        options={"suv": "none"},
    )
    with FlopCounterMode(display=False) as counter:
        job.run()
    kind = torch.bfloat16 if is_mixed(torch.device("cpu")) else torch.float32
    operations, per_second = counter.get_total_flops(), rate(kind)
    found = {"operations": operations, "operations_per_s": per_second, "seconds": operations / per_second}
    print(json.dumps({**found, "numbers": str(kind).removeprefix("torch.")}))
