"""Colour tables that Slicer reads from files of its own: ours have the same names and about the same colours."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

# Red, green and blue at even distances between the lowest and the highest value.
ANCHORS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "Inferno": ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)),
    "Viridis": ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)),
    "Plasma": ((13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33)),
    "Magma": ((0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)),
    "DivergingBlueRed": ((59, 76, 192), (141, 176, 254), (221, 221, 221), (244, 152, 122), (180, 4, 38)),
    "ColdToHotRainbow": ((0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)),
}


def write_color_files(folder: Path) -> None:
    """One text file of 256 colours a table into `folder`, in the format of Slicer's .txt tables."""
    folder.mkdir(parents=True)
    levels = np.linspace(0, 4, 256)
    for name, anchors in ANCHORS.items():
        channels = [np.interp(levels, range(5), column).round().astype(int) for column in zip(*anchors, strict=True)]
        _write(folder, name, zip(*channels, strict=True))
    # Of labels: neighbours differ, by steps of the golden ratio around the hue circle.
    hues = (colorsys.hsv_to_rgb(label * 0.618 % 1, 0.6, 0.9) for label in range(300))
    _write(folder, "GenericColors", ((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in hues))


def _write(folder: Path, name: str, colors: Iterable[tuple[int, ...]]) -> None:
    rows = [f"{i} {name}{i} {r} {g} {b} 255" for i, (r, g, b) in enumerate(colors)]
    (folder / f"{name}.txt").write_text("\n".join([f"# {name}", *rows, ""]), encoding="utf-8")
