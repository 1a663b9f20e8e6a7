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
  too, answers beside it, and a few steps of half-quadratic splitting follow their mean. Without the former the
  latter starts alone.

Negative values are left as they are. What the result no longer explains, beyond noise, is given back
(:mod:`petkinetics.estimators.explained`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress, no_progress
from petkinetics.estimators.explained import explained
from petkinetics.estimators.learned import learned_record, require_fdg, torch_or_refuse
from petkinetics.estimators.noise_draws import unit_draws
from petkinetics.estimators.posterior import half_quadratic, posterior_sample, red_diff
from petkinetics.estimators.regularised import (
    PatlakImages,
    Regularised,
    RegularisedPatlak,
    box_around,
    contrast_of,
    number_option,
    smoothed,
)
from petkinetics.maps import KI, KI_SD, RESIDUAL, V0, V0_SD, Quantity

if TYPE_CHECKING:
    from petkinetics.estimators.learned_denoiser import LearnedDenoiser
    from petkinetics.estimators.learned_start import LearnedStart
    from petkinetics.networks.run import Batches

Float32 = NDArray[np.float32]

SOLVERS = ("start-hqs", "start", "hqs", "red-diff")
#: those that begin with the learned start
STARTED = ("start-hqs", "start")
#: the file of the prior's network, and what it is used as: it was trained for both
WEIGHTS = "diffusion-prior"
#: the file of the network that starts
START_WEIGHTS = "diffusion-start"
PRIOR, START = "prior", "start"
_MOST_STEPS = 200
_MOST_SAMPLES = 64


@dataclass(frozen=True)
class Schedule:
    """How a solver walks; tuned on validation patients.

    :param steps: evaluations of the prior.
    :param taus: first and last noise level, in units of the data's noise.
    :param weight: lambda of the prior.
    """

    steps: int
    taus: tuple[float, float]
    weight: float

    def levels(self, steps: int) -> list[float]:
        """Falling noise levels in equal ratios."""
        if steps == 1:
            return [self.taus[1]]
        return [float(t) for t in np.geomspace(*self.taus, steps)]


#: ``hqs`` asks the prior once for the mean of what the data, its state tau 1, may be, and its other steps follow
SCHEDULES = {
    "start-hqs": Schedule(3, (0.15, 0.05), 4.0),
    "hqs": Schedule(4, (0.3, 0.1), 2.0),
    "red-diff": Schedule(20, (1.0, 0.1), 0.25),
}
#: how much of Ki and of the activity is that of the network that sees the whole scan; the rest is the prior's start
START_SHARES = (0.7, 0.5)
#: mirror images over which the start is averaged where the prior's own network makes it
START_FLIPS = 4
#: the walk that draws a sample, and what its spread is multiplied by: calibrated on validation patients
SAMPLE_STEPS = 8
SD_FACTOR = {"ki": 1.75, "v0": 2.3}
#: variances of few samples are averaged over this width
_SD_SMOOTHING_MM = 8.0


@dataclass(frozen=True, eq=False)
class NormalisedImages:
    """Ki and the activity at theta, each divided by its contrast.

    :param values: (2, slices, rows, columns); *sigma*: SD of their noise, likewise.
    :param contrast: 99th percentile in the mask after smoothing by 8 mm: of Ki (mL/min/mL) and activity (mL/mL).
    :param theta_min: mean Patlak time: Ki and V0 + theta Ki are independent there.
    :param unit: what the whitened images of :class:`PatlakImages` were multiplied by.
    """

    values: Float32
    sigma: Float32
    contrast: tuple[float, float]
    theta_min: float
    unit: Float32

    @classmethod
    def of(cls, images: PatlakImages, strength: float) -> NormalisedImages:
        """Normalise; *strength* multiplies the noise that is told to the prior."""
        turn = images.turn
        # Ki = L00 t0 and V0 = L10 t0 + L11 t1, so V0 + theta Ki = L11 t1 for theta = -L10 / L00.
        theta = float(-turn[1, 0] / turn[0, 0])
        size = np.array([turn[0, 0], turn[1, 1]], np.float32)
        contrast = [
            contrast_of(v * s, images.inside, images.spacing_mm) for v, s in zip(images.values, size, strict=True)
        ]
        sd = np.sqrt(images.typical_scale) * size
        # Where nothing stands out of the noise, the noise itself is the unit.
        height = np.array([max(c, float(s)) for c, s in zip(contrast, sd, strict=True)], np.float32)
        unit = np.asarray(size / height, np.float32)
        by_image = unit[:, None, None, None]
        return cls(
            images.values * by_image,
            np.asarray(np.float32(strength) * np.sqrt(images.scale)[None] * by_image, np.float32),
            (float(size[0] / unit[0]), float(size[1] / unit[1])),
            theta,
            unit,
        )

    def whitened(self, values: Float32) -> Float32:
        """Back to the images of :class:`PatlakImages`."""
        return np.asarray(values / self.unit[:, None, None, None], np.float32)

    def normalised(self, parameters: Float32) -> Float32:
        """Such images of Ki and V0, (2, slices, rows, columns)."""
        ki, v0 = parameters
        activity = v0 + np.float32(self.theta_min) * ki
        return np.stack([ki / np.float32(self.contrast[0]), activity / np.float32(self.contrast[1])])

    def parameters(self, values: Float32) -> Float32:
        """Ki and V0 of normalised images."""
        ki = values[0] * np.float32(self.contrast[0])
        return np.stack([ki, values[1] * np.float32(self.contrast[1]) - np.float32(self.theta_min) * ki])


class DiffusionPriorPatlak(RegularisedPatlak):
    """Strength multiplies the noise SD that the prior is told; 1, what was measured, is the automatic one.

    Options: ``solver`` = ``start-hqs`` (default), ``start`` (the learned start alone), ``hqs`` or ``red-diff``
    (the prior alone); ``steps``, evaluations of the prior. ``Problem.samples`` draws from the posterior make SD maps.
    """

    method = "diffusion-prior"
    strength_meaning = "noise SD told to the prior, in units of the SD measured"
    quantities: tuple[Quantity, ...] = (KI, V0, RESIDUAL)
    sampled_quantities: tuple[Quantity, ...] = (KI, V0, KI_SD, V0_SD, RESIDUAL)
    option_names: tuple[str, ...] = ("strength", "solver", "steps")
    most_strength = 4.0
    law = (1.0, 0.0)

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """See :class:`petkinetics.estimators.estimator.Estimator`.

        :raises InputError: PyTorch or the weights are not there, or the tracer is not FDG.
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
        run = _Run(images, NormalisedImages.of(images, strength), problem, strength, progress)
        run.expect(steps + {"start-hqs": 2 if run.sees_scan else 1, "start": 1}.get(solver, 0))
        values = explained(run.normal.values, run.solve(solver, steps), run.normal.sigma, images.correlation)
        sd = run.spread(values) if problem.samples else None
        return Regularised(run.normal.whitened(values), sd, run.record(solver, steps))


class _Run:
    """One estimate: networks are loaded when they are needed first."""

    def __init__(
        self, images: PatlakImages, normal: NormalisedImages, problem: Problem, strength: float, progress: Progress
    ) -> None:
        self.images, self.normal, self._problem, self._progress = images, normal, problem, progress
        self._strength = strength
        self._denoisers: dict[str, LearnedDenoiser] = {}
        self._network: tuple[Batches, dict[str, Any]] | None = None
        self._start: LearnedStart | None = None
        self._other_start: tuple[str, bool] | None = None
        self._slices_done, self._slices_in_all = 0.0, 1
        unit = unit_draws(np.random.default_rng([problem.seed, 6]), normal.values.shape, images.correlation)
        self._fresh = lambda: unit() * normal.sigma

    @property
    def sees_scan(self) -> bool:
        """Whether there is a network that sees the whole scan."""
        from petkinetics.networks.weight_files import have_weights

        return have_weights(START_WEIGHTS, self._problem.weights)

    def expect(self, evaluations: int) -> None:
        """How many evaluations will come."""
        drawn = max(1, self._problem.samples)
        walks = self._problem.samples * SAMPLE_STEPS
        self._slices_in_all = self.images.scale.shape[0] * (evaluations * drawn + walks)

    def solve(self, solver: str, steps: int) -> Float32:
        """The estimate; with samples, the mean over as many draws of the solver's noise."""
        y, prior = self.normal.values, self.denoiser(PRIOR) if solver != "start" else None
        start = self.start() if solver in STARTED else None
        if start is not None and solver == "start-hqs" and self._start is not None:
            # The two networks err differently: on validation patients a mean was nearer than either.
            share = np.array(START_SHARES, np.float32)[:, None, None, None]
            start = share * start + (1 - share) * self.denoiser(START)(y, 1.0)
        if solver == "hqs" and prior is not None:
            start, steps = prior(y, 1.0), steps - 1
        if prior is None or steps == 0:
            assert start is not None
            return start
        schedule = SCHEDULES[solver]
        levels = schedule.levels(steps)
        total = np.zeros_like(y)
        draws = max(1, self._problem.samples)
        for _ in range(draws):
            if solver == "red-diff":
                total += red_diff(y, prior, self._fresh, levels, schedule.weight, self.normal.sigma)
            else:
                total += half_quadratic(y, prior, self._fresh, levels, schedule.weight, start)
        return total / np.float32(draws)

    def start(self) -> Float32:
        """The learned start by the network that sees the whole scan, or, without it, by the prior's."""
        problem = self._problem
        if self.sees_scan:
            from petkinetics.estimators.learned_start import LearnedStart

            box = box_around(problem.mask, problem.series.geometry.shape, self.images.spacing_mm)
            try:
                self._start = LearnedStart(problem, box, self._strength)
            except InputError as error:
                self._other_start = str(error), True
        else:
            self._other_start = f"There are no weights '{START_WEIGHTS}' beside those of the prior.", False
        if self._start is None:
            return self.denoiser(START)(self.normal.values, 1.0)
        return self.normal.normalised(self._start.maps(self.images.inside, self._step))

    def spread(self, values: Float32) -> Float32:
        """SDs of Ki and V0 from draws of the posterior, (2, slices, rows, columns)."""
        levels = [float(t) for t in np.geomspace(1.0, 0.1, SAMPLE_STEPS)]
        walker = self.denoiser(PRIOR)
        centre = self.normal.parameters(values)
        squares = np.zeros_like(centre)
        total = np.zeros_like(centre)
        for _ in range(self._problem.samples):
            drawn = self.normal.parameters(posterior_sample(self.normal.values, walker, self._fresh, levels)) - centre
            total += drawn
            squares += drawn**2
        count = self._problem.samples
        variance = squares / count - (total / count) ** 2 if count > 1 else squares
        variance *= count / max(1, count - 1)
        factors = (SD_FACTOR["ki"], SD_FACTOR["v0"])
        return np.stack(
            [
                np.float32(f) * np.sqrt(np.maximum(smoothed(v, self.images.spacing_mm, _SD_SMOOTHING_MM), 0.0))
                for f, v in zip(factors, variance, strict=True)
            ]
        )

    def denoiser(self, role: str) -> LearnedDenoiser:
        """The network with the noise of these images, as prior or as learned start."""
        if role not in self._denoisers:
            from petkinetics.estimators.learned_denoiser import LearnedDenoiser, Normalisation

            network, _ = self._loaded()
            self._denoisers[role] = LearnedDenoiser(
                network,
                self.images,
                self.normal.sigma,
                Normalisation(self.normal.contrast, self.normal.theta_min),
                measured=role == START,
                flips=START_FLIPS if role == START else 1,
                watch=self._step,
            )
        return self._denoisers[role]

    def _loaded(self) -> tuple[Batches, dict[str, Any]]:
        if self._network is None:
            import torch

            from petkinetics.networks.run import Batches
            from petkinetics.networks.score_network import ScoreNetwork
            from petkinetics.networks.weight_files import device_named, have_weights, load_into, read_weights

            # A folder may hold a start of one's own alone: the prior that comes with the engine goes with it.
            folder = self._problem.weights
            only_start = have_weights(START_WEIGHTS, folder) and not have_weights(WEIGHTS, folder)
            weights = read_weights(WEIGHTS, None if only_start else folder)
            device = device_named(self._problem.device)
            network = load_into(ScoreNetwork(), weights).to(memory_format=torch.channels_last)
            self._network = Batches(network, device), weights.record
        return self._network

    def _step(self, slices: float) -> None:
        self._slices_done += slices
        self._progress(min(1.0, self._slices_done / self._slices_in_all), "Drawing on the prior")

    def record(self, solver: str, steps: int) -> dict[str, Any]:
        """What ``result.json`` says; "networks", "device" and "applicability" stand elsewhere in it."""
        evaluations = {name: made.evaluations for name, made in self._denoisers.items()}
        networks, devices = [], []
        if self._network is not None:
            networks.append(self._network[1])
            devices.append(self._network[0].device.type)
        found: dict[str, Any] = {"solver": solver, "steps": steps}
        if self._start is not None:
            evaluations |= {START: 1 + evaluations.get(START, 0)}
            networks.append(self._start.weights)
            devices.append(self._start.device)
            by = "mean of both" if START in self._denoisers else "network of the whole scan"
            found["start"] = {"by": by, "weights": self._start.weights}
            found["applicability"] = self._start.judged(DiffusionPriorPatlak.method)
        elif self._other_start is not None:
            why, warns = self._other_start
            found["start"] = {"by": "network of the prior", "why": why}
            if warns:
                warning = f"The start is that of the prior's own network, which is less exact: {why}"
                found["applicability"] = Applicability((warning,), {"checked": False})
        found |= {
            "evaluations": evaluations,
            "networks": networks,
            "device": devices[0],
            "seed": self._problem.seed,
            "samples": self._problem.samples,
            "contrast": {"ki": self.normal.contrast[0], "activity": self.normal.contrast[1]},
            "theta_min": self.normal.theta_min,
            "noise_level": [round(float(np.median(s[self.images.inside])), 6) for s in self.normal.sigma],
        }
        if self._problem.samples:
            found["sd_factor"] = SD_FACTOR
        return found


def _steps(problem: Problem, solver: str) -> int:
    default = SCHEDULES[solver].steps if solver in SCHEDULES else 0
    steps = number_option(problem, "steps", default, _MOST_STEPS)
    assert steps is not None
    if steps != int(steps) or (steps == 0 and solver not in STARTED):
        raise InputError(f"'{problem.options['steps']}' is not a number of steps; give a whole number from 1.")
    return int(steps) if solver != "start" else 0
