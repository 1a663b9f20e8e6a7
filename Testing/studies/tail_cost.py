"""What the unknown tail of the blood curve costs in Ki: the table in docs/experiments.md.

    python Testing/studies/tail_cost.py [--patients 12] [--write]

Validation patients. The input function is measured in the noisy images' aorta region until 35 min and continued to
65 min in several ways; Patlak 9-65 min is then fitted to the noise-free frames, so that nothing but the curve is wrong.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.input_function.tail import extrapolated
from petkinetics.kinetics.patlak import patlak_design, weighted_fit
from petkinetics.simulate.patient import PATLAK_WINDOW_MIN, DigitalPatient, simulate_patient
from petkinetics.simulate.seeds import VALIDATION_SEEDS
from petkinetics.studies.patient_problem import aorta_input

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "experiments.md"
DOSES = (1.0, 0.25)
SHORT_MIN, END_S = 35.0, 3900.0
#: regions of the table, by label name
REGIONS = ("lesion", "liver", "myocardium", "muscle", "lung")
#: what the table calls the curves: how each is made of the measured and the true one
FULL, TRUE, FITTED, AVERAGE = (
    "measured until 65 min",
    "measured until 35 min, then the true curve",
    "measured until 35 min, then the fitted tail (the engine's)",
    "measured until 35 min, then the population's mean slope",
)
#: mean of the log rate over the population (1/min)
_MEAN_LOG_RATE = -4.192


def joined(short: InputFunction, time_s: NDArray[np.float64], plasma: NDArray[np.float64]) -> InputFunction:
    """The short curve followed by other nodes."""
    return replace(
        short,
        time_s=np.append(short.time_s, time_s),
        plasma_kbq_per_ml=np.append(short.plasma_kbq_per_ml, plasma),
        whole_blood_kbq_per_ml=np.append(short.whole_blood_kbq_per_ml, plasma),
    )


def curves(patient: DigitalPatient) -> dict[str, InputFunction]:
    """The input functions to compare."""
    short, true = aorta_input(patient, SHORT_MIN), patient.input_function
    later = true.time_s > short.end_s
    after = np.arange(short.end_s + 30.0, END_S + 1.0, 30.0)
    slope = np.exp(-np.exp(_MEAN_LOG_RATE) * (after - short.end_s) / 60.0)
    return {
        FULL: aorta_input(patient, None),
        TRUE: joined(short, true.time_s[later], true.plasma_kbq_per_ml[later]),
        FITTED: extrapolated(short, END_S),
        AVERAGE: joined(short, after, short.plasma_kbq_per_ml[-1] * slope),
    }


def ki(patient: DigitalPatient, curve: InputFunction, timing: FrameTiming) -> NDArray[np.float32]:
    """Patlak 9-65 min of the noise-free frames, weighted as the reference is."""
    decay = patient.series.frame_decay_per_s
    used = timing.window(*PATLAK_WINDOW_MIN)
    frames = timing.select(used)
    design = patlak_design(curve, frames, decay)
    weights = frames.duration_s / frames.decay_factors(decay) / design[:, 1]
    row = weighted_fit(design, weights).solution[0].astype(np.float32)
    return np.tensordot(row, patient.noise_free[used], 1)


def measured(patients: int) -> dict[tuple[float, str], dict[str, list[float]]]:
    """By dose and curve: errors in percent of every region's mean, and of Cp at 65 min; RMSE in the body."""
    timing = FrameTiming.parse("liang2023")
    found: dict[tuple[float, str], dict[str, list[float]]] = {}
    for seed in list(VALIDATION_SEEDS)[:patients]:
        for dose in DOSES:
            patient = simulate_patient(seed=seed, dose=dose)
            reference = patient.truth["ki_patlak_9_65"]
            for name, curve in curves(patient).items():
                values = ki(patient, curve, timing)
                here = found.setdefault((dose, name), {})
                at_end = np.array([3900.0])
                cp = float(curve.plasma_at(at_end)[0] / patient.input_function.plasma_at(at_end)[0])
                here.setdefault("cp", []).append(100 * (cp - 1))
                body = patient.body_mask
                here.setdefault("rmse", []).append(float(np.sqrt(np.mean((values - reference)[body] ** 2))))
                for label, region in patient.label_names.items():
                    inside = patient.labels == label
                    if region in REGIONS and inside.sum() >= 50:
                        error = 100 * (values[inside].mean() / reference[inside].mean() - 1)
                        here.setdefault(region, []).append(float(error))
            print(seed, dose, flush=True)
    return found


def table(found: dict[tuple[float, str], dict[str, list[float]]]) -> str:
    """Markdown: mean absolute error (mean error) over patients."""
    head = ["dose", "input function", "plasma at 65 min, %", *(f"Ki of {r}, %" for r in REGIONS), "RMSE of Ki ×10⁻³"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (dose, name), errors in found.items():
        cells = [f"{dose:g}", name]
        for key in ("cp", *REGIONS):
            values = np.array(errors.get(key, [np.nan]))
            cells.append(f"{np.abs(values).mean():.1f} ({values.mean():+.1f})")
        lines.append("| " + " | ".join([*cells, f"{1e3 * np.mean(errors['rmse']):.3f}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table; --write puts it into the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    text = table(measured(arguments.patients))
    print(text)
    if arguments.write:
        document = DOCUMENT.read_text(encoding="utf-8")
        marked = r"(?s)(<!-- tail cost -->\n).*?(\n<!-- end -->)"
        DOCUMENT.write_text(re.sub(marked, rf"\g<1>{text}\g<2>", document), encoding="utf-8")


if __name__ == "__main__":
    main()
