"""The command line: every option becomes a Job or a plain engine call.

Exit status: 0 done, 1 fault, 2 bad input (a message on stderr, nothing written), 3 cancelled.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from petkinetics import __version__
from petkinetics.errors import Cancelled, InputError, PetKineticsError

if TYPE_CHECKING:
    from petkinetics.job import AnyJob

_OPEN = "Kinetic analysis of dynamic PET. For research, not for diagnosis: not a medical device."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.

    :param arguments: of a call from Python; None when this is the program, whose own they are then.
    """
    if arguments is None:
        # The estimators share their work between threads of their own. BLAS's threads would wait for
        # each other beside them, awake (a third more processor time). Read when numpy is imported.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = _parser()
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args) or 0)
    except KeyboardInterrupt:
        print("petkinetics: cancelled.", file=sys.stderr)
        return Cancelled.exit_status
    except BrokenPipeError:
        # The reader of our output left (such as `head`); there is nobody to tell.
        sys.stderr.close()
        return 1
    except Exception as error:
        return _tell(error, as_lines=args.run in (_aorta, _estimate, _export, _report) and args.json)
    finally:
        if arguments is None:
            # The process ends now: nothing is gained by looking through all modules for garbage (25 ms).
            gc.freeze()


def _tell(error: Exception, *, as_lines: bool) -> int:
    """Say what went wrong to people, and to programs where they read along; returns the exit status."""
    from petkinetics.worker import Lines, fault_message, tell_error

    if as_lines:
        tell_error(Lines(sys.stdout), error)
    if not isinstance(error, PetKineticsError):
        # Where it happened, for a report to the developers; not the exception's text, which may quote a header.
        import traceback

        print(*traceback.format_tb(error.__traceback__), sep="", end="", file=sys.stderr)
        print(f"petkinetics: {fault_message(error)}", file=sys.stderr)
        return 1
    print(f"petkinetics: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)
    return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="petkinetics", description=_OPEN)
    parser.add_argument("--version", action="version", version=f"petkinetics {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_simulate(commands)
    _add_info(commands)
    _add_aorta(commands)
    _add_input_function(commands)
    _add_tac(commands)
    _add_estimate(commands)
    _add_suv(commands)
    _add_compare(commands)
    _add_export(commands)
    _add_report(commands)
    _add_evaluate(commands)
    return parser


_REGIONS = "label map, DICOM SEG or RTSTRUCT, or .seg.nrrd"

_Commands = argparse._SubParsersAction  # the type that add_subparsers returns has no public name


def _add_simulate(commands: _Commands) -> None:
    p = commands.add_parser("simulate", help="make a digital patient with known truth")
    p.add_argument("out", metavar="OUT", type=Path, help="folder to make")
    anatomies = ("thorax", "torso-ct", "total-body", "brain")
    p.add_argument("--anatomy", choices=anatomies, default="thorax", help="torso-ct: from a real CT (default: thorax)")
    p.add_argument("--size", choices=("small", "full"), default="small")
    p.add_argument("--seed", type=int, default=0, help="training 0-89999, validation 90000-, test 91000-")
    p.add_argument("--dose", type=float, default=1.0, help="1: voxel CoV 12 %% in the liver in the last 300-s frame")
    p.add_argument("--frames", default="liang2023", metavar="SPEC", help="liang2023, or such as 6x10,4x30,10x300 (s)")
    p.add_argument("--vendor", choices=("ge", "siemens", "philips"), default="ge")
    p.add_argument("--format", choices=("dicom", "nifti"), default="dicom", dest="fmt")
    p.add_argument(
        "--noise",
        choices=("gaussian", "osem"),
        default="gaussian",
        help="gaussian (default), or counted sinograms reconstructed by OSEM: seconds a slice, needs petkinetics[osem]",
    )
    p.add_argument("--noise-free", action="store_true", help="without noise")
    p.set_defaults(run=_simulate)


def _simulate(args: argparse.Namespace) -> None:
    from petkinetics.job import SimulateJob

    job = SimulateJob(
        str(args.out),
        args.anatomy,
        args.size,
        args.seed,
        args.dose,
        args.frames,
        args.vendor,
        args.fmt,
        "none" if args.noise_free else args.noise,
    )
    job.run(_shown_progress)
    print(f"Simulated patient {args.seed} ({args.anatomy}, {args.size}) in {args.out}")


def _add_series(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "series", metavar="SERIES", type=Path, help="DICOM folder, .nii(.gz) with a BIDS-PET .json, or .seq.nrrd"
    )


def _add_overrides(p: argparse.ArgumentParser) -> None:
    p.add_argument("--injection-time", metavar="T", help="HH:MM:SS or ISO date and time, in place of the header's")
    p.add_argument("--dose", type=float, metavar="MBQ", help="injected activity, in place of the header's")
    p.add_argument("--weight", type=float, metavar="KG", help="patient's weight, in place of the header's")
    p.add_argument("--half-life", type=float, metavar="S", help="in place of the header's (F-18: 6586.2)")
    p.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", type=_key_value, help="a method's or reader's option"
    )


def _key_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form KEY=VALUE")
    return key.strip(), value.strip()


def _t_star(text: str) -> float | str:
    return text if text == "auto" else float(text)


def _open_series(  # type: ignore[no-untyped-def]
    args: argparse.Namespace, *, require_dynamic: bool = True, more_options: Sequence[str] = ()
):
    from petkinetics.read.overrides import Overrides
    from petkinetics.read.series import STATEMENTS, read_series

    known = (*STATEMENTS, *more_options)
    unknown = sorted({key for key, _ in args.set} - set(known))
    if unknown:
        raise InputError(f"'{unknown[0]}' is not an option of this command.", f"Options for --set: {', '.join(known)}.")
    overrides = Overrides(args.injection_time, args.dose, args.weight, args.half_life)
    series = read_series(args.series, overrides, dict(args.set), require_dynamic=require_dynamic)
    if require_dynamic:
        for sentence in series.warnings:
            _warn(sentence)
    return series


def _warn(sentence: str) -> None:
    print(f"warning: {sentence}", file=sys.stderr)


def _add_info(commands: _Commands) -> None:
    p = commands.add_parser("info", help="what a series holds: frames, units, tracer, SUV factor")
    _add_series(p)
    _add_overrides(p)
    p.add_argument("--json", action="store_true", help="one JSON object")
    p.set_defaults(run=_info)


def _info(args: argparse.Namespace) -> None:
    from petkinetics.read.info import info_text, series_info

    series = _open_series(args, require_dynamic=False)
    print(json.dumps(series_info(series), ensure_ascii=False) if args.json else info_text(series))


def _add_aorta(commands: _Commands) -> None:
    p = commands.add_parser("aorta", help="propose the region of the aorta, to be checked")
    _add_series(p)
    p.add_argument("-o", "--output", required=True, type=Path, metavar="ROI.nii.gz", help="label map to make")
    p.add_argument("--until", type=float, metavar="MIN", help="use nothing after this, min from injection")
    p.add_argument("--injection-time", metavar="T", help="HH:MM:SS or ISO date and time, in place of the header's")
    p.add_argument("--half-life", type=float, metavar="S", help="in place of the header's (F-18: 6586.2)")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", type=_key_value, help="a reader's option")
    p.add_argument("--json", action="store_true", help="progress as the worker's JSON lines")
    p.set_defaults(run=_aorta)


def _aorta(args: argparse.Namespace) -> None:
    from petkinetics.job import AortaJob

    job = AortaJob(
        str(args.series), str(args.output), args.until, args.injection_time, args.half_life, options=dict(args.set)
    )
    _run(job, args.json)


def _add_input_function(commands: _Commands) -> None:
    p = commands.add_parser("input-function", help="blood curve of an aorta region")
    _add_series(p)
    p.add_argument("--roi", required=True, metavar="ROI[:LABEL]", help="label map of the aorta")
    p.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("input_function.tsv"),
        metavar="FILE",
        help="TSV; PMOD .bld or .crv; .dft",
    )
    _add_overrides(p)
    p.set_defaults(run=_input_function)


def _input_function(args: argparse.Namespace) -> None:
    from petkinetics.input_function.checks import doubts
    from petkinetics.input_function.idif import image_derived_input
    from petkinetics.read.regions import one_region
    from petkinetics.write.curve_formats import blood_files, write_blood_curve
    from petkinetics.write.input_function import write_frames
    from petkinetics.write.staging import staged_files

    output: Path = args.output
    series = _open_series(args)
    found = image_derived_input(series, one_region(args.roi, series.geometry))
    frames = f"{output.stem}_frames.tsv"
    with staged_files(output.absolute().parent, [*blood_files(output), frames]) as folder:
        write_blood_curve(folder / output.name, found.function)
        write_frames(folder / frames, found.frames)
    for sentence in (*found.function.warnings, *doubts(found.function)):
        _warn(sentence)
    peak_s, peak = found.function.peak
    print(f"Whole blood from {found.roi_volume_ml:.1f} mL: peak {peak:.3g} kBq/mL at {peak_s:.0f} s; in {output}")


def _add_tac(commands: _Commands) -> None:
    p = commands.add_parser("tac", help="mean curve of every region over all frames")
    _add_series(p)
    p.add_argument("--roi", required=True, metavar="LABELS", help=_REGIONS)
    p.add_argument(
        "-o", "--output", type=Path, default=Path("tacs.tsv"), metavar="FILE", help="TSV; PMOD .tac or .crv; .dft"
    )
    _add_overrides(p)
    p.set_defaults(run=_tac)


def _tac(args: argparse.Namespace) -> None:
    from petkinetics.evaluate.curves import region_curves
    from petkinetics.read.regions import read_regions
    from petkinetics.write.curve_formats import activity_files, write_activity_curves
    from petkinetics.write.staging import staged_files

    series = _open_series(args)
    curves = region_curves(series, read_regions(args.roi), warn=_warn)
    output: Path = args.output
    with staged_files(output.absolute().parent, activity_files(output)) as folder:
        write_activity_curves(folder / output.name, curves)
    print(f"Curves of {len(curves)} regions over {len(series.timing)} frames in {output}")


def _add_estimate(commands: _Commands) -> None:
    p = commands.add_parser("estimate", help="parametric maps of a dynamic series: Ki, V0, rate constants")
    _add_series(p)
    source = p.add_mutually_exclusive_group(required=True)
    source.add_argument("--roi", metavar="ROI[:LABEL]", help="label map of the aorta")
    source.add_argument("--input-function", metavar="TSV", help="table of a blood curve")
    source.add_argument("--aorta", choices=("auto",), help="find the aorta in the early frames; check the proposal")
    p.add_argument(
        "--method",
        required=True,
        metavar="NAME",
        help="patlak; gaussian, nlm, hypr, total-variation (regularised Patlak); two-tissue, two-tissue-reversible, "
        "one-tissue (compartment models); kinetic-network (learned on simulated patients)",
    )
    p.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="result folder to make")
    p.add_argument("--t-star", type=_t_star, metavar="MIN|auto", help="start of the Patlak fit, min from injection")
    p.add_argument("--until", type=float, metavar="MIN", help="use nothing after this, min from injection")
    p.add_argument("--mask", default="body", metavar="body|none|FILE", help="where to estimate (default: body)")
    p.add_argument("--rois", metavar="LABELS", help="label map of the regions to report")
    p.add_argument("--report", action="store_true", help="report.html and figures")
    plasma = p.add_mutually_exclusive_group()
    plasma.add_argument("--plasma-ratio", type=float, metavar="R", help="plasma/whole-blood ratio")
    plasma.add_argument("--hct", type=float, metavar="H", help="haematocrit, which estimates that ratio for FDG")
    _add_overrides(p)
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    p.add_argument("--weights", metavar="DIR", help="own weights of a learned method (default: those of the engine)")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of methods that draw at random")
    p.add_argument("--samples", type=int, default=0, metavar="N", help="draws for SD maps, where a method can")
    p.add_argument("--no-compress", action="store_true", help="write .nii, not .nii.gz")
    p.add_argument("--hash", action="store_true", help="record SHA-256 of inputs and outputs")
    p.add_argument("--json", action="store_true", help="progress as the worker's JSON lines")
    p.set_defaults(run=_estimate)


def _estimate(args: argparse.Namespace) -> None:
    from petkinetics.job import EstimateJob

    job = EstimateJob(
        series=str(args.series),
        output=str(args.output),
        method=args.method,
        roi=args.roi,
        input_function=args.input_function,
        t_star=args.t_star,
        until_min=args.until,
        mask=args.mask,
        rois=args.rois,
        plasma_ratio=args.plasma_ratio,
        haematocrit=args.hct,
        injection_time=args.injection_time,
        dose_mbq=args.dose,
        weight_kg=args.weight,
        half_life_s=args.half_life,
        device=args.device,
        weights=args.weights,
        seed=args.seed,
        samples=args.samples,
        report=args.report,
        compress=not args.no_compress,
        hashes=args.hash,
        options=dict(args.set),
        aorta=args.aorta,
    )
    _run(job, args.json)


def _run(job: AnyJob, as_json: bool) -> None:
    """Run a job in this process, telling a person or a program how it goes."""
    if as_json:
        from petkinetics.worker import Lines, ProgressLines, tell_started

        lines = Lines(sys.stdout)
        tell_started(lines)
        result = job.run(ProgressLines(lines), lambda sentence: lines.send("warning", message=sentence))
        lines.send("done", result=str(result))
        return
    watched = sys.stderr.isatty()

    def progress(fraction: float, message: str) -> None:
        if watched:
            print(f"\r{100 * fraction:3.0f} %  {message:<40}", end="\n" if fraction >= 1 else "", file=sys.stderr)

    print(f"Done: {job.run(progress, _warn)}")


def _add_suv(commands: _Commands) -> None:
    p = commands.add_parser("suv", help="SUV or mean activity image of a window of time")
    _add_series(p)
    p.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help=".nii.gz or .nii to make")
    p.add_argument(
        "--type",
        choices=("bw", "lbm", "bsa", "activity"),
        default="bw",
        help="by body weight (default), lean body mass or body surface area; activity: kBq/mL at injection",
    )
    p.add_argument("--window", metavar="FROM-TO", help="minutes from injection (default: the last 15 min of the scan)")
    _add_overrides(p)
    p.set_defaults(run=_suv)


def _suv(args: argparse.Namespace) -> None:
    from petkinetics.estimators.window_image import OPTION_NAMES, window_image
    from petkinetics.write.window_image import write_window_image

    series = _open_series(args, require_dynamic=False, more_options=OPTION_NAMES)
    image = window_image(series, args.type, args.window, options=dict(args.set))
    for sentence in (*series.warnings, *image.warnings):
        _warn(sentence)
    write_window_image(series, image, args.output)
    window = f"{image.record['from_s'] / 60:.4g}-{image.record['to_s'] / 60:.4g} min"
    print(f"{image.quantity.symbol} ({image.quantity.unit}), mean of {window} from injection, in {args.output}")


def _add_compare(commands: _Commands) -> None:
    p = commands.add_parser("compare", help="Bland-Altman statistics of two maps in regions")
    p.add_argument("map_a", metavar="MAP_A", type=Path)
    p.add_argument("map_b", metavar="MAP_B", type=Path)
    p.add_argument("--roi", required=True, metavar="LABELS", help="label map")
    p.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="folder to make")
    p.add_argument("--truth", action="store_true", help="MAP_B is the truth: the slope is regressed on it")
    p.set_defaults(run=_compare)


def _compare(args: argparse.Namespace) -> None:
    from petkinetics.write.comparison import write_comparison

    write_comparison(args.map_a, args.map_b, args.roi, args.output, args.truth, _warn)
    print(f"Done: {args.output}")


def _add_export(commands: _Commands) -> None:
    p = commands.add_parser("export", help="maps of a result to DICOM")
    p.add_argument("result", metavar="OUT", type=Path, help="result folder of an estimate")
    p.add_argument("--series", required=True, metavar="DICOM_DIR", help="the series that the maps were estimated from")
    p.add_argument("--to", required=True, metavar="DIR", help="folder for the DICOM files")
    p.add_argument(
        "--as",
        choices=("parametric-map", "pet-image", "both"),
        default="parametric-map",
        dest="formats",
        help="parametric maps (exact floats; the default), PET images (16 bit, for archives without them), or both",
    )
    p.add_argument("--json", action="store_true", help="progress as the worker's JSON lines")
    p.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> None:
    from petkinetics.job import ExportJob

    _run(ExportJob(str(args.result), args.series, args.to, args.formats), args.json)


def _add_report(commands: _Commands) -> None:
    p = commands.add_parser("report", help="one HTML file about a result, with regions and a comparison")
    p.add_argument("result", metavar="OUT", type=Path, help="result folder of an estimate")
    p.add_argument("-o", "--output", required=True, type=Path, metavar="REPORT.html", help="file to make")
    p.add_argument("--rois", metavar="LABELS", help=f"{_REGIONS}; default: the regions of the estimate")
    p.add_argument(
        "--compare", metavar="OTHER", help="a second result folder, or one map of it, compared in the regions"
    )
    p.add_argument("--json", action="store_true", help="progress as the worker's JSON lines")
    p.set_defaults(run=_report)


def _report(args: argparse.Namespace) -> None:
    from petkinetics.job import ReportJob

    _run(ReportJob(str(args.result), str(args.output), args.rois, args.compare), args.json)


def _add_evaluate(commands: _Commands) -> None:
    p = commands.add_parser("evaluate", help="how close a method comes to the truth of simulated patients")
    p.add_argument("method", metavar="NAME", help="as of estimate, judged beside plain patlak; or automatic-aorta")
    p.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder to make")
    p.add_argument("--split", choices=("validation", "test"), default="validation", help="test runs are logged")
    p.add_argument("--patients", type=int, metavar="N", help="the first N of the split (default: all)")
    p.add_argument("--dose", type=float, action="append", metavar="D", help="share of the usual counts; repeatable")
    p.add_argument("--until", type=float, action="append", metavar="MIN", help="end of the scan; repeatable")
    p.add_argument("--t-star", type=float, default=9.0, metavar="MIN", help="start of the fit (default: 9)")
    p.add_argument("--anatomy", default="thorax", help="as of simulate")
    p.add_argument("--size", choices=("small", "full", "mixed"), default="small", help="mixed: aorta only")
    p.add_argument("--slices", type=int, metavar="N", help="only the N middle slices")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", type=_key_value, help="a method's option")
    p.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> None:
    from petkinetics.simulate import aorta_study

    if args.method == aorta_study.METHOD:
        aorta_study.run_aorta_study(args.output, args.split, args.patients, args.size, _shown_progress)
    else:
        _evaluate_estimator(args)
    print((args.output / "study.md").read_text(encoding="utf-8"), end="")
    print(f"Done: {args.output}")


def _evaluate_estimator(args: argparse.Namespace) -> None:
    from petkinetics.simulate.study import Study, run_study

    study = Study(
        method=args.method,
        split=args.split,
        patients=args.patients,
        doses=tuple(args.dose or (1.0,)),
        until_min=tuple(args.until or (None,)),
        t_star_min=args.t_star,
        anatomy=args.anatomy,
        size=args.size,
        slices=args.slices,
        options=dict(args.set),
    )
    run_study(study, args.output, _shown_progress)


def _shown_progress(fraction: float, message: str) -> None:
    """A Progress for whoever watches a terminal."""
    if sys.stderr.isatty():
        print(f"\r{100 * fraction:3.0f} %  {message:<40}", end="\n" if fraction >= 1 else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
