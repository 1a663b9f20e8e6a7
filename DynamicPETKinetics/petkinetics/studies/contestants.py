"""Who takes part in a study: the method, plain Patlak, the classical methods, and whoever is set beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from petkinetics.errors import InputError
from petkinetics.estimators import make_estimator
from petkinetics.studies.names import TUNED

#: words for those beside a method that are not methods
CLASSICAL, FULL_SCAN = "classical", "full-scan"
#: regularised Patlak methods; the best of them is reported
CLASSICAL_METHODS = ("gaussian", "hypr", "nlm", "total-variation")
#: strengths of least RMSE on validation patients by end of scan (min) and dose, in the order of those methods
#: (docs/experiments.md, from Testing/studies/tune_regularised.py)
TUNED_STRENGTHS: Mapping[tuple[float, float], tuple[float, float, float, float]] = {
    (35.0, 1.0): (7.0, 10.0, 3.0, 0.55),
    (35.0, 0.25): (11.0, 14.0, 2.3, 0.55),
    (35.0, 0.1): (14.0, 16.0, 2.3, 0.7),
    (65.0, 1.0): (4.0, 6.0, 2.6, 0.36),
    (65.0, 0.25): (6.0, 9.0, 2.3, 0.45),
    (65.0, 0.1): (8.0, 12.0, 2.0, 0.45),
}


@dataclass(frozen=True)
class Contestant:
    """A method with its options.

    :param label: in tables, such as ``kinetic-network:preset=compact``.
    :param method: name of the estimator.
    :param classical: one of those of which the best is reported.
    :param samples: as of an estimate.
    """

    label: str
    method: str
    options: Mapping[str, str] = field(default_factory=dict)
    classical: bool = False
    samples: int = 0

    @classmethod
    def parse(cls, text: str) -> Contestant:
        """From ``METHOD`` or ``METHOD:key=value,key=value``; the key ``samples`` is that of an estimate.

        :raises InputError: no such method or option, it has no Ki, or samples are not a number.
        """
        method, _, listed = text.partition(":")
        options: dict[str, str] = {}
        for part in listed.split(",") if listed else ():
            key, sign, value = part.partition("=")
            if not (key and sign and value):
                raise InputError(f"'{part}' in '{text}' is not of the form KEY=VALUE.")
            options[key] = value
        samples = options.pop("samples", "0")
        if not samples.isdecimal():
            raise InputError(f"'{samples}' is not a number of samples; give a whole number from 0.")
        require_ki(method, options)
        return cls(text, method, options, samples=int(samples))


def require_ki(method: str, options: Mapping[str, str]) -> None:
    """Refuse a method that cannot be studied.

    :raises InputError: no such method or option, or it has no Ki.
    """
    estimator = make_estimator(method)
    if "ki" not in [quantity.name for quantity in estimator.quantities]:
        raise InputError(f"The method '{method}' has no Ki map to compare with the truth.")
    unknown = sorted(set(options) - set(estimator.option_names))
    if unknown:
        raise InputError(f"'{unknown[0]}' is not an option of {method}.")


def classical(dose: float, until_min: float | None, tuned: bool) -> list[Contestant]:
    """The classical methods at their automatic strength and, if *tuned*, at the tuned one of the nearest case.

    :param dose: a factor, 1 is a usual scan.
    :param until_min: None for the full scan.
    """
    found = [Contestant(method, method, classical=True) for method in CLASSICAL_METHODS]
    if tuned:
        end = 35.0 if until_min is not None and until_min < 50.0 else 65.0
        nearest = min((d for e, d in TUNED_STRENGTHS if e == end), key=lambda d: abs(np.log(d / dose)))
        found += [
            Contestant(method + TUNED, method, {"strength": f"{strength:g}"}, classical=True)
            for method, strength in zip(CLASSICAL_METHODS, TUNED_STRENGTHS[end, nearest], strict=True)
        ]
    return found


def others(beside: Sequence[str]) -> list[Contestant]:
    """Those of the list that are methods.

    :raises InputError: see :meth:`Contestant.parse`; one is named twice.
    """
    found = [Contestant.parse(text) for text in beside if text not in (CLASSICAL, FULL_SCAN)]
    if len({one.label for one in found}) < len(found):
        raise InputError("A method beside the study's is named twice.")
    return found
