"""One estimate with the diffusion prior: which networks are asked, how often, and what is made of their answers
(docs/methods.md, "Diffusion prior").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.boxes import box_around
from petkinetics.estimators.curve_error import believed_share, brought_to_level, curve_error
from petkinetics.estimators.estimator import Problem, Progress
from petkinetics.estimators.nlm import SEARCH_MM, non_local_means
from petkinetics.estimators.noise_draws import unit_draws
from petkinetics.estimators.normalised_images import NormalisedImages
from petkinetics.estimators.posterior import half_quadratic, posterior_sample, red_diff
from petkinetics.estimators.posterior_sd import RELATIVE, sd_factor, sd_maps
from petkinetics.estimators.regularised import MARGIN_MM, PatlakImages

if TYPE_CHECKING:
    from petkinetics.estimators.learned_denoiser import LearnedDenoiser
    from petkinetics.estimators.learned_start import LearnedStart
    from petkinetics.networks.run import Batches

Float32 = NDArray[np.float32]

METHOD = "diffusion-prior"
SOLVERS = ("start-hqs", "start", "hqs", "red-diff")
#: those that begin with the learned start
STARTED = ("start-hqs", "start")
#: the file of the prior's network, and what it is used as: it was trained for both
WEIGHTS = "diffusion-prior"
#: the file of the network that starts: our kinetic network, which was trained on whole scans, too
START_WEIGHTS = "kinetic-network"
#: and who asks the prior for draws
PRIOR, START, DRAWS = "prior", "start", "draws"


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
#: whose answers the start of ``start-hqs`` is the mean of, and their shares in Ki and in the activity: they err
#: differently, and on validation patients a mean was nearer than any of them. Ki of the last two is first brought to
#: the level of the first (:mod:`petkinetics.estimators.curve_error`)
SCAN, PRIORS, LIKE_VOXELS = "network of the whole scan", "network of the prior", "non-local means"
START_SHARES = {SCAN: (0.55, 0.3), PRIORS: (0.15, 0.1), LIKE_VOXELS: (0.3, 0.6)}
#: how much of what the steps change is taken after the start: in the activity, with little noise, they only level
STEPS_SHARE = (0.3, 0.0)
#: strengths of non-local means for Ki and for the activity, which has far less noise
LIKE_VOXELS_STRENGTHS = (2.0, 1.4)
#: mirror images over which the start is averaged where the prior's own network makes it
START_FLIPS = 4
#: and over which each evaluation of the prior is averaged where it works alone
ALONE_FLIPS = 4
#: the walk that draws a sample
SAMPLE_STEPS = 8


class DiffusionRun:
    """One estimate: networks are loaded when they are needed first.

    :param strength: noise SD told to the prior, in units of the SD measured.
    """

    def __init__(
        self, images: PatlakImages, normal: NormalisedImages, problem: Problem, strength: float, progress: Progress
    ) -> None:
        self.images, self.normal, self._problem, self._progress = images, normal, problem, progress
        self._strength = strength
        self._denoisers: dict[str, LearnedDenoiser] = {}
        self._network: tuple[Batches, dict[str, Any]] | None = None
        self._start: LearnedStart | None = None
        self._other_start: tuple[str, bool] | None = None
        self._start_of = ""
        self._curve_error, self._believed = (1.0, 0.0), 0.0
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
        """The estimate; with samples, the mean over as many draws of the solver's noise.

        :returns: normalised images, (2, slices, rows, columns).
        """
        prior = None if solver == "start" else self.denoiser(PRIOR, ALONE_FLIPS if solver == "hqs" else 1)
        start = self.start(turned=solver != "start") if solver in STARTED else None
        if start is not None and solver == "start-hqs":
            start = self._mean_start(start)
        if solver == "hqs" and prior is not None:
            start, steps = prior(self.normal.values, 1.0), steps - 1
        if start is not None and (prior is None or steps == 0):
            return start
        assert prior is not None
        y, schedule = self.normal.values, SCHEDULES[solver]
        levels = schedule.levels(steps)
        total = np.zeros_like(y)
        draws = max(1, self._problem.samples)
        for _ in range(draws):
            if solver == "red-diff":
                total += red_diff(y, prior, self._fresh, levels, schedule.weight, self.normal.sigma)
            else:
                total += half_quadratic(y, prior, self._fresh, levels, schedule.weight, start)
        found = total / np.float32(draws)
        return found if solver != "start-hqs" else start + _by_image(STEPS_SHARE) * (found - start)

    def _mean_start(self, learned: Float32) -> Float32:
        """The mean of :data:`START_SHARES`; without the network that sees the scan, of the others.

        With it, the measured images are brought to its level, too.
        """
        answers = {} if self._start is None else {SCAN: learned}
        answers[PRIORS] = self.denoiser(START, START_FLIPS)(self.normal.values, 1.0) if answers else learned
        answers[LIKE_VOXELS] = self._like_voxels()
        if SCAN in answers:
            quiet = np.stack([0.5 * (answers[PRIORS][0] + answers[LIKE_VOXELS][0]), answers[LIKE_VOXELS][1]])
            error = self._curve_error_of(learned[0], quiet)
            answers |= {name: brought_to_level(answers[name], error) for name in (PRIORS, LIKE_VOXELS)}
            self.normal = self.normal.with_values(brought_to_level(self.normal.values, error))
        shares = np.array([START_SHARES[name] for name in answers], np.float32)
        shares /= shares.sum(axis=0)
        self._start_of = "mean of " + ", ".join(answers)
        return np.einsum("mi,mizyx->izyx", shares, np.stack(list(answers.values())))

    def _curve_error_of(self, learned: Float32, quiet: Float32) -> tuple[float, float]:
        problem = self._problem
        series, timing = problem.series, problem.series.timing.select(problem.frames)
        self._believed = believed_share(problem.input_function, timing, series.frame_decay_per_s)
        self._curve_error = curve_error(learned, quiet, self.images.inside, self.images.spacing_mm, self._believed)
        return self._curve_error

    def _like_voxels(self) -> Float32:
        """Non-local means of the same images."""
        slices, done = self.images.scale.shape[0], 0.0

        def watch(share: float, _what: str) -> None:
            nonlocal done
            self._step(slices * (share - done))
            done = share

        found = non_local_means(self.images, LIKE_VOXELS_STRENGTHS, SEARCH_MM, watch)
        own = np.stack([values[n] for n, values in enumerate(found)])
        return own * self.normal.unit[:, None, None, None]

    def start(self, turned: bool = True) -> Float32:
        """The learned start by the network that sees the whole scan, or, without it, by the prior's.

        :param turned: the mean of two evaluations; alone, the start is one.
        :returns: normalised images, (2, slices, rows, columns).
        """
        problem = self._problem
        if self.sees_scan:
            from petkinetics.estimators.learned_start import LearnedStart

            box = box_around(problem.mask, problem.series.geometry.shape, self.images.spacing_mm, MARGIN_MM)
            try:
                self._start = LearnedStart(problem, box, self._strength, turned)
            except InputError as error:
                self._other_start = str(error), True
        else:
            self._other_start = f"There are no weights '{START_WEIGHTS}' beside those of the prior.", False
        if self._start is None:
            return self.denoiser(START, START_FLIPS)(self.normal.values, 1.0)
        return self.normal.normalised(self._start.maps(self.images.inside, self._step))

    def spread(self, values: Float32) -> Float32:
        """SDs of Ki (mL/min/mL) and V0 (mL/mL) about normalised *values* by draws, (2, slices, rows, columns)."""
        levels = [float(t) for t in np.geomspace(1.0, 0.1, SAMPLE_STEPS)]
        walker = self.denoiser(DRAWS)
        draws = (
            self.normal.parameters(posterior_sample(self.normal.values, walker, self._fresh, levels))
            for _ in range(self._problem.samples)
        )
        factor = sd_factor(self.images.noise_to_contrast)
        return sd_maps(draws, self.normal.parameters(values), self.images.spacing_mm, factor)

    def denoiser(self, role: str, flips: int = 1) -> LearnedDenoiser:
        """The network with the noise of these images, as prior, for draws of the prior, or as learned start.

        :param flips: mirror images that an answer is the mean of, from the first call of the role on.
        """
        if role not in self._denoisers:
            from petkinetics.estimators.learned_denoiser import LearnedDenoiser, Normalisation

            network, _ = self._loaded()
            self._denoisers[role] = LearnedDenoiser(
                network,
                self.images,
                self.normal.sigma,
                Normalisation(self.normal.contrast, self.normal.theta_min),
                measured=role == START,
                flips=flips,
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
            evaluations |= {START: self._start.evaluations + evaluations.get(START, 0)}
            networks.append(self._start.weights)
            devices.append(self._start.device)
            ki, activity = self._curve_error
            per_minute = activity * self.normal.contrast[0] / self.normal.contrast[1]
            level = {"believed": round(self._believed, 3), "ki": round(ki, 5), "activity_per_min": round(per_minute, 7)}
            found["start"] = {"by": self._start_of or SCAN, "weights": self._start.weights, "level": level}
            found["applicability"] = self._start.judged(METHOD)
        elif self._other_start is not None:
            why, warns = self._other_start
            found["start"] = {"by": self._start_of or PRIORS, "why": why}
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
            factor = sd_factor(self.images.noise_to_contrast)
            found |= {"sd_factor": round(factor, 4), "sd_relative": RELATIVE}
        return found


def _by_image(values: tuple[float, float]) -> Float32:
    """One number for Ki and one for the other image, to multiply images with."""
    return np.array(values, np.float32)[:, None, None, None]
