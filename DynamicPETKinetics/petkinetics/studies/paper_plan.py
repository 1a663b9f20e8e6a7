"""What the two papers compare, so that ``evaluate NAME --full`` alone makes a paper's study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from petkinetics.studies.contestants import CLASSICAL, FULL_SCAN
from petkinetics.studies.names import DIFFUSION_PRIOR, DIRECT_NETWORK, KINETIC_NETWORK


@dataclass(frozen=True)
class PaperPlan:
    """A paper's comparison; whatever is asked for on the command line stands in its place.

    :param doses: fractions of a usual scan's counts.
    :param until_min: ends of the scans, minutes; None for the full one.
    :param beside: who else takes part.
    :param samples: draws of a method that samples.
    """

    doses: tuple[float, ...] = (1.0,)
    until_min: tuple[float | None, ...] = (None,)
    beside: tuple[str, ...] | None = None
    samples: int = 0


#: by method: Liang et al. 2023 (a short scan against the full one, the same network without the kinetic model)
#: and Huang et al. 2025 (dose after dose, each solver of the prior)
PLANS: Mapping[str, PaperPlan] = {
    KINETIC_NETWORK: PaperPlan(
        until_min=(35.0,),
        beside=(CLASSICAL, FULL_SCAN, DIRECT_NETWORK, "kinetic-network:preset=compact"),
    ),
    DIFFUSION_PRIOR: PaperPlan(
        doses=(1.0, 0.5, 0.25, 0.1, 0.05),
        beside=(
            CLASSICAL,
            "diffusion-prior:samples=0",
            "diffusion-prior:solver=start",
            "diffusion-prior:solver=red-diff",
            "diffusion-prior:solver=hqs",
        ),
        samples=4,
    ),
}


def plan_of(method: str, full: bool) -> PaperPlan:
    """The plan of a method's paper, where the paper's study is asked for; else that of any study."""
    return PLANS.get(method, PaperPlan()) if full else PaperPlan()
