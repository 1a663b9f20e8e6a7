"""Studies of methods on simulated patients: what ``petkinetics evaluate`` runs.

Every patient is simulated in each dose and world, its input function is taken from the aorta region of its
noisy images (and, for comparison, the true curve), and the method is judged beside plain weighted
Patlak on the same frames. A learned method also stands beside the classical methods and the noisy full
scan, and its gates are checked. Tuning uses validation seeds; runs on test seeds are logged.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators import make_estimator
from petkinetics.estimators.body import body_mask
from petkinetics.estimators.estimator import Problem, Progress, estimate_in_memory, no_progress, uses_whole_series
from petkinetics.estimators.patlak import Patlak
from petkinetics.evaluate.data_explained import chi_square_rows
from petkinetics.evaluate.gates import GATES
from petkinetics.evaluate.invented import invented_blobs
from petkinetics.evaluate.known_truth import Row, coverage_row, lesion_rows, organ_rows, whole_map_row
from petkinetics.evaluate.noisy_reference import noisy_reference_row
from petkinetics.evaluate.tumour_roi import box_agreement, box_row, tumour_box
from petkinetics.input_function.idif import image_derived_input
from petkinetics.input_function.plasma import with_plasma
from petkinetics.maps import ParametricResult
from petkinetics.read.regions import RegionWeights
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.contestants import (
    CLASSICAL,
    FULL_SCAN,
    PATLAK_OF_FULL_SCAN,
    Contestant,
    classical,
    others,
    require_ki,
)
from petkinetics.simulate.paper_study import PaperStudy
from petkinetics.simulate.patient import PATLAK_WINDOW_MIN, DigitalPatient, grid
from petkinetics.simulate.run_cost import Watch
from petkinetics.simulate.run_log import append_run, commit_here, log_of_test_runs
from petkinetics.simulate.seeds import TEST_SEEDS, VALIDATION_SEEDS
from petkinetics.simulate.worlds import USUAL, World
from petkinetics.write.staging import staged_folder
from petkinetics.write.study import summarise, write_study

SPLITS = {"validation": VALIDATION_SEEDS, "test": TEST_SEEDS}
#: where the input function comes from
INPUTS = ("aorta ROI", "true curve")
#: methods with weights trained on simulated patients, which tables say
LEARNED = ("kinetic-network", "direct-network", "diffusion-prior")
#: what is measured of every patient
TABLES = ("patients", "lesions", "organs", "tumour_roi", "chi_square", "invented")


@dataclass(frozen=True)
class Study:
    """What to run.

    :param method: name of the estimator.
    :param split: "validation" or "test".
    :param patients: how many seeds from the split's first; None for all.
    :param doses: fractions of a usual scan's counts.
    :param until_min: ends of the scans, minutes; None for the full one.
    :param t_star_min: start of the linear part: that of the reference.
    :param slices: only the middle slices; None for all.
    :param options: of the method.
    :param beside: who else takes part: "classical", "full-scan" or METHOD[:key=value,...]; None: the first
        two for learned methods, nobody for others.
    :param worlds: besides the usual one, see :class:`petkinetics.simulate.worlds.World`.
    :param world_doses: those of *doses* at which the other worlds are run; empty for all.
    :param worlds_alone: in the other worlds only plain Patlak and the method are run, with the aorta region's curve.
    :param gates: whose gates to check, a name in :data:`petkinetics.evaluate.gates.GATES`; None: the method's own.
    :param weights: folder of own weights of learned methods; *seed* and *samples* as of an estimate.
    :param full: the study of Liang et al. 2023, with all its image metrics and figures.
    :raises InputError: something cannot be studied.
    """

    method: str
    split: str = "validation"
    patients: int | None = None
    doses: Sequence[float] = (1.0,)
    until_min: Sequence[float | None] = (None,)
    t_star_min: float = PATLAK_WINDOW_MIN[0]
    anatomy: str = "thorax"
    size: str = "small"
    slices: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    beside: Sequence[str] | None = None
    worlds: Sequence[str] = ()
    world_doses: Sequence[float] = ()
    worlds_alone: bool = False
    gates: str | None = None
    full: bool = False
    weights: Path | None = None
    seed: int = 0
    samples: int = 0

    def __post_init__(self) -> None:
        require_ki(self.method, self.options)
        others(self.company)
        for text in self.worlds:
            World.parse(text)
        if len(set(self.all_worlds)) <= len(self.worlds):
            raise InputError("A world is named twice, or is the usual one, which is always there.")
        if set(self.world_doses) - set(self.doses):
            raise InputError("The doses of the other worlds must be among those of the study.")
        if self.gates is not None and self.gates not in GATES:
            raise InputError(f"There are no gates of '{self.gates}'; there are those of {', '.join(GATES)}.")
        if self.split not in SPLITS:
            raise InputError(f"'{self.split}' is not a split; it is {' or '.join(SPLITS)}.")
        if self.patients is not None and not 1 <= self.patients <= len(SPLITS[self.split]):
            raise InputError(f"There are 1 to {len(SPLITS[self.split])} patients in the {self.split} split.")

    @property
    def seeds(self) -> list[int]:
        """The patients."""
        return list(SPLITS[self.split])[: self.patients]

    @property
    def company(self) -> tuple[str, ...]:
        """Who else takes part."""
        if self.beside is not None:
            return tuple(self.beside)
        return (CLASSICAL, FULL_SCAN) if self.method in LEARNED or self.gates or self.full else ()

    @property
    def all_worlds(self) -> tuple[str, ...]:
        """The worlds, the usual one first."""
        return (USUAL, *self.worlds)

    @property
    def cases(self) -> list[tuple[int, float, str]]:
        """Seed, dose and world of every patient to simulate."""
        at = self.world_doses or self.doses
        return [
            (seed, dose, world)
            for seed in self.seeds
            for dose in self.doses
            for world in self.all_worlds
            if world == USUAL or dose in at
        ]

    def inputs(self, world: str) -> tuple[str, ...]:
        """Where the input function comes from."""
        return INPUTS[:1] if self.worlds_alone and world != USUAL else INPUTS

    def contestants(self, world: str, dose: float, until: float | None, source: str) -> list[Contestant]:
        """Who is run on one patient's data: plain Patlak first, then the method.

        With the true curve only these two; in unseen worlds the classical methods at their automatic strength.
        """
        found = [Contestant(Patlak.method, Patlak.method)]
        if self.method != Patlak.method or self.options:
            found.append(Contestant(self.method, self.method, self.options, samples=self.samples))
        if source == INPUTS[0] and not (self.worlds_alone and world != USUAL):
            found += others(self.company)
            if CLASSICAL in self.company:
                found += classical(dose, until, tuned=world == USUAL)
        unique: dict[str, Contestant] = {}
        for one in found:
            unique.setdefault(one.label, one)
        return list(unique.values())


def middle_slices(size: str, slices: int | None, shift: int = 0, anatomy: str = "thorax") -> VolumeGeometry:
    """The grid of a size and an anatomy, cut to some slices around its middle (or *shift* slices above it)."""
    whole = grid(size, anatomy)
    if slices is None or slices >= whole.shape[0]:
        return whole
    first = int(np.clip((whole.shape[0] - slices) // 2 + shift, 0, whole.shape[0] - slices))
    x, y, z = whole.origin_mm
    return VolumeGeometry(
        (max(slices, 1), *whole.shape[1:]), whole.spacing_mm, (x, y, z + first * whole.spacing_mm[2]), whole.direction
    )


def aorta_input(patient: DigitalPatient, until_min: float | None) -> InputFunction:
    """The curve of the aorta region of the noisy images, brought to plasma by the patient's true ratio.

    The ratio is known in a study as a measured haematocrit is in a clinic; without it every method's
    Ki would be off by that one factor.
    :raises InputError: there is no aorta in view.
    """
    index = np.flatnonzero(patient.aorta)
    if index.size == 0:
        raise InputError("No aorta lies in the slices chosen.", "Choose more slices.")
    series = patient.series
    region = RegionWeights("aorta", 1, series.geometry, index, np.ones(index.size, np.float32))
    measured = image_derived_input(series, region, series.timing.until(until_min).tolist()).function
    ratio = float(patient.settings["plasma_to_whole_blood"])  # type: ignore[arg-type]
    return with_plasma(measured, ratio, f"true ratio {ratio:.3f}")


def problem_of(patient: DigitalPatient, curve: InputFunction, t_star_min: float, until_min: float | None) -> Problem:
    """The estimate to make: frames of the window (t* 0: all), the body as the engine finds it."""
    frames = patient.series.timing.window(t_star_min, until_min)
    return Problem(patient.series, curve, frames, body_mask(patient.series, frames.tolist()))


def run_study(study: Study, out: Path, progress: Progress = no_progress, log: Path | None = None) -> Path:
    """Run a study and write its folder: tables of patients, lesions and organs, a summary and study.md.

    :param log: the table to which a run on test seeds is appended; found in the checkout by default.
    :raises InputError: the folder exists, or a test run cannot be logged.
    """
    test_log, commit = None, commit_here()
    if study.split == "test":
        test_log = log or log_of_test_runs()
        if not commit:
            raise InputError("A run on test seeds is logged with its commit, and here there is none.")
    began = time.monotonic()
    with staged_folder(out) as folder:
        tables: dict[str, list[Row]] = {name: [] for name in TABLES}
        paper = PaperStudy(study.doses) if study.full else None
        where = middle_slices(study.size, study.slices, anatomy=study.anatomy)
        for done, (seed, dose, world) in enumerate(study.cases):
            progress(done / len(study.cases), f"Patient {seed}, dose {dose:g}, {world}")
            patient = World.parse(world).patient(study.anatomy, study.size, seed, dose, where, no_progress)
            for until in study.until_min:
                case: Row = {"seed": seed, "dose": dose, "until_min": until, "world": world}
                _judge(study, patient, case, tables, paper if world == USUAL else None)
        settings = {
            "method": study.method,
            "options": dict(study.options),
            "split": study.split,
            "seeds": study.seeds,
            "anatomy": study.anatomy,
            "size": study.size,
            "slices": study.slices,
            "t_star_min": study.t_star_min,
            "beside": list(study.company),
            "worlds": list(study.all_worlds),
            "world_doses": list(study.world_doses or study.doses),
            "worlds_alone": study.worlds_alone,
            "gates": study.gates or (study.method if study.method in GATES else None),
            "classical": [c.label for c in classical(1.0, None, tuned=True)] if CLASSICAL in study.company else [],
            "contestants": {
                one.label: {"method": one.method, "options": dict(one.options), "samples": one.samples}
                for one in study.contestants(USUAL, study.doses[0], study.until_min[0], INPUTS[0])
            },
            "learned": list(LEARNED),
            "weights": None if study.weights is None else study.weights.name,
            "seed": study.seed,
            "samples": study.samples,
            "commit": commit or None,
            "seconds": round(time.monotonic() - began, 1),
        }
        more = [] if paper is None else paper.write(folder, summarise(tables))
        summary = write_study(folder, settings, tables, more)
        if test_log is not None:
            append_run(test_log, study, commit, summary)
    progress(1.0, "Done")
    return out


def _judge(
    study: Study, patient: DigitalPatient, case: Row, tables: dict[str, list[Row]], paper: PaperStudy | None
) -> None:
    """Add one patient's rows for one end of scan: everybody, with either input function."""
    until, dose, world = case["until_min"], case["dose"], case["world"]
    assert until is None or isinstance(until, float | int)
    assert isinstance(dose, float | int) and isinstance(world, str)
    full_scan = _patlak_of_full_scan(study, patient, until)
    end_s = _end_s(patient, until)
    for source in study.inputs(world):
        from_image = source == INPUTS[0]
        curve = aorta_input(patient, until) if from_image else patient.input_function.until(end_s)
        found: dict[str, tuple[Contestant, ParametricResult]] = {}
        for one in study.contestants(world, dose, until, source):
            watch = Watch()
            result = run_contestant(study, one, patient, curve, until)
            key = {**case, "input": source, "method": one.label}
            found[one.label] = (one, result)
            noisy = full_scan if from_image else None
            _add_rows(patient, result, key, watch.row(result, patient.series.geometry), noisy, tables)
            if from_image and not patient.lesion_list:
                plain, reference = found[Patlak.method][1]["ki"].values, patient.truth["ki_patlak_9_65"]
                where = (patient.body_mask, patient.series.geometry)
                blobs = invented_blobs(result["ki"].values, plain, reference, *where)
                tables["invented"].append({**key, **blobs.row()})
        if paper is not None and from_image:
            paper.add(patient, case, found, curve, full_scan)
        if full_scan is not None and from_image:
            key = {**case, "input": source, "method": PATLAK_OF_FULL_SCAN}
            _add_rows(patient, full_scan, key, {"seconds": None}, None, tables)


def run_contestant(
    study: Study, one: Contestant, patient: DigitalPatient, curve: InputFunction, until: float | None
) -> ParametricResult:
    """The maps of a method: of the frames after t*, or of all until the end for methods that use them."""
    estimator = make_estimator(one.method)
    problem = problem_of(patient, curve, 0.0 if uses_whole_series(estimator) else study.t_star_min, until)
    problem = replace(problem, options=dict(one.options), weights=study.weights)
    return estimate_in_memory(estimator, replace(problem, seed=study.seed, samples=one.samples))


def _end_s(patient: DigitalPatient, until: float | None) -> float:
    """Nothing of the blood curve after this is given to a method."""
    timing = patient.series.timing
    return float(timing.end_s[timing.until(until)[-1]])


def _patlak_of_full_scan(study: Study, patient: DigitalPatient, until: float | None) -> ParametricResult | None:
    """Weighted Patlak of the whole noisy scan, where the study has it and the scan judged is shorter."""
    if FULL_SCAN not in study.company or _end_s(patient, until) >= float(patient.series.timing.end_s[-1]):
        return None
    plain = Contestant(PATLAK_OF_FULL_SCAN, Patlak.method)
    return run_contestant(study, plain, patient, aorta_input(patient, None), None)


def _add_rows(
    patient: DigitalPatient,
    result: ParametricResult,
    key: Row,
    run: Row,
    full_scan: ParametricResult | None,
    tables: dict[str, list[Row]],
) -> None:
    regularisation = result.record.get("regularisation")
    strength = regularisation.get("strength") if isinstance(regularisation, dict) else None
    ki, v0, sd = result["ki"], result.maps.get("v0"), result.maps.get("ki_sd")
    noisy = None if full_scan is None else full_scan["ki"].values
    tables["patients"].append(
        {
            **key,
            "strength": strength,
            **whole_map_row(patient, ki, v0),
            **run,
            **coverage_row(patient, ki, sd),
            **noisy_reference_row(ki, noisy, patient.body_mask),
        }
    )
    tables["lesions"] += [{**key, **row} for row in lesion_rows(patient, ki)]
    tables["organs"] += [{**key, **row} for row in organ_rows(patient, ki)]
    tables["chi_square"] += [{**key, **row} for row in chi_square_rows(patient, result.maps.get("residual"))]
    box = tumour_box(patient, ki.geometry)
    references = {"truth": patient.truth["ki_patlak_9_65"], "noisy full scan": noisy}
    for name, reference in references.items():
        if box is not None and reference is not None:
            agreement = box_agreement(box, ki, reference, patient.body_mask)
            tables["tumour_roi"].append({**key, "reference": name, **box_row(box, agreement)})
