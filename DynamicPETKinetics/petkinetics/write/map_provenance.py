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
    :param window_s: start of the first and end of the last frame used, from injection.
    :param frame_count: frames of the series, those that were not used included.
    :param injection_time: as the user gave it in place of the header's.
    :param details: what else decides the numbers, in words.
    """

    method: str = ""
    version: str = __version__
    blood: str = ""
    frames_used: tuple[int, ...] | None = None
    t_star_min: float | None = None
    until_min: float | None = None
    series_uids: tuple[str, ...] = ()
    window_s: tuple[float, float] | None = None
    half_life_s: float | None = None
    frame_count: int | None = None
    injection_time: str | None = None
    details: str = ""

    @classmethod
    def of(cls, provenance: Mapping[str, Any], name: str = "") -> MapProvenance:
        """Read ``ParametricMap.provenance`` or the record of a result folder (``result.json``).

        Keys that are not there are not known: ``method``, ``version`` (or ``versions.petkinetics``),
        ``input_function_kind`` (or ``input_function.kind``), ``frames_used`` (indices, or items with
        ``index``), ``t_star_min``, ``until_min``, ``series_uids`` (or ``input_uids``), ``series.half_life_s``,
        ``series.shape``, ``overrides.injection_time``, ``derived`` (see
        :class:`petkinetics.estimators.derived.DerivedMaps`).

        :param name: of the map's quantity; a derived map has a history of its own.
        """
        how = (provenance.get("derived") or {}).get(name)
        if how is not None:
            provenance = {**provenance, **_history(how)}
        frames, curve = provenance.get("frames_used"), provenance.get("input_function")
        blood = provenance.get("input_function_kind") or (curve.get("kind") if isinstance(curve, Mapping) else None)
        version = provenance.get("version") or (provenance.get("versions") or {}).get("petkinetics")
        series = provenance.get("series") or {}
        t_star, until = provenance.get("t_star_min"), provenance.get("until_min")
        return cls(
            method=str(provenance.get("method") or ""),
            version=str(version or __version__),
            blood=str(blood or ""),
            frames_used=None if frames is None else tuple(int(_index(frame)) for frame in frames),
            t_star_min=None if t_star is None else float(t_star),
            until_min=None if until is None else float(until),
            series_uids=tuple(str(uid) for uid in provenance.get("series_uids") or provenance.get("input_uids") or ()),
            window_s=provenance.get("window_s") or _window(frames),
            half_life_s=series.get("half_life_s"),
            frame_count=int(series["shape"][0]) if series.get("shape") else None,
            injection_time=(provenance.get("overrides") or {}).get("injection_time"),
            details=str(provenance.get("details") or ""),
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
        if self.details:
            parts.append(self.details)
        return "; ".join(parts)


def _index(frame: Any) -> Any:
    return frame["index"] if isinstance(frame, Mapping) else frame


def _window(frames: Any) -> tuple[float, float] | None:
    """From the first frame's start to the last one's end, where the frames' times are known."""
    if not frames or not isinstance(frames[0], Mapping) or "duration_s" not in frames[-1]:
        return None
    return float(frames[0]["start_s"]), float(frames[-1]["start_s"]) + float(frames[-1]["duration_s"])


#: what decides the numbers of a derived map: key of its record -> words
_DETAILS = {
    "glucose_mmol_per_l": "glucose {:.4g} mmol/L",
    "lumped_constant": "lumped constant {:.4g}",
    "dose_mbq": "dose {:.5g} MBq",
    "weight_kg": "weight {:.4g} kg",
    "height_m": "height {:.3g} m",
    "sex": "sex {}",
}


def _history(how: Mapping[str, Any]) -> dict[str, Any]:
    """What a derived map's record says in place of the estimate's, with which an image of a window shares nothing."""
    words = [text.format(how[key]) for key, text in _DETAILS.items() if how.get(key) is not None]
    if "from_s" not in how:
        return {"details": "; ".join(words)}
    window = f"mean of {how['from_s'] / 60:.4g}-{how['to_s'] / 60:.4g} min"
    return {
        "method": "frame mean",
        "input_function": None,
        "input_function_kind": None,
        "t_star_min": None,
        "until_min": None,
        "frames_used": how["frames_used"],
        "window_s": (float(how["from_s"]), float(how["to_s"])),
        "details": "; ".join([window, *words]),
    }
