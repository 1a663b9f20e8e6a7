"""What a volume sequence of 3D Slicer and the user state, and what neither does, to be asked for together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from petkinetics.errors import InputError

#: options (``--set``) that state what a sequence does not
STATEMENTS = ("frames", "first_frame", "units", "decay_corrected_to")
#: of our own attributes
PREFIX = "DynamicPET."


@dataclass(frozen=True)
class Unsaid:
    """Something that a sequence does not state and that nothing works without.

    :param key: one of :data:`STATEMENTS`, or "half_life_s".
    :param what: in words, to stand after "does not state".
    :param how: the option of the command line that states it.
    """

    key: str
    what: str
    how: str


class SequenceStatements:
    """The attributes of a sequence and of its frames, and what the user says.

    :param name: of the sequence, for sentences.
    :param attributes: of the sequence.
    :param items: the attributes of every frame.
    :param index: the frames' index values, as text.
    :param index_unit: their unit, "" where there is none.
    :param statements: what the user says (:data:`STATEMENTS`), stronger than the sequence.

    ``own`` holds our own attributes without their prefix, ``notes`` sentences on what was assumed, ``unsaid`` what was
    missing.
    """

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, str],
        items: Sequence[Mapping[str, str]],
        index: Sequence[str] = (),
        index_unit: str = "",
        statements: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.frames = name, len(items)
        self.statements = dict(statements or {})
        self.pairs = attributes
        self.own = {k.removeprefix(PREFIX): v for k, v in attributes.items() if k.startswith(PREFIX)}
        self.items, self.index, self.index_unit = items, index, index_unit.lower()
        self.notes: list[str] = []
        self.unsaid: list[Unsaid] = []

    def ask(self, key: str, what: str, how: str) -> None:
        """Note that something is missing, once; see :class:`Unsaid`."""
        if not any(asked.key == key for asked in self.unsaid):
            self.unsaid.append(Unsaid(key, what, how))

    def require_complete(self) -> None:
        """Ask for what is missing.

        :raises InputError: something is.
        """
        if self.unsaid:
            what = ", ".join(asked.what for asked in self.unsaid)
            raise InputError(
                f"{self.name} does not state {what}.",
                "State it with " + " ".join(asked.how for asked in self.unsaid) + ".",
            )

    def of_every_frame(self, attribute: str) -> str | None:
        """An attribute that all frames share; None where no frame has it.

        :raises InputError: the frames differ in it.
        """
        found = {item.get(PREFIX + attribute) for item in self.items}
        if len(found) > 1:
            raise InputError(
                f"The frames of {self.name} differ in {PREFIX}{attribute}: {', '.join(sorted(map(str, found)))}."
            )
        return next(iter(found))

    def positive(self, attribute: str) -> float | None:
        """One of our own attributes as a number above zero; None where it is not there.

        :raises InputError: it is no such number.
        """
        text = self.own.get(attribute)
        if text is None or not text.strip():
            return None
        value = self.number(text, PREFIX + attribute)
        if not value > 0:
            raise InputError(f"{PREFIX}{attribute} in {self.name} is {text}; it must be above zero.")
        return value

    def number(self, text: str, what: str) -> float:
        """A text as a finite number.

        :param what: it is, for the sentence.
        :raises InputError: it is none.
        """
        try:
            value = float(text)
        except ValueError as error:
            raise InputError(f"{what} in {self.name} is '{text}', not a number.") from error
        if not np.isfinite(value):
            raise InputError(f"{what} in {self.name} is {text}, not a finite number.")
        return value

    def recorded(self, attribute: str) -> object:
        """A record kept as JSON; None where there is none, or another program's text."""
        text = self.own.get(attribute)
        try:
            return json.loads(text) if text else None
        except ValueError:
            return None
