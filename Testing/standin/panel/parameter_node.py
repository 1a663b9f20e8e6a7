"""``slicer.parameterNodeWrapper``: a parameter node with typed members, bound to widgets.

The types are those of `parameter_types`; parameter packs, lists and unions are left to Slicer's own files.
"""

from __future__ import annotations

import typing
from typing import Any

import vtk

import slicer
from standin.panel.parameter_types import (
    Choice,
    Decimals,
    Default,
    Maximum,
    Minimum,
    NotNone,
    Parameter,
    SingleStep,
    Validator,
    WithinRange,
)
from standin.panel.parameter_widgets import Connector, connector

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]

SlicerParameterNamePropertyName = "SlicerParameterName"


class Wrapper:
    """What the decorated class becomes a subclass of."""

    allParameters: typing.ClassVar[dict[str, Parameter]] = {}
    _firsts: typing.ClassVar[dict[str, Any]] = {}
    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._bound: dict[int, tuple[dict[str, Connector], int]] = {}
        self._next_tag = 0
        self._updating = False
        for name, parameter in self.allParameters.items():
            if not parameterNode.HasParameter(name):
                parameter.write(parameterNode, parameter.first(self._firsts.get(name)))

    def _parameter(self, name: str) -> Parameter:
        if name not in self.allParameters:
            raise ValueError(f"no parameter '{name}', only {', '.join(self.allParameters)}")
        return self.allParameters[name]

    def getValue(self, name: str) -> Any:
        """The value of a parameter."""
        return self._parameter(name).read(self.parameterNode)

    def setValue(self, name: str, value: Any) -> None:
        """Set a parameter."""
        self._parameter(name).write(self.parameterNode, value)

    def default(self, name: str) -> Default:
        """The value a parameter begins with."""
        return Default(self._parameter(name).first(self._firsts.get(name)))

    @classmethod
    def dataType(cls, name: str) -> Any:
        """Type with annotations."""
        return cls.allParameters[name].annotated

    # ------------------------------------------------------------------------------------------ widgets

    def connectGui(self, gui: Any) -> int:
        """Bind the widgets that name a parameter in ``SlicerParameterName``; a tag for `disconnectGui`."""
        widgets = gui.__dict__.values() if not hasattr(gui, "findChildren") else _widgets_in(gui)
        named = ((widget.property(SlicerParameterNamePropertyName), widget) for widget in widgets)
        return self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Bind widgets by parameter name."""
        bound = {name: connector(widget, self._parameter(name)) for name, widget in mapping.items()}
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        for name, one in bound.items():
            one.write(self.getValue(name))
            one.start(lambda name=name, one=one: self._on_widget(name, one))
        self._bound[tag] = (bound, self.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_modified))
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Undo `connectGui`."""
        bound, observer = self._bound.pop(tag, ({}, None))
        for one in bound.values():
            one.stop()
        if observer is not None:
            self.RemoveObserver(observer)

    def _on_widget(self, name: str, one: Connector) -> None:
        if not self._updating:
            with slicer.util.NodeModify(self):
                self.setValue(name, one.read())

    def _on_modified(self, _caller: Any, _event: Any) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            for bound, _ in list(self._bound.values()):
                for name, one in bound.items():
                    one.write(self.getValue(name))
        finally:
            self._updating = False

    # --------------------------------------------------------------------------------------- as a node

    def StartModify(self) -> Any:
        """Of the node."""
        return self.parameterNode.StartModify()

    def EndModify(self, was: Any) -> Any:
        """Of the node."""
        return self.parameterNode.EndModify(was)

    def Modified(self) -> None:
        """Of the node."""
        self.parameterNode.Modified()

    def AddObserver(self, event: Any, call: Any, priority: float = 0.0) -> int:
        """Of the node."""
        return int(self.parameterNode.AddObserver(event, call, priority))

    def RemoveObserver(self, tag: int) -> None:
        """Of the node."""
        self.parameterNode.RemoveObserver(tag)


def _widgets_in(gui: Any) -> list[Any]:
    import qt

    return list(gui.findChildren(qt.QWidget))


def _member(parameter: Parameter) -> property:
    return property(
        lambda self: parameter.read(self.parameterNode),
        lambda self, value: parameter.write(self.parameterNode, value),
    )


def _wrap(described: type) -> type:
    hints = typing.get_type_hints(described, include_extras=True)
    parameters = {name: Parameter(name, kind) for name, kind in hints.items()}
    taken = [name for name in parameters if hasattr(Wrapper, name) or name == "parameterNode"]
    if taken:
        raise ValueError(f"reserved names: {', '.join(taken)}")
    namespace: dict[str, Any] = {
        key: value for key, value in vars(described).items() if key not in ("__dict__", "__weakref__", *parameters)
    }
    namespace["_firsts"] = {name: vars(described)[name] for name in parameters if name in vars(described)}
    namespace["allParameters"] = parameters
    namespace.update({name: _member(parameter) for name, parameter in parameters.items()})
    return type(described.__name__, (Wrapper,), namespace)


def parameterNodeWrapper(described: type | None = None) -> Any:
    """Class decorator, with or without parentheses."""
    return _wrap if described is None else _wrap(described)


def isParameterNodeWrapper(candidate: Any) -> bool:
    """Is it one, or an object of one?"""
    return bool(getattr(candidate, "_is_parameter_node_wrapper", False))
