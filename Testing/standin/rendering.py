"""Pictures of the slice views as Slicer draws them, without a window or an X server.

The slice logic blends background and foreground; displayable managers of Slicer draw what lies above it
(segments, markups, colour legend, ruler, crosshair). Three views: "Axial", "Sagittal", "Coronal".
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import vtk
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy

import slicer

Picture = NDArray[np.uint8]

VIEWS = {"Axial": "Red", "Sagittal": "Yellow", "Coronal": "Green"}
DISPLAYABLE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)
_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
window.Render()
"""


class NoGraphics(RuntimeError):
    """Nothing can be drawn here, and Slicer would crash on the attempt."""


@cache
def probe() -> None:
    """Draw in another process first: without a GL library the first picture ends the program.

    Raises:
        NoGraphics: it did not come back well.
    """
    os.environ.pop("DISPLAY", None)  # the same picture whatever screens there are
    os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = "vtkEGLRenderWindow"
    done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise NoGraphics(f"no OpenGL (exit code {done.returncode}): run Testing/standin/system_libraries.sh")


class SliceView:
    """One slice view: image, annotations, render window."""

    def __init__(self, name: str) -> None:
        widget = slicer.app.layoutManager().sliceWidget(name)
        self.logic, self.node = widget.sliceLogic(), widget.mrmlSliceNode()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.renderer = vtk.vtkRenderer()
        self.window.AddRenderer(self.renderer)
        self._image()
        self.window.Render()  # a context, before managers ask for one
        self._managers()

    def _image(self) -> None:
        self.mapper = vtk.vtkImageMapper()
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self.mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)

    def _managers(self) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in DISPLAYABLE_MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.group = factory.InstantiateDisplayableManagers(self.renderer)
        self.group.SetMRMLDisplayableNode(self.node)

    def picture(self, size: tuple[int, int]) -> Picture:
        """Draw and read back, shape (rows, columns, 3), first row at the top."""
        columns, rows = size
        self.window.SetSize(columns, rows)
        self.logic.ResizeSliceNode(columns, rows)
        self.logic.UpdatePipeline()
        self.mapper.SetInputConnection(self.logic.GetImageDataConnection() if self.logic.HasInputs() else None)
        self.window.Render()
        grabbed = vtk.vtkWindowToImageFilter()
        grabbed.SetInput(self.window)
        grabbed.ReadFrontBufferOff()
        grabbed.Update()
        pixels = vtk_to_numpy(grabbed.GetOutput().GetPointData().GetScalars())
        return np.ascontiguousarray(pixels.reshape(rows, columns, 3)[::-1])


_views: dict[str, SliceView] = {}


def open_views() -> dict[str, SliceView]:
    """The three views, by orientation; opened at the first call.

    Raises:
        NoGraphics: nothing can be drawn here.
    """
    if not _views:
        probe()
        _views.update({orientation: SliceView(name) for orientation, name in VIEWS.items()})
        _tell_of_legends()
    return _views


def close_added_views() -> None:
    """Views that a layout has added go, and with them all others: a legend they were told of twice stays drawn."""
    if len(_views) > len(VIEWS):
        _views.clear()


def _tell_of_legends() -> None:
    """Slicer's views are open before anything is loaded; the legend's manager relies on hearing of each legend.

    Views that know one already warn of that.
    """
    warns = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.GlobalWarningDisplayOff()
    for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        slicer.mrmlScene.InvokeEvent(slicer.mrmlScene.NodeAddedEvent, legend)
    vtk.vtkObject.SetGlobalWarningDisplay(warns)


def slice_picture(
    orientation: str = "Axial", size: tuple[int, int] = (512, 512), ras: tuple[float, float, float] | None = None
) -> Picture:
    """One view as it is in Slicer now, `size` (columns, rows), shape (rows, columns, 3), top row first.

    `ras` (mm) moves the plane there first; position and zoom are left as they are (``slicer.util.resetSliceViews()``
    fits them to the volumes). A view that a layout has added goes by its own name, such as "Red+".
    """
    views = open_views()
    if orientation not in views:
        views[orientation] = SliceView(orientation)
        _tell_of_legends()
    view = views[orientation]
    if ras is not None:
        view.node.JumpSliceByOffsetting(*ras)
    return view.picture(size)


def pixel_of(ras: tuple[float, float, float], orientation: str = "Axial") -> tuple[int, int]:
    """Row and column of a point (mm) in the last picture of that orientation."""
    node = open_views()[orientation].node
    to_xy = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(node.GetXYToRAS(), to_xy)
    x, y, _, _ = to_xy.MultiplyPoint((*ras, 1.0))
    return node.GetDimensions()[1] - 1 - round(y), round(x)


def slice_pictures(
    size: tuple[int, int] = (512, 512), ras: tuple[float, float, float] | None = None, plot: Picture | None = None
) -> Picture:
    """Axial, coronal and sagittal view together; `size` is that of each.

    With a `plot` of the same size they take Slicer's four-up places, the plot where Slicer has its 3D view;
    else they stand in a row.
    """
    axial, coronal, sagittal = (slice_picture(view, size, ras) for view in ("Axial", "Coronal", "Sagittal"))
    rows = [[axial, coronal, sagittal]] if plot is None else [[axial, plot], [coronal, sagittal]]
    return _grid(rows)


def _grid(rows: list[list[Picture]], gap: int = 4) -> Picture:
    """Pictures of one shape with grey lines between them."""
    height, width, _ = rows[0][0].shape
    whole = np.full((len(rows) * (height + gap) - gap, len(rows[0]) * (width + gap) - gap, 3), 96, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            whole[i * (height + gap) :, j * (width + gap) :][:height, :width] = picture
    return whole


def save_png(picture: Picture, path: str | Path) -> None:
    """Write a picture."""
    rows, columns, _ = picture.shape
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, 1)
    image.GetPointData().SetScalars(numpy_to_vtk(picture[::-1].reshape(-1, 3), deep=True))
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()
