"""ctk's sliders and spin boxes for numbers with decimals."""

from __future__ import annotations

import math
from typing import Any

from PySide6 import QtCore, QtWidgets

from standin.panel.declared import with_properties

_HORIZONTAL = QtCore.Qt.Orientation.Horizontal
_NUMBER = {"decimals": (int, 2), "singleStep": (float, 1.0), "minimum": (float, 0.0), "maximum": (float, 99.0)}
_TEXT = {"prefix": (str, ""), "suffix": (str, "")}
_STEPS = 1000


def _row(widget: Any, *parts: Any) -> None:
    row = QtWidgets.QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        row.addWidget(part)


def _spin_box(parent: Any) -> QtWidgets.QDoubleSpinBox:
    spin = QtWidgets.QDoubleSpinBox(parent)
    spin.setRange(0.0, 99.0)
    return spin


def _slider(parent: Any) -> QtWidgets.QSlider:
    slider = QtWidgets.QSlider(_HORIZONTAL, parent)
    slider.setRange(0, _STEPS)
    return slider


def _finite(value: float) -> float:
    return max(-1e300, min(1e300, value)) if math.isinf(value) else value


def _configure(spin: Any, widget: Any) -> None:
    """Pass range, decimals and texts on to a spin box."""
    spin.setDecimals(widget.decimals)
    spin.setRange(_finite(widget.minimum), _finite(widget.maximum))
    spin.setSingleStep(widget.singleStep)
    spin.setPrefix(widget.prefix)
    spin.setSuffix(widget.suffix)


class _Value:
    """What ctkDoubleSpinBox, ctkDoubleSlider and ctkSliderWidget share: a number in a range."""

    def _get_value(self) -> float:
        return float(self.__dict__.get("_number", 0.0))

    def setValue(self, value: float) -> None:
        """The nearest number of the range."""
        widget: Any = self
        value = min(max(float(value), widget.minimum), widget.maximum)
        changed = value != self._get_value()
        self.__dict__["_number"] = value
        self._show_value()
        if changed:
            widget.valueChanged.emit(value)

    def _show_value(self) -> None:
        raise NotImplementedError

    def setRange(self, minimum: float, maximum: float) -> None:
        """Both ends at once."""
        widget: Any = self
        widget.setMinimum(minimum)
        widget.setMaximum(maximum)

    def _position(self) -> int:
        """Where the slider's handle stands."""
        widget: Any = self
        span = widget.maximum - widget.minimum
        return round(_STEPS * (self._get_value() - widget.minimum) / span) if 0 < span < math.inf else 0

    def _number_at(self, position: int) -> float:
        widget: Any = self
        exact = widget.minimum + position / _STEPS * (widget.maximum - widget.minimum)
        step = widget.singleStep
        return float(widget.minimum + round((exact - widget.minimum) / step) * step) if step > 0 else float(exact)


class ctkSliderWidget(
    with_properties(  # type: ignore[misc]
        QtWidgets.QWidget,
        **_NUMBER,
        **_TEXT,
        pageStep=(float, 10.0),
        tickInterval=(float, 0.0),
        tracking=(bool, True),
        spinBoxVisible=(bool, True),
        popupSlider=(bool, False),
        invertedAppearance=(bool, False),
        invertedControls=(bool, False),
    ),
    _Value,
):
    """A slider with a spin box."""

    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)
    decimalsChanged = QtCore.Signal(int)
    SIGNALS = ("valueChanged(double)", "valueIsChanging(double)", "decimalsChanged(int)")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._slider, self._spin = _slider(self), _spin_box(self)
        _row(self, self._slider, self._spin)
        self._slider.valueChanged.connect(self._on_slider)
        self._spin.valueChanged.connect(self.setValue)

    value = QtCore.Property(float, _Value._get_value, _Value.setValue)
    setValue = _Value.setValue

    def _on_slider(self, position: int) -> None:
        if self._slider.isSliderDown():
            self.valueIsChanging.emit(self._number_at(position))
        self.setValue(self._number_at(position))

    def _show_value(self) -> None:
        for part, shown in ((self._slider, self._position()), (self._spin, self._get_value())):
            part.blockSignals(True)
            part.setValue(shown)
            part.blockSignals(False)

    def _updated(self, name: str) -> None:
        self._spin.blockSignals(True)
        _configure(self._spin, self)
        self._spin.blockSignals(False)
        self._spin.setVisible(self.spinBoxVisible)
        if name == "decimals":
            self.decimalsChanged.emit(self.decimals)
        self.setValue(self._get_value())

    def isSpinBoxVisible(self) -> bool:
        """Is the number shown beside the slider?"""
        return bool(self.spinBoxVisible)


class ctkDoubleSlider(
    with_properties(  # type: ignore[misc]
        QtWidgets.QWidget, **{k: v for k, v in _NUMBER.items() if k != "decimals"}, tracking=(bool, True)
    ),
    _Value,
):
    """A slider without a spin box."""

    valueChanged = QtCore.Signal(float)
    SIGNALS = ("valueChanged(double)",)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._slider = _slider(self)
        _row(self, self._slider)
        self._slider.valueChanged.connect(lambda position: self.setValue(self._number_at(position)))

    value = QtCore.Property(float, _Value._get_value, _Value.setValue)
    setValue = _Value.setValue

    def _show_value(self) -> None:
        self._slider.blockSignals(True)
        self._slider.setValue(self._position())
        self._slider.blockSignals(False)

    def _updated(self, _name: str) -> None:
        self.setValue(self._get_value())


class ctkDoubleSpinBox(
    with_properties(QtWidgets.QWidget, **_NUMBER, **_TEXT, readOnly=(bool, False)),  # type: ignore[misc]
    _Value,
):
    """A spin box."""

    valueChanged = QtCore.Signal(float)
    editingFinished = QtCore.Signal()
    SIGNALS = ("valueChanged(double)", "editingFinished()")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._spin = _spin_box(self)
        _row(self, self._spin)
        self._spin.valueChanged.connect(self.setValue)
        self._spin.editingFinished.connect(self.editingFinished)

    value = QtCore.Property(float, _Value._get_value, _Value.setValue)
    setValue = _Value.setValue

    def _show_value(self) -> None:
        self._spin.blockSignals(True)
        self._spin.setValue(self._get_value())
        self._spin.blockSignals(False)

    def _updated(self, _name: str) -> None:
        _configure(self._spin, self)
        self._spin.setReadOnly(self.readOnly)
        self.setValue(self._get_value())


class ctkRangeWidget(
    with_properties(  # type: ignore[misc]
        QtWidgets.QWidget, **_NUMBER, **_TEXT, tracking=(bool, True), symmetricMoves=(bool, False)
    )
):
    """Two numbers that bound a range: ``minimumValue`` and ``maximumValue`` within ``minimum`` and ``maximum``."""

    valuesChanged = QtCore.Signal(float, float)
    minimumValueChanged = QtCore.Signal(float)
    maximumValueChanged = QtCore.Signal(float)
    rangeChanged = QtCore.Signal(float, float)
    SIGNALS = (
        "valuesChanged(double,double)",
        "minimumValueChanged(double)",
        "maximumValueChanged(double)",
        "rangeChanged(double,double)",
    )

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._values = (0.0, 99.0)
        self._spins = (_spin_box(self), _spin_box(self))
        self._spins[0].valueChanged.connect(lambda value: self.setValues(value, self._values[1]))
        self._spins[1].valueChanged.connect(lambda value: self.setValues(self._values[0], value))
        _row(self, *self._spins)
        self._show()

    def setValues(self, low: float, high: float) -> None:
        """Both numbers, in order and inside the range."""
        before = self._values
        low, high = (min(max(float(value), self.minimum), self.maximum) for value in sorted((low, high)))
        self._values = (low, high)
        self._show()
        if low != before[0]:
            self.minimumValueChanged.emit(low)
        if high != before[1]:
            self.maximumValueChanged.emit(high)
        if (low, high) != before:
            self.valuesChanged.emit(low, high)

    def _low(self) -> float:
        return self._values[0]

    def _high(self) -> float:
        return self._values[1]

    def setMinimumValue(self, value: float) -> None:
        """The lower number; pushes the upper one."""
        self.setValues(value, max(value, self._values[1]))

    def setMaximumValue(self, value: float) -> None:
        """The upper number; pushes the lower one."""
        self.setValues(min(value, self._values[0]), value)

    minimumValue = QtCore.Property(float, _low, setMinimumValue)
    maximumValue = QtCore.Property(float, _high, setMaximumValue)

    def setRange(self, minimum: float, maximum: float) -> None:
        """The ends between which both numbers lie."""
        self.setMinimum(minimum)
        self.setMaximum(maximum)

    def _show(self) -> None:
        for spin, value in zip(self._spins, self._values, strict=True):
            spin.blockSignals(True)
            spin.setValue(value)
            spin.blockSignals(False)

    def _updated(self, name: str) -> None:
        for spin in self._spins:
            spin.blockSignals(True)
            _configure(spin, self)
            spin.blockSignals(False)
        self.setValues(*self._values)
        if name in ("minimum", "maximum"):
            self.rangeChanged.emit(self.minimum, self.maximum)


class ctkDoubleRangeSlider(ctkRangeWidget):
    """Drawn as two spin boxes here; the same numbers and signals."""
