"""Sizes and ranges of the networks, by name."""

from __future__ import annotations

from dataclasses import dataclass

from petkinetics.errors import InputError

#: upper bounds of the sigmoids: fv, K1 (mL/min/mL), k2, k3, k4 (1/min). The paper's plain sigmoids end at 1 and
#: could not reach the k2 of lung or spleen (public simulators use up to 2.7).
UPPER_BOUNDS = (1.0, 2.0, 3.0, 0.5, 0.05)
PARAMETERS = ("fv", "k1", "k2", "k3", "k4")


@dataclass(frozen=True)
class Preset:
    """A network of the paper's kind.

    :param name: as ``--set preset=`` names it.
    :param channels: of the U-Net's levels.
    :param maps_a_frame: maps that the feature extractor makes of each early frame.
    :param pointwise: widths of the hidden layers of the point-wise network.
    """

    name: str
    channels: tuple[int, ...]
    maps_a_frame: int
    pointwise: tuple[int, ...]


#: the paper's size: four levels, 64 to 1024 channels, 10 maps a frame
LIANG2023 = Preset("liang2023", (64, 128, 256, 512, 1024), 10, (128, 64))
#: the same code, small enough to train on a processor; stands for the paper in studies
COMPACT = Preset("compact", (8, 16, 32, 64), 10, (64, 32))
PRESETS = {preset.name: preset for preset in (LIANG2023, COMPACT)}


def preset_named(name: str) -> Preset:
    """The preset of a name.

    :raises InputError: there is none.
    """
    if name not in PRESETS:
        raise InputError(f"There is no preset '{name}'; there is {', '.join(PRESETS)}.")
    return PRESETS[name]
