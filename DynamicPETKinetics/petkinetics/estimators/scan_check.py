"""The check of a scan beside the estimate: read and judged in a thread of its own while a method works."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from types import TracebackType

import numpy as np

from petkinetics.errors import Cancelled, InputError
from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.estimator import Estimator, Problem, Progress
from petkinetics.estimators.scan_faults import NAMES, scan_faults
from petkinetics.estimators.scan_findings import Use

_WAIT_S = 0.1


def use_of(estimator: Estimator, problem: Problem) -> Use:
    """What a method makes of a scan. All methods are checked for the same faults, with one exception: release of the
    tracer is no fault for a model that has a rate for it.
    """
    return Use(
        float(problem.series.timing.start_s[problem.frames[0]]),
        estimator.quantities[0].symbol,
        not getattr(estimator, "explains_release", False),
    )


class ScanCheck:
    """Checks the scan of a problem; a context manager, which ends the check where the estimate ended early.

    >>> with ScanCheck(estimator, problem) as check:  # doctest: +SKIP
    ...     estimator.estimate(problem, sink)
    ...     faults = check.result(progress)
    """

    def __init__(self, estimator: Estimator, problem: Problem) -> None:
        self._use, self._problem = use_of(estimator, problem), problem
        self._stopped = Event()
        self._pool = ThreadPoolExecutor(1)
        self._found: Future[Applicability] | None = None

    def __enter__(self) -> ScanCheck:
        self._found = self._pool.submit(scan_faults, self._problem, self._use, self._require_going_on)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._pool.shutdown()

    def result(self, progress: Progress) -> Applicability:
        """What was found; see :func:`petkinetics.estimators.scan_faults.scan_faults`.

        A check that cannot be made does not take the maps away: a warning says why.

        :param progress: called while the check is not done.
        :raises Cancelled: through *progress*.
        """
        assert self._found is not None
        progress(0.9, "Checking the scan")
        while wait([self._found], _WAIT_S).not_done:
            progress(0.9, "Checking the scan")
        try:
            return self._found.result()
        except InputError as error:
            why = error.message
        except np.linalg.LinAlgError:
            why = "its images have no answer to it."
        said = f"Whether the patient moved, or the scan has other faults, could not be checked: {why}"
        return Applicability((said,), dict.fromkeys(NAMES))

    def _require_going_on(self) -> None:
        if self._stopped.is_set():
            raise Cancelled
