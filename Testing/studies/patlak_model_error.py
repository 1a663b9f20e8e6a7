"""How far Patlak's slope lies from Ki without any noise: the table in docs/methods.md.

    python Testing/studies/patlak_model_error.py [--write]

The two-tissue model is exact here, so what is shown is the model error of the graphical method alone: a line is fitted
to a curve that only approaches one, and with k4 > 0 does not even do that.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import net_influx, two_tissue_frames
from petkinetics.kinetics.patlak import fit_curve, patlak_design, weighted_fit
from petkinetics.simulate.blood import BloodParameters, input_function

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "methods.md"
#: the median of the simulator's input functions: (A1, A2, A3) kBq/mL, (lambda1, lambda2, lambda3) 1/min
_BLOOD = BloodParameters((297.7, 16.39, 9.33, 3.58, 0.443, 0.0151), delay_s=15.0, injection_s=15.0, plasma_ratio=1.12)
#: K1 (mL/min/mL), k2, k3, k4 (1/min), fv
TISSUES = {
    "muscle (simulator)": (0.035, 0.21, 0.0155, 0.0, 0.03),
    "liver (simulator)": (0.9, 0.95, 0.0042, 0.0, 0.15),
    "lesion, slow exchange": (0.05, 0.06, 0.03, 0.0, 0.05),
    "grey matter (Huang 1980), k4 left out": (0.102, 0.130, 0.062, 0.0, 0.05),
    "grey matter (Huang 1980)": (0.102, 0.130, 0.062, 0.0068, 0.05),
    "white matter (Huang 1980)": (0.054, 0.109, 0.045, 0.0058, 0.03),
}
WINDOWS = ((9.0, 35.0), (9.0, 65.0), (30.0, 65.0))


def slope(tissue: str, t_star_min: float, until_min: float) -> float:
    """Patlak's slope in the window, true plasma, mL/min/mL."""
    timing = FrameTiming.parse("liang2023")
    used = timing.select(timing.window(t_star_min, until_min))
    blood = input_function(_BLOOD, 3900.0)
    frames = two_tissue_frames(blood, used, *TISSUES[tissue])
    return fit_curve(weighted_fit(patlak_design(blood, used), used.duration_s), frames).ki


def table() -> str:
    """Slope over (1 - fv) K1 k3 / (k2 + k3), minus 1, for tissues and windows."""
    lines = [
        "| tissue | Ki (mL/min/mL) | " + " | ".join(f"{a:g}–{b:g} min" for a, b in WINDOWS) + " |",
        "|---|---" + "|---" * len(WINDOWS) + "|",
    ]
    for tissue, (k1, k2, k3, _, fv) in TISSUES.items():
        ki = float(net_influx(k1, k2, k3, fv))
        errors = " | ".join(f"{100 * (slope(tissue, *w) / ki - 1):+.1f} %" for w in WINDOWS)
        lines.append(f"| {tissue} | {ki:.4f} | {errors} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or write it into the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    if not parser.parse_args().write:
        print(table())
        return
    text = DOCUMENT.read_text(encoding="utf-8")
    pattern = r"(<!-- table patlak model error -->\n).*?(<!-- end -->)"
    text, count = re.subn(pattern, lambda match: match[1] + table() + "\n" + match[2], text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{DOCUMENT.name} has {count} places for the table, not one.")
    DOCUMENT.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
