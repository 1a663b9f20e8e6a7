"""The input function as tables: all nodes, and the region's frame means they were made from."""

from __future__ import annotations

from pathlib import Path

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.write.json_text import write_json
from petkinetics.write.tables import write_table


def write_input_function(path: Path, curve: InputFunction) -> None:
    """Write every node: time (s from injection), whole_blood_radioactivity, plasma_radioactivity (kBq/mL).

    Nine significant digits, so that estimating again from the file gives the same maps; a BIDS-style
    sidecar of the same name states units, time zero, decay reference and kind.
    """
    rows = zip(curve.time_s, curve.whole_blood_kbq_per_ml, curve.plasma_kbq_per_ml, strict=True)
    lines = ["time\twhole_blood_radioactivity\tplasma_radioactivity"]
    lines += [f"{t:.9g}\t{whole:.9g}\t{plasma:.9g}" for t, whole, plasma in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    sidecar = {
        "time": {"Description": "Time from injection", "Units": "s"},
        "whole_blood_radioactivity": {"Description": "Activity concentration in whole blood", "Units": "kBq/mL"},
        "plasma_radioactivity": {
            "Description": "Activity concentration that drives the kinetics; "
            + ("whole blood, uncorrected" if curve.kind == "whole blood" else curve.kind),
            "Units": "kBq/mL",
        },
        "TimeZero": "injection",
        "DecayCorrectedTo": "injection",
        "InputFunctionKind": curve.kind,
        "Interpolation": "linear between nodes, zero before the first",
        "Source": curve.source,
    }
    write_json(path.with_suffix(".json"), sidecar)


def write_frames(path: Path, curve: TimeActivityCurve) -> None:
    """Write the region's mean and SD a frame: frame_start, frame_duration (s), mean, sd (kBq/mL)."""
    sd = curve.sd_kbq_per_ml
    rows = [
        {
            "frame_start": float(curve.timing.start_s[i]),
            "frame_duration": float(curve.timing.duration_s[i]),
            "mean": float(curve.mean_kbq_per_ml[i]),
            "sd": None if sd is None else float(sd[i]),
        }
        for i in range(len(curve.timing))
    ]
    write_table(path, rows)
