"""ctk's foldable sections."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from standin.panel.declared import with_properties

_Event = QtCore.QEvent.Type
_Style = QtWidgets.QStyle


class Folding:
    """Hides a widget's children while it is folded; what is shown or hidden meanwhile counts on unfolding."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.folded = False
        self._forcing = False
        self._watched: set[int] = set()
        self._hidden_by_hand: set[int] = set()
        self._full_height = 16777215

    def children(self) -> list[Any]:
        """The widgets directly inside."""
        return [child for child in self.widget.children() if isinstance(child, QtWidgets.QWidget)]

    def watch(self) -> None:
        """Take in children that came since."""
        for child in self.children():
            if id(child) not in self._watched:
                self._watched.add(id(child))
                if child.testAttribute(QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide) and child.isHidden():
                    self._hidden_by_hand.add(id(child))
                child.installEventFilter(self.widget)
                self._apply(child)

    def _apply(self, child: Any) -> None:
        hidden = self.folded or id(child) in self._hidden_by_hand
        if child.isHidden() != hidden:
            self._forcing = True
            child.setVisible(not hidden)
            self._forcing = False
        if id(child) not in self._hidden_by_hand:
            # Else Qt would take a later hide() for done already, and say nothing.
            child.setAttribute(QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)

    def fold(self, folded: bool, height: int) -> None:
        """Fold to a height, or unfold."""
        self.watch()
        if folded and not self.folded:
            self._full_height = self.widget.maximumHeight
        self.folded = folded
        for child in self.children():
            self._apply(child)
        self.widget.setMaximumHeight(height if folded else self._full_height)
        self.widget.updateGeometry()

    def seen(self, child: Any, event: Any) -> None:
        """A child's event: was it shown or hidden by somebody else?"""
        kind = event.type()
        if self._forcing or kind not in (_Event.ShowToParent, _Event.HideToParent):
            return
        if kind == _Event.HideToParent:
            self._hidden_by_hand.add(id(child))
        else:
            self._hidden_by_hand.discard(id(child))
            self._apply(child)


class ctkCollapsibleButton(
    with_properties(  # type: ignore[misc]
        QtWidgets.QAbstractButton,
        collapsedHeight=(int, 14),
        flat=(bool, False),
        contentsFrameShape=(object, 0),
        contentsFrameShadow=(object, 16),
        contentsLineWidth=(int, 1),
        contentsMidLineWidth=(int, 0),
        buttonTextAlignment=(object, 129),
        indicatorAlignment=(object, 129),
    )
):
    """A title that shows and hides what lies below it; ``checked`` is the opposite of ``collapsed``."""

    SIGNALS = ("contentsCollapsed(bool)",)
    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, title: Any = "", parent: Any = None) -> None:
        title, parent = (title, parent) if isinstance(title, str) else ("", title)
        super().__init__(parent)
        self._folding = Folding(self)
        self.setCheckable(True)
        self.setChecked(True)
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Minimum, policy.Preferred)
        self._height = self.fontMetrics().height() + 10
        self.setContentsMargins(0, self._height, 0, 0)
        self.setMinimumHeight(self._height)
        self.setText(title)
        self.toggled.connect(self._on_toggled)

    def _get_collapsed(self) -> bool:
        return self._folding.folded

    def setCollapsed(self, collapsed: bool) -> None:
        """Fold or unfold."""
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, setCollapsed, notify=contentsCollapsed)

    def _on_toggled(self, checked: bool) -> None:
        self._folding.fold(not checked, self._height)
        self.contentsCollapsed.emit(not checked)

    def event(self, event: Any) -> bool:
        """Children come without a word: look when the layout changes."""
        if event.type() in (_Event.LayoutRequest, _Event.Polish, _Event.Show):
            self._folding.watch()
        return bool(super().event(event))

    def eventFilter(self, child: Any, event: Any) -> bool:
        """Watch the children."""
        self._folding.seen(child, event)
        return False

    def hitButton(self, place: Any) -> bool:
        """Only the title is a button."""
        return bool(place.y() < self._height)

    def paintEvent(self, _event: Any) -> None:
        """Title bar with an arrow."""
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width, self._height)
        painter.drawControl(_Style.ControlElement.CE_PushButtonBevel, option)
        arrow = _Style.PrimitiveElement.PE_IndicatorArrowRight if self._folding.folded else None
        option.rect = QtCore.QRect(6, (self._height - 12) // 2, 12, 12)
        painter.drawPrimitive(arrow or _Style.PrimitiveElement.PE_IndicatorArrowDown, option)
        painter.setPen(self.palette.color(QtGui.QPalette.ColorRole.ButtonText))
        inside = QtCore.QRect(26, 0, self.width - 30, self._height)
        painter.drawText(inside, int(QtCore.Qt.AlignmentFlag.AlignVCenter), self.text)


class ctkCollapsibleGroupBox(
    with_properties(QtWidgets.QGroupBox, collapsedHeight=(int, 14))  # type: ignore[misc]
):
    """A group box that folds by its title; ``checked`` is the opposite of ``collapsed``."""

    def __init__(self, title: Any = "", parent: Any = None) -> None:
        title, parent = (title, parent) if isinstance(title, str) else ("", title)
        super().__init__(parent)
        self.setTitle(title)
        self._folding = Folding(self)
        self.setCheckable(True)
        self.setChecked(True)
        self._height = self.fontMetrics().height() + 8
        self.setMinimumHeight(self._height)
        self.toggled.connect(self._on_toggled)

    def _get_collapsed(self) -> bool:
        return self._folding.folded

    def setCollapsed(self, collapsed: bool) -> None:
        """Fold or unfold."""
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, setCollapsed)

    def _on_toggled(self, checked: bool) -> None:
        self._folding.fold(not checked, self._height)

    def event(self, event: Any) -> bool:
        """Children come without a word: look when the layout changes."""
        if event.type() in (_Event.LayoutRequest, _Event.Polish, _Event.Show):
            self._folding.watch()
        return bool(super().event(event))

    def eventFilter(self, child: Any, event: Any) -> bool:
        """Watch the children."""
        self._folding.seen(child, event)
        return False

    def paintEvent(self, _event: Any) -> None:
        """An arrow and the title on a line, a frame when unfolded."""
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionGroupBox()
        self.initStyleOption(option)
        option.subControls = _Style.SubControl.SC_GroupBoxLabel
        if not self._folding.folded:
            option.subControls |= _Style.SubControl.SC_GroupBoxFrame
        option.text = "     " + self.title
        painter.drawComplexControl(_Style.ComplexControl.CC_GroupBox, option)
        label = self.style().subControlRect(
            _Style.ComplexControl.CC_GroupBox, option, _Style.SubControl.SC_GroupBoxLabel, self
        )
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(label.left() + 2, label.center().y() - 5, 11, 11)
        shape = _Style.PrimitiveElement.PE_IndicatorArrowDown
        if self._folding.folded:
            shape = _Style.PrimitiveElement.PE_IndicatorArrowRight
        painter.drawPrimitive(shape, arrow)
