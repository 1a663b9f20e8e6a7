"""Tables of what the two-tissue model shows: linear features, late windows, Patlak's slope and intercept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import ResponseTable
from petkinetics.kinetics.patlak import patlak_design, plot_weights, weighted_fit
from petkinetics.networks.features import KI_UNIT, T_STAR_MIN

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: frames of the Patlak fit whose slope and intercept are answered: those of Liang et al. 2023 from 9 to 65 min
REFERENCE = FrameTiming.parse("liang2023")
REFERENCE_END_MIN = 65.0
NODES = 160
_LARGEST = 10.0
#: alpha of node n is KNEE (e^(STEP n) - 1)
KNEE = ResponseTable.KNEE
STEP = math.log1p(_LARGEST / KNEE) / (NODES - 1)


@dataclass(frozen=True, eq=False)
class ModelRows:
    """Functionals of the model's frames.

    :param table: (NODES, maps), of Cp (x) e^(-alpha t).
    :param blood: (maps,), of whole blood.
    """

    table: Float32
    blood: Float32


def linear_part() -> FrameTiming:
    """The reference's frames from 9 to 65 min."""
    return REFERENCE.select(REFERENCE.window(T_STAR_MIN, REFERENCE_END_MIN))


def reference_solution(curve: InputFunction, decay_per_s: float) -> Float64:
    """Rows that turn the reference's frames into Ki (0.01 mL/min/mL) and V0: (2, frames).

    :param curve: reaches 65 min.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame, 1/s; 0 for plain means.
    :raises InputError: the curve holds no blood in one of the reference's frames.
    """
    timing = linear_part()
    plot = patlak_design(curve, timing, decay_per_s)
    rows = weighted_fit(plot, plot_weights(timing, plot, decay_per_s)).solution.copy()
    rows[0] /= KI_UNIT
    return rows


def model_rows(
    curve: InputFunction, timing: FrameTiming, rows: Float64, decay_per_s: float, reference_decay_per_s: float
) -> ModelRows:
    """Some rows of the measured frames, then Ki (0.01 mL/min/mL) and V0 of 9-65 min.

    :param curve: reaches 65 min.
    :param rows: (maps, frames) of *timing*.
    :param decay_per_s: lambda of the weight within the measured frames.
    :param reference_decay_per_s: the same within the reference's frames.
    :raises InputError: as :func:`reference_solution`.
    """
    measured = ResponseTable(curve, timing, decay_per_s, nodes=NODES, largest=_LARGEST)
    reference = ResponseTable(curve, linear_part(), reference_decay_per_s, nodes=NODES, largest=_LARGEST)
    solution = reference_solution(curve, reference_decay_per_s)
    table = np.concatenate([measured.response @ rows.T, reference.response @ solution.T], axis=1)
    blood = np.concatenate([rows @ measured.blood, solution @ reference.blood])
    return ModelRows(np.ascontiguousarray(table, dtype=np.float32), blood.astype(np.float32))
