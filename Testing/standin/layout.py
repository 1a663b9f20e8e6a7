"""The layout manager without windows: real slice nodes and slice logics, no widgets."""

from __future__ import annotations

import weakref
from typing import Any

import vtk

import slicer


class SliceWidget:
    """The MRML side of a slice view."""

    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def sliceLogic(self) -> Any:
        """vtkMRMLSliceLogic of the view."""
        return self._logic

    def mrmlSliceNode(self) -> Any:
        """vtkMRMLSliceNode of the view."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        """vtkMRMLSliceCompositeNode: which volumes lie in which layer."""
        return self._logic.GetSliceCompositeNode()


class LayoutManager:
    """``slicer.app.layoutManager()``: slice views named Red, Green and Yellow, and those that a layout adds."""

    threeDViewCount = 0
    tableViewCount = 0
    plotViewCount = 0

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._logics = vtk.vtkCollection()
        self._widgets: dict[str, SliceWidget] = {}
        scene.application_logic.SetSliceLogics(self._logics)
        scene.application_logic.SetViewLogics(vtk.vtkCollection())
        self.layout = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        for name in ("Red", "Green", "Yellow"):
            self._add(name)
        layout = scene.layout_logic.GetLayoutNode()
        # The scene may not keep the views alive, or Slicer's code ends them in the wrong order and crashes.
        own = weakref.ref(self)
        layout.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda _caller, _event: own()._complete())

    def _complete(self) -> None:
        """Slicer makes the views of a layout when it is first shown, and keeps them."""
        nodes = self._scene.layout_logic.GetViewNodes()
        for node in (nodes.GetItemAsObject(i) for i in range(nodes.GetNumberOfItems())):
            if node.IsA("vtkMRMLSliceNode") and node.GetLayoutName() not in self._widgets:
                self._add(node.GetLayoutName())

    def _add(self, name: str) -> None:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self._scene.application_logic)
        logic.SetMRMLScene(self._scene.scene)
        logic.SetSliceNode(self._scene.scene.GetNodeByID(f"vtkMRMLSliceNode{name}"))
        logic.GetSliceNode().SetDimensions(512, 512, 1)
        self._logics.AddItem(logic)
        self._widgets[name] = SliceWidget(logic)

    @property
    def layout(self) -> int:
        """The arrangement of the views (vtkMRMLLayoutNode's numbers)."""
        return int(self._scene.layout_logic.GetLayoutNode().GetViewArrangement())

    @layout.setter
    def layout(self, number: int) -> None:
        self._scene.layout_logic.GetLayoutNode().SetViewArrangement(int(number))

    def setLayout(self, number: int) -> None:
        """Arrange the views."""
        self.layout = number

    def layoutLogic(self) -> Any:
        """vtkMRMLLayoutLogic."""
        return self._scene.layout_logic

    def mrmlSliceLogics(self) -> Any:
        """vtkCollection of the slice logics."""
        return self._logics

    def sliceViewNames(self) -> tuple[str, ...]:
        """Names of the slice views."""
        return tuple(self._widgets)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        """The view of that name; None as in Slicer when there is none."""
        return self._widgets.get(name)

    def resetSliceViews(self) -> None:
        """Fit each slice view to its background."""
        for widget in self._widgets.values():
            widget.sliceLogic().FitSliceToAll()

    def resetThreeDViews(self) -> None:
        """There are none."""
