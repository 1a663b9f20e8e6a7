"""The whole way once, on a simulated patient: what ``make demo`` runs.

Every step is a command that a user can type; the estimate goes through the worker process, as the
Slicer panel is to start it. All files come into ``demo/`` of the current folder, or the folder named.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from petkinetics.job import EstimateJob
from petkinetics.job_file import job_to_json
from petkinetics.write.tables import read_table

#: a patient with lesions in liver, lung, bone marrow and skin
SEED = 35
#: the window of the true Patlak slope that comes with the patient, min
T_STAR_MIN = 9.0
#: so that a second run replaces only what a first one made
MARK = "made by make demo; the next run replaces this folder\n"


def main() -> int:
    """Run the steps; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="demo", type=Path, help="for all files; demo/ where none is named")
    out = parser.parse_args().folder
    began = time.monotonic()
    if not _clear(out):
        print(f"{out}/ holds something that this demo did not make; move it away or name another folder.")
        return 2
    patient, result, comparison, dicom = (out / name for name in ("patient", "result", "comparison", "dicom"))

    _step("1. A thorax patient, simulated, as a GE scanner would write the DICOM series")
    _run("simulate", patient, "--anatomy", "thorax", "--vendor", "ge", "--seed", SEED)

    _step("2. Read it back")
    _run("info", patient / "dicom")

    _step("3. Ki and V0 by Patlak, input function from the aorta, in the worker process")
    # In a clinic, one venous sample gives the ratio; the simulator knows it.
    ratio = json.loads((patient / "simulation.json").read_text(encoding="utf-8"))["plasma_to_whole_blood"]
    job = EstimateJob(
        series=str(patient / "dicom"),
        output=str(result),
        method="patlak",
        roi=str(patient / "aorta.nii.gz"),
        t_star=T_STAR_MIN,
        rois=str(patient / "lesions.nii.gz"),
        plasma_ratio=round(ratio, 3),
        report=True,
    )
    _work(job, out / "job.json")

    _step("4. Compare with the truth: Patlak of the noise-free, equally blurred patient")
    truth = patient / "truth" / "ki_patlak_9_65.nii.gz"
    _run("compare", result / "ki.nii.gz", truth, "--roi", patient / "lesions.nii.gz", "--truth", "-o", comparison)
    _print_lesions(result / "roi.tsv", comparison / "bland_altman.tsv")

    _step("5. The maps as DICOM, for the PACS")
    _run("export", result, "--series", patient / "dicom", "--to", dicom)

    _step(f"Done in {time.monotonic() - began:.0f} s. What there is now:")
    for path, what in (
        (result / "report.html", "the report; open it in a browser"),
        (result / "figures" / "ki_over_anatomy.png", "Ki in colour over the late PET"),
        (result / "ki.nii.gz", "Ki, mL/min/mL; beside it V0, their SDs, residual, SUV, result.json"),
        (result / "roi.tsv", "Ki and V0 of every lesion"),
        (comparison / "report.html", "Bland-Altman against the truth"),
        (dicom, f"DICOM Parametric Maps, {len(list(dicom.glob('*.dcm')))} files"),
        (patient / "dicom", f"the simulated series, {len(list((patient / 'dicom').glob('*')))} files"),
        (patient / "truth", "what is true of this patient"),
    ):
        if not path.exists():
            print(f"  {path} is missing")
            return 1
        print(f"  {path!s:<40} {what}")
    print("\nFor research, not for diagnosis: not a medical device.")
    return 0


def _clear(out: Path) -> bool:
    mark = out / "ABOUT.txt"
    if out.exists():
        if not mark.is_file() or mark.read_text(encoding="utf-8") != MARK:
            return False
        shutil.rmtree(out)
    out.mkdir(parents=True)
    mark.write_text(MARK, encoding="utf-8")
    return True


def _step(title: str) -> None:
    print(f"\n{title}", flush=True)


def _run(*arguments: object) -> None:
    """Run a command of petkinetics, showing it; a failure ends the demo with the command's status."""
    words = [str(argument) for argument in arguments]
    print(f"  $ petkinetics {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "petkinetics", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
    print("".join(f"  {line}\n" for line in done.stdout.splitlines()), end="", flush=True)
    if done.returncode:
        sys.exit(done.returncode)


def _work(job: EstimateJob, file: Path) -> None:
    """Run a job in the worker, showing what it says; stdin stays open, since its end cancels the work."""
    file.write_text(job_to_json(job), encoding="utf-8")
    print(f"  $ python -m petkinetics.worker {file}", flush=True)
    command = [sys.executable, "-m", "petkinetics.worker", str(file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8") as worker:
        assert worker.stdout is not None
        last = ""
        for line in worker.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["message"] != last:
                last = event["message"]
                print(f"  {100 * event['fraction']:3.0f} %  {last}", flush=True)
            elif event["event"] in ("warning", "error"):
                print(f"  {event['event']}: {event['message']} {event.get('hint', '')}".rstrip(), flush=True)
            elif event["event"] == "done":
                print(f"  result in {event['result']}", flush=True)
        status = worker.wait()
    if status:
        sys.exit(status)


def _print_lesions(regions: Path, agreement: Path) -> None:
    against = {row["roi"]: row for row in read_table(agreement)}
    print(f"\n  {'Ki, mL/min/mL':<36} {'mL':>5}   {'mean ± SE':<17} truth    mean - truth")
    for row in read_table(regions):
        compared = against.get(row["roi"])
        if row["map"] != "ki" or compared is None or compared["n"] != row["voxels"]:
            continue
        mean, se, bias = (float(value or 0) for value in (row["mean"], row["se"], compared["bias"]))
        numbers = f"{mean:.4f} ± {se:.4f}   {mean - bias:.4f}   {bias:+.4f}"
        print(f"  {row['roi']:<36} {row['volume_ml']:5.1f}   {numbers}")


if __name__ == "__main__":
    sys.exit(main())
