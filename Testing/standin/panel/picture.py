"""Pictures of widgets as they would look in Slicer's module panel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6 import QtGui, QtWidgets

from standin.panel.events import process_events

_DARK = {
    "Window": (50, 50, 50),
    "WindowText": (255, 255, 255),
    "Base": (35, 35, 35),
    "AlternateBase": (60, 60, 60),
    "ToolTipBase": (60, 60, 60),
    "ToolTipText": (255, 255, 255),
    "PlaceholderText": (150, 150, 150),
    "Text": (255, 255, 255),
    "Button": (53, 53, 53),
    "ButtonText": (255, 255, 255),
    "BrightText": (255, 0, 0),
    "Link": (80, 150, 230),
    "Highlight": (80, 80, 80),
    "HighlightedText": (255, 255, 255),
}


def dark_palette() -> Any:
    """Colours like those of Slicer's dark theme."""
    palette = QtGui.QPalette()
    for name, colour in _DARK.items():
        palette.setColor(getattr(QtGui.QPalette.ColorRole, name), QtGui.QColor(*colour))
    for name in ("WindowText", "Text", "ButtonText"):
        role = getattr(QtGui.QPalette.ColorRole, name)
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, role, QtGui.QColor(128, 128, 128))
    return palette


@contextmanager
def theme(dark: bool) -> Iterator[None]:
    """The light or the dark colours, for a while."""
    before = QtGui.QPalette(QtWidgets.QApplication.palette())
    style = QtWidgets.QApplication.style()
    QtWidgets.QApplication.setPalette(dark_palette() if dark else style.standardPalette())
    process_events()
    try:
        yield
    finally:
        QtWidgets.QApplication.setPalette(before)
        process_events()


def _is_area(widget: Any) -> bool:
    return isinstance(widget, QtWidgets.QScrollArea) and widget.widget() is not None and not widget.isHidden()


def _height(widget: Any, width: int) -> int:
    """Height that a widget wants at a width."""
    return int(max(widget.heightForWidth(width), widget.sizeHint.height()))


def _missing_height(widget: Any) -> int:
    """By how much the scroll areas of a widget are too low for what they hold (negative: too high)."""
    areas = [area for area in [widget, *widget.findChildren(QtWidgets.QScrollArea)] if _is_area(area)]
    return sum(_height(area.widget(), area.contentsRect().width()) - area.viewport().height for area in areas)


def fit(widget: Any, width: int) -> None:
    """Show a widget at a width, as high as it needs to be to show everything."""
    widget.show()
    widget.resize(width, 2000)
    process_events()
    for _ in range(3):  # scroll bars go when there is room, which changes the width, which changes the height
        missing = _missing_height(widget)
        widget.resize(width, widget.height + missing if missing else _height(widget, width))
        process_events()


def grab(widget: Any, path: str | Path, width: int = 400, dark: bool = False) -> Path:
    """Draw a widget into a PNG file, `width` pixels wide and as high as it needs to be.

    Raises:
        OSError: the file can't be written.
    """
    with theme(dark):
        fit(widget, width)
        picture = widget.grab()
    if not picture.save(str(path)):
        raise OSError(f"could not write {path}")
    return Path(path)
