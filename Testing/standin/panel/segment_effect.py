"""The effects of the segment editor: their names and their parameters."""

from __future__ import annotations

from typing import Any

EFFECTS = (
    "Paint",
    "Draw",
    "Erase",
    "Level tracing",
    "Grow from seeds",
    "Fill between slices",
    "Threshold",
    "Margin",
    "Hollow",
    "Smoothing",
    "Scissors",
    "Islands",
    "Logical operators",
    "Mask volume",
)
#: what Slicer begins with
_COMMON_DEFAULTS = {"BrushAbsoluteDiameter": "5", "BrushRelativeDiameter": "3", "BrushDiameterIsRelative": "1"}
_BRUSH_DEFAULTS = {"BrushSphere": "0", "EraseAllSegments": "0", "ColorSmudge": "0", "BrushPixelMode": "0"}


class Effect:
    """qSlicerSegmentEditorAbstractEffect: a name, and parameters in the segment editor node."""

    __slots__ = ("_node", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._node: Any = None

    def setParameterSetNode(self, node: Any) -> None:
        """Where the parameters are; what was not set gets Slicer's default."""
        self._node = node
        defaults = dict(_COMMON_DEFAULTS)
        if self.name in ("Paint", "Erase"):
            defaults.update({f"{self.name}.{key}": value for key, value in _BRUSH_DEFAULTS.items()})
        for key, value in defaults.items():
            if node.GetAttribute(key) is None:
                node.SetAttribute(key, value)

    def parameterSetNode(self) -> Any:
        """The segment editor node."""
        return self._node

    def setCommonParameter(self, name: str, value: Any) -> None:
        """A parameter of all effects."""
        if not isinstance(value, (str, int, float)):
            raise TypeError(f"{name}: {value!r}")
        text = str(int(value)) if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
        if self._node.GetAttribute(name) == text:
            return
        disabled = self._node.GetDisableModifiedEvent()
        self._node.SetDisableModifiedEvent(1)
        self._node.SetAttribute(name, text)
        self._node.SetDisableModifiedEvent(disabled)
        self._node.InvokeCustomModifiedEvent(self._node.EffectParameterModified)

    def setParameter(self, name: str, value: Any) -> None:
        """A parameter of this effect."""
        self.setCommonParameter(f"{self.name}.{name}", value)

    def parameter(self, name: str) -> str:
        """Of this effect, else of all.

        Raises:
            KeyError: there is none; Slicer would print so.
        """
        value = self._node.GetAttribute(f"{self.name}.{name}") or self._node.GetAttribute(name)
        if value is None:
            raise KeyError(f"{self.name} has no parameter {name}")
        return str(value)

    def integerParameter(self, name: str) -> int:
        """As a number."""
        return int(float(self.parameter(name)))

    def doubleParameter(self, name: str) -> float:
        """As a number."""
        return float(self.parameter(name))
