"""How a series is laid into the slice views."""

from __future__ import annotations

from typing import Any

import slicer
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.load_sequence import show_in_browser
from DynamicPETKineticsLib.scene.window_average import (
    INVERTED_GREY,
    average,
    late_window,
    newest_average,
    set_background_dark,
    set_window,
    upper_window,
)
from petkinetics.errors import InputError

#: opacity of PET over CT
PET_OVER_CT = 0.5


def show_series(sequence: DynamicSequence, anatomy: Any = None) -> None:
    """Lay a series into the slice views: CT in grey under PET at 50 %, or the late average in inverted grey.

    One window holds for all frames, chosen on the last one, so that the browsed frames can be compared.

    :param anatomy: CT volume, None where there is none.
    """
    browser, proxy = show_in_browser(sequence.node)
    late = _late_average(sequence)
    last = sequence.node.GetNthDataNode(sequence.node.GetNumberOfDataNodes() - 1)
    high = upper_window(slicer.util.arrayFromVolume(last))
    display = _display(proxy)
    set_window(display, 0.0, high)
    # The first frames show next to nothing: begin with the last one.
    browser.SetSelectedItemNumber(browser.GetNumberOfItems() - 1)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    if anatomy is not None:
        display.SetAndObserveColorNodeID(pet_colours())
        _lay(background=anatomy, foreground=proxy, opacity=PET_OVER_CT)
    else:
        display.SetAndObserveColorNodeID(INVERTED_GREY)
        if late is not None:
            set_background_dark(late, False)
        # The browsed frame lies above the average, transparent until somebody fades it in.
        _lay(background=late if late is not None else proxy, foreground=proxy if late is not None else None, opacity=0)
    _show_browser(browser)


def show_average(volume: Any, anatomy: Any = None, fit: bool = True) -> None:
    """Lay an average into the slice views: in colour over CT, or alone in inverted grey.

    :param fit: fit the views to it; False leaves them where they are.
    """
    display = _display(volume)
    if anatomy is not None:
        display.SetAndObserveColorNodeID(pet_colours())
        _lay(background=anatomy, foreground=volume, opacity=PET_OVER_CT, fit=fit)
    else:
        display.SetAndObserveColorNodeID(INVERTED_GREY)
        _lay(background=volume, foreground=None, opacity=0, fit=fit)


def image_of(sequence: DynamicSequence) -> Any:
    """An image of the series to lay maps over: its newest average, made where there is none; None where it can't be."""
    return newest_average(sequence.node) or _late_average(sequence)


def slice_layers() -> list[tuple[Any, str, str, float]]:
    """What lies in each slice view: its node, IDs of background and foreground, opacity; for :func:`lay_again`."""
    return [
        (view, view.GetBackgroundVolumeID() or "", view.GetForegroundVolumeID() or "", view.GetForegroundOpacity())
        for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    ]


def lay_again(layers: list[tuple[Any, str, str, float]], instead_of: Any) -> None:
    """Show again what :func:`slice_layers` found, as far as it is still in the scene.

    :param instead_of: the volume that took its place; views that show another one, and what somebody has laid
        over it since, stay as they are.
    """
    scene = slicer.mrmlScene
    for view, background, foreground, opacity in layers:
        if view.GetBackgroundVolumeID() != instead_of.GetID() or scene.GetNodeByID(background) is None:
            continue
        view.SetBackgroundVolumeID(background)
        if not view.GetForegroundVolumeID() and scene.GetNodeByID(foreground) is not None:
            view.SetForegroundVolumeID(foreground)
            view.SetForegroundOpacity(opacity)


def pet_colours() -> str:
    """ID of the colours that nuclear physicians know: PET heat."""
    colours = slicer.modules.colors.logic()
    return str(colours.GetPETColorNodeID(slicer.vtkMRMLPETProceduralColorNode.PETheat))


def _late_average(sequence: DynamicSequence) -> Any:
    """The late average; None where the series does not say enough to make one."""
    timing = sequence.timing
    if timing is None or sequence.missing:
        return None
    try:
        return average(sequence, *late_window(timing))
    except InputError:
        return None


def _display(volume: Any) -> Any:
    if volume.GetDisplayNode() is None:
        volume.CreateDefaultDisplayNodes()
    return volume.GetDisplayNode()


def _lay(background: Any, foreground: Any, opacity: float, fit: bool = True) -> None:
    """Set the layers of all slice views and fit them to the background; nothing without views."""
    if slicer.app.layoutManager() is None:
        return
    with slicer.util.RenderBlocker():
        slicer.util.setSliceViewerLayers(
            background=background, foreground=foreground, foregroundOpacity=opacity, label=None, fit=fit
        )


def _show_browser(browser: Any) -> None:
    """Make it the browser of Slicer's sequence toolbar, where there is a toolbar."""
    module = slicer.modules.sequences
    if hasattr(module, "showSequenceBrowser"):
        module.showSequenceBrowser(browser)
