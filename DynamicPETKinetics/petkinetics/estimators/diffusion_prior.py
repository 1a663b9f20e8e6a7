"""Patlak images under a diffusion prior: a score model of static PET, with the kinetic model as data consistency.

After Huang et al. 2025 (arXiv 2512.19584), of which only the abstract is public: a score model trained on static
PET is the prior of slope and intercept, and the kinetic model ties them to the frames. How we read it, and what
is ours:

* The frames' weighted fit leaves slope and intercept with a known covariance (see
  :mod:`petkinetics.estimators.regularised`): the kinetic model's whole say about a voxel.
* The prior sees the slope Ki and the activity V0 + theta Ki at the mean Patlak time theta. That is the centred
  form of the same straight line; its noise is independent, so the 2x2 data step is two divisions. Each is
  divided by its own robust percentile.
* The diffusion's noise has the correlation and the local strength of the data's, both seen in the residuals of
  the fit. One setting serves every dose, and the data step is exact voxel by voxel
  (:mod:`petkinetics.estimators.posterior`).
* ``start-hqs`` begins with a learned start: a network that sees the whole scan answers once
  (:mod:`petkinetics.estimators.learned_start`), the prior's own, which knows measured Patlak maps and their noise,
  too, answers beside it, non-local means are taken for a third opinion, and a few steps of half-quadratic splitting
  follow the mean of the three. Without the former the others start.

Negative values are left as they are. What the result no longer explains, beyond noise, is given back
(:mod:`petkinetics.estimators.explained`).
"""

from __future__ import annotations

from dataclasses import replace

from petkinetics.errors import InputError
from petkinetics.estimators.diffusion_run import METHOD, SCHEDULES, SOLVERS, STARTED, DiffusionRun
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress, no_progress
from petkinetics.estimators.explained import explained
from petkinetics.estimators.learned import learned_record, require_fdg, torch_or_refuse
from petkinetics.estimators.normalised_images import NormalisedImages
from petkinetics.estimators.regularised import PatlakImages, Regularised, RegularisedPatlak, number_option
from petkinetics.maps import KI, KI_SD, RESIDUAL, V0, V0_SD, Quantity

_MOST_STEPS = 200
_MOST_SAMPLES = 64


class DiffusionPriorPatlak(RegularisedPatlak):
    """Strength multiplies the noise SD that the prior is told; 1, what was measured, is the automatic one.

    Options: ``solver`` = ``start-hqs`` (default), ``start`` (the learned start alone), ``hqs`` or ``red-diff``
    (the prior alone); ``steps``, evaluations of the prior. ``Problem.samples`` draws from the posterior make SD maps.
    """

    method = METHOD
    learned = True
    strength_meaning = "noise SD told to the prior, in units of the SD measured"
    quantities: tuple[Quantity, ...] = (KI, V0, RESIDUAL)
    sampled_quantities: tuple[Quantity, ...] = (KI, V0, KI_SD, V0_SD, RESIDUAL)
    option_names: tuple[str, ...] = ("strength", "solver", "steps")
    most_strength = 4.0
    law = (1.0, 0.0)

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """See :class:`petkinetics.estimators.estimator.Estimator`.

        :raises InputError: PyTorch or the weights are not there, the tracer is not FDG, or an option
            is not of the solver.
        """
        require_fdg(problem, self.method)
        torch_or_refuse(self.method)
        found = super().estimate(problem, sink, progress)
        said = found.record["regularisation"]
        networks = said.pop("networks", [])
        if networks:
            found.record.update(learned_record(networks[0], said.pop("device"), *networks[1:]))
        return replace(found, applicability=said.pop("applicability", None))

    def regularise(self, images: PatlakImages, strength: float, problem: Problem, progress: Progress) -> Regularised:
        """See :class:`RegularisedPatlak`."""
        solver = problem.choice("solver", SOLVERS)
        steps = _steps(problem, solver)
        if not 0 <= problem.samples <= _MOST_SAMPLES:
            raise InputError(f"{problem.samples} samples cannot be drawn; give 0 to {_MOST_SAMPLES}.")
        run = DiffusionRun(images, NormalisedImages.of(images, strength), problem, strength, progress)
        run.expect(steps + {"start-hqs": 3 if run.sees_scan else 2, "start": 1}.get(solver, 0))
        solved = run.solve(solver, steps)
        values = explained(run.normal.values, solved, run.normal.sigma, images.correlation)
        sd = run.spread(values) if problem.samples else None
        return Regularised(run.normal.whitened(values), sd, run.record(solver, steps))


def _steps(problem: Problem, solver: str) -> int:
    if solver == "start":
        problem.refuse_option("steps", "solver=start")
        return 0
    default = SCHEDULES[solver].steps if solver in SCHEDULES else 0
    steps = number_option(problem, "steps", default, _MOST_STEPS)
    assert steps is not None
    if steps != int(steps) or (steps == 0 and solver not in STARTED):
        raise InputError(f"'{problem.options['steps']}' is not a number of steps; give a whole number from 1.")
    return int(steps)
