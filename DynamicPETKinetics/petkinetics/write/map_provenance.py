"""What a map's provenance says that an exported object repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from petkinetics import __version__


@dataclass(frozen=True)
class MapProvenance:
    """How a map was made; what is not known is "" or None.

    :param method: name of the estimator ("patlak").
    :param version: of petkinetics that estimated the map.
    :param blood: kind of input function, "whole blood", "plasma" or "parent plasma".
    :param frames_used: frame indices from 0, in order of time.
    :param t_star_min: start of the frames used, minutes from injection.
    :param until_min: end of what was used, minutes from injection.
    :param series_uids: Series Instance UIDs of the source.
    """

    method: str = ""
    version: str = __version__
    blood: str = ""
    frames_used: tuple[int, ...] | None = None
    t_star_min: float | None = None
    until_min: float | None = None
    series_uids: tuple[str, ...] = ()

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> MapProvenance:
        """Read ``ParametricMap.provenance`` or the record of a result folder (``result.json``).

        Keys that are not there are not known: ``method``, ``version`` (or ``versions.petkinetics``),
        ``input_function_kind`` (or ``input_function.kind``), ``frames_used`` (indices, or items with
        ``index``), ``t_star_min``, ``until_min``, ``series_uids`` (or ``input_uids``).
        """
        frames, curve = provenance.get("frames_used"), provenance.get("input_function")
        blood = provenance.get("input_function_kind") or (curve.get("kind") if isinstance(curve, Mapping) else None)
        version = provenance.get("version") or (provenance.get("versions") or {}).get("petkinetics")
        t_star, until = provenance.get("t_star_min"), provenance.get("until_min")
        return cls(
            method=str(provenance.get("method") or ""),
            version=str(version or __version__),
            blood=str(blood or ""),
            frames_used=None if frames is None else tuple(int(_index(frame)) for frame in frames),
            t_star_min=None if t_star is None else float(t_star),
            until_min=None if until is None else float(until),
            series_uids=tuple(str(uid) for uid in provenance.get("series_uids") or provenance.get("input_uids") or ()),
        )

    @property
    def parameters(self) -> str:
        """The options that decide what the numbers mean, in words; frames counted from 1."""
        parts = []
        if self.t_star_min is not None:
            parts.append(f"t* {self.t_star_min:g} min")
        if self.until_min is not None:
            parts.append(f"until {self.until_min:g} min")
        if self.frames_used:
            parts.append(f"frames {', '.join(str(f + 1) for f in self.frames_used)}")
        return "; ".join(parts)


def _index(frame: Any) -> Any:
    return frame["index"] if isinstance(frame, Mapping) else frame
