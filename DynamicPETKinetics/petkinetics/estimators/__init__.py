"""One file a method, all behind one Estimator."""

from __future__ import annotations

from importlib import import_module

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Estimator

#: every method by its name on the command line: module and class; only the one asked for is imported
METHODS: dict[str, tuple[str, str]] = {
    "patlak": ("patlak", "Patlak"),
    "gaussian": ("gaussian", "GaussianPatlak"),
    "nlm": ("nlm", "NonLocalMeansPatlak"),
    "hypr": ("hypr", "HyprPatlak"),
    "total-variation": ("total_variation", "TotalVariationPatlak"),
    "diffusion-prior": ("diffusion_prior", "DiffusionPriorPatlak"),
    "two-tissue": ("compartment", "TwoTissue"),
    "two-tissue-reversible": ("compartment", "TwoTissueReversible"),
    "one-tissue": ("compartment", "OneTissue"),
    "kinetic-network": ("kinetic_network", "KineticNetwork"),
    "direct-network": ("paper_network", "DirectNetwork"),
}


def make_estimator(method: str) -> Estimator:
    """The estimator of a method.

    :raises InputError: there is no such method.
    """
    if method not in METHODS:
        raise InputError(f"There is no method '{method}'; there is {', '.join(METHODS)}.")
    module, name = METHODS[method]
    made: Estimator = getattr(import_module(f"{__name__}.{module}"), name)()
    return made
