"""One file a method, all behind one Estimator."""

from __future__ import annotations

from collections.abc import Callable

from petkinetics.errors import InputError
from petkinetics.estimators.compartment import OneTissue, TwoTissue, TwoTissueReversible
from petkinetics.estimators.estimator import Estimator
from petkinetics.estimators.gaussian import GaussianPatlak
from petkinetics.estimators.hypr import HyprPatlak
from petkinetics.estimators.nlm import NonLocalMeansPatlak
from petkinetics.estimators.patlak import Patlak
from petkinetics.estimators.total_variation import TotalVariationPatlak

#: every method by its name on the command line
METHODS: dict[str, Callable[[], Estimator]] = {
    Patlak.method: Patlak,
    GaussianPatlak.method: GaussianPatlak,
    NonLocalMeansPatlak.method: NonLocalMeansPatlak,
    HyprPatlak.method: HyprPatlak,
    TotalVariationPatlak.method: TotalVariationPatlak,
    TwoTissue.method: TwoTissue,
    TwoTissueReversible.method: TwoTissueReversible,
    OneTissue.method: OneTissue,
}


def make_estimator(method: str) -> Estimator:
    """The estimator of a method.

    :raises InputError: there is no such method.
    """
    if method not in METHODS:
        raise InputError(f"There is no method '{method}'; there is {', '.join(METHODS)}.")
    return METHODS[method]()
