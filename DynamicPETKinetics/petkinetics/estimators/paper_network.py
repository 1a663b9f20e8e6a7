"""The network of Liang et al. 2023 as a method, and its twin without kinetic model (``direct-network``).

Early frames in SUV go in; the rate constants come out, the two-tissue model predicts the late frames, and
Patlak over measured and predicted frames gives Ki and V0 (``--set patlak=predicted``: over predicted ones
alone). A network is made for one framing: that on its model card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.compartment_noise import compartment_noise
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress, no_progress
from petkinetics.estimators.learned import (
    body_box,
    learned_record,
    region_model_record,
    region_models,
    require_fdg,
    torch_or_refuse,
    unchecked,
    write_slabs,
)
from petkinetics.frames import TOLERANCE_S, FrameTiming
from petkinetics.input_function.tail import extrapolated
from petkinetics.kinetics.patlak import patlak_design, plot_weights, weighted_fit
from petkinetics.maps import KI, V0, Quantity

if TYPE_CHECKING:
    from petkinetics.networks.weight_files import Weights

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class DirectNetwork:
    """Late SUV frames and Ki from early frames, without a kinetic model.

    Ki is the network's own output; with ``patlak=frames`` it is Patlak's slope over measured and predicted
    frames. V0 is always that intercept. ``preset=default`` is our own network
    without kinetic model (see petkinetics.estimators.direct_default); its weights do not come with the engine.
    """

    method = "direct-network"
    quantities: tuple[Quantity, ...] = (KI, V0)
    option_names: tuple[str, ...] = ("preset", "patlak")
    whole_series = True
    learned = True

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """See :class:`petkinetics.estimators.estimator.Estimator`.

        :raises InputError: PyTorch or the weights are not there, the tracer is not FDG, the framing is another, or
            an option is not of the preset.
        """
        require_fdg(problem, self.method)
        torch_or_refuse(self.method)
        preset = problem.choice("preset", ("compact", "liang2023", "default"))
        if preset == "default":
            from petkinetics.estimators.direct_default import estimate_directly

            problem.refuse_option("patlak", "preset=default")
            return estimate_directly(problem, sink, progress)
        patlak = problem.choice("patlak", ("direct", "frames", "predicted"))
        return _run(f"direct-network-{preset}", preset, True, patlak, self.quantities, problem, sink, progress)


def estimate_by_paper_network(
    preset: str, quantities: tuple[Quantity, ...], problem: Problem, sink: MapSink, progress: Progress
) -> Estimate:
    """The network with its kinetic model; maps in the order of ``KineticNetwork.quantities``.

    :param preset: "compact" or "liang2023".
    :raises InputError: see :class:`DirectNetwork`.
    """
    patlak = problem.choice("patlak", ("frames", "predicted"))
    return _run(f"kinetic-network-{preset}", preset, False, patlak, quantities, problem, sink, progress)


@dataclass(frozen=True, eq=False)
class _Framing:
    """Measured and predicted frames, and Patlak over them.

    :param early: the measured frames; *late*: the predicted ones.
    :param solution: (2, frames) of the linear part, over measured and predicted or predicted frames alone.
    :param linear_from: first frame of that fit among early and late frames.
    """

    early: FrameTiming
    late: FrameTiming
    curve: InputFunction
    solution: Float64
    linear_from: int

    @property
    def whole(self) -> FrameTiming:
        """All frames."""
        return FrameTiming(
            np.concatenate([self.early.start_s, self.late.start_s]),
            np.concatenate([self.early.duration_s, self.late.duration_s]),
        )


def _framing(problem: Problem, weights: Weights, over_predicted: bool) -> _Framing:
    framing = FrameTiming.parse(str(weights.card.get("framing", "liang2023")))
    early_count = int(weights.card.get("early_frames", framing.until(35.0).size))
    early = framing.select(np.arange(early_count))
    mine = problem.series.timing.select(problem.frames)
    same = len(mine) == len(early) and bool(
        np.all(np.abs(mine.start_s - early.start_s) <= 2 * TOLERANCE_S)
        and np.all(np.abs(mine.duration_s - early.duration_s) <= 2 * TOLERANCE_S)
    )
    if not same:
        raise InputError(
            f"These weights were trained for {early_count} frames ({weights.card.get('framing')}) that end "
            f"{early.end_s[-1] / 60:g} min after injection; the frames used are {len(mine)} that end at "
            f"{mine.end_s[-1] / 60:g} min.",
            "Choose --until, train for this framing (petkinetics train), or use preset=default, which takes any.",
        )
    late = framing.select(np.arange(early_count, len(framing)))
    curve = extrapolated(problem.input_function.until(float(mine.end_s[-1])), float(late.end_s[-1]))
    whole = FrameTiming(np.append(mine.start_s, late.start_s), np.append(mine.duration_s, late.duration_s))
    first = early_count if over_predicted else int(whole.window(9.0)[0])
    timing = whole.select(np.arange(first, len(whole)))
    decay = problem.series.frame_decay_per_s
    plot = patlak_design(curve, timing, decay)
    physical = problem.series.tracer.decay_per_s
    fit = weighted_fit(plot, plot_weights(timing, plot, physical))
    return _Framing(mine, late, curve, fit.solution, first)


def _run(
    name: str,
    preset: str,
    direct: bool,
    patlak: str,
    quantities: tuple[Quantity, ...],
    problem: Problem,
    sink: MapSink,
    progress: Progress,
) -> Estimate:
    import torch

    from petkinetics.networks import paper_network
    from petkinetics.networks.features import KI_UNIT
    from petkinetics.networks.forward_model import TwoTissueModel
    from petkinetics.networks.presets import preset_named
    from petkinetics.networks.weight_files import device_named, load_into, read_weights

    progress(0.0, "Loading the network")
    weights = read_weights(name, problem.weights)
    framing = _framing(problem, weights, patlak == "predicted")
    series = problem.series
    factor = _suv_factor(problem)
    count, late = len(framing.early), len(framing.late)
    size = preset_named(preset)
    network = paper_network.DirectNetwork(size, count, late) if direct else paper_network.KineticNetwork(size, count)
    device = device_named(problem.device)
    network = load_into(network, weights).to(device)
    noise = compartment_noise(problem)
    model = TwoTissueModel(framing.curve, framing.whole, series.frame_decay_per_s).to(device)
    solution = torch.from_numpy(framing.solution).float().to(device)
    # GroupNorm's statistics depend on how much air is in the image: cut to the body as in training
    box = body_box(problem, margin_mm=0.0)
    early_model = model if not direct else None

    def maps_of(first: int, last: int) -> list[Float32]:
        values = series.read(problem.frames.tolist(), first, last)[:, :, box[1], box[2]]
        inside = (
            np.ones(values.shape[1:], bool) if problem.mask is None else problem.mask[first:last][:, box[1], box[2]]
        )
        slabs: list[list[Float32]] = []
        for k in range(last - first):
            with torch.inference_mode():
                frames = torch.from_numpy(np.ascontiguousarray(values[:, k])).to(device)[None]
                if early_model is None:
                    late_suv, ki = network(frames * factor)
                    predicted = late_suv[..., : frames.shape[2], : frames.shape[3]] / factor
                    whole, parameters = torch.cat((frames, predicted), 1), None
                    ki = ki[0, : frames.shape[2], : frames.shape[3]] * KI_UNIT
                else:
                    parameters = network(frames * factor)[..., : frames.shape[2], : frames.shape[3]]
                    modelled = early_model(parameters)
                    whole = torch.cat((frames, modelled[:, count:]), 1)
                slope, intercept = torch.einsum("pf,bfrc->bprc", solution, whole[:, framing.linear_from :])[0]
                if direct and patlak == "direct":
                    slope = ki
                maps = [slope, intercept]
                if parameters is not None:
                    fv, *rates = parameters[0]
                    maps += [*rates, fv]
                found = [m.cpu().numpy() for m in maps]
                if parameters is not None:
                    misfit = (frames - modelled[:, :count])[0].reshape(count, -1).cpu().numpy()
                    residual = noise.residual(misfit, values[:, k].reshape(count, -1), count)
                    found.append(residual.reshape(found[0].shape))
            slabs.append([m * inside[k] for m in found])
        return [np.stack(maps) for maps in zip(*slabs, strict=True)]

    write_slabs(quantities, problem, box, maps_of, sink, progress)
    record: dict[str, Any] = {
        **learned_record(weights.record, device.type),
        "ki_from": "the network" if direct and patlak == "direct" else f"Patlak over {patlak}",
        **region_model_record(problem, framing.early, noise),
        "blood_curve": {
            "measured_until_s": float(framing.early.end_s[-1]),
            "used_until_s": framing.curve.end_s,
        },
    }
    return Estimate(record, *region_models(problem, framing.early, noise), applicability=unchecked(name))


def _suv_factor(problem: Problem) -> float:
    """SUV per kBq/mL.

    :raises InputError: weight or injected activity is not known.
    """
    series = problem.series
    if series.weight_kg is None or series.injected_activity_mbq is None:
        raise InputError(
            "The paper's network works on SUV, and the series does not give weight and injected activity.",
            "Give --dose (MBq) and --weight (kg), or use preset=default, which needs neither.",
        )
    return series.weight_kg / series.injected_activity_mbq
