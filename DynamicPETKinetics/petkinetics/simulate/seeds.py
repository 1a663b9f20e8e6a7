"""Seeds: one number makes one patient, and its parts draw from independent streams."""

from __future__ import annotations

import zlib

import numpy as np

#: seeds of patients that networks may learn from
TRAINING_SEEDS = range(90_000)
#: seeds for tuning and choosing
VALIDATION_SEEDS = range(90_000, 90_100)
#: seeds for the final numbers only; every run on them is logged
TEST_SEEDS = range(91_000, 91_030)
#: seeds for the test of the automatic aorta
AORTA_SEEDS = range(92_000, 92_100)


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The random stream of one purpose of one patient.

    Purposes ("anatomy", "noise" ...) are independent of each other, so a change of framing, dose or
    grid leaves the same patient in the scanner.

    :param seed: of the patient, 0 or above.
    :param purpose: any text.
    :param index: such as the frame.
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), index])
