"""The methods that a person can choose: what each does in a sentence, and how long it takes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from DynamicPETKineticsLib.runs.method_speed import slowness
from DynamicPETKineticsLib.translation import _
from petkinetics.estimators import METHODS as ENGINE_METHODS

#: start of the process, imports, the blood, tables: whatever the size
FIXED_S = 1.0
#: handing the series over and loading the maps, seconds per million voxels x frames
TRANSFER_S = 0.005


@dataclass(frozen=True)
class Method:
    """A method as the panel offers it.

    :param name: of the engine.
    :param title: in the list, and in the names of results.
    :param sentence: what it does, for clinicians.
    :param uses_t_star: whether it fits only what follows t*.
    :param learned: whether it was trained (on simulated patients).
    :param seconds_per_million_voxels: of computing, per million voxels x frames, on the reference machine;
        measured by Testing/benchmarks/method_times.py on two shared cores (the engine uses no more), with other
        programs running as beside a Slicer; alone they take a third less.
    """

    name: str
    title: str
    sentence: str
    uses_t_star: bool
    learned: bool
    seconds_per_million_voxels: float


def _catalogue() -> tuple[Method, ...]:
    return (
        Method(
            "patlak",
            _("Patlak"),
            _("The standard for FDG: the slope of uptake over blood after t* is Ki, voxel by voxel."),
            True,
            False,
            0.006,
        ),
        Method(
            "gaussian",
            _("Patlak, smoothed"),
            _("Patlak, then a Gaussian filter: calmer maps, but small lesions lose height."),
            True,
            False,
            0.02,
        ),
        Method(
            "nlm",
            _("Patlak, non-local means"),
            _("Patlak, averaged over voxels that look alike: less noise, edges mostly kept."),
            True,
            False,
            0.37,
        ),
        Method(
            "hypr",
            _("Patlak, HYPR"),
            _("Patlak with the detail of the summed late image: less noise where uptake keeps its pattern over time."),
            True,
            False,
            0.013,
        ),
        Method(
            "total-variation",
            _("Patlak, total variation"),
            _("Patlak that prefers smooth regions with sharp borders: quiet maps, lesions keep their outline."),
            True,
            False,
            0.018,
        ),
        Method(
            "diffusion-prior",
            _("Patlak, diffusion prior"),
            _("Patlak under a learned prior of static PET images: quiet maps from few counts."),
            True,
            True,
            0.58,
        ),
        Method(
            "two-tissue",
            _("Two-tissue, irreversible"),
            _("Fits blood fraction, transport and trapping (K1, k2, k3) to the whole scan; needs the early frames."),
            False,
            False,
            0.046,
        ),
        Method(
            "two-tissue-reversible",
            _("Two-tissue, reversible"),
            _("As two-tissue, with release from the tissue (k4): for tracers or tissues that do not trap for good."),
            False,
            False,
            1.0,
        ),
        Method(
            "one-tissue",
            _("One-tissue"),
            _("Transport in and out only (K1, k2): for perfusion tracers such as water, not for FDG trapping."),
            False,
            False,
            0.037,
        ),
        Method(
            "kinetic-network",
            _("Kinetic network"),
            _("Full-scan Ki from the first half hour: a network with the two-tissue model inside, any frames."),
            False,
            True,
            0.15,
        ),
        Method(
            "direct-network",
            _("Network without kinetic model"),
            _("For comparison: late images and Ki guessed from early ones; needs the frames it was trained for."),
            False,
            True,
            1.0,
        ),
    )


#: those that the engine has
METHODS: tuple[Method, ...] = tuple(method for method in _catalogue() if method.name in ENGINE_METHODS)


def method_named(name: str) -> Method:
    """The method of a name; one that has no entry here stands under its own name."""
    return next((m for m in METHODS if m.name == name), Method(name, name, "", False, False, 0.1))


def expected_minutes(method: Method | str, shape: Sequence[int]) -> float:
    """About how long a run takes on this machine, from the click to the maps.

    :param shape: of the series, (frames, slices, rows, columns).
    """
    if isinstance(method, str):
        method = method_named(method)
    millions = prod(shape) / 1e6
    reference_s = FIXED_S + millions * (TRANSFER_S + method.seconds_per_million_voxels)
    return slowness() * reference_s / 60.0
