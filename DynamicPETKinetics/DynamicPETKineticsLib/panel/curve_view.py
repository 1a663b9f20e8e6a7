"""The blood curve, drawn into a label of the panel.

A picture of its own rather than a plot node: Slicer's plot views change the layout of the slice views, and the
curve has to follow every stroke of the brush.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import qt

from DynamicPETKineticsLib.translation import _

if TYPE_CHECKING:
    from DynamicPETKineticsLib.regions.blood_curve import BloodMeasurement
    from petkinetics.curves import InputFunction, TimeActivityCurve

_HEIGHT = 150
#: Okabe and Ito's vermilion: legible on light and dark grounds, and to colour-blind eyes
_COLOUR = (213, 94, 0)
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 24, 30


def draw_blood_curve(label: Any, measurement: BloodMeasurement | None) -> None:
    """Draw frame means as points and the continuous curve as a line; without a curve an empty frame."""
    width = max(int(label.width), 220)
    picture = qt.QPixmap(width, _HEIGHT)
    palette = label.palette
    picture.fill(palette.color(qt.QPalette.Base))
    painter = qt.QPainter()
    painter.begin(picture)
    try:
        painter.setRenderHint(qt.QPainter.Antialiasing, True)
        ink = palette.color(qt.QPalette.Text)
        if measurement is None or measurement.function is None:
            faint = qt.QColor(ink)
            faint.setAlpha(130)
            painter.setPen(faint)
            rectangle = qt.QRect(0, 0, width, _HEIGHT)
            painter.drawText(rectangle, int(qt.Qt.AlignCenter), _("The blood curve appears here"))
        else:
            _draw(painter, width, ink, measurement.function, measurement.frames)
    finally:
        painter.end()
    label.setPixmap(picture)


def _draw(painter: Any, width: int, ink: Any, curve: InputFunction, frames: TimeActivityCurve | None) -> None:
    time, blood = curve.time_s / 60.0, curve.whole_blood_kbq_per_ml
    last, highest = float(time[-1]), float(max(blood.max(), 1e-6))
    if frames is not None:
        highest = max(highest, float(np.max(frames.mean_kbq_per_ml)))
    x_step, y_step = nice_step(last, 6), nice_step(highest, 3)
    top_value = y_step * np.ceil(highest / y_step)

    def x_of(t: float) -> int:
        return round(_LEFT + (width - _LEFT - _RIGHT) * t / last)

    def y_of(v: float) -> int:
        return round(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * v / top_value)

    grid = qt.QColor(ink)
    grid.setAlpha(45)
    for value in np.arange(0.0, top_value + 0.5 * y_step, y_step):
        y = y_of(float(value))
        painter.setPen(grid)
        painter.drawLine(_LEFT, y, width - _RIGHT, y)
        painter.setPen(ink)
        box = qt.QRect(0, y - 8, _LEFT - 6, 16)
        painter.drawText(box, int(qt.Qt.AlignRight) | int(qt.Qt.AlignVCenter), f"{value:g}")
    for value in np.arange(0.0, last + 1e-9, x_step):
        box = qt.QRect(x_of(float(value)) - 24, _HEIGHT - _BOTTOM + 2, 48, 14)
        painter.drawText(box, int(qt.Qt.AlignCenter), f"{value:g}")
    painter.drawText(qt.QRect(_LEFT, _HEIGHT - 15, width - _LEFT - _RIGHT, 15), int(qt.Qt.AlignCenter), "min")
    painter.drawText(4, 11, "kBq/mL")
    colour = qt.QColor(*_COLOUR)
    pen = qt.QPen(colour)
    pen.setWidth(2)
    painter.setPen(pen)
    places = [(x_of(float(t)), y_of(float(v))) for t, v in zip(time, blood, strict=True) if t >= 0]
    for (x0, y0), (x1, y1) in pairwise(places):
        painter.drawLine(x0, y0, x1, y1)
    if frames is not None:
        painter.setBrush(qt.QBrush(colour))
        for t, v in zip(frames.timing.mid_s / 60.0, frames.mean_kbq_per_ml, strict=True):
            painter.drawEllipse(x_of(float(t)) - 3, y_of(max(float(v), 0.0)) - 3, 6, 6)


def nice_step(span: float, pieces: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides *span* into about *pieces*."""
    rough = span / pieces
    power = 10.0 ** np.floor(np.log10(rough))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if factor * power >= rough:
            return float(factor * power)
    return float(10.0 * power)
