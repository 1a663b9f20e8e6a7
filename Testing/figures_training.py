"""Pictures of docs/training.md: a short training with what it learned, and what the prior is shown.

A part of ``make figures``; the training takes a few minutes of one processor core. It is far too short to be
used, and the pictures say so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from figures_maps import Page, Way, run
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

#: of the short training, as given on the command line
METHOD, PATIENTS, STEPS = "diffusion-prior", 4, 120
#: what is judged: the prior without a learned start
_ALONE = {"solver": "hqs"}
#: static patients and how many patches are drawn from them, to choose from
_STATIC_SEEDS, _DRAWN = (3, 8), 96
#: noise levels that are shown, in units of the image's contrast
_LEVELS = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)


def train(folder: Path) -> list[dict[str, Value]]:
    """The short training; returns the rows of its ``losses.tsv``."""
    arguments = ["train", METHOD, "-o", str(folder), "--patients", str(PATIENTS), "--steps", str(STEPS)]
    if status := petkinetics([*arguments, "--workers", "0", "--device", "cpu"]):
        sys.exit(status)
    return read_table(folder / LOSSES)


def draw_course(rows: list[dict[str, Value]]) -> None:
    """Loss and validation over the steps, as ``losses.tsv`` has them."""
    steps = [row["step"] for row in rows]
    reached = read_weights(METHOD).card["validation"]
    with page_picture("training_course.png", 2.5) as drawn:
        left, right = drawn.subplots(1, 2, sharey=True)
        left.plot(steps, [row["train_loss"] for row in rows], color="0.35", marker=".", label="train_loss")
        left.set_title("Training patches, moving average", fontsize=9)
        for number, column in enumerate(("ki", "activity")):
            style = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 4, "label": column}
            right.plot(steps, [row[column] for row in rows], **style)  # type: ignore[arg-type]
            right.axhline(reached[column], color=COLOURS[number], linestyle=":")
        right.text(STEPS, 0.26, "the engine's weights", ha="right", va="bottom", fontsize=8, color="0.3")
        right.set_title("Validation patients", fontsize=9)
        left.set_ylabel("squared error (1: nothing learned)")
        left.set_ylim(0, 1.05)
        for axes in (left, right):
            axes.legend(loc="lower left", ncols=2, bbox_to_anchor=(0.0, 0.03))
            axes.set_xlabel("step")
            axes.set_xlim(0, STEPS * 1.03)
            axes.grid(axis="y", color="0.9", linewidth=0.7)


def draw_maps(own: Path) -> None:
    """Ki of plain Patlak, of the prior just trained, and of the one that comes with the engine."""
    ways = (
        Way("patlak"),
        Way(METHOD, f"trained for {STEPS} steps", own, _ALONE),
        Way(METHOD, "the engine's weights", None, _ALONE),
    )
    scan = run("All 65 min at a quarter of the dose", 0.25, None, ways)
    with page_picture("training_maps.png", 3.4) as drawn:
        Page(drawn, [scan]).draw()


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    draw_patches(patches_by_level())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "own"
        draw_course(train(folder))
        draw_maps(folder)


if __name__ == "__main__":
    main()
