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
from pathlib import Path

import numpy as np
import torch
from further_inputs import AMPLITUDE_FLOOR, FWHM_MM, Patient, measure
from numpy.typing import NDArray

from petkinetics.networks.features import KI_UNIT, LATE_WINDOWS, WINDOWS
from petkinetics.simulate.seeds import VALIDATION_SEEDS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

GROUPS = ("residual", "regularised", "two-tissue")
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MOST_SD = 5.0
LEAST_LESION = 8
#: candidates added one after another
FORWARD = 4
#: of the small network, and how many patients are left out at a time
HIDDEN, STEPS, BATCH, TOGETHER = 64, 500, 2048, 2


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
