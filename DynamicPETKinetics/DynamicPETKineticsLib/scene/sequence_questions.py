"""What a sequence does not say, as questions to the person in front of it."""

from __future__ import annotations

from dataclasses import dataclass

from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.read.sequence_attributes import SequenceAttributes


@dataclass(frozen=True)
class Missing:
    """One value to be typed.

    :param key: see :meth:`~DynamicPETKineticsLib.scene.dynamic_sequence.DynamicSequence.set_value`.
    :param question: in plain words, with the unit.
    :param example: of an answer.
    """

    key: str
    question: str
    example: str


def question(key: str) -> Missing:
    """The question for a value."""
    asked, example = {
        "frames": (_("How long does each frame last (count x seconds)?"), "6x10,4x30,4x60,4x120,10x300"),
        "first_frame": (_("When did the first frame start (s from injection)?"), "0"),
        "units": (_("What is the unit of the voxels (Bq/mL, kBq/mL, g/mL)?"), "Bq/mL"),
        "decay_corrected_to": (
            _("To which moment are voxels decay-corrected (injection, none, or s from injection)?"),
            "injection",
        ),
        "half_life_s": (_("Which nuclide, or which half-life (s)?"), "F-18"),
        "injected_activity_mbq": (_("Injected activity (MBq)?"), "300"),
        "weight_kg": (_("Patient's weight (kg)?"), "70"),
    }[key]
    return Missing(key, asked, example)


def missing_of(said: SequenceAttributes | InputError) -> tuple[Missing, ...]:
    """What nothing works without. Times that contradict each other have to be typed again."""
    if isinstance(said, InputError):
        return (question("frames"), question("first_frame"))
    keys = [unsaid.key for unsaid in said.unsaid]
    if said.units:
        if said.is_suv:
            keys += _recipient(said)
        else:
            try:
                said.kbq_per_stored_unit()
            except InputError:
                keys.append("units")
    return tuple(question(key) for key in keys)


def wanting_of(said: SequenceAttributes | InputError) -> tuple[Missing, ...]:
    """What only SUV needs; nothing where voxels are SUV, which cannot do without."""
    if isinstance(said, InputError) or said.is_suv:
        return ()
    return tuple(question(key) for key in _recipient(said))


def _recipient(said: SequenceAttributes) -> list[str]:
    given = {"injected_activity_mbq": said.dose_mbq, "weight_kg": said.weight_kg}
    return [key for key, value in given.items() if not value]
