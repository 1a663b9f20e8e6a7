"""Pictures of docs/training.md: a short training with what it learned, and what the prior is shown.

A part of ``make figures``; the training takes a few minutes of one processor core. It is far too short to be
used, and the pictures say so.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from figures_maps import Page, Scan, run
from petkinetics.cli import main as petkinetics
from petkinetics.evaluate.figures import COLOURS, MARKERS
from petkinetics.networks.score_network import SLICES, ScoreNetwork
from petkinetics.networks.weight_files import read_weights
from petkinetics.training.diffusion_prior import PATCH
from petkinetics.training.static_patches import Patches, PatchSampler
from petkinetics.training.static_patient import static_patient
from petkinetics.training.trainer import LOSSES
from petkinetics.write.tables import Value, read_table
from pictures import bare, page_picture

METHOD = "direct-network"
#: as given on the command line
PATIENTS, STEPS = 4, 90
#: static patients and how many patches are drawn from them, to choose from
_STATIC_SEEDS, _DRAWN = (3, 8), 96
#: noise levels that are shown, in units of the image's contrast
_LEVELS = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)


def train(folder: Path) -> list[dict[str, Value]]:
    """The short training; returns the rows of its ``losses.tsv``."""
    arguments = ["train", METHOD, "--preset", "default", "-o", str(folder), "--patients", str(PATIENTS)]
    if status := petkinetics([*arguments, "--steps", str(STEPS), "--workers", "0", "--device", "cpu"]):
        sys.exit(status)
    return read_table(folder / LOSSES)


def draw_course(rows: list[dict[str, Value]]) -> None:
    """Loss and validation over the steps, as ``losses.tsv`` has them."""
    steps = [row["step"] for row in rows]
    with page_picture("training_course.png", 2.6) as drawn:
        left, right = drawn.subplots(1, 2)
        left.plot(steps, [row["train_loss"] for row in rows], color=COLOURS[0], marker="o", markersize=4)
        left.set_title("Loss of the training scans", fontsize=9)
        left.set_ylabel("train_loss (moving average)")
        for number, (column, name) in enumerate(
            (("ki_rmse_ratio", "first 35 min"), ("whole_scan_ki_rmse_ratio", "whole scan"))
        ):
            style = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 4, "label": name}
            right.plot(steps, [row[column] for row in rows], **style)  # type: ignore[arg-type]
        right.axhline(1.0, color="0.45", linestyle=":")
        right.text(steps[-1], 1.02, "plain Patlak", ha="right", va="bottom", fontsize=8, color="0.35")  # type: ignore[arg-type]
        right.set_title("Validation patients: RMSE of Ki ÷ Patlak's", fontsize=9)
        right.set_ylim(bottom=0)
        right.legend(loc="lower left", title="of the")
        for axes in (left, right):
            axes.set_xlabel("step")
            axes.set_xlim(0, STEPS * 1.03)
            axes.grid(axis="y", color="0.9", linewidth=0.7)


def draw_maps(own: Path) -> None:
    """Ki of plain Patlak, of the weights just made, and of those that come with the engine."""
    heading = "First 35 min of a scan of usual dose"
    plain = run(heading, 1.0, 35.0, ("patlak",))
    mine = run(heading, 1.0, 35.0, (METHOD,), own, {"preset": "default"})
    shipped = run(heading, 1.0, 35.0, ("kinetic-network",))
    maps = {
        "patlak": plain.ki["patlak"],
        f"own weights, {STEPS} steps": mine.ki[METHOD],
        "kinetic-network": shipped.ki["kinetic-network"],
    }
    with page_picture("training_maps.png", 3.5) as drawn:
        Page(drawn, [Scan(heading, plain.patient, plain.suv, maps)]).draw()


def patches_by_level() -> Patches:
    """For each level to show the patch nearest to it of many that the training would draw."""
    sampler = PatchSampler([static_patient(seed) for seed in _STATIC_SEEDS], 1, PATCH, measured_share=0.0)
    drawn = sampler.batch(_DRAWN)
    levels = np.log(drawn.level[:, 0].numpy())
    # slope and activity together, and something to be seen
    usable = (drawn.weight[:, 1].numpy() > 0) & (drawn.clean[:, 0].amax((1, 2)).numpy() > 0.8)
    found: list[int] = []
    for level in np.log(_LEVELS):
        distance = np.where(usable, np.abs(levels - level), np.inf)
        distance[found] = np.inf
        found.append(int(distance.argmin()))
    return Patches(*(getattr(drawn, name)[found] for name in Patches.__dataclass_fields__))


def draw_patches(patches: Patches) -> None:
    """What the prior is given, answers and should answer: slopes at several levels of noise."""
    network = ScoreNetwork()
    network.load_state_dict(dict(read_weights("diffusion-prior").tensors))
    network.eval()
    with torch.no_grad():
        answer = network(patches.noisy, patches.sigma, patches.level, patches.condition)[:, 0]
    rows = {"given": patches.noisy[:, 0, SLICES // 2], "answered": answer, "wanted": patches.clean[:, 0]}
    count = len(patches.level)
    with page_picture("prior_patches.png", 3.75) as drawn:
        panels = drawn.subplots(len(rows), count)
        for axes_row, (name, images) in zip(panels, rows.items(), strict=True):
            for column, (axes, image) in enumerate(zip(axes_row, images.numpy(), strict=True)):
                top = 1.2 * float(patches.clean[column, 0].max())
                shown = axes.imshow(
                    np.round(40 * image / top), cmap="inferno", vmin=0, vmax=40, interpolation="nearest"
                )
                bare(axes)
                if name == "given":
                    axes.set_title(f"level {float(patches.level[column, 0]):.2g}", fontsize=8.5, loc="center")
            axes_row[0].set_ylabel(name, fontsize=9)
        bar = drawn.colorbar(shown, ax=panels, shrink=0.7, aspect=22, pad=0.01, extend="both", ticks=[0, 40 / 1.2])
        bar.ax.set_yticklabels(["0", "highest\nof the\npatch"])
        bar.set_label("Ki, relative", labelpad=-18)
        bar.outline.set_linewidth(0.5)


def main() -> None:
    """Train, estimate, draw."""
    draw_patches(patches_by_level())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "own"
        draw_course(train(folder))
        draw_maps(folder)


if __name__ == "__main__":
    main()
