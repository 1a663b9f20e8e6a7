"""Options of an estimate that are unknown, or known and without effect: neither passes without a word."""

from __future__ import annotations

from petkinetics.errors import InputError
from petkinetics.estimators.derived import OPTION_NAMES as DERIVED_OPTIONS
from petkinetics.estimators.estimator import Estimator, draws_samples, is_learned
from petkinetics.job import EstimateJob
from petkinetics.read.curve_statements import OPTION_NAMES as INPUT_STATEMENTS
from petkinetics.read.series import STATEMENTS


def require_known_options(job: EstimateJob, estimator: Estimator) -> None:
    """Refuse names after ``--set`` that nothing of the run knows.

    :raises InputError: there is one.
    """
    known = {*estimator.option_names, *DERIVED_OPTIONS, *STATEMENTS, *INPUT_STATEMENTS}
    unknown = sorted(set(job.options) - known)
    if unknown:
        raise InputError(
            f"'{unknown[0]}' is not an option of {job.method}.", f"Options for --set: {', '.join(sorted(known))}."
        )


def without_effect(job: EstimateJob, estimator: Estimator) -> list[str]:
    """A sentence for every option that was given and that this run does not look at.

    What a reader of the series does not use is among that series' own warnings.
    """
    given = job.options.keys()
    places = (
        (job.input_function is None, "the input function is not from a table", given & set(INPUT_STATEMENTS)),
        (job.options.get("suv") == "none", "no SUV image is made", given & {"suv_window", "height_m", "sex"}),
    )
    said = [
        f"Not used, because {why}: --set {', '.join(sorted(names))}." for holds, why, names in places if holds and names
    ]
    learned = {"--weights": job.weights is not None, "--device cuda": job.device == "cuda"}
    drawing = {"--samples": job.samples != 0, "--seed": job.seed != 0}
    for minds, why, options in (
        (is_learned(estimator), "is not a learned method", learned),
        (draws_samples(estimator), "draws nothing at random", drawing),
    ):
        names_given = [name for name, was_given in options.items() if was_given]
        if names_given and not minds:
            said.append(f"Not used, because {job.method} {why}: {', '.join(names_given)}.")
    return said
