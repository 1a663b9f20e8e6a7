"""How much of the kinetic network's error in Ki could further inputs explain? The table in docs/experiments.md.

    python Testing/studies/what_is_left.py FOLDER [--weights DIR] [--patients N]

Before a network is trained with more inputs, this measures what they can be worth. On validation patients (dose 1,
35 min, input function of the noisy aorta) the error of its Ki, truth - network, is predicted in the voxels of patients
left out, by ridge regression (one left out at a time) and by a small network (two), from

- control: what the network itself says (Ki, V0, K1, fv, SD of Patlak's Ki), as it is and smoothed: a recalibration;
- residual: windows and Patlak's Ki and V0 as measured less as the network's model predicts them;
- regularised: Ki and V0 of the regularised Patlak methods less the network's;
- two-tissue: the voxels' two-tissue fit, of the frames as they are and smoothed, less the network's, and its SDs;

the last three together with the control, all smoothed by Gaussians of several widths. Beside them stands the
closed-form step that makes amplitudes (a, b, fv) explain the windows, its covariances estimated on the other patients.
Maps are kept in FOLDER, so that a second run only judges; other weights need another folder.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from petkinetics.estimators import make_estimator
from petkinetics.estimators.estimator import estimate_in_memory
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.maps import ParametricResult
from petkinetics.networks.default_network import _looked_up, linear_response
from petkinetics.networks.features import KI_UNIT, LATE_WINDOWS, LINEAR, WINDOWS
from petkinetics.networks.model_rows import KNEE, STEP, model_rows
from petkinetics.series import ArrayVoxels
from petkinetics.simulate.patient import simulate_patient
from petkinetics.simulate.seeds import VALIDATION_SEEDS
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

UNTIL_MIN, T_STAR_MIN = 35.0, 9.0
#: slices estimated, and those at either end that are not judged: the network lacks their neighbours
SLICES, MARGIN = 10, 2
FWHM_MM = (0.0, 4.0, 8.0, 16.0)
#: of the frames for the second two-tissue fit
FRAMES_FWHM_MM = 6.0
REGULARISED = ("gaussian", "hypr", "nlm", "total-variation")
GROUPS = ("residual", "regularised", "two-tissue")
#: amplitudes' errors grow with the amplitudes; these (a, b: mL/min/mL; fv) are added
AMPLITUDE_FLOOR = np.array([0.002, 0.02, 0.02])
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MOST_SD = 5.0
LEAST_LESION = 8
#: candidates added one after another
FORWARD = 4
#: of the small network, and how many patients are left out at a time
HIDDEN, STEPS, BATCH, TOGETHER = 64, 500, 2048, 2


@dataclass(frozen=True, eq=False)
class Patient:
    """The judged voxels of one patient.

    :param names: of candidates, "group/map/mm"; *candidates*: (candidates, voxels).
    :param ki: the network's; *truth*: 9-65 min without noise, mL/min/mL, (voxels,); *patlak*: of the noisy frames.
    :param lesions: numbers, 0 outside.
    :param amplitudes: a, b, fv, (3, voxels); *jacobian*: of windows and Ki by them, (WINDOWS + 1, 3, voxels).
    :param residual: of windows, (widths, WINDOWS, voxels); *ki_sd*: of Patlak, (voxels,).
    :param noise: covariance of the windows' smoothed noise over ki_sd^2, (widths, WINDOWS, WINDOWS).
    :param error: that of the amplitudes' smoothed errors over their sizes, (widths, 3, 3).
    """

    names: NDArray[np.str_]
    candidates: Float32
    ki: Float32
    truth: Float32
    patlak: Float32
    lesions: NDArray[np.uint8]
    amplitudes: Float32
    jacobian: Float32
    residual: Float32
    ki_sd: Float32
    noise: Float64
    error: Float64


def measure(seed: int, weights: Path | None) -> Patient:
    """Simulate and estimate one patient by all methods."""
    where = middle_slices("full", SLICES, (seed % 5 - 2) * 8)
    patient = simulate_patient("thorax", "full", seed, 1.0, geometry=where)
    curve = aorta_input(patient, UNTIL_MIN)
    whole = replace(problem_of(patient, curve, 0.0, UNTIL_MIN), weights=weights)
    late = problem_of(patient, curve, T_STAR_MIN, UNTIL_MIN)
    volume = FeatureVolume.of(whole)
    box = volume.box
    assert whole.mask is not None
    inside = (whole.mask & patient.body_mask)[box]
    judged = inside.copy()
    judged[:MARGIN] = judged[-MARGIN:] = False
    spacing = where.spacing_mm[::-1]

    def maps_of(method: str, problem: object = late) -> ParametricResult:
        return estimate_in_memory(make_estimator(method), problem)  # type: ignore[arg-type]

    network = {name: m.values[box] for name, m in maps_of("kinetic-network", whole).maps.items()}
    # what was measured, what the network's model predicts, and what is true
    frames = volume.frames_of(0, SLICES)
    features = volume.features_of(frames).swapaxes(0, 1)
    ki_sd = np.float32(1e-3) * 10.0 ** features[-1]
    true_frames = patient.noise_free[whole.frames][:, :, box[1], box[2]]
    windows_true = np.tensordot(volume.design.rows.astype(np.float32), true_frames, 1)
    decay = patient.series.frame_decay_per_s
    rows = model_rows(volume.curve, volume.timing, volume.design.rows, decay, patient.series.tracer.decay_per_s)
    response = responses(network)
    table, blood = torch.from_numpy(rows.table)[None], torch.from_numpy(rows.blood)[None]
    shaped = torch.from_numpy(response[:, inside])[None, :, :, None]
    predicted = np.zeros((LINEAR + 2, *inside.shape), np.float32)
    predicted[:, inside] = linear_response(shaped, table, blood, KNEE, STEP)[0, :, :, 0].numpy()
    gap = float(np.abs(KI_UNIT * predicted[-2] - network["ki"])[judged].mean() / network["ki"][judged].mean())
    print(f"seed {seed}: Ki of the rate constants is off by {100 * gap:.2f} %", flush=True)
    which = judged[inside]
    slow, fast = (_looked_up(shaped[:, n, which], table, KNEE, STEP)[0, :, 0].numpy().T for n in (2, 3))
    of = [*range(WINDOWS), LINEAR]
    jacobian = np.stack([slow[of], fast[of], np.repeat(rows.blood[of, None], slow.shape[1], 1)], axis=1)

    def smooth(values: Float32, fwhm_mm: float) -> Float32:
        return smoothed(values, inside, spacing, fwhm_mm)

    candidates: dict[str, Float32] = {}

    def add(group: str, name: str, values: Float32, widths: tuple[float, ...] = FWHM_MM) -> None:
        for width in widths:
            candidates[f"{group}/{name}/{width:g}"] = smooth(values, width)[judged]

    for name in ("ki", "v0", "k1", "fv"):
        add("control", name, network[name])
    add("control", "log SD", features[-1])
    residual = (features[:LINEAR] - predicted[:LINEAR]) * inside
    for n in range(LINEAR):
        name = f"window {n + 1}" if n < WINDOWS else ("Patlak Ki", "Patlak V0")[n - WINDOWS]
        add("residual", name, residual[n])
    for method in REGULARISED:
        found = maps_of(method)
        for name in ("ki", "v0"):
            add("regularised", f"{method} {name}", found[name].values[box] - network[name], (0.0, 8.0))
    smooth_frames = np.stack(
        [gaussian(f, spacing, FRAMES_FWHM_MM) for f in whole.series.read(range(len(patient.series.timing)), 0, SLICES)]
    )
    softened = replace(whole, series=replace(whole.series, voxels=ArrayVoxels(smooth_frames)))
    for label, problem, widths in (("raw", whole, FWHM_MM), ("smoothed", softened, (0.0, 8.0))):
        found = maps_of("two-tissue", problem)
        for name in ("ki", "v0", "k1", "fv"):
            add("two-tissue", f"{label} {name}", found[name].values[box] - network[name], widths)
        sd = found["ki_sd"].values[box]
        add("two-tissue", f"{label} log SD", np.log10(np.clip(sd, 1e-5, 1e-1)), (0.0, 8.0))
        pull = (found["ki"].values[box] - network["ki"]) / (1.0 + (sd / 1e-3) ** 2)
        add("two-tissue", f"{label} ki by its SD", pull, (0.0, 8.0))
    # covariances of the closed-form step, at every width
    amplitudes = response[[0, 1, 4]][:, judged]
    noises, errors, residuals = [], [], []
    for width in FWHM_MM:
        noise, missed, left = (
            np.stack([smooth(m, width)[judged] for m in maps])
            for maps in (
                features[:WINDOWS] - windows_true[:WINDOWS],
                (windows_true[:WINDOWS] - predicted[:WINDOWS]) * inside,
                residual[:WINDOWS],
            )
        )
        unit = noise / ki_sd[judged]
        noises.append(np.cov(unit.astype(np.float64)))
        errors.append(amplitude_errors(missed, jacobian[:WINDOWS], amplitudes, noises[0]))
        residuals.append(left)
    patlak = features[WINDOWS][judged] * np.float32(KI_UNIT)
    return Patient(
        names=np.array(list(candidates)),
        candidates=np.stack(list(candidates.values())).astype(np.float32),
        ki=network["ki"][judged],
        truth=patient.truth["ki_patlak_9_65"][box][judged],
        patlak=patlak,
        lesions=patient.lesions[box][judged],
        amplitudes=amplitudes,
        jacobian=jacobian.astype(np.float32),
        residual=np.stack(residuals).astype(np.float32),
        ki_sd=ki_sd[judged].astype(np.float32),
        noise=np.stack(noises),
        error=np.stack(errors),
    )


def responses(maps: dict[str, Float32]) -> Float32:
    """K1...k4, fv -> a, b (mL/min/mL), slow, fast (1/min), fv: the inverse of the network's rate_constants."""
    k1, k2, k3, k4, fv = (maps[name].astype(np.float64) for name in ("k1", "k2", "k3", "k4", "fv"))
    total = k2 + k3 + k4
    root = np.sqrt(np.maximum(total**2 - 4.0 * k2 * k4, 0.0))
    slow, fast = 0.5 * (total - root), 0.5 * (total + root)
    amount = k1 * np.maximum(1.0 - fv, 0.02)
    share = np.divide(k3 + k4 - slow, root, out=np.zeros_like(root), where=root > 0)
    return np.stack([amount * share, amount * (1.0 - share), slow, fast, fv]).astype(np.float32)


def gaussian(values: Float32, spacing: tuple[float, ...], fwhm_mm: float) -> Float32:
    """The volume under a Gaussian."""
    sd = sd_in_voxels(fwhm_mm, spacing)
    return np.asarray(ndimage.gaussian_filter(values, sd, mode="nearest", truncate=3.0), np.float32)


def smoothed(values: Float32, inside: NDArray[np.bool_], spacing: tuple[float, ...], fwhm_mm: float) -> Float32:
    """A mean over the voxels *inside* around each, weighted by a Gaussian."""
    if fwhm_mm == 0.0:
        return np.asarray(values, np.float32)
    share = gaussian(inside.astype(np.float32), spacing, fwhm_mm)
    return gaussian(values * inside, spacing, fwhm_mm) / np.maximum(share, np.float32(1e-3))


def amplitude_errors(missed: Float32, jacobian: Float32, amplitudes: Float32, noise: Float64) -> Float64:
    """Covariance, over their sizes, of the changes of a, b, fv that explain what the network misses in the windows."""
    size = amplitudes + AMPLITUDE_FLOOR[:, None]
    scaled = jacobian * size
    weight = 1.0 / np.diag(noise)
    normal = np.einsum("wiv,w,wjv->vij", scaled, weight, scaled)
    normal += 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3.0
    change = np.linalg.solve(normal, np.einsum("wiv,w,wv->vi", scaled, weight, missed)[..., None])[..., 0]
    change = np.clip(change, -3.0, 3.0)
    return np.asarray(change.T @ change / len(change))


def step(patient: Patient, width: int, noise: Float64, error: Float64, first: int) -> Float64:
    """Change of Ki (mL/min/mL) by the posterior mean of the amplitudes given the residual under one Gaussian.

    :param first: of the windows that are to be explained.
    """
    scaled = patient.jacobian * (patient.amplitudes + AMPLITUDE_FLOOR[:, None])
    of_windows, of_ki = scaled[first:WINDOWS].astype(np.float64), scaled[WINDOWS]
    certain = np.linalg.inv(noise[first:, first:])
    gain = np.einsum("wiv,wx->ixv", of_windows, certain) / patient.ki_sd.astype(np.float64) ** 2
    normal = np.einsum("ixv,xjv->vij", gain, of_windows) + np.linalg.inv(error)
    told = np.einsum("ixv,xv->vi", gain, patient.residual[width, first:])
    change = np.linalg.solve(normal, told[..., None])[..., 0]
    return np.asarray(KI_UNIT * np.einsum("iv,vi->v", of_ki, change))


def rmse(values: NDArray[np.floating], patients: list[Patient], of_lesions: bool = False) -> float:
    """Of errors of all patients one after the other."""
    picked = np.concatenate([p.lesions > 0 for p in patients]) if of_lesions else np.ones(len(values), bool)
    return float(np.sqrt(np.mean(values[picked].astype(np.float64) ** 2)))


def lesion_error(values: NDArray[np.floating], patients: list[Patient]) -> float:
    """Mean absolute relative error of the lesions' means, %; *values*: truth - Ki."""
    found, at = [], 0
    for p in patients:
        here = values[at : at + len(p.ki)]
        at += len(p.ki)
        for number in np.unique(p.lesions)[1:]:
            part = p.lesions == number
            if part.sum() >= LEAST_LESION:
                found.append(abs(float(here[part].mean() / p.truth[part].mean())))
    return 100.0 * float(np.mean(found))


class Judge:
    """Errors of the network in patients left out, once a model of the others' has been taken off them."""

    def __init__(self, patients: list[Patient]) -> None:
        self.patients = patients
        self.names = patients[0].names.tolist()
        every = np.concatenate([p.candidates for p in patients], axis=1)
        every -= every.mean(axis=1, keepdims=True)
        every /= every.std(axis=1, keepdims=True) + 1e-12
        self._inputs = np.clip(every, -MOST_SD, MOST_SD).T
        self._ends = np.cumsum([0, *(len(p.ki) for p in patients)])
        self.error = np.concatenate([p.truth - p.ki for p in patients]).astype(np.float64)
        self._lesions = np.concatenate([p.lesions > 0 for p in patients])

    def _of(self, n: int) -> slice:
        return slice(self._ends[n], self._ends[n + 1])

    def columns(self, *groups: str) -> list[int]:
        return [i for i, name in enumerate(self.names) if name.split("/")[0] in groups]

    def sums(self, lesions_only: bool) -> tuple[Float64, Float64]:
        """Normal equations of every patient, with a constant last."""
        grams, rights = [], []
        for n in range(len(self.patients)):
            x, y = self._inputs[self._of(n)], self.error[self._of(n)]
            if lesions_only:
                x, y = x[self._lesions[self._of(n)]], y[self._lesions[self._of(n)]]
            x = np.concatenate([x, np.ones((len(x), 1), np.float32)], axis=1)
            grams.append((x.T @ x).astype(np.float64))
            rights.append(x.T.astype(np.float64) @ y)
        return np.stack(grams), np.stack(rights)

    def ridge(self, sums: tuple[Float64, Float64], columns: list[int]) -> Float64:
        """What is left of the error, (voxels,); the ridge is chosen among the other patients in the same way."""
        grams, rights = sums
        used = [*columns, grams.shape[1] - 1]
        grams, rights = grams[:, used][:, :, used], rights[:, used]
        left = self.error.copy()
        for n, weights in enumerate(self._weights(grams, rights)):
            part = self._of(n)
            left[part] -= self._inputs[part][:, columns] @ weights[:-1] + weights[-1]
        return left

    def one_more(self, sums: tuple[Float64, Float64], columns: list[int]) -> float:
        """RMSE of what :meth:`ridge` leaves, from the sums alone."""
        grams, rights = sums
        used = [*columns, grams.shape[1] - 1]
        grams, rights = grams[:, used][:, :, used], rights[:, used]
        change = sum(
            w @ g @ w - 2.0 * w @ r for w, g, r in zip(self._weights(grams, rights), grams, rights, strict=True)
        )
        return float(np.sqrt((np.sum(self.error**2) + change) / len(self.error)))

    def _weights(self, grams: Float64, rights: Float64) -> list[Float64]:
        """Of every patient, from the others."""
        everybody = set(range(len(self.patients)))
        found = []
        for n in everybody:
            others = sorted(everybody - {n})
            costs = [sum(self._cost(grams, rights, sorted(set(others) - {m}), m, r) for m in others) for r in RIDGES]
            found.append(self._solved(grams, rights, others, RIDGES[int(np.argmin(costs))]))
        return found

    @staticmethod
    def _solved(grams: Float64, rights: Float64, those: list[int], ridge: float) -> Float64:
        gram = grams[those].sum(0)
        penalty = np.full(len(gram), ridge * gram[-1, -1])
        penalty[-1] = 0.0
        return np.asarray(np.linalg.solve(gram + np.diag(penalty), rights[those].sum(0)))

    def _cost(self, grams: Float64, rights: Float64, those: list[int], m: int, ridge: float) -> float:
        w = self._solved(grams, rights, those, ridge)
        return float(w @ grams[m] @ w - 2.0 * w @ rights[m])

    def small_network(self, columns: list[int]) -> Float64:
        """What is left of the error after a network of two hidden layers, voxel by voxel."""
        left = self.error.copy()
        unit = float(self.error.std())
        x = torch.from_numpy(np.ascontiguousarray(self._inputs[:, columns]))
        y = torch.from_numpy((self.error / unit).astype(np.float32))
        for n in range(0, len(self.patients), TOGETHER):
            torch.manual_seed(n)
            model = torch.nn.Sequential(
                torch.nn.Linear(len(columns), HIDDEN), torch.nn.SiLU(),
                torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.SiLU(), torch.nn.Linear(HIDDEN, 1),
            )  # fmt: skip
            part = slice(self._ends[n], self._ends[min(n + TOGETHER, len(self.patients))])
            others = torch.cat([torch.arange(0, part.start), torch.arange(part.stop, len(y))])
            fit = torch.optim.AdamW(model.parameters(), 4e-3, weight_decay=1e-2)
            rate = torch.optim.lr_scheduler.OneCycleLR(fit, 4e-3, STEPS)
            for _ in range(STEPS):
                some = others[torch.randint(len(others), (BATCH,))]
                loss = torch.mean((model(x[some])[:, 0] - y[some]) ** 2)
                fit.zero_grad()
                loss.backward()
                fit.step()
                rate.step()
            with torch.inference_mode():
                left[part] -= unit * model(x[part])[:, 0].double().numpy()
        return left


def report(patients: list[Patient], networks: bool) -> None:
    """Print the tables."""
    judge = Judge(patients)
    error = judge.error
    plain = np.concatenate([p.truth - p.patlak for p in patients])
    base, in_lesions, of_lesions = rmse(error, patients), rmse(error, patients, True), lesion_error(error, patients)
    print(
        f"\n{len(patients)} patients, {len(error)} voxels, {int(judge._lesions.sum())} in lesions. RMSE of Ki x 1e-3: "
        f"Patlak {1e3 * rmse(plain, patients):.3f}, network {1e3 * base:.3f} (lesions {1e3 * in_lesions:.3f}); "
        f"lesions' means {of_lesions:.1f} %.\n"
    )

    def cells(left: Float64) -> str:
        gain = 100.0 * (1.0 - rmse(left, patients) / base)
        gain_lesions = 100.0 * (1.0 - rmse(left, patients, True) / in_lesions)
        return f"{gain:+.1f} | {gain_lesions:+.1f} | {lesion_error(left, patients):.1f}"

    everywhere, lesions = judge.sums(False), judge.sums(True)
    print("RMSE less by % (all voxels | in lesions), lesions' means, %: ridge, small network, ridge of lesions alone\n")
    for groups in (("control",), *(("control", g) for g in GROUPS), ("control", *GROUPS)):
        columns = judge.columns(*groups)
        texts = [" + ".join(groups), str(len(columns)), cells(judge.ridge(everywhere, columns))]
        if networks:
            texts.append(cells(judge.small_network(columns)))
        alone = judge.ridge(lesions, columns)
        texts.append(f"{100.0 * (1.0 - rmse(alone, patients, True) / in_lesions):+.1f}")
        print("| " + " | ".join(texts) + " |", flush=True)
    _report_single(judge, everywhere)
    print("\nClosed-form step: windows | width | as it is | times the share that suits the others | share")
    for first in (0, WINDOWS - LATE_WINDOWS):
        for width, mm in enumerate(FWHM_MM):
            changed, shares = steps(judge, width, first)
            shared = np.concatenate([c * s for c, s in zip(changed, shares, strict=True)])
            texts = [cells(error - np.concatenate(changed)), cells(error - shared), f"{np.mean(shares):.3f}"]
            print(f"| {first + 1}-{WINDOWS} | {mm:g} mm | " + " | ".join(texts) + " |", flush=True)


def _report_single(judge: Judge, sums: tuple[Float64, Float64]) -> None:
    """What single candidates add to the control, and the best of them one after the other."""
    columns = judge.columns("control")
    start = judge.one_more(sums, columns)
    for round_ in range(FORWARD):
        gains = {
            i: 100.0 * (1.0 - judge.one_more(sums, [*columns, i]) / start)
            for i in judge.columns(*GROUPS)
            if i not in columns
        }
        best = sorted(gains, key=lambda i: -gains[i])
        if round_ == 0:
            print("\nOne candidate beside the control, ridge, % beyond it; the best eight, and then one after another:")
            print(", ".join(f"{judge.names[i]} {gains[i]:+.2f}" for i in best[:8]))
        columns.append(best[0])
        print(f"  with {judge.names[best[0]]}: {gains[best[0]]:+.2f}", flush=True)


def steps(judge: Judge, width: int, first: int) -> tuple[list[Float64], list[float]]:
    """The closed-form step of every patient, and the share of it that would have suited the others best."""
    patients = judge.patients
    changes = []
    for n, one in enumerate(patients):
        others = [p for m, p in enumerate(patients) if m != n]
        noise, wrong = (np.mean([getattr(p, name)[width] for p in others], axis=0) for name in ("noise", "error"))
        changes.append(step(one, width, noise, wrong, first))
    told = np.array([c @ (p.truth - p.ki) for c, p in zip(changes, patients, strict=True)])
    size = np.array([c @ c for c in changes])
    return changes, ((told.sum() - told) / (size.sum() - size)).tolist()


def main() -> None:
    """Measure what is not yet in the folder, then judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, help="folder of the network's weights; those of the engine by default")
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--linear", action="store_true", help="leave out the small networks")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    patients = []
    for seed in VALIDATION_SEEDS[: chosen.patients]:
        path = chosen.folder / f"{seed}.npz"
        if not path.exists():
            np.savez(path, **vars(measure(seed, chosen.weights)))
        with np.load(path) as kept:
            patients.append(Patient(**kept))
    report(patients, not chosen.linear)


if __name__ == "__main__":
    main()
