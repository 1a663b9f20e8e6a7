"""The gates of the learned methods, by the method that they were made for.

Ratios are of the mean RMSE over patients (:mod:`petkinetics.studies.ratios`).
"""

from __future__ import annotations

from collections.abc import Mapping

from petkinetics.studies.gate import Gate, StudyNumbers, gate_rows, ratio
from petkinetics.studies.gates_diffusion import DIFFUSION
from petkinetics.studies.gates_network import NETWORK
from petkinetics.studies.names import DIFFUSION_PRIOR, DIRECT_NETWORK, KINETIC_NETWORK
from petkinetics.studies.ratios import BEST_CLASSICAL

__all__ = ["GATES", "Gate", "StudyNumbers", "gate_rows"]

GATES: Mapping[str, tuple[Gate, ...]] = {
    KINETIC_NETWORK: NETWORK,
    DIRECT_NETWORK: NETWORK,
    DIFFUSION_PRIOR: DIFFUSION,
    "prior-alone": tuple(
        Gate(
            f"dose {dose:g}: RMSE of Ki ÷ best tuned classical, pure prior",
            ratio(BEST_CLASSICAL, dose, None),
            0.93,
            0.85,
        )
        for dose in (1.0, 0.25, 0.1)
    ),
}
