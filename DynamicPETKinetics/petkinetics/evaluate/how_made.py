"""How a map was made, as far as it decides with which others it can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from petkinetics.evaluate.record_values import mapping_of, number_of, rows_of
from petkinetics.maps import ParametricMap

#: windows whose ends lie closer are the same, s
_SAME_WINDOW_S = 1.0


@dataclass(frozen=True)
class HowMade:
    """What a map's result says; "" or None where it says nothing, as of a map without a result.

    :param blood: kind of input function, "whole blood", "plasma" or "parent plasma".
    :param label: what its Ki is called.
    :param window_s: start of the first and end of the last frame used, from injection.
    :param fitted_from: t* in minutes; None for methods that use all frames, whose start says nothing.
    """

    blood: str = ""
    label: str = ""
    window_s: tuple[float, float] | None = None
    fitted_from: float | None = None

    @classmethod
    def of(cls, shown: ParametricMap) -> HowMade:
        """From a map's provenance: a record of a result, or keys as of an exported map's history."""
        record: Mapping[str, Any] = shown.provenance
        derived = mapping_of(mapping_of(record.get("derived")).get(shown.quantity.name))
        if "from_s" in derived:
            window = (number_of(derived["from_s"]), number_of(derived["to_s"]))
            return cls(window_s=window, fitted_from=window[0] / 60.0)
        blood = record.get("input_function_kind") or mapping_of(record.get("input_function")).get("kind")
        window_s, frames = record.get("window_s"), rows_of(record.get("frames_used"))
        if window_s is None and frames and "duration_s" in frames[-1]:
            last = frames[-1]
            window_s = (number_of(frames[0]["start_s"]), number_of(last["start_s"]) + number_of(last["duration_s"]))
        return cls(
            blood=str(blood or ""),
            label=str(record.get("ki_label") or ""),
            window_s=None if window_s is None else (float(window_s[0]), float(window_s[1])),
            fitted_from=record.get("t_star_min"),
        )

    def same_blood(self, other: HowMade) -> bool:
        """Whether nothing speaks against one kind of input function."""
        if self.blood and other.blood:
            return self.blood == other.blood
        return not (self.label and other.label) or self.label == other.label

    def same_window(self, other: HowMade) -> bool:
        """Whether nothing speaks against one window: its end, and where both have a t*, its start."""
        if self.window_s is None or other.window_s is None:
            return True
        starts = self.fitted_from is not None and other.fitted_from is not None
        apart = [abs(self.window_s[1] - other.window_s[1]), abs(self.window_s[0] - other.window_s[0]) * starts]
        return max(apart) <= _SAME_WINDOW_S

    @property
    def window(self) -> str:
        """Such as "30-65 min"."""
        return "" if self.window_s is None else f"{self.window_s[0] / 60:.4g}-{self.window_s[1] / 60:.4g} min"


def differences_in_making(a: ParametricMap, b: ParametricMap, name_a: str, name_b: str) -> list[str]:
    """Sentences about what sets two maps apart besides their method; none where their results say nothing of it."""
    how_a, how_b = HowMade.of(a), HowMade.of(b)
    said = []
    if not how_a.same_blood(how_b):
        kind_a, kind_b = how_a.blood or how_a.label, how_b.blood or how_b.label
        said.append(
            f"The maps have different input functions: {name_a} has {kind_a}, {name_b} has {kind_b}. Their differences "
            "hold those of the input functions."
        )
    if not how_a.same_window(how_b):
        said.append(
            f"The maps were made of different windows: {name_a} of {how_a.window}, {name_b} of {how_b.window}. Their "
            "differences hold those of the windows."
        )
    return said


def told_apart(a: ParametricMap, b: ParametricMap, name_a: str, name_b: str) -> tuple[str, str]:
    """Two names that differ: with window and input function where these differ, else with (A) and (B).

    Folders do not help: they may be named after the patient.
    """
    if name_a != name_b:
        return name_a, name_b
    how_a, how_b = HowMade.of(a), HowMade.of(b)
    more: list[tuple[str, str]] = []
    if not how_a.same_blood(how_b):
        more.append((how_a.blood or how_a.label, how_b.blood or how_b.label))
    if not how_a.same_window(how_b):
        more.append((how_a.window, how_b.window))
    if not more:
        return f"{name_a} (A)", f"{name_b} (B)"
    words_a, words_b = (", ".join(pair[i] for pair in more) for i in (0, 1))
    return f"{name_a} ({words_a})", f"{name_b} ({words_b})"
