"""The gates of the diffusion prior (full scan)."""

from __future__ import annotations

from petkinetics.studies.data_explained import mean_chi_square
from petkinetics.studies.gate import Gate, Measure, StudyNumbers, number, ratio, size, worst_world
from petkinetics.studies.invented import ratio_of_counts
from petkinetics.studies.names import AORTA
from petkinetics.studies.ratios import BEST_CLASSICAL, WEIGHTED_PATLAK

#: solvers without a learned start
PURE = ("hqs", "red-diff")
_SECONDS = "cpu_seconds_a_slice_mean"


def _pure(dose: float, samples: int) -> Measure:
    """The prior alone against the best tuned classical method: the better of the solvers that were run."""

    def value(study: StudyNumbers) -> float | None:
        labels = [label for solver in PURE if (label := study.label(samples, solver)) is not None]
        found = [study.ratio(BEST_CLASSICAL, dose, None, method=label) for label in labels]
        return min((one for one in found if one is not None), default=None)

    return value


def _of_run(column: str, samples: int, solvers: tuple[str | None, ...] = (None,)) -> Measure:
    """The highest mean of a column over those who ran with so many samples."""

    def value(study: StudyNumbers) -> float | None:
        labels = [label for solver in solvers if (label := study.label(samples, solver)) is not None]
        found = [study.mean_of(column, label) for label in labels]
        return max((one for one in found if one is not None), default=None)

    return value


def _invented(others: str) -> Measure:
    """Blobs over all patients of a dose, over those in another column; of the doses the worst."""

    def value(study: StudyNumbers) -> float | None:
        rows = [row for row in study.invented if row["method"] == study.method and row["input"] == AORTA]
        found = []
        for case in {(row["dose"], row["world"]) for row in rows}:
            here = [row for row in rows if (row["dose"], row["world"]) == case]
            count, other = (sum(int(row[name]) for row in here) for name in ("blobs", others))  # type: ignore[call-overload]
            found.append(ratio_of_counts(count, other))
        return max(found, default=None)

    return value


def _chi_square(world: str) -> Measure:
    """Reduced chi-square over all voxels of a world's lesions; of the doses the worst."""

    def value(study: StudyNumbers) -> float | None:
        wanted = {"method": study.method, "world": world, "input": AORTA}
        rows = [row for row in study.chi_square if all(row[k] == v for k, v in wanted.items())]
        found = [mean_chi_square([row for row in rows if row["dose"] == dose]) for dose in {r["dose"] for r in rows}]
        return max(found, default=None)

    return value


def _made() -> tuple[Gate, ...]:
    gates: list[Gate] = []
    bounds = (
        # dose, ÷ Patlak, stretch, ÷ classical, SSIM, stretch
        (1.0, 0.53, 0.45, 0.85, 0.93, 0.96),
        (0.25, 0.41, 0.35, 0.80, 0.89, 0.92),
        (0.1, 0.37, 0.30, 0.80, 0.82, 0.87),
    )
    for dose, plain, plain_stretch, tuned, ssim, ssim_stretch in bounds:
        at = f"dose {dose:g}: "
        gates += [
            Gate(at + "RMSE of Ki ÷ weighted Patlak", ratio(WEIGHTED_PATLAK, dose, None), plain, plain_stretch),
            Gate(at + "RMSE of Ki ÷ best tuned classical", ratio(BEST_CLASSICAL, dose, None), tuned, 0.70),
            Gate(at + "pure prior, mean of four: RMSE of Ki ÷ best tuned classical", _pure(dose, 4), 0.93),
            Gate(at + "pure prior, one seed: RMSE of Ki ÷ best tuned classical", _pure(dose, 0), None, 0.85),
            Gate(at + "SSIM", number("ki_ssim_mean", dose, None), ssim, ssim_stretch, "high"),
            Gate(at + "V0 RMSE ÷ weighted Patlak's", ratio(WEIGHTED_PATLAK, dose, None, "v0"), 0.55, 0.45),
            Gate(at + "organs: mean absolute bias, %", number("organ_absolute_bias_percent", dose, None), 8.0, 4.0),
            Gate(
                at + "organs with Ki < .003: mean absolute bias, mL/min/mL",
                number("low_organ_absolute_bias", dose, None),
                2e-4,
            ),
        ]
        for place, one, two in (("body", 58.0, 88.0), ("lesion", 45.0, 75.0)):
            gates += [
                Gate(
                    f"{at}truth within 1 SD, {place}, %",
                    number(f"ki_within_1_sd_{place}_percent_mean", dose, None),
                    one,
                    64.0 if place == "body" else 58.0,
                    "high",
                ),
                Gate(
                    f"{at}truth within 2 SD, {place}, %",
                    number(f"ki_within_2_sd_{place}_percent_mean", dose, None),
                    two,
                    93.0 if place == "body" else 88.0,
                    "high",
                ),
            ]
        gates += [
            Gate(
                f"{at}truth within 1 SD, body, %: not above",
                number("ki_within_1_sd_body_percent_mean", dose, None),
                78.0,
                72.0,
            )
        ]
    gates += [
        Gate("dose 1/4: lesions: size of the mean bias, %", size("lesion_mean_bias_percent", 0.25, None), 6.0, 3.0),
        Gate(
            "dose 1/4: contrast recovery of lesions ≥ 12 mm, %",
            number("lesion_contrast_recovery_percent_12mm", 0.25, None),
            90.0,
            95.0,
            "high",
        ),
        *(
            Gate(
                f"unseen {kind}: gain over weighted Patlak that remains in the worst, %",
                worst_world(kind, "gain_kept_percent", None, any_dose=True),
                75.0,
                better="high",
            )
            for kind in ("dose", "voxels", "noise")
        ),
        Gate("no lesions: hot blobs ÷ those of Patlak smoothed to the same noise", _invented("patlak_blobs"), 1.0),
        Gate("no lesions: hot blobs ÷ those of that noise alone", _invented("noise_blobs"), None, 1.0),
        *(
            Gate(f"{kind} lesions, never trained on: reduced χ² of the data there", _chi_square(f"lesions={kind}"), 1.2)
            for kind in ("ring", "hot")
        ),
        Gate("processor seconds a 256×256 slice, without SD", _of_run(_SECONDS, 0), 1.5),
        Gate("processor seconds a 256×256 slice, four samples", _of_run(_SECONDS, 4), 6.0),
        Gate("processor seconds a 256×256 slice, learned start alone", _of_run(_SECONDS, 0, ("start",)), 0.2),
        Gate("pure prior, evaluations a seed", _of_run("evaluations_mean", 0, PURE), 20.0),
    ]
    return tuple(gates)


DIFFUSION = _made()
