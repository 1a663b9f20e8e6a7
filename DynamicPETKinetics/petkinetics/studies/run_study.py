"""Run a study: simulate its patients, judge everybody on each, write the folder."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators import make_estimator
from petkinetics.estimators.estimator import Progress, estimate_in_memory, no_progress, uses_whole_series
from petkinetics.estimators.patlak import Patlak
from petkinetics.maps import ParametricResult
from petkinetics.simulate.patient import DigitalPatient
from petkinetics.studies.contestants import (
    CLASSICAL,
    FULL_SCAN,
    Contestant,
    classical,
)
from petkinetics.studies.data_explained import chi_square_rows
from petkinetics.studies.folder import summarise, write_study
from petkinetics.studies.gates import GATES
from petkinetics.studies.invented import invented_blobs
from petkinetics.studies.known_truth import Row, coverage_row, lesion_rows, organ_rows, whole_map_row
from petkinetics.studies.names import AORTA, LEARNED, NOISY_FULL_SCAN, PATLAK_OF_FULL_SCAN, TRUTH, USUAL
from petkinetics.studies.noisy_reference import noisy_reference_row
from petkinetics.studies.paper_study import PaperStudy
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of
from petkinetics.studies.run_cost import Watch
from petkinetics.studies.run_log import append_run, commit_here, lines_of_log, log_of_test_runs
from petkinetics.studies.study import Study
from petkinetics.studies.tumour_roi import box_agreement, box_row, tumour_box
from petkinetics.studies.worlds import World
from petkinetics.write.staging import staged_folder

#: what is measured of every patient
TABLES = ("patients", "lesions", "organs", "tumour_roi", "chi_square", "invented")


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
        # before hours of work
        lines_of_log(test_log)
    began = time.monotonic()
    with staged_folder(out) as folder:
        tables: dict[str, list[Row]] = {name: [] for name in TABLES}
        paper = PaperStudy(study.doses) if study.full else None
        weights: dict[str, str] = {}
        where = middle_slices(study.size, study.slices, anatomy=study.anatomy)
        for done, (seed, dose, world) in enumerate(study.cases):
            progress(done / len(study.cases), f"Patient {seed}, dose {dose:g}, {world}")
            patient = World.parse(world).patient(study.anatomy, study.size, seed, dose, where, no_progress)
            for until in study.until_min:
                case: Row = {"seed": seed, "dose": dose, "until_min": until, "world": world}
                _judge(study, patient, case, tables, weights, paper if world == USUAL else None)
        settings = {**_settings(study, commit, time.monotonic() - began), "weights_hashes": weights}
        more = [] if paper is None else paper.write(folder, summarise(tables))
        summary = write_study(folder, settings, tables, more)
        if test_log is not None:
            append_run(test_log, study, commit, summary, weights.get(study.method))
    progress(1.0, "Done")
    return out


def _settings(study: Study, commit: str, seconds: float) -> dict[str, object]:
    """What was asked for, as ``study.json`` keeps it."""
    return {
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
            for one in study.contestants(USUAL, study.doses[0], study.until_min[0], AORTA)
        },
        "learned": list(LEARNED),
        "weights": None if study.weights is None else study.weights.name,
        "seed": study.seed,
        "samples": study.samples,
        "commit": commit or None,
        "seconds": round(seconds, 1),
    }


def _judge(
    study: Study,
    patient: DigitalPatient,
    case: Row,
    tables: dict[str, list[Row]],
    weights: dict[str, str],
    paper: PaperStudy | None,
) -> None:
    """Add one patient's rows for one end of scan: everybody, with either input function.

    :param weights: receives the hashes of learned methods' weights, by label.
    """
    until, dose, world = case["until_min"], case["dose"], case["world"]
    assert until is None or isinstance(until, float | int)
    assert isinstance(dose, float | int) and isinstance(world, str)
    full_scan = _patlak_of_full_scan(study, patient, until)
    end_s = _end_s(patient, until)
    for source in study.inputs(world):
        from_image = source == AORTA
        curve = aorta_input(patient, until) if from_image else patient.input_function.until(end_s)
        found: dict[str, tuple[Contestant, ParametricResult]] = {}
        for one in study.contestants(world, dose, until, source):
            watch = Watch()
            result = run_contestant(study, one, patient, curve, until)
            key = {**case, "input": source, "method": one.label}
            found[one.label] = (one, result)
            if "weights_hash" in result.record:
                weights[one.label] = str(result.record["weights_hash"])
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
    """The maps of a method: of the frames after t*, or of all for methods that use them; to *until*, min."""
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
    references = {TRUTH: patient.truth["ki_patlak_9_65"], NOISY_FULL_SCAN: noisy}
    for name, reference in references.items():
        if box is not None and reference is not None:
            agreement = box_agreement(box, ki, reference, patient.body_mask)
            tables["tumour_roi"].append({**key, "reference": name, **box_row(box, agreement)})
