"""SUV beside a map: Slicer's two rows of the same three planes, the map in the upper and SUV in the lower one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from DynamicPETKineticsLib.regions.plot_nodes import plot_is_shown
from DynamicPETKineticsLib.scene.view_layout import arrangement, forget, layout_node, remember, remembered
from DynamicPETKineticsLib.scene.window_average import AVERAGE

if TYPE_CHECKING:
    from DynamicPETKineticsLib.results.result_nodes import ResultNodes

#: views of the upper row, and those below them
_ROWS = {"Red": "Red+", "Green": "Green+", "Yellow": "Yellow+"}
#: on the layout node: how the views were arranged before
_BEFORE = "DynamicPET.LayoutBeforeSuv"
#: on a slice view and its layers: what was there before the rows were linked
_GROUP = "DynamicPET.ViewGroupBefore"
_LINKED = "DynamicPET.LinkedForSuv"
_SUVS = ("suv", "suv_lbm", "suv_bsa")


def suv_of(result: ResultNodes) -> Any:
    """The SUV map of a result; None where dose or weight were not known."""
    maps = result.maps
    return next((maps[name] for name in _SUVS if name in maps), None)


def rows_are_shown() -> bool:
    """Whether the two rows stand, by our doing."""
    return remembered(_BEFORE) is not None and arrangement() == _two_rows()


def views_are_as_at_first() -> bool:
    """Whether the views are arranged as Slicer starts, so that nobody's choice is changed with them.

    Slicer may start as it was left: in two rows, which show the same then.
    """
    kinds = slicer.vtkMRMLLayoutNode
    first = (kinds.SlicerLayoutInitialView, kinds.SlicerLayoutDefaultView, kinds.SlicerLayoutConventionalView)
    if arrangement() == _two_rows():
        layers = _layers()
        return all(
            _shown(layers[below]) in (_shown(layers[above]), (None, None))
            for above, below in _ROWS.items()
            if above in layers and below in layers
        )
    return arrangement() in (*first, kinds.SlicerLayoutFourUpView, kinds.SlicerLayoutConventionalWidescreenView)


def show_rows() -> None:
    """Arrange the views in two rows; :func:`settle_rows` does the rest when maps lie in them."""
    if rows_are_shown() or layout_node() is None:
        return
    before = arrangement()
    remember(_BEFORE, slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView if before == _two_rows() else before)
    layout_node().SetViewArrangement(_two_rows())


def put_rows_away() -> None:
    """The arrangement from before; where the user has left the rows already, only what linked them goes."""
    before = remembered(_BEFORE)
    if before is not None and rows_are_shown():
        layout_node().SetViewArrangement(before)
    forget(_BEFORE)
    for view in _views().values():
        if view.GetAttribute(_GROUP) is not None:
            view.SetViewGroup(int(view.GetAttribute(_GROUP)))
            view.RemoveAttribute(_GROUP)
    for layers in _layers().values():
        if layers.GetAttribute(_LINKED) is not None:
            layers.SetLinkedControl(False)
            layers.RemoveAttribute(_LINKED)


def user_left_rows() -> bool:
    """Whether the user has chosen another arrangement meanwhile. A plot that is shown is none."""
    return remembered(_BEFORE) is not None and arrangement() != _two_rows() and not plot_is_shown()


def settle_rows() -> None:
    """Fit the views, whose sizes have changed, to what they show, at the slices where they are; and link the rows.

    Not before: Slicer moves a view to the middle of its first image, and those that are linked with it.
    """
    views = _views()
    logics = slicer.app.applicationLogic().GetSliceLogics()
    for logic in (logics.GetItemAsObject(i) for i in range(logics.GetNumberOfItems())):
        offset = logic.GetSliceNode().GetSliceOffset()
        logic.FitSliceToBackground()
        logic.GetSliceNode().SetSliceOffset(offset)
    if not rows_are_shown():
        return
    for above, below in _ROWS.items():
        if above in views and below in views:
            _align(views[above], views[below])
            _link(views[above], views[below])


def lay_below(node: Any) -> None:
    """Show a map in the lower row, over the anatomy of the upper one; nothing where the rows do not stand.

    Over a PET image it would only be paler: there it stands alone.
    """
    if not rows_are_shown():
        return
    layers = _layers()
    for above, below in _ROWS.items():
        if above in layers and below in layers:
            anatomy = slicer.mrmlScene.GetNodeByID(layers[above].GetBackgroundVolumeID() or "")
            alone = anatomy is None or anatomy.GetAttribute(AVERAGE)
            layers[below].SetBackgroundVolumeID(None if alone else anatomy.GetID())
            layers[below].SetForegroundVolumeID(node.GetID())


def _two_rows() -> int:
    return int(slicer.vtkMRMLLayoutNode.SlicerLayoutThreeOverThreeView)


def _views() -> dict[str, Any]:
    return {view.GetLayoutName(): view for view in slicer.util.getNodesByClass("vtkMRMLSliceNode")}


def _layers() -> dict[str, Any]:
    return {layers.GetLayoutName(): layers for layers in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}


def _shown(layers: Any) -> tuple[str | None, str | None]:
    return layers.GetBackgroundVolumeID(), layers.GetForegroundVolumeID()


def _link(upper: Any, lower: Any) -> None:
    """Scrolling and zooming one moves the other, as Slicer links views of one group and plane."""
    if lower.GetAttribute(_GROUP) is None:
        lower.SetAttribute(_GROUP, str(lower.GetViewGroup()))
    lower.SetViewGroup(upper.GetViewGroup())
    for name in (upper.GetLayoutName(), lower.GetLayoutName()):
        layers = _layers().get(name)
        if layers is not None and not layers.GetLinkedControl():
            layers.SetLinkedControl(True)
            layers.SetAttribute(_LINKED, "yes")


def _align(upper: Any, lower: Any) -> None:
    """Show the same slice at the same zoom."""
    changing = lower.StartModify()
    lower.GetSliceToRAS().DeepCopy(upper.GetSliceToRAS())
    lower.SetXYZOrigin(*upper.GetXYZOrigin())
    lower.SetFieldOfView(*upper.GetFieldOfView())
    lower.UpdateMatrices()
    lower.EndModify(changing)
