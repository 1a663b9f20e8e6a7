"""Draw the extension's and the module's icon: a hot spot, and the straight line whose slope is Ki."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
ICONS = {
    ROOT / "Resources" / "DynamicPETKinetics.png": 256,
    ROOT / "DynamicPETKinetics" / "Resources" / "Icons" / "DynamicPETKinetics.png": 128,
}


def draw(path: Path, pixels: int) -> None:
    """One icon, square, with transparent corners."""
    figure = plt.figure(figsize=(1, 1), dpi=pixels)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    tile = FancyBboxPatch(
        (0.06, 0.06), 0.88, 0.88, boxstyle="round,pad=0.02,rounding_size=0.14", fc="#17202f", ec="none"
    )
    axes.add_patch(tile)
    y, x = np.mgrid[0:1:256j, 0:1:256j]
    spot = np.exp(-((x - 0.66) ** 2 + (y - 0.62) ** 2) / 0.028)
    picture = plt.get_cmap("inferno")(0.12 + 0.88 * spot)
    picture[..., 3] = np.clip(2.2 * spot, 0, 1)
    shown = axes.imshow(picture, extent=(0, 1, 0, 1), origin="lower", zorder=2)
    shown.set_clip_path(tile)
    points = np.linspace(0.2, 0.84, 6)
    line = 0.16 + 0.62 * points
    axes.plot(
        [0.14, 0.9], [0.16 + 0.62 * 0.14, 0.16 + 0.62 * 0.9], color="white", lw=2.6, zorder=3, solid_capstyle="round"
    )
    axes.scatter(points, line + np.array([0.02, -0.025, 0.02, -0.015, 0.02, -0.01]), s=15, color="#7fc8ff", zorder=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, transparent=True, dpi=pixels)
    plt.close(figure)
    print(path.relative_to(ROOT))


def main() -> None:
    """Draw both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    for target, size in ICONS.items():
        draw(target, size)


if __name__ == "__main__":
    main()
