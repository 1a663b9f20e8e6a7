"""How values of a parameter node are written as text, and which are allowed."""

from __future__ import annotations

import enum
import pathlib
import typing
from typing import Annotated, Any

import slicer


class Validator:
    """Base class: ``validate(value)`` raises ValueError for what is not allowed."""

    def validate(self, value: Any) -> None:
        """See the class."""
        raise NotImplementedError


class WithinRange(Validator):
    """From `minimum` to `maximum`, both allowed."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        """See Validator."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within [{self.minimum}, {self.maximum}]")


class Minimum(Validator):
    """Nothing below `minimum`."""

    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        """See Validator."""
        if value < self.minimum:
            raise ValueError(f"{value} is below {self.minimum}")


class Maximum(Validator):
    """Nothing above `maximum`."""

    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        """See Validator."""
        if value > self.maximum:
            raise ValueError(f"{value} is above {self.maximum}")


class Choice(Validator):
    """One of `choices`."""

    def __init__(self, choices: Any) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        """See Validator."""
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


class NotNone(Validator):
    """A value."""

    def validate(self, value: Any) -> None:
        """See Validator."""
        if value is None:
            raise ValueError("a value is needed")


class Default:
    """The value that a parameter begins with."""

    def __init__(self, value: Any = None, *, generator: Any = None) -> None:
        self._value, self._generator = value, generator

    @property
    def value(self) -> Any:
        """The value, made anew where there is a generator."""
        return self._generator() if self._generator else self._value


class Decimals:
    """Decimals of the widget."""

    def __init__(self, value: int) -> None:
        self.value = value


class SingleStep:
    """Step of the widget."""

    def __init__(self, value: float) -> None:
        self.value = value


def split(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Type and annotations of a type that may be Annotated."""
    arguments = typing.get_args(Annotated[kind, None])
    return arguments[0], arguments[1:-1]


def find(annotations: tuple[Any, ...], kind: type) -> Any:
    """The first annotation of a kind, None when there is none."""
    return next((annotation for annotation in annotations if isinstance(annotation, kind)), None)


class Parameter:
    """One value of a parameter node, under its own name.

    Raises:
        TypeError: a type that this stand-in can't store (Slicer can store some more).
    """

    def __init__(self, name: str, annotated: Any) -> None:
        self.name, self.annotated = name, annotated
        self.kind, self.annotations = split(annotated)
        if not isinstance(self.kind, type) or not issubclass(
            self.kind, (int, float, str, enum.Enum, pathlib.PurePath, slicer.vtkMRMLNode)
        ):
            raise TypeError(f"{name}: the stand-in stores no {self.kind}")

    def first(self, class_value: Any) -> Any:
        """The value it begins with; `class_value` is what stands behind the equals sign, if anything."""
        if class_value is not None:
            return class_value
        default = find(self.annotations, Default)
        if default is not None:
            return default.value
        if issubclass(self.kind, slicer.vtkMRMLNode):
            return None
        return next(iter(self.kind)) if issubclass(self.kind, enum.Enum) else self.kind()

    def _check(self, value: Any) -> None:
        is_node = issubclass(self.kind, slicer.vtkMRMLNode)
        if value is None and not is_node:
            raise ValueError(f"{self.name}: a value is needed")
        allowed = (int, float) if self.kind is float else self.kind
        if value is not None and not isinstance(value, allowed):
            raise TypeError(f"{self.name} takes {self.kind.__name__}, not {value!r}")
        for annotation in self.annotations:
            if isinstance(annotation, Validator):
                annotation.validate(value)

    def write(self, node: Any, value: Any) -> None:
        """Store.

        Raises:
            TypeError, ValueError: not of the type, or not allowed by an annotation.
        """
        self._check(value)
        if issubclass(self.kind, slicer.vtkMRMLNode):
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
        elif self.kind is bool:
            node.SetParameter(self.name, "True" if value else "False")
        else:
            node.SetParameter(self.name, value.name if isinstance(value, enum.Enum) else str(value))

    def read(self, node: Any) -> Any:
        """What is stored."""
        if issubclass(self.kind, slicer.vtkMRMLNode):
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.kind is bool:
            return text == "True"
        return self.kind[text] if issubclass(self.kind, enum.Enum) else self.kind(text)
