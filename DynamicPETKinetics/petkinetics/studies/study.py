"""Studies of methods on simulated patients: what ``petkinetics evaluate`` runs.

Every patient is simulated in each dose and world, its input function is taken from the aorta region of its
noisy images (and, for comparison, the true curve), and the method is judged beside plain weighted
Patlak on the same frames. A learned method also stands beside the classical methods and the noisy full
scan, and its gates are checked. Tuning uses validation seeds; runs on test seeds are logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.estimators.patlak import Patlak
from petkinetics.simulate.patient import PATLAK_WINDOW_MIN
from petkinetics.simulate.seeds import TEST_SEEDS, VALIDATION_SEEDS
from petkinetics.studies.contestants import (
    CLASSICAL,
    FULL_SCAN,
    Contestant,
    classical,
    others,
    require_ki,
)
from petkinetics.studies.gates import GATES
from petkinetics.studies.names import AORTA, INPUTS, LEARNED, USUAL
from petkinetics.studies.worlds import World

SPLITS = {"validation": VALIDATION_SEEDS, "test": TEST_SEEDS}


@dataclass(frozen=True)
class Study:
    """What to run.

    :param method: name of the estimator.
    :param split: "validation" or "test".
    :param patients: how many seeds from the split's first; None for all.
    :param doses: fractions of a usual scan's counts.
    :param until_min: ends of the scans, minutes; None for the full one.
    :param t_star_min: start of the linear part: that of the reference.
    :param slices: only the middle slices; None for all.
    :param options: of the method.
    :param beside: who else takes part: "classical", "full-scan" or METHOD[:key=value,...]; None: the first
        two for learned methods, nobody for others.
    :param worlds: besides the usual one, see :class:`petkinetics.studies.worlds.World`.
    :param world_doses: those of *doses* at which the other worlds are run; empty for all.
    :param worlds_alone: in the other worlds only plain Patlak and the method are run, with the aorta region's curve.
    :param gates: whose gates to check, a name in :data:`petkinetics.studies.gates.GATES`; None: the method's own.
    :param weights: folder of own weights of learned methods; *seed* and *samples* as of an estimate.
    :param full: with the image metrics and figures of the papers (:mod:`petkinetics.studies.paper_study`).
    :raises InputError: something cannot be studied.
    """

    method: str
    split: str = "validation"
    patients: int | None = None
    doses: Sequence[float] = (1.0,)
    until_min: Sequence[float | None] = (None,)
    t_star_min: float = PATLAK_WINDOW_MIN[0]
    anatomy: str = "thorax"
    size: str = "small"
    slices: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    beside: Sequence[str] | None = None
    worlds: Sequence[str] = ()
    world_doses: Sequence[float] = ()
    worlds_alone: bool = False
    gates: str | None = None
    full: bool = False
    weights: Path | None = None
    seed: int = 0
    samples: int = 0

    def __post_init__(self) -> None:
        require_ki(self.method, self.options)
        others(self.company)
        for text in self.worlds:
            World.parse(text)
        if len(set(self.all_worlds)) <= len(self.worlds):
            raise InputError("A world is named twice, or is the usual one, which is always there.")
        if set(self.world_doses) - set(self.doses):
            raise InputError("The doses of the other worlds must be among those of the study.")
        if self.gates is not None and self.gates not in GATES:
            raise InputError(f"There are no gates of '{self.gates}'; there are those of {', '.join(GATES)}.")
        if self.split not in SPLITS:
            raise InputError(f"'{self.split}' is not a split; it is {' or '.join(SPLITS)}.")
        if self.patients is not None and not 1 <= self.patients <= len(SPLITS[self.split]):
            raise InputError(f"There are 1 to {len(SPLITS[self.split])} patients in the {self.split} split.")

    @property
    def seeds(self) -> list[int]:
        """The patients."""
        return list(SPLITS[self.split])[: self.patients]

    @property
    def company(self) -> tuple[str, ...]:
        """Who else takes part."""
        if self.beside is not None:
            return tuple(self.beside)
        return (CLASSICAL, FULL_SCAN) if self.method in LEARNED or self.gates or self.full else ()

    @property
    def all_worlds(self) -> tuple[str, ...]:
        """The worlds, the usual one first."""
        return (USUAL, *self.worlds)

    @property
    def cases(self) -> list[tuple[int, float, str]]:
        """Seed, dose and world of every patient to simulate."""
        at = self.world_doses or self.doses
        return [
            (seed, dose, world)
            for seed in self.seeds
            for dose in self.doses
            for world in self.all_worlds
            if world == USUAL or dose in at
        ]

    def inputs(self, world: str) -> tuple[str, ...]:
        """Where the input function comes from."""
        return (AORTA,) if self.worlds_alone and world != USUAL else INPUTS

    def contestants(self, world: str, dose: float, until: float | None, source: str) -> list[Contestant]:
        """Who is run on one patient's data, of *dose* (a factor) to *until* (min): plain Patlak first, then the method.

        With the true curve only these two; in unseen worlds the classical methods at their automatic strength.
        """
        found = [Contestant(Patlak.method, Patlak.method)]
        if self.method != Patlak.method or self.options:
            found.append(Contestant(self.method, self.method, self.options, samples=self.samples))
        if source == AORTA and not (self.worlds_alone and world != USUAL):
            found += others(self.company)
            if CLASSICAL in self.company:
                found += classical(dose, until, tuned=world == USUAL)
        unique: dict[str, Contestant] = {}
        for one in found:
            unique.setdefault(one.label, one)
        return list(unique.values())
