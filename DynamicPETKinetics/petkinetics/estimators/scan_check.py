"""The check of a scan in a run, whatever the method."""

from __future__ import annotations

import numpy as np

from petkinetics.errors import InputError
from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.estimator import Estimator, Problem, Progress
from petkinetics.estimators.scan_faults import NAMES, scan_faults
from petkinetics.estimators.scan_findings import Use


def use_of(estimator: Estimator, problem: Problem) -> Use:
    """What a method makes of a scan. All methods are checked for the same faults, with one exception: release of the
    tracer is no fault for a model that has a rate for it.
    """
    return Use(
        float(problem.series.timing.start_s[problem.frames[0]]),
        estimator.quantities[0].symbol,
        not getattr(estimator, "explains_release", False),
    )


def check_scan(estimator: Estimator, problem: Problem, progress: Progress) -> Applicability:
    """What is found; see :func:`petkinetics.estimators.scan_faults.scan_faults`.

    A check that cannot be made does not take the maps away: a warning says why.

    :param progress: called for every slice read.
    :raises Cancelled: through *progress*.
    """
    try:
        return scan_faults(problem, use_of(estimator, problem), lambda: progress(0.9, "Checking the scan"))
    except InputError as error:
        why = error.message
    except np.linalg.LinAlgError:
        why = "its images have no answer to it."
    said = f"Whether the patient moved, or the scan has other faults, could not be checked: {why}"
    return Applicability((said,), dict.fromkeys(NAMES))
